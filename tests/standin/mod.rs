//! A strict stand-in for language models over real HTTP: the Messages API, Chat Completions and the
//! Responses API, as one JSON body or a stream.
//!
//! A prompt says what happens: `[[scenario fix file=a.py from="- b" to="+ b" test="python3 t.py"]]`
//! (see `scenario`), with `fault=429@2x3;cut_tool@4` (see `fault`), `delay=MS` before each answer
//! and `usage=INPUT/OUTPUT/READ/CREATED` to fix the numbers. Each request is checked and a
//! violation is answered with the provider's own 400 and kept for the report.
//!
//! Tests include it with `mod standin;` and start it with [`serve`]; `program.rs` is the same as a
//! program. It must not know agentlua: the official SDKs talk to it too.

mod admission;
mod answer;
mod anthropic;
mod anthropic_out;
mod body;
mod complaint;
mod directive;
mod edit;
mod fault;
mod measure;
mod memory;
mod mishap;
mod openai;
mod openai_out;
mod options;
mod out;
mod responses;
mod responses_out;
mod scenario;
mod schema;
mod state;
mod talk;
mod work;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use options::Options;
use state::State;
use talk::Wire;

const MOST_BYTES: usize = 32 << 20;

/// A running server; dropping it ends it, and says on standard error what was violated.
pub struct Handle {
    /// Where it listens, such as `http://127.0.0.1:4711`, without a path.
    pub base_url: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl Handle {
    /// Returns what `GET /standin/report` does.
    pub fn report(&self) -> Value {
        self.state.report()
    }
}

impl Drop for Handle {
    #[expect(clippy::print_stderr, reason = "beside a test's own failure it says why")]
    fn drop(&mut self) {
        self.server.abort();
        let report = self.report();
        if report["violation_count"] != 0 || report["failed_scenarios"][0].is_string() {
            eprintln!("the stand-in saw violations: {report:#}");
        }
    }
}

/// Starts a server on the current runtime.
pub async fn serve(options: Options) -> io::Result<Handle> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let state = Arc::new(State::new(options)?);
    let router = Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/responses", post(responses_api))
        .route("/standin/report", get(report))
        .route("/standin/reset", post(reset))
        .with_state(Arc::clone(&state));
    // Without it a small write waits for the acknowledgement of the one before, up to 40 ms.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let server = tokio::spawn(async move {
        // It only returns when the listener fails for good; then requests fail, which tests see.
        let _ = axum::serve(listener, router).await;
    });
    Ok(Handle { base_url, state, server })
}

/// Counts a request from its first byte to the last of its answer.
struct Running(Arc<State>);

impl Running {
    fn new(state: Arc<State>) -> Self {
        state.enter();
        Self(state)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.leave();
    }
}

async fn messages(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    exchange(state, Wire::Anthropic, request).await
}

async fn chat_completions(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    exchange(state, Wire::OpenAi, request).await
}

async fn responses_api(Shared(state): Shared<Arc<State>>, request: Request) -> Response<Body> {
    exchange(state, Wire::Responses, request).await
}

async fn exchange(state: Arc<State>, wire: Wire, request: Request) -> Response<Body> {
    let running = Running::new(Arc::clone(&state));
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let plan = state.answer(wire, &parts.headers, &bytes);
    tokio::time::sleep(plan.delay).await;
    state.cache(&plan.caches);
    let mut response = Response::builder().status(plan.status);
    for (name, value) in plan.headers {
        response = response.header(name, value);
    }
    response
        .body(body::body(plan.pieces, running))
        .unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

async fn report(Shared(state): Shared<Arc<State>>) -> Response<Body> {
    Response::new(Body::from(state.report().to_string()))
}

async fn reset(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.reset();
    StatusCode::NO_CONTENT
}
