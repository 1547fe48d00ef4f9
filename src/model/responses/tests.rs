//! The Responses API: bytes on the wire against bytes sent, and answers against replies.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::body::Body;
use super::{Responses, WIRE};
use crate::model::capability::of_openai;
use crate::model::form::{Form, Part};
use crate::model::rate::RateLimits;
use crate::model::scripted::{
    Server, Step, address, answer, ask, called, head, reply, request, result, showing, stream,
    tool, user,
};
use crate::model::{
    Chunk, Effort, Failure, Message, Model, Reply, Request, Retry, StopReason, ToolCall, Usage,
};

/// A turn with thoughts, text and two calls, as the API writes it.
const TURN: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}

event: response.output_item.done
data: {"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA=="}}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"Let me lo"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"msg_1","output_index":1,"content_index":0,"delta":"ok: 🐎"}

event: response.output_item.done
data: {"type":"response.output_item.done","output_index":1,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Let me look: 🐎","annotations":[]}]}}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":2,"item":{"id":"fc_1","type":"function_call","call_id":"call_a","name":"Read","arguments":""}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","item_id":"fc_1","output_index":2,"delta":"{\"file_path\":\"/a\"}"}

event: response.output_item.done
data: {"type":"response.output_item.done","output_index":2,"item":{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_a","name":"Read","arguments":"{\"file_path\":\"/a\"}"}}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":3,"item":{"id":"fc_2","type":"function_call","call_id":"call_b","name":"Glob","arguments":""}}

event: response.output_item.done
data: {"type":"response.output_item.done","output_index":3,"item":{"id":"fc_2","type":"function_call","status":"completed","call_id":"call_b","name":"Glob","arguments":"{}"}}

event: response.completed
data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response","status":"completed","error":null,"incomplete_details":null,"output":[],"usage":{"input_tokens":1049,"input_tokens_details":{"cached_tokens":1024},"output_tokens":89,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":1138}}}

"#;

/// The items of [`TURN`].
fn items() -> Value {
    let call = |id: &str, call_id: &str, name: &str, arguments: &str| {
        json!({
            "id": id, "type": "function_call", "status": "completed", "call_id": call_id,
            "name": name, "arguments": arguments,
        })
    };
    json!([
        { "id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA==" },
        {
            "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
            "content": [{ "type": "output_text", "text": "Let me look: 🐎", "annotations": [] }],
        },
        call("fc_1", "call_a", "Read", "{\"file_path\":\"/a\"}"),
        call("fc_2", "call_b", "Glob", "{}"),
    ])
}

fn model(server: &Server) -> Responses {
    let base = format!("{}/v1/", server.url);
    Responses::new("gpt-5", &address("openai/gpt-5", &base)).unwrap()
}

async fn ask_for(script: Vec<Step>) -> Result<Reply, Failure> {
    let server = Server::start(vec![script]).await;
    ask(&model(&server), &request("hi")).await.0
}

/// Asks for a reply of these items that ends as `response` says.
async fn ask_for_items(items: &[Value], response: Value) -> Result<Reply, Failure> {
    let done = |item| json!({ "type": "response.output_item.done", "item": item });
    let end = json!({ "type": "response.completed", "response": response });
    let events = items.iter().map(done).chain([end]);
    let body: Vec<String> = events.map(|event| format!("data: {event}\n\n")).collect();
    ask_for(stream(&body.concat())).await
}

fn assert_is_turn(reply: &Reply) {
    assert_eq!(reply.text, "Let me look: 🐎");
    let call = |id: &str, name: &str, input: Value| ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        input: Ok(input),
    };
    let calls =
        [call("call_a", "Read", json!({ "file_path": "/a" })), call("call_b", "Glob", json!({}))];
    assert_eq!(reply.calls, calls);
    assert_eq!(reply.stop, StopReason::ToolUse);
    let usage = Usage {
        input_tokens: 25,
        output_tokens: 89,
        cache_read_input_tokens: 1024,
        ..Usage::default()
    };
    assert_eq!(reply.usage, usage);
    assert_eq!(reply.wire.to_string(), items().to_string());
}

