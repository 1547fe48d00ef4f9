//! MCP servers: programs and hosts that offer further tools.
//!
//! Each agent has servers of its own, started before its first turn and ended with it; a program runs
//! in the agent's directory, in a process group that the guardian knows. The protocol is the official
//! crate's; the processes are ours. A server that does not start fails the agent; one that dies
//! later is a failed call.

mod content;
mod http;
mod link;
mod name;
mod remote;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::link::Link;
use self::remote::Remote;
use super::Tool;
use crate::error::{Error, Kind, Result};
use crate::process::Processes;

pub use http::Address;

/// A server as the script names it.
#[derive(Clone)]
pub struct Server {
    /// Its name, part of its tools' names.
    pub name: String,
    /// How it is reached.
    pub connection: Connection,
}

/// How a server is reached.
#[derive(Clone)]
pub enum Connection {
    /// A program, spoken to through its standard input and output.
    Program {
        /// The program, looked up in `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Variables on top of those that the agent's commands have.
        env: BTreeMap<String, String>,
    },
    /// A host, spoken to with streamable HTTP.
    Http(Address),
}

impl Server {
    /// Returns all that it is, for hashing: there are secrets in it.
    pub fn described(&self) -> Value {
        match &self.connection {
            Connection::Program { command, args, env } => json!([self.name, command, args, env]),
            Connection::Http(address) => json!([self.name, address.described()]),
        }
    }
}

/// What servers are started in.
pub struct Around<'a> {
    /// Starts programs.
    pub processes: &'a Processes,
    /// The agent's directory.
    pub directory: &'a Path,
    /// The variables that the agent's commands have.
    pub env: &'a BTreeMap<String, String>,
    /// Gives up the start.
    pub cancel: &'a CancellationToken,
}

/// The running servers of one agent. Dropping it kills them; [`Servers::end`] lets them go in order.
#[derive(Default)]
pub struct Servers {
    links: Vec<Link>,
    tools: Vec<Arc<dyn Tool>>,
}

impl Servers {
    /// Starts all of them at once, and asks for their tools.
    ///
    /// # Errors
    /// Tool, naming the first that does not start within half a minute, with what it wrote to
    /// standard error; cancelled.
    pub async fn start(servers: &[Server], around: Around<'_>) -> Result<Self> {
        if servers.is_empty() {
            return Ok(Self::default());
        }
        let opened = try_join_all(servers.iter().map(|server| Link::open(server, &around)));
        let opened = around.cancel.run_until_cancelled(opened).await;
        let opened = opened
            .ok_or_else(|| Error::new(Kind::Cancelled, "the agent was cancelled"))
            .flatten()?;
        let (mut links, mut remotes) = (Vec::new(), Vec::new());
        for (link, tools) in opened {
            remotes.extend(tools);
            links.push(link);
        }
        Ok(Self { links, tools: named(remotes) })
    }

    /// Returns their tools, by name.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<dyn Tool>> {
        self.tools.iter()
    }

    /// Ends them all, within a few seconds.
    pub async fn end(self) {
        join_all(self.links.into_iter().map(Link::end)).await;
    }
}

/// Gives each tool a name of its own, and sorts by it: tools are part of the prompt cache's key, and
/// servers list theirs in any order.
fn named(mut remotes: Vec<Remote>) -> Vec<Arc<dyn Tool>> {
    remotes.sort_by(|a, b| (a.server(), a.original()).cmp(&(b.server(), b.original())));
    let mut taken = BTreeSet::new();
    for remote in &mut remotes {
        let mut name = name::offered(remote.server(), remote.original());
        if !taken.insert(name.clone()) {
            name = name::marked(remote.server(), remote.original());
            taken.insert(name.clone());
        }
        remote.set_name(name);
    }
    remotes.sort_by(|a, b| a.name().cmp(b.name()));
    remotes.into_iter().map(|remote| Arc::new(remote) as _).collect()
}
