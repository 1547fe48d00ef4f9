//! What a stand-in can be told.

use std::path::PathBuf;
use std::time::Duration;

use super::fault::Shares;

/// Which keys are good.
#[derive(Clone, Debug, Default)]
pub enum Key {
    /// Any, but there must be one.
    #[default]
    Any,
    /// This one alone.
    Exactly(String),
    /// None is asked for.
    None,
}

/// The settings of a server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The time before each answer begins.
    pub latency: Duration,
    /// Faults that hit a share of all requests, the same ones for the same seed.
    pub faults: Shares,
    pub seed: u64,
    /// Where each request is written, a JSON object a line.
    pub log: Option<PathBuf>,
    /// Speak Chat Completions as servers that are merely compatible do.
    pub quirks: bool,
    pub key: Key,
    /// Tools and system may change within a conversation.
    pub free_prefix: bool,
}
