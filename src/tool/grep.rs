//! Grep: lines and files by content.

use futures_util::future::BoxFuture;
use grep_searcher::Searcher;
use ignore::overrides::{Override, OverrideBuilder};
use ignore::types::{Types, TypesBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::matches::{Count, Lines, Page, Pattern};
use super::watch::{SEARCH, Watch, Watched};
use super::{Context, Tool, ToolError, ToolOutput, blocking, input};
use crate::workspace::{WorkPath, Workspace};

/// How many lines are answered unless told; `head_limit` 0 means as many as fit.
const ENTRIES: usize = 250;
/// How many bytes are answered.
const SHOWN_BYTES: usize = 30_000;

/// The tool Grep.
pub struct Grep;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    pattern: String,
    path: Option<String>,
    glob: Option<String>,
    r#type: Option<String>,
    output_mode: Option<Mode>,
    #[serde(rename = "-i")]
    ignore_case: Option<bool>,
    #[serde(rename = "-n")]
    numbers: Option<bool>,
    #[serde(rename = "-A")]
    after: Option<usize>,
    #[serde(rename = "-B")]
    before: Option<usize>,
    #[serde(rename = "-C")]
    around: Option<usize>,
    #[serde(rename = "-o")]
    only_matching: Option<bool>,
    head_limit: Option<usize>,
    offset: Option<usize>,
    multiline: Option<bool>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Content,
    #[default]
    FilesWithMatches,
    Count,
}

impl Tool for Grep {
    fn name(&self) -> &'static str {
        "Grep"
    }

    fn description(&self) -> &'static str {
        "Searches file contents with a regular expression (Rust syntax, as in ripgrep). Answers the \
         paths of files with matches, or lines with output_mode `content`. Ignored and binary files \
         are left out. Results are sorted by path."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "pattern": { "type": "string" },
                "path": { "type": "string", "description": "file or directory, default the root" },
                "glob": { "type": "string", "description": "only these files, such as `*.{ts,tsx}`" },
                "type": { "type": "string", "description": "only this language, such as rust, py, js" },
                "output_mode": {
                    "type": "string", "enum": ["content", "files_with_matches", "count"],
                    "description": "default files_with_matches",
                },
                "-i": { "type": "boolean", "description": "ignore case" },
                "-n": { "type": "boolean", "description": "line numbers, default true" },
                "-A": { "type": "integer", "description": "lines after each match" },
                "-B": { "type": "integer", "description": "lines before" },
                "-C": { "type": "integer", "description": "lines before and after" },
                "-o": { "type": "boolean", "description": "only the matching parts" },
                "head_limit": { "type": "integer", "description": "most lines, default 250, 0 = no limit" },
                "offset": { "type": "integer", "description": "lines to skip" },
                "multiline": { "type": "boolean", "description": "matches may span lines" },
            },
            "required": ["pattern"],
            "additionalProperties": false,
        })
    }

    fn read_only(&self) -> bool {
        true
    }

    fn summary(&self, input: &Value) -> String {
        input::text(input, "pattern")
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            let input: Input = input::parse(self.name(), input)?;
            let (workspace, watch) = (context.workspace.clone(), Watch::new(&context.cancel));
            blocking::unless_cancelled(&context.cancel, move || search(&*workspace, &input, &watch))
                .await
        })
    }
}

