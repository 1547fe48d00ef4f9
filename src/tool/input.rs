//! The input of a call, as the tool's own type.
//!
//! Models misspell names and mix up types; what they wrote is never guessed at but answered with the
//! field that is wrong and those that there are.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ToolError;

/// Reads the input of a call to `tool`.
pub(super) fn parse<T: DeserializeOwned>(tool: &str, input: Value) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(input)
        .map_err(|error| ToolError::reply(format!("the input of {tool} is not valid: {error}")))
}

/// Returns the text of a field, for people.
pub(super) fn text(input: &Value, field: &str) -> String {
    input[field].as_str().unwrap_or_default().to_owned()
}
