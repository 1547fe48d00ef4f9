//! What must hold after a crash and a recovery.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::home::Home;
use crate::repo::Repo;

/// How long a loaded machine may take to end the processes of a run that was killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refs that a script of the sweep makes: not the user's.
const OURS: [&str; 3] = ["work/", "agentlua/", "refs/agentlua/"];

/// How the user's things were before the run.
pub struct Aftermath {
    repo: Repo,
    before: String,
}

impl Aftermath {
    /// Describes the user's things; gives them a stash and a branch, too.
    pub fn before(home: &Home) -> Self {
        let repo = Repo::at(home.path("").components().collect());
        repo.write("kept.txt", "stashed\n");
        repo.git(&["stash", "push", "--include-untracked", "--quiet"]);
        repo.git(&["branch", "mine"]);
        repo.git(&["branch", "work/into"]);
        repo.write("README.md", "not committed\n");
        let before = repo.fingerprint(&OURS);
        Self { repo, before }
    }

    /// Fails, naming `place`, unless the invariants hold.
    pub fn check(&self, home: &Home, place: &str) {
        let after = self.repo.fingerprint(&OURS);
        assert_eq!(after, self.before, "{place}: something of the user's has changed");
        self.repo.git(&["fsck", "--connectivity-only", "--no-dangling"]);
        self.nothing_lost(home, place);
        wait_for_the_end(&home.beside(""), place);
        let locks: Vec<PathBuf> = files(&self.repo.path().join(".git"))
            .into_keys()
            .filter(|path| path.extension().is_some_and(|end| end == "lock"))
            .filter(|path| !path.components().any(|part| part.as_os_str() == "agentlua"))
            .collect();
        assert!(locks.is_empty(), "{place}: {locks:?}");
        for entry in self.repo.git(&["worktree", "list", "--porcelain"]).split("\n\n") {
            assert!(!entry.contains("\nlocked"), "{place}: {entry}");
            assert!(!entry.contains("\nprunable"), "{place}: {entry}");
            let path = entry.lines().next().unwrap().trim_start_matches("worktree ");
            // A person can use git there.
            self.repo.git_in(Path::new(path), &["status", "--porcelain"]);
        }
    }

    /// What the agents had written is part of what some ref holds, or stands in a worktree.
    fn nothing_lost(&self, home: &Home, place: &str) {
        let held: HashSet<String> = self
            .repo
            .git(&["rev-list", "--all", "--objects"])
            .lines()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect();
        let worktrees = files(&home.beside("worktrees"));
        let notes = std::fs::read_to_string(home.beside("notes")).unwrap_or_default();
        for text in notes.lines() {
            let file = home.beside("written");
            std::fs::write(&file, format!("{text}\n")).unwrap();
            let id = self.repo.git(&["hash-object", file.to_str().unwrap()]);
            let stands = worktrees.values().any(|content| *content == format!("{text}\n"));
            // What is to be committed is so after the recovery; the rest is not to be.
            let enough = held.contains(&id) || (stands && text.starts_with("two wrote"));
            assert!(enough, "{place}: lost, or not on its branch: {text}");
        }
    }

    /// Fails, naming `place`, if there is anything that nobody needs, once `gc` has run.
    pub fn nothing_left(&self, home: &Home, place: &str) {
        let listed = self.repo.git(&["worktree", "list", "--porcelain"]);
        for folder in children(&home.beside("worktrees")) {
            for worktree in children(&folder) {
                let line = format!("worktree {}\n", worktree.display());
                assert!(listed.contains(&line), "{place}: {}", worktree.display());
            }
        }
        let state = self.repo.path().join(".git/agentlua");
        for name in ["tmp", "entered", "output"] {
            let left = children(&state.join(name));
            assert!(left.is_empty(), "{place}: {left:?}");
        }
        for index in children(&state.join("index")) {
            let name = format!("/{}\n", index.file_name().unwrap().display());
            assert!(listed.contains(&name), "{place}: {}", index.display());
        }
        let start = self.repo.git(&["rev-parse", "main"]);
        let empty = self.repo.git(&["for-each-ref", "--format=%(refname)", "--points-at", &start]);
        for name in empty.lines().map(|name| name.trim_start_matches("refs/heads/")) {
            // The branch that is merged into, and that of the script's own worktree, are not agents'.
            assert!(["main", "mine", "work/into", "work/hand"].contains(&name), "{place}: {name}");
        }
    }

    /// Describes everything that a recovery may change.
    pub fn state(&self, home: &Home) -> String {
        let refs = self.repo.git(&["for-each-ref"]);
        let worktrees = self.repo.git(&["worktree", "list", "--porcelain"]);
        let mut names: Vec<String> = files(&home.beside("worktrees"))
            .into_iter()
            .map(|(path, content)| format!("{}: {content}", path.display()))
            .collect();
        let state = self.repo.path().join(".git/agentlua");
        for name in ["index", "tmp", "output"] {
            names.extend(files(&state.join(name)).keys().map(|path| path.display().to_string()));
        }
        format!("{refs}\n{worktrees}\n{}", names.join("\n"))
    }

    /// Does what a person does next.
    pub fn use_git(&self, home: &Home) {
        assert!(home.path("").is_dir());
        self.repo.git(&["status"]);
        self.repo.git(&["add", "--all"]);
        self.repo.git(&["commit", "--quiet", "--message", "mine"]);
        self.repo.git(&["fetch", "--quiet", ".", "mine"]);
        self.repo.git(&["stash", "pop", "--quiet"]);
        self.repo.fsck();
    }
}

/// Waits until no process works beneath `root` or was started with it.
fn wait_for_the_end(root: &Path, place: &str) {
    let root: PathBuf = root.components().collect();
    let since = Instant::now();
    loop {
        let Some(found) = process_at(&root) else { return };
        assert!(since.elapsed() < PATIENCE, "{place}: still runs: {found}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn process_at(root: &Path) -> Option<String> {
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let here = process.path();
        let works = std::fs::read_link(here.join("cwd")).is_ok_and(|cwd| cwd.starts_with(root));
        let line = std::fs::read(here.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if works || line.contains(root.to_str().unwrap()) {
            return Some(format!("{} {line}", here.display()));
        }
    }
    None
}

fn children(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Lists the files beneath a folder, with what is in them.
fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap_or_default();
                found.insert(path, String::from_utf8_lossy(&content).into_owned());
            }
        }
    }
    found
}
