//! A bare client for the stand-in's own tests: real HTTP by hand, both wires, no help from anyone.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::standin::{Handle, Options, serve};

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// The body ended in order.
    pub whole: bool,
}

/// Sends one request on a connection of its own and reads to its end.
pub async fn exchange(base_url: &str, path: &str, headers: &str, body: &str) -> Answer {
    let address = base_url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    write!(request, "content-length: {}\r\n{headers}\r\n{body}", body.len()).unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A dropped connection may be an error here; what came before it counts.
    let _ = stream.read_to_end(&mut bytes).await;
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let (body, whole) = if head.contains("transfer-encoding: chunked") {
        unchunked(&bytes[split + 4..])
    } else {
        (bytes[split + 4..].to_vec(), true)
    };
    Answer { status, head, body: String::from_utf8_lossy(&body).into_owned(), whole }
}

fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        let start = end + 2;
        if size == 0 {
            return (body, true);
        }
        body.extend(&rest[start..rest.len().min(start + size)]);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    (body, false)
}

/// A tool call of a reply.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub input: Value,
}

/// A parsed reply; `message` is what goes back.
#[derive(Clone, Debug)]
pub struct Said {
    pub text: String,
    pub calls: Vec<Call>,
    pub stop: String,
    pub usage: Value,
    pub message: Value,
}

/// A conversation with a server of its own.
pub struct Client {
    pub handle: Handle,
    pub anthropic: bool,
    pub body: Value,
}

/// Both wires, streaming and not.
pub const WAYS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

impl Client {
    pub async fn new(anthropic: bool, stream: bool, prompt: &str) -> Self {
        Self::with(Options::default(), anthropic, stream, prompt).await
    }

    pub async fn with(options: Options, anthropic: bool, stream: bool, prompt: &str) -> Self {
        let handle = serve(options).await.unwrap();
        let names = ["Read", "Write", "Edit", "Bash", "Glob", "Grep"];
        let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}});
        let body = if anthropic {
            let tool =
                |name: &str| json!({"name": name, "description": "d", "input_schema": schema});
            let mark = json!({"type": "ephemeral"});
            json!({
                "model": "m", "max_tokens": 100, "stream": stream,
                "system": [{"type": "text", "text": "You help.", "cache_control": mark}],
                "tools": names.map(tool),
                "messages": [{"role": "user", "content": prompt}],
            })
        } else {
            let tool = |name: &str| {
                let function = json!({"name": name, "description": "d", "parameters": schema});
                json!({"type": "function", "function": function})
            };
            let mut body = json!({
                "model": "m", "stream": stream, "tools": names.map(tool),
                "messages": [
                    {"role": "system", "content": "You help."},
                    {"role": "user", "content": prompt},
                ],
            });
            if stream {
                body["stream_options"] = json!({"include_usage": true});
            }
            body
        };
        Self { handle, anthropic, body }
    }

    /// Sends the conversation as it stands.
    pub async fn ask(&self) -> Answer {
        self.send(&self.body.to_string()).await
    }

    pub async fn send(&self, body: &str) -> Answer {
        let (path, headers) = if self.anthropic {
            ("/v1/messages", "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n")
        } else {
            ("/v1/chat/completions", "authorization: Bearer k\r\n")
        };
        let headers = format!("{headers}content-type: application/json\r\n");
        exchange(&self.handle.base_url, path, &headers, body).await
    }

    /// Asks and wants a whole reply, which it puts into the conversation.
    pub async fn turn(&mut self) -> Said {
        let answer = self.ask().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.whole, "{}", answer.body);
        let said = self.parsed(&answer);
        if !said.text.is_empty() || !said.calls.is_empty() {
            self.messages().push(said.message.clone());
        }
        said
    }

    pub fn messages(&mut self) -> &mut Vec<Value> {
        self.body["messages"].as_array_mut().unwrap()
    }

    /// Answers the calls of a reply.
    pub fn answer(&mut self, said: &Said, mut run: impl FnMut(&Call) -> (String, bool)) {
        let results: Vec<Value> = said.calls.iter().map(|call| {
            let (text, failed) = run(call);
            if self.anthropic {
                json!({"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": failed})
            } else {
                let text = if failed { format!("Error: {text}") } else { text };
                json!({"role": "tool", "tool_call_id": call.id, "content": text})
            }
        }).collect();
        if self.anthropic {
            self.messages().push(json!({"role": "user", "content": results}));
        } else {
            self.messages().extend(results);
        }
    }

    /// Runs the tool loop to the final text; returns every reply.
    pub async fn run(&mut self, mut run: impl FnMut(&Call) -> (String, bool)) -> Vec<Said> {
        let mut replies = Vec::new();
        loop {
            let said = self.turn().await;
            self.answer_if_any(&said, &mut run);
            let over = said.calls.is_empty();
            replies.push(said);
            if over {
                return replies;
            }
            assert!(replies.len() < 30, "the scenario does not end");
        }
    }

    fn answer_if_any(&mut self, said: &Said, run: &mut impl FnMut(&Call) -> (String, bool)) {
        if !said.calls.is_empty() {
            self.answer(said, run);
        }
    }

    pub fn violations(&self) -> Vec<String> {
        serde_json::from_value(self.handle.report()["violations"].clone()).unwrap()
    }

    fn parsed(&self, answer: &Answer) -> Said {
        let stream = self.body["stream"] == true;
        match (self.anthropic, stream) {
            (true, true) => of_anthropic(&anthropic_stream(&answer.body)),
            (true, false) => of_anthropic(&serde_json::from_str(&answer.body).unwrap()),
            (false, true) => of_openai(&openai_stream(&answer.body)),
            (false, false) => of_openai(&serde_json::from_str(&answer.body).unwrap()),
        }
    }
}

