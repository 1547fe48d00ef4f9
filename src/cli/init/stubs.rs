//! The stubs as files of a project: `.agentlua/types/`, which git ignores.

use std::io;
use std::path::Path;

use crate::files;
use crate::manual::STUBS;

/// Where they lie in a project.
pub const FOLDER: &str = ".agentlua/types";

/// What keeps our folder out of commits.
const IGNORE: &str = "# Written by `agentlua init`, and of the version that wrote it.\n*\n";

/// What became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// There were none.
    New,
    /// They were of another version.
    Changed,
    /// They were as they are.
    Same,
}

/// Writes those that are not as they should be, and removes what an earlier version had.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(project: &Path) -> io::Result<Written> {
    let before = state(project);
    let folder = project.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let ignore = folder.with_file_name(".gitignore");
    if !ignore.exists() {
        files::write(&ignore, IGNORE.as_bytes())?;
    }
    for (name, text) in STUBS {
        let path = folder.join(format!("{name}.lua"));
        if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            files::write(&path, text.as_bytes())?;
        }
    }
    for name in files::list(&folder)?.iter().filter(|name| is_strange(name)) {
        let path = folder.join(name);
        // What does not say that it is a stub was put there by somebody else.
        if std::fs::read(&path).is_ok_and(|text| text.starts_with(b"---@meta")) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(match before {
        None => Written::New,
        Some(true) => Written::Same,
        Some(false) => Written::Changed,
    })
}

/// Tells whether the stubs of a project are those of this version; nothing when it has none.
pub fn state(project: &Path) -> Option<bool> {
    let folder = project.join(FOLDER);
    let names = files::list(&folder).ok()?;
    let is_same = |(name, text): &(&str, &str)| {
        let there = std::fs::read(folder.join(format!("{name}.lua")));
        there.is_ok_and(|there| there == text.as_bytes())
    };
    let is_old = |name: &String| {
        is_strange(name)
            && std::fs::read(folder.join(name)).is_ok_and(|text| text.starts_with(b"---@meta"))
    };
    Some(STUBS.iter().all(is_same) && !names.iter().any(is_old))
}

/// Reports whether a Lua file is none of our stubs.
fn is_strange(name: &str) -> bool {
    name.strip_suffix(".lua").is_some_and(|name| STUBS.iter().all(|(stub, _)| *stub != name))
}
