//! For tests: an HTTP server on 127.0.0.1 that plays prepared bytes, and what a test asks it.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::address::Address;
use super::{Chunk, Failure, Message, Model, Reply, Request, ToolCall, ToolResult, ToolSpec};
use crate::media::Media;

/// One step of an answer.
#[derive(Clone)]
pub enum Step {
    /// Sends these bytes at once.
    Send(Vec<u8>),
    /// Sends these bytes one by one.
    Drip(Vec<u8>),
    /// Sends nothing until the client goes.
    Silence,
    /// Sends a letter now and then until the client goes.
    Trickle,
}

/// The server; ends with the test's runtime.
pub struct Server {
    /// Where it listens, without a slash at the end.
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server that plays one script per connection and then closes it.
    pub async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                // The list grows before the answer starts, so who has the answer can look.
                tokio::spawn(play(stream, script, Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    /// Returns the requests so far, heads and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the body of the request number `number`, from 0.
    pub fn body(&self, number: usize) -> String {
        self.requests()[number].split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

async fn play(mut stream: TcpStream, script: Vec<Step>, seen: Arc<Mutex<Vec<String>>>) {
    let request = read_request(&mut stream).await;
    seen.lock().unwrap().push(request);
    for step in script {
        // The client may have gone, which is what some tests are about.
        let sent = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Drip(bytes) => drip(&mut stream, &bytes).await,
            Step::Silence => stream.read_u8().await.map(|_| ()),
            Step::Trickle => trickle(&mut stream).await,
        };
        if sent.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn trickle(stream: &mut TcpStream) -> std::io::Result<()> {
    loop {
        stream.write_all(b"x").await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split_once("content-length: ").unwrap().1;
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap() == 0 {
            return text;
        }
    }
}

/// Returns an answer of status 200 whose body ends with the connection.
pub fn stream(body: &str) -> Vec<Step> {
    vec![Step::Send(head().into_bytes()), Step::Send(body.as_bytes().to_vec())]
}

/// Returns the head of a stream.
pub fn head() -> String {
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_owned()
}

/// Returns an answer in one piece; `headers` are lines with their ends.
pub fn answer(status: u16, headers: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{headers}content-length: \
         {length}\r\nconnection: close\r\n\r\n{body}"
    );
    vec![Step::Send(head.into_bytes())]
}

/// Returns the address of a server with a key.
pub fn address(name: &str, base: &str) -> Address {
    Address {
        name: name.to_owned(),
        base: base.to_owned(),
        base_variable: "THE_BASE".into(),
        key: Some("sk-secret".to_owned()),
        key_variable: "THE_KEY".into(),
    }
}

/// Returns a user message with the result of a call that shows a picture and a document.
pub fn showing(id: &str, content: &str) -> Message {
    let media = [("image/png", &b"PNG"[..]), ("application/pdf", &b"%PDF"[..])];
    let media = media.map(|(media_type, data)| Media { media_type, data: Arc::from(data) });
    let result = ToolResult { media: media.to_vec(), ..result(id, content, false) };
    Message::User { results: vec![result], texts: vec![] }
}

/// Returns a reply that called one tool, as it is rebuilt on every wire.
pub fn called(id: &str) -> Message {
    let mut reply = reply("elsewhere", Value::Null);
    let input = Ok(json!({ "file_path": "/a" }));
    reply.calls = vec![ToolCall { id: id.to_owned(), name: "Read".to_owned(), input }];
    Message::Assistant(Arc::new(reply))
}

/// Returns a request with one user message.
pub fn request(text: &str) -> Request {
    Request {
        caller: Arc::default(),
        turn: 1,
        system: "You are terse.".into(),
        tools: Arc::from([]),
        messages: vec![user(text)],
        max_output_tokens: None,
        effort: None,
        format: None,
        must_call: None,
        idle_timeout: Duration::from_secs(30),
    }
}

/// Returns a tool without arguments worth the name.
pub fn tool(name: &str) -> ToolSpec {
    let input_schema = json!({ "type": "object", "properties": {} });
    ToolSpec { name: name.to_owned(), description: format!("{name}s."), input_schema }
}

/// Returns a user message of one text.
pub fn user(text: &str) -> Message {
    Message::User { results: Vec::new(), texts: vec![text.to_owned()] }
}

/// Returns the result of a call.
pub fn result(id: &str, content: &str, is_error: bool) -> ToolResult {
    ToolResult {
        id: id.to_owned(),
        name: "Read".to_owned(),
        content: content.to_owned(),
        media: vec![],
        is_error,
    }
}

/// Returns a reply of the wire format `format`.
pub fn reply(format: &'static str, wire: Value) -> Reply {
    let stop = super::StopReason::EndTurn;
    let usage = super::Usage::default();
    Reply {
        text: String::new(),
        calls: Vec::new(),
        stop,
        usage,
        wire,
        wire_format: format,
        limits: super::rate::RateLimits::default(),
    }
}

/// Asks, and returns the answer and the chunks that were heard; panics when nothing ends it.
pub async fn ask(model: &dyn Model, request: &Request) -> (Result<Reply, Failure>, Vec<Chunk>) {
    let heard = Mutex::new(Vec::new());
    let hear = |chunk| heard.lock().unwrap().push(chunk);
    let answer = tokio::time::timeout(Duration::from_mins(1), model.ask(request, &hear)).await;
    (answer.unwrap(), heard.into_inner().unwrap())
}

/// A model that fails in these ways, the last one first, then answers.
#[derive(Default)]
pub struct Failing(pub Mutex<Vec<Failure>>);

impl Model for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn wire(&self) -> &'static str {
        "test"
    }

    fn ask<'a>(
        &'a self,
        _: &'a Request,
        _: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        let next = self.0.lock().unwrap().pop();
        async move { next.map_or_else(|| Ok(reply("test", Value::Null)), Err) }.boxed()
    }
}
