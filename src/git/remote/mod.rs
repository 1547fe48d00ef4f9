//! Other repositories: which there are, and how git is run to reach them.
//!
//! Git uses the user's own credential helpers and keys, and never asks anybody: not on the terminal, not
//! in a window. Every contact has a limit. No hook runs, `pre-push` neither.

mod address;
mod elsewhere;
mod fetch;
mod push;

pub use address::Address;
pub(super) use elsewhere::Asked;
pub use elsewhere::Remote;
pub use fetch::{Fetch, Fetched};
pub use push::{Lease, Push, Pushed};

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::command::{Git, fields, text};
use super::repo::Repo;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::suggest::nearest;

/// How long a contact may take unless the script says otherwise.
pub const DEFAULT_LIMIT: Duration = Duration::from_mins(10);

/// What a child must be set to lest it asks somebody.
const SILENT: [(&str, &str); 2] = [("GCM_INTERACTIVE", "never"), ("SSH_ASKPASS_REQUIRE", "never")];

/// Words of git's when nobody could say who the user is.
const UNKNOWN_USER: [&str; 5] = [
    "terminal prompts disabled",
    "could not read Username",
    "could not read Password",
    "Authentication failed",
    "Permission denied (",
];

/// What became of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// Its full name: here for a fetch (`FETCH_HEAD` if it has none), there for a push.
    pub name: String,
    /// What it pointed to.
    pub old: Option<String>,
    /// What it points to now.
    pub new: Option<String>,
    /// `new`, `updated`, `forced`, `deleted`, `up_to_date` or `rejected`.
    pub status: &'static str,
}

/// The remotes of a repository, and which of them its branches use.
#[derive(Debug, Default)]
struct Remotes {
    names: Vec<String>,
    push_default: Option<String>,
    of_branch: BTreeMap<String, String>,
    push_of_branch: BTreeMap<String, String>,
}

impl Remotes {
    async fn of(repo: &Repo) -> Result<Self> {
        let wanted =
            r"^(remote\..*\.(url|pushurl)|remote\.pushdefault|branch\..*\.(remote|pushremote))$";
        let output = repo.git("config").args(["-z", "--get-regexp", wanted]).run().await;
        let output = output.or_kind(Kind::Git, || "cannot read the remotes")?;
        let mut remotes = Self::default();
        for setting in fields(&output.stdout).map(text) {
            let Some((name, value)) = setting.split_once('\n') else { continue };
            let value = value.to_owned();
            let (section, rest) = name.split_once('.').unwrap_or_default();
            let (of, key) = rest.rsplit_once('.').unwrap_or(("", rest));
            match (section, key) {
                ("remote", "url" | "pushurl") if remotes.names.iter().all(|name| name != of) => {
                    remotes.names.push(of.to_owned());
                }
                ("remote", "pushdefault") => remotes.push_default = Some(value),
                ("branch", "remote") => drop(remotes.of_branch.insert(of.to_owned(), value)),
                ("branch", "pushremote") => {
                    remotes.push_of_branch.insert(of.to_owned(), value);
                }
                _ => {}
            }
        }
        Ok(remotes)
    }

    /// Returns the remote to use: the one that is named, else the one that git would take.
    fn pick(&self, named: Option<&str>, branch: Option<&str>, push: bool) -> Result<String> {
        if let Some(name) = named {
            // Git takes addresses and paths too.
            let address = name.contains([':', '/']) || name == "." || name == "..";
            if address || self.names.iter().any(|known| known == name) {
                return Ok(name.to_owned());
            }
            let unknown = Error::new(Kind::Git, format!("there is no remote `{name}`"));
            let near = nearest(name, self.names.iter().map(String::as_str));
            return Err(match near {
                Some(near) => unknown.hint(format!("did you mean `{near}`?")),
                None => unknown.hint(format!("git remote add {name} URL")),
            });
        }
        let own = |of: &BTreeMap<String, String>| branch.and_then(|branch| of.get(branch).cloned());
        let pushed =
            push.then(|| own(&self.push_of_branch).or_else(|| self.push_default.clone())).flatten();
        let origin = || self.names.iter().find(|name| *name == "origin").cloned();
        let only = || if let [only] = self.names.as_slice() { Some(only.clone()) } else { None };
        pushed.or_else(|| own(&self.of_branch)).or_else(origin).or_else(only).ok_or_else(|| {
            if self.names.is_empty() {
                let why = "the repository has no remote";
                return Error::new(Kind::Git, why).hint("git remote add origin URL");
            }
            let all = self.names.join("`, `");
            let why = format!("nothing says which of the remotes `{all}` to take");
            Error::new(Kind::Git, why).hint("name it as the first argument")
        })
    }
}

impl Repo {
    /// Prepares a git child that may reach another repository.
    async fn reaching(&self, verb: &str, limit: Duration) -> anyhow::Result<Git> {
        let mut git =
            self.git(verb).limit(limit).setting("core.askPass=").setting("core.abbrev=no");
        for (name, value) in SILENT {
            git = git.env(name, value);
        }
        if let Some(ssh) = self.ssh().await? {
            // Not in a group that may read the terminal, it would be stopped there for ever.
            git = git.env("GIT_SSH_COMMAND", format!("{ssh} -o BatchMode=yes"));
        }
        Ok(git)
    }

    /// Returns the user's `ssh`, unless it is another program that takes other options.
    async fn ssh(&self) -> anyhow::Result<Option<String>> {
        let ssh = if let Some(command) = self.program.variable("GIT_SSH_COMMAND") {
            command.to_string_lossy().into_owned()
        } else {
            let set = self.git("config").args(["--get", "core.sshCommand"]).run().await?.stdout;
            match text(&set).trim() {
                "" if self.program.variable("GIT_SSH").is_some() => return Ok(None),
                "" => "ssh".to_owned(),
                set => set.to_owned(),
            }
        };
        let program = ssh.split_whitespace().next().map(Path::new).and_then(Path::file_name);
        Ok(program.is_some_and(|name| name == "ssh").then_some(ssh))
    }
}

/// Turns what went wrong on the way to a remote into an error that says what to do.
fn unreached(error: anyhow::Error, trouble: String, limit: Duration) -> Error {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    if cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut) {
        let why = format!("{trouble}: it was not done after {} s", limit.as_secs());
        return Error::new(Kind::Timeout, why).hint("`timeout` gives it longer");
    }
    let said = format!("{error:#}");
    let error = Error::new(Kind::Git, trouble).because(error);
    if UNKNOWN_USER.iter().any(|words| said.contains(words)) {
        return error.hint(
            "agentlua never asks for a password: set up a credential helper, or an ssh agent",
        );
    }
    if said.contains("does not appear to be a git repository") {
        return error.hint("git remote -v");
    }
    error
}

/// Returns an id, unless it is the one that stands for nothing.
fn known(id: &str) -> Option<String> {
    Some(id).filter(|id| id.bytes().any(|digit| digit != b'0')).map(str::to_owned)
}
