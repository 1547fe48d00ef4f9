//! Proofs that the commits of a branch are held elsewhere: reachable there, or there as equal patches,
//! one by one or squashed, or merging them there would add nothing.
//!
//! Patches are compared byte for byte, white space included, by plumbing that no setting of the user's
//! changes. A merge is no proof where drivers of the user's decide what it yields.

use std::collections::{BTreeSet, HashMap};

use super::Survey;
use crate::git::command::{LONG, text};

/// How many commits of other branches are compared, the newest first.
const COMPARED: &str = "--max-count=1000";

/// How many paths are named to find those commits; with more, all are compared.
const PATHS: usize = 500;

/// How many branches are asked whether a merge would add anything.
const MERGED: usize = 8;

/// Whether commits are held elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// They are: how.
    By(String),
    /// They are not, as far as can be told: why.
    Not(String),
}

impl Survey {
    /// Looks for a proof that the commits from `base` to `tip` are held by branches that agentlua did
    /// not make.
    pub(super) async fn held(&self, base: &str, tip: &str) -> anyhow::Result<Held> {
        if tip == base {
            return Ok(Held::By("empty".to_owned()));
        }
        if let Some(holder) = self.containing(tip).await?.first() {
            return Ok(Held::By(format!("merged into `{holder}`")));
        }
        let own = self.own_commits(base, tip).await?;
        let (count, linear) = (own.len(), own.iter().all(|(_, parents)| *parents == 1));
        let commits = if count == 1 { "commit" } else { "commits" };
        let unmerged = || Ok(Held::Not(format!("not merged: {count} {commits}")));
        let others = if base.is_empty() { Vec::new() } else { self.candidates(base, tip).await? };
        if others.is_empty() {
            return unmerged();
        }
        let known = self.patch_ids(&others).await?;
        if linear {
            let own: Vec<String> = own.into_iter().map(|(commit, _)| commit).collect();
            if let Some(holder) = self.one_by_one(&own, &known).await? {
                return Ok(Held::By(format!("patch-id equal in `{holder}`")));
            }
        }
        if let Some((holder, commit)) = self.squashed(base, tip, &known).await? {
            return Ok(Held::By(format!("squashed into `{holder}` as {commit:.7}")));
        }
        match self.adds_nothing(tip).await? {
            Some(holder) => Ok(Held::By(format!("adds nothing to `{holder}`"))),
            None => unmerged(),
        }
    }

    /// Lists the branches that may prove something and hold `commit`, by the names that people use,
    /// the one that is checked out first.
    pub(super) async fn containing(&self, commit: &str) -> anyhow::Result<Vec<String>> {
        let all = self.repo.containing(commit).await?;
        let current = self.repo.head().await?.branch.map(|name| format!("refs/heads/{name}"));
        let mut names: Vec<&String> = all
            .iter()
            .filter(|name| self.holders.iter().any(|found| found.name == **name))
            .collect();
        names.sort_by_key(|name| Some(*name) != current.as_ref());
        Ok(names.into_iter().map(|name| short(name)).collect())
    }

    /// Lists the commits of the branch, each with the number of its parents.
    async fn own_commits(&self, base: &str, tip: &str) -> anyhow::Result<Vec<(String, usize)>> {
        let mut git = self.repo.git("rev-list").args(["--parents", tip]);
        if !base.is_empty() {
            git = git.arg(format!("^{base}"));
        }
        let bytes = git.bytes().await?;
        let commits = text(&bytes);
        let commit = |line: &str| {
            let mut ids = line.split(' ').map(str::to_owned);
            (ids.next().unwrap_or_default(), ids.count())
        };
        Ok(commits.lines().map(commit).collect())
    }

    /// Lists the commits of other branches since `base` that touch a path which the branch changed.
    async fn candidates(&self, base: &str, tip: &str) -> anyhow::Result<Vec<String>> {
        let mut input = Vec::new();
        for holder in self.holders.iter().filter_map(|found| found.commit.as_ref()) {
            input.extend_from_slice(holder.as_bytes());
            input.push(b'\n');
        }
        input.extend_from_slice(format!("^{base}\n").as_bytes());
        let changes = self.repo.changes(base, tip).await?;
        // A line break in a name would end it here.
        let plain = changes.iter().all(|change| !change.path.contains(&b'\n'));
        if plain && !changes.is_empty() && changes.len() <= PATHS {
            input.extend_from_slice(b"--\n");
            for change in &changes {
                input.extend_from_slice(&change.path);
                input.push(b'\n');
            }
        }
        let git = self.repo.git("rev-list").args(["--stdin", "--no-merges", "--full-history"]);
        let bytes = git.arg(COMPARED).stdin(input).limit(LONG).bytes().await?;
        Ok(text(&bytes).lines().map(str::to_owned).collect())
    }

