//! Branches: their list, their names, and moving or deleting one by compare-and-swap.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::command::{path, text};
use super::repo::Repo;
use super::to_the_end;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::journal::AgentFilter;

/// The longest part of a branch name between slashes: git appends `.lock` to make a file name.
const LONGEST_PART: usize = 250;

/// A local branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The name without `refs/heads/`.
    pub name: String,
    /// The commit it points to.
    pub commit: String,
    /// Whether HEAD is on it in the worktree that the repository was opened from.
    pub current: bool,
    /// The worktree that has it checked out.
    pub worktree: Option<PathBuf>,
    /// The branch it follows, such as `origin/main`.
    pub upstream: Option<String>,
}

/// What to do when a branch that is to be made is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Taken {
    /// It is an error.
    #[default]
    Refuse,
    /// The first free one of `x`, `x-2`, `x-3`… is made.
    Number,
    /// Its head is the base, and it stays whose it is.
    Continue,
}

/// What helps against a name that cannot stand beside another.
pub(super) const OTHER_NAME: &str =
    "choose another name, or none: an agent's branch is then named after it";

/// How many numbers are tried behind a name.
const NUMBERS: u32 = 10_000;

const FORMAT: &str =
    "--format=%(refname)%00%(objectname)%00%(HEAD)%00%(worktreepath)%00%(upstream:short)%00";

impl Repo {
    /// Lists the local branches by name.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository cannot be read.
    pub async fn branches(&self) -> Result<Vec<Branch>> {
        let git = self.git("for-each-ref").args([FORMAT, "refs/heads/"]);
        let bytes = git.bytes().await.or_kind(Kind::Git, || "cannot list the branches")?;
        let fields: Vec<&[u8]> = super::command::fields(&bytes).collect();
        let branch = |fields: &[&[u8]]| {
            let name = text(fields[0]);
            let name = name.trim_start().trim_start_matches("refs/heads/").to_owned();
            Branch {
                name,
                commit: text(fields[1]),
                current: fields[2] == b"*",
                worktree: Some(path(fields[3])).filter(|path| !path.as_os_str().is_empty()),
                upstream: Some(text(fields[4])).filter(|name| !name.is_empty()),
            }
        };
        let there = fields.chunks_exact(5).map(branch);
        Ok(there.chain(self.pretended_branches()).collect())
    }

    /// Returns the ref that keeps the branch of an agent which was removed by force; `None` when there is
    /// none.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository cannot be read.
    pub async fn removed_branch(&self, agent: &str) -> Result<Option<String>> {
        let name = format!("refs/agentlua/removed/{agent}/branch");
        let tip = self.tip(&name).await.or_kind(Kind::Git, || format!("cannot read `{name}`"))?;
        Ok(tip.map(|_| name))
    }

    /// Deletes a branch if it points to `expected` and no worktree has it checked out. Returns
    /// whether it did.
    ///
    /// # Errors
    /// [`Kind::Git`] when the repository cannot be read or written.
    pub async fn delete_branch_if(
        self: &std::sync::Arc<Self>,
        name: &str,
        expected: &str,
    ) -> Result<bool> {
        let (repo, name, expected) = (self.clone(), name.to_owned(), expected.to_owned());
        let step = async move {
            let _lock = repo.lock().await?;
            let held = repo
                .worktrees()
                .await?
                .into_iter()
                .any(|entry| entry.branch.as_deref() == Some(&name));
            let full = format!("refs/heads/{name}");
            let tip = repo.tip(&full).await.or_kind(Kind::Git, || "cannot read the branch")?;
            if held || tip.as_ref() != Some(&expected) {
                return Ok(false);
            }
            let deleted = repo.delete_ref(&full, &expected).await;
            deleted.or_kind(Kind::Git, || format!("cannot delete the branch `{name}`"))?;
            Ok(true)
        };
        to_the_end(step, |_| async {}).await
    }

    /// Refuses the name of a branch that is to be made, where that could not be.
    ///
    /// # Errors
    /// [`Kind::Usage`] for what cannot be a name, [`Kind::Git`] for one that is taken.
    pub async fn require_new_branch(&self, name: &str) -> Result<()> {
        check_branch_name(name)?;
        self.require_free_name(name).await.map_err(|error| {
            // Not how to delete it: it may be `main`.
            error.hint("choose another `branch`")
        })
    }

