//! A function of the script, as an agent calls it from its own thread.

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::error::Result;

/// Something that takes and returns values and may fail with what the script raised.
pub trait Function: Send + Sync {
    /// Calls it. Dropping the future gives the call up.
    fn call(&self, args: Vec<Value>) -> BoxFuture<'_, Result<Vec<Value>>>;

    /// Returns the hash of its code.
    fn code(&self) -> &str;
}

/// What a function of the script is to the agent that calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A tool.
    Tool,
    /// What a model written in Lua says.
    Model,
    /// A hook.
    Hook,
    /// It allows calls of tools.
    Permission,
    /// It hears events.
    Listener,
    /// It looks at what the agent has done.
    Verifier,
}

impl Role {
    /// How many there are.
    pub(super) const COUNT: usize = 6;

    const ALL: [Self; Self::COUNT] =
        [Self::Tool, Self::Model, Self::Hook, Self::Permission, Self::Listener, Self::Verifier];

    /// Returns its word in call paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Model => "model",
            Self::Hook => "hook",
            Self::Permission => "can_use_tool",
            Self::Listener => "on_event",
            Self::Verifier => "verify",
        }
    }

    /// Reports whether what is at a call path was asked for by such a function. Runs of before roles
    /// were told apart say `callback`.
    pub fn has_asked(path: &str) -> bool {
        let mut words = Self::ALL.iter().map(|role| role.word()).chain(["callback"]);
        words.any(|word| path.contains(&format!("/{word}#")))
    }
}
