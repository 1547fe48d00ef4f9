//! What a checkout holds beside what is committed.

use super::command::{LONG, fields, text};
use super::repo::Repo;
use crate::error::{Kind, Result, ResultExt};

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
}