    /// Makes a branch that nobody has checked out.
    ///
    /// # Errors
    /// As [`Repo::require_new_branch`].
    pub async fn make_branch(self: &std::sync::Arc<Self>, name: &str, commit: &str) -> Result<()> {
        let (repo, name, commit) = (self.clone(), name.to_owned(), commit.to_owned());
        let step = async move {
            let _lock = repo.lock().await?;
            repo.require_new_branch(&name).await?;
            let full = format!("refs/heads/{name}");
            let made = repo.move_ref(&full, &commit, None, "branch: created by agentlua").await;
            made.or_kind(Kind::Git, || format!("cannot make the branch `{name}`"))
        };
        to_the_end(step, |()| async {}).await
    }

    /// Tells whether `commit` is `tip` or part of its history; one that is not there is not.
    ///
    /// # Errors
    /// [`Kind::Git`] when the history cannot be read.
    pub async fn contains(&self, tip: &str, commit: &str) -> Result<bool> {
        if commit.is_empty() || self.resolve(commit).await.is_err() {
            return Ok(false);
        }
        let within = self.is_ancestor(commit, tip).await;
        within.or_kind(Kind::Git, || format!("cannot tell whether `{tip}` has `{commit}`"))
    }

    /// Returns the paths that differ between two commits, sorted.
    ///
    /// # Errors
    /// [`Kind::Git`] when they cannot be read.
    pub async fn changed_paths(&self, from: &str, to: &str) -> Result<Vec<String>> {
        let changes = self.changes(from, to).await;
        let changes =
            changes.or_kind(Kind::Git, || format!("cannot compare `{from}` with `{to}`"))?;
        Ok(changes.iter().map(|change| super::command::text(&change.path)).collect())
    }

    /// Moves a ref from `old` (absent: it must not exist) to `new`.
    pub(super) async fn move_ref(
        &self,
        full_name: &str,
        new: &str,
        old: Option<&str>,
        reason: &str,
    ) -> anyhow::Result<()> {
        let nothing = "0".repeat(new.len());
        let git = self.git("update-ref").args(["-m", reason, full_name, new]);
        git.arg(old.unwrap_or(&nothing)).bytes().await.map(drop)
    }

    /// Deletes a ref that points to `old`.
    pub(super) async fn delete_ref(&self, full_name: &str, old: &str) -> anyhow::Result<()> {
        self.git("update-ref").args(["-d", full_name, old]).bytes().await.map(drop)
    }

    /// Refuses a new branch name that is taken, or that git could not tell from one that is.
    pub(super) async fn require_free_name(&self, name: &str) -> Result<()> {
        let trouble = || "cannot look for the branch";
        if self.tip(&format!("refs/heads/{name}")).await.or_kind(Kind::Git, trouble)?.is_some() {
            let maker = self.maker(name).await;
            return Err(Error::new(
                Kind::Git,
                format!("the branch `{name}` already exists: {maker}"),
            )
            .hint(
                "`if_exists = \"number\"` makes another beside it, `if_exists = \"continue\"` \
                     goes on in it; or choose another name",
            ));
        }
        let fold = self.ignores_case().or_kind(Kind::Git, trouble)?;
        let clash =
            if fold { self.clash(name, true).await.or_kind(Kind::Git, trouble)? } else { None };
        match clash {
            None => Ok(()),
            Some(clash) => Err(Error::new(Kind::Git, clash.to_string()).hint(OTHER_NAME)),
        }
    }

