//! Where a model is: its name, its server, and the words that messages use for both.

use std::borrow::Cow;
use std::fmt;

/// A server to ask for a model. Does not show its key when formatted.
#[derive(Clone)]
pub struct Address {
    /// The model as people name it, such as `openai/gpt-5`.
    pub name: String,
    /// The URL of the server.
    pub base: String,
    /// The variable or setting that `base` came from.
    pub base_variable: Cow<'static, str>,
    /// The key, where there is one.
    pub key: Option<String>,
    /// The variable that the key came from.
    pub key_variable: Cow<'static, str>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("name", &self.name)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}
