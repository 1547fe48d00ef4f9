//! The tables of `configuration.md`, held against the code: every setting, flag and variable, in every way
//! that it can be given.

use std::collections::BTreeSet;
use std::path::Path;

use agentlua::cli::man;
use agentlua::config::Settings;

use super::home::{Home, Ran};
use super::page;

/// Returns the rows of the table that follows a heading, each as its cells without backticks.
fn table(title: &str) -> Vec<Vec<String>> {
    let page = page("configuration.md");
    let section = page.sections.iter().find(|section| section.title == title);
    let section = section.unwrap_or_else(|| panic!("no heading {title}"));
    let rows = section.prose.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let inner = row.trim_matches('|').replace("\\|", "¦");
        inner.split('|').map(|cell| cell.replace('`', "").trim().replace('¦', "|")).collect()
    };
    rows.map(cells).collect()
}

/// Returns what the first column of a table names.
fn listed(title: &str) -> BTreeSet<String> {
    let rows = table(title);
    rows.iter().flat_map(|row| row[0].split(", ")).map(str::to_owned).collect()
}

/// Returns what of `names` is not among `known`.
fn beyond(names: &BTreeSet<String>, known: &BTreeSet<String>) -> Vec<String> {
    names.difference(known).cloned().collect()
}

#[track_caller]
fn same(what: &str, page: &BTreeSet<String>, code: &BTreeSet<String>) {
    assert!(
        page == code,
        "{what}: only on the page {:?}, only in the code {:?}",
        beyond(page, code),
        beyond(code, page)
    );
}

#[test]
fn settings_are_those_of_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "x = 1").unwrap();
    let said = Settings::load_user(&path).unwrap_err().message;
    let code: BTreeSet<String> = said
        .split("expected")
        .nth(1)
        .unwrap()
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let rows = table("Settings");
    let page: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    same("settings", &page, &code);
    for row in &rows {
        let (name, in_repository) = (&row[0], row[4] == "yes");
        let path = folder.path().join("agentlua.toml");
        std::fs::write(&path, format!("{name} = []\n")).unwrap();
        let refused = Settings::load_repository(&path)
            .is_err_and(|error| error.message.contains("may not set"));
        assert_eq!(refused, !in_repository, "{name} in agentlua.toml");
    }
}

#[test]
fn flags_are_those_of_run() {
    let help = Home::new().run(&["run", "--help"]).stdout;
    let flag = regex::Regex::new(r"(?m)^\s+(?:-\w, )?--([a-z-]+)").unwrap();
    let code: BTreeSet<String> = flag
        .captures_iter(&help)
        .map(|found| found[1].to_owned())
        .filter(|name| name != "help")
        .collect();
    let page: BTreeSet<String> = table("Settings")
        .iter()
        .filter_map(|row| row[1].strip_prefix("--").map(str::to_owned))
        .map(|flag| flag.split([' ', '=', '[']).next().unwrap().to_owned())
        .collect();
    same("flags", &page, &code);
}

#[test]
fn variables_are_read() {
    let home = Home::new();
    home.write("main.lua", "");
    for row in table("Settings") {
        let variable = &row[2];
        if variable == "-" {
            continue;
        }
        // What cannot be understood is refused by the name of its variable, else it stands for a path or a
        // model.
        let mut command = home.command(&["run", "main.lua"]);
        let ran = Ran::of(command.env(variable, "\u{1}"));
        let is_any_text = ["model", "repo", "worktree_root", "record", "replay", "resume"]
            .contains(&row[0].as_str());
        assert!(
            is_any_text || ran.code == 2 && ran.stderr.contains(variable),
            "{variable}: {}",
            ran.stderr
        );
    }
}

#[test]
fn other_variables_are_those_of_the_man_page_and_are_read() {
    // What only names them, for people, does not read them.
    let man = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/man.rs");
    let mut source = String::new();
    let mut folders = vec![man.ancestors().nth(2).unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path != man {
                source += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    let page = listed("Other variables");
    let code = man::OTHER_VARIABLES.map(|(name, _)| name.to_owned()).into();
    same("other variables", &page, &code);
    for name in page {
        assert!(source.contains(&format!("\"{name}\"")), "nothing reads {name}");
    }
}

#[test]
fn files_are_those_of_the_man_page() {
    let plain = |name: &str| {
        let name = name.trim_end_matches(" at the top of a repository");
        name.trim_end_matches('/').to_owned()
    };
    let page = listed("Files").iter().map(|name| plain(name)).collect();
    let code = man::FILES.iter().flat_map(|(names, _)| names.split(", ")).map(plain).collect();
    same("files", &page, &code);
}

#[test]
fn exit_codes_are_those_of_the_help_and_of_the_man_page() {
    let number = regex::Regex::new(r"\d+").unwrap();
    let numbers = |text: &str| -> BTreeSet<String> {
        number.find_iter(text).map(|found| found.as_str().to_owned()).collect()
    };
    let page = listed("Exit codes").iter().flat_map(|code| numbers(code)).collect();
    let help = Home::new().run(&["--help"]).stdout;
    let paragraph = help.split("Exit codes:").nth(1).unwrap().split("\n\n").next().unwrap();
    same("exit codes, and the help", &page, &numbers(paragraph));
    let man = man::EXITS.iter().flat_map(|(code, _)| numbers(code)).collect();
    same("exit codes, and the man page", &page, &man);
}