fn search(workspace: &dyn Workspace, input: &Input, watch: &Watch) -> ToolOutput {
    let mode = input.output_mode.unwrap_or_default();
    let context = |lines: Option<usize>| match mode {
        Mode::Content => input.around.or(lines).unwrap_or(0),
        _ => 0,
    };
    let pattern = Pattern {
        text: input.pattern.clone(),
        ignore_case: input.ignore_case.unwrap_or(false),
        multiline: input.multiline.unwrap_or(false),
        before: context(input.before),
        after: context(input.after),
    };
    let matcher = pattern.matcher()?;
    let mut searcher = pattern.searcher();
    let entries = match input.head_limit.unwrap_or(ENTRIES) {
        0 => usize::MAX,
        limit => limit,
    };
    let skipped = input.offset.unwrap_or(0);
    let mut page = Page::new(skipped, entries, SHOWN_BYTES);
    let mut failed = Vec::new();
    for path in candidates(workspace, input, watch)? {
        if page.cut || watch.is_over() {
            break;
        }
        let one = One { workspace, path: &path, watch, mode, input };
        if let Err(why) = one.search(&mut searcher, &matcher, &mut page) {
            failed.push(format!("`{path}`: {why}"));
        }
    }
    let shown = page.lines.len();
    let mut answer = page.lines;
    if shown == 0 {
        answer.push("no matches".to_owned());
    }
    if watch.is_over() {
        answer.push(format!("[stopped after {} s: narrow the search]", SEARCH.as_secs()));
    } else if page.cut {
        let next = skipped + shown;
        answer.push(format!("[there is more: go on with offset {next}, or narrow the search]"));
    }
    if let Some(first) = failed.first() {
        answer.push(format!("[{} files could not be searched, first {first}]", failed.len()));
    }
    Ok(answer.join("\n").into())
}

/// Returns the files to search, sorted.
fn candidates(
    workspace: &dyn Workspace,
    input: &Input,
    watch: &Watch,
) -> Result<Vec<WorkPath>, ToolError> {
    let base = workspace.path(input.path.as_deref().unwrap_or("."))?;
    let (globs, types) = (globs(input)?, types(input)?);
    let mut paths = Vec::new();
    workspace.walk(&base, &mut |path| {
        let file = path.as_path();
        // `!node_modules` leaves out a directory, so those above count too.
        let left_out = globs.matched(file, false).is_ignore()
            || file.ancestors().skip(1).any(|dir| globs.matched(dir, true).is_ignore())
            || types.matched(file, false).is_ignore();
        if !left_out {
            paths.push(path);
        }
        !watch.is_over()
    })?;
    paths.sort();
    Ok(paths)
}

fn globs(input: &Input) -> Result<Override, ToolError> {
    let mut builder = OverrideBuilder::new("");
    if let Some(glob) = &input.glob {
        builder.add(glob).map_err(|error| ToolError::reply(format!("glob: {error}")))?;
    }
    builder.build().map_err(|error| ToolError::reply(format!("glob: {error}")))
}

fn types(input: &Input) -> Result<Types, ToolError> {
    let mut builder = TypesBuilder::new();
    if let Some(name) = &input.r#type {
        builder.add_defaults().select(name);
    }
    builder.build().map_err(|error| ToolError::reply(format!("type: {error}; use glob instead")))
}

/// One file that is searched.
struct One<'a> {
    workspace: &'a dyn Workspace,
    path: &'a WorkPath,
    watch: &'a Watch,
    mode: Mode,
    input: &'a Input,
}

impl One<'_> {
    /// Puts what is found on `page`.
    fn search(
        &self,
        searcher: &mut Searcher,
        matcher: &grep_regex::RegexMatcher,
        page: &mut Page,
    ) -> anyhow::Result<()> {
        let file = self.workspace.open(self.path).map_err(|why| anyhow::anyhow!("{why}"))?;
        let file = Watched(file, self.watch.clone());
        let path = self.path.to_string();
        if self.mode == Mode::Content {
            let only = self.input.only_matching.unwrap_or(false).then_some(matcher);
            let numbers = self.input.numbers.unwrap_or(true);
            searcher.search_reader(matcher, file, Lines { path: &path, numbers, only, page })?;
            return Ok(());
        }
        let enough = if self.mode == Mode::Count { u64::MAX } else { 1 };
        let mut count = Count { lines: 0, enough };
        searcher.search_reader(matcher, file, &mut count)?;
        match (self.mode, count.lines) {
            (_, 0) => true,
            (Mode::Count, lines) => page.add(format!("{path}:{lines}")),
            _ => page.add(path),
        };
        Ok(())
    }
}
