//! The option `add_dirs`: directories beside the agent's own.

use std::path::{Path, PathBuf};

use crate::agent::query::Site;
use crate::error::Result;
use crate::vm::Options;

const OPTION: &str = "add_dirs";

/// Reads the directories of an agent that works at `site`; relative ones count from its directory,
/// or with a worktree from `cwd`.
///
/// # Errors
/// Usage, for what is no directory, and for what is inside `.git`.
pub(super) fn read(options: &mut Options, site: &Site, cwd: &Path) -> Result<Vec<PathBuf>> {
    let from = match site {
        Site::Directory(dir) => dir,
        Site::Worktree(_) => cwd,
    };
    let mut dirs = Vec::new();
    for text in options.strings(OPTION)?.unwrap_or_default() {
        let dir = from.join(&text);
        let real = match dir.canonicalize() {
            Ok(real) if !text.is_empty() && real.is_dir() => real,
            _ => return Err(options.bad(OPTION, format_args!("names no directory: `{text}`"))),
        };
        if real.iter().any(|name| name.eq_ignore_ascii_case(".git")) {
            let why = format_args!("names what tools do not touch: `{text}` is inside `.git`");
            return Err(options.bad(OPTION, why));
        }
        if !dirs.contains(&real) {
            dirs.push(real);
        }
    }
    Ok(dirs)
}
