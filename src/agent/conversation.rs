//! One agent's conversation, from its query and its ground: everything that a session needs is put
//! together here, and what it came to is taken out again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use serde_json::Value;

use super::asking::Asker;
use super::baseline::Bench;
use super::checkpoint::Checkpoints;
use super::fleet::{Fleet, Order};
use super::ground::Ground;
use super::history::History;
use super::outcome::{Denial, Subtype};
use super::prompt::{self, Surroundings};
use super::query::Query;
use super::session::{Ending, Session};
use super::structured::Structured;
use super::verify::{Verification, Verifying};
use crate::error::{Error, Kind};
use crate::event::Usage;
use crate::model::ToolSpec;
use crate::tool::mcp::{Around, Servers};
use crate::tool::registry::Registry;
use crate::tool::seen::Seen;
use crate::tool::sight::Sees;
use crate::tool::web_fetch::WebFetch;
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
    pub(super) structured_output: Option<Value>,
    pub(super) verification: Option<Verification>,
}

impl Conversed {
    /// Makes that of an agent whose servers do not start.
    fn unserved(error: Error) -> Self {
        let subtype = match error.kind {
            Kind::Cancelled => Subtype::ErrorCancelled,
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
    let checkpoints = ground.worktree().map(|worktree| {
        Checkpoints::new(worktree.clone(), Arc::clone(&workspace), order.events.clone())
    });
    let branch = ground.worktree().map(|worktree| worktree.branch().to_owned());
    let servers = match servers(fleet, order, ground, &env).await {
        Ok(servers) => servers,
        Err(error) => return Conversed::unserved(error),
    };
    let structured = Structured::new(query);
    let tools = offered(query, &servers, structured.as_ref());
    let capabilities = query.model.capabilities();
    let texts = prompt::first_message(
        &query.prompt,
        &Surroundings {
            directory: ground.path(),
            added: &query.add_dirs,
            branch: branch.as_deref(),
            scope: ground.worktree().and_then(|worktree| worktree.scope()).map(|scope| &**scope),
            date: prompt::date(std::time::SystemTime::now()),
        },
    );
    let system =
        prompt::system(query.system_prompt.as_deref(), query.append_system_prompt.as_deref());
    let mut session = Session {
        query,
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
        events: order.events.clone(),
        base_commit: ground.worktree().map(|worktree| worktree.base_commit().to_owned()),
        system: system.into(),
        offered: tools.tools().map(|tool| spec(&**tool)).collect(),
        history: History::new(texts),
        asker: Asker::new(fleet, order),
        tools: &tools,
        checkpoints,
        turns: 0,
        denials: Vec::new(),
        usage: Usage::default(),
        api_time: Duration::ZERO,
        last_text: String::new(),
        stop_reason: None,
        structured,
        verifying: Verifying::default(),
        bench: Bench::new(fleet, order, ground),
        conversation: format!("{}/{id}", fleet.run_id()),
        stops: 0,
    };
    let mut ending = session.run().await;
    if let Err(raised) = session.tell_end(ending.subtype.as_str()).await {
        ending = match ending.error {
            None => Ending { subtype: Subtype::ErrorDuringExecution, error: Some(raised) },
            Some(_) => {
                order.events.warn(format!("{id}: its hook `session_end` failed: {raised}"));
                ending
            }
        };
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

/// Starts the servers of the agent.
async fn servers(
    fleet: &Fleet,
    order: &Order,
    ground: &Ground,
    env: &BTreeMap<String, String>,
) -> Result<Servers, Error> {
    let around = Around {
        processes: &fleet.processes,
        directory: ground.path(),
        env,
        cancel: &order.cancel,
    };
    Servers::start(&order.query.servers, around).await
}

/// Returns the tools that the rules offer: the built-in ones, then the script's, then the
/// servers'; last the one that takes the final answer, where there is need of it.
fn offered(query: &Query, servers: &Servers, structured: Option<&Arc<Structured>>) -> Registry {
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
    if let Some(tool) = structured.and_then(Structured::tool) {
        tools.add(tool);
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