#[tokio::test]
async fn a_turn_is_the_same_reply_however_it_is_sent() {
    let crlf = TURN.replace('\n', "\r\n");
    let end: Value = serde_json::from_str(TURN.rsplit_once("data: ").unwrap().1).unwrap();
    let mut whole = end["response"].clone();
    whole["output"] = items();
    let at_the_end =
        format!("data: {}\n\n", json!({ "type": "response.completed", "response": whole }));
    let scripts = [
        stream(TURN),
        stream(&format!(": keep-alive\n\n{TURN}data: [DONE]\n\n")),
        vec![Step::Send(head().into_bytes()), Step::Drip(crlf.into_bytes())],
        [stream(TURN), vec![Step::Silence]].concat(),
        stream(&at_the_end),
        answer(200, "", &whole.to_string()),
    ];
    for script in scripts {
        assert_is_turn(&ask_for(script).await.unwrap());
    }
}

#[tokio::test]
async fn chunks_are_heard_while_it_grows() {
    let server = Server::start(vec![stream(TURN)]).await;
    let (_, chunks) = ask(&model(&server), &request("hi")).await;
    let heard = [
        Chunk::Text("Let me lo".into()),
        Chunk::Text("ok: 🐎".into()),
        Chunk::Call("Read".into()),
        Chunk::Call("Glob".into()),
    ];
    assert_eq!(chunks, heard);
}

#[tokio::test]
async fn cut_anywhere_it_is_a_failure_worth_asking_again() {
    let end = TURN.find("\"type\":\"response.completed\"").unwrap();
    for cut in TURN.match_indices("\n\n").map(|(at, _)| at + 2).filter(|at| *at < end) {
        let failure = ask_for(stream(&TURN[..cut])).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Backoff, "cut at {cut}: {}", failure.error);
    }
    let failure = ask_for(stream(&format!("{}data: [DONE]\n\n", &TURN[..end - 60]))).await;
    assert_eq!(failure.unwrap_err().retry, Retry::Backoff);
}

#[tokio::test]
async fn errors_inside_a_good_answer_are_classified() {
    let failed = |code: &str| {
        json!({ "type": "response.failed", "response": {
        "status": "failed", "error": { "code": code, "message": "x" },
    } })
    };
    for (event, retry, reason) in [
        (
            json!({ "type": "error", "code": "server_error", "message": "x" }),
            Retry::Backoff,
            "server_error",
        ),
        (failed("rate_limit_exceeded"), Retry::Backoff, "rate_limit"),
        (failed("insufficient_quota"), Retry::Never, "billing_error"),
        (failed("context_length_exceeded"), Retry::Never, "context_overflow"),
    ] {
        let failure = ask_for(stream(&format!("data: {event}\n\n"))).await.unwrap_err();
        assert_eq!(failure.retry, retry, "{event}");
        assert_eq!(failure.error.detail("reason"), Some(&json!(reason)), "{event}");
    }
}

#[tokio::test]
async fn stops_follow_what_the_reply_holds() {
    let message =
        |part: Value| json!({ "type": "message", "role": "assistant", "content": [part] });
    let text = message(json!({ "type": "output_text", "text": "hi" }));
    let refusal = message(json!({ "type": "refusal", "refusal": "I cannot" }));
    let cut = |reason: &str| json!({ "status": "incomplete", "incomplete_details": { "reason": reason } });
    let done = || json!({ "status": "completed" });
    let stop_of = async |item: &Value, end: Value| {
        ask_for_items(std::slice::from_ref(item), end).await.unwrap().stop
    };
    assert_eq!(stop_of(&text, done()).await, StopReason::EndTurn);
    assert_eq!(stop_of(&text, cut("max_output_tokens")).await, StopReason::MaxTokens);
    assert_eq!(stop_of(&text, cut("content_filter")).await, StopReason::Refusal);
    assert_eq!(stop_of(&text, cut("novel")).await, StopReason::Other("novel".into()));
    let reply = ask_for_items(&[refusal], done()).await.unwrap();
    assert_eq!((reply.stop, &*reply.text), (StopReason::Refusal, "I cannot"));
}

