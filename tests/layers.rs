//! The house rules that a compiler does not know: which module may name which, where each
//! third-party crate lives, and where there may be output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Modules from left to right; those of one group do not name each other.
const LAYERS: [&[&str]; 13] = [
    &["cli"],
    &["check"],
    &["api"],
    &["vm"],
    &["host"],
    &["github", "agent"],
    &["model", "tool"],
    &["workspace"],
    &["git"],
    &["journal"],
    &["process"],
    &["config"],
    &["event", "error", "media", "schema", "suggest", "files", "http", "crash", "digest", "manual"],
];

/// Crates and the only places that may name them.
const HOMES: [(&str, &[&str]); 18] = [
    ("mlua", &["vm", "api"]),
    ("git2", &["git"]),
    ("reqwest", &["model/http", "http", "tool/web_fetch", "tool/mcp/http", "github"]),
    ("rustyline", &["cli"]),
    // `api/arguments`: scripts declare theirs.
    ("clap", &["cli", "api/arguments"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("full_moon", &["check"]),
    ("rusqlite", &["journal"]),
    ("cap_std", &["workspace", "git/worktree/include"]),
    (
        "rustix",
        &[
            "process",
            "workspace",
            "journal",
            "git",
            "crash",
            "cli/terminal",
            "model/cassette/record",
        ],
    ),
    ("toml", &["config"]),
    ("jsonschema", &["schema"]),
    ("rmcp", &["tool/mcp"]),
    ("html5ever", &["tool/web_fetch"]),
    ("grep_searcher", &["tool"]),
    ("strsim", &["suggest"]),
    // `agent/permission`: rules about files are written as in `.gitignore`.
    (
        "ignore",
        &[
            "tool",
            "workspace",
            "files",
            "cli/agents",
            "git/worktree/include",
            "agent/permission/path",
        ],
    ),
];

fn source_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file by its path below `src`, comments and tests of the file taken out.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    source_files(&root, &mut found);
    let code = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a source file");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    found
        .iter()
        .filter(|path| {
            !path.ends_with("tests.rs")
                && !path.components().any(|part| part.as_os_str() == "tests")
        })
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src");
            (name.display().to_string(), code(path))
        })
        .collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn a_module_names_only_what_stands_to_its_right() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let module = file.split(['/', '.']).next().unwrap_or_default().to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let own = layer_of(&module).unwrap_or_else(|| panic!("`{module}` has no layer"));
        for piece in code.split("crate::").skip(1) {
            let named: String =
                piece.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if named == module || named.is_empty() {
                continue;
            }
            match layer_of(&named) {
                Some(layer) if layer > own => {}
                _ => wrong.push(format!("{file} names crate::{named}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_crate_lives_in_one_place() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        for (name, homes) in HOMES {
            let at_home = homes
                .iter()
                .any(|home| file.starts_with(&format!("{home}/")) || file == format!("{home}.rs"));
            let used =
                code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"));
            // A path such as `crate::git::ignore::` is not the crate.
            if used && !at_home && !code.contains(&format!(":{name}::")) {
                wrong.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_process_layer_starts_programs() {
    for (file, code) in sources() {
        let starts = code.contains("process::Command::new") || code.contains("Command::spawn");
        assert!(!starts || file.starts_with("process/"), "{file} starts a program");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    source_files(&root, &mut found);
    for path in found {
        let text = std::fs::read_to_string(&path).expect("a source file");
        assert!(text.starts_with("//!"), "{} has no `//!`", path.display());
    }
}
