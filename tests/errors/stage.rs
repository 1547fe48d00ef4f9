//! A script, what it needs, and what is told of its error.

use std::process::{Command, Stdio};

use crate::home::{Home, Ran};

/// Models that scripts here play agents with.
const MODELS: &str = r#"
local models = {}
models.done = agent.model { reply = function() return "done" end }
models.busy = agent.model {
  reply = function(request)
    return { tools = { { name = "Glob", input = { pattern = "*" .. request.turn } } } }
  end,
}
models.refusing = agent.model { reply = function() return { stop_reason = "refusal", text = "no" } end }
models.broken = agent.model { reply = function(request) return request.nothing.here end }
models.caller = agent.model {
  reply = function(request)
    return request.turn == 1 and { tools = { { name = "probe", input = {} } } } or "done"
  end,
}
-- Writes what the prompt says: `FILE=TEXT`.
models.writer = agent.model {
  reply = function(request)
    local file, text = request.prompt:match "(%S+)=(%S+)"
    return request.turn == 1
        and { tools = { { name = "Write", input = { file_path = file, content = text .. "\n" } } } }
      or "done"
  end,
}
return models
"#;

/// Runs a script in a folder that is no repository.
pub fn script(source: &str) -> String {
    let home = Home::new();
    run(&home, source)
}

/// Runs a script in a repository with one commit.
pub fn in_repository(source: &str) -> String {
    let home = Home::new();
    home.write("README.md", "# demo\n");
    home.repository();
    run(&home, source)
}

/// Runs a script in `home`.
pub fn run(home: &Home, source: &str) -> String {
    home.write("models.lua", MODELS.trim_start());
    home.write("main.lua", source);
    told(home, &home.run(&["run", "--quiet", "main.lua"]))
}

/// Runs a command line.
pub fn typed(args: &[&str]) -> String {
    let home = Home::new();
    home.write("main.lua", "");
    told(&home, &home.run(args))
}

/// Runs a script that comes by standard input.
pub fn by_stdin(source: &str) -> String {
    let home = Home::new();
    let mut command: Command = home.command(&["run", "--quiet", "-"]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), source.as_bytes()).unwrap();
    told(&home, &child.wait_with_output().unwrap().into())
}

/// Returns the block of the error and the exit code, without what differs from run to run.
pub fn told(home: &Home, ran: &Ran) -> String {
    assert!(!ran.stderr.contains('\x1b'), "colour: {}", ran.stderr);
    for sign in [".rs:", "mlua", "agentlua::", "panicked"] {
        assert!(!ran.stderr.contains(sign), "of our own code: {}", ran.stderr);
    }
    let start = ran.stderr.find("error: ").unwrap_or_default();
    format!("{}[exit {}]", plain(home, &ran.stderr[start..]), ran.code)
}

/// Replaces folders, ids and times.
pub fn plain(home: &Home, text: &str) -> String {
    let root = home.beside("").display().to_string();
    let text = text.replace(root.trim_end_matches('/'), "$ROOT");
    [
        (r"agent-[0-9a-f]{4,32}", "agent-ID"),
        (r"run-[0-9a-f]{8}", "run-ID"),
        (r"\b[0-9a-f]{40}\b", "COMMIT"),
        (r"\([0-9a-f]{10}\)", "(COMMIT)"),
        (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"),
        (r"over [0-9.]+ s", "over TIME"),
        (r"… [0-9]+ more calls", "… MANY more calls"),
    ]
    .iter()
    .fold(text, |text, (pattern, word)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *word).into_owned()
    })
}
