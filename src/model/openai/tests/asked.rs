//! What is sent only when it is asked for, and what is left out once it is refused.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{TURN, assert_is_turn, body_of, model};
use crate::model::openai::{OpenAi, WIRE};
use crate::model::rate::Bucket;
use crate::model::scripted::{
    Server, Step, address, answer, ask, called, reply, request, showing, stream, tool, user,
};
use crate::model::{Effort, Message, Model, Request, Retry, StopReason};

fn json_of(model: &str, request: &Request) -> Value {
    serde_json::from_str(&body_of(model, request)).unwrap()
}

fn refusal(status: u16, message: &str) -> Vec<Step> {
    answer(status, "", &json!({ "error": { "message": message } }).to_string())
}

fn named(server: &Server, name: &str) -> OpenAi {
    OpenAi::new(name, &address("openai/m", &server.url)).unwrap()
}

/// A request with everything that may be refused.
fn laden() -> Request {
    let mut laden = request("hi");
    laden.tools = Arc::from([tool("Read")]);
    laden.effort = Some(Effort::Max);
    laden.must_call = Some("Read".into());
    laden.format = Some(Arc::new(json!({
        "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"],
    })));
    let wire = json!({ "role": "assistant", "content": "so", "reasoning_content": "hm" });
    let mut thought = reply(WIRE, wire);
    thought.text = "so".into();
    laden.messages.extend([Message::Assistant(Arc::new(thought)), user("go on")]);
    laden.messages.extend([called("c"), showing("c", "seen")]);
    laden
}

#[test]
fn what_is_asked_for_is_named_in_the_apis_way() {
    let body = json_of("gpt-5", &laden());
    assert_eq!(body["reasoning_effort"], "high");
    let choice = json!({ "type": "function", "function": { "name": "Read" } });
    assert_eq!(body["tool_choice"], choice);
    let schema = json!({
        "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"],
        "additionalProperties": false,
    });
    let format = json!({ "name": "answer", "schema": schema, "strict": true });
    assert_eq!(body["response_format"], json!({ "type": "json_schema", "json_schema": format }));
    // With an optional field it cannot be enforced to the letter, and goes as it is.
    let mut loose = request("hi");
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
    loose.format = Some(Arc::new(schema.clone()));
    let format = json!({ "name": "answer", "schema": schema });
    assert_eq!(json_of("gpt-5", &loose)["response_format"]["json_schema"], format);
    loose.effort = Some(Effort::Low);
    assert_eq!(json_of("gpt-4o", &loose)["reasoning_effort"], Value::Null);
}

