//! Submodules of a worktree, filled on request.
//!
//! `git submodule init` writes into the configuration that all worktrees share. Here each submodule's
//! address is given on the command line instead, from that configuration where the user has one and
//! from `.gitmodules` where not; nested submodules keep theirs in the configuration of the one they
//! are in. A worktree whose submodules were filled is never removed by itself: commits made in them
//! exist nowhere else.
//!
//! `.gitmodules` is a file of the base, which an agent may have written. So its names reach git where a
//! name cannot end and a value begin, and git is started only in folders that it has just filled.

use std::path::{Component, Path};

use anyhow::{Context, bail};

use super::Worktree;
use crate::git::command::{LONG, complaint, fields, path, text};
use crate::git::private::plain::Folder;
use crate::git::repo::Repo;

/// Fills every submodule, and those in them.
pub(super) async fn fill(worktree: &Worktree) -> anyhow::Result<()> {
    let repo = worktree.repo();
    let modules = worktree.path().join(".gitmodules");
    if !modules.symlink_metadata().is_ok_and(|file| file.is_file()) {
        return Ok(());
    }
    let git = |dir: &Path| repo.program.discovering(dir, "submodule").limit(LONG);
    let mut update = git(worktree.path());
    let mut count = 0;
    for (name, address) in addresses(repo, &modules).await? {
        for (key, value) in [("url", address.as_str()), ("active", "true")] {
            // Not with `-c`, where the first `=` ends the key.
            update = update
                .env(&format!("GIT_CONFIG_KEY_{count}"), format!("submodule.{name}.{key}"))
                .env(&format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
    }
    update = update.env("GIT_CONFIG_COUNT", count.to_string());
    let output = update.args(["update", "--quiet"]).run().await?;
    if output.code != Some(0) {
        bail!("cannot fill the submodules: {}", complaint(&output));
    }
    for path in paths(repo, &modules).await? {
        let dir = worktree.path().join(&path);
        if is_filled(worktree, Path::new(&path)) && dir.join(".gitmodules").is_file() {
            let output = git(&dir).args(["update", "--quiet", "--init", "--recursive"]).run();
            let output = output.await?;
            if output.code != Some(0) {
                bail!("cannot fill the submodules of `{}`: {}", dir.display(), complaint(&output));
            }
        }
    }
    Ok(())
}

/// Tells whether a submodule of this worktree stands at a path, reached through no link.
fn is_filled(worktree: &Worktree, name: &Path) -> bool {
    let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
    let pointer = Folder::open(worktree.path())
        .and_then(|top| top.folder(name))
        .and_then(|folder| folder.file(Path::new(".git"), 1 << 16));
    let (true, Ok(Some(pointer))) = (plain, pointer) else { return false };
    let target = path(pointer.strip_prefix(b"gitdir: ").unwrap_or_default().trim_ascii_end());
    let modules = worktree.admin().join("modules").canonicalize();
    let target = worktree.path().join(name).join(target).canonicalize();
    matches!((modules, target), (Ok(modules), Ok(target)) if target.starts_with(&modules))
}

async fn listed(repo: &Repo, modules: &Path, key: &str) -> anyhow::Result<Vec<(String, String)>> {
    let pattern = format!("^submodule\\..*\\.{key}$");
    let git = repo.git("config").arg("--file").arg(modules).args(["-z", "--get-regexp", &pattern]);
    let output = git.run().await?;
    let entry = |field: &[u8]| {
        let field = text(field);
        let (name, value) = field.split_once('\n')?;
        let name = name.strip_prefix("submodule.")?.strip_suffix(&format!(".{key}"))?;
        Some((name.to_owned(), value.to_owned()))
    };
    Ok(fields(&output.stdout).filter_map(entry).collect())
}

async fn paths(repo: &Repo, modules: &Path) -> anyhow::Result<Vec<String>> {
    Ok(listed(repo, modules, "path").await?.into_iter().map(|(_, path)| path).collect())
}

/// Returns each submodule's name, and where it is fetched from.
async fn addresses(repo: &Repo, modules: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut addresses = Vec::new();
    for (name, address) in listed(repo, modules, "url").await? {
        let set = setting(repo, &format!("submodule.{name}.url")).await?;
        let address = match set {
            Some(set) => set,
            None if address.starts_with("./") || address.starts_with("../") => {
                let origin = setting(repo, "remote.origin.url").await?;
                let around = origin.unwrap_or_else(|| repo.top().display().to_string());
                relative_to(&around, &address).with_context(|| {
                    format!("the submodule `{name}` has the address `{address}`")
                })?
            }
            None => address,
        };
        addresses.push((name, address));
    }
    Ok(addresses)
}

async fn setting(repo: &Repo, name: &str) -> anyhow::Result<Option<String>> {
    let output = repo.git("config").args(["--get", name]).run().await?;
    Ok((output.code == Some(0)).then(|| text(output.stdout.trim_ascii_end())))
}

/// Resolves an address that starts with `./` or `../` against another, as git does.
fn relative_to(around: &str, address: &str) -> anyhow::Result<String> {
    let mut base = around.trim_end_matches('/').to_owned();
    let mut rest = address;
    loop {
        if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else if let Some(next) = rest.strip_prefix("../") {
            let cut = base.rfind('/').or_else(|| base.rfind(':'));
            let Some(cut) = cut else { bail!("it leads out of `{around}`") };
            base.truncate(cut);
            rest = next;
        } else {
            let joint = if around[base.len()..].starts_with(':') { ':' } else { '/' };
            return Ok(format!("{base}{joint}{rest}"));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn relative_addresses_are_those_of_git() {
        for (around, address, expected) in [
            ("https://h/a/b.git", "../c.git", "https://h/a/c.git"),
            ("https://h/a/b.git", "./c", "https://h/a/b.git/c"),
            ("git@h:b.git", "../c.git", "git@h:c.git"),
            ("git@h:a/b.git", "../../c.git", "git@h:c.git"),
            ("/x/repo/", "../lib", "/x/lib"),
        ] {
            assert_eq!(relative_to(around, address).unwrap(), expected, "{around} {address}");
        }
        assert!(relative_to("b.git", "../c").is_err());
    }
}
