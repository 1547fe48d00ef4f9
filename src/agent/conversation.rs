//! One agent's conversation, from its query and its ground: everything that a session needs is put
//! together here, and what it came to is taken out again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::checkpoint::Checkpoints;
use super::fleet::{Fleet, Order};
use super::ground::Ground;
use super::history::History;
use super::outcome::{Denial, Subtype};
use super::compaction::Room;
use super::past::{self, Beginning};
use super::prompt::{self, Surroundings};
use super::query::Query;
use super::session::{Ending, Session};
use super::subagent::{self, Shared, SubAgent};
use super::instructions;
use crate::error::Error;
use crate::event::{Events, Usage};
use crate::git::Worktree;
use crate::model::ToolSpec;
use crate::tool::registry::Registry;
use crate::tool::seen::Seen;
use crate::tool::{Context, Tool};

/// How long a file may still be written when its agent has ended.
const LAST_WRITE: Duration = Duration::from_secs(30);

/// What a conversation came to.
pub(super) struct Conversed {
    pub(super) ending: Ending,
    pub(super) text: String,
    pub(super) turns: u32,
    pub(super) usage: Usage,
    pub(super) api_time: Duration,
    pub(super) stop_reason: Option<String>,
    pub(super) denials: Vec<Denial>,
}

impl Conversed {
    /// Makes that of an agent which asked nothing.
    pub(super) fn failed(subtype: Subtype, error: Error) -> Self {
        Self {
            ending: Ending { subtype, error: Some(error) },
            text: String::new(),
            turns: 0,
            usage: Usage::default(),
            api_time: Duration::ZERO,
            stop_reason: None,
            denials: Vec::new(),
        }
    }
}

/// Lets the model and the tools work until there is an answer or a limit. `env` is what commands
/// find.
pub(super) async fn hold(
    fleet: &Fleet,
    order: &Order,
    id: &str,
    ground: &Ground,
    env: BTreeMap<String, String>,
) -> Conversed {
    let query = &order.query;
    let workspace = match ground.workspace() {
        Ok(workspace) => Arc::new(workspace),
        Err(error) => return Conversed::failed(Subtype::ErrorDuringExecution, error),
    };
    let checkpoints = ground.worktree().map(|worktree| {
        Checkpoints::new(worktree.clone(), Arc::clone(&workspace), fleet.events.clone())
    });
    let branch = ground.worktree().map(|worktree| worktree.branch().to_owned());
    let mut tools = offered(query);
    let instructions = instructions_for(order, ground).await;
    let spill_dir = order.store.dir().join("output").join(id);
    let tab = is_listed(query, subagent::NAME).then(|| {
        let (tool, tab) = SubAgent::new(Shared {
            query,
            tools: &tools,
            events: &fleet.events,
            env: &env,
            spill_dir: spill_dir.clone(),
            before: instructions.clone(),
        });
        tools.add(Arc::new(tool));
        tab
    });
    let before = match &order.ancestor {
        // It was told then, and may have been changed by the agent itself since.
        Some(ancestor) => Some(ancestor.note(ground.worktree().map(Worktree::base_commit))),
        None => instructions,
    };
    let texts = opening(query, ground.path(), before, ground.worktree());
    let begun = past::begin(order, id, &fleet.events, texts).await;
    let Beginning { history, transcript } = match begun {
        Ok(beginning) => beginning,
        Err(error) => return Conversed::failed(Subtype::ErrorDuringExecution, error),
    };
    let setting = Setting {
        query,
        tools: &tools,
        events: &fleet.events,
        context: Context {
            workspace: Arc::clone(&workspace) as _,
            seen: Seen::default(),
            env,
            spill_dir,
            processes: fleet.processes.clone(),
            cancel: order.cancel.child_token(),
            agent: id.to_owned(),
            label: query.label.clone(),
            branch,
            turn: AtomicU32::new(0),
        },
    };
    let mut session = setting.session(history);
    session.checkpoints = checkpoints;
    session.transcript = Some(transcript);
    session.live = Arc::clone(&order.live);
    session.tab = tab;
    let ending = session.run().await;
    session.settle_tab();
    // A write that outlived its agent's time must not come after the work was taken in.
    let closed = tokio::task::spawn_blocking(move || workspace.close());
    if tokio::time::timeout(LAST_WRITE, closed).await.is_err() {
        fleet.events.warn(format!("{id}: a file is still being written; it may not be committed"));
    }
    if let Some(checkpoints) = &mut session.checkpoints {
        checkpoints.settled().await;
    }
    Conversed {
        ending,
        text: session.last_text,
        turns: session.turns,
        usage: session.usage,
        api_time: session.api_time,
        stop_reason: session.stop_reason,
        denials: session.denials,
    }
}

/// What a session is made of, beside what was said.
pub(super) struct Setting<'a> {
    pub(super) query: &'a Query,
    pub(super) tools: &'a Registry,
    pub(super) events: &'a Events,
    pub(super) context: Context,
}

impl<'a> Setting<'a> {
    /// Makes a session that nobody writes down or talks to.
    pub(super) fn session(self, history: History) -> Session<'a> {
        let Self { query, tools, events, context } = self;
        let system =
            prompt::system(query.system_prompt.as_deref(), query.append_system_prompt.as_deref());
        Session {
            query,
            context,
            events: events.clone(),
            system: system.into(),
            offered: tools.tools().map(|tool| spec(&**tool)).collect(),
            history,
            transcript: None,
            live: Arc::default(),
            room: Room::default(),
            tab: None,
            tools,
            checkpoints: None,
            turns: 0,
            denials: Vec::new(),
            usage: Usage::default(),
            api_time: Duration::ZERO,
            last_text: String::new(),
            stop_reason: None,
        }
    }
}

/// Returns the texts with which a task is given, behind what stands `before` it.
pub(super) fn opening(
    query: &Query,
    directory: &Path,
    before: Option<String>,
    worktree: Option<&Worktree>,
) -> Vec<String> {
    let around = Surroundings {
        directory,
        branch: worktree.map(Worktree::branch),
        scope: worktree.and_then(Worktree::scope).map(|scope| &**scope),
        date: prompt::date(std::time::SystemTime::now()),
    };
    prompt::first_message(before, &query.prompt, &around)
}

/// Returns what the repository tells agents.
async fn instructions_for(order: &Order, ground: &Ground) -> Option<String> {
    let directory = ground.path().to_owned();
    let top = match (ground.worktree(), &order.repo) {
        (None, Some(repo)) => repo.top().to_owned(),
        _ => directory.clone(),
    };
    let loading = move || instructions::load(&top, &directory);
    tokio::task::spawn_blocking(loading).await.ok().flatten()
}

/// Reports whether a tool that is only offered on request was asked for.
fn is_listed(query: &Query, name: &str) -> bool {
    query.rules.listed().is_some_and(|listed| listed.contains(&name)) && query.rules.offers(name)
}

/// Returns the tools that the rules offer: the built-in ones, then the script's.
fn offered(query: &Query) -> Registry {
    let mut tools = Registry::builtin();
    tools.retain(|tool| query.rules.offers(tool.name()));
    for tool in query.tools.iter().filter(|tool| query.rules.offers_custom(tool.name())) {
        tools.add(Arc::clone(tool));
    }
    tools
}

/// Returns a tool as the model is told of it.
fn spec(tool: &dyn Tool) -> ToolSpec {
    ToolSpec {
        name: tool.name().to_owned(),
        description: tool.description().to_owned(),
        input_schema: tool.input_schema(),
    }
}
