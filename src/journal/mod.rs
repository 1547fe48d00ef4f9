//! The journal: what a repository's runs and agents are, kept across processes.
//!
//! One database file per repository, shared by every agentlua process that works on it. A process
//! writes through one thread that gathers what many agents have to say into one transaction;
//! readers open their own connection. Who is alive is told by a lock that ends with its process,
//! never by a process id. Nothing is made on disk before there is something to write.
//!
//! Steps that change a repository are written down before they are taken (`intent`), so that the next
//! start can finish or take back what a crash cut off. Calls and turns of later versions become tables
//! beside these (`schema`). This module
//! knows nothing of git or Lua.

mod agent;
mod intent;
mod run;
mod schema;
mod store;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod transcript;
mod writer;

pub use agent::{AgentChange, AgentFilter, AgentRow, Status};
pub use intent::{HostLock, Intent};
pub use run::RunLock;
pub use store::Store;
