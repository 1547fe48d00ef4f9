//! A real repository in a folder of its own, away from the developer's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository with its own `HOME`; everything goes when it is dropped.
pub struct Repo {
    root: PathBuf,
    path: PathBuf,
    /// Removes the folder, unless another process owns it.
    _folder: Option<tempfile::TempDir>,
}

impl Repo {
    /// Makes a repository on `main` with one commit of `README.md`.
    pub fn new() -> Self {
        let repo = Self::empty(&[]);
        repo.write("README.md", "# readme\n");
        repo.commit("start");
        repo
    }

    /// Makes a repository without a commit, with these further arguments to `git init`.
    pub fn empty(init: &[&str]) -> Self {
        let repo = Self::folder("repo");
        std::fs::create_dir_all(&repo.path).unwrap();
        repo.git(&[&["init", "--quiet", "--initial-branch=main"], init].concat());
        repo.identify();
        repo
    }

    /// Makes the folder for a repository named `name`, which a test fills by itself.
    pub fn folder(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("home")).unwrap();
        Self { path: real.join(name), root: real, _folder: Some(folder) }
    }

    /// Looks at a repository that another process made.
    pub fn at(path: PathBuf) -> Self {
        Self { root: path.parent().unwrap().to_owned(), path, _folder: None }
    }

    /// Gives the repository an author.
    pub fn identify(&self) {
        self.git(&["config", "user.name", "Ada"]);
        self.git(&["config", "user.email", "ada@example.com"]);
    }

    /// Returns the checkout.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a path beside the checkout.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns the variables that git and agentlua run with.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let home = self.beside("home").into_os_string();
        let fixed = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")];
        let mut all = vec![
            ("HOME".into(), home),
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("GIT_AUTHOR_DATE".into(), "2026-01-02T03:04:05Z".into()),
            ("GIT_COMMITTER_DATE".into(), "2026-01-02T03:04:05Z".into()),
        ];
        all.extend(fixed.map(|(name, value)| (name.into(), value.into())));
        all
    }

    /// Runs git in the checkout and returns what it wrote, without the last line break.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.path, args)
    }

    /// Runs git in another folder.
    pub fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let (ok, text) = self.try_git_in(dir, args);
        assert!(ok, "git {args:?}: {text}");
        text
    }

    /// Runs git and returns whether it went well, and what it wrote.
    pub fn try_git_in(&self, dir: &Path, args: &[&str]) -> (bool, String) {
        let output = Command::new("git")
            .args(["-c", "protocol.file.allow=always"])
            .args(args)
            .current_dir(dir)
            .env_clear()
            .envs(self.environment())
            .output()
            .unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            text.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        (output.status.success(), text.trim_end_matches('\n').to_owned())
    }

    /// Writes a file, with its folders.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits every file and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Describes everything that is the user's: files, index, HEAD, config, hooks, stash, and all refs
    /// but the branches named (`work/` is all beneath it).
    pub fn fingerprint(&self, except: &[&str]) -> String {
        let git_dir =
            PathBuf::from(self.git(&["rev-parse", "--path-format=absolute", "--git-dir"]));
        let mut text = String::new();
        for (name, entry) in tree(&self.path) {
            writeln!(text, "{name}: {entry}").unwrap();
        }
        for name in ["HEAD", "config", "config.worktree", "index", "info/exclude", "packed-refs"] {
            let bytes = std::fs::read(git_dir.join(name)).unwrap_or_default();
            writeln!(text, ".git/{name}: {}", digest(&bytes)).unwrap();
        }
        for (name, entry) in tree(&git_dir.join("hooks")) {
            writeln!(text, ".git/hooks/{name}: {entry}").unwrap();
        }
        for line in self.git(&["for-each-ref", "--format=%(refname) %(objectname)"]).lines() {
            let name = line.split(' ').next().unwrap();
            let name = name.trim_start_matches("refs/heads/");
            let is = |ours: &str| name == ours || (ours.ends_with('/') && name.starts_with(ours));
            if !except.iter().any(|ours| is(ours)) {
                writeln!(text, "{line}").unwrap();
            }
        }
        text
    }

    /// Fails, naming what differs, unless everything that is the user's is as it was described.
    #[track_caller]
    pub fn assert_untouched(&self, before: &str, except: &[&str]) {
        let after = self.fingerprint(except);
        let (old, new): (BTreeSet<_>, BTreeSet<_>) =
            (before.lines().collect(), after.lines().collect());
        let differs: Vec<_> = old.symmetric_difference(&new).collect();
        assert!(differs.is_empty(), "{differs:#?}");
    }

    /// Fails unless every object that a ref needs is there and whole.
    pub fn fsck(&self) {
        self.git(&["fsck", "--full", "--no-dangling", "--no-progress"]);
    }
}

/// Lists the files beneath a folder but `.git`, with kind, mode and content.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let file = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            if name == ".git" {
                continue;
            }
            let mode = file.permissions().mode();
            let kind = if file.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if file.is_dir() {
                folders.push(path);
                "/".to_owned()
            } else if file.is_file() {
                digest(&std::fs::read(&path).unwrap())
            } else {
                format!("special {}", file.rdev())
            };
            found.insert(name, format!("{mode:o} {kind}"));
        }
    }
    found
}

fn digest(bytes: &[u8]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{} {hash:016x}", bytes.len())
}
