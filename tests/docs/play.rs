//! A section of a page, played: its files in a fresh repository, its commands in a shell.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::home::{Home, Ran};
use super::page::{Block, Page, Section};

const MODEL: &str = include_str!("model.lua");

/// Sections at once; each runs an agentlua with agents of its own.
const AT_ONCE: usize = 3;

/// What is in every repository, beside the files of the section.
const FILES: [(&str, &str); 7] = [
    ("README.md", "# shop\n"),
    ("check", "#!/bin/sh\nexit 0\n"),
    ("docs/guide.md", "# Guide\n\nOrders are shipped in a day.\n"),
    ("src/auth/login.js", "exports.login = (user) => user.name\n"),
    ("src/billing/invoice.js", "exports.total = (lines) => lines.length\n"),
    ("src/search/index.js", "exports.find = (word) => []\n"),
    ("src/export/csv.js", "exports.csv = (rows) => rows.join()\n"),
];

/// Plays every section of a page, and returns what went wrong.
pub fn all(page: &Page) -> Vec<String> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(section) = page.sections.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let at = format!("{} § {}", page.name, section.title);
                    if let Err(why) = one(section) {
                        failed.lock().unwrap().push(format!("{at}: {why}"));
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

/// Plays a section.
fn one(section: &Section) -> Result<(), String> {
    for block in &section.blocks {
        read(block)?;
    }
    if section.blocks.is_empty() {
        return Ok(());
    }
    let home = Home::new();
    let tools = stage(&home, section)?;
    let has_console = section.blocks.iter().any(|block| block.language == "console");
    for (index, block) in section.blocks.iter().enumerate() {
        let exit = section.noted("exit").find(|note| note.before == index);
        let exit = exit.map_or(0, |note| note.value.parse().unwrap());
        let at = |why: String| format!("line {}: {why}", block.line);
        match block.language.as_str() {
            "console" => console(&home, &tools, block, exit).map_err(at)?,
            "lua" if !has_console => {
                let file = block.file().unwrap_or("main.lua");
                let verb = if file.ends_with("_test.lua") { "test" } else { "run" };
                if !is_data(block) {
                    let ran = typed(&home, &tools, &format!("agentlua {verb} {file}"));
                    expect(&ran, exit).map_err(at)?;
                }
            }
            "lua" | "toml" | "json" | "text" => {}
            "sh" if section
                .blocks
                .iter()
                .any(|other| other.text.contains(block.file().unwrap_or("?"))) => {}
            other => return Err(at(format!("nothing is known of `{other}` here"))),
        }
    }
    Ok(())
}

/// Reports whether a script is there for others: a model, or a module.
fn is_data(block: &Block) -> bool {
    block.text.lines().any(|line| line.starts_with("return "))
}

/// Reads a block as what will read it does, also where it does not run.
pub fn read(block: &Block) -> Result<(), String> {
    let at = |fault: String| format!("line {}: {fault}", block.line);
    match block.language.as_str() {
        "lua" => {
            let text = block.text.trim_start_matches("#!/usr/bin/env -S agentlua run\n");
            let lua = mlua::Lua::new();
            lua.load(text).into_function().map(|_| ()).map_err(|fault| at(fault.to_string()))
        }
        "toml" => toml::from_str::<toml::Table>(&block.text)
            .map(|_| ())
            .map_err(|fault| at(fault.to_string())),
        "json" => serde_json::from_str::<serde_json::Value>(&block.text)
            .map(|_| ())
            .map_err(|fault| at(fault.to_string())),
        "console" | "sh" | "text" => Ok(()),
        other => Err(at(format!("`{other}` is no language of these pages"))),
    }
}

/// Makes the repository of a section, and returns the folder of its tools.
fn stage(home: &Home, section: &Section) -> Result<std::path::PathBuf, String> {
    for (name, text) in FILES {
        home.write(name, text);
    }
    let model = section.noted("model").next().map_or(MODEL, |note| &note.value);
    std::fs::write(home.beside("model.lua"), model).unwrap();
    // What projects run their tests with, green unless `./check` is red.
    let tools = home.beside("tools");
    std::fs::create_dir(&tools).unwrap();
    for name in ["npm", "npx", "make"] {
        executable(&tools.join(name), "#!/bin/sh\nexec ./check \"$@\"\n");
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_agentlua"), tools.join("agentlua")).unwrap();
    for block in section.blocks.iter().filter(|block| block.language != "console") {
        let unnamed = if block.language == "lua" { Some("main.lua") } else { None };
        if let Some(name) = block.file().or(unnamed) {
            match name.strip_prefix("~/") {
                Some(name) => {
                    let path = home.beside("home").join(name);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, &block.text).unwrap();
                }
                None => home.write(name, &block.text),
            }
        }
    }
    executable(&home.path("check"), FILES[1].1);
    for note in section.noted("setup") {
        let ran = typed(home, &tools, &note.value);
        expect(&ran, 0).map_err(|why| format!("setup: {why}"))?;
    }
    home.repository();
    for note in section.noted("then") {
        let ran = typed(home, &tools, &note.value);
        expect(&ran, 0).map_err(|why| format!("then: {why}"))?;
    }
    Ok(tools)
}

fn executable(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Types a line into a shell; what it says on either stream is its standard output.
fn typed(home: &Home, tools: &Path, line: &str) -> Ran {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(tools.to_owned()).chain(std::env::split_paths(&path)));
    let mut command: Command = home.command_of(Path::new("sh"));
    command.args(["-c", &format!("exec 2>&1\n{line}")]).env("PATH", path.unwrap());
    command.env("AGENTLUA_MODEL", home.beside("model.lua"));
    Ran::of(&mut command)
}

fn expect(ran: &Ran, exit: i32) -> Result<(), String> {
    if ran.code == exit { Ok(()) } else { Err(format!("exit {}\n{}", ran.code, ran.stdout)) }
}

/// Plays a console block; `exit` is how its last command ends.
fn console(home: &Home, tools: &Path, block: &Block, exit: i32) -> Result<(), String> {
    let mut commands: Vec<(String, Vec<&str>)> = Vec::new();
    for line in block.text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => commands.push((command.to_owned(), Vec::new())),
            None => match commands.last_mut() {
                // A command of several lines.
                Some((command, said)) if said.is_empty() && command.ends_with('\\') => {
                    command.push('\n');
                    command.push_str(line);
                }
                Some((_, said)) => said.push(line),
                None => return Err("it begins with no command".to_owned()),
            },
        }
    }
    let last = commands.len().saturating_sub(1);
    for (index, (command, said)) in commands.iter().enumerate() {
        let ran = typed(home, tools, command);
        expect(&ran, if index == last { exit } else { 0 })
            .map_err(|why| format!("$ {command}\n{why}"))?;
        let lines: Vec<&str> = ran.stdout.lines().map(str::trim_end).collect();
        if !said.is_empty() && !matches(said, &lines) {
            return Err(format!("$ {command}\n{}", ran.stdout));
        }
    }
    Ok(())
}

/// Reports whether `lines` are what is `said`; a line `…` stands for any lines.
fn matches(said: &[&str], lines: &[&str]) -> bool {
    match said.split_first() {
        None => lines.iter().all(|line| line.is_empty()),
        Some((&"…", rest)) => (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..])),
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, others)| is_like(first, line) && matches(rest, others)),
    }
}

/// Reports whether a line is what is said of it; `…` stands for any text.
fn is_like(said: &str, line: &str) -> bool {
    let mut parts = said.trim_end().split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn what_is_said_is_compared() {
    assert!(matches(&["a …c", "…", "z"], &["a bc", "x", "y", "z"]));
    assert!(matches(&["a"], &["a", ""]) && !matches(&["a"], &["a", "b"]));
    assert!(!is_like("a …c", "a b") && !is_like("abc", "abcd") && !is_like("a…", "b"));
}
