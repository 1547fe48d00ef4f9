//! Commits in the user's own checkout, as the script asks for them.
//!
//! They are made by `git commit` itself, in one child that outlives this process: it takes and gives
//! back the lock of the index, and moves HEAD and writes the index in the order that git's own recovery
//! expects. What would make it fail is looked for before. Hooks do not run: an agent's work that was
//! merged may have changed them. It is signed if the user's git signs.
//!
//! Files that git does not know must be in the index before `git commit` takes them by name. They are
//! taken out again if the commit fails; a host that is killed between the two leaves them staged, which
//! is all that it can leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::command::{LONG, complaint, fields, text};
use super::diff::Scratch;
use super::log::{Commit, LogQuery};
use super::repo::Repo;
use super::status::{Status, StatusQuery, Untracked};
use super::to_the_end;
use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};

/// How long to wait for another git that holds the index.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many paths a message names.
const NAMED: usize = 5;

/// A commit to make.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewCommit {
    /// The message; that of the commit which is amended if absent.
    pub message: Option<String>,
    /// What to take.
    pub what: What,
    /// Whether it takes the place of the last commit.
    pub amend: bool,
    /// Whether it may change nothing.
    pub allow_empty: bool,
    /// Who wrote it, as `Name <address>`; the user if absent.
    pub author: Option<String>,
}

/// What a commit takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum What {
    /// What is staged.
    #[default]
    Staged,
    /// Every change to files that git knows.
    All,
    /// These files and folders as they are, new ones too, and nothing else that is staged.
    Paths(Vec<String>),
}

/// Where a commit is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The commit that HEAD points to, if there is one.
    pub old: Option<String>,
    /// The branch that HEAD is on.
    pub branch: Option<String>,
}

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeCommit {
    /// Its id.
    pub commit: String,
    /// The branch that HEAD is on.
    pub branch: Option<String>,
    /// The paths that it changed against its first parent.
    pub files: Vec<String>,
}

impl Repo {
    /// Commits in the checkout that this was opened from.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is nothing to commit, a path is ignored or not there, an operation waits
    /// for its user, or git refuses; the checkout and its index are then as they were.
    pub async fn commit(self: &Arc<Self>, new: NewCommit) -> Result<MadeCommit> {
        Ok(self.commit_after(new, async |_| Ok(())).await?.0)
    }

    /// Commits as [`Repo::commit`] does, once `write` has written down where; by that
    /// [`Repo::committed`] finds a commit that was cut off.
    ///
    /// # Errors
    /// As [`Repo::commit`], and what `write` says; nothing is committed then.
    pub async fn commit_after<W, F>(
        self: &Arc<Self>,
        new: NewCommit,
        write: W,
    ) -> Result<(MadeCommit, Planned)>
    where
        W: FnOnce(Planned) -> F + Send + 'static,
        F: Future<Output = Result<()>> + Send,
    {
        let repo = Arc::clone(self);
        to_the_end(async move { repo.commit_here(new, write).await }, |_| async {}).await
    }

    async fn commit_here<W, F>(
        self: &Arc<Self>,
        new: NewCommit,
        write: W,
    ) -> Result<(MadeCommit, Planned)>
    where
        W: FnOnce(Planned) -> F,
        F: Future<Output = Result<()>>,
    {
        let _lock = self.lock().await?;
        self.wait_for_index().await?;
        let paths: &[String] = if let What::Paths(paths) = &new.what { paths } else { &[] };
        let untracked = if paths.is_empty() { Untracked::Normal } else { Untracked::All };
        let status = self.status(StatusQuery { paths: paths.to_vec(), untracked }).await?;
        require_settled(&status)?;
        if new.amend && status.commit.is_none() {
            return Err(Error::new(Kind::Git, "there is no commit to amend yet"));
        }
        if !paths.is_empty() {
            self.require_known(paths, &status).await?;
        }
        if !new.allow_empty && !new.amend {
            require_something(&new.what, &status)?;
        }
        let planned = self.planned().await?;
        write(planned.clone()).await?;
        crash::point("commit.begun");
        let trouble = || "cannot commit".to_owned();
        let fresh: Vec<&str> = match &new.what {
            What::Paths(_) => {
                status.files.iter().filter(|file| file.untracked).map(|file| &*file.path).collect()
            }
            _ => Vec::new(),
        };
        self.stage_fresh(&fresh).await.or_kind(Kind::Git, trouble)?;
        crash::point("commit.staged");
        if let Err(error) = self.run_commit(&new).await {
            let undone = self.unstage(&fresh).await;
            let error = Err(error).or_kind(Kind::Git, trouble);
            return match undone {
                Ok(()) => error,
                Err(_) => error.map_err(|error: Error| {
                    error.hint(format!("git restore --staged {}", fresh.join(" ")))
                }),
            };
        }
        crash::point("commit.made");
        let head = self.head().await?;
        Ok((self.made(head.commit.unwrap_or_default(), head.branch).await?, planned))
    }

