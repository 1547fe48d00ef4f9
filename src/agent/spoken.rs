//! What was kept of a conversation, as somebody reads it who looks on: step by step, and as the messages
//! of the Agent SDK.

use serde_json::Value;

use super::prompt;
use super::said::{assistant, user};
use super::transcript::Entry;
use crate::error::{Kind, Result, ResultExt};
use crate::event::Event;
use crate::model::{Reply, ToolResult};

/// One step of a conversation.
#[derive(Clone, Debug)]
pub enum Spoken {
    /// It goes on from what was said by this agent.
    Past(String),
    /// What it begins with: perhaps something before the task, the task, what is around.
    Opening(Vec<String>),
    /// What the model of this name said.
    Reply(String, Box<Reply>),
    /// What answered it: results of its calls, and texts.
    Answer(Vec<ToolResult>, Vec<String>),
    /// What was said to the agent of somebody's own accord.
    Said(Vec<String>),
    /// What came before was summed up.
    SummedUp(String),
}

impl Spoken {
    /// Reads an entry of a transcript.
    ///
    /// # Errors
    /// Io, for one that a newer version wrote.
    pub fn read(entry: &str) -> Result<Self> {
        let entry: Entry<'_> = serde_json::from_str(entry)
            .or_kind(Kind::Io, || "an entry of the conversation cannot be read")?;
        Ok(entry.spoken())
    }

    /// Returns the task, if this is the beginning of a conversation.
    pub fn task(&self) -> Option<&str> {
        let Self::Opening(texts) = self else { return None };
        prompt::task_among(texts).or_else(|| texts.last().map(String::as_str))
    }

    /// Returns it as a message of the Agent SDK, as `stream-json` has it; nothing for what another event
    /// says.
    pub fn object(&self, agent: &str, session: &str) -> Option<Value> {
        let agent = agent.to_owned();
        let event = match self {
            Self::Past(_) | Self::SummedUp(_) => return None,
            Self::Opening(texts) | Self::Said(texts) => {
                Event::Answered { agent, message: user(&[], texts) }
            }
            Self::Reply(model, reply) => Event::Said { agent, message: assistant(model, reply) },
            Self::Answer(results, texts) => {
                Event::Answered { agent, message: user(results, texts) }
            }
        };
        event.object(Some(session))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_the_message_that_it_was() {
        let reply = r#"{"type":"reply","model":"m","text":"hm","calls":[{"id":"1","name":"Read","input":
            {"file_path":"a"}},{"id":"2","name":"Bash","broken":"{"}],"stop":"tool_use","usage":{
            "input_tokens":1,"output_tokens":2,"cache_read_input_tokens":0,
            "cache_creation_input_tokens":0},"wire_format":"openai","wire":null}"#;
        let object = Spoken::read(reply).unwrap().object("agent-1", "run-1/agent-1").unwrap();
        assert_eq!(object["type"], "assistant");
        assert_eq!(object["session_id"], "run-1/agent-1");
        let blocks = object["message"]["content"].as_array().unwrap();
        let kinds: Vec<_> = blocks.iter().map(|block| block["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["text", "tool_use", "tool_use"]);
        assert_eq!(blocks[2]["input"]["invalid"], "{");
        let opening = r#"{"type":"opening","texts":["rules","the task","<environment>\nx"]}"#;
        assert_eq!(Spoken::read(opening).unwrap().task(), Some("the task"));
        assert!(Spoken::read(r#"{"type":"hologram"}"#).is_err());
    }
}
