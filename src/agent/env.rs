//! What an agent's commands find in their environment: who it is, where it works, a port and a
//! Compose project that no sibling has, and a global git configuration that is only read. What the script gives in `env` stands above it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use super::ground::Ground;
use crate::git::Worktree;

/// Ports from here are given out: below those that systems choose for outgoing connections.
const FIRST_PORT: u16 = 20_000;
/// How many ports there are to give out.
const PORTS: u16 = 10_000;

/// The ports that agents of this process have.
#[derive(Clone, Default)]
pub struct Ports(Arc<Mutex<BTreeSet<u16>>>);

/// A port that is an agent's until this is dropped.
pub struct Port {
    number: u16,
    ports: Ports,
}

impl Ports {
    fn taken(&self) -> std::sync::MutexGuard<'_, BTreeSet<u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out a port for an agent: the same one for its id each time, unless a sibling has it or
    /// somebody listens there on 127.0.0.1; then the next. It is not held open, so another program
    /// may still take it before the agent does.
    pub fn take(&self, id: &str) -> Option<Port> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let start = u16::try_from(hasher.finish() % u64::from(PORTS)).unwrap_or_default();
        let mut taken = self.taken();
        let mut tried = (0..PORTS).map(|step| FIRST_PORT + (start + step) % PORTS);
        let free = |number: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        let number = tried.find(|number| !taken.contains(number) && free(*number))?;
        taken.insert(number);
        Some(Port { number, ports: self.clone() })
    }
}

impl Port {
    /// Returns its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.ports.taken().remove(&self.number);
    }
}

/// Returns the variables that tell an agent's commands who it is.
pub fn variables(
    id: &str,
    run: &str,
    ground: &Ground,
    port: Option<&Port>,
) -> BTreeMap<String, String> {
    let mut variables = match ground.worktree() {
        Some(worktree) => of_worktree(worktree, id, run),
        None => BTreeMap::from([("AGENTLUA_RUN".to_owned(), run.to_owned())]),
    };
    variables.insert("AGENTLUA_AGENT".to_owned(), id.to_owned());
    // `git config --global` of an agent's is nobody else's.
    if let Some(file) = ground.worktree().and_then(Worktree::global_config) {
        variables.insert("GIT_CONFIG_GLOBAL".to_owned(), file.display().to_string());
    }
    if let Some(port) = port {
        variables.insert("PORT".to_owned(), port.number.to_string());
    }
    variables
}

/// Returns the variables that tell commands in which worktree they are; `id` is whose it is.
pub fn of_worktree(worktree: &Worktree, id: &str, run: &str) -> BTreeMap<String, String> {
    [
        ("AGENTLUA_RUN", run.to_owned()),
        ("AGENTLUA_BRANCH", worktree.branch().to_owned()),
        ("AGENTLUA_WORKTREE", worktree.path().display().to_string()),
        ("AGENTLUA_BASE_COMMIT", worktree.base_commit().to_owned()),
        ("COMPOSE_PROJECT_NAME", project(&worktree.repo().slug(), id)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Returns a name as Compose takes it: lower-case letters, digits, `-` and `_`, a letter or digit
/// first.
fn project(repo: &str, id: &str) -> String {
    let name = format!("{repo}-{id}").to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    name.trim_start_matches(['-', '_']).to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ports_are_stable_distinct_and_given_back() {
        let ports = Ports::default();
        let first = ports.take("agent-1").unwrap();
        let number = first.number;
        let second = ports.take("agent-1").unwrap();
        assert_ne!(number, second.number);
        drop(first);
        assert_eq!(ports.taken().len(), 1);
        // Somebody who listens is passed over.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number));
        if listener.is_ok() {
            assert_ne!(ports.take("agent-1").unwrap().number, number);
        }
        drop(listener);
    }

    #[test]
    fn projects_are_what_compose_takes() {
        assert_eq!(project("My.Repo", "agent-a3f2"), "my-repo-agent-a3f2");
        assert_eq!(project("_x", "agent-1"), "x-agent-1");
    }
}
