//! What is sent only when it is asked for, and what is left out once it is refused.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{TURN, ask, body_of};
use crate::model::anthropic::{Anthropic, WIRE};
use crate::model::rate::Bucket;
use crate::model::scripted::{
    Server, Step, address, answer, called, reply, request, result, showing, stream, tool, user,
};
use crate::model::{Effort, Message, Model, Request, StopReason, Usage};

fn json_of(model: &str, request: &Request) -> Value {
    serde_json::from_str(&body_of(model, request)).unwrap()
}

fn refusal(message: &str) -> Vec<Step> {
    let error = json!({ "type": "invalid_request_error", "message": message });
    answer(400, "", &json!({ "type": "error", "error": error }).to_string())
}

fn model(server: &Server, name: &str) -> Anthropic {
    Anthropic::at(name, &address("anthropic/m", &server.url)).unwrap()
}

fn schema() -> Arc<Value> {
    Arc::new(json!({
        "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } },
    }))
}

#[test]
fn effort_becomes_the_word_that_the_model_has() {
    let mut request = request("hi");
    let config = |model: &str, request: &Request| {
        let body = json_of(model, request);
        (body["output_config"].clone(), body["thinking"].clone(), body["max_tokens"].clone())
    };
    let nothing = (Value::Null, Value::Null, json!(32_000));
    assert_eq!(config("claude-opus-5", &request), nothing);
    request.effort = Some(Effort::Xhigh);
    let effort = |word: &str| json!({ "effort": word });
    assert_eq!(config("claude-opus-5", &request), (effort("xhigh"), Value::Null, json!(64_000)));
    let adaptive = json!({ "type": "adaptive" });
    assert_eq!(config("claude-opus-4-6", &request), (effort("high"), adaptive, json!(32_000)));
    assert_eq!(config("claude-haiku-4-5", &request), nothing);
    assert_eq!(config("standin", &request).0, effort("xhigh"));
}

#[test]
fn a_format_and_a_tool_are_named_in_the_apis_way() {
    let mut request = request("hi");
    request.tools = Arc::from([tool("Read")]);
    request.format = Some(schema());
    request.must_call = Some("Read".into());
    let body = json_of("claude-opus-5", &request);
    assert_eq!(body["tool_choice"], json!({ "type": "tool", "name": "Read" }));
    let closed = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "n": { "type": "integer", "description": "(minimum: 1)" } },
    });
    let format = json!({ "type": "json_schema", "schema": closed });
    assert_eq!(body["output_config"], json!({ "format": format }));
    // One that cannot be enforced is not sent; who asked for it checks the answer anyway.
    request.format = Some(Arc::new(json!({ "type": "object" })));
    assert_eq!(json_of("claude-opus-5", &request)["output_config"], Value::Null);
}

#[test]
fn pictures_and_documents_are_shown_inside_the_result() {
    let mut request = request("hi");
    request.messages.extend([called("t1"), showing("t1", "two files")]);
    let content = |model: &str| json_of(model, &request)["messages"][2]["content"][0].clone();
    let source = |kind: &str, media_type: &str, data: &str| {
        json!({ "type": kind, "source": {
        "type": "base64", "media_type": media_type, "data": data,
    } })
    };
    let expected = json!({
        "type": "tool_result", "tool_use_id": "t1",
        "content": [
            { "type": "text", "text": "two files" },
            source("image", "image/png", "UE5H"),
            source("document", "application/pdf", "JVBERg=="),
        ],
        "cache_control": { "type": "ephemeral" },
    });
    assert_eq!(content("claude-opus-5"), expected);
    // The third generation reads no PDF, and of a model that nobody knows nothing is believed.
    let shown = content("claude-3-haiku-20240307")["content"].clone();
    assert_eq!(shown.as_array().unwrap().len(), 2);
    let note = "[a document (application/pdf, 4 bytes) is left out: it cannot be shown here]";
    assert_eq!(shown[0]["text"], format!("two files\n{note}"));
    let blind = content("standin")["content"].clone();
    let picture = "[a picture (image/png, 3 bytes) is left out: it cannot be shown here]";
    assert_eq!(blind, format!("two files\n{picture}\n{note}"));
}

