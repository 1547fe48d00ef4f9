//! Merges of a dry run: the branches are looked up and, where they are there, merged in memory; nothing
//! moves.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Plan;
use crate::error::{Error, Kind, Result};
use crate::git::{self, Merge, Merged, Repo};
use crate::host::Host;
use crate::host::integrate::{Integrated, Integration};

/// What is asked of a merge beside the merge.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// How the result is verified: the command, or `a function`.
    pub verify: Option<String>,
    /// Whether somebody is there to resolve conflicts.
    pub resolves: bool,
}

impl Wanted {
    fn told(&self) -> String {
        self.verify.as_ref().map(|verify| format!(", verified by {verify}")).unwrap_or_default()
    }
}

impl Host {
    /// Plans merges into one branch; returns what becomes of the target, and of each branch.
    ///
    /// # Errors
    /// Git, for a branch that is not there, or that would conflict with nobody there to resolve it.
    pub async fn plan_merge(
        &self,
        plan: &Plan,
        repo: &Arc<Repo>,
        merges: &[Merge],
        wanted: &Wanted,
    ) -> Result<(Merged, Vec<Value>)> {
        let own = Arc::clone(repo);
        let into = merges.first().and_then(|merge| merge.into.clone());
        let (into, tip) = self.beside(async move { target(&own, into).await }).await??;
        let mut whole = "up_to_date";
        let mut fates = Vec::new();
        for merge in merges {
            if self.is_there(plan, repo, &tip, &merge.branch).await? {
                fates.push(json!({ "branch": merge.name, "status": "up_to_date" }));
                continue;
            }
            let clash = self.clash(repo, &into, &merge.branch).await?;
            let (name, told) = (&merge.name, wanted.told());
            let conflicts = match &clash {
                Some(paths) if !wanted.resolves => return Err(conflicted(name, &into, paths)),
                Some(paths) => format!("; conflicts in {}", paths.join(", ")),
                None => String::new(),
            };
            plan.step("merge", format!("merge `{name}` into `{into}`{told}{conflicts}"));
            if wanted.resolves {
                plan.note("agents that merges ask about conflicts are not in the plan");
            }
            self.fleet.note_merge(name);
            whole = "merged";
            fates.push(json!({ "branch": name, "status": whole, "commit": tip }));
        }
        Ok((Merged { status: whole, commit: tip, into }, fates))
    }

    /// Reports whether a merge would bring nothing.
    async fn is_there(
        &self,
        plan: &Plan,
        repo: &Arc<Repo>,
        tip: &str,
        branch: &str,
    ) -> Result<bool> {
        let changed = plan.state().changed.contains(branch.trim_start_matches("refs/heads/"));
        let (repo, tip, branch) = (Arc::clone(repo), tip.to_owned(), branch.to_owned());
        let there = async move { repo.holds(&tip, &branch).await };
        // Looked up in any case: it has to be there.
        Ok(self.beside(there).await?? && !changed)
    }

    /// Returns the paths in which two branches would conflict, if they would.
    async fn clash(
        &self,
        repo: &Arc<Repo>,
        into: &str,
        branch: &str,
    ) -> Result<Option<Vec<String>>> {
        let (repo, revs) =
            (Arc::clone(repo), vec![format!("refs/heads/{into}"), branch.to_owned()]);
        let clashes = self.beside(async move { git::conflicts(&repo, &revs).await }).await??;
        Ok(clashes.into_iter().next().map(|clash| clash.paths))
    }

    /// Plans an integration.
    ///
    /// # Errors
    /// Git, for a branch that is not there, or a name that is taken.
    pub async fn plan_integration(
        self: &Arc<Self>,
        plan: &Plan,
        repo: &Arc<Repo>,
        asked: &Integration,
        wanted: &Wanted,
    ) -> Result<Integrated> {
        let (branch, base) = self.begin_integration(repo, asked).await?;
        let names: Vec<&str> = asked.sources.iter().map(|source| &*source.rev).collect();
        for name in &names {
            let (own, name) = (Arc::clone(repo), (*name).to_owned());
            self.beside(async move { own.resolve_base(&name).await }).await??;
        }
        let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let landed = asked.into.as_ref().map(|into| format!(", and that into `{into}`"));
        plan.step(
            "integrate",
            format!(
                "merge {} onto a new `{branch}`{}{}",
                shown.join(", "),
                wanted.told(),
                landed.unwrap_or_default()
            ),
        );
        plan.note("agents that merges ask about conflicts are not in the plan");
        repo.pretend(&branch, &base);
        let outcome = json!({
            "ok": true,
            "subtype": "success",
            "result": format!("(planned) merged {} branches onto `{branch}`", names.len()),
            "label": asked.label.as_ref().unwrap_or(&branch),
            "branch": branch,
            "base_commit": base,
            "head_commit": base,
            "files_changed": [],
            "num_turns": 0,
            "duration_ms": 0,
            "duration_api_ms": 0,
            "usage": crate::event::Usage::default(),
            "total_cost_usd": null,
            "permission_denials": [],
        });
        let merged = |name: &&str| json!({ "branch": name, "status": "merged", "commit": base });
        Ok(Integrated { outcome, merges: names.iter().map(merged).collect() })
    }
}

/// Returns the branch that takes a merge, and its commit.
async fn target(repo: &Repo, into: Option<String>) -> Result<(String, String)> {
    let into = match into {
        Some(into) => into.trim_start_matches("refs/heads/").to_owned(),
        None => repo.head().await?.branch.ok_or_else(|| {
            Error::new(Kind::Git, "HEAD is on no branch that could take a merge")
                .hint("say which: git.merge { branch = …, into = \"main\" }")
        })?,
    };
    match repo.resolve(&format!("refs/heads/{into}")).await {
        Ok(tip) => Ok((into, tip)),
        Err(_) => Err(Error::new(Kind::Git, format!("there is no branch `{into}`"))),
    }
}

fn conflicted(branch: &str, into: &str, paths: &[String]) -> Error {
    let why = format!("`{branch}` conflicts with `{into}` in {}", paths.join(", "));
    let merge = json!({ "status": "conflicted", "into": into, "paths": paths, "conflicts": [] });
    Error::new(Kind::Git, why).with("merge", merge)
}
