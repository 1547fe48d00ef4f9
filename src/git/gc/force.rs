//! Removal by force: what nothing else holds is put under `refs/agentlua/removed/<id>/` first, files
//! that no commit has as a commit. So nothing is lost even then.

use std::sync::Arc;

use super::{Finding, Verdict};
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::repo::Repo;

impl Finding {
    /// Tells whether it cannot even go by force.
    pub fn is_bound(&self) -> bool {
        self.at_stake.forbidden
    }

    /// Removes it whatever the verdict, and keeps what nothing else holds; returns the refs that do.
    /// `None`: something has come since it was judged, and all is as it was.
    ///
    /// # Errors
    /// [`Kind::Git`] when it is in use or holds what no ref can keep, or cannot be removed.
    pub async fn remove_by_force(&self, repo: &Arc<Repo>) -> Result<Option<Vec<String>>> {
        if let (true, Verdict::Kept(why)) = (self.at_stake.forbidden, &self.verdict) {
            return Err(Error::new(Kind::Git, format!("{} stays: {why}", self.id))
                .hint("no ref can keep a repository, nor what is in use: move it away first"));
        }
        let (finding, repo) = (self.clone(), Arc::clone(repo));
        let step = async move {
            let trouble = || format!("cannot keep what only {} has", finding.id);
            let kept = finding.keep(&repo).await.or_kind(Kind::Git, trouble)?;
            crash::point("remove.kept");
            let pledge = finding.removal.intend(&repo).await?;
            let removed = finding.removal.carry_out(&repo, pledge).await?;
            Ok(removed.then_some(kept))
        };
        crate::git::to_the_end(step, |_| async {}).await
    }

    /// Puts refs on all that is at stake.
    async fn keep(&self, repo: &Repo) -> anyhow::Result<Vec<String>> {
        let mut keep = Vec::new();
        for (name, id) in &self.at_stake.commits {
            // An operation may name a commit that is not there any more.
            if repo.git("cat-file").args(["-e", id]).run().await?.code == Some(0) {
                keep.push((name.clone(), id.clone()));
            }
        }
        for (name, tree) in [("files", &self.at_stake.files), ("index", &self.at_stake.index)] {
            if let Some(tree) = tree {
                let parents: Vec<&str> = self.parent.as_deref().into_iter().collect();
                let message = format!("{name} of {} that no commit had\n", self.id);
                let commit = repo.commit_tree(tree, &parents, &message, false).await?;
                keep.push((name.to_owned(), commit));
            }
        }
        let space = format!("refs/agentlua/removed/{}", self.id);
        let there = repo.find_refs(&[&format!("{space}/")]).await?;
        let (mut input, mut kept) = (Vec::new(), Vec::new());
        for (name, id) in keep {
            let full = format!("{space}/{name}");
            let taken = |name: &String| {
                there.iter().any(|found| found.name == *name && found.target != id)
                    || kept.contains(name)
            };
            let mut free = full.clone();
            let mut number = 1;
            while taken(&free) {
                number += 1;
                free = format!("{full}-{number}");
            }
            input.extend_from_slice(format!("update {free}\0{id}\0\0").as_bytes());
            kept.push(free);
        }
        if !input.is_empty() {
            repo.git("update-ref").args(["-z", "--stdin"]).stdin(input).bytes().await?;
        }
        Ok(kept)
    }
}
