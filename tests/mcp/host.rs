//! A host that speaks streamable HTTP, as far as tools need it: it wants a key and a session, answers
//! calls as a stream of events, and tells how many sessions were closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

#[derive(Clone, Default)]
struct Seen(Arc<AtomicUsize>);

/// The host; it ends when dropped.
pub struct Host {
    address: SocketAddr,
    seen: Seen,
    _runtime: tokio::runtime::Runtime,
}

impl Host {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Seen::default();
        let routes = Router::new()
            .route(
                "/mcp",
                post(answer).delete(close).get(|| async { StatusCode::METHOD_NOT_ALLOWED }),
            )
            .route("/old", post(|| async { Redirect::temporary("/mcp") }))
            .route("/old", get(|| async { StatusCode::METHOD_NOT_ALLOWED }).delete(close))
            .route("/page", get(|| async { axum::response::Html("<h1>Hello</h1>") }))
            .with_state(seen.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { address, seen, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many sessions were closed.
    pub fn closed(&self) -> usize {
        self.seen.0.load(Ordering::SeqCst)
    }
}

async fn close(State(seen): State<Seen>, headers: HeaderMap) -> StatusCode {
    assert_eq!(headers["mcp-session-id"], "s1");
    seen.0.fetch_add(1, Ordering::SeqCst);
    StatusCode::OK
}

async fn answer(headers: HeaderMap, axum::Json(message): axum::Json<Value>) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer k") {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let Some(id) = message.get("id") else { return StatusCode::ACCEPTED.into_response() };
    let method = message["method"].as_str().unwrap();
    if method != "initialize" && headers.get("mcp-session-id").is_none_or(|id| id != "s1") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let result = match method {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "far", "version": "1" },
        }),
        "tools/list" => {
            json!({ "tools": [{ "name": "echo", "inputSchema": { "type": "object" } }] })
        }
        "tools/call" => {
            let words = message["params"]["arguments"]["message"].as_str().unwrap();
            json!({ "content": [{ "type": "text", "text": format!("echo: {words}") }] })
        }
        other => panic!("{other}"),
    };
    let reply = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    if method == "tools/call" {
        let events = format!("event: message\ndata: {reply}\n\n");
        return ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response();
    }
    ([("mcp-session-id", "s1")], axum::Json(reply)).into_response()
}
