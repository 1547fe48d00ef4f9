//! A repository of the size that people have: source files of crates, as cargo unpacked them.

use std::path::{Path, PathBuf};

use crate::repo::Repo;

const MANY: usize = 2_100;
/// Larger files are data; they would make the repository slow and no more real.
const LARGEST: u64 = 20_000;

/// Adds source files of crates to the folder `vendor`, and commits them.
pub fn add(repo: &Repo) {
    let mut found = Vec::new();
    for registry in entries(&cargo_home().join("registry/src")) {
        for folder in entries(&registry) {
            sources(&registry, &folder, &mut found);
            if found.len() >= MANY {
                break;
            }
        }
    }
    for (name, path) in &found {
        repo.write(&format!("vendor/{name}"), std::fs::read(path).unwrap());
    }
    // Where there is no registry, as with vendored dependencies.
    for number in found.len()..MANY {
        let text = format!("//! Generated.\n\npub fn number() -> u32 {{\n    {number}\n}}\n");
        repo.write(&format!("vendor/generated/{}/{number}.rs", number % 50), text);
    }
    repo.commit("vendor crates");
    let files = repo.git(&["ls-files"]);
    assert!(files.lines().count() > 2_000, "{} files", files.lines().count());
}

fn cargo_home() -> PathBuf {
    let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cargo");
    std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = read.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Collects the plain files of a crate, but those that would tell git what to do.
fn sources(registry: &Path, folder: &Path, found: &mut Vec<(String, PathBuf)>) {
    for path in entries(folder) {
        let about = path.symlink_metadata().unwrap();
        let name = path.strip_prefix(registry).unwrap().to_string_lossy().into_owned();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if about.is_dir() {
            sources(registry, &path, found);
        } else if about.is_file() && about.len() <= LARGEST {
            found.push((name, path));
        }
    }
}
