//! I1 to I4 of the manual, looked up in the repository itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::plan::Step;
use crate::repo::Repo;
use crate::world::World;

/// The refs that agentlua makes.
const OURS: [&str; 2] = ["work/", "refs/agentlua/"];

/// Describes what is the user's, and what the remote has.
pub fn theirs(world: &World) -> String {
    let remote = world.repo.git_in(&world.remote, &["for-each-ref"]);
    let mine = world.repo.fingerprint(&OURS);
    // The user's gc packs our refs too, and they may go again: what counts is what refs there are.
    let lines = mine.lines().filter(|line| !line.starts_with(".git/packed-refs"));
    let own = std::fs::read_to_string(world.repo.beside("home/.gitconfig")).unwrap_or_default();
    format!("{}\nremote {remote}\nof the user {own}", lines.collect::<Vec<_>>().join("\n"))
}

pub fn assert_same(before: &str, after: &str, step: &Step) {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) =
        (before.lines().collect(), after.lines().collect());
    let differs: Vec<_> = old.symmetric_difference(&new).collect();
    assert!(differs.is_empty(), "{step:?} touched what is the user's: {differs:#?}");
}

/// Returns what the user has changed in the checkout.
pub fn dirt(repo: &Repo) -> String {
    repo.git(&["status", "--porcelain", "--untracked-files=all"])
}

/// Checks what holds at any time.
pub fn check(world: &World) {
    let repo = &world.repo;
    repo.git(&["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]);
    let found = Tokens::found(world, true);
    let lost: Vec<_> = world.required.iter().filter(|token| !found.has(token)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let locks = locks(&repo.path().join(".git"));
    assert!(locks.is_empty(), "locks are left: {locks:?}");
    repo.git(&["status", "--short"]);
    let (_, said) = repo.try_git_in(repo.path(), &["update-index", "--refresh"]);
    assert!(!said.contains("lock"), "{said}");
    assert!(!repo.beside("home/.gitconfig").exists(), "an agent has configured the machine");
    assert!(!repo.beside("canary").exists() && !repo.beside("worktrees/canary").exists());
    let root = repo.beside("");
    let since = Instant::now();
    while let Some(alive) = process_in(&root) {
        assert!(since.elapsed() < Duration::from_secs(5), "still alive: {alive}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The tokens that are on a ref or in a worktree.
pub struct Tokens(BTreeSet<String>);

impl Tokens {
    /// Looks through all blobs that refs hold, with or without the snapshots of turns, and through
    /// the files of the worktrees.
    pub fn found(world: &World, turns: bool) -> Self {
        let repo = &world.repo;
        let refs = repo.git(&["for-each-ref", "--format=%(refname)"]);
        let refs = refs.lines().filter(|name| turns || !name.ends_with("/turns"));
        let mut args = vec!["log", "--patch", "-m", "--format=", "--no-ext-diff", "--text"];
        args.extend(refs);
        let mut text = repo.git(&args);
        let mut folders = vec![repo.beside("worktrees")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match path.symlink_metadata() {
                    Ok(file) if file.is_dir() => folders.push(path),
                    Ok(file) if file.is_file() => {
                        text += &String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default());
                    }
                    _ => {}
                }
            }
        }
        let tokens = text.match_indices("token-").filter_map(|(at, _)| text.get(at..at + 10));
        Self(tokens.map(str::to_owned).collect())
    }

    pub fn has(&self, token: &str) -> bool {
        self.0.contains(token)
    }
}

/// Returns the lock files of git, but agentlua's own.
fn locks(dir: &Path) -> Vec<String> {
    let found = Command::new("find").arg(dir).args(["-name", "*.lock"]).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    found.lines().filter(|path| !path.contains("/.git/agentlua/")).map(str::to_owned).collect()
}

/// Returns a process that works beneath a folder.
fn process_in(root: &Path) -> Option<String> {
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let cwd = std::fs::read_link(entry.path().join("cwd")).ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (cwd.starts_with(root) && !line.is_empty()).then_some(line)
    })
}
