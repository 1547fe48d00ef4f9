//! The Messages API: bytes on the wire against bytes sent, and answers against replies.

#![expect(clippy::unwrap_used, reason = "tests")]

mod asked;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::body::Body;
use super::{Anthropic, WIRE};
use crate::model::capability::of_anthropic;
use crate::model::form::Form;
use crate::model::rate::RateLimits;
use crate::model::scripted::{
    Server, Step, answer, ask, head, reply, request, result, stream, tool, user,
};
use crate::model::{Chunk, Failure, Message, Model, Reply, Retry, StopReason, ToolCall, Usage};

/// A turn with thinking, text and two calls, as the API writes it.
const TURN: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":25,"cache_creation_input_tokens":7,"cache_read_input_tokens":1024,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"I should "}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"read."}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB=="}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"xyz"}}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Let me lo"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"ok: 🐎"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"Read","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"file_"}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"path\":\"/a\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: content_block_start
data: {"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"toolu_2","name":"Glob","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_stop
data: {"type":"content_block_stop","index":4}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"#;

fn model(server: &Server) -> Anthropic {
    Anthropic::new("claude-x", &server.url, Some("sk-secret")).unwrap()
}

async fn ask_for(script: Vec<Step>) -> Result<Reply, Failure> {
    let server = Server::start(vec![script]).await;
    ask(&model(&server), &request("hi")).await.0
}

/// Writes events: what is not said here is not in them.
fn events(values: &[serde_json::Value]) -> String {
    values.iter().map(|value| format!("data: {value}\n\n")).collect::<Vec<_>>().concat()
}

fn block(index: u64, block: &serde_json::Value) -> serde_json::Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, delta: &serde_json::Value) -> serde_json::Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(reason: &str) -> [serde_json::Value; 2] {
    let end = json!({ "type": "message_delta", "delta": { "stop_reason": reason } });
    [end, json!({ "type": "message_stop" })]
}

fn assert_is_turn(reply: &Reply) {
    assert_eq!(reply.text, "Let me look: 🐎");
    let calls = [
        ToolCall {
            id: "toolu_1".into(),
            name: "Read".into(),
            input: Ok(json!({ "file_path": "/a" })),
        },
        ToolCall { id: "toolu_2".into(), name: "Glob".into(), input: Ok(json!({})) },
    ];
    assert_eq!(reply.calls, calls);
    assert_eq!(reply.stop, StopReason::ToolUse);
    let usage = Usage {
        input_tokens: 25,
        output_tokens: 89,
        cache_read_input_tokens: 1024,
        cache_creation_input_tokens: 7,
    };
    assert_eq!(reply.usage, usage);
    let wire = json!([
        { "type": "thinking", "thinking": "I should read.", "signature": "EqQB==" },
        { "type": "redacted_thinking", "data": "xyz" },
        { "type": "text", "text": "Let me look: 🐎" },
        { "type": "tool_use", "id": "toolu_1", "name": "Read", "input": { "file_path": "/a" } },
        { "type": "tool_use", "id": "toolu_2", "name": "Glob", "input": {} },
    ]);
    assert_eq!(reply.wire.to_string(), wire.to_string());
}

#[tokio::test]
async fn a_turn_is_the_same_reply_however_it_is_sent() {
    let crlf = TURN.replace('\n', "\r\n");
    let scripts = [
        stream(TURN),
        stream(&crlf),
        stream(&format!(": keep-alive\n\n{TURN}")),
        vec![Step::Send(head().into_bytes()), Step::Drip(crlf.into_bytes())],
        // Held open: the final event ends it all the same.
        [stream(TURN), vec![Step::Silence]].concat(),
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
    let end = TURN.find("{\"type\":\"message_stop\"}").unwrap();
    let cuts: Vec<usize> =
        TURN.match_indices("\n\n").map(|(at, _)| at + 2).filter(|at| *at < end).collect();
    for cut in cuts.iter().flat_map(|cut| [*cut, cut + 40]).chain([0, end + 10]) {
        let cut = (0..=cut).rev().find(|at| TURN.is_char_boundary(*at)).unwrap();
        let failure = ask_for(stream(&TURN[..cut])).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Backoff, "cut at {cut}: {}", failure.error);
        assert!(failure.error.message.contains("127.0.0.1"), "{}", failure.error);
    }
}

