//! Worktrees that a script makes for itself, in a run that is resumed: they begin afresh, for what was done
//! in them is done again. What an earlier life left of one goes first, and what nothing else holds of it is
//! kept under `refs/agentlua/removed/<id>/`.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Host, Known, Place};
use crate::error::{Kind, Result, ResultExt};
use crate::git::Repo;
use crate::git::gc::{Claim, Survey, Verdict};
use crate::git::worktree::Worktree;

/// A worktree of the script's, as it is written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::host) struct Made {
    /// Which of the run's it is.
    pub number: u32,
    /// Its id.
    pub id: String,
    /// Its branch, if that was made for it.
    pub branch: Option<String>,
    /// Its folder, if that was made for it.
    pub path: Option<PathBuf>,
    /// The commit that it starts from.
    pub base_commit: String,
}

impl Made {
    /// Adds what is known once it is there.
    pub fn there(self, worktree: &Worktree) -> Self {
        let created = worktree.branch_created().then(|| worktree.branch().to_owned());
        let path = (!worktree.was_there()).then(|| worktree.path().to_owned());
        Self { branch: created, path, ..self }
    }
}

impl Host {
    /// Returns how many worktrees the script has made, earlier lives of the run included.
    pub(in crate::host) async fn worktrees_made(&self) -> Result<u32> {
        let steps = self.known_steps("worktree").await?;
        let numbers = steps.iter().filter_map(|value| value["number"].as_u64());
        Ok(numbers.max().and_then(|number| u32::try_from(number).ok()).unwrap_or(0))
    }

    /// Writes down a worktree that is about to be made, or was.
    pub(in crate::host) async fn note_worktree(
        &self,
        place: &Place,
        made: &Made,
        done: bool,
    ) -> Result<()> {
        let value = json!(made);
        if done {
            self.keep_step(place, &value).await
        } else {
            self.begin_step(place, &value).await
        }
    }

    /// Removes what an earlier life of the run left of the worktree that is made here.
    ///
    /// # Errors
    /// Git, when it is in use or cannot be removed.
    pub(in crate::host) async fn clear_worktree(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        place: &Place,
    ) -> Result<()> {
        let Some(Known { value, .. }) = self.known_step(place).await? else { return Ok(()) };
        let trouble = || format!("cannot read what was kept of the step `{}`", place.path);
        let made: Made = serde_json::from_value(value).or_kind(Kind::Io, trouble)?;
        let claim = Claim {
            id: made.id,
            run: self.fleet.run_id().to_owned(),
            branch_created: made.branch.is_some(),
            branch: made.branch,
            worktree_path: made.path,
            base_commit: Some(made.base_commit),
            head_commit: None,
        };
        self.clear(repo, claim).await
    }

    /// Removes what an earlier life of the run has made, and keeps what nothing else holds of it.
    pub(in crate::host) async fn clear(&self, repo: &Arc<Repo>, claim: Claim) -> Result<()> {
        let (repo, id) = (Arc::clone(repo), claim.id.clone());
        let removed = self.beside(async move {
            let ours = claim.branch.iter().cloned().collect();
            let survey = Survey::new(&repo, &ours).await?;
            let Some(finding) = survey.judge(&claim).await? else { return Ok(Vec::new()) };
            match finding.verdict {
                Verdict::Spare(_) => finding.remove(&repo).await.map(|_| Vec::new()),
                Verdict::Kept(_) => Ok(finding.remove_by_force(&repo).await?.unwrap_or_default()),
            }
        });
        for name in removed.await?? {
            self.announce_again(format!("{id} begins afresh; what only it had is kept: {name}"));
        }
        Ok(())
    }
}
