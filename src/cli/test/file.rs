//! One test file: run in a process of its own, and what its output says of its cases.
//!
//! Its standard output and error are one stream, in the order of writing. Lines that begin with the
//! mark, which is new in every call, are the file's own words about its cases (`lua/test.lua`) and, as
//! the last, about itself; what stands between the two marks of a case is what the case wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::api::test::{END_MARK, TOLD, Told};
use crate::process::{Ended, Finished, Invocation, Limits, Processes, What, secluded};

/// Output beyond this is lost, and with it what it says of cases.
const MAX_OUTPUT: usize = 64 << 20;

/// What became of a case or a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It ended without an error.
    #[default]
    Passed,
    /// It did not.
    Failed,
    /// It said that it cannot run here.
    Skipped,
    /// It was called off, or not begun after a failure.
    NotRun,
}

/// What ended a case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of the error, for one of ours.
    pub kind: Option<String>,
    /// What it says; more than one line for a difference.
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
    /// The line of the test that it belongs to, as `x_test.lua:12`.
    #[serde(default)]
    pub at: Option<String>,
    /// The items of combinators that it came through.
    #[serde(default)]
    pub items: Vec<String>,
    /// The functions that it came through.
    #[serde(default)]
    pub frames: Vec<String>,
}

impl Failure {
    fn new(message: impl Into<String>, at: Option<String>) -> Self {
        Self { message: message.into(), at, ..Self::default() }
    }
}

/// What became of a case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub at: Option<String>,
    /// How it ended.
    pub status: Status,
    /// How long it took.
    pub duration_ms: u64,
    /// Why it was skipped.
    pub reason: Option<String>,
    /// What ended it.
    pub error: Option<Failure>,
    /// What it wrote.
    pub output: String,
}

/// What became of a file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FileReport {
    /// Its path, as it was typed or found.
    pub path: String,
    /// How it ended: failed if one of its cases did, or the file apart from them.
    pub status: Status,
    /// How long it took.
    pub duration_ms: u64,
    /// Its cases, in order.
    pub cases: Vec<CaseReport>,
    /// How many cases the filter left out.
    pub left_out: usize,
    /// What ended the file apart from its cases.
    pub error: Option<Failure>,
    /// What it wrote outside of cases.
    pub output: String,
}

impl FileReport {
    /// Reports whether it, or one of its cases, has failed.
    pub fn has_failed(&self) -> bool {
        self.status == Status::Failed
    }
}

/// The words of a file about its cases, and the last ones, which every run has.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Word {
    Begin { name: String, at: Option<String> },
    End { status: Status, duration_ms: u64, reason: Option<String>, error: Option<Failure> },
    LeftOut,
    NotRun { name: String },
    Exit { code: i32, at: Option<String> },
    Run { status: String, exit_code: i32, error: Option<Fault> },
}

/// What ended a run, as its last line has it. The way to it is in the block, which is in the output.
#[derive(Deserialize)]
struct Fault {
    kind: Option<String>,
    message: String,
    hint: Option<String>,
    at: Option<String>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let Fault { kind, message, hint, at } = fault;
        Self { kind, hint, ..Self::new(message, at) }
    }
}

/// What all files are run with.
pub struct Worker {
    /// Starts them.
    pub processes: Processes,
    /// Our own binary.
    pub program: PathBuf,
    /// The variables of this process.
    pub environment: BTreeMap<String, String>,
    /// What marks a file's words.
    pub mark: String,
    /// Only cases whose name has this in it run.
    pub filter: Option<String>,
    /// Whether a file's first failure is its last.
    pub fail_fast: bool,
    /// The time that each file has.
    pub timeout: Duration,
    /// Calls all of them off.
    pub cancel: CancellationToken,
}

impl Worker {
    /// Runs a file; `folder` is its own, for what it makes.
    pub async fn run(&self, file: &Path, folder: &Path) -> FileReport {
        let path = file.display().to_string();
        if self.cancel.is_cancelled() {
            return FileReport { path, status: Status::NotRun, ..FileReport::default() };
        }
        let ended = match self.invocation(&path, folder) {
            Ok(invocation) => {
                let timeout = self.timeout;
                let limits =
                    Limits { timeout, head: MAX_OUTPUT, tail: 0, spill: None, spill_max: 0 };
                self.processes.run(invocation, limits, &self.cancel).await
            }
            Err(fault) => Err(fault),
        };
        match ended {
            Ok(finished) => self.report(path, &finished),
            Err(fault) => {
                let why = format!("it cannot be started: {fault}");
                let error = Some(Failure::new(why, None));
                FileReport { path, status: Status::Failed, error, ..FileReport::default() }
            }
        }
    }

