//! Pushing a branch.
//!
//! Nothing moves here but the ref that remembers the remote's branch, so no lock is held while the
//! network works. `pre-push` does not run, for it may be an agent's; what the hook of Git LFS does there
//! is done in its place.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::json;

use super::{RefChange, Remotes, unreached};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::git::command::{complaint, text};
use crate::git::repo::Repo;
use crate::process::Output;
use crate::suggest::nearest;

/// What to push.
#[derive(Clone, Debug)]
pub struct Push {
    /// The remote, or an address; the one that git would take if absent.
    pub remote: Option<String>,
    /// The branch or tag; the branch of HEAD if absent.
    pub branch: Option<String>,
    /// Its name there; the same if absent.
    pub to: Option<String>,
    /// Whether the branch follows that one from now on.
    pub set_upstream: bool,
    /// When commits there may be dropped; never if absent.
    pub lease: Option<Lease>,
    /// Whether to ask only what would happen.
    pub dry_run: bool,
    /// How long it may take.
    pub limit: Duration,
}

/// Where the remote's branch must be for its commits to be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Where it was when it was fetched last.
    Seen,
    /// At this commit.
    At(String),
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The remote.
    pub remote: String,
    /// The refs there.
    pub refs: Vec<RefChange>,
}

/// A ref to push, and where it stands.
struct Source {
    /// Its full name here.
    from: String,
    /// Its full name there.
    to: String,
    /// What it points to.
    tip: String,
}

impl Repo {
    /// Pushes a branch or tag.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such branch or remote, or it cannot be reached. When the remote
    /// rejects it, the detail `push` has `status = "rejected"`, the `ref` and the `reason`:
    /// `non_fast_forward`, `stale` (the lease does not hold), `exists` (a tag) or `remote`.
    /// [`Kind::Timeout`] after the limit.
    pub async fn push(self: &Arc<Self>, push: Push) -> Result<Pushed> {
        let source = self.source(&push).await?;
        let branch = source.from.strip_prefix("refs/heads/");
        let remotes = Remotes::of(self).await?;
        let remote = remotes.pick(push.remote.as_deref(), branch, true)?;
        let trouble = || format!("cannot push to `{remote}`");
        let fault = |error| unreached(error, trouble(), push.limit);
        self.push_large_files(&push, &remote, &source).await.map_err(fault)?;
        let lease = match &push.lease {
            None => None,
            Some(Lease::Seen) => Some(format!("--force-with-lease={}", source.to)),
            Some(Lease::At(rev)) => {
                let commit = self.resolve(rev).await?;
                Some(format!("--force-with-lease={}:{commit}", source.to))
            }
        };
        let mut git = self.reaching("push", push.limit).await.map_err(fault)?;
        git = git.args(["--porcelain", "--no-verify", "--recurse-submodules=no"]).args(lease);
        if push.dry_run {
            git = git.arg("--dry-run");
        }
        let refspec = format!("{}:{}", source.from, source.to);
        let output = git.args(["--", &remote, &refspec]).run().await.map_err(fault)?;
        let lines: Vec<Line> = text(&output.stdout).lines().filter_map(Line::read).collect();
        if let Some(line) = lines.iter().find(|line| line.letter == '!') {
            return Err(rejected(line, &remote, &output));
        }
        if output.code != Some(0) {
            return Err(fault(anyhow::anyhow!("git push: {}", complaint(&output))));
        }
        if let (true, false, Some(branch)) = (push.set_upstream, push.dry_run, branch) {
            self.follow(branch, &remote, &source.to).await?;
        }
        let refs = lines.iter().map(|line| line.change(&source)).collect();
        Ok(Pushed { remote, refs })
    }

    /// Returns the remote that a push would go to, and the refs here and there; nothing is sent.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such branch or remote.
    pub async fn foresee_push(&self, push: &Push) -> Result<(String, String, String)> {
        let source = self.source(push).await?;
        let branch = source.from.strip_prefix("refs/heads/");
        let remote = Remotes::of(self).await?.pick(push.remote.as_deref(), branch, true)?;
        Ok((remote, source.from, source.to))
    }

