//! Where a cassette is recorded, and where it is played: two homes that have nothing in common but the
//! files of their repositories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::home::{Home, Ran};

/// A repository, as often as it is needed.
pub struct Studio {
    files: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

/// A home in which one run is.
pub struct Room {
    pub home: Home,
    pub cassette: PathBuf,
}

impl Studio {
    /// Makes one whose repositories have these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let folder = tempfile::tempdir().unwrap();
        Self { files: files.iter().map(owned).collect(), folder }
    }

    /// Returns where the cassette is.
    pub fn cassette(&self) -> PathBuf {
        self.folder.path().join("x.jsonl")
    }

    /// Returns the text of the cassette.
    pub fn text(&self) -> String {
        std::fs::read_to_string(self.cassette()).unwrap()
    }

    /// Returns the lines of the cassette.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Makes a home with a repository.
    pub fn room(&self) -> Room {
        let home = Home::new();
        for (name, text) in &self.files {
            home.write(name, text);
        }
        home.repository();
        Room { home, cassette: self.cassette() }
    }

    /// Records a script whose models are written in Lua.
    #[track_caller]
    pub fn record(&self, source: &str) -> (Room, Ran) {
        let room = self.room();
        let ran = Ran::of(&mut room.run(source, &["--record", &shown(&room.cassette)]));
        (room, ran)
    }

    /// Plays a script.
    pub fn replay(&self, source: &str, flags: &[&str]) -> (Room, Ran) {
        let room = self.room();
        let cassette = shown(&room.cassette);
        let flags = [&["--replay", &cassette], flags].concat();
        let ran = Ran::of(&mut room.run(source, &flags));
        (room, ran)
    }
}

impl Room {
    /// Returns a command that runs a script, which is kept beside the repository.
    pub fn run(&self, source: &str, flags: &[&str]) -> Command {
        std::fs::write(self.home.beside("main.lua"), source).unwrap();
        self.home.command(&[&["run"], flags, &["../main.lua"]].concat())
    }

    /// Returns the tree of each branch but `main`, by its name; those named after agents by no name, as
    /// they have another in every run.
    pub fn trees(&self) -> BTreeMap<String, Vec<String>> {
        let mut git = self.home.command_of(Path::new("git"));
        trees(&Ran::of(git.args(BRANCHES)).stdout)
    }
}

/// Lists the branches of a repository for [`trees`].
pub const BRANCHES: [&str; 3] =
    ["for-each-ref", "--format=%(refname:short) %(tree)", "refs/heads/"];

/// Returns the trees of branches that were listed.
pub fn trees(listed: &str) -> BTreeMap<String, Vec<String>> {
    let mut trees = BTreeMap::<String, Vec<String>>::new();
    for line in listed.lines() {
        let (name, tree) = line.split_once(' ').unwrap();
        let name = if name.starts_with("agentlua/") { "agentlua/…" } else { name };
        trees.entry(name.to_owned()).or_default().push(tree.to_owned());
    }
    for trees in trees.values_mut() {
        trees.sort();
    }
    trees
}

pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
