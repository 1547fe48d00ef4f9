//! What is asked of an agent: the options of `agent.query`, checked and resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Purse;
use super::function::Function;
use super::hook::Hooks;
use super::past::Past;
use super::permission::Rules;
use super::place::Places;
use super::structured::Schema;
use super::verify::Verify;
use crate::error::{Error, Kind};
use crate::event::log::Log;
use crate::git::worktree::Furnish;
use crate::git::{Scope, Taken};
use crate::model::price::Price;
use crate::model::{Effort, Model};
use crate::tool::Tool;
use crate::tool::mcp::Server;

/// What becomes of the work at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commit {
    /// One commit on the agent's branch, with this subject or the label.
    Yes(Option<String>),
    /// Left uncommitted in the worktree.
    No,
}

/// What becomes of uncommitted changes of the checkout that a worktree is made beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dirty {
    /// They stay where they are, and that is said once in a run.
    #[default]
    Ignore,
    /// The agent does not begin.
    Fail,
    /// They are its base, as a commit.
    Copy,
}

/// How an agent comes by its worktree.
#[derive(Clone, Debug)]
pub enum Start {
    /// It is made.
    Fresh {
        /// The branch; named after the agent when absent.
        branch: Option<String>,
        /// What to do when there is a branch of that name.
        taken: Taken,
        /// The revision to start from; `HEAD` at the moment the agent starts when absent.
        base: Option<String>,
        /// What becomes of uncommitted changes.
        dirty: Dirty,
    },
    /// It is that of the agent whose past is taken up, or for a fork one that starts from its work; if
    /// that agent had none, so has this one. The host turns it into one of the others.
    Past {
        /// The branch of a fork; named after the agent when absent.
        branch: Option<String>,
        /// What to do when there is a branch of that name.
        taken: Taken,
    },
    /// It was there before: somebody has ended in it, or lends it.
    There {
        /// The branch that it is on.
        branch: String,
        /// Its folder, where that is known.
        path: Option<PathBuf>,
        /// Who lends it.
        lender: Option<String>,
    },
}

/// A worktree for an agent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A directory in the repository.
    pub repo: PathBuf,
    /// How it is come by.
    pub start: Start,
    /// What it gets beside the files of its base.
    pub furnish: Furnish,
    /// The command that prepares it, once.
    pub setup: Option<String>,
    /// What the agent may write, if not everything.
    pub scope: Option<Arc<Scope>>,
    /// What becomes of the work.
    pub commit: Commit,
}

/// Where the agent works.
#[derive(Clone, Debug)]
pub enum Site {
    /// In a worktree of its own.
    Worktree(Box<Plan>),
    /// In a directory as it is.
    Directory(PathBuf),
}

/// The hard limits of one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Model round trips.
    pub max_turns: u32,
    /// Tokens of one reply.
    pub max_output_tokens: Option<u32>,
    /// Wall-clock time, from the moment it has its place.
    pub timeout: Option<Duration>,
    /// The longest silence of the model.
    pub idle_timeout: Duration,
}

impl Limits {
    /// Says that the time is over.
    pub(super) fn overdue(&self) -> Error {
        let seconds = self.timeout.unwrap_or_default().as_secs_f64();
        Error::new(Kind::Timeout, format!("the agent was not done after {seconds} s"))
            .hint("raise `timeout`, or give it a smaller task")
    }
}

impl Query {
    /// Returns the command that prepares its worktree.
    pub fn setup(&self) -> Option<&str> {
        match &self.site {
            Site::Worktree(plan) => plan.setup.as_deref(),
            Site::Directory(_) => None,
        }
    }
}

/// Who is asked when the model cannot answer.
#[derive(Clone)]
pub struct Fallback {
    /// It.
    pub model: Arc<dyn Model>,
    /// What it costs, where that is known.
    pub price: Option<Price>,
}

/// A question to an agent.
#[derive(Clone)]
pub struct Query {
    /// The task.
    pub prompt: String,
    /// The name that people see.
    pub label: String,
    /// Who answers.
    pub model: Arc<dyn Model>,
    /// Replaces the built-in system prompt.
    pub system_prompt: Option<String>,
    /// Follows the system prompt.
    pub append_system_prompt: Option<String>,
    /// Where it works.
    pub site: Site,
    /// Which tools are offered and which calls run.
    pub rules: Rules,
    /// Tools beside the built-in ones.
    pub tools: Vec<Arc<dyn Tool>>,
    /// Servers that offer further tools, started with the agent.
    pub servers: Vec<Server>,
    /// Who is asked when the model cannot answer, in this order.
    pub fallbacks: Vec<Fallback>,
    /// How hard the model thinks.
    pub effort: Option<Effort>,
    /// Directories beside its own that the agent may read and write.
    pub add_dirs: Vec<PathBuf>,
    /// What it begins with.
    pub past: Past,
    /// Whether it may only look.
    pub read_only: bool,
    /// Asked about each call that the rules leave open.
    pub can_use_tool: Option<Arc<dyn Function>>,
    /// Told of its steps.
    pub hooks: Hooks,
    /// Told of its events.
    pub on_event: Option<Arc<dyn Function>>,
    /// Keep its events: the logs of the tasks that it is asked in.
    pub logs: Vec<Arc<Log>>,
    /// The JSON Schema of its structured output.
    pub schema: Option<Arc<Schema>>,
    /// How its work is verified.
    pub verify: Option<Verify>,
    /// What it has spent, and what it may; a part of the run's. An agent that works for another one
    /// gets a purse [`below`](Purse::below) that one's.
    pub purse: Arc<Purse>,
    /// What its model costs, where that is known.
    pub price: Option<Price>,
    /// Its limits.
    pub limits: Limits,
    /// Variables for its commands, on top of those that are let through.
    pub env: BTreeMap<String, String>,
    /// The place of the call in the script.
    pub call_path: String,
    /// The place of the agent whose callback asks, where one does.
    pub lent: Option<Arc<Places>>,
}
