//! What a checkout holds beside what is committed.

use anyhow::bail;

use super::command::{LONG, Place, complaint, fields, text};
use super::diff::Scratch;
use super::repo::Repo;
use super::to_the_end;
use crate::error::{Error, Kind, Result, ResultExt};

impl Repo {
    /// Returns the paths of the checkout that are not as HEAD has them, unknown files and folders
    /// included; what git ignores is not.
    ///
    /// # Errors
    /// [`Kind::Git`] when git cannot tell.
    pub async fn dirty_paths(&self) -> Result<Vec<String>> {
        if self.is_bare() {
            return Ok(Vec::new());
        }
        let git = self.git_at(&self.here(), "status").limit(LONG);
        let git = git.args(["--porcelain", "-z", "--untracked-files=normal", "--no-renames"]);
        let bytes = git.bytes().await.or_kind(Kind::Git, || "cannot look at the checkout")?;
        Ok(fields(&bytes).filter_map(|record| record.get(3..)).map(text).collect())
    }

    /// Returns how many files that git knows are not as HEAD has them in the checkout.
    ///
    /// # Errors
    /// [`Kind::Git`] when git cannot tell.
    pub async fn changed_count(&self) -> Result<usize> {
        if self.is_bare() {
            return Ok(0);
        }
        let git = self.git_at(&self.here(), "status").limit(LONG);
        let git = git.args(["--porcelain", "-z", "--untracked-files=no", "--no-renames"]);
        let bytes = git.bytes().await.or_kind(Kind::Git, || "cannot look at the checkout")?;
        Ok(fields(&bytes).filter(|record| record.len() > 3).count())
    }

    /// Returns a commit of the files of the checkout as they are, on top of HEAD; HEAD itself where
    /// nothing differs. Unknown files are in it, ignored ones not. The checkout, its index and every
    /// ref stay as they are: only objects are written.
    ///
    /// # Errors
    /// [`Kind::Git`] when the checkout has unresolved conflicts, or a file that git cannot store.
    pub async fn dirty_commit(self: &std::sync::Arc<Self>) -> Result<String> {
        let repo = self.clone();
        let step = async move {
            if repo.is_bare() {
                return Err(Error::new(Kind::Git, "a bare repository has no uncommitted changes"));
            }
            let head = repo.resolve("HEAD").await?;
            committed(&repo, &head).await.or_kind(Kind::Git, || {
                format!("cannot copy the uncommitted changes of `{}`", repo.top().display())
            })
        };
        to_the_end(step, |_| async {}).await
    }
}

/// Commits the files of the checkout by a copy of its index.
async fn committed(repo: &Repo, head: &str) -> anyhow::Result<String> {
    let scratch = Scratch::new(repo)?;
    let copy = scratch.copy("index", &repo.git_dir().join("index"))?;
    let place = Place { index: Some(copy), ..repo.here() };
    let unmerged = repo.git_at(&place, "ls-files").args(["-z", "--unmerged"]).bytes().await?;
    if !unmerged.is_empty() {
        bail!("it has unresolved conflicts");
    }
    let add = repo.git_at(&place, "add").args(["--all", "--sparse"]).limit(LONG).run().await?;
    if add.code != Some(0) {
        bail!("git add: {}", complaint(&add));
    }
    let tree = repo.git_at(&place, "write-tree").line().await?;
    if tree == repo.tree(head).await? {
        return Ok(head.to_owned());
    }
    let branch = repo.head_of(repo.git_dir()).await?.branch;
    let of = branch.unwrap_or_else(|| "a detached HEAD".to_owned());
    repo.commit_tree(&tree, &[head], &format!("uncommitted changes of {of}\n"), false).await
}
