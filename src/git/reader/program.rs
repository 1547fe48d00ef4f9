//! The git program's answers to the same questions.

use std::path::Path;

use anyhow::bail;

use super::{Change, Head, Listed};
use crate::git::command::{complaint, fields, text};
use crate::git::repo::Repo;

pub(super) async fn head(repo: &Repo, git_dir: &Path) -> anyhow::Result<Head> {
    let place = repo.place(git_dir.to_owned(), None);
    let symbolic = repo.git_at(&place, "symbolic-ref").args(["--quiet", "HEAD"]).run();
    let commit = repo.git_at(&place, "rev-parse").args(["--verify", "--quiet", "HEAD^{commit}"]);
    let (symbolic, commit) = tokio::try_join!(symbolic, commit.run())?;
    let line = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let branch = line(&symbolic.stdout).strip_prefix("refs/heads/").map(str::to_owned);
    Ok(Head { branch, commit: Some(line(&commit.stdout)).filter(|id| !id.is_empty()) })
}

pub(super) async fn resolve(repo: &Repo, rev: &str) -> anyhow::Result<String> {
    if rev.is_empty() || rev.contains('\0') {
        bail!("no revision");
    }
    let git = repo.git("rev-parse").args(["--verify", "--quiet", "--end-of-options"]);
    git.arg(format!("{rev}^{{commit}}")).line().await
}

pub(super) async fn tip(repo: &Repo, full_name: &str) -> anyhow::Result<Option<String>> {
    let git = repo.git("rev-parse").args(["--verify", "--quiet", "--end-of-options", full_name]);
    let output = git.run().await?;
    match output.code {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())),
        Some(1) => Ok(None),
        _ => bail!("cannot read `{full_name}`: {}", complaint(&output)),
    }
}

pub(super) async fn refs(repo: &Repo) -> anyhow::Result<Vec<Listed>> {
    let git = repo.git("for-each-ref").arg("--format=%(objectname) %(refname) %(symref)");
    let bytes = git.bytes().await?;
    let listed = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let (id, name) = (words.next()?, words.next()?);
        let symbolic = words.next().filter(|name| !name.is_empty()).map(<[u8]>::to_vec);
        let id = if symbolic.is_some() { String::new() } else { text(id) };
        Some(Listed { name: name.to_vec(), id, symbolic })
    };
    Ok(bytes.split(|byte| *byte == b'\n').filter_map(listed).collect())
}

pub(super) async fn tree(repo: &Repo, commit: &str) -> anyhow::Result<String> {
    repo.git("rev-parse").args(["--verify", &format!("{commit}^{{tree}}")]).line().await
}

pub(super) async fn changes(repo: &Repo, a: &str, b: &str) -> anyhow::Result<Vec<Change>> {
    let git = repo.git("diff-tree").args(["-r", "-z", "--name-status", "--no-renames"]);
    let bytes = git.args(["--ignore-submodules=none", a, b]).bytes().await?;
    let records: Vec<&[u8]> = fields(&bytes).collect();
    let change = |record: &[&[u8]]| Change { path: record[1].to_vec(), added: record[0] == b"A" };
    Ok(records.chunks_exact(2).map(change).collect())
}

pub(super) async fn is_ancestor(repo: &Repo, ancestor: &str, commit: &str) -> anyhow::Result<bool> {
    let output = repo.git("merge-base").args(["--is-ancestor", ancestor, commit]).run().await?;
    match output.code {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("cannot compare `{ancestor}` and `{commit}`: {}", complaint(&output)),
    }
}

pub(super) async fn merge_base(repo: &Repo, a: &str, b: &str) -> anyhow::Result<Option<String>> {
    let output = repo.git("merge-base").args([a, b]).run().await?;
    match output.code {
        Some(0) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())),
        Some(1) => Ok(None),
        _ => bail!("cannot compare `{a}` and `{b}`: {}", complaint(&output)),
    }
}
