//! Calls about files: which rule covers a path, and which paths a command names.

use std::path::{Path, PathBuf};

use super::path::{PathRule, Place};
use super::program;
use super::rule::{Access, Rule};
use super::shell::{Part, Piece, Script, Word};
use super::{Rules, Verdict};

/// How many directories a command may go through by `cd`.
const MAX_DIRS: usize = 16;
/// Programs to which the name of a file is a word like any other.
const MENTIONING: &str = "\
     echo printf test [ ls stat basename dirname cd mkdir which";
/// Programs that write the files they name.
const WRITING: &str = "\
     tee touch rm mv cp ln sed truncate chmod chown install dd unlink patch";

impl Rules {
    pub(super) fn weigh_file(&self, tool: &str, path: Option<&str>, root: &Path) -> Verdict {
        let access = if matches!(tool, "Edit" | "Write") { Access::Edit } else { Access::Read };
        // A search without a path passes over the workspace.
        let place = path.map(|path| Place::new(path, root, root));
        if let Some(why) = place.as_ref().and_then(|place| self.forbidden_file(access, place)) {
            return Verdict::Denied(why);
        }
        if self.allowed.is_none() {
            return Verdict::Open(Ok(()));
        }
        let own = |rule: &&Rule| rule.concerns(tool);
        let scoped = self.allowed.iter().flatten().filter(own).filter_map(Rule::files);
        if self.lists_whole(tool) || place.is_some_and(|place| place.is_under(scoped)) {
            return Verdict::Allowed;
        }
        let list = self.listed(tool).join(", ");
        Verdict::Open(Err(format!("the rules of this agent allow {tool} only for {list}")))
    }

    /// Says which rule could forbid what is done with a file.
    pub(super) fn forbidden_file(&self, access: Access, place: &Place) -> Option<String> {
        let about = self.denied.iter().filter(|rule| rule.access() == Some(access));
        let found = about.filter_map(Rule::files).find(|rule| place.could_be(rule))?;
        let done = if access == Access::Edit { "editing" } else { "reading" };
        Some(format!("the rules of this agent forbid {done} {}", found.shown()))
    }

    /// Reports whether a listed rule lets the agent read or edit a file.
    pub(super) fn allows_file(&self, access: Access, place: &Place) -> bool {
        let tools: &[&str] = match access {
            Access::Read => &["Read"],
            Access::Edit => &["Edit", "Write"],
        };
        let rules = self.allowed.iter().flatten();
        let scoped = rules.filter(|rule| rule.access() == Some(access)).filter_map(Rule::files);
        tools.iter().any(|tool| self.lists_whole(tool)) || place.is_under(scoped)
    }
}

impl Rule {
    fn files(&self) -> Option<&PathRule> {
        match self {
            Self::Files { rule, .. } => Some(rule),
            _ => None,
        }
    }

    fn access(&self) -> Option<Access> {
        match self {
            Self::Files { access, .. } => Some(*access),
            _ => None,
        }
    }
}

/// Where a command may be: its directory, and those that it may have gone to. Who is in which of them
/// when would take a shell to know, so a path is looked at from all.
pub(super) struct Dirs<'a> {
    root: &'a Path,
    dirs: Vec<PathBuf>,
}

impl<'a> Dirs<'a> {
    pub(super) fn new(root: &'a Path) -> Self {
        Self { root, dirs: vec![root.to_owned()] }
    }

    /// Goes along with `cd`. `false`: nobody can tell where.
    pub(super) fn follow(&mut self, part: &Part) -> bool {
        let words = program::unwrapped(&part.words);
        match program::name(words).as_deref() {
            Some("cd") => {}
            Some("pushd" | "popd") => return false,
            _ => return true,
        }
        let to = match &words[1..] {
            [to] => to.value().filter(|to| !to.starts_with('-') && !is_tilde(to)),
            _ => None,
        };
        let Some(to) = to else { return false };
        let more: Vec<_> = self.dirs.iter().map(|dir| dir.join(&to)).collect();
        self.dirs.extend(more);
        self.dirs.len() <= MAX_DIRS
    }

    /// Returns what a path can be.
    pub(super) fn places(&self, path: &str) -> Vec<Place> {
        self.dirs.iter().map(|dir| Place::new(path, dir, self.root)).collect()
    }

    /// Returns the files that the words of a part name, as far as that is to be seen; `None` when it is
    /// not.
    pub(super) fn operands(&self, part: &Part) -> Option<Vec<Place>> {
        let words = program::seen(&part.words);
        if program::name(words).as_deref() == Some("xargs") {
            return None;
        }
        let mut places = Vec::new();
        for word in words.iter().skip(1) {
            if let Some(value) = word.value() {
                if is_tilde(&value) {
                    return None;
                }
                if value.starts_with('-') {
                    if value.contains(['/', '~']) {
                        return None;
                    }
                    continue;
                }
                let named = self.places(&value);
                if value.contains(['/', '~']) || named.iter().any(Place::exists) || value == ".." {
                    places.extend(named);
                }
                continue;
            }
            if program::listed(MENTIONING, &program::name(words)?) {
                continue;
            }
            // Names in a folder that is known, such as `src/*.rs`.
            let names = word.pieces().iter().all(|piece| match piece {
                Piece::Text(text) => !text.contains(".."),
                Piece::Names => true,
                Piece::Open { .. } => false,
            });
            if !names || word.beginning().starts_with(['-', '~']) {
                return None;
            }
            places.extend(self.places(if word.beginning().is_empty() {
                "."
            } else {
                word.beginning()
            }));
        }
        Some(places)
    }
}

/// Reports whether the shell makes a folder of the beginning that nobody knows here: `~root`, `~+`.
pub(super) fn is_tilde(path: &str) -> bool {
    path.strip_prefix('~').is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

/// Returns the files that a command names, and what it may do with them.
pub(super) fn named(script: &Script, root: &Path) -> impl Iterator<Item = (Access, Place)> {
    let mut dirs = Dirs::new(root);
    let mut found = Vec::new();
    for part in &script.parts {
        for redirect in &part.redirects {
            let access = if redirect.writes { Access::Edit } else { Access::Read };
            let target = redirect.target.value();
            found.extend(target.iter().flat_map(|to| dirs.places(to)).map(|place| (access, place)));
        }
        let words = program::unwrapped(&part.words);
        let name = program::name(words).unwrap_or_default();
        for path in words.iter().skip(1).filter_map(Word::value).flat_map(paths_in) {
            if !program::listed(MENTIONING, &name) {
                found.extend(dirs.places(&path).into_iter().map(|place| (Access::Read, place)));
            }
            if program::listed(WRITING, &name) {
                found.extend(dirs.places(&path).into_iter().map(|place| (Access::Edit, place)));
            }
        }
        dirs.follow(part);
    }
    found.into_iter()
}

/// Returns what of a word may be a path: it, and what stands behind `=` (`--file=x`, `of=x`) or `:`
/// (`HEAD:x`).
fn paths_in(word: String) -> Vec<String> {
    let behind: Vec<String> = ['=', ':']
        .iter()
        .filter_map(|c| word.split_once(*c))
        .map(|(_, path)| path.to_owned())
        .collect();
    let mut paths = behind;
    if !word.starts_with('-') {
        paths.push(word);
    }
    paths.retain(|path| !path.is_empty() && path.len() < 4096);
    paths
}
