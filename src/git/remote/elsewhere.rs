//! Commits that are proposed at another repository, as revisions: `owner/name#7@<commit>` is the head of
//! its pull request 7, `owner/name#main@<commit>` one of its branch.
//!
//! Such a commit is fetched when somebody asks for it and it is not here: by the ref that a server keeps
//! for the pull request, forks and deleted branches included, and by its id where that ref has moved on.
//! No ref of the user's moves for that, so no lock is held; the head of a pull request is held by one of
//! agentlua's own. What several ask for at once comes by one contact. In a repository that is only
//! looked at nothing is fetched, and HEAD stands for what is not here.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::bail;

use super::{Address, DEFAULT_LIMIT, unreached};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::command::{complaint, fields, text};
use crate::git::private::hold;
use crate::git::repo::Repo;

/// The most that one contact asks for.
const MOST: usize = 100;

/// What is asked for and has not been fetched: addresses and refs there.
#[derive(Debug, Default)]
pub(in crate::git) struct Asked {
    turn: tokio::sync::Mutex<()>,
    wanted: Mutex<BTreeSet<(String, String)>>,
}

impl Asked {
    fn wanted(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A remote of a repository.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// Where it is, unless that is on this machine.
    pub address: Option<Address>,
}

/// A commit at another repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Elsewhere<'a> {
    /// The repository, as `owner/name`.
    path: &'a str,
    /// The number of a pull request, or a branch.
    what: &'a str,
    commit: &'a str,
}

impl<'a> Elsewhere<'a> {
    fn read(rev: &'a str) -> Option<Self> {
        let (path, rest) = rev.split_once('#')?;
        let (what, commit) = rest.rsplit_once('@')?;
        let is_id = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_path = path.split('/').filter(|part| !part.is_empty()).count() == 2;
        (is_id && is_path && !what.is_empty()).then_some(Self { path, what, commit })
    }

    fn is_pull(&self) -> bool {
        self.what.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn name(&self) -> String {
        let Self { path, what, .. } = self;
        if self.is_pull() { format!("{path}#{what}") } else { format!("{what}` of `{path}") }
    }

    /// Returns the ref that the other repository has for it.
    fn source(&self) -> String {
        let what = self.what;
        if self.is_pull() { format!("refs/pull/{what}/head") } else { format!("refs/heads/{what}") }
    }

    /// Returns the ref that holds it here; names of repositories may have what those of refs may not.
    fn holder(&self) -> Option<String> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_/".contains(c) { c } else { '_' };
        let path: String = self.path.chars().map(plain).collect();
        self.is_pull().then(|| format!("refs/agentlua/pulls/{path}/{}", self.what))
    }
}

impl Repo {
    /// Returns the commit of a revision that names one elsewhere; it is fetched if need be.
    ///
    /// # Errors
    /// [`Kind::Git`] when it cannot be fetched, or is gone there; [`Kind::Timeout`].
    pub(in crate::git) async fn resolve_elsewhere(&self, rev: &str) -> Result<Option<String>> {
        let Some(there) = Elsewhere::read(rev) else { return Ok(None) };
        if self.is_here(there.commit).await {
            return Ok(Some(there.commit.to_owned()));
        }
        if self.is_looked_at() {
            return Box::pin(self.resolve("HEAD")).await.map(Some);
        }
        self.bring(there).await?;
        if let Some(name) = there.holder() {
            let held = hold(self, &name, there.commit).await;
            held.or_kind(Kind::Git, || format!("cannot keep `{}`", there.name()))?;
        }
        Ok(Some(there.commit.to_owned()))
    }

    /// Returns a revision as git reads it: the commit of one elsewhere, another as it is.
    ///
    /// # Errors
    /// As [`Repo::resolve`].
    pub(in crate::git) async fn as_git_reads(&self, rev: &str) -> Result<String> {
        let found = self.resolve_elsewhere(rev).await?;
        Ok(found.unwrap_or_else(|| self.really(rev)))
    }

    /// Lists the remotes, in the order of their configuration.
    ///
    /// # Errors
    /// [`Kind::Git`] when the configuration cannot be read.
    pub async fn remotes(&self) -> Result<Vec<Remote>> {
        let asked = self.git("config").args(["-z", "--get-regexp", r"^remote\..*\.url$"]).run();
        let output = asked.await.or_kind(Kind::Git, || "cannot read the remotes")?;
        let mut remotes: Vec<Remote> = Vec::new();
        for setting in fields(&output.stdout).map(text) {
            let Some((key, url)) = setting.split_once('\n') else { continue };
            let name = key.trim_start_matches("remote.").trim_end_matches(".url");
            if remotes.iter().any(|known| known.name == name) {
                continue;
            }
            let mut address = Address::read(url);
            if address.is_none() {
                // `url.….insteadOf` may say where it really is.
                let meant = self.git("remote").args(["get-url", "--", name]).line().await;
                address = meant.ok().and_then(|url| Address::read(&url));
            }
            remotes.push(Remote { name: name.to_owned(), address });
        }
        Ok(remotes)
    }