    fn invocation(&self, path: &str, folder: &Path) -> std::io::Result<Invocation> {
        let mut env = secluded(&self.environment, folder)?;
        let told = Told {
            mark: self.mark.clone(),
            folder: folder.to_owned(),
            filter: self.filter.clone(),
            fail_fast: self.fail_fast,
        };
        env.insert(TOLD.to_owned(), serde_json::to_string(&told)?);
        env.insert(END_MARK.to_owned(), self.mark.clone());
        // A name that begins with a dash is no flag.
        let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
        let what = What::Program(self.program.display().to_string(), vec!["run".to_owned(), path]);
        let cwd = std::env::current_dir()?;
        Ok(Invocation { what, cwd, env, stdin: Vec::new(), merge_stderr: true })
    }

    /// Reads the output of a file that has ended.
    fn report(&self, path: String, finished: &Finished) -> FileReport {
        let mut reading = Reading { path, ..Reading::default() };
        let bytes = finished.stdout.clone().into_bytes();
        reading.output(&bytes, &self.mark);
        reading.finish(finished, self.timeout)
    }
}

/// A file's output as it is read.
#[derive(Default)]
struct Reading {
    path: String,
    cases: Vec<CaseReport>,
    /// Whether the last case has not ended.
    open: bool,
    left_out: usize,
    output: String,
    exit: Option<(i32, Option<String>)>,
    last: Option<(String, i32, Option<Failure>)>,
}

impl Reading {
    /// Reads output: text, and words that run from a mark to the end of the line.
    fn output(&mut self, mut bytes: &[u8], mark: &str) {
        while let Some(start) = memchr::memmem::find(bytes, mark.as_bytes()) {
            self.text(&bytes[..start]);
            let rest = &bytes[start + mark.len()..];
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            if let Ok(word) = serde_json::from_slice(&rest[..end]) {
                self.word(word);
            }
            bytes = rest.get(end + 1..).unwrap_or_default();
        }
        self.text(bytes);
    }

    fn text(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        match self.cases.last_mut() {
            Some(case) if self.open => case.output.push_str(&text),
            _ => self.output.push_str(&text),
        }
    }

    fn word(&mut self, word: Word) {
        match word {
            Word::Begin { name, at } => {
                self.open = true;
                self.cases.push(CaseReport { name, at, ..CaseReport::default() });
            }
            Word::End { status, duration_ms, reason, error } => {
                if let Some(case) = self.cases.last_mut().filter(|_| self.open) {
                    *case = CaseReport { status, duration_ms, reason, error, ..case.clone() };
                }
                self.open = false;
            }
            Word::LeftOut => self.left_out += 1,
            Word::NotRun { name } => {
                let status = Status::NotRun;
                self.cases.push(CaseReport { name, status, ..CaseReport::default() });
            }
            Word::Exit { code, at } => self.exit = Some((code, at)),
            Word::Run { status, exit_code, error } => {
                self.last = Some((status, exit_code, error.map(Failure::from)));
            }
        }
    }