#[tokio::test]
async fn silence_and_a_trickle_are_failures_worth_asking_again() {
    for end in [Step::Silence, Step::Trickle] {
        let half = &TURN[..900];
        let server = Server::start(vec![[stream(half), vec![end]].concat()]).await;
        let mut request = request("hi");
        request.idle_timeout = Duration::from_millis(50);
        let failure = ask(&model(&server), &request).await.0.unwrap_err();
        assert_eq!(failure.retry, Retry::Backoff);
        assert!(failure.error.message.contains("fell silent"), "{}", failure.error);
        assert_eq!(failure.error.detail("reason"), Some(&json!("timeout")));
    }
}

#[tokio::test]
async fn error_events_and_garbage_are_classified() {
    let start = &TURN[..TURN.find("event: ping").unwrap()];
    let overloaded = r#"event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

"#;
    let failure = ask_for(stream(&format!("{start}{overloaded}"))).await.unwrap_err();
    assert!(failure.overloaded);
    assert_eq!(failure.retry, Retry::Backoff);

    let invalid = overloaded.replace("overloaded_error", "invalid_request_error");
    let failure = ask_for(stream(&format!("{start}{invalid}"))).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);

    for garbage in ["data: {\"type\":\n\n", "data: hello\n\n", "\u{0}\u{1}\n\n", "data: []\n\n"] {
        let failure = ask_for(stream(&format!("{start}{garbage}"))).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Backoff, "{garbage:?}");
    }
    let orphan = events(&[delta(9, &json!({ "type": "text_delta", "text": "x" }))]);
    let failure = ask_for(stream(&format!("{orphan}{TURN}"))).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Backoff);
}

#[tokio::test]
async fn odd_values_in_any_field_do_not_panic() {
    let oddities = [json!(null), json!(7), json!("x"), json!([1]), json!({}), json!({ "a": [] })];
    for line in TURN.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        for (field, odd) in
            event.as_object().unwrap().keys().flat_map(|key| oddities.iter().map(move |o| (key, o)))
        {
            let mut changed = event.clone();
            changed[field] = odd.clone();
            let mut draft = super::Draft::default();
            let _ = draft.take(&block(0, &json!({ "type": "tool_use" })).to_string());
            let _ = draft.take(&changed.to_string());
            let _ =
                draft.into_reply(RateLimits::default(), &mut super::CallIds::of(&request("hi")));
        }
    }
}

#[tokio::test]
async fn a_call_at_the_end_of_a_cut_reply_never_runs() {
    let first = json!({ "type": "tool_use", "id": "a", "name": "Read", "input": {} });
    let second = json!({ "type": "tool_use", "id": "b", "name": "Write", "input": {} });
    let json_delta = |text: &str| json!({ "type": "input_json_delta", "partial_json": text });
    for partial in ["{\"content\":\"hal", "{}"] {
        let body = [
            vec![block(0, &first), delta(0, &json_delta("{\"a\":1}"))],
            vec![block(1, &second), delta(1, &json_delta(partial))],
            stop("max_tokens").to_vec(),
        ];
        let reply = ask_for(stream(&events(&body.concat()))).await.unwrap();
        assert_eq!(reply.stop, StopReason::MaxTokens);
        assert_eq!(reply.calls[0].input, Ok(json!({ "a": 1 })));
        let note = reply.calls[1].input.clone().unwrap_err();
        assert!(note.starts_with("cut by max_tokens"), "{note}");
        assert!(reply.wire[1]["input"].is_object(), "{}", reply.wire);
    }
}

#[tokio::test]
async fn arguments_that_are_no_object_are_kept_as_text_and_sent_back_as_an_object() {
    for text in ["{\"a\":", "[1]", "\"x\"", "{}}"] {
        let body = [
            vec![block(0, &json!({ "type": "tool_use", "id": "a", "name": "Read", "input": {} }))],
            vec![delta(0, &json!({ "type": "input_json_delta", "partial_json": text }))],
            stop("tool_use").to_vec(),
        ];
        let reply = ask_for(stream(&events(&body.concat()))).await.unwrap();
        assert_eq!(reply.calls[0].input, Err(text.to_owned()));
        assert_eq!(reply.wire[0]["input"], json!({ "INVALID_JSON": text }));
    }
}

