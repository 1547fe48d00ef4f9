//! `agentlua test [FILE|DIR…]`: every file in a process of its own, several at once, and one report.

mod file;
mod report;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::file::{FileReport, Worker};
use self::report::Report;
use super::terminal::{Stdout, say};
use super::{Test, session, signals};
use crate::api::test::new_mark;
use crate::config;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::files;
use crate::process::{Processes, own_program};

/// How the names of files end that are found beneath a folder.
const SUFFIX: &str = "_test.lua";
/// How often, and after how long, it is tried again to remove what files have left.
const PATIENCE: u32 = 10;
const REST: Duration = Duration::from_millis(100);

/// Runs tests and returns the exit code.
pub(super) fn main(test: &Test) -> Result<i32> {
    let began = Instant::now();
    let timeout =
        config::seconds(test.timeout).map_err(|why| Error::usage(format!("`--timeout` {why}")))?;
    let files = found(&test.paths)?;
    let workers = session::workers()?;
    let signalled = Arc::new(AtomicI32::new(0));
    let cancel = CancellationToken::new();
    watch(workers.handle(), &cancel, &signalled)?;
    let folder = Folder::make()?;
    let all = All { test, timeout, files: &files, folder: &folder.0, cancel };
    let reports = workers.block_on(all.run())?;
    workers.shutdown_background();
    let report = Report::new(&reports, began.elapsed());
    let stdout = Stdout::default();
    stdout.write(if test.json { report.json()? } else { report.end() }.as_bytes());
    match signalled.load(Ordering::Relaxed) {
        0 if stdout.is_closed() => Ok(141),
        0 if report.is_empty() => Err(nothing(test, &files)),
        0 => Ok(i32::from(!report.is_ok())),
        code => Ok(code),
    }
}

/// Says that no case has such a name.
fn nothing(test: &Test, files: &[PathBuf]) -> Error {
    let filter = test.filter.as_deref().unwrap_or_default();
    let files = match files {
        [file] => format!("`{}`", file.display()),
        files => format!("{} files", files.len()),
    };
    Error::usage(format!("no case in {files} has `{filter}` in its name"))
}

/// Returns the files to run: those that are named, and what is beneath the folders that are.
fn found(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    // By the file itself, in the order of names as they are shown.
    let mut found = BTreeMap::new();
    for path in paths {
        let metadata = std::fs::metadata(path).map_err(|fault| {
            Error::usage(format!("cannot read `{}`", path.display())).because(fault)
        })?;
        if metadata.is_file() {
            found.entry(real(path)).or_insert_with(|| path.clone());
            continue;
        }
        let (files, passed_over) = files::beneath(path, SUFFIX);
        for fault in passed_over {
            say(&format!("warning: passed over: {fault}\n"));
        }
        for file in files {
            let shown = file.strip_prefix(".").map(Path::to_owned).unwrap_or(file);
            found.entry(real(&shown)).or_insert(shown);
        }
    }
    if found.is_empty() {
        let looked: Vec<_> = paths.iter().map(|path| format!("`{}`", shown(path))).collect();
        let message = format!("no `*{SUFFIX}` beneath {}", looked.join(", "));
        return Err(Error::usage(message).hint("agentlua test FILE.lua, or a folder with tests"));
    }
    let mut files: Vec<_> = found.into_values().collect();
    files.sort();
    Ok(files)
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn shown(path: &Path) -> String {
    real(path).display().to_string()
}

/// All files of a call.
struct All<'a> {
    test: &'a Test,
    timeout: Duration,
    files: &'a [PathBuf],
    folder: &'a Path,
    cancel: CancellationToken,
}

impl All<'_> {
    /// Runs them and shows each as soon as those before it are shown.
    async fn run(&self) -> Result<Vec<FileReport>> {
        let program = own_program().or_kind(Kind::Io, || "cannot find our own binary")?;
        let worker = Worker {
            processes: Processes::new(&program),
            program,
            environment: session::environment(),
            mark: new_mark(),
            filter: self.test.filter.clone(),
            fail_fast: self.test.fail_fast,
            timeout: self.timeout,
            cancel: self.cancel.clone(),
        };
        let jobs = self.test.jobs.or(std::thread::available_parallelism().ok());
        let runs = self.files.iter().enumerate().map(|(index, file)| {
            let (worker, folder) = (&worker, self.folder.join(index.to_string()));
            async move {
                let report = worker.run(file, &folder).await;
                if self.test.fail_fast && report.has_failed() {
                    self.cancel.cancel();
                }
                report
            }
        });
        let mut runs = futures_util::stream::iter(runs).buffered(jobs.map_or(1, NonZeroUsize::get));
        let (stdout, mut reports) = (Stdout::default(), Vec::new());
        while let Some(report) = runs.next().await {
            if !self.test.json {
                stdout.write(report::lines(&report).as_bytes());
            }
            reports.push(report);
        }
        Ok(reports)
    }
}

/// Calls everything off at the first signal and ends the process at the second.
fn watch(
    runtime: &tokio::runtime::Handle,
    cancel: &CancellationToken,
    signalled: &Arc<AtomicI32>,
) -> Result<()> {
    let _guard = runtime.enter();
    for (kind, code) in [
        (SignalKind::hangup(), 129),
        (SignalKind::interrupt(), 130),
        (SignalKind::terminate(), 143),
    ] {
        let mut stream = signal(kind).or_kind(Kind::Io, || "cannot await signals")?;
        let (cancel, signalled) = (cancel.clone(), Arc::clone(signalled));
        runtime.spawn(async move {
            while stream.recv().await.is_some() {
                if signalled.swap(code, Ordering::Relaxed) != 0 {
                    signals::quit(code);
                }
                cancel.cancel();
            }
        });
    }
    Ok(())
}

/// Where files put what they make; it goes at the end, whatever was left in it.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        let name = format!("agentlua-test-{}", new_mark().trim().trim_start_matches('\u{1e}'));
        let path = real(&std::env::temp_dir()).join(name);
        std::fs::create_dir(&path)
            .or_kind(Kind::Io, || format!("cannot make `{}`", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let mut removed = std::fs::remove_dir_all(&self.0);
        // What files had started is ended by guardians, and may write until it is.
        for _ in 0..PATIENCE {
            if removed.is_ok() {
                return;
            }
            std::thread::sleep(REST);
            removed = std::fs::remove_dir_all(&self.0);
        }
        if let Err(fault) = removed {
            say(&format!("warning: `{}` cannot be removed: {fault}\n", self.0.display()));
        }
    }
}
