//! What the pages claim beside what they run: links, tests, files, and what is not there yet.

use std::collections::BTreeSet;
use std::path::Path;

use super::home::{Home, Ran};
use super::page::Page;
use super::{WAITING, docs, page};

/// Returns the names of all pages, from `docs/`.
pub fn pages() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["", "reference/"] {
        for entry in std::fs::read_dir(docs().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
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

#[test]
fn what_is_waited_for_is_not_there() {
    let home = Home::new();
    home.repository();
    for (feature, probe) in WAITING {
        home.write("typed", ":help\n");
        let mut command = match probe.strip_prefix("$ ") {
            Some(line) => home.command(&line.split(' ').collect::<Vec<_>>()),
            None => {
                home.write("main.lua", probe);
                home.command(&["run", "main.lua"])
            }
        };
        let ran = Ran::of(command.stdin(std::fs::File::open(home.path("typed")).unwrap()));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let is_missing = match *feature {
            "patterns" => ran.code != 0,
            "repl" => !said.contains(":agents"),
            _ => said.contains("not built yet"),
        };
        assert!(is_missing, "`{feature}` is built: take it from WAITING in tests/docs.rs\n{said}");
    }
}
