//! libgit2's answers. Read only, objects and refs only: never an index, which it misreads in sparse
//! checkouts.

use anyhow::bail;
use git2::{Delta, DiffOptions, ErrorCode, ObjectType, Oid, Repository, Tree};

use super::{Change, Head, Listed};

/// Tells whether the repository is whole: what a partial clone lacks, only the program fetches.
pub(super) fn serves(repository: &Repository) -> bool {
    let partial = |config: &git2::Config| -> Result<bool, git2::Error> {
        let mut entries =
            config.entries(Some("^(extensions\\.partialclone|remote\\..*\\.promisor)$"))?;
        Ok(entries.next().is_some())
    };
    repository.config().and_then(|config| partial(&config)).is_ok_and(|partial| !partial)
}

pub(super) fn head(repository: &Repository) -> anyhow::Result<Head> {
    let head = repository.find_reference("HEAD")?;
    let branch = head.symbolic_target_bytes().and_then(|name| name.strip_prefix(b"refs/heads/"));
    let branch = branch.map(|name| String::from_utf8_lossy(name).into_owned());
    let commit = match head.resolve() {
        Ok(direct) => Some(direct.peel_to_commit()?.id().to_string()),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Head { branch, commit })
}

/// Resolves what both understand alike: `HEAD`, a whole id, a plain name. The rest is the program's.
pub(super) fn resolve(repository: &Repository, rev: &str) -> anyhow::Result<String> {
    if rev == "HEAD" {
        return Ok(repository.head()?.peel_to_commit()?.id().to_string());
    }
    if rev.len() == 40
        && let Ok(id) = Oid::from_str(rev)
    {
        return Ok(repository.find_object(id, None)?.peel_to_commit()?.id().to_string());
    }
    let plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if rev.is_empty() || rev.starts_with('-') || rev.contains("..") || !rev.chars().all(plain) {
        bail!("left to the program");
    }
    Ok(repository.resolve_reference_from_short_name(rev)?.peel_to_commit()?.id().to_string())
}

pub(super) fn tip(repository: &Repository, full_name: &str) -> anyhow::Result<Option<String>> {
    match repository.refname_to_id(full_name) {
        Ok(id) => Ok(Some(id.to_string())),
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn refs(repository: &Repository) -> anyhow::Result<Vec<Listed>> {
    let mut refs = Vec::new();
    for reference in repository.references()? {
        let reference = reference?;
        refs.push(Listed {
            name: reference.name_bytes().to_vec(),
            id: reference.target().map(|id| id.to_string()).unwrap_or_default(),
            symbolic: reference.symbolic_target_bytes().map(<[u8]>::to_vec),
        });
    }
    Ok(refs)
}

pub(super) fn tree(repository: &Repository, commit: &str) -> anyhow::Result<String> {
    Ok(repository.find_commit(Oid::from_str(commit)?)?.tree_id().to_string())
}

pub(super) fn changes(
    repository: &Repository,
    from: &str,
    to: &str,
) -> anyhow::Result<Vec<Change>> {
    let (from, to) = (peeled(repository, from)?, peeled(repository, to)?);
    let mut options = DiffOptions::new();
    options.include_typechange(true).ignore_submodules(false).skip_binary_check(true);
    let diff = repository.diff_tree_to_tree(Some(&from), Some(&to), Some(&mut options))?;
    let change = |delta: git2::DiffDelta<'_>| {
        let path = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes())?;
        Some(Change { path: path.to_vec(), added: delta.status() == Delta::Added })
    };
    Ok(diff.deltas().filter_map(change).collect())
}

fn peeled<'r>(repository: &'r Repository, id: &str) -> anyhow::Result<Tree<'r>> {
    let object = repository.find_object(Oid::from_str(id)?, None)?;
    match object.peel(ObjectType::Tree)?.into_tree() {
        Ok(tree) => Ok(tree),
        Err(_) => bail!("`{id}` has no tree"),
    }
}

pub(super) fn is_ancestor(
    repository: &Repository,
    ancestor: &str,
    commit: &str,
) -> anyhow::Result<bool> {
    Ok(repository.graph_descendant_of(Oid::from_str(commit)?, Oid::from_str(ancestor)?)?)
}

pub(super) fn merge_base(
    repository: &Repository,
    a: &str,
    b: &str,
) -> anyhow::Result<Option<String>> {
    match repository.merge_base(Oid::from_str(a)?, Oid::from_str(b)?) {
        Ok(id) => Ok(Some(id.to_string())),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
