//! Repositories of a dry run: opened so that no step leaves anything in them; and an empty one in the
//! place of one that a step which was not done would have made.

use std::path::Path;
use std::sync::Arc;

use super::Plan;
use crate::error::Result;
use crate::git::{Opening, Repo};

impl Plan {
    /// Opens the repository around `dir` to look at it.
    ///
    /// # Errors
    /// Git, when there is none and nothing that was not done may make it.
    pub(in crate::host) async fn repo(&self, dir: &Path) -> Result<Arc<Repo>> {
        let opening =
            || Opening { scratch: Some(self.files.dir().join("git")), ..Opening::default() };
        let error = match Repo::open_with(dir, opening()).await {
            Ok(repo) => return Ok(repo),
            Err(error) if !self.has_steps() => return Err(error),
            Err(error) => error,
        };
        let stand_in = self.files.dir().join("repository");
        if !stand_in.join(".git").is_dir() && Repo::make_empty(&stand_in).await.is_err() {
            return Err(error);
        }
        self.note(format!(
            "`{}` is no repository yet: a step that is not done here may make it, and an empty one stands \
             in for it",
            dir.display()
        ));
        Repo::open_with(&stand_in, opening()).await
    }
}
