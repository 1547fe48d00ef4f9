//! What people are told of an agent's worktree: what it got, and what of it could not be taken in.

use std::path::Path;

use super::ground::{Ground, Harvest, listed};
use crate::error::{Error, Kind};
use crate::event::{Event, Events, Level};
use crate::git::{Kept, Worktree, size};

/// From how many included files or bytes on that is said.
const MANY_FILES: u64 = 1_000;
const MANY_BYTES: u64 = 100_000_000;

/// Says what ignored files a worktree got, where that is much, and which it could not get.
pub(super) fn of_included(events: &Events, id: &str, ground: &Ground) {
    let Some(included) = ground.worktree().map(Worktree::included) else { return };
    if included.files >= MANY_FILES || included.bytes >= MANY_BYTES {
        let (files, bytes) = (included.files, size::shown(included.bytes));
        events.emit(Event::Message {
            level: Level::Info,
            text: format!("{id}: {files} ignored files ({bytes}) were copied into its worktree"),
        });
    }
    if included.exposed > 0 {
        events.warn(format!(
            "{id}: {} files to include were left out: its base does not ignore them, so they \
                 would be committed",
            included.exposed
        ));
    }
}

/// Says what could not be taken in as usual.
pub(super) fn of_leftovers(events: &Events, id: &str, harvest: &Harvest) {
    if !harvest.skipped.is_empty() {
        let paths = harvest.skipped.join(", ");
        events.warn(format!("{id}: git cannot store {paths}; the worktree is kept"));
    }
    if let Some(kept) = beside(&harvest.kept) {
        events.warn(format!("{id}: {kept}"));
    }
    if !harvest.nested.is_empty() {
        let names = listed(&harvest.nested);
        events.warn(format!(
            "{id}: repositories inside its worktree were committed as files: {names}; the worktree \
                 is kept"
        ));
    }
    if let Some(left) = &harvest.left {
        events.warn(format!("{id}: its git directory {left}"));
    }
}

/// Says what an agent changed where it may not.
pub(super) fn of_outside(events: &Events, id: &str, paths: &[String]) {
    if !paths.is_empty() {
        let paths = listed(paths);
        events.warn(format!("{id}: changed outside its scope, not committed: {paths}"));
    }
}

/// Says in one line what an agent made beside its branch, and where that is.
fn beside(kept: &[Kept]) -> Option<String> {
    let (last, others) = kept.split_last()?;
    if others.is_empty() {
        let Kept { name, what } = last;
        return Some(format!("its {what} is not part of its work; it is on {name}"));
    }
    let folder = |name: &str| name.splitn(5, '/').take(4).collect::<Vec<_>>().join("/");
    let whats: Vec<&str> = others.iter().map(|kept| &*kept.what).collect();
    let (whats, last_what) = (whats.join(", "), &last.what);
    let under = folder(&last.name);
    Some(format!("its {whats} and {last_what} are not part of its work; they are under {under}/"))
}

/// Says that an agent changed what it may not.
pub(super) fn out_of_scope(paths: &[String], worktree: &Path) -> Error {
    let message =
        format!("paths outside the scope were changed, and are not committed: {}", listed(paths));
    let hint = format!("they are in its worktree: git -C {} status", worktree.display());
    Error::new(Kind::Git, message).with("paths", paths.into()).hint(hint)
}

/// Says that there were no files to take in at the end.
pub(super) fn lost(worktree: &Path, id: &str, turns: u32) -> Error {
    let message = format!("somebody deleted the worktree `{}`", worktree.display());
    Error::new(Kind::Git, message).hint(format!(
        "the files that it had are kept after each turn: base = \"{id}@turn:{turns}\""
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_work_takes_one_line() {
        let kept = |name: &str, what: &str| Kept {
            name: format!("refs/agentlua/run-1/agent-1/{name}"),
            what: what.to_owned(),
        };
        assert_eq!(beside(&[]), None);
        let one = [kept("heads/a/b", "branch `a/b`")];
        assert_eq!(
            beside(&one).unwrap(),
            "its branch `a/b` is not part of its work; it is on refs/agentlua/run-1/agent-1/heads/a/b"
        );
        let [one] = one;
        let three = [one, kept("tags/t", "tag `t`"), kept("stash/0", "`stash@{0}`")];
        assert_eq!(
            beside(&three).unwrap(),
            "its branch `a/b`, tag `t` and `stash@{0}` are not part of its work; they are under \
             refs/agentlua/run-1/agent-1/"
        );
    }
}