    async fn is_here(&self, commit: &str) -> bool {
        let git = self.git("cat-file").env("GIT_NO_LAZY_FETCH", "1");
        let asked = git.args(["-e", &format!("{commit}^{{commit}}")]).run().await;
        asked.is_ok_and(|output| output.code == Some(0))
    }

    /// Fetches a commit.
    async fn bring(&self, there: Elsewhere<'_>) -> Result<()> {
        let (from, commit) = (self.reached_by(there.path).await?, there.commit);
        let trouble = || format!("cannot fetch `{}`", there.name());
        let fault = |error| unreached(error, trouble(), DEFAULT_LIMIT);
        let own = (from.clone(), there.source());
        self.asked.wanted().insert(own.clone());
        let _turn = self.asked.turn.lock().await;
        let is_left = self.asked.wanted().remove(&own);
        if self.is_here(commit).await {
            return Ok(());
        }
        let mut together = vec![own.1];
        if is_left {
            let mut wanted = self.asked.wanted();
            let others = wanted.iter().filter(|(at, _)| *at == from).take(MOST - 1);
            let others: Vec<_> = others.cloned().collect();
            for other in others {
                wanted.remove(&other);
                together.push(other.1);
            }
        }
        let mut by_name = self.fetch_objects(&from, &together).await;
        if by_name.is_err() && together.len() > 1 {
            by_name = self.fetch_objects(&from, &together[..1]).await;
        }
        if self.is_here(commit).await {
            return Ok(());
        }
        // Its ref has moved on, or is gone. Servers give out by its id what a ref once had.
        let by_id = self.fetch_objects(&from, &[commit.to_owned()]).await;
        if by_id.is_ok() && self.is_here(commit).await {
            return Ok(());
        }
        by_name.map_err(fault)?;
        let why = format!("{}: {commit:.10} is not there any more", trouble());
        Err(Error::new(Kind::Git, why).hint("its commits were replaced: ask GitHub for it again"))
    }

    /// Fetches objects; no ref moves.
    async fn fetch_objects(&self, from: &str, what: &[String]) -> anyhow::Result<()> {
        let git = self.reaching("fetch", DEFAULT_LIMIT).await?;
        let git = git.args(["--no-write-fetch-head", "--no-tags", "--no-recurse-submodules"]);
        // Without `refmap` those of the remote would be updated on the way.
        let git = git.args(["--refmap=", "--no-auto-maintenance", "--no-prune", "--quiet", "--"]);
        let output = git.arg(from).args(what).run().await?;
        if output.code != Some(0) {
            bail!("git fetch: {}", complaint(&output));
        }
        Ok(())
    }

    /// Returns by which remote, or else address, a repository is reached.
    async fn reached_by(&self, path: &str) -> Result<String> {
        let remotes = self.remotes().await?;
        let leads = |remote: &&Remote| remote.address.as_ref().is_some_and(|at| at.leads_to(path));
        if let Some(remote) = remotes.iter().find(leads) {
            return Ok(remote.name.clone());
        }
        let origin = remotes.iter().find(|remote| remote.name == "origin").or(remotes.first());
        let address = origin.and_then(|remote| remote.address.as_ref());
        address.map(|address| address.beside(path)).ok_or_else(|| {
            Error::new(Kind::Git, format!("no remote of the repository leads to `{path}`"))
                .hint("git remote add NAME URL")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

    #[test]
    fn only_what_says_where_and_which_commit_is_elsewhere() {
        let rev = format!("octo/hello#7@{COMMIT}");
        let pull = Elsewhere { path: "octo/hello", what: "7", commit: COMMIT };
        assert_eq!(Elsewhere::read(&rev), Some(pull));
        assert_eq!(pull.source(), "refs/pull/7/head");
        assert_eq!(pull.holder().as_deref(), Some("refs/agentlua/pulls/octo/hello/7"));
        let dotted = Elsewhere { path: "octo/.github", ..pull };
        assert_eq!(dotted.holder().as_deref(), Some("refs/agentlua/pulls/octo/_github/7"));
        let rev = format!("octo/hello#release/1@{COMMIT}");
        let branch = Elsewhere { path: "octo/hello", what: "release/1", commit: COMMIT };
        assert_eq!(Elsewhere::read(&rev), Some(branch));
        assert_eq!((branch.source().as_str(), branch.holder()), ("refs/heads/release/1", None));
        for rev in ["main", "octo/hello#7", "fix#7@main", "agent-a3f2@turn:4", "#7@x", "a/b#7@12ab"]
        {
            assert_eq!(Elsewhere::read(rev), None, "{rev}");
        }
    }
}
