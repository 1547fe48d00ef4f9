//! The stand-in as a program: `cargo run --example standin -- --port 0`.
//!
//! Prints `listening on http://127.0.0.1:PORT` and serves until its standard input closes, so that it
//! ends with whoever started it; says on standard error what was violated.

#![expect(clippy::print_stdout, reason = "the address is what its parent waits for")]

#[path = "mod.rs"]
mod standin;

#[cfg(test)]
mod client;
#[cfg(test)]
mod faults_test;
#[cfg(test)]
mod scenario_test;
#[cfg(test)]
mod strictness_test;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use standin::{Key, Options, Shares, serve};

/// A strict stand-in for language models.
#[derive(Parser)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Milliseconds before each answer.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Shares of requests that go wrong: `429:0.10,529:0.05,cut_text:0.05`.
    #[arg(long, default_value = "", value_parser = Shares::parse)]
    fault: Shares,
    /// Which requests the faults hit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write each request to this file, a JSON object a line.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Speak Chat Completions as servers that are merely compatible do.
    #[arg(long)]
    quirks: bool,
    /// Take this key alone.
    #[arg(long, conflicts_with = "no_key")]
    key: Option<String>,
    /// Ask for no key.
    #[arg(long)]
    no_key: bool,
    /// Let tools and system change within a conversation.
    #[arg(long)]
    free_prefix: bool,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        let key = match arguments.key {
            Some(key) => Key::Exactly(key),
            None if arguments.no_key => Key::None,
            None => Key::Any,
        };
        Self {
            port: arguments.port,
            latency: Duration::from_millis(arguments.latency_ms),
            faults: arguments.fault,
            seed: arguments.seed,
            log: arguments.log,
            quirks: arguments.quirks,
            key,
            free_prefix: arguments.free_prefix,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let handle = serve(Arguments::parse().into()).await?;
    println!("listening on {}", handle.base_url);
    io::stdout().flush()?;
    let (closed, parent) = tokio::sync::oneshot::channel();
    // A thread of its own: a blocking read on the runtime would keep the program from ending.
    std::thread::spawn(move || {
        let read = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        // The receiver is gone only when the program ends anyway.
        let _ = closed.send(read);
    });
    if let Ok(read) = parent.await {
        read?;
    }
    let report = handle.report();
    if report["violation_count"] != 0 || report["failed_scenarios"] != serde_json::json!([]) {
        writeln!(io::stderr(), "{report:#}")?;
    }
    Ok(())
}