    /// Returns the first of `name`, `name-2`, `name-3`… that can be made. It stays free only as long
    /// as the repository's lock is held.
    pub(super) async fn numbered_name(&self, name: &str) -> Result<String> {
        let trouble = || "cannot look for the branch";
        let fold = self.ignores_case().or_kind(Kind::Git, trouble)?;
        let branches: Vec<String> =
            self.branches().await?.into_iter().map(|branch| branch.name).collect();
        // No number helps a name of which a part is a branch.
        let mut parts = name.match_indices('/').map(|(at, _)| &name[..at]);
        if parts.any(|part| branches.iter().any(|there| same(there, part, fold)))
            && let Some(clash) = found_clash(&branches, name, fold)
        {
            return Err(Error::new(Kind::Git, clash).hint(OTHER_NAME));
        }
        for number in 1..=NUMBERS {
            let candidate = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            if found_clash(&branches, &candidate, fold).is_none() {
                check_branch_name(&candidate)?;
                return Ok(candidate);
            }
        }
        Err(Error::new(Kind::Git, format!("every name up to `{name}-{NUMBERS}` is taken")))
    }

    /// Says who made a branch: an agent that the journal knows, or somebody else.
    async fn maker(&self, name: &str) -> String {
        let filter = AgentFilter { branch: Some(name.to_owned()), ..AgentFilter::default() };
        let rows = match self.store().await {
            Ok(store) => store.agents(filter).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        match rows.iter().rev().find(|row| row.branch_created) {
            Some(row) => format!("`{}` made it in `{}`", row.id, row.run),
            None => "it is yours, no agent made it".to_owned(),
        }
    }

    /// Returns what a new branch `name` clashes with, once git has refused to make it.
    pub(super) async fn clash(
        &self,
        name: &str,
        fold: bool,
    ) -> anyhow::Result<Option<anyhow::Error>> {
        let branches = self.branches().await.context("cannot list the branches")?;
        let names: Vec<String> = branches.into_iter().map(|branch| branch.name).collect();
        Ok(found_clash(&names, name, fold).map(anyhow::Error::msg))
    }

    fn ignores_case(&self) -> anyhow::Result<bool> {
        // As `git init` finds it out; asking the file system costs no child.
        let probe = self.common_dir().join("HEAD");
        let other = self.common_dir().join("hEAD");
        Ok(probe.exists() && other.try_exists()?)
    }
}

/// Tells whether git takes two names for one.
fn same(one: &str, other: &str, fold: bool) -> bool {
    if fold { one.to_lowercase() == other.to_lowercase() } else { one == other }
}

/// Says which of `branches` a new one cannot stand beside, and why.
fn found_clash(branches: &[String], name: &str, fold: bool) -> Option<String> {
    let folded = |name: &str| if fold { name.to_lowercase() } else { name.to_owned() };
    let wanted = folded(name);
    for other in branches {
        let there = folded(other);
        if there == wanted && other != name {
            return Some(format!(
                "the branch `{name}` differs from `{other}` only by case, which this file system \
                 cannot tell apart"
            ));
        }
        if there == wanted {
            return Some(format!("the branch `{name}` already exists"));
        }
        let (inner, outer) = (format!("{wanted}/"), format!("{there}/"));
        if there.starts_with(&inner) || wanted.starts_with(&outer) {
            return Some(format!(
                "the branch `{name}` cannot stand beside `{other}`: one would be a folder in the \
                 other"
            ));
        }
    }
    None
}

/// Refuses what cannot be the name of a branch.
///
/// # Errors
/// [`Kind::Usage`], naming the name.
pub fn check_branch_name(name: &str) -> Result<()> {
    let refuse = |why: &str| {
        let shown: String = name.chars().take(80).collect();
        let dots = if shown.len() < name.len() { "…" } else { "" };
        Err(Error::usage(format!("`{shown}{dots}` cannot be the name of a branch: {why}")))
    };
    if name.split('/').any(|part| part.len() > LONGEST_PART) {
        return refuse("a part of it has more than 250 bytes");
    }
    if name.len() > 1000 {
        return refuse("it has more than 1000 bytes");
    }
    match named(name) {
        Ok(()) => Ok(()),
        Err(_) => refuse("see `git help check-ref-format`"),
    }
}

fn named(name: &str) -> anyhow::Result<()> {
    // The first two are what git calls the current commit; it would take the last for a whole name.
    if ["HEAD", "@"].contains(&name)
        || name.starts_with("refs/")
        || !git2::Branch::name_is_valid(name)?
    {
        bail!("invalid")
    }
    Ok(())
}
