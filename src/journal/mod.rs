//! The journal: what a repository's runs and agents are, kept across processes.
//!
//! One database file per repository, shared by every agentlua process that works on it. A process
//! writes through one thread that gathers what many agents have to say into one transaction;
//! readers open their own connection. Who is alive is told by a lock that ends with its process,
//! never by a process id. Nothing is made on disk before there is something to write.
//!
//! Steps that change a repository are written down before they are taken (`intent`), so that the next
//! start can finish or take back what a crash cut off. How an agent ended, with its outcome, is one synced
//! write (`call`); so are the script's own steps (`step`). What happened and what was said lie beside
//! these for whoever looks on (`event`, `transcript`), and what other processes ask of a run (`request`).
//! This module knows nothing of git or Lua.

mod agent;
mod call;
mod event;
mod intent;
mod lock;
pub mod private;
mod recall;
mod request;
mod run;
mod schema;
mod step;
mod store;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod transcript;
mod writer;

pub use agent::{AgentChange, AgentFilter, AgentRow, Status, now};
pub use call::Call;
pub use event::{EventFilter, EventRow};
pub use intent::{HostLock, Intent};
pub use lock::RunLock;
pub use request::{DONE, Ear, HEARD, Request, SEND};
pub use run::{Command, NewRun, RunRow};
pub use step::Step;
pub use store::Store;
pub use transcript::SaidRow;
