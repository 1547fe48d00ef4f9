//! Refs by name, with what they point to.

use super::command::{fields, text};
use super::repo::Repo;

/// A ref that is no link to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ref {
    /// The full name.
    pub name: String,
    /// The object it points to.
    pub target: String,
    /// The commit behind it, absent when there is none: a tag of a blob.
    pub commit: Option<String>,
}

const FORMAT: &str = "--format=%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00\
                      %(*objecttype)%00%(symref)%00";

impl Repo {
    /// Lists the refs of these names, and those beneath them where a name ends with a slash.
    pub(super) async fn find_refs(&self, names: &[&str]) -> anyhow::Result<Vec<Ref>> {
        let bytes = self.git("for-each-ref").arg(FORMAT).args(names).bytes().await?;
        let fields: Vec<String> = fields(&bytes).map(text).collect();
        let found = fields.chunks_exact(6).filter(|field| field[5].is_empty()).map(|field| {
            let direct = (field[2] == "commit").then(|| field[1].clone());
            let behind = || (field[4] == "commit").then(|| field[3].clone());
            Ref {
                name: field[0].trim_start().to_owned(),
                target: field[1].clone(),
                commit: direct.or_else(behind),
            }
        });
        Ok(found.collect())
    }

    /// Lists the branches, local and of remotes, that `commit` is part of, by their full names.
    pub(super) async fn containing(&self, commit: &str) -> anyhow::Result<Vec<String>> {
        let git = self.git("for-each-ref").args(["--format=%(refname)", "--contains", commit]);
        let bytes = git.args(["refs/heads/", "refs/remotes/"]).bytes().await?;
        Ok(text(&bytes).lines().map(str::to_owned).collect())
    }
}
