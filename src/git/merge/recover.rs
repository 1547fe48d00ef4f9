//! What a merge left that was cut off: a landing is finished or taken back, a temporary worktree goes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::checkout::{Checkout, Held};
use super::land::{KIND, Landing};
use super::{listed, trial};
use crate::crash;
use crate::error::{Kind, Result, ResultExt};
use crate::git::ledger::Pledge;
use crate::git::repo::Repo;
use crate::git::to_the_end;
use crate::git::worktree::{self, require_place};
use crate::journal::{Intent, Store};

/// What a merge writes down before it does it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum Step {
    /// The move of the target, and of its checkouts.
    Land(Landing),
    /// A temporary worktree.
    Trial(trial::Record),
}

/// Sees to every landing that was cut off; returns what to tell people. Temporary worktrees are in
/// nobody's way, and wait for the next start.
pub(super) async fn recover_all(repo: &Arc<Repo>) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for intent in repo.store().await?.unsettled().await? {
        if intent.kind == KIND && !intent.alive && intent.detail["step"] == "land" {
            told.extend(recover(repo, &intent).await?);
        }
    }
    Ok(told)
}

/// Finishes or takes back one merge that was cut off and settles its intent; returns what to tell
/// people, if anything. Its host must be gone. Doing it again changes nothing.
///
/// # Errors
/// When it could not be done, such as on a full disk; the intent stays for the next time.
pub(in crate::git) async fn recover(repo: &Arc<Repo>, intent: &Intent) -> Result<Option<String>> {
    let step = serde_json::from_value(intent.detail.clone());
    let step = step.or_kind(Kind::Git, || {
        format!("cannot read what a merge into `{}` wrote down", intent.subject)
    })?;
    let (repo, id, subject) = (Arc::clone(repo), intent.id, intent.subject.clone());
    let work = async move {
        let _lock = repo.lock().await?;
        let store = repo.store().await?;
        if !store.unsettled().await?.iter().any(|open| open.id == id) {
            // Another process has done it in the meantime.
            return Ok(None);
        }
        let told = match step {
            Step::Trial(record) => {
                if let Err(error) = require_place(&repo, &record.id, &record.path) {
                    // It will never be.
                    Pledge::adopted(store, id).settle("not ours").await;
                    return Err(error);
                }
                if is_occupied(&store, &record).await? {
                    return Ok(None);
                }
                trial::remove(&repo, &record).await.map(|()| None)?
            }
            Step::Land(landing) => landed(&repo, id, &landing).await.or_kind(Kind::Git, || {
                format!("cannot finish the merge into `{subject}` that was cut off")
            })?,
        };
        crash::point("merge.recovered");
        Pledge::adopted(store, id).settle("recovered").await;
        Ok(told)
    };
    to_the_end(work, |_| async {}).await
}

/// Tells whether the work of an agent in a temporary worktree is not taken in yet.
async fn is_occupied(store: &Store, record: &trial::Record) -> Result<bool> {
    let path = serde_json::to_value(&record.path).or_kind(Kind::Git, || "cannot read a path")?;
    let open = store.unsettled().await?;
    Ok(open.iter().any(|intent| intent.kind == worktree::KIND && intent.detail["path"] == path))
}

async fn landed(repo: &Repo, intent: i64, landing: &Landing) -> anyhow::Result<Option<String>> {
    let tip = repo.tip(&landing.into).await?;
    let into = landing.into.trim_start_matches("refs/heads/");
    let want = match tip {
        Some(tip) if tip == landing.new => Some(&landing.new),
        Some(tip) if tip == landing.old => Some(&landing.old),
        // Others have moved it since: what is checked out is theirs.
        _ => None,
    };
    let (mut touched, mut left) = (false, Vec::new());
    for (nth, checkout) in landing.checkouts.iter().enumerate() {
        let was_held = checkout.is_locked_by(intent);
        // Before the lock nothing was done, and after it nothing was left to do.
        if !was_held && want != Some(&landing.new) || !checkout.git_dir.is_dir() {
            continue;
        }
        let held = Held::take(repo, checkout.clone(), intent, nth).await?;
        let Some(want) = want else { continue };
        if is_on(repo, checkout, into).await? {
            touched = true;
            left.extend(held.mend(repo, landing, want).await?);
        }
    }
    Ok(match (want, touched) {
        (_, true) if !left.is_empty() => Some(format!(
            "a merge into `{into}` was cut off: {} left as they are, look at `git status`",
            listed(&left)
        )),
        (Some(want), true) if *want == landing.new => {
            Some(format!("a merge into `{into}` that was cut off is finished"))
        }
        (Some(_), true) => Some(format!("a merge into `{into}` that was cut off is undone")),
        _ => None,
    })
}

async fn is_on(repo: &Repo, checkout: &Checkout, branch: &str) -> anyhow::Result<bool> {
    let head = repo.head_of(&checkout.git_dir).await?;
    Ok(head.branch.as_deref() == Some(branch) && checkout.work_tree.is_dir())
}
