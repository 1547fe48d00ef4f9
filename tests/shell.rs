//! The parser of commands against bash itself: random commands are run by bash with no program to be
//! found, and every name that bash looked for must be among those that the parser saw.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agentlua::agent::permission::programs;

/// What commands are made of: what shells read differently from what people mean.
const TOKENS: [&str; 74] = [
    "aa",
    "bb",
    "cc",
    " ",
    " ",
    " ",
    " ",
    ";",
    ";",
    "&",
    "|",
    "&&",
    "||",
    "\n",
    "\n",
    "(",
    ")",
    "{ ",
    "; }",
    "$(",
    "$(",
    ")",
    ")",
    "`",
    "`",
    "\"",
    "\"",
    "'",
    "'",
    "\\",
    "#",
    "<",
    ">",
    ">>",
    "<<E\n",
    "E\n",
    "\nE\n",
    "<<'E'\n",
    "<<-E\n",
    "\t",
    "if ",
    "; then ",
    "; fi",
    "for x in ",
    "; do ",
    "; done",
    "while ",
    "case aa in ",
    "aa) ",
    ";; ",
    "esac",
    "$x",
    "${x:-",
    "${x",
    "}",
    "! ",
    "time ",
    "2>&1",
    "x=",
    "x=aa ",
    "[[ ",
    " ]] ",
    "<(",
    ">(",
    "\\\n",
    "$'",
    "$\"",
    "function ff ",
    "ff() ",
    "&>",
    ">&",
    "{",
    "*",
    "=(",
];

/// A generator of numbers that a seed fixes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn command(&mut self) -> String {
        let length = 2 + self.below(14);
        (0..length).map(|_| TOKENS[self.below(TOKENS.len())]).collect()
    }
}

/// Runs a command in bash where every program is missing, and returns the names that it looked for;
/// `None` when it did not come to an end.
fn looked_for(command: &str, dir: &Path) -> Option<BTreeSet<String>> {
    // A new place for each: what runs in the background writes when it likes.
    std::fs::create_dir_all(dir).expect("a directory");
    let log = dir.join("log");
    std::fs::write(&log, "").expect("a log");
    let script = format!(
        "command_not_found_handle() {{ printf '%s\\0' \"$1\" >> '{}'; return 1; }}\n",
        log.display()
    );
    let prepared = dir.join("prepared");
    std::fs::write(&prepared, script).expect("a file");
    let work = dir.join("work");
    std::fs::create_dir_all(&work).expect("a directory");
    let mut child = Command::new("/bin/bash")
        .args(["--norc", "-c", command])
        .env_clear()
        .env("BASH_ENV", &prepared)
        .env("PATH", "/nowhere")
        .current_dir(&work)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash");
    let began = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if began.elapsed() > Duration::from_secs(5) {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let names = std::fs::read(&log).expect("the log");
    Some(
        names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect(),
    )
}

#[test]
fn bash_looks_for_nothing_that_the_parser_did_not_see() {
    let dir = tempfile::tempdir().expect("a directory");
    let given = std::env::var("SHELL_SEED").ok().and_then(|text| text.parse().ok());
    let count =
        std::env::var("SHELL_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(400);
    let mut random = Random(given.unwrap_or(7));
    let (mut understood, mut ran) = (0, 0);
    while understood < count {
        let command = random.command();
        let Some(seen) = programs(&command) else { continue };
        understood += 1;
        let Some(names) = looked_for(&command, &dir.path().join(understood.to_string())) else {
            continue;
        };
        ran += usize::from(!names.is_empty());
        // A program whose name only the shell knows is seen as such.
        let open = seen.contains(&None);
        for name in names {
            // What bash itself runs to fill in a missing one is of the harness.
            let known = seen.contains(&Some(name.clone()));
            assert!(known || open, "bash runs {name:?} for {command:?}; seen: {seen:?}");
        }
    }
    assert!(ran > count / 10, "only {ran} of {understood} commands ran anything");
}
