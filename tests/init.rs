//! `agentlua init` and `agentlua completions`: what is there afterwards, and what is never touched.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use agentlua::config::VARIABLES;
use agentlua::manual::STUBS;
use home::{Home, Ran};

/// Returns every file below a folder with its text, git's own left out.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && !path.ends_with(".git") {
                folders.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_project_is_set_up_and_its_test_passes_without_a_key() {
    let home = Home::new();
    home.repository();
    let ran = home.run(&["init"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ran.stdout, @r"
    wrote  .agentlua/types/  what editors know of agentlua; git ignores it
    wrote  .luarc.json       tells the Lua language server of it
    wrote  first.lua         two agents, each on a branch of its own
    wrote  first_test.lua    the same, played without a key

    next:
      agentlua test             plays the agents: no key, no network
      agentlua run first.lua    has a model do it, with your key
      agentlua doctor           says what is missing here, if anything is
    ");
    let made = files(&home.path(""));
    let stubs = STUBS.map(|(name, text)| (format!(".agentlua/types/{name}.lua"), text));
    for (name, text) in &stubs {
        assert_eq!(made[name], *text);
    }
    assert_eq!(made.len(), stubs.len() + 4, "{:?}", made.keys());
    let tested = home.run(&["test"]);
    assert_eq!(tested.code, 0, "{}{}", tested.stdout, tested.stderr);
    assert!(tested.stdout.contains("1 passed"), "{}", tested.stdout);
    let git = Ran::of(home.command_of(Path::new("git")).args(["status", "--porcelain", "-uall"]));
    assert_eq!(git.stdout, "?? .luarc.json\n?? first.lua\n?? first_test.lua\n", "{git:?}");
}

#[test]
fn a_second_call_changes_nothing_and_old_stubs_are_made_new() {
    let home = Home::new();
    home.repository();
    assert_eq!(home.run(&["init"]).code, 0);
    let before = files(&home.path(""));
    let again = home.run(&["init"]);
    assert_eq!(files(&home.path("")), before);
    assert!(again.stdout.starts_with("up to date  .agentlua/types/"), "{}", again.stdout);
    home.write(".agentlua/types/git.lua", "---@meta agentlua.git\n");
    home.write(".agentlua/types/gone.lua", "---@meta agentlua.gone\n");
    home.write(".agentlua/types/mine.lua", "-- of the user's\n");
    let updated = home.run(&["init"]);
    assert!(updated.stdout.starts_with("updated     .agentlua/types/"), "{}", updated.stdout);
    let mut expected = before;
    expected.insert(".agentlua/types/mine.lua".into(), "-- of the user's\n".into());
    assert_eq!(files(&home.path("")), expected);
}

#[test]
fn what_is_there_stays() {
    let home = Home::new();
    home.repository();
    home.write("first.lua", "print 'mine'\n");
    home.write(".luarc.json", "{\n    \"z\": [1],\n    \"a\": \"b\"\n}\n");
    let ran = home.run(&["init", "."]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("kept     first.lua         it is there already\n"),
        "{}",
        ran.stdout
    );
    let made = files(&home.path(""));
    assert_eq!(made["first.lua"], "print 'mine'\n");
    let merged = "{\n    \"z\": [\n        1\n    ],\n    \"a\": \"b\",\n    \"workspace.library\": [\n        \
                  \".agentlua/types\"\n    ]\n}\n";
    assert_eq!(made[".luarc.json"], merged);

    let commented = "{\n  // mine\n  \"workspace.library\": []\n}\n";
    home.write(".luarc.json", commented);
    home.write(".emmyrc.json", "{}");
    let ran = home.run(&["init"]);
    assert_eq!(files(&home.path(""))[".luarc.json"], commented);
    let advice = "`.luarc.json` is not plain JSON, so it is left to you. Add to it:\n\n  \
                  \"workspace.library\": [\".agentlua/types\"]\n";
    assert!(ran.stdout.contains(advice), "{}", ran.stdout);
    let advice = "`.emmyrc.json` goes before `.luarc.json` with EmmyLua. Add to it:\n\n  \
                  \"workspace\": { \"library\": [\".agentlua/types\"] }\n";
    assert!(ran.stdout.contains(advice), "{}", ran.stdout);
}

#[test]
fn a_folder_is_made_and_a_missing_repository_is_said() {
    let home = Home::new();
    let ran = home.run(&["init", "new/shop"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(home.path("new/shop/first_test.lua").is_file());
    for words in ["This is no git repository", "  git init && git add .", "\n  cd new/shop\n"] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    home.write("file", "");
    let ran = home.run(&["init", "file/below"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.starts_with("error: cannot make the folder `file/below`"), "{}", ran.stderr);
}

#[test]
fn each_shell_gets_what_it_can_read() {
    let home = Home::new();
    for (shell, words) in [
        ("bash", "complete -F _agentlua"),
        ("zsh", "#compdef agentlua"),
        ("fish", "complete -c agentlua"),
        ("elvish", "edit:completion:arg-completer[agentlua]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ran = home.run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.stdout.contains(words), "{shell}");
        for verb in ["run", "agents", "doctor", "completions"] {
            assert!(ran.stdout.contains(verb), "{shell}: {verb}");
        }
    }
    // Bash is on every machine that runs these tests; it says whether it takes it, and what it offers.
    home.write("agentlua.bash", &home.run(&["completions", "bash"]).stdout);
    let ask = "source ./agentlua.bash; COMP_WORDS=(agentlua doc); COMP_CWORD=1
               _agentlua agentlua doc agentlua; echo ${COMPREPLY[@]}";
    let ran = Ran::of(home.command_of(Path::new("bash")).args(["--norc", "-c", ask]));
    assert_eq!(ran.stdout, "doctor\n", "{}", ran.stderr);
    let wrong = home.run(&["completions", "fihs"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("did you mean `fish`?"), "{}", wrong.stderr);
}

#[test]
fn the_man_page_tells_of_every_verb_flag_variable_and_exit() {
    let home = Home::new();
    let ran = home.run(&["completions", "man"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("\n.TH agentlua 1 "), "{}", &ran.stdout[..200]);
    let page = ran.stdout.replace("\\-", "-").replace("\\fB", "").replace("\\fR", "");
    let help = home.run(&["--help"]).stdout;
    let verbs = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for verb in verbs.lines().filter_map(|line| line.split_whitespace().next()) {
        if verb != "help" {
            assert!(page.contains(&format!("\n.SS \"agentlua {verb}")), "{verb}");
        }
    }
    let flags = home.run(&["run", "--help"]).stdout;
    for flag in flags.split_whitespace().filter(|word| word.starts_with("--")) {
        let flag = flag.trim_end_matches(&['.', ',', ':'][..]).split('[').next().unwrap();
        assert!(flag == "--help" || page.contains(flag), "{flag}");
    }
    for (name, _) in VARIABLES {
        assert!(page.contains(name), "{name}");
    }
    for section in ["ENVIRONMENT", "FILES", "EXIT STATUS", "SEE ALSO"] {
        assert!(
            page.contains(&format!("\n.SH \"{section}\"\n"))
                || page.contains(&format!("\n.SH {section}\n"))
        );
    }
}

#[test]
fn the_variables_are_those_that_are_read() {
    let source = include_str!("../src/cli/session.rs");
    let pattern = regex::Regex::new(r#""(AGENTLUA_[A-Z_]+)""#).unwrap();
    let mut read: Vec<&str> =
        pattern.captures_iter(source).map(|found| found.get(1).unwrap().as_str()).collect();
    let mut named: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
    read.sort_unstable();
    read.dedup();
    named.sort_unstable();
    assert_eq!(read, named);
}
