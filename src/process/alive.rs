//! Whether processes that are no children of ours still run.

use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Tells whether there is a process of this id. Another may have taken it over since.
pub fn exists(id: u32) -> bool {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Tells whether a process has its working directory in `folder`. Where the system does not say, none
/// has.
pub fn works_in(folder: &Path) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let numbered = process.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        numbered
            && std::fs::read_link(process.path().join("cwd"))
                .is_ok_and(|cwd| cwd.starts_with(folder))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_exists_and_works_where_it_was_started() {
        assert!(exists(std::process::id()) && !exists(0));
        let here = std::env::current_dir().and_then(|dir| dir.canonicalize());
        assert!(here.is_ok_and(|here| works_in(&here)));
        assert!(!works_in(Path::new("/nowhere/at/all")));
    }
}
