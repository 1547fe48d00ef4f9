//! What a stand-in can be told, in Rust or on its command line.

use std::num::ParseIntError;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::fault::Shares;

/// A strict stand-in for language models.
#[derive(Clone, Debug, Default, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Milliseconds before each answer.
    #[arg(long = "latency-ms", value_name = "MS", default_value = "0", value_parser = millis)]
    pub latency: Duration,
    /// Shares of requests that go wrong: `429:0.10,529:0.05,cut_text:0.05`.
    #[arg(long = "fault", value_name = "KIND:SHARE,…", default_value = "", value_parser = Shares::parse)]
    pub faults: Shares,
    /// Which requests these faults hit: the same ones for the same seed.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write each request to this file, a JSON object a line.
    #[arg(long)]
    pub log: Option<PathBuf>,
    /// Speak Chat Completions as servers that are merely compatible do.
    #[arg(long)]
    pub quirks: bool,
    /// Take this key alone; else any, but there must be one.
    #[arg(long, conflicts_with = "no_key")]
    pub key: Option<String>,
    /// Ask for no key.
    #[arg(long)]
    pub no_key: bool,
    /// Refuse requests of more tokens than this, at four bytes each.
    #[arg(long, value_name = "TOKENS")]
    pub window: Option<usize>,
    /// Let tools and system change within a conversation.
    #[arg(long)]
    pub free_prefix: bool,
    /// Take arguments back in other white space, as a bridge between two wire formats sends them.
    #[arg(long)]
    pub respelled: bool,
}

fn millis(text: &str) -> Result<Duration, ParseIntError> {
    text.parse().map(Duration::from_millis)
}