#[tokio::test]
async fn broken_and_cut_arguments_do_not_run() {
    let call = |arguments: Value| {
        json!({
            "type": "function_call", "call_id": "c", "name": "Write", "arguments": arguments,
        })
    };
    let done = || json!({ "status": "completed" });
    let reply = ask_for_items(&[call(json!("{\"a\":"))], done()).await.unwrap();
    assert_eq!(reply.calls[0].input, Err("{\"a\":".to_owned()));
    assert_eq!(reply.wire[0]["arguments"], "{\"INVALID_JSON\":\"{\\\"a\\\":\"}");
    let reply = ask_for_items(&[call(json!({ "a": 1 })), call(json!(""))], done()).await.unwrap();
    assert_eq!(reply.calls[0].input, Ok(json!({ "a": 1 })));
    assert_eq!(reply.wire[0]["arguments"], "{\"a\":1}");
    // An id that is there twice would pair with two results.
    assert_eq!((&*reply.calls[1].id, &reply.wire[1]["call_id"]), ("call_1_1", &json!("call_1_1")));
    assert_eq!(reply.wire[1]["arguments"], "{}");
    let end = json!({
        "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" },
    });
    let reply = ask_for_items(&[call(json!("{}"))], end).await.unwrap();
    assert!(reply.calls[0].input.clone().unwrap_err().starts_with("cut by max_tokens"));
}

#[tokio::test]
async fn odd_values_in_any_field_do_not_panic() {
    let oddities = [json!(null), json!(7), json!("x"), json!([1]), json!({}), json!({ "a": [] })];
    for line in TURN.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(line).unwrap();
        for path in [
            "/item",
            "/item/content",
            "/item/call_id",
            "/item/arguments",
            "/response",
            "/response/output",
            "/response/usage",
            "/delta",
            "/type",
        ] {
            for odd in &oddities {
                let mut changed = event.clone();
                if let Some(place) = changed.pointer_mut(path) {
                    *place = odd.clone();
                }
                let mut draft = super::Draft::default();
                let _ = draft.take(&changed.to_string());
                let _ = draft.take(&event.to_string());
                let _ = draft
                    .into_reply(RateLimits::default(), &mut super::CallIds::of(&request("hi")));
            }
        }
    }
}

#[tokio::test]
async fn the_question_is_these_bytes() {
    let server = Server::start(vec![stream(TURN)]).await;
    let model = model(&server);
    let mut request = request("hi");
    request.tools = Arc::from([tool("Read")]);
    ask(&model, &request).await.0.unwrap();
    let head = server.requests()[0].to_lowercase();
    assert!(head.starts_with("post /v1/responses http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer sk-secret\r\n"), "{head}");
    assert_eq!(
        server.body(0),
        concat!(
            r#"{"model":"gpt-5","stream":true,"store":false,"include":["reasoning.encrypted_content"],"#,
            r#""instructions":"You are terse.","#,
            r#""tools":[{"type":"function","name":"Read","description":"Reads.","#,
            r#""parameters":{"type":"object","properties":{}},"strict":false}],"#,
            r#""input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]}"#,
        )
    );
    assert!(!format!("{model:?}").contains("sk-secret"));
}

