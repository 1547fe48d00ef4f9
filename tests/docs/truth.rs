//! What the pages claim beside what they run: links, tests, files.

use std::collections::BTreeSet;
use std::path::Path;

use super::home::Home;
use super::page::Page;
use super::{docs, page, play};

/// Returns the names of all pages, from `docs/`.
pub fn pages() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "reference/"] {
        for entry in std::fs::read_dir(docs().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|end| end == "md") {
                names.push(format!("{folder}{name}"));
            }
        }
    }
    names.sort();
    names
}

#[test]
fn links_lead_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut seen = 0;
    for name in pages() {
        let page = page(&name);
        let folder = docs().join(&name).parent().unwrap().to_owned();
        for found in link.captures_iter(&page.text) {
            let target = &found[1];
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { docs().join(&name) } else { folder.join(file) };
            assert!(path.exists(), "{name}: {target}");
            if !anchor.is_empty() {
                let anchors = Page::read(&path).anchors();
                assert!(anchors.iter().any(|known| known == anchor), "{name}: {target}");
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

/// They stand for calls in a script, so they are read and not run.
#[test]
fn examples_in_the_reference_are_lua() {
    let reference = pages().into_iter().filter(|name| name.starts_with("reference/"));
    for name in reference {
        for block in page(&name).sections.iter().flat_map(|section| &section.blocks) {
            play::read(block).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
    }
}

/// The table of `worktrees.md`, held against a command of an agent.
#[test]
fn variables_of_commands_are_given() {
    let text = page("worktrees.md").text;
    let table = text.split("| variable | |\n").nth(1).unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let names: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(names.len(), 8);
    let home = Home::new();
    home.repository();
    let ran = home.script(
        "local model = agent.model { reply = function(request)\n\
           local ask = { name = 'Bash', input = { command = 'env' } }\n\
           return request.turn == 1 and { tools = { ask } } or request.results[1].content\n\
         end }\n\
         print(agent.query { prompt = 'x', worktree = true, model = model }.result)",
    );
    for name in names {
        let given = ran.stdout.lines().any(|line| line.starts_with(&format!("{name}=")));
        assert!(given, "{name}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = page("README.md").text;
    for name in pages().into_iter().filter(|name| name != "README.md") {
        assert!(index.contains(&format!("]({name})")), "{name}");
    }
}

#[test]
fn tests_that_are_named_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = regex::Regex::new(r"`(tests/[a-z_/]+\.(?:rs|lua))(?::([a-z0-9_]+))?`").unwrap();
    let mut seen = BTreeSet::new();
    for name in pages() {
        for found in named.captures_iter(&page(&name).text) {
            let path = root.join(&found[1]);
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name}: {}", &found[0]));
            if let Some(function) = found.get(2) {
                let declared = format!("fn {}(", function.as_str());
                assert!(text.contains(&declared), "{name}: {}", &found[0]);
            }
            seen.insert(found[0].to_owned());
        }
    }
    assert!(seen.len() > 30, "{}", seen.len());
}
