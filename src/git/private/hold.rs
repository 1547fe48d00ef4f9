//! Refs of agentlua's own that hold a commit for a while. They are nobody else's, so libgit2 may write
//! them: no child for each agent.

use anyhow::bail;

use crate::git::reader::Reader;
use crate::git::repo::Repo;

/// Puts a ref of agentlua's on a commit, wherever it was.
pub(in crate::git) async fn hold(repo: &Repo, name: &str, id: &str) -> anyhow::Result<()> {
    require_ours(name)?;
    if repo.reader() == Reader::Library {
        let (full_name, id) = (name.to_owned(), git2::Oid::from_str(id)?);
        let write = move |repository: &git2::Repository| {
            repository.reference(&full_name, id, true, "agentlua: hold")?;
            Ok(())
        };
        if repo.library(repo.common_dir(), write).await.is_ok() {
            return Ok(());
        }
    }
    // The program waits while the user's git packs refs; the library does not.
    repo.git("update-ref").args([name, id]).bytes().await.map(drop)
}

/// Removes a ref of agentlua's, if there is one.
pub(in crate::git) async fn let_go(repo: &Repo, name: &str) -> anyhow::Result<()> {
    require_ours(name)?;
    if repo.reader() == Reader::Library {
        let full_name = name.to_owned();
        let delete = move |repository: &git2::Repository| {
            match repository.find_reference(&full_name) {
                Ok(mut found) => found.delete()?,
                Err(error) if error.code() == git2::ErrorCode::NotFound => {}
                Err(error) => return Err(error.into()),
            }
            Ok(())
        };
        if repo.library(repo.common_dir(), delete).await.is_ok() {
            return Ok(());
        }
    }
    repo.git("update-ref").args(["-d", name]).bytes().await.map(drop)
}

fn require_ours(name: &str) -> anyhow::Result<()> {
    if !name.starts_with("refs/agentlua/") {
        bail!("`{name}` is not a ref of agentlua's");
    }
    Ok(())
}
