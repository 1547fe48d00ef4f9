//! What a hook returns: the Agent SDK's output, in snake or camel case, or a short form of it.

use serde_json::{Map, Value};

use super::hook::Point;
use crate::error::{Error, Kind, Result};
use crate::suggest::{nearest, snake_case};

/// The fields of an output.
const FIELDS: [&str; 14] = [
    "continue",
    "stop_reason",
    "decision",
    "reason",
    "system_message",
    "suppress_output",
    "hook_specific_output",
    "hook_event_name",
    "permission_decision",
    "permission_decision_reason",
    "updated_input",
    "additional_context",
    "updated_tool_output",
    "updated_mcptool_output",
];

/// What a hook says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It may run, unless a rule forbids it.
    Allow,
    /// It may not.
    Deny,
    /// Who decides is asked, also where a rule lets it run.
    Ask,
}

/// What a hook says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Output {
    /// The agent ends, for this reason.
    pub(super) ends: Option<String>,
    /// The step is refused, for this reason.
    pub(super) blocks: Option<String>,
    pub(super) decision: Option<Decision>,
    pub(super) input: Option<Value>,
    /// What the model is told beside.
    pub(super) context: Vec<String>,
    /// What the model is told in place of the result.
    pub(super) result: Option<String>,
    /// What people are told.
    pub(super) message: Option<String>,
}

impl Output {
    /// Reads what a hook returned.
    ///
    /// # Errors
    /// Tool, when it means nothing here.
    pub(super) fn read(point: Point, returned: &[Value]) -> Result<Self> {
        let mut output = Self::default();
        match returned {
            [] | [Value::Null | Value::Bool(true), ..] => {}
            [Value::Bool(false), why @ ..] => {
                let why = match why.first() {
                    None | Some(Value::Null) => "it is not wanted",
                    Some(Value::String(why)) => why,
                    Some(_) => return Err(wrong(point, "`false` with a reason that is no string")),
                };
                output.blocks = Some(why.to_owned());
            }
            [Value::String(text), ..] => output.context.push(text.clone()),
            [Value::Object(fields), ..] => output.fill(point, fields)?,
            [Value::Array(list), ..] if list.is_empty() => {}
            [other, ..] => return Err(wrong(point, &format!("`{other}`"))),
        }
        if point == Point::PreToolUse && output.blocks.is_some() {
            output.decision = Some(Decision::Deny);
        }
        Ok(output)
    }

    fn fill(&mut self, point: Point, given: &Map<String, Value>) -> Result<()> {
        let mut fields = Map::new();
        flatten(point, given, &mut fields)?;
        let text = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(point, &format!("`{name}` that is no string"))),
        };
        if fields.get("continue") == Some(&Value::Bool(false)) {
            self.ends = Some(text("stop_reason")?.or(text("reason")?).unwrap_or_default());
        }
        match text("decision")?.as_deref() {
            Some("block" | "deny") => {
                self.blocks =
                    Some(text("reason")?.unwrap_or_else(|| "it is not wanted".to_owned()));
            }
            Some("approve" | "allow") if point == Point::PreToolUse => {
                self.decision = Some(Decision::Allow);
            }
            None | Some("approve" | "allow") => {}
            Some(other) => return Err(wrong(point, &format!("the decision `{other}`"))),
        }
        match text("permission_decision")?.as_deref() {
            None => {}
            Some("allow") => self.decision = Some(Decision::Allow),
            Some("deny") => {
                let why = text("permission_decision_reason")?.or(text("reason")?);
                self.blocks = Some(why.unwrap_or_else(|| "it is not wanted".to_owned()));
            }
            // Nobody can be asked later: who decides is asked now.
            Some("ask" | "defer") => self.decision = Some(Decision::Ask),
            Some(other) => return Err(wrong(point, &format!("the permission_decision `{other}`"))),
        }
        self.input = match fields.get("updated_input") {
            None | Some(Value::Null) => None,
            Some(input @ Value::Object(_)) => Some(input.clone()),
            Some(_) => return Err(wrong(point, "`updated_input` that is no table")),
        };
        self.context.extend(text("additional_context")?);
        self.message = text("system_message")?;
        self.result = match fields
            .get("updated_tool_output")
            .or_else(|| fields.get("updated_mcptool_output"))
        {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        Ok(())
    }
}

/// Puts the fields of the inner table beside those of the outer one, by our names.
fn flatten(
    point: Point,
    given: &Map<String, Value>,
    fields: &mut Map<String, Value>,
) -> Result<()> {
    for (written, value) in given {
        let name = snake_case(written);
        let name = if written == "updatedMCPToolOutput" { "updated_mcptool_output" } else { &name };
        if !FIELDS.contains(&name) {
            let near = nearest(name, FIELDS).map(|near| format!("did you mean `{near}`?"));
            let error = wrong(point, &format!("the unknown field `{written}`"));
            return Err(match near {
                Some(near) => error.hint(near),
                None => error,
            });
        }
        match (name, value) {
            ("hook_specific_output", Value::Object(inner)) => flatten(point, inner, fields)?,
            _ => drop(fields.insert(name.to_owned(), value.clone())),
        }
    }
    Ok(())
}

fn wrong(point: Point, what: &str) -> Error {
    Error::new(Kind::Tool, format!("the hook `{}` returned {what}", point.option()))
}
