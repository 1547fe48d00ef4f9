//! What people are told of an agent's worktree: what it got, and what of it could not be taken in.

use super::ground::{Ground, Harvest, listed};
use crate::error::{Error, Kind};
use crate::event::{Event, Events, Level};
use crate::git::{Kept, Left, Worktree, size};

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
    for Kept { name, what } in &harvest.kept {
        events.warn(format!("{id}: its {what} is not part of its work; it is on {name}"));
    }
    if !harvest.nested.is_empty() {
        let names = harvest.nested.join(", ");
        events.warn(format!(
            "{id}: the repositories {names} in its worktree were committed as files; the worktree \
                 is kept"
        ));
    }
    if let Some(Left { path, why }) = &harvest.left {
        events.warn(format!("{id}: its git directory `{}` is kept: {why}", path.display()));
    }
    if !harvest.outside.is_empty() {
        let paths = listed(&harvest.outside);
        events.warn(format!("{id}: changed outside its scope, not committed: {paths}"));
    }
}

/// Says that an agent changed what it may not.
pub(super) fn out_of_scope(paths: &[String]) -> Error {
    let message = format!(
        "paths outside the scope were changed, and are not committed: {}; they are in the worktree",
        listed(paths)
    );
    Error::new(Kind::Git, message).with("paths", paths.into())
}