    /// Judges the file by how its process ended.
    fn finish(mut self, finished: &Finished, timeout: Duration) -> FileReport {
        let duration_ms = u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX);
        let called_off = finished.ended == Ended::Cancelled;
        let mut error = if called_off { None } else { self.complaint(finished, timeout) };
        if self.open {
            let before: u64 = self.cases.iter().map(|case| case.duration_ms).sum();
            if let Some(case) = self.cases.last_mut() {
                // What ended the file ended it in this case.
                case.status = if called_off { Status::NotRun } else { Status::Failed };
                case.duration_ms = duration_ms.saturating_sub(before);
                case.error = error.take().map(|mut error| {
                    error.at = error.at.or_else(|| case.at.clone());
                    error
                });
            }
        }
        let any = |status| self.cases.iter().any(|case| case.status == status);
        let status = match &error {
            _ if error.is_some() || any(Status::Failed) => Status::Failed,
            _ if called_off || any(Status::NotRun) => Status::NotRun,
            _ if !self.cases.is_empty() && !any(Status::Passed) => Status::Skipped,
            _ => Status::Passed,
        };
        let Self { path, cases, left_out, output, .. } = self;
        FileReport { path, status, duration_ms, cases, left_out, error, output }
    }

    /// Returns what is wrong apart from the cases that have said so themselves.
    fn complaint(&mut self, finished: &Finished, timeout: Duration) -> Option<Failure> {
        if let (Ended::TimedOut, Some(why)) = (finished.ended, finished.failure(timeout)) {
            return Some(Failure::new(format!("it {why} (see `--timeout`)"), None));
        }
        if finished.stdout.omitted() > 0 {
            let why = format!("it wrote more than {} MiB", MAX_OUTPUT >> 20);
            return Some(Failure::new(why, None));
        }
        if let Some((code, at)) = self.exit.take().filter(|(code, _)| self.open || *code != 0) {
            return Some(Failure::new(format!("it called `os.exit({code})`"), at));
        }
        let Some((status, code, error)) = self.last.take() else {
            let why = finished.failure(timeout).unwrap_or("ended too soon".to_owned());
            return Some(Failure::new(format!("it {why}"), None));
        };
        // Agents that failed in a case are the case's business: it has looked at them.
        let ended_in_order = code == 0 || (status == "degraded" && !self.cases.is_empty());
        match error {
            Some(error) => Some(error),
            None if ended_in_order && !self.open => None,
            None => Some(Failure::new(format!("it ended with exit code {code}"), None)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const MARK: &str = "\u{1e}0 ";

    fn read(output: &str, ended: Ended, code: Option<i32>) -> FileReport {
        let mut reading = Reading { path: "x_test.lua".to_owned(), ..Reading::default() };
        reading.output(output.replace('$', MARK).as_bytes(), MARK);
        let captured = crate::process::Captured::default();
        let finished = Finished {
            ended,
            code,
            signal: code.is_none().then_some(9),
            stdout: captured.clone(),
            stderr: captured,
            duration: Duration::from_secs(3),
        };
        reading.finish(&finished, Duration::from_secs(3))
    }

    const ONE: &str = "before\n$\
        {\"type\":\"begin\",\"name\":\"one\",\"at\":\"x_test.lua:3\"}\nin$\
        {\"type\":\"end\",\"status\":\"passed\",\"duration_ms\":5}\nafter\n";
    const TWO: &str = "$\
        {\"type\":\"begin\",\"name\":\"two\",\"at\":\"x_test.lua:9\"}\nstuck\n";
    const LAST: &str = "${\"type\":\"run\",\"status\":\"completed\",\"exit_code\":0}\n";

    #[test]
    fn what_a_case_wrote_stands_between_its_marks() {
        let report = read(&[ONE, LAST].concat(), Ended::Exited, Some(0));
        assert_eq!(report.status, Status::Passed);
        assert_eq!((&*report.output, &*report.cases[0].output), ("before\nafter\n", "in"));
        assert_eq!(report.cases[0].duration_ms, 5);
    }

    #[test]
    fn a_case_that_ends_with_its_process_is_named() {
        for (ended, code, message) in [
            (Ended::TimedOut, None, "it was not done after 3 s (see `--timeout`)"),
            (Ended::Exited, None, "it was ended by signal 9"),
        ] {
            let report = read(&[ONE, TWO].concat(), ended, code);
            assert_eq!(report.status, Status::Failed);
            let case = &report.cases[1];
            assert_eq!((case.status, &*case.output), (Status::Failed, "stuck\n"));
            let error = case.error.as_ref().unwrap();
            assert_eq!((&*error.message, error.at.as_deref()), (message, Some("x_test.lua:9")));
            assert!(report.error.is_none());
        }
    }

    #[test]
    fn a_file_that_ends_itself_has_not_passed() {
        let exit =
            |code| format!("${{\"type\":\"exit\",\"code\":{code},\"at\":\"x_test.lua:4\"}}\n");
        let exits = |head: &str, code| {
            read(&format!("{head}{}{LAST}", exit(code)), Ended::Exited, Some(code))
        };
        assert_eq!(exits(ONE, 0).status, Status::Passed);
        assert_eq!(exits(ONE, 3).error.unwrap().message, "it called `os.exit(3)`");
        let inside = exits(TWO, 0);
        assert_eq!(inside.cases[0].status, Status::Failed);
        assert_eq!(inside.cases[0].error.as_ref().unwrap().at.as_deref(), Some("x_test.lua:4"));
        assert_eq!(read(ONE, Ended::Exited, Some(0)).status, Status::Failed);
        assert_eq!(read(TWO, Ended::Cancelled, None).status, Status::NotRun);
    }
}
