//! The built binary in a folder and an environment of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home, a working directory and a place for worktrees; everything goes when it is dropped.
pub struct Home {
    root: PathBuf,
    _folder: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
#[must_use = "look at the output or at the exit code"]
pub struct Ran {
    /// The exit code; 128 and the signal if one ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Home {
    /// Makes the folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().canonicalize().expect("its real path");
        for name in ["home", "work"] {
            std::fs::create_dir(path.join(name)).expect("a folder");
        }
        Self { root: path, _folder: folder }
    }

    /// Returns a path beside the working directory: `home`, `worktrees`.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns a path in the working directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join("work").join(name)
    }

    /// Writes a file in the working directory, with its folders.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("its folders");
        std::fs::write(path, text).expect("the file");
    }

    /// Returns a command of `program` with nothing of the developer's around it.
    pub fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.beside("home"))
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            // The folder is below /tmp, where agentlua keeps no worktrees unless it is told to.
            .env("AGENTLUA_WORKTREE_ROOT", self.beside("worktrees"))
            .stdin(Stdio::null());
        command
    }

    /// Returns a command of the built binary.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.command_of(Path::new(env!("CARGO_BIN_EXE_agentlua")));
        command.args(args);
        command
    }

    /// Makes the working directory a git repository with one commit of what is in it.
    pub fn repository(&self) {
        for args in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["config", "user.name", "Ada"],
            &["config", "user.email", "ada@example.com"],
            &["add", "--all"],
            &["commit", "--quiet", "--allow-empty", "--message=start"],
        ] {
            let mut git = self.command_of(Path::new("git"));
            git.env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z");
            git.env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
            let ran = Ran::of(git.args(args));
            assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
        }
    }

    /// Runs the built binary to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// Writes a script and runs it.
    pub fn script(&self, source: &str) -> Ran {
        self.write("main.lua", source);
        self.run(&["run", "main.lua"])
    }
}

impl Ran {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Self {
        command.output().expect("the command starts").into()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = output.status;
        Self {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}