/// Returns the data of each event.
fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn anthropic_stream(body: &str) -> Value {
    let mut message = Value::Null;
    let mut arguments = String::new();
    for event in events(body) {
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        let mut append = |field: &str, piece: &Value| {
            let block = &mut message["content"][index];
            block[field] = json!(format!(
                "{}{}",
                block[field].as_str().unwrap_or_default(),
                piece.as_str().unwrap()
            ));
        };
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                arguments.clear();
                message["content"].as_array_mut().unwrap().push(event["content_block"].clone());
            }
            "content_block_delta" => match event["delta"]["type"].as_str().unwrap() {
                "text_delta" => append("text", &event["delta"]["text"]),
                "thinking_delta" => append("thinking", &event["delta"]["thinking"]),
                "signature_delta" => append("signature", &event["delta"]["signature"]),
                _ => arguments.push_str(event["delta"]["partial_json"].as_str().unwrap()),
            },
            "content_block_stop" => {
                if let Ok(input) = serde_json::from_str::<Value>(&arguments) {
                    message["content"][index]["input"] = input;
                }
                arguments.clear();
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["usage"] = event["usage"].clone();
            }
            _ => {}
        }
    }
    assert!(body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), "{body}");
    message
}

fn of_anthropic(message: &Value) -> Said {
    let blocks = message["content"].as_array().unwrap();
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| Call {
        id: block["id"].as_str().unwrap().into(),
        name: block["name"].as_str().unwrap().into(),
        input: block["input"].clone(),
    });
    Said {
        text: blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
        calls: calls.collect(),
        stop: message["stop_reason"].as_str().unwrap().into(),
        usage: message["usage"].clone(),
        message: json!({"role": "assistant", "content": blocks}),
    }
}

fn openai_stream(body: &str) -> Value {
    let mut message = json!({"role": "assistant", "content": null});
    let mut calls: Vec<Value> = Vec::new();
    let (mut finish, mut usage) = (Value::Null, Value::Null);
    for chunk in events(body) {
        if !chunk["usage"].is_null() {
            usage = chunk["usage"].clone();
        }
        let choice = &chunk["choices"][0];
        for field in ["content", "reasoning_content", "refusal"] {
            if let Some(piece) = choice["delta"][field].as_str().filter(|piece| !piece.is_empty()) {
                let so_far = message[field].as_str().unwrap_or_default();
                message[field] = json!(format!("{so_far}{piece}"));
            }
        }
        for piece in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let index =
                piece["index"].as_u64().map_or(calls.len(), |i| usize::try_from(i).unwrap());
            if index == calls.len() {
                let mut call = piece.clone();
                call.as_object_mut().unwrap().shift_remove("index");
                if call["id"].is_null() {
                    call["id"] = json!(format!("mine{index}"));
                }
                calls.push(call);
            } else {
                let arguments = &mut calls[index]["function"]["arguments"];
                let more = piece["function"]["arguments"].as_str().unwrap();
                *arguments = json!(format!("{}{more}", arguments.as_str().unwrap()));
            }
        }
        if !choice["finish_reason"].is_null() {
            finish = choice["finish_reason"].clone();
        }
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({"choices": [{"message": message, "finish_reason": finish}], "usage": usage})
}

fn of_openai(completion: &Value) -> Said {
    let message = &completion["choices"][0]["message"];
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        Call {
            id: call["id"].as_str().unwrap().into(),
            name: call["function"]["name"].as_str().unwrap().into(),
            input: serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments)),
        }
    });
    Said {
        text: message["content"]
            .as_str()
            .or(message["refusal"].as_str())
            .unwrap_or_default()
            .into(),
        calls: calls.collect(),
        stop: completion["choices"][0]["finish_reason"].as_str().unwrap().into(),
        usage: completion["usage"].clone(),
        message: message.clone(),
    }
}
