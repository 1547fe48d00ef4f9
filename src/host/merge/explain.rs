//! The tool with which an agent that resolves a conflict says why a side's lines are gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::tool::{Context, Tool, ToolError, ToolOutput};

/// The name of the tool.
pub(super) const NAME: &str = "explain_dropped";

/// The longest reason that is kept, in bytes.
const LONGEST: usize = 2_000;

/// What agents have explained, by path.
#[derive(Clone, Default)]
pub(in crate::host) struct Explained(Arc<Mutex<BTreeMap<String, String>>>);

impl Explained {
    /// Returns the reasons so far.
    pub fn reasons(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tool for Explained {
    fn name(&self) -> &'static str {
        NAME
    }

    fn description(&self) -> &'static str {
        "Says why lines that a side of the merge had added to a file are not in the result, where leaving \
         them out is right: replaced by something that does the same, say. Call it once for each such file. \
         Without it a merge that lost lines is refused."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "path": { "type": "string", "description": "The file, relative to the repository." },
                "reason": { "type": "string", "description": "Why its lines are not needed." },
            },
            "required": ["path", "reason"],
            "additionalProperties": false,
        })
    }

    fn read_only(&self) -> bool {
        false
    }

    fn summary(&self, input: &Value) -> String {
        input["path"].as_str().unwrap_or_default().to_owned()
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        async move {
            let text = |name: &str| {
                let text = input[name].as_str().map(str::trim).filter(|text| !text.is_empty());
                text.ok_or_else(|| {
                    ToolError::reply(format!("`{name}` is a string that says something"))
                })
            };
            let (path, reason) = (text("path")?, text("reason")?);
            let root = format!("{}/", context.workspace.root().display());
            let path = path.strip_prefix(&root).unwrap_or(path).trim_start_matches("./").to_owned();
            let reason = reason[..reason.floor_char_boundary(LONGEST)].to_owned();
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone(), reason);
            Ok(format!("noted for `{path}`").into())
        }
        .boxed()
    }
}
