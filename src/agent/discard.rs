//! The end of an agent that may only look: its worktree goes, whatever commands or tools of the script
//! have left in it. Files that no commit has are kept under `refs/agentlua/removed/<id>` all the same,
//! for nothing that was written is ever lost.

use std::collections::BTreeSet;

use super::ground::{Ground, Harvest};
use crate::error::{Error, Kind, Result};
use crate::event::Events;
use crate::git::gc::{Claim, Survey};
use crate::git::{Worktree, gc};

/// Removes the worktree of a harvest that kept it. One that was there before stays as it is.
///
/// # Errors
/// Git, when something holds it; it is then kept.
pub(super) async fn discard(
    events: &Events,
    ground: &Ground,
    id: &str,
    run: &str,
    harvest: &mut Harvest,
) -> Result<()> {
    let Some(worktree) = ground.worktree().filter(|worktree| !worktree.was_there()) else {
        return Ok(());
    };
    if harvest.removed.is_none() && !harvest.lost {
        let finding = finding(worktree, id, run, harvest).await?;
        let kept = finding.remove_by_force(worktree.repo()).await?;
        let Some(kept) = kept else {
            let path = worktree.path().display();
            return Err(Error::new(
                Kind::Git,
                format!("something came into `{path}` as it was removed"),
            ));
        };
        harvest.removed = Some(finding.ignored);
        if !kept.is_empty() {
            let refs = kept.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            events.warn(format!(
                "{id}: it may only read, but files were changed; they went with its worktree, and {refs} \
                 has them"
            ));
        }
    }
    harvest.files_changed.clear();
    Ok(())
}

async fn finding(
    worktree: &Worktree,
    id: &str,
    run: &str,
    harvest: &Harvest,
) -> Result<gc::Finding> {
    let ours = BTreeSet::from([worktree.branch().to_owned()]);
    let claim = Claim {
        id: id.to_owned(),
        run: run.to_owned(),
        branch: Some(worktree.branch().to_owned()),
        // The branch goes at the end of the run, as that of every agent that added nothing to it.
        branch_created: false,
        worktree_path: Some(worktree.path().to_owned()),
        base_commit: Some(worktree.base_commit().to_owned()),
        head_commit: harvest.head_commit.clone(),
    };
    let found = Survey::new(worktree.repo(), &ours).await?.judge(&claim).await?;
    found.ok_or_else(|| Error::internal(format!("the worktree of {id} is not there")))
}
