//! The stand-in as a program: `cargo run --example standin -- --port 0`.
//!
//! Prints `listening on http://127.0.0.1:PORT` and serves until its standard input closes, so that it
//! ends with whoever started it; what was violated is then on standard error.

#![expect(clippy::print_stdout, reason = "the address is what its parent waits for")]

#[path = "mod.rs"]
mod standin;

use std::io::{self, Write};

use clap::Parser;
use standin::{Options, serve};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let handle = serve(Options::parse()).await?;
    println!("listening on {}", handle.base_url);
    io::stdout().flush()?;
    let (closed, parent) = tokio::sync::oneshot::channel();
    // A thread of its own: a blocking read on the runtime would keep the program from ending.
    std::thread::spawn(move || {
        let read = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // The receiver is gone only when the program ends anyway.
        let _ = closed.send(read);
    });
    parent.await.map_or(Ok(()), |read| read.map(drop))
}
