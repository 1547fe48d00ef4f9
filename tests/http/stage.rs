//! What a test plays on: a home, a repository, a stand-in for models, and the binary that talks to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use tokio::runtime::{self, Runtime};

use crate::home::{Home, Ran};
use crate::repo::Repo;
use crate::standin::{self, Handle, Options};

/// How long to wait for what has to come.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the queries of a file side by side and prints what became of each.
const SETTLE: &str = r"
local report = {}
for name, one in pairs(agent.all_settled(json.decode(fs.read(arg[1])))) do
  local e = one.error
  report[name] = { ok = one.ok, outcome = one.outcome, kind = e and e.kind, message = e and e.message }
end
print(json.encode(report))
";

/// The wire format that agents speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Anthropic,
    OpenAi,
    Responses,
}

impl Wire {
    pub const BOTH: [Self; 2] = [Self::Anthropic, Self::OpenAi];

    /// Returns the name of a model that the stand-in has.
    pub fn model(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic/standin",
            Self::OpenAi => "openai/standin",
            Self::Responses => "openai-responses/standin",
        }
    }

    /// Returns the variables of the key and of the host.
    pub fn variables(self) -> [&'static str; 2] {
        match self {
            Self::Anthropic => ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"],
            Self::OpenAi | Self::Responses => ["OPENAI_API_KEY", "OPENAI_BASE_URL"],
        }
    }
}

/// A home with a repository as its working directory, and a server.
pub struct Stage {
    pub repo: Repo,
    pub wire: Wire,
    home: Home,
    server: Handle,
    /// After the server, which runs on it.
    _runtime: Runtime,
}

impl Stage {
    /// Makes a repository with one commit of `README.md`, and a server with these arguments.
    pub fn new(wire: Wire, args: &[&str]) -> Self {
        let home = Home::new();
        let repo = Repo::at(home.beside("work"));
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo.identify();
        repo.write("README.md", "# readme\n");
        repo.commit("start");
        std::fs::create_dir(home.beside("marks")).unwrap();
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let log = home.beside("requests").display().to_string();
        let options = ["standin", "--log", &log].into_iter().chain(args.iter().copied());
        let server = runtime.block_on(standin::serve(Options::parse_from(options))).unwrap();
        Self { repo, wire, home, server, _runtime: runtime }
    }

