//! Chat Completions: bytes on the wire against bytes sent, and the dialects of many servers.

#![expect(clippy::unwrap_used, reason = "tests")]

mod asked;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::body::Body;
use super::{OpenAi, WIRE};
use crate::model::capability::of_openai;
use crate::model::form::Form;
use crate::model::rate::RateLimits;
use crate::model::scripted::{
    Server, Step, address, answer, ask, head, reply, request, result, stream, tool, user,
};
use crate::model::{Chunk, Failure, Message, Reply, Retry, StopReason, ToolCall, Usage};

/// A turn with text and two calls, as `OpenAI` writes it.
const TURN: &str = r#"data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"Let me "},"finish_reason":null}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"look: 🐎"},"finish_reason":null}],"usage":null}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"Read","arguments":""}}]},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"file_"}}]},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"path\":\"/a\"}"}}]},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"Glob","arguments":"{}"}}]},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"c","choices":[],"usage":{"prompt_tokens":1049,"completion_tokens":89,"total_tokens":1138,"prompt_tokens_details":{"cached_tokens":1024}}}

data: [DONE]

"#;

fn model(server: &Server) -> OpenAi {
    OpenAi::new("gpt-x", &address("openai/gpt-x", &format!("{}/v1/", server.url))).unwrap()
}

async fn ask_for(script: Vec<Step>) -> Result<Reply, Failure> {
    let server = Server::start(vec![script]).await;
    ask(&model(&server), &request("hi")).await.0
}

/// Writes one event for each delta.
fn events(deltas: &[Value]) -> String {
    let event = |delta| format!("data: {}\n\n", json!({ "choices": [{ "delta": delta }] }));
    deltas.iter().map(event).collect::<Vec<_>>().concat()
}

/// Asks for a reply of these deltas that ends with `finish`.
async fn ask_for_deltas(deltas: &[Value], finish: &str) -> Reply {
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": finish }] });
    let body = format!("{}data: {end}\n\n", events(deltas));
    ask_for(stream(&body)).await.unwrap()
}

fn calls(reply: &Reply) -> Vec<(&str, &str, Result<Value, String>)> {
    reply.calls.iter().map(|call| (&*call.id, &*call.name, call.input.clone())).collect()
}

fn assert_is_turn(reply: &Reply) {
    assert_eq!(reply.text, "Let me look: 🐎");
    let expected =
        [("call_a", "Read", Ok(json!({ "file_path": "/a" }))), ("call_b", "Glob", Ok(json!({})))];
    assert_eq!(calls(reply), expected);
    assert_eq!(reply.stop, StopReason::ToolUse);
    let wire = json!({
        "role": "assistant",
        "content": "Let me look: 🐎",
        "tool_calls": [
            {
                "id": "call_a",
                "type": "function",
                "function": { "name": "Read", "arguments": "{\"file_path\":\"/a\"}" },
            },
            {
                "id": "call_b",
                "type": "function",
                "function": { "name": "Glob", "arguments": "{}" },
            },
        ],
    });
    assert_eq!(reply.wire.to_string(), wire.to_string());
}

#[tokio::test]
async fn a_turn_is_the_same_reply_however_it_is_sent() {
    let crlf = TURN.replace('\n', "\r\n");
    let scripts = [
        stream(TURN),
        stream(&crlf),
        stream(&format!(": OPENROUTER PROCESSING\n\n{TURN}")),
        vec![Step::Send(head().into_bytes()), Step::Drip(crlf.into_bytes())],
        [stream(TURN), vec![Step::Silence]].concat(),
        stream(TURN.trim_end()),
    ];
    let usage = Usage {
        input_tokens: 25,
        output_tokens: 89,
        cache_read_input_tokens: 1024,
        ..Usage::default()
    };
    for script in scripts {
        let reply = ask_for(script).await.unwrap();
        assert_is_turn(&reply);
        assert_eq!(reply.usage, usage);
    }
}

#[tokio::test]
async fn chunks_are_heard_while_it_grows() {
    let server = Server::start(vec![stream(TURN)]).await;
    let (_, chunks) = ask(&model(&server), &request("hi")).await;
    let heard = [
        Chunk::Text("Let me ".into()),
        Chunk::Text("look: 🐎".into()),
        Chunk::Call("Read".into()),
        Chunk::Call("Glob".into()),
    ];
    assert_eq!(chunks, heard);
}

