//! Cassettes: what agents asked their models and were answered, kept in a file, and played from it.
//!
//! It is recorded above the wire, so that a file holds no provider's bytes, no headers and no keys, and
//! plays for any model, those written in Lua among them. An answer is known by the place of its call
//! in the script, the turn, and which answer of that turn it is; so neither the order nor the pace of
//! parallel agents matters. What differs between two runs of the same script (ids, folders, dates) is
//! put aside before questions are compared.
//!
//! | file | has |
//! |---|---|
//! | `line` | the lines of the file |
//! | `mask` | what must not be kept, and what is another thing in every run |
//! | `normal` | what is left out of comparisons |
//! | `question` | what a request asks, compared with what was asked |
//! | `difference` | how two texts differ, for people |
//! | `record` | writing |
//! | `play`, `tape` | reading: the model, and the file |
//!
//! It opens no connection, knows nothing of agents or git, and reads no environment.

mod difference;
mod line;
mod mask;
mod normal;
mod play;
mod question;
mod record;
mod tape;

use serde_json::Value;

pub use mask::{Mask, Places};
pub use play::Player;
pub use record::Recorder;
pub use tape::require_room;

/// The wire format of replies that were played.
pub(super) const WIRE: &str = "cassette";

/// What stands before the output of a command, where an agent is told of it in a text of its own: what
/// follows is the result of a tool as far as comparisons go.
pub const OUTPUT: &str = "What it said:\n";

/// What is known of a model that was asked.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// What it can do.
    pub capabilities: super::capability::Capabilities,
    /// What it costs, where that is known.
    pub price: Option<super::price::Price>,
}

/// Returns how many bytes a played reply was, as its provider got it back.
pub(super) fn weight(wire: &Value) -> usize {
    let bytes = wire.get("bytes").and_then(Value::as_u64).unwrap_or_default();
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
