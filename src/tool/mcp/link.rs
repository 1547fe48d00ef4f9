//! The line to one server: opened, its tools asked for, closed.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, PaginatedRequestParams, Tool as Described,
};
use rmcp::service::{ClientInitializeError, RunningService, ServiceError};
use rmcp::{RoleClient, ServiceExt};
use tokio::time::timeout;

use super::remote::Remote;
use super::{Around, Connection, Server, http};
use crate::error::{Error, Kind, Result};
use crate::http::innermost;
use crate::process::{Invocation, LastWords, Service, What};

/// How long a server may take until its tools are known.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a line may take to close in order.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How many tools of one server there may be.
const TOOLS_MAX: usize = 1_000;
/// How many characters of a server's own reason are quoted.
const REASON_CHARS: usize = 1_000;

type Running = RunningService<RoleClient, ClientConfig>;

/// A server that answers.
pub(super) struct Link {
    running: Running,
    program: Option<Service>,
}

impl Link {
    /// Starts a server and asks for its tools.
    pub(super) async fn open(server: &Server, around: &Around<'_>) -> Result<(Self, Vec<Remote>)> {
        match &server.connection {
            Connection::Program { command, args, env } => {
                let fail = |why: &str, words: &str| failure(&server.name, command, why, words);
                let invocation = invocation(command, args, env, around);
                let started = around.processes.serve(invocation).await;
                let (program, stdin, stdout) =
                    started.map_err(|error| fail(&error.to_string(), ""))?;
                let words = program.last_words();
                match introduced(Box::pin(config().serve((stdout, stdin))), server, &words).await {
                    Ok((running, tools)) => Ok((Self { running, program: Some(program) }, tools)),
                    Err(why) => {
                        let words = program.end().await;
                        Err(fail(&why, &words))
                    }
                }
            }
            Connection::Http(address) => {
                let fail = |why: String| failure(&server.name, &address.shown(), &why, "");
                let transport = address.transport().map_err(fail)?;
                let opened =
                    introduced(Box::pin(config().serve(transport)), server, &LastWords::none())
                        .await;
                let (running, tools) = opened.map_err(fail)?;
                Ok((Self { running, program: None }, tools))
            }
        }
    }

    /// Closes the line, and ends the program.
    pub(super) async fn end(mut self) {
        // A line that does not close in time is dropped, which closes it.
        let _ = self.running.close_with_timeout(CLOSE_LIMIT).await;
        drop(self.running);
        if let Some(program) = self.program {
            program.end().await;
        }
    }
}

fn config() -> ClientConfig {
    let name = Implementation::new("agentlua", env!("CARGO_PKG_VERSION"));
    ClientConfig::new(ClientCapabilities::default(), name)
}

fn invocation(
    command: &str,
    args: &[String],
    env: &BTreeMap<String, String>,
    around: &Around<'_>,
) -> Invocation {
    let mut variables = around.env.clone();
    variables.extend(env.clone());
    Invocation {
        what: What::Program(command.to_owned(), args.to_vec()),
        cwd: around.directory.to_owned(),
        env: variables,
        stdin: Vec::new(),
        merge_stderr: false,
    }
}

/// Waits for a server to introduce itself and to tell its tools. Fails with a clause.
async fn introduced(
    serving: impl Future<Output = std::result::Result<Running, ClientInitializeError>>,
    server: &Server,
    words: &LastWords,
) -> std::result::Result<(Running, Vec<Remote>), String> {
    let introduced = Box::pin(async {
        let running = serving.await.map_err(|error| unwelcome(&error))?;
        let tools = listed(&running).await?;
        let remotes = tools
            .into_iter()
            .map(|tool| Remote::new(&server.name, tool, running.peer().clone(), words.clone()));
        let remotes = remotes.collect();
        Ok((running, remotes))
    });
    let late = |_| format!("it was not ready after {} s", START_LIMIT.as_secs());
    timeout(START_LIMIT, introduced).await.map_err(late)?
}

/// Asks for the tools of a server, page by page.
async fn listed(running: &Running) -> std::result::Result<Vec<Described>, String> {
    let without = |peer: &rmcp::model::ServerPeerInfo| peer.capabilities.tools.is_none();
    if running.peer_info().as_deref().is_some_and(without) {
        return Ok(Vec::new());
    }
    let mut tools = Vec::new();
    let mut cursor = None;
    loop {
        let asked = PaginatedRequestParams::default().with_cursor(cursor.clone());
        let page = running.list_tools(Some(asked)).await;
        let page = page.map_err(|error| format!("it does not list its tools: {}", told(&error)))?;
        tools.extend(page.tools);
        if tools.len() > TOOLS_MAX {
            return Err(format!("it has more than {TOOLS_MAX} tools"));
        }
        if page.next_cursor.is_none() {
            return Ok(tools);
        }
        if page.next_cursor == cursor {
            return Err("it lists the same page of tools for ever".to_owned());
        }
        cursor = page.next_cursor;
    }
}

/// Says why a server did not introduce itself.
fn unwelcome(error: &ClientInitializeError) -> String {
    if error.is_authorization_required() {
        return "it wants to know who asks: give it a key in `headers`".to_owned();
    }
    match error {
        ClientInitializeError::ConnectionClosed(_) => "it ended".to_owned(),
        ClientInitializeError::JsonRpcError(error) => bounded(&error.message),
        ClientInitializeError::TransportError { error, .. } => cause(&*error.error),
        other => bounded(&other.to_string()),
    }
}

/// Says why a request to a server failed.
pub(super) fn told(error: &ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => bounded(&error.message),
        ServiceError::TransportSend(error) => cause(&*error.error),
        ServiceError::TransportClosed => "it has ended".to_owned(),
        other => bounded(&other.to_string()),
    }
}

fn cause(error: &(dyn StdError + 'static)) -> String {
    bounded(&http::cause(error))
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(REASON_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

fn failure(server: &str, place: &str, why: &str, words: &str) -> Error {
    let quoted = if words.is_empty() { String::new() } else { format!(":\n{words}") };
    Error::new(
        Kind::Tool,
        format!("the MCP server `{server}` (`{place}`) did not start: {why}{quoted}"),
    )
}
