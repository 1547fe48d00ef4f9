//! Where the contenders run: a home, folders and a repository.

use std::path::PathBuf;
use std::process::Command;

/// A place of its own on disk; goes when it is dropped.
pub struct Field {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Field {
    /// Makes it.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("its real path");
        let field = Self { root, _folder: folder };
        for name in ["home", "folders", "worktrees", "repository"] {
            std::fs::create_dir(field.root.join(name)).expect("a folder");
        }
        field
    }

    /// Returns the folders that agents without worktrees work in.
    pub fn folders(&self) -> PathBuf {
        self.root.join("folders")
    }

    /// Returns where worktrees go.
    pub fn worktrees(&self) -> PathBuf {
        self.root.join("worktrees")
    }

    /// Returns the repository.
    pub fn repository(&self) -> PathBuf {
        self.root.join("repository")
    }

    /// Returns a command with nothing of the user's around it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.join("home"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("AGENTLUA_WORKTREE_ROOT", self.worktrees());
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "Ada");
            command.env(format!("GIT_{role}_EMAIL"), "ada@example.com");
        }
        command
    }

    /// Makes `count` folders as they are before an agent worked in them.
    pub fn fill_folders(&self, count: usize) {
        for number in 1..=count {
            let folder = self.folders().join(number.to_string());
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(folder.join("count.txt"), "count = 1\n").expect("a file");
        }
    }

    /// Makes the repository anew, without a worktree: `files` files in folders of 25, and one more.
    pub fn fill_repository(&self, files: usize) {
        for dir in [self.repository(), self.worktrees()] {
            std::fs::remove_dir_all(&dir).expect("a folder to empty");
            std::fs::create_dir(&dir).expect("a folder");
        }
        let repository = self.repository();
        for file in 0..files {
            let folder = repository.join(format!("src/part{:02}", file / 25));
            std::fs::create_dir_all(&folder).expect("a folder");
            let line = |line| format!("fn item_{file}_{line}() -> u32 {{ {line} }}\n");
            let text: String = (0..60).map(line).collect();
            std::fs::write(folder.join(format!("file{file:04}.rs")), text).expect("a file");
        }
        std::fs::write(repository.join("count.txt"), "count = 1\n").expect("a file");
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=start"]);
        self.git(&["gc", "--quiet"]);
    }

    /// Runs git in the repository.
    pub fn git(&self, args: &[&str]) {
        let status = self
            .command("git")
            .current_dir(self.repository())
            .args(["-c", "gc.auto=0"])
            .args(args)
            .status();
        assert!(status.expect("git").success(), "git {args:?}");
    }
}