    /// Returns the patch ids of commits, each with its commits.
    async fn patch_ids(&self, commits: &[String]) -> anyhow::Result<HashMap<String, Vec<String>>> {
        let input = (commits.join("\n") + "\n").into_bytes();
        let git = self.repo.git("diff-tree").arg("--stdin").stdin(input);
        self.ids_of(git).await
    }

    async fn ids_of(
        &self,
        diff: crate::git::command::Git,
    ) -> anyhow::Result<HashMap<String, Vec<String>>> {
        let form = ["-r", "-p", "--root", "--full-index", "--binary", "--no-renames"];
        let diff = diff.args(form).args(["--no-ext-diff", "--no-textconv", "--no-color"]);
        let mut ids: HashMap<String, Vec<String>> = HashMap::new();
        let patches = diff.limit(LONG).bytes().await?;
        if patches.is_empty() {
            return Ok(ids);
        }
        let git = self.repo.git("patch-id").arg("--verbatim").stdin(patches);
        let bytes = git.limit(LONG).bytes().await?;
        for line in text(&bytes).lines() {
            if let Some((id, commit)) = line.split_once(' ') {
                ids.entry(id.to_owned()).or_default().push(commit.to_owned());
            }
        }
        Ok(ids)
    }

    /// Returns a branch that holds an equal of each of the commits.
    async fn one_by_one(
        &self,
        own: &[String],
        known: &HashMap<String, Vec<String>>,
    ) -> anyhow::Result<Option<String>> {
        let ids = self.patch_ids(own).await?;
        if ids.values().map(Vec::len).sum::<usize>() != own.len() {
            return Ok(None); // One of them changes nothing: only its message could be lost.
        }
        let mut common: Option<Vec<String>> = None;
        for id in ids.keys() {
            let mut holders = BTreeSet::new();
            for equal in known.get(id).into_iter().flatten() {
                holders.extend(self.containing(equal).await?);
            }
            let mut left = common.unwrap_or_else(|| holders.iter().cloned().collect());
            left.retain(|holder| holders.contains(holder));
            if left.is_empty() {
                return Ok(None);
            }
            common = Some(left);
        }
        Ok(common.and_then(|holders| holders.into_iter().next()))
    }

    /// Returns a branch with one commit that is the whole change.
    async fn squashed(
        &self,
        base: &str,
        tip: &str,
        known: &HashMap<String, Vec<String>>,
    ) -> anyhow::Result<Option<(String, String)>> {
        let whole = self.ids_of(self.repo.git("diff-tree").args([base, tip])).await?;
        for id in whole.keys() {
            for commit in known.get(id).into_iter().flatten() {
                if let Some(holder) = self.containing(commit).await?.into_iter().next() {
                    return Ok(Some((holder, commit.clone())));
                }
            }
        }
        Ok(None)
    }

    /// Returns a branch that a merge of `tip` would leave as it is.
    async fn adds_nothing(&self, tip: &str) -> anyhow::Result<Option<String>> {
        let drivers = self.repo.git("config").args(["--get-regexp", r"^merge\..*\.driver$"]);
        if drivers.run().await?.code != Some(1) {
            return Ok(None);
        }
        let current = self.repo.head().await?.branch.map(|name| format!("refs/heads/{name}"));
        let mut holders: Vec<_> = self.holders.iter().collect();
        holders.sort_by_key(|found| Some(&found.name) != current.as_ref());
        for holder in holders.into_iter().take(MERGED) {
            let Some(commit) = &holder.commit else { continue };
            let Some(base) = self.repo.merge_base(commit, tip).await? else { continue };
            // Changes that undo each other add nothing anywhere.
            if self.repo.changes(&base, tip).await?.is_empty() {
                continue;
            }
            let merge = self.repo.git("merge-tree").args(["--write-tree", "--no-messages"]);
            let merged = merge.args([commit, tip]).run().await?;
            let tree = text(&merged.stdout);
            if merged.code == Some(0) && tree.trim_end() == self.repo.tree(commit).await? {
                return Ok(Some(short(&holder.name)));
            }
        }
        Ok(None)
    }
}

fn short(name: &str) -> String {
    let local = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/remotes/"));
    local.unwrap_or(name).to_owned()
}