fn body(request: &Request, form: Form) -> Value {
    let bytes = Body::new("gpt-5", &of_openai("gpt-5"), request, form).bytes();
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn items_go_back_verbatim_and_results_follow_their_calls() {
    let mut turns = request("hi");
    turns.messages.push(Message::Assistant(Arc::new(reply(WIRE, items()))));
    turns.messages.push(Message::User {
        results: vec![result("call_a", "text", false), result("call_b", "no", true)],
        texts: vec!["go on".into()],
    });
    let input = body(&turns, Form::default())["input"].clone();
    assert_eq!(input.as_array().unwrap()[1..5], *items().as_array().unwrap());
    let output = |id: &str, output: &str| json!({ "type": "function_call_output", "call_id": id, "output": output });
    assert_eq!(input[5], output("call_a", "text"));
    assert_eq!(input[6], output("call_b", "Error: no"));
    assert_eq!(input[7]["content"][0]["text"], "go on");
    // Another model cannot read these thoughts.
    let input = body(&turns, Form::without(&[Part::Thoughts]))["input"].clone();
    assert_eq!(input.as_array().unwrap()[1..4], items().as_array().unwrap()[1..]);
}

#[test]
fn nothing_that_cannot_stand_alone_is_sent() {
    let mut turns = request("hi");
    let thought =
        json!([{ "id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "g" }]);
    turns.messages.extend([Message::Assistant(Arc::new(reply(WIRE, thought))), user(" ")]);
    let bare = json!([
        { "id": "rs_2", "type": "reasoning", "summary": [] },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "x" }] },
    ]);
    turns.messages.extend([Message::Assistant(Arc::new(reply(WIRE, bare))), called("c")]);
    turns.messages.push(Message::User { results: vec![result("c", "", false)], texts: vec![] });
    let input = body(&turns, Form::default())["input"].clone();
    let kinds: Vec<&str> =
        input.as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    let expected =
        ["message", "message", "message", "message", "function_call", "function_call_output"];
    assert_eq!(kinds, expected, "{input}");
    assert_eq!(input[1]["content"][0]["text"], "(nothing)");
    assert_eq!(input[2]["content"][0]["text"], "(nothing)");
    assert_eq!(input[4]["arguments"], "{\"file_path\":\"/a\"}");
}

#[test]
fn what_is_asked_for_is_named_in_the_apis_way() {
    let mut turns = request("hi");
    turns.messages.extend([called("c"), showing("c", "seen")]);
    turns.tools = Arc::from([tool("Read")]);
    turns.effort = Some(Effort::Medium);
    turns.must_call = Some("Read".into());
    turns.max_output_tokens = Some(99);
    turns.format =
        Some(Arc::new(json!({ "type": "object", "properties": { "n": { "type": "integer" } } })));
    let body = body(&turns, Form::default());
    assert_eq!(body["reasoning"], json!({ "effort": "medium" }));
    assert_eq!(body["tool_choice"], json!({ "type": "function", "name": "Read" }));
    assert_eq!(body["max_output_tokens"], 99);
    let format = &body["text"]["format"];
    assert_eq!((&format["type"], &format["name"]), (&json!("json_schema"), &json!("answer")));
    assert_eq!(format["strict"], Value::Null);
    let output = json!([
        { "type": "input_text", "text": "seen" },
        { "type": "input_image", "image_url": "data:image/png;base64,UE5H" },
        { "type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERg==" },
    ]);
    assert_eq!(body["input"][2]["output"], output);
}

#[tokio::test]
async fn what_is_refused_is_left_out() {
    let refusal =
        |message: &str| answer(400, "", &json!({ "error": { "message": message } }).to_string());
    let server = Server::start(vec![
        refusal("Encrypted content is not supported with this model."),
        refusal("Unsupported parameter: 'reasoning.effort' is not supported with this model."),
        stream(TURN),
        refusal("The encrypted content gAAA... could not be verified."),
        stream(TURN),
    ])
    .await;
    let model = model(&server);
    let mut turns = request("hi");
    turns.effort = Some(Effort::Low);
    let first = ask(&model, &turns).await.0.unwrap();
    assert!(!server.body(1).contains("\"include\"") && server.body(1).contains("\"reasoning\":{"));
    assert!(!server.body(2).contains("\"reasoning\""));
    turns.messages.push(Message::Assistant(Arc::new(first)));
    let results = vec![result("call_a", "", false), result("call_b", "", false)];
    turns.messages.push(Message::User { results, texts: vec![] });
    ask(&model, &turns).await.0.unwrap();
    assert!(server.body(3).contains("gAAA==") && !server.body(4).contains("gAAA=="));
    assert!(!model.capabilities().effort);
}
