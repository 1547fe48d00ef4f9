//! One agent's conversation, from its query and its ground: everything that a session needs is put
//! together here, and what it came to is taken out again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use serde_json::Value;

use super::asking::Asker;
use super::baseline::Bench;
use super::checkpoint::Checkpoints;
use super::compaction::Room;
use super::fleet::{Fleet, Order};
use super::ground::Ground;
use super::history::History;
use super::instructions;
use super::outcome::{Denial, Subtype};
use super::past::{self, Beginning};
use super::prompt::{self, Surroundings};
use super::query::Query;
use super::session::{Ending, Session};
use super::standing::Written;
use super::structured::Structured;
use super::subagent::{self, SubAgent};
use super::verify::{Verification, Verifying};
use crate::error::{Error, Kind};
use crate::event::{Events, Usage};
use crate::git::Worktree;
use crate::model::ToolSpec;
use crate::tool::mcp::{Around, Servers};
use crate::tool::registry::Registry;
use crate::tool::seen::Seen;
use crate::tool::sight::Sees;
use crate::tool::web_fetch::WebFetch;
use crate::tool::{Context, Tool};
use crate::workspace::disk::Disk;

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
    pub(super) structured_output: Option<Value>,
    pub(super) verification: Option<Verification>,
}

impl Conversed {
    /// Makes that of an agent whose servers do not start.
    fn unserved(error: Error) -> Self {
        let subtype = match error.kind {
            Kind::Cancelled => Subtype::ErrorCancelled,
            Kind::Timeout => Subtype::ErrorTimeout,
            _ => Subtype::ErrorDuringExecution,
        };
        Self::failed(subtype, error)
    }

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
            structured_output: None,
            verification: None,
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
    let workspace = match ground.workspace(&query.add_dirs) {
        Ok(workspace) => Arc::new(workspace),
        Err(error) => return Conversed::failed(Subtype::ErrorDuringExecution, error),
    };
    let checkpoints = checkpoints(order, ground, &workspace);
    let branch = ground.worktree().map(|worktree| worktree.branch().to_owned());
    let servers = match servers(fleet, order, ground, &env).await {
        Ok(servers) => servers,
        Err(error) => return Conversed::unserved(error),
    };
    let structured = Structured::new(query);
    let mut tools = offered(query, &servers);
    let instructions = instructions_for(order, ground).await;
    let bench = Bench::new(fleet, order, ground);
    let tab = query.rules.offers(subagent::NAME).then(|| {
        let (asker, before) = (Asker::new(fleet, order), instructions.clone());
        let (tool, tab) = SubAgent::new(order, tools.clone(), asker, bench.clone(), before);
        tools.add(Arc::new(tool));
        tab
    });
    // Last: the one that takes the final answer, where there is need of it.
    if let Some(tool) = structured.as_ref().and_then(Structured::tool) {
        tools.add(tool);
    }
    let before = match &order.ancestor {
        // It was told then, and may have been changed by the agent itself since.
        Some(ancestor) => Some(ancestor.note(ground.worktree().map(Worktree::base_commit))),
        None => instructions,
    };
    let texts = opening(query, ground.path(), before, ground.worktree());
    let begun = past::begin(order, id, texts).await;
    let Beginning { history, transcript, earlier } = match begun {
        Ok(beginning) => beginning,
        Err(error) => {
            servers.end().await;
            return Conversed::failed(Subtype::ErrorDuringExecution, error);
        }
    };
    let capabilities = query.model.capabilities();
    let setting = Setting {
        query,
        tools: &tools,
        events: order.events.clone(),
        asker: Asker::new(fleet, order),
        bench,
        base_commit: ground.worktree().map(|worktree| worktree.base_commit().to_owned()),
        conversation: order.events.session().unwrap_or_default().to_owned(),
        context: Context {
            workspace: Arc::clone(&workspace) as _,
            seen: Seen::default(),
            env,
            spill_dir: order.store.dir().join("output").join(id),
            processes: fleet.processes.clone(),
            cancel: order.cancel.child_token(),
            agent: id.to_owned(),
            label: query.label.clone(),
            branch,
            turn: AtomicU32::new(0),
            sees: Sees { images: capabilities.images, documents: capabilities.documents },
        },
    };
    let mut session = setting.session(history);
    session.checkpoints = checkpoints;
    session.transcript = Some(transcript);
    session.live = Arc::clone(&order.live);
    session.structured = structured;
    session.tab = tab;
    if let Some(again) = &order.again {
        session.take_up(earlier, &again.row);
    }
    let mut ending = session.run().await;
    session.settle_tab();
    if let Err(raised) = session.tell_end(ending.subtype.as_str()).await {
        if ending.error.is_some() {
            order.events.warn(format!("{id}: its hook `session_end` failed: {raised}"));
        } else {
            ending = Ending { subtype: Subtype::ErrorDuringExecution, error: Some(raised) };
        }
    }
    // They write no more when the work is taken in.
    servers.end().await;
    // A write that outlived its agent's time must not come after the work was taken in.
    let closed = tokio::task::spawn_blocking(move || workspace.close());
    if tokio::time::timeout(LAST_WRITE, closed).await.is_err() {
        order.events.warn(format!("{id}: a file is still being written; it may not be committed"));
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
        structured_output: session.structured.and_then(|structured| structured.value()),
        verification: session.verifying.summary(query.verify.as_ref()),
    }
}

