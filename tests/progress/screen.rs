//! A shell in tmux, in a repository with a script and its model.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::home::Home;

/// How long a loaded machine may take to show something.
const PATIENCE: Duration = Duration::from_mins(2);

/// A shell on a screen; everything goes when it is dropped.
pub struct Screen {
    name: String,
    home: Home,
}

impl Screen {
    /// Starts a shell on a screen of that many columns and lines; `None` without tmux.
    pub fn open(name: &str, size: (u32, u32), model: &str, script: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let _ = writeln!(std::io::stderr(), "skipped: there is no tmux");
            return None;
        }
        let screen =
            Self { name: format!("agentlua-{}-{name}", std::process::id()), home: Home::new() };
        screen.home.write("model.lua", model);
        screen.home.write("main.lua", script);
        screen.home.write(".gitignore", "*.go\n*.txt\n");
        screen.home.repository();
        let binary = Path::new(env!("CARGO_BIN_EXE_agentlua"));
        let folder = binary.parent().expect("a folder").display();
        let shell = format!("PATH=\"{folder}:$PATH\" PS1='$? $ ' exec bash --norc --noprofile");
        let (columns, lines) = (size.0.to_string(), size.1.to_string());
        let first = ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines];
        screen.tmux(&[&first[..], &["sh", "-c", &shell]].concat());
        screen.shows("0 $");
        Some(screen)
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut tmux = self.home.command_of(Path::new("tmux"));
        tmux.env("TERM", "xterm").args(["-L", &self.name]).args(args);
        tmux.output().expect("tmux runs")
    }

    fn captured(&self, args: &[&str]) -> String {
        let output = self.tmux(&[&["capture-pane", "-p"], args].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        format!("\n{}\n", lines.join("\n").trim_end())
    }

    /// Returns what it shows, with what has scrolled up, as lines without blanks at their ends.
    pub fn text(&self) -> String {
        self.captured(&["-J", "-S", "-2000"])
    }

    /// Returns the lines that are in sight, as they stand there.
    pub fn in_sight(&self) -> String {
        self.captured(&[])
    }

    /// Returns all of it with its styles.
    pub fn styled(&self) -> String {
        self.captured(&["-J", "-S", "-2000", "-e"])
    }

    /// Waits until `done` says so of the text on the screen.
    pub fn wait(&self, what: &str, done: impl Fn(&str) -> bool) {
        Self::wait_for(what, || self.text(), done);
    }

    /// Waits until `done` says so of the lines that are in sight.
    pub fn wait_in_sight(&self, what: &str, done: impl Fn(&str) -> bool) {
        Self::wait_for(what, || self.in_sight(), done);
    }

    fn wait_for(what: &str, look: impl Fn() -> String, done: impl Fn(&str) -> bool) {
        let start = Instant::now();
        loop {
            let text = look();
            if done(&text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "waited for {what}; the screen is:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it shows this text.
    pub fn shows(&self, expected: &str) {
        self.wait(&format!("{expected:?}"), |text| text.contains(expected));
    }

    /// Waits until the command has ended with this code, and the shell asks for another.
    pub fn left_with(&self, code: i32) {
        let prompt = format!("\n{code} $");
        self.wait(&format!("the exit code {code}"), |text| text.trim_end().ends_with(&prompt));
    }

    /// Types a line.
    pub fn types(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.presses("Enter");
    }

    /// Presses a key.
    pub fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Makes it another size.
    pub fn resizes(&self, (columns, lines): (u32, u32)) {
        let (columns, lines) = (columns.to_string(), lines.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &lines]);
    }

    /// Makes an empty file that an agent or the script waits for.
    pub fn touch(&self, name: &str) {
        self.home.write(name, "");
    }

    /// Returns a file's text.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path(name)).expect("the file")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
