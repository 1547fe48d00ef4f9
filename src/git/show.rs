//! A file as it was at a revision, and a commit with what it changed.

use std::sync::Arc;

use super::command::{fields, text};
use super::diff::{self, Diff, Side, Spec};
use super::log::{Commit, LogQuery};
use super::repo::Repo;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::suggest::nearest;

/// The largest file that is returned, in bytes.
pub const LARGEST: u64 = 64 << 20;

/// The most bytes of names that are looked through for one that is near.
const MOST_NAMES: u64 = 32 << 20;

impl Repo {
    /// Returns the bytes of a file at a revision as git has stored them: no filter is applied, a file
    /// of LFS is its pointer, a symlink is its target.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such revision or file, or it has more than [`LARGEST`] bytes.
    pub async fn file_at(&self, rev: &str, path: &str) -> Result<Vec<u8>> {
        let trouble = || format!("cannot read `{path}` at `{rev}`");
        let tree = diff::revision(self, rev).await?;
        let wanted = path.trim_start_matches("./").trim_end_matches('/');
        if wanted.is_empty() || wanted == "." {
            return Err(Error::new(Kind::Git, format!("`{path}` is a folder at `{rev}`")));
        }
        // As a path and never as a pattern: `ls-tree` knows none.
        let git = self.git("ls-tree").args(["-z", "--long", "--full-tree", &tree, "--", wanted]);
        let listed = git.bytes().await.or_kind(Kind::Git, trouble)?;
        let entries = fields(&listed).map(text).collect::<Vec<_>>();
        let mut entries = entries.iter().filter_map(|entry| entry.split_once('\t'));
        let what = entries.find(|(_, name)| *name == wanted).map_or("", |(what, _)| what);
        let mut columns = what.split_whitespace();
        let (_mode, kind, id) = (columns.next(), columns.next(), columns.next());
        let size: u64 = columns.next().and_then(|size| size.parse().ok()).unwrap_or_default();
        let refuse = |why: String| Err(Error::new(Kind::Git, why));
        match (kind, id) {
            (Some("blob"), _) if size > LARGEST => {
                let most = LARGEST >> 20;
                let why = format!("`{path}` at `{rev}` has {size} bytes, more than {most} MiB");
                Err(Error::new(Kind::Git, why).hint(format!("git show {rev}:{path} > FILE")))
            }
            (Some("blob"), Some(id)) => {
                let git = self.git("cat-file").args(["blob", id]).most(LARGEST);
                git.bytes().await.or_kind(Kind::Git, trouble)
            }
            (Some("tree"), _) => refuse(format!("`{path}` is a folder at `{rev}`")),
            (Some("commit"), _) => refuse(format!("`{path}` is a submodule at `{rev}`")),
            _ => Err(self.no_such_file(rev, &tree, path).await),
        }
    }

    /// Returns a commit, and what it changed against its first parent.
    ///
    /// # Errors
    /// [`Kind::Git`] when there is no such commit, or it changed more than a diff may have.
    pub async fn commit_at(self: &Arc<Self>, rev: &str) -> Result<(Commit, Diff)> {
        let id = self.resolve(rev).await?;
        let query = LogQuery { rev: Some(id.clone()), limit: Some(1), ..LogQuery::default() };
        let Some(commit) = self.log(query).await?.pop() else {
            return Err(Error::new(Kind::Git, format!("`{rev}` names no commit")));
        };
        let trouble = || format!("cannot show `{rev}`");
        let from = match commit.parents.first() {
            Some(parent) => parent.clone(),
            None => diff::empty_tree(self).await.or_kind(Kind::Git, trouble)?,
        };
        let diff = diff::diff(self, Spec::Between { from, to: Side::Rev(id) }, &[]).await?;
        Ok((commit, diff))
    }

    async fn no_such_file(&self, rev: &str, tree: &str, path: &str) -> Error {
        let error = Error::new(Kind::Git, format!("there is no `{path}` at `{rev}`"));
        let git = self.git("ls-tree").args(["-r", "-z", "--name-only", "--full-tree", tree]);
        let Ok(names) = git.most(MOST_NAMES).bytes().await else { return error };
        let names: Vec<String> = fields(&names).map(text).collect();
        let near = nearest(path, names.iter().map(String::as_str));
        match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}
