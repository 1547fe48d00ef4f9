//! Read: a file's lines with their numbers, or a picture or PDF as it is.

use std::borrow::Cow;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::sight::Sees;
use super::{Context, Output, Tool, ToolError, ToolOutput, blocking, file, input};
use crate::media::{Media, media_type};
use crate::workspace::{Denied, WorkPath};

/// How many lines are shown unless told.
const LINES: usize = 2_000;
/// How many characters of a line are shown.
const LINE_CHARS: usize = 2_000;
/// How many bytes are shown in all.
const SHOWN_BYTES: usize = 100_000;
/// The largest file that is shown without saying which part.
const WHOLE_BYTES: usize = 256 * 1024;

/// The tool Read.
pub struct Read;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    file_path: String,
    offset: Option<usize>,
    limit: Option<usize>,
    pages: Option<String>,
}

impl Tool for Read {
    fn name(&self) -> &'static str {
        "Read"
    }

    fn description(&self) -> &'static str {
        "Reads a text file, or shows a picture (PNG, JPEG, GIF, WebP) or PDF. Answers numbered lines \
         (number, tab, text), 2,000 unless `limit` says otherwise; lines are cut at 2,000 \
         characters. Read a file before changing it."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "file_path": { "type": "string" },
                "offset": { "type": "integer", "minimum": 1, "description": "first line, from 1" },
                "limit": { "type": "integer", "minimum": 1, "description": "number of lines" },
            },
            "required": ["file_path"],
            "additionalProperties": false,
        })
    }

    fn read_only(&self) -> bool {
        true
    }

    fn summary(&self, input: &Value) -> String {
        input::text(input, "file_path")
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            let input: Input = input::parse(self.name(), input)?;
            let (workspace, seen) = (context.workspace.clone(), context.seen.clone());
            let eyes = context.sees;
            blocking::unless_cancelled(&context.cancel, move || {
                let path = workspace.path(&input.file_path)?;
                if let Err(Denied::NotFound(_)) = workspace.metadata(&path) {
                    return Err(file::missing(&*workspace, &path));
                }
                let bytes = file::load(&*workspace, &path)?;
                let output = match media_type(&bytes) {
                    Some(kind) => sight(&path, kind, &bytes, &input, eyes)?,
                    None => view(&path, &bytes, &input)?,
                };
                seen.note(&path, &bytes);
                Ok(output)
            })
            .await
        })
    }
}

/// Returns a picture or document, for a model that sees this much.
fn sight(
    path: &WorkPath,
    media_type: &'static str,
    bytes: &[u8],
    input: &Input,
    sees: Sees,
) -> ToolOutput {
    let media = Media { media_type, data: bytes.into() };
    let about = sees.admit(&media).map_err(|why| {
        let way =
            if media.is_document() { ": take its text out with Bash (`pdftotext`)" } else { "" };
        ToolError::Reply(format!("`{path}` {why}{way}"))
    })?;
    // Providers take documents whole.
    let whole = if input.pages.is_some() { "; `pages` does not count, all are here" } else { "" };
    Ok(Output { text: format!("[`{path}`: {about}{whole}]"), media: vec![media] })
}

/// Returns what the model sees of a file with this content.
fn view(path: &WorkPath, bytes: &[u8], input: &Input) -> ToolOutput {
    if bytes.is_empty() {
        return Ok(format!("[`{path}` is empty]").into());
    }
    if bytes[..bytes.len().min(8_000)].contains(&0) {
        let size = bytes.len();
        return Err(ToolError::reply(format!("`{path}` is a binary file of {size} bytes")));
    }
    let text = String::from_utf8_lossy(bytes);
    let total = text.lines().count();
    if input.offset.is_none() && input.limit.is_none() && bytes.len() > WHOLE_BYTES {
        let size = bytes.len();
        return Err(ToolError::reply(format!(
            "`{path}` has {size} bytes in {total} lines, too much to show whole: give offset and \
             limit, or search it with Grep"
        )));
    }
    let mut shown = part(path, &text, total, input)?;
    if matches!(text, Cow::Owned(_)) {
        shown.push("[not valid UTF-8: \u{FFFD} stands for bytes that cannot be shown]".to_owned());
    }
    Ok(shown.join("\n").into())
}

/// Returns the lines that were asked for, as far as they fit.
fn part(
    path: &WorkPath,
    text: &str,
    total: usize,
    input: &Input,
) -> Result<Vec<String>, ToolError> {
    let first = input.offset.unwrap_or(1).max(1);
    if first > total {
        return Err(ToolError::reply(format!(
            "`{path}` has {total} lines: offset {first} is past its end"
        )));
    }
    let limit = input.limit.unwrap_or(LINES).max(1);
    let mut room = SHOWN_BYTES;
    let mut shown = Vec::new();
    for (number, line) in (1..).zip(text.lines()).skip(first - 1).take(limit) {
        let line = numbered(number, line);
        if line.len() > room {
            break;
        }
        room -= line.len();
        shown.push(line);
    }
    let last = first - 1 + shown.len();
    if last < total {
        let next = last + 1;
        shown.push(format!("[lines {first} to {last} of {total}; go on with offset {next}]"));
    }
    Ok(shown)
}

/// Returns a line in the way of `cat -n`.
fn numbered(number: usize, line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        None => format!("{number:6}\t{line}"),
        Some((cut, _)) => {
            let more = line[cut..].chars().count();
            format!("{number:6}\t{}[… {more} characters more]", &line[..cut])
        }
    }
}