#[tokio::test]
async fn blocks_and_deltas_of_unknown_kinds_are_kept() {
    let body = [
        vec![block(0, &json!({ "type": "text", "text": "a", "citations": [] }))],
        vec![delta(0, &json!({ "type": "citations_delta", "citation": { "n": 1 } }))],
        vec![delta(0, &json!({ "type": "citations_delta", "citation": { "n": 2 } }))],
        vec![block(1, &json!({ "type": "compaction", "content": "so ", "v": 1 }))],
        vec![delta(1, &json!({ "type": "compaction_delta", "content": "far", "v": 2 }))],
        vec![json!({ "type": "novelty", "data": 1 })],
        vec![block(2, &json!({ "type": "text", "text": " " }))],
        vec![block(3, &json!({ "type": "text", "text": "b" }))],
        stop("pause_turn").to_vec(),
    ];
    let reply = ask_for(stream(&events(&body.concat()))).await.unwrap();
    let wire = json!([
        { "type": "text", "text": "a", "citations": [{ "n": 1 }, { "n": 2 }] },
        { "type": "compaction", "content": "so far", "v": 2 },
        { "type": "text", "text": "b" },
    ]);
    assert_eq!(reply.wire, wire);
    assert_eq!(reply.text, "a\n\nb");
    assert_eq!(reply.stop, StopReason::PauseTurn);
}

#[tokio::test]
async fn http_refusals_are_classified() {
    let error = |kind: &str, message: &str| {
        json!({ "type": "error", "error": { "type": kind, "message": message } }).to_string()
    };
    let failure = ask_for(answer(429, "retry-after: 7\r\n", &error("rate_limit_error", "slow")))
        .await
        .unwrap_err();
    assert_eq!(failure.retry, Retry::After(Duration::from_secs(7)));
    assert!(failure.overloaded);
    let failure = ask_for(answer(529, "", &error("overloaded_error", "x"))).await.unwrap_err();
    assert_eq!((failure.retry, failure.overloaded), (Retry::Backoff, true));
    let echo = error("authentication_error", "invalid x-api-key: sk-secret");
    let failure = ask_for(answer(401, "", &echo)).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    assert_eq!(failure.error.hint.as_deref(), Some("check ANTHROPIC_API_KEY"));
    assert!(!format!("{failure:?}").contains("sk-secret"), "{failure:?}");
    let failure = ask_for(answer(404, "", &error("not_found_error", "x"))).await.unwrap_err();
    assert!(failure.error.message.contains("`anthropic/claude-x`"), "{}", failure.error);
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>";
    let failure = ask_for(vec![Step::Send(page.into())]).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    let failure = ask_for(answer(302, "location: http://x/\r\n", "")).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Never);
    let failure = ask_for(answer(200, "", &error("overloaded_error", "x"))).await.unwrap_err();
    assert!(failure.overloaded);
    // Closed before any answer.
    let failure = ask_for(vec![]).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Backoff, "{}", failure.error);
}

#[tokio::test]
async fn the_question_is_these_bytes() {
    let server = Server::start(vec![stream(TURN)]).await;
    let model = model(&server);
    let mut request = request("hi");
    request.tools = Arc::from([tool("Read")]);
    ask(&model, &request).await.0.unwrap();
    let head = server.requests()[0].to_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1\r\n"), "{head}");
    assert!(head.contains("x-api-key: sk-secret\r\n"), "{head}");
    assert!(head.contains("anthropic-version: 2023-06-01\r\n"), "{head}");
    assert_eq!(
        server.body(0),
        concat!(
            r#"{"model":"claude-x","max_tokens":32000,"stream":true,"#,
            r#""system":[{"type":"text","text":"You are terse.","cache_control":{"type":"ephemeral"}}],"#,
            r#""tools":[{"name":"Read","description":"Reads.","input_schema":{"type":"object","properties":{}}}],"#,
            r#""messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#,
        )
    );
    assert!(!format!("{model:?}").contains("sk-secret"));
}

fn body_of(model: &str, request: &crate::model::Request) -> String {
    let profile = of_anthropic(model);
    String::from_utf8(Body::new(model, &profile, request, Form::default()).bytes()).unwrap()
}

fn body(request: &crate::model::Request) -> String {
    body_of("claude-x", request)
}