    /// Returns a path beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.beside(name)
    }

    /// Returns a command of the binary that speaks to the server.
    pub fn command(&self, args: &[&str]) -> Command {
        let [key, base] = self.wire.variables();
        let path = if self.wire == Wire::Anthropic { "" } else { "/v1" };
        let mut command = self.home.command(args);
        command
            .env(key, "sk-dummy")
            .env(base, format!("{}{path}", self.server.base_url))
            .env("AGENTLUA_MODEL", self.wire.model());
        command
    }

    /// Returns a command that runs a script, which is kept beside the repository.
    pub fn script(&self, source: &str, flags: &[&str]) -> Command {
        std::fs::write(self.beside("main.lua"), source).unwrap();
        self.command(&[&["run"], flags, &["../main.lua"]].concat())
    }

    /// Runs a script to its end.
    pub fn run(&self, source: &str, flags: &[&str]) -> Ran {
        Ran::of(&mut self.script(source, flags))
    }

    /// Returns a command that runs queries side by side; see [`Stage::settle`].
    pub fn settling(&self, queries: &Value, flags: &[&str]) -> Command {
        std::fs::write(self.beside("queries.json"), queries.to_string()).unwrap();
        let mut command = self.script(SETTLE, flags);
        command.arg("../queries.json");
        command
    }

    /// Runs queries side by side, and returns what became of each: `ok outcome kind message`.
    pub fn settle(&self, queries: &Value, flags: &[&str]) -> Value {
        let ran = Ran::of(&mut self.settling(queries, flags));
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
    }

    /// Returns what `agentlua agents --json --all` says, by label.
    pub fn agents(&self) -> BTreeMap<String, Value> {
        let ran = Ran::of(&mut self.command(&["agents", "--json", "--all"]));
        let rows: Vec<Value> =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        rows.into_iter().map(|row| (text(&row["label"]).to_owned(), row)).collect()
    }

    /// Returns what the server saw.
    pub fn report(&self) -> Value {
        self.server.report()
    }

    /// Returns where the server listens, without a path.
    pub fn base_url(&self) -> &str {
        &self.server.base_url
    }

    /// Returns the bodies of the requests so far, in their order.
    pub fn bodies(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.beside("requests")).unwrap();
        let notes = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        notes.map(|mut note| note["request"].take()).collect()
    }

    /// Returns how many requests there were whose prompt begins with `name` and a colon.
    pub fn requests_of(&self, name: &str) -> usize {
        self.bodies_of(name).len()
    }

    /// Returns the bodies of these requests.
    pub fn bodies_of(&self, name: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.beside("requests")).unwrap();
        let start = format!("{name}: ");
        // The last line may still be growing.
        let notes = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        notes
            .filter(|note: &Value| prompt_of(note).starts_with(&start))
            .map(|mut note| note["request"].take())
            .collect()
    }

    /// Returns a command that leaves one line in the marks of `name` each time it runs.
    pub fn marking(&self, name: &str) -> String {
        format!("echo ran >> {}", self.mark(name).display())
    }

    /// Returns the file of the marks of `name`.
    pub fn mark(&self, name: &str) -> PathBuf {
        self.beside("marks").join(name)
    }

    /// Returns how often the marking command of `name` ran.
    pub fn marks(&self, name: &str) -> usize {
        std::fs::read_to_string(self.mark(name)).unwrap_or_default().lines().count()
    }

    /// Fails unless the server has only seen what it has to, and the repository is whole and free.
    #[track_caller]
    pub fn assert_sound(&self) {
        self.assert_whole();
        let worktrees = self.repo.git(&["worktree", "list", "--porcelain"]);
        assert!(!worktrees.lines().any(|line| line.starts_with("locked")), "{worktrees}");
    }

    /// Like [`Stage::assert_sound`], but worktrees of agents that were cut off may be protected.
    #[track_caller]
    pub fn assert_whole(&self) {
        let report = self.report();
        assert_eq!(report["violation_count"], 0, "{report:#}");
        assert_eq!(report["failed_scenarios"], json!([]));
        self.repo.fsck();
        let locks = locks_below(&self.repo.path().join(".git"));
        assert!(locks.is_empty(), "{locks:?}");
    }

    /// Fails unless there is nothing but the main checkout on `main`.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.branches(), ["main"]);
        assert_eq!(self.worktrees().len(), 1);
        assert_eq!(folders_below(&self.beside("worktrees")), 0);
    }

    /// Returns the names of all branches.
    pub fn branches(&self) -> Vec<String> {
        let names = self.repo.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
        names.lines().map(str::to_owned).collect()
    }

    /// Returns the paths of all worktrees, the main checkout first.
    pub fn worktrees(&self) -> Vec<String> {
        let list = self.repo.git(&["worktree", "list", "--porcelain"]);
        list.lines().filter_map(|line| line.strip_prefix("worktree ")).map(str::to_owned).collect()
    }
}

/// Returns the text of a value that is one.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Waits until `is_so`.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that is ended with its test.
pub struct Running {
    child: Option<Child>,
    pid: u32,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { pid: child.id(), child: Some(child) }
    }

    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid.to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ran {
        Ran::from(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the processes whose command line has `word`.
pub fn processes_with(word: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(word)).collect()
}

/// Returns what the user said first in a logged request.
fn prompt_of(note: &Value) -> String {
    let request = &note["request"];
    let messages = request["messages"].as_array().or(request["input"].as_array()).unwrap();
    let first = messages.iter().find(|message| message["role"] == "user").unwrap();
    match &first["content"] {
        Value::String(text) => text.clone(),
        blocks => text(&blocks[0]["text"]).to_owned(),
    }
}

fn locks_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(locks_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "lock")
            // Held by the operating system, not by being there.
            && !path.components().any(|part| part.as_os_str() == "agentlua")
        {
            found.push(path);
        }
    }
    found
}

/// Counts the agents' folders below the place for worktrees, which has one folder a repository.
fn folders_below(root: &Path) -> usize {
    let folders = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    folders(root).map(|repo| folders(&repo.path()).filter(|e| e.path().is_dir()).count()).sum()
}
