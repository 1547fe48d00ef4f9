//! Making a worktree: names checked, registered under the lock, checked out outside it, and taken
//! back whole when any of it fails.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::furnish::{self, Furnish};
use super::reopen::{self, Found};
use super::undo::take_back;
use super::{KIND, LOCK_REASON, Life, Record, State, Terms, Worktree, list, registry};
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::branch::{OTHER_NAME, Taken, check_branch_name};
use crate::git::command::complaint;
use crate::git::repo::Repo;

/// How often to try again when another git changes the registry at the same moment.
const TRIES: u32 = 6;

/// What a worktree is to be.
#[derive(Clone, Debug, Default)]
pub struct New {
    /// The agent's id: the name of the folder and of what is kept about it.
    pub id: String,
    /// The run that it belongs to, as refs are named after it; empty if none.
    pub run: String,
    /// The branch to make.
    pub branch: String,
    /// The commit to start from, as a full id.
    pub base_commit: String,
    /// The folder that holds the worktrees of all repositories.
    pub root: PathBuf,
    /// What to do when there is a branch of that name.
    pub taken: Taken,
    /// What it gets beside the files of its base.
    pub furnish: Furnish,
}

pub(super) async fn create(repo: Arc<Repo>, new: New) -> Result<Worktree> {
    check_id(&new.id)?;
    if !new.run.is_empty() {
        check_id(&new.run)?;
    }
    check_branch_name(&new.branch)?;
    let folder = folder(&repo, &new.root)?;
    let path = folder.join(&new.id);
    let (branch, trouble) = (new.branch.clone(), "cannot make a worktree for");
    let mut worktree = Worktree {
        repo,
        admin: PathBuf::new(),
        id: new.id,
        run: new.run,
        branch: new.branch,
        base_commit: new.base_commit,
        path,
        terms: Terms { branch_created: true, ..Terms::default() },
        record: Arc::default(),
    };
    if register(&mut worktree, new.taken).await? == Found::There {
        return Ok(worktree);
    }
    let made = match furnish::furnish(&worktree, &new.furnish).await {
        Ok(included) => {
            worktree.terms.included = included;
            open_for_work(&worktree).await
        }
        Err(error) => Err(error).or_kind(Kind::Git, || format!("{trouble} `{branch}`")),
    };
    if let Err(error) = made {
        worktree.take_back().await;
        return Err(error);
    }
    Ok(worktree)
}

pub(super) fn check_id(id: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let safe = !id.is_empty()
        && id.len() <= 100
        && id.chars().all(fits)
        && !id.starts_with(['-', '.'])
        && !id.ends_with('.')
        // What ends like this stands beside a worktree.
        && ![".lock", ".git", ".making", ".new", ".pointer", ".replaced", ".taken"]
            .iter()
            .any(|end| id.to_ascii_lowercase().ends_with(end));
    if safe { Ok(()) } else { Err(Error::usage(format!("`{id}` cannot be the id of a worktree"))) }
}

/// Returns the folder for this repository's worktrees, made if need be.
pub(in crate::git) fn folder(repo: &Repo, root: &Path) -> Result<PathBuf> {
    let folder = place(repo, root)?;
    std::fs::create_dir_all(&folder)
        .and_then(|()| folder.canonicalize())
        .or_kind(Kind::Io, || format!("cannot make the folder `{}`", folder.display()))
}

/// Returns where the folder for this repository's worktrees is, or is to be.
pub(super) fn place(repo: &Repo, root: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(root)
        .or_kind(Kind::Usage, || format!("`{}` cannot hold worktrees", root.display()))?;
    let real = list::existing_part(&absolute);
    let main = match repo.common_dir().file_name() {
        Some(name) if name == ".git" => repo.common_dir().parent(),
        _ => None,
    };
    let inside = |dir: &Path| real.starts_with(list::existing_part(dir));
    if inside(repo.top()) || inside(repo.common_dir()) || main.is_some_and(inside) {
        return Err(Error::usage(format!(
            "worktrees cannot live in `{}`: it is inside the repository",
            root.display()
        )));
    }
    Ok(real.join(folder_name(repo)?))
}

/// Returns how the folder of this repository's worktrees is called, wherever it is.
fn folder_name(repo: &Repo) -> Result<String> {
    let common = repo.common_dir().as_os_str().as_encoded_bytes();
    let hash = git2::Oid::hash_object(git2::ObjectType::Blob, common)
        .or_kind(Kind::Internal, || "cannot name the folder of the worktrees")?;
    Ok(format!("{}-{:.10}", repo.slug(), hash.to_string()))
}

/// Refuses a place that cannot be that of a worktree of this repository. What was written down and is
/// about to be deleted is held against it: a file beside the repository proves nothing.
///
/// # Errors
/// [`Kind::Git`], naming the path.
pub(in crate::git) fn require_place(repo: &Repo, id: &str, path: &Path) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let parent = path.parent().unwrap_or(path);
    let named = parent.file_name().and_then(|name| name.to_str()) == Some(&*folder_name(repo)?);
    // A folder that is gone is no detour.
    let plain = parent.canonicalize().map_or(!parent.exists(), |real| real == parent);
    let fits = check_id(id).is_ok() && check_id(name).is_ok() && path.is_absolute();
    if fits && named && plain {
        return Ok(());
    }
    let shown = path.display();
    Err(Error::new(Kind::Git, format!("`{shown}` is not where `{id}` could have had a worktree")))
}

