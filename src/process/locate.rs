//! Which file a program's name stands for.
//!
//! The standard library leaves `posix_spawn` for `fork` when it has to search a `PATH` that differs
//! from its own, so the search is done here and children are started by path.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Returns the executable file that `program` names for someone who works in `cwd` with this `PATH`.
pub(super) fn located(program: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Option<PathBuf> {
    let runs = |file: &Path| file.is_file() && access(file, Access::EXEC_OK).is_ok();
    if program.as_encoded_bytes().contains(&b'/') {
        let file = cwd.join(program);
        return runs(&file).then_some(file);
    }
    std::env::split_paths(path?).map(|dir| cwd.join(dir).join(program)).find(|file| runs(file))
}

/// Returns our own binary under a name that other programs can start it by, for as long as this process
/// lives: also when its file was replaced meanwhile.
///
/// # Errors
/// When the system does not tell.
pub fn own_program() -> io::Result<PathBuf> {
    let running = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    if running.exists() { Ok(running) } else { std::env::current_exe() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn finds_what_exec_would_run() {
        let dir = tempfile::tempdir().unwrap();
        for (name, mode) in [("plain", 0o644), ("tool", 0o755)] {
            let file = dir.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths(["/nowhere".as_ref(), dir.path()]).unwrap();
        let find = |name: &str| located(name.as_ref(), Some(&path), dir.path());
        assert_eq!(find("tool"), Some(dir.path().join("tool")));
        assert_eq!(find("./tool"), Some(dir.path().join("./tool")));
        assert_eq!(find("plain"), None);
        assert_eq!(find("./plain"), None);
        assert_eq!(located("tool".as_ref(), None, dir.path()), None);
    }
}
