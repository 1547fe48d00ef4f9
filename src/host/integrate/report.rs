//! What is told of an integration: an outcome like an agent's, and what became of each branch.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Work;
use crate::agent::Subtype;
use crate::error::{Error, Kind, Result};
use crate::git::Proposal;
use crate::host::merge::{Account, Team};

/// What became of a branch.
pub(super) enum Fate {
    /// Its turn has not come.
    Waiting,
    /// It is part of the result.
    Merged {
        /// The commit.
        proposal: Proposal,
        /// How conflicts were resolved.
        account: Account,
    },
    /// It could not be merged.
    Failed(Error),
}

impl Work<'_> {
    /// Returns the fields of the outcome. `made` tells whether the branch is there.
    pub(super) async fn outcome(&self, error: Option<&Error>, made: bool) -> Result<Value> {
        let spent = self.team.map(Team::spent).unwrap_or_default();
        let changed = if made {
            let (repo, from, to) =
                (Arc::clone(self.repo), self.base.clone(), self.tip.commit.clone());
            self.host.beside(async move { repo.changed_paths(&from, &to).await }).await??
        } else {
            Vec::new()
        };
        let subtype = match error.map(|error| error.kind) {
            None => Subtype::Success,
            Some(Kind::Verify) => Subtype::ErrorVerify,
            Some(Kind::Cancelled) => Subtype::ErrorCancelled,
            Some(Kind::Budget) => Subtype::ErrorMaxBudgetUsd,
            Some(_) => Subtype::ErrorDuringExecution,
        };
        let known = (spent.agents > 0 && !spent.unpriced).then_some(spent.cost_usd);
        let label = self.wanted.label.clone().unwrap_or_else(|| self.branch.clone());
        Ok(json!({
            "ok": error.is_none(),
            "subtype": subtype.as_str(),
            "result": self.told(error),
            "label": label,
            "branch": made.then_some(&self.branch),
            "base_commit": self.base,
            "head_commit": made.then_some(&self.tip.commit),
            "files_changed": changed,
            "num_turns": spent.turns,
            "duration_ms": u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "duration_api_ms": spent.api_ms,
            "usage": spent.usage,
            "total_cost_usd": known,
            "permission_denials": [],
        }))
    }

    /// Says in a line what came of it.
    fn told(&self, error: Option<&Error>) -> String {
        let (count, of) = (self.steps.len(), self.wanted.sources.len());
        match (error, &self.wanted.into) {
            (Some(error), _) => error.message.clone(),
            (None, Some(into)) => {
                format!(
                    "merged {count} of {of} branches onto `{}`, and that into `{into}`",
                    self.branch
                )
            }
            (None, None) => format!("merged {count} of {of} branches onto `{}`", self.branch),
        }
    }

    /// Says what became of each branch.
    pub(super) fn merges(&self) -> Vec<Value> {
        let told = self.wanted.sources.iter().zip(&self.fates).map(|(source, fate)| {
            let mut fields = match fate {
                Fate::Waiting => json!({ "status": "not_tried" }),
                Fate::Merged { proposal, account } => {
                    let mut fields =
                        json!({ "status": proposal.status, "commit": proposal.commit });
                    account.tell(&mut fields);
                    fields
                }
                Fate::Failed(error) => {
                    let mut fields = error.detail("merge").cloned().unwrap_or_else(|| json!({}));
                    if fields.get("status").is_none() {
                        fields["status"] = json!("failed");
                    }
                    fields["message"] = json!(error.message);
                    if let Some(outcome) = error.detail("outcome") {
                        fields["outcome"] = outcome.clone();
                    }
                    fields
                }
            };
            fields["branch"] = json!(source.rev);
            fields
        });
        told.collect()
    }
}
