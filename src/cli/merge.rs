//! `agentlua merge ID`: the work of an agent that has ended lands on a branch.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::choice::Choice;
use super::look;
use crate::error::Result;
use crate::git::{Merged, Strategy};
use crate::host::merge::{Gate, Verify};
use crate::host::work::Landing;

#[derive(Args)]
#[command(
    after_help = "It is made in memory first: on a conflict or a failed --verify nothing has moved, the\n\
                  paths are told, and the exit code is 1. A checkout of the branch is brought along; edits\n\
                  there that the merge does not touch stay. An agent that still works is refused: wait\n\
                  (agentlua logs -f ID) or stop it (agentlua stop ID)."
)]
pub(super) struct Merge {
    /// The agent's id, or the start of it
    id: String,
    /// The branch that gets it [default: the one that is checked out]
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// merge, squash, ff or rebase [default: merge]
    #[arg(long, value_name = "HOW", hide_possible_values = true)]
    #[arg(value_parser = Choice(&["merge", "squash", "ff", "rebase"]))]
    strategy: Option<String>,
    /// Message of the commit [default: git's own]
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// A command that must succeed with the merged files before they land
    #[arg(long, value_name = "COMMAND")]
    verify: Option<String>,
    /// Print JSON, of a merge that is refused too
    #[arg(long)]
    json: bool,
    /// Repository of the agent [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

/// Merges what an agent did and returns the exit code.
pub(super) fn main(merge: &Merge) -> Result<i32> {
    look::with(merge.repo.as_deref(), async |look| {
        let strategy = merge.strategy.as_deref().map(Strategy::parse).transpose()?;
        let landing = Landing {
            id: merge.id.clone(),
            into: merge.into.clone(),
            strategy: strategy.unwrap_or_default(),
            message: merge.message.clone(),
        };
        let gate = Gate {
            verify: merge.verify.clone().map(Verify::Command),
            setup: look.host.config().worktree.setup.clone(),
            // What has begun to land is landed; everything before ends at once.
            cancel: look.interrupted()?,
            ..Gate::default()
        };
        let merged = Arc::clone(&look.host).merge_agent(landing, &gate).await;
        let told = match &merged {
            Ok(Merged { status, commit, into }) => {
                Some(json!({ "status": status, "commit": commit, "into": into }))
            }
            Err(error) => error.detail("merge").cloned(),
        };
        if let (Some(told), true) = (told, merge.json) {
            look.print_json(&told)?;
        }
        merged.map(|_| 0)
    })
}
