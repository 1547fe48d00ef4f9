//! Files of a workspace whole, as long as they are not too large.

use std::io::Read;

use super::ToolError;
use crate::workspace::{Denied, WorkPath, Workspace};

/// The largest file that is loaded.
const MAX: u64 = 32 * 1024 * 1024;
/// How many files are looked through for a name like one that is missing.
const CANDIDATES: usize = 20_000;

/// Returns the content of a file.
pub(super) fn load(workspace: &dyn Workspace, path: &WorkPath) -> Result<Vec<u8>, ToolError> {
    let len = workspace.metadata(path)?.len;
    let mut bytes = Vec::new();
    if len <= MAX {
        let file = workspace.open(path)?;
        let read = file.take(MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| ToolError::reply(format!("`{path}`: {error}")))?;
    }
    // It can have grown meanwhile.
    let len = len.max(bytes.len() as u64);
    if len > MAX {
        return Err(ToolError::reply(format!(
            "`{path}` has {len} bytes, more than the {MAX} that file tools open: search it with \
             Grep, or take parts of it with Bash (`sed -n 1,50p`, `head -c`)"
        )));
    }
    Ok(bytes)
}

/// Returns the content of a file, or `None` where there is no file.
pub(super) fn load_existing(
    workspace: &dyn Workspace,
    path: &WorkPath,
) -> Result<Option<Vec<u8>>, ToolError> {
    match workspace.metadata(path) {
        Err(Denied::NotFound(_)) => Ok(None),
        Err(denied) => Err(denied.into()),
        Ok(_) => load(workspace, path).map(Some),
    }
}

/// Says that there is no file `path`, and which one may be meant.
pub(super) fn missing(workspace: &dyn Workspace, path: &WorkPath) -> ToolError {
    let mut near: Vec<(f64, WorkPath)> = Vec::new();
    let mut left = CANDIDATES;
    let walk = workspace.walk(&path.top(), &mut |other| {
        left -= 1;
        let likeness = likeness(path, &other);
        if likeness > 0.85 {
            near.push((likeness, other));
        }
        left > 0
    });
    near.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    let names: Vec<_> = near.iter().take(3).map(|(_, path)| format!("`{path}`")).collect();
    // Without a tree to look through there is nothing to suggest.
    let suggestion = match walk {
        Ok(()) if !names.is_empty() => format!("; did you mean {}?", names.join(" or ")),
        _ => String::new(),
    };
    ToolError::reply(format!("there is no file `{path}`{suggestion}"))
}

/// Tells from 0 to 1 how well `other` can stand for `path`: the same name elsewhere can, and a
/// similar one in the same directory.
fn likeness(path: &WorkPath, other: &WorkPath) -> f64 {
    let name =
        |path: &WorkPath| path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let (wanted, found) = (name(path), name(other));
    if wanted == found {
        1.0
    } else if path.parent() == other.parent() {
        crate::suggest::likeness(&wanted, &found)
    } else {
        0.0
    }
}