#[test]
fn a_failed_call_shows_nothing_and_says_something() {
    let mut request = request("hi");
    let Message::User { mut results, texts } = showing("t1", "") else { unreachable!() };
    results[0].is_error = true;
    results.push(result("t2", "", true));
    request.messages.extend([called("t1"), Message::User { results, texts }]);
    let blocks = json_of("claude-opus-5", &request)["messages"][2]["content"].clone();
    assert!(blocks[0]["content"].as_str().unwrap().starts_with("[a picture"), "{blocks}");
    assert_eq!(blocks[1]["content"], "(nothing)");
}

#[test]
fn a_turn_of_many_calls_has_a_mark_at_its_end_and_one_where_the_last_request_had_its_own() {
    let mark = r#","cache_control":{"type":"ephemeral"}"#;
    let many = |count: usize, turn: usize| {
        let results = (0..count).map(|n| result(&format!("t{turn}_{n}"), "x", false)).collect();
        Message::User { results, texts: vec![] }
    };
    let calls = |count: usize, turn: usize| {
        let blocks = (0..count).map(|n| {
            json!({
                "type": "tool_use", "id": format!("t{turn}_{n}"), "name": "Read", "input": {},
            })
        });
        let thought = json!({ "type": "thinking", "thinking": "hm", "signature": "Eq==" });
        let wire = std::iter::once(thought).chain(blocks).collect();
        Message::Assistant(Arc::new(reply(WIRE, wire)))
    };
    let mut turns = request("hi");
    let mut before = body_of("claude-opus-5", &turns);
    for turn in 0..4 {
        turns.messages.extend([calls(50, turn), many(50, turn)]);
        let body = body_of("claude-opus-5", &turns);
        assert_eq!(body.matches(mark).count(), 3);
        // The last request wrote the cache up to its last mark; this one begins with the same
        // bytes, and has a mark just there.
        let end = before.rfind(mark).unwrap() + mark.len();
        let before_unmarked = before[..end].replace(mark, "");
        let place = (0..body.len()).find(|at| {
            body.is_char_boundary(*at)
                && body[..*at].ends_with(mark)
                && body[..*at].replace(mark, "") == before_unmarked
        });
        assert!(place.is_some(), "turn {turn}");
        assert!(body.contains(r#"{"type":"thinking","thinking":"hm","signature":"Eq=="}"#));
        before = body;
    }
}

#[tokio::test]
async fn what_is_refused_is_left_out_and_remembered() {
    let server = Server::start(vec![
        refusal("output_config: Extra inputs are not permitted"),
        refusal("output_config.effort: Extra inputs are not permitted"),
        refusal("Thinking may not be enabled when tool_choice forces tool use."),
        stream(TURN),
        stream(TURN),
    ])
    .await;
    let model = model(&server, "claude-opus-5");
    let mut request = request("hi");
    request.tools = Arc::from([tool("Read")]);
    request.effort = Some(Effort::High);
    request.format = Some(schema());
    request.must_call = Some("Read".into());
    ask(&model, &request).await.0.unwrap();
    ask(&model, &request).await.0.unwrap();
    assert!(server.body(0).contains(r#""output_config":{"effort":"high","format""#));
    assert!(server.body(1).contains(r#""output_config":{"effort":"high"}"#));
    assert!(!server.body(2).contains("output_config") && server.body(2).contains("tool_choice"));
    assert!(!server.body(3).contains("tool_choice"));
    assert_eq!(server.body(3), server.body(4));
    let able = model.capabilities();
    assert!(!able.effort && !able.native_format && !able.forced_tool && able.images);
}

#[tokio::test]
async fn thoughts_of_another_model_are_taken_out_of_this_question_alone() {
    let server = Server::start(vec![
        refusal("messages.1.content.0: Invalid `signature` in `thinking` block"),
        stream(TURN),
        stream(TURN),
    ])
    .await;
    let model = model(&server, "claude-opus-5");
    let mut turns = request("hi");
    let wire = json!([
        { "type": "thinking", "thinking": "hm", "signature": "s" },
        { "type": "text", "text": "done" },
    ]);
    turns.messages.extend([Message::Assistant(Arc::new(reply(WIRE, wire))), user("more")]);
    ask(&model, &turns).await.0.unwrap();
    ask(&model, &turns).await.0.unwrap();
    assert!(server.body(0).contains(r#""signature":"s""#));
    assert!(!server.body(1).contains("thinking") && server.body(1).contains("done"));
    assert_eq!(server.body(2), server.body(0));
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_asked_for_again_with_a_smaller_limit() {
    let over = "input length and `max_tokens` exceed context limit: 188240 + 32000 > 200000, \
                decrease input length or `max_tokens` and try again";
    let server =
        Server::start(vec![refusal(over), stream(TURN), refusal(over), refusal(over)]).await;
    let model = model(&server, "claude-sonnet-4-5");
    ask(&model, &request("hi")).await.0.unwrap();
    assert!(server.body(0).contains(r#""max_tokens":32000"#));
    assert!(server.body(1).contains(r#""max_tokens":11760"#));
    // Once more, and then the conversation is too long.
    let failure = ask(&model, &request("hi")).await.0.unwrap_err();
    assert_eq!(failure.error.detail("reason"), Some(&json!("context_overflow")));
    assert_eq!(server.requests().len(), 4);
    let none =
        refusal("input length and `max_tokens` exceed context limit: 199999 + 32000 > 200000");
    let server = Server::start(vec![none]).await;
    let failure = ask(&self::model(&server, "claude-x"), &request("hi")).await.0.unwrap_err();
    assert_eq!(failure.error.detail("reason"), Some(&json!("context_overflow")));
}

const HEADERS: &str = "date: Sat, 22 Aug 2026 10:00:00 GMT\r\n\
    anthropic-ratelimit-requests-limit: 50\r\nanthropic-ratelimit-requests-remaining: 49\r\n\
    anthropic-ratelimit-requests-reset: 2026-08-22T10:00:02Z\r\n";

#[tokio::test]
async fn limits_are_heard_of_answers_and_of_refusals() {
    let bucket = Some(Bucket { limit: 50, remaining: 49, reset: Duration::from_secs(2) });
    let head = format!("HTTP/1.1 200 OK\r\n{HEADERS}connection: close\r\n\r\n");
    let server = Server::start(vec![
        vec![Step::Send(format!("{head}{TURN}").into_bytes())],
        answer(429, HEADERS, "{}"),
        vec![Step::Send(format!("{head}{}", &TURN[..900]).into_bytes())],
    ])
    .await;
    let model = model(&server, "claude-x");
    assert_eq!(ask(&model, &request("hi")).await.0.unwrap().limits.requests, bucket);
    let failure = ask(&model, &request("hi")).await.0.unwrap_err();
    assert_eq!(failure.heard.limits.requests, bucket);
    assert_eq!(failure.heard.usage, Usage::default());
    // What was counted before the cut has been paid for.
    let failure = ask(&model, &request("hi")).await.0.unwrap_err();
    assert_eq!(failure.heard.limits.requests, bucket);
    let usage = Usage {
        input_tokens: 25,
        output_tokens: 1,
        cache_read_input_tokens: 1024,
        cache_creation_input_tokens: 7,
    };
    assert_eq!(failure.heard.usage, usage);
}

#[tokio::test]
async fn a_message_in_one_piece_is_as_good_as_a_stream() {
    let whole = json!({
        "type": "message", "role": "assistant", "stop_reason": "tool_use",
        "content": [
            { "type": "text", "text": "Let me look\nhere" },
            { "type": "tool_use", "id": "t", "name": "Read", "input": { "a": 1 } },
        ],
        "usage": { "input_tokens": 3, "output_tokens": 4 },
    });
    let server = Server::start(vec![
        answer(200, "", &serde_json::to_string_pretty(&whole).unwrap()),
        answer(200, "", r#"{"hello":"world"}"#),
        answer(200, "", r#"{"type":"message","content":["#),
    ])
    .await;
    let model = model(&server, "claude-x");
    let reply = ask(&model, &request("hi")).await.0.unwrap();
    assert_eq!((&*reply.text, reply.stop), ("Let me look\nhere", StopReason::ToolUse));
    assert_eq!(reply.calls[0].input, Ok(json!({ "a": 1 })));
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (3, 4));
    assert_eq!(reply.wire, whole["content"]);
    let failure = ask(&model, &request("hi")).await.0.unwrap_err();
    assert!(failure.error.message.contains("something else"), "{}", failure.error);
    assert!(ask(&model, &request("hi")).await.0.is_err());
}