    async fn source(&self, push: &Push) -> Result<Source> {
        let trouble = || "cannot read the branch";
        let name = match &push.branch {
            Some(name) => name.clone(),
            None => self.head().await?.branch.ok_or_else(|| {
                Error::new(Kind::Git, "HEAD is on no branch that could be pushed")
                    .hint("say which: git.push { branch = … }")
            })?,
        };
        let short = name.strip_prefix("refs/heads/").unwrap_or(&name);
        for full in [format!("refs/heads/{short}"), format!("refs/tags/{name}"), name.clone()] {
            if !full.starts_with("refs/") {
                continue;
            }
            let Some(tip) = self.tip(&full).await.or_kind(Kind::Git, trouble)? else { continue };
            let to = match &push.to {
                Some(to) if to.starts_with("refs/") => to.clone(),
                Some(to) => format!("refs/heads/{to}"),
                None => full.clone(),
            };
            return Ok(Source { from: full, to, tip });
        }
        let branches = self.branches().await?;
        if branches.is_empty() {
            return Err(Error::new(Kind::Git, format!("`{name}` has no commit to push yet")));
        }
        let missing = Error::new(Kind::Git, format!("there is no branch or tag `{name}` to push"));
        let near = nearest(&name, branches.iter().map(|branch| branch.name.as_str()));
        Err(match near {
            Some(near) => missing.hint(format!("did you mean `{near}`?")),
            None => missing,
        })
    }

    /// Uploads the files that LFS keeps beside the repository: without them the remote would have
    /// pointers to nothing.
    async fn push_large_files(
        &self,
        push: &Push,
        remote: &str,
        source: &Source,
    ) -> anyhow::Result<()> {
        let objects = std::fs::read_dir(self.common_dir().join("lfs/objects"));
        if push.dry_run || !objects.is_ok_and(|mut objects| objects.next().is_some()) {
            return Ok(());
        }
        let git = self.reaching("lfs", push.limit).await?;
        let output = git.args(["push", remote, &source.from]).run().await?;
        if output.code != Some(0) {
            bail!("the repository has files in Git LFS: git lfs push: {}", complaint(&output));
        }
        Ok(())
    }

    /// Makes a branch follow one of a remote.
    async fn follow(self: &Arc<Self>, branch: &str, remote: &str, to: &str) -> Result<()> {
        let _lock = self.lock().await?;
        for (key, value) in [("remote", remote), ("merge", to)] {
            let name = format!("branch.{branch}.{key}");
            let set = self.git("config").args(["--", &name, value]).bytes().await;
            set.or_kind(Kind::Git, || {
                format!("`{branch}` was pushed, but it cannot follow `{remote}`")
            })?;
        }
        Ok(())
    }
}

/// A line of `git push --porcelain`: a letter, the refs, and what happened.
struct Line {
    letter: char,
    name: String,
    summary: String,
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let mut columns = line.splitn(3, '\t');
        let (letter, refs, summary) = (columns.next()?, columns.next()?, columns.next()?);
        let letter = Some(letter).filter(|letter| letter.len() == 1)?.chars().next()?;
        let name = refs.split_once(':').map_or(refs, |(_, to)| to).to_owned();
        Some(Self { letter, name, summary: summary.to_owned() })
    }

    fn change(&self, source: &Source) -> RefChange {
        let ids = self.summary.split(' ').next().unwrap_or_default();
        let old = ids.split_once("..").map(|(old, _)| old.to_owned());
        let tip = Some(source.tip.clone());
        let (status, old) = match self.letter {
            '*' => ("new", None),
            '+' => ("forced", old),
            '-' => ("deleted", old),
            '=' => ("up_to_date", tip.clone()),
            _ => ("updated", old),
        };
        RefChange { name: self.name.clone(), old, new: tip, status }
    }
}

fn rejected(line: &Line, remote: &str, output: &Output) -> Error {
    let summary = &line.summary;
    let why =
        summary.split_once('(').map_or(summary.as_str(), |(_, why)| why.trim_end_matches(')'));
    let short = line.name.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
    let (reason, message, hint) = match why {
        "fetch first" | "non-fast-forward" | "needs force" => (
            "non_fast_forward",
            format!("`{remote}` has commits on `{short}` that would be lost"),
            format!(
                "git.fetch(\"{remote}\"), then merge what is there; or `force_with_lease = true`"
            ),
        ),
        "stale info" => (
            "stale",
            format!("`{short}` at `{remote}` is not where the lease says"),
            format!("git.fetch(\"{remote}\"), and look at what came before you drop it"),
        ),
        "already exists" => (
            "exists",
            format!("`{remote}` has another tag `{short}`"),
            "tags do not move: choose another name".to_owned(),
        ),
        _ => {
            let said = text(&output.stderr);
            let said = said.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
            let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
            let said =
                if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
            let hint = "the rules are the remote's: push another branch and ask for a review";
            ("remote", format!("`{remote}` refuses `{short}`: {why}{said}"), hint.to_owned())
        }
    };
    let push = json!({ "status": "rejected", "reason": reason, "ref": line.name });
    Error::new(Kind::Git, message).hint(hint).with("push", push)
}
