//! How the git program is started: one profile for every child.
//!
//! Each child gets an environment rebuilt without `GIT_*` (a hook that starts agentlua passes
//! variables that would redirect every child), an explicit repository, and a configuration under
//! which git runs no hook, no monitor, no pager and no maintenance, and asks nobody for anything.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::process;

/// Variables of git's that say who the user is and where their configuration is.
const KEPT: [&str; 11] = [
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "GIT_EXEC_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
];

/// Variables by which git reaches agents of keys and the user's configuration.
const REACHED: [&str; 7] = [
    "DISPLAY",
    "GNUPGHOME",
    "GPG_TTY",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// The host profile's variables.
const VARIABLES: [(&str, &str); 6] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("LC_ALL", "C"),
    ("LANGUAGE", "C"),
];

/// The host profile's settings. A split index would tie copies of an index to one git directory.
const SETTINGS: [&str; 13] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "core.pager=cat",
    "diff.ignoreSubmodules=dirty",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "rerere.enabled=false",
    "protocol.ext.allow=never",
    "advice.addEmbeddedRepo=false",
    "worktree.useRelativePaths=false",
];

/// How long a child may take that reads or moves refs.
const SHORT: Duration = Duration::from_mins(2);

/// How long a child may take that goes through every file of a checkout.
pub(super) const LONG: Duration = Duration::from_hours(1);

/// How often a child is started that came upon a worktree that was just made or removed.
const TRIES: u32 = 7;

/// The variables that git children start from: the host's own, without git's.
#[derive(Clone, Debug)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// Takes the variables of this process.
    pub fn inherited() -> Self {
        std::env::vars_os().collect()
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        // Git runs what its configuration names, filters above all, and an agent may have written
        // there: what commands of agents must not see, git must not see either.
        let keep = |name: &OsStr| {
            KEPT.iter().chain(&REACHED).any(|kept| name == *kept)
                || name.to_str().is_some_and(crate::process::env::passes)
        };
        let mut rebuilt: BTreeMap<_, _> =
            variables.into_iter().filter(|(name, _)| keep(name)).collect();
        rebuilt.extend(VARIABLES.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Self(rebuilt)
    }
}

/// Which git directory, working tree and index a child works on.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory that all worktrees of the repository share.
    pub common_dir: PathBuf,
    /// The git directory, the shared one or a worktree's own.
    pub git_dir: PathBuf,
    /// The working tree, if the child is to see one.
    pub work_tree: Option<PathBuf>,
    /// Another index than the git directory's.
    pub index: Option<PathBuf>,
}

/// Starts git children that share an environment, and counts them.
#[derive(Clone, Debug)]
pub(super) struct Program {
    environment: Arc<Environment>,
    children: Arc<AtomicU64>,
    lifeline: Arc<OnceLock<Arc<File>>>,
}

impl Program {
    pub(super) fn new(environment: Environment) -> Self {
        let (children, lifeline) = (Arc::default(), Arc::default());
        Self { environment: Arc::new(environment), children, lifeline }
    }

    /// Gives every child from now on the locked file of this host to hold open.
    pub(super) fn hold(&self, lifeline: File) {
        let _ = self.lifeline.set(Arc::new(lifeline));
    }

    /// Returns a variable that every child gets.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Returns how many children were started.
    pub(super) fn children(&self) -> u64 {
        self.children.load(Ordering::Relaxed)
    }

    /// Prepares a child that finds its repository from `dir`.
    pub(super) fn discovering(&self, dir: &Path, verb: &str) -> Git {
        self.prepare(dir, Vec::new(), verb)
    }

    /// Prepares a child that works on `place`.
    pub(super) fn at(&self, place: &Place, verb: &str) -> Git {
        let mut args = vec![flag("--git-dir=", &place.git_dir)];
        if let Some(work_tree) = &place.work_tree {
            args.push(flag("--work-tree=", work_tree));
        }
        let cwd = place.work_tree.as_deref().unwrap_or(&place.git_dir);
        let mut git = self.prepare(cwd, args, verb).env("GIT_COMMON_DIR", &place.common_dir);
        if let Some(index) = &place.index {
            // A sparse index would leave out what the patterns of another worktree leave out.
            git = git.env("GIT_INDEX_FILE", index).setting("index.sparse=false");
            // It looks at what an agent wrote, and runs filters that may be named by a relative path.
            for name in REACHED {
                git.command.env.remove(OsStr::new(name));
            }
        }
        git
    }