#[tokio::test]
async fn whole_is_what_has_a_finish_reason_or_done() {
    let usage = TURN.find("data: {\"id\":\"c\",\"choices\":[],").unwrap();
    let finish = TURN.find("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},").unwrap();
    let no_usage = &TURN[..usage];
    let done_alone = format!("{}data: [DONE]\n\n", &TURN[..finish]);
    for body in [no_usage, &done_alone] {
        let reply = ask_for(stream(body)).await.unwrap();
        assert_is_turn(&reply);
        assert_eq!(reply.usage, Usage::default());
    }
    let cuts = TURN.match_indices("\n\n").map(|(at, _)| at + 2).filter(|at| *at <= finish);
    for cut in cuts.flat_map(|cut| [cut, cut + 20]).chain([0, finish + 50]) {
        let failure = ask_for(stream(&TURN[..cut])).await.unwrap_err();
        assert_eq!(failure.retry, Retry::Backoff, "cut at {cut}: {}", failure.error);
    }
}

#[tokio::test]
async fn silence_after_the_finish_is_the_end_and_before_it_a_failure() {
    let usage = TURN.find("data: {\"id\":\"c\",\"choices\":[],").unwrap();
    let silent = |length: usize| [stream(&TURN[..length]), vec![Step::Silence]].concat();
    let server = Server::start(vec![silent(usage), silent(300)]).await;
    let mut request = request("hi");
    request.idle_timeout = Duration::from_millis(50);
    assert_is_turn(&ask(&model(&server), &request).await.0.unwrap());
    let failure = ask(&model(&server), &request).await.0.unwrap_err();
    assert_eq!(failure.retry, Retry::Backoff);
}

#[tokio::test]
async fn fragments_find_their_call_in_every_dialect() {
    let fragment = |value: Value| json!({ "tool_calls": [value] });
    let whole = |id: Value, index: Value, arguments: Value| json!({ "id": id, "index": index, "function": { "name": "Read", "arguments": arguments } });
    let one = || Ok(json!({ "a": 1 }));
    let none = Value::Null;
    let cases = [
        // Ollama and Gemini: each call whole, all numbered 0 or not at all.
        vec![
            fragment(whole(json!("x"), json!(0), json!("{\"a\":1}"))),
            fragment(whole(json!("y"), json!(0), json!("{\"a\":1}"))),
        ],
        vec![json!({ "tool_calls": [
            whole(json!("x"), none.clone(), json!("{\"a\":1}")),
            whole(json!("y"), none.clone(), json!("{\"a\":1}")),
        ] })],
        // Arguments as an object; the id repeated in each fragment.
        vec![
            fragment(whole(json!("x"), json!(0), json!({ "a": 1 }))),
            fragment(json!({ "index": 1, "id": "y", "function": { "name": "Read" } })),
            fragment(json!({ "index": 1, "id": "y", "function": { "arguments": "{\"a\"" } })),
            fragment(json!({ "index": 1, "id": "y", "function": { "arguments": ":1}" } })),
        ],
        // Interleaved.
        vec![
            fragment(whole(json!("x"), json!(0), json!("{\"a"))),
            fragment(whole(json!("y"), json!(1), json!("{\"a"))),
            fragment(json!({ "index": 0, "function": { "arguments": "\":1}" } })),
            fragment(json!({ "index": 1, "function": { "arguments": "\":1}" } })),
        ],
    ];
    for deltas in cases {
        let reply = ask_for_deltas(&deltas, "stop").await;
        assert_eq!(calls(&reply), [("x", "Read", one()), ("y", "Read", one())], "{deltas:?}");
        assert_eq!(reply.stop, StopReason::ToolUse);
    }
}

