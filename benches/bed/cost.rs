//! What a command takes: wall time, CPU and memory of it and of all that it started and waited for.
//!
//! The bench starts itself as a thin parent of each command, because the system tells what children
//! took only as one sum per parent.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The argument that makes this program the parent of the command that follows.
pub const ARG: &str = "__cost";

const REPORT: &str = "BENCH_COST_FILE";

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of CPU, user and system, with all children.
    pub cpu: f64,
    /// The peak resident memory of the largest process, in MiB.
    pub peak: f64,
    /// Seconds of CPU that the stand-in took meanwhile.
    pub standin: f64,
}

/// Runs `command` to its end, which must be a good one, and returns what it took and printed.
pub fn of(command: &Command) -> (Cost, String) {
    let report = std::env::temp_dir().join(format!("agentlua-bench-{}", std::process::id()));
    let own = std::env::current_exe().expect("our own path");
    let mut parent = Command::new(own);
    parent.arg(ARG).arg(command.get_program()).args(command.get_args()).env_clear();
    parent.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    parent.env(REPORT, &report).stdin(Stdio::null()).stderr(Stdio::inherit());
    if let Some(dir) = command.get_current_dir() {
        parent.current_dir(dir);
    }
    let output = parent.output().expect("the bench can start itself");
    assert!(output.status.success(), "failed: {command:?}");
    let text = std::fs::read_to_string(&report).expect("a report");
    std::fs::remove_file(&report).expect("a report to remove");
    let numbers: Vec<f64> = text.split(' ').map(|word| word.parse().expect("a number")).collect();
    let cost = Cost { wall: numbers[0], cpu: numbers[1], peak: numbers[2], standin: 0.0 };
    (cost, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Is the parent.
pub fn main(args: impl Iterator<Item = String>) {
    let words: Vec<String> = args.collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_remove(REPORT);
    let start = Instant::now();
    let status = command.status().expect("the command starts");
    let wall = start.elapsed().as_secs_f64();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    let cpu = used.user_time() + used.system_time();
    let seconds = cpu.num_microseconds() as f64 / 1e6;
    let mut text = String::new();
    let peak = used.max_rss() as f64 / 1024.0;
    let _ = write!(text, "{wall} {seconds} {peak}");
    std::fs::write(std::env::var(REPORT).expect("where to report"), text).expect("a report");
    assert!(status.success(), "{status}");
}