    fn prepare(&self, cwd: &Path, mut args: Vec<OsString>, verb: &str) -> Git {
        for setting in SETTINGS {
            args.extend(["-c".into(), setting.into()]);
        }
        args.push(verb.into());
        let command = process::Command {
            program: "git".into(),
            args,
            cwd: Some(cwd.to_owned()),
            env: self.environment.0.clone(),
            stdin: Vec::new(),
            input: None,
            lifeline: self.lifeline.get().map(Arc::clone),
            most: None,
        };
        Git { command, verb: verb.to_owned(), limit: SHORT, children: Arc::clone(&self.children) }
    }
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}

/// One git child, about to be started.
#[must_use]
pub(super) struct Git {
    command: process::Command,
    verb: String,
    limit: Duration,
    children: Arc<AtomicU64>,
}

impl Git {
    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.args.push(arg.as_ref().to_owned());
        self
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets something for this child, in front of its verb.
    pub(super) fn setting(mut self, setting: &str) -> Self {
        self.command.args.splice(0..0, ["-c".into(), setting.into()]);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env.insert(name.into(), value.as_ref().to_owned());
        self
    }

    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.command.stdin = bytes;
        self
    }

    pub(super) fn input(mut self, file: File) -> Self {
        self.command.input = Some(Arc::new(file));
        self
    }

    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Ends the child when it writes more than `bytes` ([`exceeded`]).
    pub(super) fn most(mut self, bytes: u64) -> Self {
        self.command.most = Some(bytes);
        self
    }

    /// Runs the child, whatever its exit code.
    pub(super) async fn run(self) -> anyhow::Result<process::Output> {
        let mut tries = 0;
        loop {
            self.children.fetch_add(1, Ordering::Relaxed);
            let ran = process::output(self.command.clone(), self.limit).await;
            let output = ran.with_context(|| format!("cannot run `git {}`", self.verb))?;
            tries += 1;
            if tries == TRIES || !self.met_a_passing_worktree(&output) {
                return Ok(output);
            }
            tokio::time::sleep(Duration::from_millis(10 << tries)).await;
        }
    }

    /// Tells whether git came upon a worktree that was made or removed at that moment, and gave up: it
    /// looks through all of them, and finds a record that is not written to its end, or no longer there.
    /// Who makes or removes worktrees sees to that alone.
    fn met_a_passing_worktree(&self, output: &process::Output) -> bool {
        let said = |words: &[u8]| memchr::memmem::find(&output.stderr, words).is_some();
        let changes = self.verb == "worktree" && !self.command.args.iter().any(|arg| arg == "list");
        !changes
            && output.code != Some(0)
            && ((said(b"failed to read ") && said(b"/commondir: "))
                || (said(b"Invalid path '") && said(b"/worktrees/")))
    }

    /// Runs the child and returns what it wrote; any exit code but 0 is an error that quotes git.
    pub(super) async fn bytes(self) -> anyhow::Result<Vec<u8>> {
        let verb = self.verb.clone();
        let output = self.run().await?;
        if output.code != Some(0) {
            bail!("git {verb}: {}", complaint(&output));
        }
        Ok(output.stdout)
    }

    /// Runs the child and returns the one line that it wrote.
    pub(super) async fn line(self) -> anyhow::Result<String> {
        let bytes = self.bytes().await?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }
}

/// Tells whether a child was ended because it wrote more than it may.
pub(super) fn exceeded(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::FileTooLarge)
}

/// Returns what git complained about, as one line.
pub(super) fn complaint(output: &process::Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches("fatal: ").trim_start_matches("error: ").trim())
        .filter(|line| !line.is_empty() && !line.starts_with("hint:"))
        .collect();
    match (lines.is_empty(), output.code, output.signal) {
        (false, ..) => lines.join("; "),
        (true, Some(code), _) => format!("ended with code {code}"),
        (true, None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// Splits what git wrote with `-z`.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == 0)
}

/// Returns bytes of git's as text; what is not UTF-8 is shown with replacement characters.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns bytes of git's as a path.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_rebuilt_without_what_redirects_git() {
        let set = ["GIT_DIR", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_AUTHOR_NAME", "HOME"]
            .map(|name| (OsString::from(name), OsString::from("x")));
        let rebuilt = Environment::from_iter(set).0;
        let names: Vec<_> = rebuilt.keys().filter_map(|name| name.to_str()).collect();
        assert!(names.contains(&"HOME") && names.contains(&"GIT_AUTHOR_NAME"));
        assert!(!names.contains(&"GIT_DIR") && !names.contains(&"GIT_INDEX_FILE"));
        assert!(!names.contains(&"GIT_CONFIG_COUNT"));
        assert_eq!(rebuilt[OsStr::new("GIT_TERMINAL_PROMPT")], "0");
    }
}
