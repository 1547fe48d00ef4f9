//! Finishing or taking back what hosts left behind that are gone: the intents without an outcome.
//!
//! One process at a time does it. Each intent is taken over before anything is done about it, so that
//! a crash in here is recovered from as well; what was done is not undone, so a second recovery finds
//! nothing to do. What cannot be recovered is left as it is, and said.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ledger::Pledge;
use super::lock;
use super::merge;
use super::remove::{self, Removal};
use super::repo::Repo;
use super::snapshot::Finished;
use super::worktree::{self, Life, Record, State, Worktree};
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::journal::{AgentChange, AgentFilter, AgentRow, Intent, Store};
use crate::process::alive;

/// How long to wait for git children of a host that is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait for the commands of an agent whose host is gone; a shell of the user's may be there
/// too, and stay.
const COMMANDS: Duration = Duration::from_secs(3);

/// What became of one thing that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// What it was about: an agent, a branch.
    pub subject: String,
    /// What was done, for people to read.
    pub text: String,
    /// Whether it could not be recovered and is left as it is.
    pub left: bool,
}

/// Recovers what processes left behind in the repository that are gone. Nothing is changed when there
/// is none of it.
///
/// # Errors
/// When the journal cannot be read or written, or another process recovers for two minutes.
pub async fn recover(repo: &Arc<Repo>) -> Result<Vec<Recovered>> {
    let repo = Arc::clone(repo);
    super::to_the_end(async move { recover_all(&repo).await }, |_| async {}).await
}

async fn recover_all(repo: &Arc<Repo>) -> Result<Vec<Recovered>> {
    let store = repo.store().await?;
    if cut_off(&store).await?.is_empty() {
        return Ok(Vec::new());
    }
    let _alone: File = lock::alone(&repo.state_dir().join("recover.lock"), lock::PATIENCE).await?;
    let mut recovered = Vec::new();
    for intent in cut_off(&store).await? {
        crash::point("recover.begun");
        let subject = intent.subject.clone();
        match recover_one(repo, &store, intent).await {
            Ok(text) => recovered.extend(text.map(|text| Recovered { subject, text, left: false })),
            Err(error) => {
                let causes = error.causes().join(": ");
                let text = if causes.is_empty() {
                    error.message.clone()
                } else {
                    format!("{}: {causes}", error.message)
                };
                recovered.push(Recovered { subject, text, left: true });
            }
        }
        crash::point("recover.done");
    }
    Ok(recovered)
}

/// Lists the intents of hosts that are gone; removals first, because what they remove may be what
/// another intent is about, and merges last, because an agent may have been in the worktree of one.
async fn cut_off(store: &Arc<Store>) -> Result<Vec<Intent>> {
    let since = Instant::now();
    loop {
        let mut open = store.unsettled().await?;
        // The lock of a host outlives it in its git children, which end by themselves.
        let ending = open.iter().any(|intent| intent.alive && is_gone(&intent.host));
        if ending && since.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        open.retain(|intent| !intent.alive);
        open.sort_by_key(|intent| {
            (intent.kind == merge::KIND, intent.kind != remove::KIND, intent.id)
        });
        return Ok(open);
    }
}

/// Tells whether the process that a host is named after has ended.
fn is_gone(host: &str) -> bool {
    let id = host.strip_prefix("host-").and_then(|rest| rest.split('-').next()?.parse().ok());
    id.is_some_and(|id| !alive::exists(id))
}

/// Recovers one intent; returns what there is to say about it.
async fn recover_one(
    repo: &Arc<Repo>,
    store: &Arc<Store>,
    intent: Intent,
) -> Result<Option<String>> {
    let subject = intent.subject.clone();
    match intent.kind.as_str() {
        worktree::KIND => {
            let life: Life = read(&intent)?;
            if life.state == State::Making {
                require_place(repo, store, &intent, &life.id, &life.path).await?;
            }
            let pledge = take_over(repo, store, &intent).await?;
            match life.state {
                State::Making => undo(repo, &life, pledge).await.map(Some),
                State::Working => put_in(repo, store, life, pledge).await.map(Some),
            }
        }
        remove::KIND => {
            let removal: Removal = read(&intent)?;
            if let Some(path) = &removal.path {
                require_place(repo, store, &intent, &removal.id, path).await?;
            }
            let pledge = take_over(repo, store, &intent).await?;
            let finished = removal.resume(repo, pledge).await?;
            Ok(finished.then(|| format!("the removal of {subject} was cut off: finished")))
        }
        merge::KIND => merge::recover(repo, &intent).await,
        kind => {
            let what = format!("a step `{kind}` of {subject} was cut off, and is left as it is");
            Err(Error::new(Kind::Git, what))
        }
    }
}

/// Refuses an intent about a place that cannot be ours, for good: it will never be.
async fn require_place(
    repo: &Repo,
    store: &Arc<Store>,
    intent: &Intent,
    id: &str,
    path: &Path,
) -> Result<()> {
    let checked = worktree::require_place(repo, id, path);
    if checked.is_err() {
        Pledge::adopted(Arc::clone(store), intent.id).settle("not ours").await;
    }
    checked
}

fn read<T: serde::de::DeserializeOwned>(intent: &Intent) -> Result<T> {
    let trouble = || format!("what was begun for {} cannot be understood", intent.subject);
    serde_json::from_value(intent.detail.clone()).or_kind(Kind::Git, trouble)
}