    async fn planned(&self) -> Result<Planned> {
        let head = self.head().await?;
        Ok(Planned { old: head.commit, branch: head.branch })
    }

    /// Returns the commit that was planned, if it was made before its process was gone: the one with that
    /// message on top of the commit that was there.
    ///
    /// # Errors
    /// [`Kind::Git`] when another git holds the index, which may be the one that makes it, or the history
    /// cannot be read.
    pub async fn committed(
        &self,
        planned: &Planned,
        new: &NewCommit,
    ) -> Result<Option<MadeCommit>> {
        let _lock = self.lock().await?;
        self.wait_for_index().await?;
        let head = match &planned.branch {
            Some(branch) => format!("refs/heads/{branch}"),
            None => "HEAD".to_owned(),
        };
        if self.resolve(&head).await.is_err() {
            return Ok(None);
        }
        let parents: Vec<String> = match (&planned.old, new.amend) {
            (Some(old), true) => self.parents(old).await?,
            (old, _) => old.iter().cloned().collect(),
        };
        let range = planned.old.as_ref().map_or(head.clone(), |old| format!("{old}..{head}"));
        let is_it = |commit: &Commit| {
            let said = format!("{}\n\n{}", commit.subject, commit.body);
            let message = new.message.as_ref();
            commit.parents == parents
                && message
                    .is_none_or(|message| message.split_whitespace().eq(said.split_whitespace()))
        };
        let log = self.log(LogQuery { rev: Some(range), ..LogQuery::default() }).await?;
        match log.into_iter().find(is_it) {
            Some(commit) => self.made(commit.id, planned.branch.clone()).await.map(Some),
            None => Ok(None),
        }
    }

    async fn parents(&self, commit: &str) -> Result<Vec<String>> {
        let query = LogQuery { rev: Some(commit.to_owned()), limit: Some(1), paths: Vec::new() };
        Ok(self.log(query).await?.into_iter().flat_map(|commit| commit.parents).collect())
    }

    /// Describes a commit that was made on a branch.
    async fn made(&self, commit: String, branch: Option<String>) -> Result<MadeCommit> {
        let git = self.git("diff-tree").args(["-r", "-z", "--root", "--name-only", "--no-renames"]);
        let git = git.args(["--no-commit-id", "-m", "--first-parent", &commit]);
        let bytes = git.bytes().await.or_kind(Kind::Git, || "cannot list what was committed")?;
        let files = fields(&bytes).filter(|name| !name.is_empty()).map(text).collect();
        Ok(MadeCommit { commit, branch, files })
    }

