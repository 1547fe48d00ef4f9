//! Where the contenders run: a home, folders, a repository, and the stand-in that answers them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Parser;

use crate::cost::Cost;
use crate::standin;

/// The argument that makes this program the stand-in.
pub const STANDIN_ARG: &str = "__standin";

/// How many files the repository has: 40 folders of 25.
const FILES: usize = 1_000;

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

    /// Makes the repository anew, without a worktree.
    pub fn fill_repository(&self) {
        for dir in [self.repository(), self.worktrees()] {
            std::fs::remove_dir_all(&dir).expect("a folder to empty");
            std::fs::create_dir(&dir).expect("a folder");
        }
        let repository = self.repository();
        for file in 0..FILES {
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

    /// Returns what was written to the home and beside it.
    pub fn written(&self) -> Vec<String> {
        let list = |dir: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(dir).expect("a folder");
            entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect()
        };
        ["home", "folders", "worktrees", "repository"]
            .iter()
            .flat_map(|name| list(&self.root.join(name)))
            .collect()
    }

    fn git(&self, args: &[&str]) {
        let status = self.command("git").current_dir(self.repository()).args(args).status();
        assert!(status.expect("git").success(), "git {args:?}");
    }
}

/// The stand-in as a process of its own.
pub struct Standin {
    process: Child,
    url: String,
}

impl Standin {
    /// Starts it.
    pub fn start(latency_ms: &str) -> Self {
        let own = std::env::current_exe().expect("our own path");
        let mut process = Command::new(own)
            .args([STANDIN_ARG, "--latency-ms", latency_ms])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the stand-in starts");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut url).expect("its address");
        Self { process, url: url.trim().to_owned() }
    }

    /// Returns its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs `work` and adds what it cost the stand-in.
    pub fn beside(&self, work: impl FnOnce() -> Cost) -> Cost {
        let before = self.cpu();
        let cost = work();
        Cost { standin: self.cpu() - before, ..cost }
    }

    /// Ends it; it must have had nothing to complain about.
    pub fn end(mut self) {
        drop(self.process.stdin.take());
        let mut said = String::new();
        let mut stderr = self.process.stderr.take().expect("its complaints");
        stderr.read_to_string(&mut said).expect("its complaints");
        assert!(self.process.wait().expect("its end").success() && said.is_empty(), "{said}");
    }

    /// Returns the seconds of CPU it has taken; the kernel counts them in hundredths.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()));
        let stat = stat.unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: f64 =
            fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        ticks / 100.0
    }
}

/// Is the stand-in: prints its address and serves until its standard input closes.
#[expect(clippy::print_stdout, reason = "the address is what its parent waits for")]
pub fn standin_main() {
    let args = std::env::args().filter(|arg| arg != STANDIN_ARG);
    let options = standin::Options::parse_from(args);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let handle = standin::serve(options).await.expect("the stand-in serves");
        println!("{}", handle.base_url);
        let (closed, parent) = tokio::sync::oneshot::channel();
        // A thread of its own: a blocking read on the runtime would keep the program from ending.
        std::thread::spawn(move || {
            let read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = closed.send(read);
        });
        let _ = parent.await;
    });
}
