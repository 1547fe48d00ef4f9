//! Glob: files by name.

use std::cmp::Reverse;
use std::path::Path;

use futures_util::future::BoxFuture;
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use serde_json::{Value, json};

use super::watch::{SEARCH, Watch};
use super::{Context, Tool, ToolError, ToolOutput, blocking, input};
use crate::workspace::{WorkPath, Workspace};

/// How many files are answered.
const SHOWN: usize = 100;

/// The tool Glob.
pub struct Glob;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    pattern: String,
    path: Option<String>,
}

impl Tool for Glob {
    fn name(&self) -> &'static str {
        "Glob"
    }

    fn description(&self) -> &'static str {
        "Finds files by name, such as `**/*.rs` or `src/**/*.{ts,tsx}`; a pattern without `/` matches \
         in every directory. Answers at most 100 paths, last changed first. Files that .gitignore \
         names are left out unless `path` is inside an ignored directory."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "pattern": { "type": "string" },
                "path": { "type": "string", "description": "directory, default the root" },
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
            blocking::unless_cancelled(&context.cancel, move || files(&*workspace, &input, &watch))
                .await
        })
    }
}

fn files(workspace: &dyn Workspace, input: &Input, watch: &Watch) -> ToolOutput {
    let base = workspace.path(input.path.as_deref().unwrap_or("."))?;
    // Models give the pattern with the directory in front at times.
    let dir = base.whole(workspace.root());
    let pattern = Path::new(&input.pattern).strip_prefix(dir).ok().and_then(Path::to_str);
    let pattern = pattern.unwrap_or(&input.pattern).trim_start_matches("./");
    let matcher = matcher(pattern)?;
    let mut found = Vec::new();
    workspace.walk(&base, &mut |path| {
        let name = path.as_path().strip_prefix(base.as_path()).unwrap_or(path.as_path());
        if matcher.is_match(name) {
            found.push(path);
        }
        !watch.is_over()
    })?;
    if found.is_empty() {
        return Ok(format!("no file matches `{}`", input.pattern).into());
    }
    let total = found.len();
    let found = newest(workspace, found);
    let mut answer: Vec<_> = found.iter().take(SHOWN).map(ToString::to_string).collect();
    if watch.is_over() {
        answer.push(format!("[stopped after {} s: give a narrower path]", SEARCH.as_secs()));
    } else if total > SHOWN {
        answer.push(format!("[{SHOWN} of {total} files: narrow the pattern]"));
    }
    Ok(answer.join("\n").into())
}

fn matcher(pattern: &str) -> Result<GlobMatcher, ToolError> {
    if pattern.split('/').any(|part| part == "..") || pattern.starts_with('/') {
        return Err(ToolError::reply(format!(
            "`{pattern}` leads out of the directory: use `path`"
        )));
    }
    let anywhere = if pattern.contains('/') { "" } else { "**/" };
    let glob = GlobBuilder::new(&format!("{anywhere}{pattern}")).literal_separator(true).build();
    let glob = glob.map_err(|error| {
        ToolError::reply(format!("`{pattern}` is not a pattern: {}", error.kind()))
    })?;
    Ok(glob.compile_matcher())
}

/// Sorts by the last change, newest first, and by name where that is the same.
fn newest(workspace: &dyn Workspace, paths: Vec<WorkPath>) -> Vec<WorkPath> {
    let mut dated: Vec<_> = paths
        .into_iter()
        .map(|path| {
            // A file that vanished meanwhile comes last.
            let modified = workspace.metadata(&path).ok().and_then(|look| look.modified);
            (Reverse(modified), path)
        })
        .collect();
    dated.sort();
    dated.into_iter().map(|(_, path)| path).collect()
}
