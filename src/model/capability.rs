//! What models can do, by name; a model that nobody knows is sent only what every model takes.

/// What a model can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Capabilities {
    /// Tokens of a conversation, in and out; unknown when absent.
    pub context_window: Option<u64>,
    /// Tokens of a reply; unknown when absent.
    pub max_output: Option<u32>,
    /// Whether it sees pictures.
    pub images: bool,
    /// Whether it reads PDF.
    pub documents: bool,
    /// Whether its final text can be held to a JSON Schema.
    pub native_format: bool,
    /// Whether it can be made to call a tool.
    pub forced_tool: bool,
    /// Whether it can be told how hard to think.
    pub effort: bool,
}