/// Makes the branch and git's records, with no file checked out, under the repository's lock.
async fn register(worktree: &mut Worktree, taken: Taken) -> Result<Found> {
    let _lock = worktree.repo.lock().await?;
    let repo = Arc::clone(&worktree.repo);
    if reopen::claim(worktree, taken).await? == Found::There {
        return Ok(Found::There);
    }
    if worktree.path.symlink_metadata().is_ok() {
        let shown = worktree.path.display();
        return Err(Error::new(Kind::Git, format!("`{shown}` is there already")));
    }
    let life = worktree.life();
    let pledge = repo.intend(KIND, &life.id, &life).await?;
    worktree.set_record(Some(Record { pledge, life }));
    crash::point("create.intended");
    let said = match add(worktree).await {
        Ok(said) => said,
        Err(error) => Some(format!("{error:#}")),
    };
    // What counts is what is there now, whatever git said.
    let found = list::admin_dir(repo.common_dir(), &worktree.path).unwrap_or_default();
    let complete = worktree.path.join(".git").is_file();
    worktree.admin = found.unwrap_or_default();
    let Some(said) = said.or_else(|| {
        let lost = worktree.admin.as_os_str().is_empty() || !complete;
        lost.then(|| "git made it and it is not there".to_owned())
    }) else {
        reopen::refresh_base(worktree).await;
        crash::point("create.registered");
        return Ok(Found::New);
    };
    let taken = said.contains("already exists");
    worktree.take_back_locked(!taken).await;
    let named = if worktree.terms.branch_created {
        repo.clash(&worktree.branch, false).await.ok().flatten()
    } else {
        None
    };
    if let Some(clash) = named {
        return Err(Error::new(Kind::Git, clash.to_string()).hint(OTHER_NAME));
    }
    Err(anyhow::anyhow!("{said}"))
        .or_kind(Kind::Git, || format!("cannot make a worktree for `{}`", worktree.branch))
}

/// Makes the branch and the record; returns what git complained about.
async fn add(worktree: &Worktree) -> anyhow::Result<Option<String>> {
    let reason = format!("{LOCK_REASON}{}", worktree.id);
    if worktree.terms.branch_created {
        let name = format!("refs/heads/{}", worktree.branch);
        if registry::make(&worktree.repo, &worktree.path, &reason, &format!("ref: {name}")).await? {
            crash::point("create.linked");
            let (base, why) = (&worktree.base_commit, "branch: created by agentlua");
            let moved = worktree.repo.move_ref(&name, base, None, why).await;
            return Ok(moved.err().map(|error| format!("{error:#}")));
        }
    }
    add_by_git(worktree, &reason).await
}

/// Runs `git worktree add`; returns what it complained about.
async fn add_by_git(worktree: &Worktree, reason: &str) -> anyhow::Result<Option<String>> {
    let mut tries = 0;
    loop {
        let git = worktree.repo.git("worktree").args(["add", "--quiet", "--no-checkout"]);
        let git = git.args(["--lock", "--reason", reason]);
        let output = if worktree.terms.branch_created {
            git.args(["--no-track", "-b", &worktree.branch])
                .arg(&worktree.path)
                .arg(&worktree.base_commit)
        } else {
            git.arg(&worktree.path).arg(&worktree.branch)
        };
        let output = output.run().await?;
        if output.code == Some(0) {
            return Ok(None);
        }
        let said = complaint(&output);
        tries += 1;
        // A `git worktree add` or a fetch of somebody else, who does not take our lock.
        if !said.contains("commondir") || tries == TRIES {
            return Ok(Some(format!("git worktree add: {said}")));
        }
        take_back(&worktree.repo, &worktree.life(), true).await?;
        tokio::time::sleep(Duration::from_millis(20 << tries)).await;
    }
}

/// Writes down that from now on there may be work in it.
async fn open_for_work(worktree: &Worktree) -> Result<()> {
    let Some(mut record) = worktree.record() else { return Ok(()) };
    record.life.state = State::Working;
    record.life.base_commit.clone_from(&worktree.base_commit);
    record.pledge.amend(&record.life).await?;
    worktree.set_record(Some(record));
    crash::point("create.opened");
    Ok(())
}

impl Worktree {
    /// Removes what making it made: nobody has worked here yet.
    pub(super) async fn take_back(&self) {
        if self.terms.reopened {
            // It was there before: only the lock and the intent are new.
            let _ = self.hand_back().await;
            return;
        }
        // Without the lock it is left as it is, complete and locked, for the next start to see.
        if let Ok(_lock) = self.repo.lock().await {
            self.take_back_locked(true).await;
        }
    }

    /// Removes it, and with `branch` its branch. What cannot be removed now stays written down.
    async fn take_back_locked(&self, branch: bool) {
        self.forget_private().await;
        if take_back(&self.repo, &self.life(), branch).await.is_ok()
            && let Some(record) = self.record()
        {
            record.pledge.settle("taken back").await;
            self.set_record(None);
        }
    }

    /// Returns what there is to write down about it before it is made.
    pub(super) fn life(&self) -> Life {
        Life {
            id: self.id.clone(),
            run: self.run.clone(),
            branch: self.branch.clone(),
            branch_created: self.terms.branch_created,
            reopened: self.terms.reopened,
            base_commit: self.base_commit.clone(),
            path: self.path.clone(),
            state: State::Making,
            start_commit: None,
            commit: None,
            config_worktree: None,
            scope: None,
        }
    }
}
