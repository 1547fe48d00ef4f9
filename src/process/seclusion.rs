//! An environment with nothing of the user's in it, for tests: home, settings, temporary files and
//! worktrees lie in one folder, git knows a fixed identity, and keys and `AGENTLUA_*` are left out.
//!
//! What builds need to find their tools stays, as it does for agents' commands ([`super::env`]).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Who commits: the same on every machine, so that what a test compares is too.
const GIT_CONFIG: &str = "\
[user]
\tname = Tester
\temail = tester@localhost
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
";

/// Makes the folders beneath `root`, and returns the environment that stays inside them.
///
/// # Errors
/// When the folders cannot be made.
pub fn secluded(
    inherited: &BTreeMap<String, String>,
    root: &Path,
) -> io::Result<BTreeMap<String, String>> {
    let home = root.join("home");
    let temporary = root.join("tmp");
    std::fs::create_dir_all(&home)?;
    std::fs::create_dir_all(&temporary)?;
    std::fs::write(home.join(".gitconfig"), GIT_CONFIG)?;
    let inherited = inherited.iter().map(|(name, value)| (name.clone(), value.clone()));
    let mut environment = super::env::allowed(inherited);
    environment.retain(|name, _| !name.starts_with("LC_") && name != "LANGUAGE");
    let text = |path: &Path| path.display().to_string();
    environment.extend(
        [
            ("HOME", text(&home)),
            ("TMPDIR", text(&temporary)),
            ("XDG_CACHE_HOME", text(&home.join(".cache"))),
            ("XDG_CONFIG_HOME", text(&home.join(".config"))),
            ("XDG_DATA_HOME", text(&home.join(".local/share"))),
            ("XDG_STATE_HOME", text(&home.join(".local/state"))),
            ("AGENTLUA_WORKTREE_ROOT", text(&root.join("worktrees"))),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(environment)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_user_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let inherited = [
            ("PATH", "/bin"),
            ("HOME", "/root"),
            ("XDG_CONFIG_HOME", "/root/.config"),
            ("LC_ALL", "de_DE"),
            ("AGENTLUA_MODEL", "dear"),
            ("OPENAI_API_KEY", "k"),
            ("GIT_DIR", "/x"),
        ];
        let inherited = inherited.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let environment = secluded(&inherited, dir.path()).unwrap();
        assert_eq!(environment["PATH"], "/bin");
        let root = dir.path().to_str().unwrap();
        for name in ["HOME", "XDG_CONFIG_HOME", "TMPDIR", "AGENTLUA_WORKTREE_ROOT"] {
            assert!(environment[name].starts_with(root), "{name}={}", environment[name]);
        }
        for name in ["LC_ALL", "AGENTLUA_MODEL", "OPENAI_API_KEY", "GIT_DIR"] {
            assert!(!environment.contains_key(name), "{name}");
        }
    }
}
