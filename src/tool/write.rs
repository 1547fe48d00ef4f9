//! Write: a whole file.

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::line_ends::{Unix, with_crlf};
use super::{Context, Tool, ToolOutput, blocking, file, input};

/// The tool Write.
pub struct Write;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    file_path: String,
    content: String,
}

impl Tool for Write {
    fn name(&self) -> &'static str {
        "Write"
    }

    fn description(&self) -> &'static str {
        "Creates a file, with its directories, or replaces one whole. A file that exists must have \
         been read first; to change parts of it use Edit."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "file_path": { "type": "string" },
                "content": { "type": "string" },
            },
            "required": ["file_path", "content"],
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
                let old = file::load_existing(&*workspace, &path)?;
                let mut new = input.content.into_bytes();
                if let Some(old) = &old {
                    seen.require(&path, old)?;
                    // The model was shown LF, so LF does not mean that it wants the ends changed.
                    if !new.contains(&b'\r') && Unix::new(old).is_all_crlf() {
                        new = with_crlf(&new);
                    }
                }
                workspace.write(&path, &new)?;
                seen.note(&path, &new);
                let verb = if old.is_some() { "replaced" } else { "created" };
                Ok(format!("{verb} `{path}` ({} bytes)", new.len()).into())
            })
            .await
        })
    }
}