#[test]
fn what_a_result_shows_follows_in_a_message_of_the_user() {
    let mut turns = request("hi");
    turns.messages.extend([called("c"), showing("c", "seen")]);
    let Some(Message::User { texts, .. }) = turns.messages.last_mut() else { unreachable!() };
    texts.push("and go on".into());
    let body = json_of("gpt-4o", &turns);
    let tool = json!({ "role": "tool", "tool_call_id": "c", "content": "seen" });
    assert_eq!(body["messages"][3], tool);
    let shown = json!({ "role": "user", "content": [
        { "type": "text", "text": "What `Read` (c) shows:" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,UE5H" } },
        { "type": "file", "file": {
            "filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERg==",
        } },
        { "type": "text", "text": "and go on" },
    ] });
    assert_eq!(body["messages"][4], shown);
    let blind = json_of("qwen3", &turns);
    let told = blind["messages"][3]["content"].as_str().unwrap();
    assert!(told.starts_with("seen\n[a picture (image/png, 3 bytes) is left out"), "{told}");
    assert_eq!(blind["messages"][4], json!({ "role": "user", "content": "and go on" }));
}

#[tokio::test]
async fn every_part_that_a_server_lacks_is_left_out_and_remembered() {
    for (status, message, field) in [
        (400, "Unknown parameter: 'stream_options'.", "stream_options"),
        (422, "[{'loc': ('body', 'stream_options', 'include_usage')}]", "stream_options"),
        (400, "Unsupported parameter: 'max_completion_tokens'", "max_completion_tokens"),
        (400, "Unrecognized field: 'strict'", "\"strict\""),
        (400, "This model does not support response_format json_schema", "response_format"),
        (400, "Unsupported parameter: 'reasoning_effort'", "reasoning_effort"),
        (400, "\"llama3\" does not support thinking", "reasoning_effort"),
        (404, "No endpoints found that support the provided 'tool_choice' value.", "tool_choice"),
        (400, "property 'reasoning_content' is unsupported", "reasoning_content"),
        (404, "No endpoints found that support image input", "image_url"),
        (
            500,
            "image input is not supported - hint: you may need to provide the mmproj",
            "image_url",
        ),
        (400, "System role not supported", "\"role\":\"system\""),
    ] {
        let server =
            Server::start(vec![refusal(status, message), stream(TURN), stream(TURN)]).await;
        let model = named(&server, "gpt-5");
        let mut laden = laden();
        laden.max_output_tokens = Some(99);
        assert_is_turn(&ask(&model, &laden).await.0.unwrap());
        assert_is_turn(&ask(&model, &laden).await.0.unwrap());
        assert!(server.body(0).contains(field), "{message}");
        assert!(!server.body(1).contains(field), "{message}: {}", server.body(1));
        assert_eq!(server.body(1), server.body(2), "{message}");
    }
}

#[tokio::test]
async fn the_name_of_a_field_beside_the_words_will_do() {
    let error =
        json!({ "error": { "message": "Unsupported parameter.", "param": "reasoning_effort" } });
    let server = Server::start(vec![answer(400, "", &error.to_string()), stream(TURN)]).await;
    ask(&named(&server, "gpt-5"), &laden()).await.0.unwrap();
    assert!(!server.body(1).contains("reasoning_effort"));
}

#[tokio::test]
async fn without_a_role_of_its_own_the_system_prompt_begins_the_first_message() {
    let refused = refusal(400, "Unsupported value: 'messages[0].role' does not support 'system'");
    let server = Server::start(vec![refused, stream(TURN)]).await;
    ask(&named(&server, "m"), &request("hi")).await.0.unwrap();
    let messages = r#""messages":[{"role":"user","content":"You are terse.\n\nhi"}]"#;
    assert!(server.body(1).contains(messages), "{}", server.body(1));
}

#[tokio::test]
async fn a_picture_that_is_refused_does_not_take_the_eyes_of_all() {
    let refused = refusal(400, "Invalid base64 image_url.");
    let server = Server::start(vec![refused, stream(TURN), stream(TURN)]).await;
    let model = named(&server, "gpt-4o");
    let mut turns = request("hi");
    turns.messages.extend([called("c"), showing("c", "seen")]);
    ask(&model, &turns).await.0.unwrap();
    ask(&model, &turns).await.0.unwrap();
    assert!(!server.body(1).contains("image_url") && server.body(2).contains("image_url"));
    assert!(model.capabilities().images);
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_asked_for_again_with_a_smaller_limit() {
    let vllm = "'max_tokens' or 'max_completion_tokens' is too large: 8000. This model's maximum \
                context length is 4096 tokens and your request has 100 input tokens (8000 > 4096 - \
                100).";
    let server = Server::start(vec![refusal(400, vllm), stream(TURN)]).await;
    let mut request = request("hi");
    request.max_output_tokens = Some(8000);
    ask(&named(&server, "m"), &request).await.0.unwrap();
    // Of the two lessons it is the one about the number.
    assert!(server.body(1).contains(r#""max_completion_tokens":3996"#), "{}", server.body(1));
    let full = "This model's maximum context length is 4096 tokens. However, you requested 4200 \
                tokens (4100 in the messages, 100 in the completion).";
    let server = Server::start(vec![refusal(400, full)]).await;
    let failure = ask(&named(&server, "m"), &request).await.0.unwrap_err();
    assert_eq!(failure.error.detail("reason"), Some(&json!("context_overflow")));
}

#[tokio::test]
async fn a_completion_in_one_piece_is_as_good_as_a_stream() {
    let function = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
    let whole = json!({
        "object": "chat.completion",
        "choices": [{ "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Let me look: 🐎", "tool_calls": [
                { "id": "call_a", "type": "function",
                  "function": function("Read", json!({ "file_path": "/a" })) },
                { "id": "call_b", "type": "function", "function": function("Glob", json!("")) },
            ],
        } }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 5 },
    });
    let server = Server::start(vec![
        answer(200, "", &whole.to_string()),
        // A stream under the wrong label.
        answer(200, "", TURN),
        answer(200, "", r#"{"error":{"message":"x","code":503}}"#),
        answer(200, "", r#"{"hello":"world"}"#),
    ])
    .await;
    let model = model(&server);
    let reply = ask(&model, &request("hi")).await.0.unwrap();
    assert_is_turn(&reply);
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (7, 5));
    assert_is_turn(&ask(&model, &request("hi")).await.0.unwrap());
    assert_eq!(ask(&model, &request("hi")).await.0.unwrap_err().retry, Retry::Backoff);
    assert_eq!(ask(&model, &request("hi")).await.0.unwrap_err().retry, Retry::Never);
}

#[tokio::test]
async fn reasoning_of_every_name_is_sent_back_with_its_message() {
    for (name, value) in [
        ("reasoning_content", json!("hm")),
        ("reasoning", json!("hm")),
        ("reasoning_details", json!([{ "type": "reasoning.text", "text": "hm" }])),
    ] {
        let call =
            json!({ "index": 0, "id": "x", "function": { "name": "Glob", "arguments": "{}" } });
        let body = super::events(&[json!({ name: value }), json!({ "tool_calls": [call] })]);
        let server =
            Server::start(vec![stream(&format!("{body}data: [DONE]\n\n")), stream(TURN)]).await;
        let model = named(&server, "deepseek");
        let first = ask(&model, &request("hi")).await.0.unwrap();
        let mut turns = request("hi");
        turns.messages.push(Message::Assistant(Arc::new(first)));
        let results = vec![crate::model::scripted::result("x", "a", false)];
        turns.messages.push(Message::User { results, texts: vec![] });
        ask(&model, &turns).await.0.unwrap();
        let sent: Value = serde_json::from_str(&server.body(1)).unwrap();
        assert_eq!(sent["messages"][2][name], value);
    }
}

#[tokio::test]
async fn endings_of_single_servers_are_understood() {
    let text = [json!({ "content": "hi" })];
    let reply = super::ask_for_deltas(&text, "model_length").await;
    assert_eq!(reply.stop, StopReason::ContextOverflow);
    // `OpenRouter`, when the provider behind it fails in the middle.
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": "error" }] });
    let body = format!("{}data: {end}\n\n", super::events(&text));
    assert_eq!(super::ask_for(stream(&body)).await.unwrap_err().retry, Retry::Backoff);
}

#[tokio::test]
async fn limits_are_heard_of_answers_and_of_refusals() {
    let headers = "x-ratelimit-limit-tokens: 150000\r\nx-ratelimit-remaining-tokens: 149984\r\n\
                   x-ratelimit-reset-tokens: 6m0s\r\n";
    let bucket = Some(Bucket { limit: 150_000, remaining: 149_984, reset: Duration::from_mins(6) });
    let head = format!("HTTP/1.1 200 OK\r\n{headers}connection: close\r\n\r\n{TURN}");
    let server =
        Server::start(vec![vec![Step::Send(head.into_bytes())], answer(429, headers, "{}")]).await;
    let model = model(&server);
    let reply = ask(&model, &request("hi")).await.0.unwrap();
    assert_eq!((reply.limits.input_tokens, reply.limits.requests), (bucket, None));
    let failure = ask(&model, &request("hi")).await.0.unwrap_err();
    assert_eq!(failure.heard.limits.input_tokens, bucket);
}