#[test]
fn each_turn_begins_with_the_bytes_of_the_last_and_moves_the_marks() {
    let mut turns = request("hi");
    let wire = json!([{ "type": "tool_use", "id": "t1", "name": "Read", "input": {} }]);
    turns.messages.push(Message::Assistant(Arc::new(reply(WIRE, wire))));
    turns.messages.push(Message::User {
        results: vec![result("t1", "text", false), result("t2", "no", true)],
        texts: vec!["go on".into()],
    });
    let second = body(&turns);
    let expected = concat!(
        r#""messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},"#,
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Read","input":{}}]},"#,
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"text"},"#,
        r#"{"type":"tool_result","tool_use_id":"t2","content":"no","is_error":true},"#,
        r#"{"type":"text","text":"go on","cache_control":{"type":"ephemeral"}}]}]}"#,
    );
    assert!(second.ends_with(expected), "{second}");

    let wire = json!([{ "type": "text", "text": "done" }]);
    turns.messages.push(Message::Assistant(Arc::new(reply(WIRE, wire))));
    turns.messages.push(user("more"));
    let third = body(&turns);
    let mark = r#","cache_control":{"type":"ephemeral"}"#;
    assert_eq!(third.matches(mark).count(), 3);
    assert!(third.contains(r#""text":"go on","cache_control""#), "{third}");
    let (second, third) = (second.replace(mark, ""), third.replace(mark, ""));
    assert!(third.starts_with(second.trim_end_matches("]}")), "{third}");
}

#[test]
fn nothing_empty_is_sent_and_foreign_replies_are_rebuilt() {
    let mut turns = request("hi");
    turns.messages.push(Message::Assistant(Arc::new(reply(WIRE, json!([])))));
    turns.messages.push(user(" "));
    let thoughts = json!([{ "type": "thinking", "thinking": "hm", "signature": "s" }]);
    turns.messages.push(Message::Assistant(Arc::new(reply(WIRE, thoughts))));
    let mut foreign = reply("openai", json!({ "role": "assistant" }));
    foreign.text = "look".into();
    let broken = Err("{\"a".to_owned());
    foreign.calls = vec![ToolCall { id: "f.g:0".into(), name: "Read".into(), input: broken }];
    turns.messages.push(user("go"));
    turns.messages.push(Message::Assistant(Arc::new(foreign)));
    let results = vec![result("f.g:0", "", false)];
    turns.messages.push(Message::User { results, texts: vec![] });
    let body: serde_json::Value = serde_json::from_str(&body(&turns)).unwrap();
    let nothing = json!([{ "type": "text", "text": "(nothing)" }]);
    assert_eq!(body["messages"][1]["content"], nothing);
    assert_eq!(body["messages"][2]["content"], nothing);
    assert_eq!(body["messages"][3]["content"], nothing);
    let rebuilt = json!([
        { "type": "text", "text": "look" },
        { "type": "tool_use", "id": "f_g_0", "name": "Read", "input": { "INVALID_JSON": "{\"a" } },
    ]);
    assert_eq!(body["messages"][5]["content"], rebuilt);
    assert_eq!(body["messages"][6]["content"][0]["tool_use_id"], "f_g_0");
}

#[test]
fn limits_follow_the_request_and_the_generation() {
    let mut request = request("hi");
    let limit = |model: &str, request: &crate::model::Request| {
        serde_json::from_str::<serde_json::Value>(&body_of(model, request)).unwrap()["max_tokens"]
            .clone()
    };
    assert_eq!(limit("claude-3-5-haiku-latest", &request), 8192);
    request.max_output_tokens = Some(99);
    assert_eq!(limit("claude-sonnet-5", &request), 99);
}

#[test]
fn the_base_may_end_in_a_slash_or_in_v1() {
    for base in ["http://h", "http://h/", "http://h/v1", "http://h/v1/"] {
        let model = Anthropic::new("m", base, None).unwrap();
        assert!(format!("{model:?}").contains("\"/v1/messages\""), "{model:?}");
        assert_eq!(model.name(), "anthropic/m");
    }
    assert!(Anthropic::new("m", "api.anthropic.com", None).is_err());
    let error = Anthropic::new("m", "http://h", Some("a\nb")).unwrap_err();
    assert!(error.message.contains("ANTHROPIC_API_KEY"), "{error}");
}
