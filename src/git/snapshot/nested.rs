//! Repositories that an agent made or cloned inside its worktree: their files are taken in as files, as
//! deep as they go. Named as repositories they would be nothing to anybody else.

use std::collections::VecDeque;

use anyhow::Context;

use super::index_file::{self, LINK, hex};
use super::stage::{entry, links};
use crate::git::command::{LONG, Place, complaint, fields, path, text};
use crate::git::diff::Scratch;
use crate::git::repo::Repo;

/// The most repositories that are taken in.
const MOST: usize = 64;

/// What became of repositories inside.
#[derive(Debug, Default)]
pub(super) struct Nested {
    /// Those whose files were taken in.
    pub names: Vec<String>,
    /// What could not be stored.
    pub skipped: Vec<String>,
}

/// Puts the files of the repositories at `found` into the index of `place`, in place of what names them.
pub(super) async fn take(
    repo: &Repo,
    place: &Place,
    found: Vec<Vec<u8>>,
    digits: usize,
) -> anyhow::Result<Nested> {
    let scratch = Scratch::new(repo)?;
    let top = place.work_tree.as_deref().context("no files")?;
    let mut nested = Nested::default();
    let mut entries = Vec::new();
    let mut open = VecDeque::from(found);
    while let Some(name) = open.pop_front() {
        if nested.names.len() == MOST {
            nested.skipped.push(format!("the repository `{}` and more", text(&name)));
            break;
        }
        let index = scratch.path(&nested.names.len().to_string());
        let inside = Place {
            work_tree: Some(top.join(path(&name))),
            index: Some(index.clone()),
            ..place.clone()
        };
        let output = repo.git_at(&inside, "add").limit(LONG).arg("--all").run().await?;
        let mut unadded = Vec::new();
        if output.code != Some(0) {
            let add = repo.git_at(&inside, "add").limit(LONG).args(["--all", "--ignore-errors"]);
            let said = complaint(&add.run().await?);
            unadded = self::unadded(repo, &inside).await?;
            if unadded.is_empty() {
                nested.skipped.push(said);
            }
        }
        let beneath = |inner: &[u8]| [&name[..], b"/", inner].concat();
        entries.extend(entry(0, &"0".repeat(digits), &name));
        index_file::entries(&index, digits, |found| {
            if found.mode != LINK {
                entries.extend(entry(found.mode, &hex(found.id), &beneath(found.name)));
            }
        })?;
        open.extend(links(&index, digits)?.keys().map(|inner| beneath(inner)));
        open.extend(unadded.iter().map(|inner| beneath(inner)));
        nested.names.push(text(&name));
    }
    let git = repo.git_at(place, "update-index").args(["-z", "--index-info"]);
    git.stdin(entries).bytes().await?;
    Ok(nested)
}

/// Lists repositories that git left out of an index because they have no commit.
pub(super) async fn unadded(repo: &Repo, place: &Place) -> anyhow::Result<Vec<Vec<u8>>> {
    let git = repo.git_at(place, "ls-files").limit(LONG);
    let listed = git.args(["-z", "--others", "--exclude-standard"]).bytes().await?;
    let top = place.work_tree.as_deref().context("no files")?;
    let repository = |name: &[u8]| {
        let name = name.strip_suffix(b"/")?;
        let marked = top.join(path(name)).join(".git").symlink_metadata().is_ok();
        marked.then(|| name.to_vec())
    };
    Ok(fields(&listed).filter_map(repository).collect())
}
