//! Commits of the script as steps. Git makes the commit, so its id is not known before: what is written
//! down is where HEAD was, and a commit that was cut off is looked for from there.

use std::sync::Arc;

use serde_json::{Value, json};

use super::merge::text;
use super::{Host, Known, Place};
use crate::crash;
use crate::error::{Kind, Result, ResultExt};
use crate::git::{MadeCommit, NewCommit, Planned, Repo};

impl Host {
    /// Commits in a checkout, unless this step has done so before.
    ///
    /// # Errors
    /// As [`Repo::commit`]; when the journal cannot be read or written, and then nothing is committed.
    pub async fn commit(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        place: Place,
        new: NewCommit,
    ) -> Result<MadeCommit> {
        if let Some(made) = self.committed_before(repo, &place, &new).await? {
            return Ok(made);
        }
        let (host, begun, own) = (Arc::clone(self), place.clone(), Arc::clone(repo));
        let amend = new.amend;
        let write = async move |planned: Planned| {
            host.begin_step(&begun, &json!({ "planned": planned })).await
        };
        let (made, planned) =
            self.beside(async move { own.commit_after(new, write).await }).await??;
        crash::point("commit.unkept");
        let value = record(&planned, &made, amend);
        self.keep_happened(&place, &value).await;
        Ok(made)
    }

    /// Returns the commit that a step has made before, if it is still there.
    async fn committed_before(
        self: &Arc<Self>,
        repo: &Arc<Repo>,
        place: &Place,
        new: &NewCommit,
    ) -> Result<Option<MadeCommit>> {
        let Some(Known { done, value }) = self.known_step(place).await? else { return Ok(None) };
        let trouble = || format!("cannot read what was kept of the step `{}`", place.path);
        if !done {
            let planned: Planned =
                serde_json::from_value(value["planned"].clone()).or_kind(Kind::Io, trouble)?;
            let (own, wanted, plan) = (Arc::clone(repo), new.clone(), planned.clone());
            let made = self.beside(async move { own.committed(&plan, &wanted).await }).await??;
            if let Some(made) = &made {
                let value = record(&planned, made, new.amend);
                self.keep_happened(place, &value).await;
            }
            return Ok(made);
        }
        let there = match value["into"].as_str() {
            Some(branch) => self.is_on(repo, branch, text(&value, "commit")).await?,
            None => None,
        };
        if there == Some(false) {
            let commit = text(&value, "commit");
            let branch = text(&value, "into");
            self.announce_again(format!(
                "`{branch}` does not have the commit {commit:.10} of this run any more: it is made again"
            ));
            return Ok(None);
        }
        serde_json::from_value(value["result"].clone()).or_kind(Kind::Io, trouble).map(Some)
    }
}

fn record(planned: &Planned, made: &MadeCommit, amend: bool) -> Value {
    json!({
        "old": planned.old,
        "commit": made.commit,
        "into": made.branch,
        "amend": amend,
        "result": made,
    })
}