/// Returns what takes the agent's snapshots, where it has a worktree.
fn checkpoints(order: &Order, ground: &Ground, workspace: &Arc<Disk>) -> Option<Checkpoints> {
    let (worktree, disk) = (ground.worktree()?.clone(), Arc::clone(workspace));
    let checkpoints = Checkpoints::new(worktree, disk, order.events.clone());
    // Nobody has told this process what was written before.
    Some(if order.again.is_some() { checkpoints.missing_all() } else { checkpoints })
}

/// What a session is made of, beside what was said.
pub(super) struct Setting<'a> {
    pub(super) query: &'a Query,
    pub(super) tools: &'a Registry,
    pub(super) events: Events,
    pub(super) asker: Asker,
    pub(super) bench: Bench,
    pub(super) base_commit: Option<String>,
    pub(super) conversation: String,
    pub(super) context: Context,
}

impl<'a> Setting<'a> {
    /// Makes a session that nobody writes down or talks to.
    pub(super) fn session(self, history: History) -> Session<'a> {
        let Self { query, tools, events, asker, bench, base_commit, conversation, context } = self;
        let system =
            prompt::system(query.system_prompt.as_deref(), query.append_system_prompt.as_deref());
        Session {
            query,
            tools,
            context,
            events,
            base_commit,
            system: system.into(),
            offered: tools.tools().map(|tool| spec(&**tool)).collect(),
            history,
            transcript: None,
            live: Arc::default(),
            room: Room::default(),
            tab: None,
            asker,
            checkpoints: None,
            turns: 0,
            denials: Vec::new(),
            usage: Usage::default(),
            api_time: Duration::ZERO,
            last_text: String::new(),
            stop_reason: None,
            structured: None,
            verifying: Verifying::default(),
            bench,
            conversation,
            stops: 0,
            nudges: 0,
            goes_on: false,
            heard_before: Vec::new(),
            written: Written::default(),
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
        added: &query.add_dirs,
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

/// Starts the servers of the agent.
async fn servers(
    fleet: &Fleet,
    order: &Order,
    ground: &Ground,
    env: &BTreeMap<String, String>,
) -> Result<Servers, Error> {
    let cancel = order.cancel.child_token();
    let around =
        Around { processes: &fleet.processes, directory: ground.path(), env, cancel: &cancel };
    order.in_time(&cancel, Servers::start(&order.query.servers, around)).await
}

/// Returns the tools that the rules offer: the built-in ones, then the script's, then the
/// servers'.
fn offered(query: &Query, servers: &Servers) -> Registry {
    let mut tools = Registry::builtin();
    // What only a rule that lists it brings.
    if query.rules.offers("WebFetch") {
        tools.add(Arc::new(WebFetch::reaching(query.rules.domains())));
    }
    tools.retain(|tool| query.rules.offers(tool.name()));
    for tool in query.tools.iter().filter(|tool| query.rules.offers_custom(tool.name())) {
        tools.add(Arc::clone(tool));
    }
    for tool in servers.tools().filter(|tool| query.rules.offers(tool.name())) {
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
