//! Operations of git's that wait for their user: a merge with conflicts, a rebase that has stopped.

use std::path::Path;

/// What git leaves in a worktree's own git directory while an operation waits for its user, and the
/// operation. A rebase leaves more than one of them.
const OPERATIONS: [(&str, &str); 7] = [
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry_pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry_pick"),
    ("BISECT_LOG", "bisect"),
];

/// Tells whether a merge, rebase or the like is in progress in the worktree of this git directory.
pub(in crate::git) fn is_parked(git_dir: &Path) -> bool {
    operation(git_dir).is_some()
}

/// Returns what is in progress in the worktree of this git directory: `merge`, `rebase`,
/// `cherry_pick`, `revert` or `bisect`.
pub(in crate::git) fn operation(git_dir: &Path) -> Option<&'static str> {
    let found = OPERATIONS.iter().find(|(name, _)| git_dir.join(name).exists());
    found.map(|(_, operation)| *operation)
}