    /// Waits while another git holds the index; it is never taken from it.
    async fn wait_for_index(&self) -> Result<()> {
        let lock = self.git_dir().join("index.lock");
        let since = Instant::now();
        while lock.exists() {
            if since.elapsed() > PATIENCE {
                let why = format!("cannot commit: another git holds `{}`", lock.display());
                return Err(Error::new(Kind::Git, why).hint(
                    "if no git runs in the checkout, one was killed there: remove that file",
                ));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Refuses paths that git ignores, and those that are nowhere.
    async fn require_known(&self, paths: &[String], status: &Status) -> Result<()> {
        let trouble = || "cannot look at the paths";
        let ignored = self.ignored(paths).await.or_kind(Kind::Git, trouble)?;
        if !ignored.is_empty() {
            let why = format!("cannot commit {}: the repository ignores it", listed(&ignored));
            return Err(Error::new(Kind::Git, why)
                .hint(format!("git add --force {}, or change `.gitignore`", ignored.join(" "))));
        }
        for path in paths {
            let there = self.top().join(path).symlink_metadata().is_ok();
            let within = format!("{}/", path.trim_end_matches('/'));
            let changed = |name: &String| name == path || name.starts_with(&within);
            if there || status.files.iter().any(|file| changed(&file.path)) {
                continue;
            }
            let git = self.git("ls-files").args(["-z", "--", path]);
            if git.bytes().await.or_kind(Kind::Git, trouble)?.is_empty() {
                let why = format!("cannot commit `{path}`: there is no such file");
                let top = self.top().display();
                return Err(Error::new(Kind::Git, why).hint(format!("paths start at `{top}`")));
            }
        }
        Ok(())
    }

    /// Returns which of the paths are ignored and not known to git all the same.
    async fn ignored(&self, paths: &[String]) -> anyhow::Result<Vec<String>> {
        // The program takes no literal paths; in front of a name, `./` makes it one.
        let named = paths.iter().map(|path| match path.strip_prefix('/') {
            Some(_) => path.clone(),
            None => format!("./{path}"),
        });
        let list = nul_list(&named.collect::<Vec<_>>());
        let git = self.git("check-ignore").env("GIT_LITERAL_PATHSPECS", "0");
        let output = git.args(["-z", "--stdin"]).stdin(list).run().await?;
        match output.code {
            Some(0 | 1) => {}
            _ => anyhow::bail!("git check-ignore: {}", complaint(&output)),
        }
        let found = fields(&output.stdout).filter(|name| !name.is_empty()).map(text);
        Ok(found.map(|name| name.trim_start_matches("./").to_owned()).collect())
    }

    async fn stage_fresh(&self, fresh: &[&str]) -> anyhow::Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let git = self.git_at(&self.here(), "add").limit(LONG).arg("--sparse");
        let git = git.args(["--pathspec-from-file=-", "--pathspec-file-nul"]);
        git.stdin(nul_list(fresh)).bytes().await.map(drop)
    }

    async fn unstage(&self, fresh: &[&str]) -> anyhow::Result<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let git =
            self.git_at(&self.here(), "update-index").args(["--force-remove", "-z", "--stdin"]);
        git.stdin(nul_list(fresh)).bytes().await.map(drop)
    }

    async fn run_commit(self: &Arc<Self>, new: &NewCommit) -> anyhow::Result<()> {
        let scratch = Scratch::new(self)?;
        let mut git =
            self.git_at(&self.here(), "commit").limit(LONG).args(["--quiet", "--no-verify"]);
        git = git.args(["--no-status", "--cleanup=whitespace"]);
        for (name, value) in self.identity().await? {
            git = git.env(name, value);
        }
        for (wanted, flag) in
            [(new.amend, "--amend"), (new.allow_empty || new.amend, "--allow-empty")]
        {
            if wanted {
                git = git.arg(flag);
            }
        }
        if let Some(author) = &new.author {
            git = git.arg(format!("--author={author}"));
        }
        git = match &new.message {
            Some(message) => git.args(["--file=-"]).stdin(message.as_bytes().to_vec()),
            None => git.arg("--no-edit"),
        };
        git = match &new.what {
            What::Staged => git,
            What::All => git.arg("--all"),
            What::Paths(paths) => {
                let file = scratch.path("paths");
                std::fs::write(&file, nul_list(paths)).context("cannot write down the paths")?;
                let list = format!("--pathspec-from-file={}", file.display());
                git.args(["--only", "--pathspec-file-nul"]).arg(list)
            }
        };
        git.bytes().await.map(drop)
    }
}

/// Returns paths as git reads them with `-z`.
fn nul_list(paths: &[impl AsRef<str>]) -> Vec<u8> {
    paths.iter().flat_map(|path| path.as_ref().bytes().chain([0])).collect()
}

/// Refuses a checkout where something waits for its user: a commit would conclude or garble it.
fn require_settled(status: &Status) -> Result<()> {
    if let Some(operation) = status.operation {
        let shown = operation.replace('_', "-");
        let why = format!("cannot commit: a {shown} is in progress in the checkout");
        let hint = match operation {
            "bisect" => "git bisect reset".to_owned(),
            _ => format!("git {shown} --continue, or git {shown} --abort"),
        };
        return Err(Error::new(Kind::Git, why).hint(hint));
    }
    let conflicts = status.files.iter().filter(|file| file.conflicted);
    let conflicts: Vec<&str> = conflicts.map(|file| &*file.path).collect();
    if !conflicts.is_empty() {
        let why = format!("cannot commit: {} has unresolved conflicts", listed(&conflicts));
        return Err(Error::new(Kind::Git, why).hint("resolve them, then git add"));
    }
    Ok(())
}

/// Refuses to commit nothing, and says what there is.
fn require_something(what: &What, status: &Status) -> Result<()> {
    let refuse = |why: String, hint: &str| Err(Error::new(Kind::Git, why).hint(hint));
    let staged = status.files.iter().any(|file| file.staged.is_some());
    let known = status.files.iter().any(|file| !file.untracked);
    match what {
        What::Paths(_) if !status.files.is_empty() => Ok(()),
        What::Paths(paths) => refuse(
            format!("nothing has changed in {}", listed(paths)),
            "`allow_empty = true` commits all the same",
        ),
        What::Staged if staged => Ok(()),
        What::All if known => Ok(()),
        _ if status.files.is_empty() => refuse(
            "there is nothing to commit: the checkout is clean".to_owned(),
            "`allow_empty = true` commits all the same",
        ),
        What::Staged if known => refuse(
            "nothing is staged".to_owned(),
            "pass `all = true` for every changed file, or `paths = { … }`",
        ),
        _ => refuse(
            "nothing has changed but files that git does not know".to_owned(),
            "pass `paths = { … }` to add them",
        ),
    }
}

/// Names the first paths and counts the rest.
fn listed(paths: &[impl AsRef<str>]) -> String {
    let shown = paths.iter().take(NAMED).map(|path| format!("`{}`", path.as_ref()));
    let shown: Vec<String> = shown.collect();
    match paths.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
