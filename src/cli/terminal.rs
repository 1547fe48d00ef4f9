//! Standard output and error: whole writes, a closed output noticed, colour only where it is wanted.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::screen;
use super::width::Size;

/// Text styles, empty where colour is not wanted.
#[derive(Clone, Copy, Debug)]
pub struct Styles {
    /// Errors.
    pub red: &'static str,
    /// Warnings.
    pub yellow: &'static str,
    /// Good ends.
    pub green: &'static str,
    /// What matters most in a line.
    pub bold: &'static str,
    /// What matters least.
    pub dim: &'static str,
    /// Back to plain.
    pub reset: &'static str,
}

/// No colour.
pub const PLAIN: Styles = Styles { red: "", yellow: "", green: "", bold: "", dim: "", reset: "" };
const COLOUR: Styles = Styles {
    red: "\x1b[1;31m",
    yellow: "\x1b[33m",
    green: "\x1b[32m",
    bold: "\x1b[1m",
    dim: "\x1b[2m",
    reset: "\x1b[0m",
};

/// Returns the styles for standard error.
pub fn styles() -> Styles {
    styles_for(&io::stderr())
}

/// Returns the styles for standard output.
pub fn stdout_styles() -> Styles {
    styles_for(&io::stdout())
}

fn styles_for(stream: &impl IsTerminal) -> Styles {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    if wanted && stream.is_terminal() { COLOUR } else { PLAIN }
}

/// Takes text that is to be shown.
pub type Print = Box<dyn FnMut(&str) + Send>;

/// Writes whole lines to standard error; there is nobody to tell when that fails.
pub fn say(text: &str) {
    if !screen::say(text, None) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Writes what the script writes to standard error.
///
/// # Errors
/// Those of the system.
pub fn complain(bytes: &[u8]) -> io::Result<()> {
    screen::complain(bytes).unwrap_or_else(|| io::stderr().lock().write_all(bytes))
}

/// Makes text of a model or a tool safe to show: no escape sequences, no line breaks, nothing that turns
/// the order of letters round.
pub fn printable(text: &str) -> String {
    let steers =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// Makes text of several lines safe to show. Those after the first stand behind `margin`: none can be
/// taken for a line of ours.
pub fn printable_lines(text: &str, margin: &str) -> String {
    let shown = |line| str::split(line, '\t').map(printable).collect::<Vec<_>>().join("\t");
    let lines: Vec<_> = text.trim_end().lines().map(shown).collect();
    lines.join(&format!("\n{margin}"))
}

/// Returns the columns of the terminal on standard error; nothing without one.
pub fn columns() -> Option<usize> {
    let stderr = io::stderr();
    let size = rustix::termios::tcgetwinsize(&stderr).ok().filter(|_| stderr.is_terminal())?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Returns the columns and lines of the terminal on standard output; nothing without one.
pub fn size() -> Option<(usize, usize)> {
    let stdout = io::stdout();
    let size = rustix::termios::tcgetwinsize(&stdout).ok().filter(|_| stdout.is_terminal())?;
    let Size { columns, rows } = Size::of(size.ws_col, size.ws_row);
    Some((columns, rows))
}

/// Returns how large the terminal on standard error is.
pub fn stderr_size() -> Size {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map_or_else(|_| Size::of(0, 0), |size| Size::of(size.ws_col, size.ws_row))
}

/// Reports whether lines may be shown on standard error that change in their place.
pub fn is_stderr_live() -> bool {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|set| set == value);
    let is_ci = std::env::var_os("CI").is_some_and(|set| !set.is_empty()) && !is("CI", "false");
    io::stderr().is_terminal() && !is("TERM", "dumb") && !is_ci
}

/// Reports whether what is typed is shown on the terminal that standard error goes to.
pub fn is_typed_at() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Reports whether standard output is a pipe: what reads it may print on the terminal of standard error.
pub fn is_stdout_piped() -> bool {
    let kind = rustix::fs::fstat(io::stdout())
        .map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode));
    matches!(kind, Ok(rustix::fs::FileType::Fifo | rustix::fs::FileType::Socket))
}

/// Reports whether standard output and standard error are one terminal.
pub fn is_stdout_on_stderr() -> bool {
    let place = |stream: BorrowedFd<'_>| {
        let stat = rustix::fs::fstat(stream).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let place_of_stdout = place(stdout.as_fd());
    place_of_stdout.is_some() && place_of_stdout == place(stderr.as_fd())
}

/// Reports whether this process has the terminal on standard error, and not the shell or another job.
pub fn is_in_foreground() -> bool {
    let owner = rustix::termios::tcgetpgrp(io::stderr());
    // One that belongs to no job belongs to whoever writes to it.
    owner.is_ok_and(|owner| owner == rustix::process::getpgrp()) || owner.is_err()
}

/// The signal of Ctrl-Z.
pub const SUSPEND: i32 = rustix::process::Signal::TSTP.as_raw();

/// Stops this process until it is told to go on, as Ctrl-Z does. Where there is no shell to go back to the
/// system does not stop it: `SIGTSTP` and this one have that in common.
pub fn stop_here() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TTOU);
}

/// Standard output, which the script owns.
#[derive(Clone, Default)]
pub struct Stdout {
    closed: Arc<AtomicBool>,
}

impl Stdout {
    /// Writes; a closed output is noted once and returned as `true`.
    pub fn write(&self, bytes: &[u8]) -> bool {
        write(bytes).is_err() && !self.closed.swap(true, Ordering::Relaxed)
    }

    /// Writes what nobody needs to read: where standard output is a program's, what the script prints
    /// is for people.
    pub fn write_aside(&self, bytes: &[u8]) {
        let _ = write(bytes);
    }

    /// Reports whether nobody reads it any more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    screen::print(bytes).unwrap_or_else(|| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    })
}

/// Returns standard output as it is, for this process alone.
///
/// # Errors
/// When there are no descriptors left.
pub fn keep_stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Makes `target` standard output, for this process and those that it starts.
///
/// # Errors
/// When the system says no.
pub fn put_stdout(target: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::stdio::dup2_stdout(target)?)
}

/// The modes of the terminal on standard input, as they were found.
pub struct Modes(Option<rustix::termios::Termios>);

impl Modes {
    /// Notes them; nothing without a terminal.
    pub fn of_terminal() -> Self {
        Self(rustix::termios::tcgetattr(io::stdin()).ok())
    }

    /// Puts them back.
    pub fn restore(&self) {
        if let Some(modes) = &self.0 {
            let now = rustix::termios::OptionalActions::Now;
            let _ = rustix::termios::tcsetattr(io::stdin(), now, modes);
        }
    }
}
