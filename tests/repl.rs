//! The REPL in a real terminal: a tmux server of its own for each test, ended at its end. Screens are
//! polled until they show what is expected; nothing depends on how long that takes.

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that run scripts")]
mod home;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use home::Home;

/// How long a loaded machine may take to show something.
const PATIENCE: Duration = Duration::from_mins(1);

/// A REPL on a screen of 100 by 40.
struct Screen {
    name: String,
    home: Home,
}

impl Screen {
    /// Starts `agentlua repl`, then a shell that says how it ended; `None` without tmux.
    fn open(name: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let _ = writeln!(std::io::stderr(), "skipped: there is no tmux");
            return None;
        }
        let screen =
            Self { name: format!("agentlua-{}-{name}", std::process::id()), home: Home::new() };
        let binary = env!("CARGO_BIN_EXE_agentlua");
        let script = format!("trap : INT; '{binary}' repl; echo \"left with $?\"; exec sleep 3600");
        let size = ["-x", "100", "-y", "40"];
        screen.tmux(
            &[&["-f", "/dev/null", "new-session", "-d"], &size[..], &["sh", "-c", &script]]
                .concat(),
        );
        screen.shows("lua> ");
        Some(screen)
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut tmux = self.home.command_of(Path::new("tmux"));
        tmux.env("TERM", "xterm").args(["-L", &self.name]).args(args);
        tmux.output().expect("tmux runs")
    }

    fn text(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-J", "-S", "-200"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until `done` says so of the text on the screen.
    fn wait(&self, what: &str, done: impl Fn(&str) -> bool) {
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

    fn shows(&self, expected: &str) {
        self.wait(&format!("{expected:?}"), |text| text.contains(expected));
    }

    /// Waits for a line that is exactly this.
    fn shows_line(&self, expected: &str) {
        self.wait(&format!("the line {expected:?}"), |text| {
            text.lines().any(|line| line.trim_end() == expected)
        });
    }

    /// Waits for an empty prompt at the end.
    fn prompts(&self) {
        self.wait("a prompt", |text| text.trim_end().lines().last() == Some("lua>"));
    }

    fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    fn presses(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line when the prompt is there.
    fn enters(&self, line: &str) {
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

#[test]
fn values_lines_and_errors_are_shown() {
    let Some(screen) = Screen::open("values") else { return };
    screen.enters("1 + 41");
    screen.shows_line("42");
    screen.enters("_ * 2, 'text', nil");
    screen.shows_line("84");
    screen.shows_line("\"text\"");
    screen.enters("{ list = { 1, 2 }, name = 'x' }");
    screen.shows_line("{ list = { 1, 2 }, name = \"x\" }");
    screen.enters("function twice(n)");
    screen.types("  return n * 2");
    screen.presses("Enter");
    screen.types("end");
    screen.presses("Enter");
    screen.enters("twice(500)");
    screen.shows_line("1000");
    screen.enters("x = = 1");
    screen.shows_line("error: unexpected symbol near '='");
    screen.enters("error('thrown')");
    screen.shows_line("error: thrown");
    screen.enters("error({ code = 7 })");
    screen.shows_line("error: { code = 7 }");
    screen.enters("agent.query { promt = 'x' }");
    screen.shows_line("hint: did you mean `prompt`?");
    screen.enters("io.write('no', ' newline')");
    screen.shows("no newline");
    screen.enters("setmetatable({}, { __tostring = function() return 'shown' end })");
    screen.shows_line("shown");
    screen.prompts();
    screen.presses("C-d");
    screen.shows_line("left with 0");
    let history = screen.home.beside("home/.local/state/agentlua/repl_history");
    assert!(std::fs::read_to_string(history).expect("the history").contains("1 + 41"));
}

#[test]
fn ctrl_c_stops_the_evaluation_and_not_the_repl() {
    let Some(screen) = Screen::open("interrupt") else { return };
    screen.prompts();
    screen.types("half a line");
    screen.shows("lua> half a line");
    screen.presses("C-c");
    screen.shows_line("(Ctrl-D leaves)");
    for (round, line) in [
        "print('begun 1') agent.sleep(60)",
        "print('begun 2') while true do end",
        "print('begun 3') while true do pcall(function() while true do end end) end",
        "print('begun 4') coroutine.wrap(function() while true do pcall(agent.sleep, 1) end end)()",
        "setmetatable({}, { __tostring = function() print('begun 5') while true do end end })",
    ]
    .iter()
    .enumerate()
    {
        screen.enters(line);
        screen.shows_line(&format!("begun {}", round + 1));
        screen.presses("C-c");
        screen.wait("as many interruptions", |text| {
            text.matches("error: interrupted").count() == round + 1
        });
    }
    screen.enters("'alive'");
    screen.shows_line("\"alive\"");
}

#[test]
fn tasks_belong_to_the_session_and_leave_the_line_alone() {
    let Some(screen) = Screen::open("tasks") else { return };
    screen.enters("go = false");
    screen.enters(
        "t = agent.spawn(function() while not go do agent.sleep(0.01) end print('from afar') end)",
    );
    screen.enters("agent.spawn(function() agent.sleep(1) go = true end)");
    screen.prompts();
    screen.types("half a ");
    screen.shows_line("from afar");
    screen.wait("the line below", |text| {
        text.trim_end().lines().last().is_some_and(|line| line.trim_end() == "lua> half a")
    });
    screen.types("line");
    screen.shows_line("lua> half a line");
    screen.presses("C-c");
    screen.enters("t:status()");
    screen.shows_line("\"completed\"");
    screen.enters("agent.spawn(function() agent.sleep(0.01) error('unseen') end)");
    screen.shows_line("a task has failed, and nobody awaits it");
    screen.shows_line("error: unseen");
    screen.enters("seen = agent.spawn(error, 'seen') ok, e = pcall(seen.await, seen) print(e)");
    screen.shows_line("seen");
    screen.enters(
        "agent.spawn(function() local g <close> = setmetatable({}, { __close = function() \
         agent.sleep(0.01) print('closed') end }) agent.sleep(3600) end)",
    );
    screen.prompts();
    screen.presses("C-d");
    screen.shows_line("closed");
    screen.shows_line("left with 0");
    let text = screen.text();
    assert_eq!(text.matches("nobody awaits it").count(), 1, "{text}");
}

#[test]
fn it_leaves_the_terminal_as_it_was() {
    let Some(screen) = Screen::open("leaving") else { return };
    screen.enters("agent.spawn(function() agent.sleep(0.5) os.exit(5) end)");
    screen.prompts();
    screen.types("in the middle of");
    screen.shows_line("left with 5");
    let tty = screen.tmux(&["display-message", "-p", "#{pane_tty}"]);
    let tty = String::from_utf8_lossy(&tty.stdout).trim().to_owned();
    let modes = Command::new("stty").args(["-a", "-F", &tty]).output().expect("stty runs");
    let modes = String::from_utf8_lossy(&modes.stdout).into_owned();
    assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
}
