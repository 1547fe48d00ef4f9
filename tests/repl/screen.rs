//! A screen of tmux's, on a server of its own that ends with it. Screens are polled until they show what
//! is expected; nothing depends on how long that takes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::home::Home;

/// How long a loaded machine may take to show something.
const PATIENCE: Duration = Duration::from_mins(1);

/// A REPL on a screen of 100 by 40.
pub struct Screen {
    name: String,
    /// Where it runs.
    pub home: Home,
}

impl Screen {
    /// Starts `agentlua repl`, then a shell that says how it ended; `None` without tmux.
    pub fn open(name: &str) -> Option<Self> {
        Self::open_in(Home::new(), name, "")
    }

    /// Starts it in a folder, with flags.
    pub fn open_in(home: Home, name: &str, flags: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let _ = writeln!(std::io::stderr(), "skipped: there is no tmux");
            return None;
        }
        let screen = Self { name: format!("agentlua-{}-{name}", std::process::id()), home };
        let size = ["-x", "100", "-y", "40"];
        let begin = ["-f", "/dev/null", "new-session", "-d"];
        screen.tmux(&[&begin, &size[..], &["sh", "-c", &Self::program(flags)]].concat());
        screen.shows("lua> ");
        Some(screen)
    }

    fn program(flags: &str) -> String {
        let binary = env!("CARGO_BIN_EXE_agentlua");
        format!("trap : INT; '{binary}' repl {flags}; echo \"left with $?\"; exec sleep 3600")
    }

    /// Starts another one in the same place, on an empty screen.
    pub fn reopen(&self, flags: &str) {
        self.tmux(&["respawn-pane", "-k", "sh", "-c", &Self::program(flags)]);
        self.tmux(&["clear-history"]);
        self.prompts();
    }

    /// Runs tmux on its server.
    pub fn tmux(&self, args: &[&str]) -> Output {
        let mut tmux = self.home.command_of(Path::new("tmux"));
        tmux.env("TERM", "xterm").args(["-L", &self.name]).args(args);
        tmux.output().expect("tmux runs")
    }

    /// Returns what is on the screen and above it.
    pub fn text(&self) -> String {
        self.captured(&["-J"])
    }

    /// Returns that with the escape sequences for colours.
    pub fn colours(&self) -> String {
        self.captured(&["-e"])
    }

    fn captured(&self, flags: &[&str]) -> String {
        let output = self.tmux(&[&["capture-pane", "-p", "-S", "-200"], flags].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until `done` says so of the text on the screen.
    pub fn wait(&self, what: &str, done: impl Fn(&str) -> bool) {
        let start = Instant::now();
        loop {
            let text = self.text();
            if done(&text) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "waited for {what}; the screen is:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a text.
    pub fn shows(&self, expected: &str) {
        self.wait(&format!("{expected:?}"), |text| text.contains(expected));
    }

    /// Waits for a line that is exactly this.
    pub fn shows_line(&self, expected: &str) {
        self.wait(&format!("the line {expected:?}"), |text| {
            text.lines().any(|line| line.trim_end() == expected)
        });
    }

    /// Waits for an empty prompt at the end.
    pub fn prompts(&self) {
        self.wait("a prompt", |text| text.trim_end().lines().last() == Some("lua>"));
    }

    /// Types a text.
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key, by tmux's name.
    pub fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line when the prompt is there.
    pub fn enters(&self, line: &str) {
        self.prompts();
        self.types(line);
        // What is typed ahead of the next prompt would be lost, as in most line editors.
        self.wait("the echo", |text| {
            let last = text.trim_end().lines().last().unwrap_or_default();
            // A long line is broken: its end is enough.
            let shown = last.strip_prefix("lua> ").unwrap_or(last);
            !shown.is_empty() && shown != "lua>" && line.trim_end().ends_with(shown)
        });
        self.presses("Enter");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
