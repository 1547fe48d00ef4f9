//! Edit: one passage of a file for another.
//!
//! Works on bytes, so whatever else a file holds stays as it is: invalid UTF-8, line ends, a missing
//! final newline. Only CRLF is seen as LF, as the model was shown it.

use std::ops::Range;

use futures_util::future::BoxFuture;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::line_ends::{Unix, with_crlf};
use super::{Context, Tool, ToolError, ToolOutput, blocking, file, input};
use crate::workspace::{Denied, WorkPath};

/// The tool Edit.
pub struct Edit;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    file_path: String,
    old_string: String,
    new_string: String,
    replace_all: Option<bool>,
}

impl Tool for Edit {
    fn name(&self) -> &'static str {
        "Edit"
    }

    fn description(&self) -> &'static str {
        "Replaces text in a file that was read before. `old_string` must be exactly the file's text, \
         indentation included and line numbers not, and occur once: give more of the surrounding \
         lines, or set `replace_all`."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "file_path": { "type": "string" },
                "old_string": { "type": "string" },
                "new_string": { "type": "string" },
                "replace_all": { "type": "boolean", "description": "default false" },
            },
            "required": ["file_path", "old_string", "new_string"],
            "additionalProperties": false,
        })
    }

    fn read_only(&self) -> bool {
        false
    }

    fn summary(&self, input: &Value) -> String {
        input::text(input, "file_path")
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            let input: Input = input::parse(self.name(), input)?;
            let (workspace, seen) = (context.workspace.clone(), context.seen.clone());
            blocking::to_end(move || {
                let path = workspace.path(&input.file_path)?;
                if let Err(Denied::NotFound(_)) = workspace.metadata(&path) {
                    return Err(file::missing(&*workspace, &path));
                }
                let bytes = file::load(&*workspace, &path)?;
                seen.require(&path, &bytes)?;
                let edited = edited(&path, &bytes, &input)?;
                workspace.write(&path, &edited.bytes)?;
                seen.note(&path, &edited.bytes);
                let (count, lines) = (edited.lines.len(), listed(&edited.lines));
                let places = if count == 1 { "passage" } else { "passages" };
                Ok(format!("replaced {count} {places} in `{path}` ({lines})").into())
            })
            .await
        })
    }
}

/// A file with passages replaced, and the lines where they began.
struct Edited {
    bytes: Vec<u8>,
    lines: Vec<usize>,
}

fn edited(path: &WorkPath, bytes: &[u8], input: &Input) -> Result<Edited, ToolError> {
    let old = Unix::new(input.old_string.as_bytes()).bytes;
    let new = Unix::new(input.new_string.as_bytes()).bytes;
    if old.is_empty() {
        return Err(ToolError::reply(
            "old_string is empty: give the text to replace, or use Write for a whole file",
        ));
    }
    if old == new {
        return Err(ToolError::reply("old_string and new_string are the same"));
    }
    let file = Unix::new(bytes);
    let places = passages(path, &file, &old, input.replace_all.unwrap_or(false))?;
    let mut edited = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for place in &places {
        edited.extend(&bytes[done..file.original(place.start)]);
        if file.is_crlf(place.start, place.end) {
            edited.extend(with_crlf(&new));
        } else {
            edited.extend(&new);
        }
        done = file.original(place.end);
    }
    edited.extend(&bytes[done..]);
    Ok(Edited { bytes: edited, lines: lines(&file, &places) })
}

/// Finds where `old` stands in `file`: once, unless it may be everywhere.
fn passages(
    path: &WorkPath,
    file: &Unix,
    old: &[u8],
    replace_all: bool,
) -> Result<Vec<Range<usize>>, ToolError> {
    let finder = memmem::Finder::new(old);
    let places: Vec<_> =
        finder.find_iter(&file.bytes).map(|start| start..start + old.len()).collect();
    let Some(first) = places.first() else {
        return Err(ToolError::reply(format!(
            "old_string is not in `{path}`{}",
            hint(&file.bytes, old)
        )));
    };
    // Passages that overlap are several too, though only one of them is found.
    let once = memmem::rfind(&file.bytes, old) == Some(first.start);
    if !once && !replace_all {
        let count = places.len().max(2);
        return Err(ToolError::reply(format!(
            "old_string occurs {count} times in `{path}` ({}): give more of the surrounding lines, \
             or set replace_all",
            listed(&lines(file, &places))
        )));
    }
    Ok(places)
}

/// Returns the numbers of the lines in which `places` begin.
fn lines(file: &Unix, places: &[Range<usize>]) -> Vec<usize> {
    let mut line = 1;
    let mut done = 0;
    let number = |place: &Range<usize>| {
        line += memchr::memchr_iter(b'\n', &file.bytes[done..place.start]).count();
        done = place.start;
        line
    };
    places.iter().map(number).collect()
}

/// Returns `line 3` or `lines 3, 17, …`.
fn listed(lines: &[usize]) -> String {
    let shown: Vec<_> = lines.iter().take(10).map(ToString::to_string).collect();
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let more = if lines.len() > shown.len() { ", …" } else { "" };
    format!("{word} {}{more}", shown.join(", "))
}

/// Says why `old` may not be found, where that is cheap to see.
fn hint(file: &[u8], old: &[u8]) -> String {
    let Some(first) =
        old.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())
    else {
        return String::new();
    };
    if let Some(tab) = memchr::memchr(b'\t', first)
        && tab > 0
        && first[..tab].iter().all(u8::is_ascii_digit)
    {
        return ": it must be given without the line numbers that Read shows".to_owned();
    }
    let alike = file.split(|byte| *byte == b'\n').position(|line| line.trim_ascii() == first);
    match alike {
        Some(line) => {
            format!(
                ": line {} begins like it, so look at the white space and what follows",
                line + 1
            )
        }
        None => String::new(),
    }
}