/// Makes an intent this host's: from here on its git children hold the lock that keeps others away.
async fn take_over(repo: &Repo, store: &Arc<Store>, intent: &Intent) -> Result<Pledge> {
    let pledge = repo.intend(&intent.kind, &intent.subject, &intent.detail).await?;
    crash::point("recover.taken_over");
    Pledge::adopted(Arc::clone(store), intent.id).settle("taken over").await;
    Ok(pledge)
}

/// Takes back a worktree that nobody has worked in.
async fn undo(repo: &Arc<Repo>, life: &Life, pledge: Pledge) -> Result<String> {
    {
        let _lock = repo.lock().await?;
        let taken = worktree::take_back(repo, life, true).await;
        taken.or_kind(Kind::Git, || format!("cannot take back the worktree of {}", life.id))?;
    }
    pledge.settle("taken back").await;
    Ok(format!("{} was cut off before it began: its worktree is taken back", life.id))
}

/// Puts the work in a worktree on its branch, as its host would have done at the end.
async fn put_in(
    repo: &Arc<Repo>,
    store: &Arc<Store>,
    life: Life,
    pledge: Pledge,
) -> Result<String> {
    let (id, branch) = (life.id.clone(), life.branch.clone());
    let trouble = || format!("the work of {id} stays in `{}`", life.path.display());
    let row = agent(store, &id).await?;
    let is_agent = row.is_some();
    // What it began with in its first life stays what it began with.
    let first = row.filter(|row| row.base_commit.is_some());
    let record = Record { pledge: pledge.clone(), life: life.clone() };
    let Some(worktree) = Worktree::adopted(repo, record)? else {
        let there = life.path.exists();
        let change = AgentChange { worktree_removed: !there, ..AgentChange::default() };
        store.update(&id, change).await?;
        pledge.settle("git does not know its worktree").await;
        let shown = life.path.display();
        let why = format!("{id} was cut off, and git no longer knows its worktree `{shown}`");
        return Err(Error::new(Kind::Git, format!("{why}: what is left there is left as it is")));
    };
    // Their holders are dead: the host is, its git children are, and so are the agent's commands. Who is
    // still there is a person, whose locks stay.
    if wait_for_commands(&life).await {
        for stale in ["index.lock", "HEAD.lock"] {
            let _ = std::fs::remove_file(worktree.admin().join(stale));
        }
    }
    let _ = std::fs::remove_file(worktree.index().with_added_extension("lock"));
    worktree::unlock_refs(repo, &life).await;
    if worktree.is_entered() {
        let path = life.path.clone();
        // No tool of the agent's runs any more: what one was about to write is nobody's.
        let _ = tokio::task::spawn_blocking(move || worktree::discard_unwritten(&path)).await;
    }
    crash::point("recover.unlocked");
    let message = life.commit.clone();
    let finished = worktree.finish(message).await.or_kind(Kind::Git, trouble)?;
    crash::point("recover.finished");
    let left = worktree.leave(&finished).await?;
    crash::point("recover.put_in");
    let change = AgentChange {
        branch: Some(branch.clone()),
        branch_created: first.is_none().then_some(life.branch_created),
        worktree_path: Some(life.path.clone()),
        base_commit: first.is_none().then(|| life.base_commit.clone()),
        head_commit: Some(finished.head_commit.clone()),
        ..AgentChange::default()
    };
    store.update(&id, change).await?;
    store.flush().await?;
    let in_trial = merge::is_trial(&life.path);
    if in_trial {
        // Its files go with the merge that they were for; its snapshots stay. Once it is settled nobody
        // would know whose these are.
        worktree::discard_indexes(repo, &id);
    }
    if is_agent || worktree.was_there() {
        worktree.keep().await?;
    } else {
        worktree.close(&finished).await?; // A script's own: nobody goes on in it.
    }
    if in_trial {
        return Ok(format!("{id} was cut off: the merge that it worked on is taken back"));
    }
    let mut text = account(&life, &finished);
    if let Some(left) = left {
        text = format!("{text}; {left}");
    }
    Ok(text)
}

/// Says where the work of an agent is that was cut off.
fn account(life: &Life, finished: &Finished) -> String {
    let (id, count) = (&life.id, finished.files_changed.len());
    let files = if count == 1 { "file" } else { "files" };
    let place = finished.aside.as_ref().unwrap_or(&life.branch);
    match (finished.changed, finished.uncommitted) {
        (false, _) => format!("{id} was cut off: it had changed nothing on `{place}`"),
        (true, true) => {
            let path = life.path.display();
            format!("{id} was cut off: its work is in `{path}`, not committed ({count} {files})")
        }
        (true, false) => format!("{id} was cut off: its work is on `{place}` ({count} {files})"),
    }
}

/// Returns the agent `id`; without one the worktree was the script's own.
async fn agent(store: &Store, id: &str) -> Result<Option<AgentRow>> {
    let filter = AgentFilter { id_prefix: Some(id.to_owned()), ..AgentFilter::default() };
    Ok(store.agents(filter).await?.into_iter().find(|row| row.id == id))
}

/// Waits until the commands of an agent whose host is gone have ended: their guardian sees to it. Tells
/// whether nobody is there any more.
async fn wait_for_commands(life: &Life) -> bool {
    let since = Instant::now();
    while alive::works_in(&life.path) {
        if since.elapsed() > COMMANDS {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}
