//! The stand-in as a process of its own, so that what it takes is counted to nobody.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use clap::Parser;

use crate::cost::Cost;
use crate::standin;

/// The argument that makes this program the stand-in.
pub const STANDIN_ARG: &str = "__standin";

/// The stand-in as a process of its own.
pub struct Standin {
    process: Child,
    url: String,
}

impl Standin {
    /// Starts it.
    pub fn start(latency_ms: &str) -> Self {
        let own = std::env::current_exe().expect("our own path");
        let mut process = Command::new(own)
            .args([STANDIN_ARG, "--latency-ms", latency_ms])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut url).expect("its address");
        Self { process, url: url.trim().to_owned() }
    }

    /// Returns its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs `work` and adds what it cost the stand-in.
    pub fn beside(&self, work: impl FnOnce() -> Cost) -> Cost {
        let before = self.cpu();
        let cost = work();
        Cost { standin: self.cpu() - before, ..cost }
    }

    /// Ends it; it must have had nothing to complain about.
    pub fn end(mut self) {
        drop(self.process.stdin.take());
        let mut said = String::new();
        let mut stderr = self.process.stderr.take().expect("its complaints");
        stderr.read_to_string(&mut said).expect("its complaints");
        assert!(self.process.wait().expect("its end").success() && said.is_empty(), "{said}");
    }

    /// Returns the seconds of CPU it has taken; the kernel counts them in hundredths.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: f64 =
            fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        ticks / 100.0
    }
}

/// Is the stand-in: prints its address and serves until its standard input closes.
#[expect(clippy::print_stdout, reason = "the address is what its parent waits for")]
pub fn standin_main() {
    let args = std::env::args().filter(|arg| arg != STANDIN_ARG);
    let options = standin::Options::parse_from(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let handle = standin::serve(options).await.expect("the stand-in serves");
        println!("{}", handle.base_url);
        let (closed, parent) = tokio::sync::oneshot::channel();
        // A thread of its own: a blocking read on the runtime would keep the program from ending.
        std::thread::spawn(move || {
            let read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = closed.send(read);
        });
        let _ = parent.await;
    });
}