#[tokio::test]
async fn ids_are_made_where_they_lack_and_made_unique_where_they_repeat() {
    let call = |id: Value, index: u64| {
        json!({ "tool_calls": [{
            "id": id, "index": index, "function": { "name": "Glob", "arguments": "" },
        }] })
    };
    let deltas =
        [call(json!("x"), 0), call(json!("x"), 1), call(json!(null), 2), call(json!(""), 3)];
    let body = format!("{}data: [DONE]\n\n", events(&deltas));
    let server = Server::start(vec![stream(&body)]).await;
    let mut request = request("hi");
    request.turn = 7;
    let mut earlier = reply(WIRE, Value::Null);
    let input = Ok(json!({}));
    earlier.calls = vec![ToolCall { id: "call_7_1".into(), name: "Glob".into(), input }];
    request.messages.push(Message::Assistant(Arc::new(earlier)));
    request.messages.push(user("go"));
    let reply = ask(&model(&server), &request).await.0.unwrap();
    let ids: Vec<&str> = reply.calls.iter().map(|call| &*call.id).collect();
    assert_eq!(ids, ["x", "call_7_2", "call_7_3", "call_7_4"]);
    let wire_ids: Vec<&Value> =
        reply.wire["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]).collect();
    assert_eq!(wire_ids, ids);
    assert!(reply.calls.iter().all(|call| call.input == Ok(json!({}))));
    assert_eq!(reply.wire["tool_calls"][0]["function"]["arguments"], "{}");
}

#[tokio::test]
async fn reasoning_and_extras_go_back_as_they_came() {
    let deltas = [
        json!({ "reasoning_content": "hm, " }),
        json!({ "reasoning_content": "well", "content": null }),
        json!({ "tool_calls": [{
            "index": 0, "id": "x", "extra_content": { "google": { "thought_signature": "s" } },
            "function": { "name": "Glob", "arguments": "{}" },
        }] }),
    ];
    let reply = ask_for_deltas(&deltas, "tool_calls").await;
    assert_eq!(reply.wire["reasoning_content"], "hm, well");
    assert_eq!(reply.wire["content"], Value::Null);
    let extra = &reply.wire["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    assert_eq!(extra, "s");
    assert_eq!(reply.text, "");
}

#[tokio::test]
async fn broken_and_cut_arguments_do_not_run() {
    let call = |arguments: &str| {
        json!({ "tool_calls": [{
            "index": 0, "id": "x", "function": { "name": "Write", "arguments": arguments },
        }] })
    };
    let reply = ask_for_deltas(&[call("{\"a\":")], "tool_calls").await;
    assert_eq!(reply.calls[0].input, Err("{\"a\":".to_owned()));
    let arguments = &reply.wire["tool_calls"][0]["function"]["arguments"];
    assert_eq!(arguments, "{\"INVALID_JSON\":\"{\\\"a\\\":\"}");
    let reply = ask_for_deltas(&[call("{}")], "length").await;
    assert_eq!(reply.stop, StopReason::MaxTokens);
    assert!(reply.calls[0].input.clone().unwrap_err().starts_with("cut by max_tokens"));
}

#[tokio::test]
async fn stops_follow_what_the_reply_holds() {
    let text = [json!({ "content": "hi" })];
    for (finish, expected) in [
        ("stop", StopReason::EndTurn),
        ("tool_calls", StopReason::EndTurn),
        ("length", StopReason::MaxTokens),
        ("content_filter", StopReason::Refusal),
        ("eos", StopReason::Other("eos".into())),
    ] {
        assert_eq!(ask_for_deltas(&text, finish).await.stop, expected, "{finish}");
    }
    let reply = ask_for_deltas(&[json!({ "refusal": "I cannot" })], "stop").await;
    assert_eq!((reply.stop, &*reply.text), (StopReason::Refusal, "I cannot"));
    let parts = json!({ "content": [{ "type": "text", "text": "a" }, { "type": "thinking" }] });
    assert_eq!(ask_for_deltas(&[parts], "stop").await.text, "a");
}

#[tokio::test]
async fn errors_inside_a_good_answer_are_classified() {
    for (error, retry) in [
        (json!({ "error": { "message": "x", "type": "server_error" } }), Retry::Backoff),
        (json!({ "error": { "message": "x", "code": 429 } }), Retry::Backoff),
        (json!({ "error": { "message": "x", "code": "insufficient_quota" } }), Retry::Never),
        (json!({ "error": "model runner has stopped" }), Retry::Backoff),
        (json!({ "object": "error", "message": "x", "code": 400 }), Retry::Never),
        (json!({ "choices": [{ "error": { "message": "x", "code": 502 } }] }), Retry::Backoff),
    ] {
        let failure = ask_for(stream(&format!("data: {error}\n\n"))).await.unwrap_err();
        assert_eq!(failure.retry, retry, "{error}");
    }
    let failure = ask_for(stream("data: {\"choices\":[{\n\n")).await.unwrap_err();
    assert_eq!(failure.retry, Retry::Backoff);
}

#[tokio::test]
async fn odd_values_in_any_field_do_not_panic() {
    let oddities = [json!(null), json!(7), json!("x"), json!([1]), json!({}), json!({ "a": [] })];
    for line in TURN.lines().filter_map(|line| line.strip_prefix("data: {")) {
        let event: Value = serde_json::from_str(&format!("{{{line}")).unwrap();
        for path in [
            "/choices",
            "/choices/0",
            "/choices/0/delta",
            "/choices/0/delta/tool_calls",
            "/choices/0/delta/tool_calls/0",
            "/choices/0/delta/tool_calls/0/function",
            "/choices/0/delta/tool_calls/0/index",
            "/usage",
        ] {
            for odd in &oddities {
                let mut changed = event.clone();
                if let Some(place) = changed.pointer_mut(path) {
                    *place = odd.clone();
                }
                let mut draft = super::Draft::default();
                let _ = draft.take(&changed.to_string(), &|_| {});
                let _ = draft.take(&event.to_string(), &|_| {});
                let _ = draft
                    .into_reply(RateLimits::default(), &mut super::CallIds::of(&request("hi")));
            }
        }
    }
}

#[tokio::test]
async fn rejected_fields_are_left_out_from_then_on() {
    let rejection = |field: &str| {
        let message = format!("Unsupported parameter: '{field}' is not supported.");
        let error = json!({ "error": { "message": message, "param": field } });
        answer(400, "", &error.to_string())
    };
    let scripts = vec![
        rejection("stream_options"),
        rejection("max_completion_tokens"),
        stream(TURN),
        stream(TURN),
        rejection("stream_options"),
    ];
    let server = Server::start(scripts).await;
    let model = model(&server);
    let mut request = request("hi");
    request.max_output_tokens = Some(99);
    ask(&model, &request).await.0.unwrap();
    ask(&model, &request).await.0.unwrap();
    assert!(server.body(0).contains(r#""stream_options":{"include_usage":true}"#));
    assert!(server.body(1).contains(r#""max_completion_tokens":99"#));
    for number in [2, 3] {
        let body = server.body(number);
        assert!(body.contains(r#""max_tokens":99"#), "{body}");
        assert!(!body.contains("stream_options"), "{body}");
        assert!(!body.contains("max_completion_tokens"), "{body}");
    }
    // It was not sent, so leaving it out cannot help.
    assert!(ask(&model, &request).await.0.is_err());
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn the_question_is_these_bytes() {
    let server = Server::start(vec![stream(TURN)]).await;
    let model = model(&server);
    let mut request = request("hi");
    request.tools = Arc::from([tool("Read")]);
    ask(&model, &request).await.0.unwrap();
    let head = server.requests()[0].to_lowercase();
    assert!(head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer sk-secret\r\n"), "{head}");
    assert_eq!(
        server.body(0),
        concat!(
            r#"{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},"#,
            r#""tools":[{"type":"function","function":{"name":"Read","description":"Reads.","#,
            r#""parameters":{"type":"object","properties":{}}}}],"#,
            r#""messages":[{"role":"system","content":"You are terse."},{"role":"user","content":"hi"}]}"#,
        )
    );
    assert!(!format!("{model:?}").contains("sk-secret"));
    let failure = ask_for(answer(401, "", r#"{"error":{"message":"bad sk-secret"}}"#)).await;
    assert!(!format!("{failure:?}").contains("sk-secret"));
}

#[test]
fn results_come_first_and_replies_go_back_verbatim_or_rebuilt() {
    let mut turns = request("hi");
    let wire = json!({ "role": "assistant", "content": null, "tool_calls": [], "z": 1 });
    let mut own = reply(WIRE, wire);
    own.text = "x".into();
    turns.messages.push(Message::Assistant(Arc::new(own)));
    turns.messages.push(Message::User {
        results: vec![result("a", "text", false), result("b", "no", true)],
        texts: vec!["one".into(), "two".into()],
    });
    let mut foreign = reply("anthropic", json!([]));
    foreign.text = "look".into();
    let input = Ok(json!({ "b": 1, "a": 2 }));
    foreign.calls = vec![ToolCall { id: "c".into(), name: "Read".into(), input }];
    turns.messages.push(Message::Assistant(Arc::new(foreign)));
    turns.messages.push(Message::User { results: vec![result("c", "", false)], texts: vec![] });
    turns.messages.push(Message::Assistant(Arc::new(reply(WIRE, json!({ "content": null })))));
    turns.messages.push(user("go"));
    let body = body_of("m", &turns);
    let expected = concat!(
        r#"{"role":"user","content":"hi"},"#,
        r#"{"role":"assistant","content":null,"tool_calls":[],"z":1},"#,
        r#"{"role":"tool","tool_call_id":"a","content":"text"},"#,
        r#"{"role":"tool","tool_call_id":"b","content":"Error: no"},"#,
        r#"{"role":"user","content":"one\n\ntwo"},"#,
        r#"{"role":"assistant","content":"look","tool_calls":[{"id":"c","type":"function","#,
        r#""function":{"name":"Read","arguments":"{\"b\":1,\"a\":2}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"c","content":""},"#,
        r#"{"role":"assistant","content":"(nothing)"},"#,
        r#"{"role":"user","content":"go"}]}"#,
    );
    assert!(body.ends_with(expected), "{body}");
}

fn body_of(model: &str, request: &crate::model::Request) -> String {
    let profile = of_openai(model);
    String::from_utf8(Body::new(model, &profile, request, Form::default()).bytes()).unwrap()
}
