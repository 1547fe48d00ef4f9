//! Each violation is refused with 400, in the provider's shape, and kept for the report.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::client::{Client, exchange};
use super::standin::{Options, serve};

const PROMPT: &str = "[[scenario thinking]]";
const TWO: &str = "[[scenario many n=2]]";

/// Brings a conversation to its second request.
async fn second(anthropic: bool, prompt: &str) -> Client {
    let mut client = Client::new(anthropic, true, prompt).await;
    let said = client.turn().await;
    client.answer(&said, |_| ("fine".into(), false));
    client
}

type Break = fn(&mut Value);

async fn each_is_caught(anthropic: bool, prompt: &str, cases: &[(&str, Break)]) {
    for (words, spoil) in cases {
        let mut client = second(anthropic, prompt).await;
        let good = client.body.clone();
        spoil(&mut client.body);
        assert_ne!(good, client.body, "{words}: the case changes nothing");
        let answer = client.ask().await;
        assert_eq!(answer.status, 400, "{words}: {}", answer.body);
        let error: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(error["error"]["type"], "invalid_request_error");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "wanted `{words}`, got `{message}`");
        assert_eq!(client.violations().len(), 1, "{words}");
        client.body = good;
        assert_eq!(client.ask().await.status, 200, "{words}: the good request is refused");
    }
}

fn remove(value: &mut Value, field: &str) {
    value.as_object_mut().unwrap().shift_remove(field);
}

fn swap(list: &mut Value, a: usize, b: usize) {
    list.as_array_mut().unwrap().swap(a, b);
}

fn push(list: &mut Value, item: Value) {
    list.as_array_mut().unwrap().push(item);
}

#[tokio::test]
async fn anthropic_requests_are_checked() {
    let cases: &[(&str, Break)] = &[
        ("temperature: is deprecated", |body| body["temperature"] = json!(1)),
        ("colour: Extra inputs are not permitted", |body| body["colour"] = json!(1)),
        ("max_tokens: Field required", |body| remove(body, "max_tokens")),
        ("max_tokens: Input should be", |body| body["max_tokens"] = json!(0)),
        ("model: Field required", |body| remove(body, "model")),
        ("messages: Field required", |body| remove(body, "messages")),
        ("system: text content blocks must be non-empty", |body| body["system"] = json!("")),
        ("must contain non-whitespace", |body| body["system"][0]["text"] = json!(" \n")),
        ("String should match pattern", |body| body["tools"][0]["name"] = json!("a b")),
        ("Tool names must be unique", |body| body["tools"][1]["name"] = json!("Read")),
        ("description: must not be empty", |body| body["tools"][0]["description"] = json!("")),
        ("input_schema: Field required", |body| remove(&mut body["tools"][0], "input_schema")),
        ("Input should be 'object'", |body| body["tools"][0]["input_schema"] = json!({})),
        ("properties: JSON schema is invalid", |body| {
            body["tools"][0]["input_schema"]["properties"] = json!([]);
        }),
        ("names no declared property", |body| {
            body["tools"][0]["input_schema"]["required"] = json!(["nothing"]);
        }),
        ("is not a type", |body| {
            body["tools"][0]["input_schema"]["properties"]["command"]["type"] = json!("text");
        }),
        ("used but not declared", |body| {
            body["tools"].as_array_mut().unwrap().retain(|tool| tool["name"] != "Bash");
        }),
        ("A maximum of 4 blocks", |body| {
            for tool in body["tools"].as_array_mut().unwrap() {
                tool["cache_control"] = json!({"type": "ephemeral"});
            }
        }),
        ("cache_control cannot be set for `thinking`", |body| {
            body["messages"][1]["content"][0]["cache_control"] = json!({"type": "ephemeral"});
        }),
        ("are not the bytes of this conversation's first request", |body| {
            body["system"][0]["text"] = json!("You help. It is Sunday.");
        }),
    ];
    each_is_caught(true, PROMPT, cases).await;
}

#[tokio::test]
async fn anthropic_conversations_are_checked() {
    let cases: &[(&str, Break)] = &[
        ("first message must use the \"user\" role", |body| {
            body["messages"].as_array_mut().unwrap().remove(0);
        }),
        ("roles must alternate", |body| {
            push(&mut body["messages"], json!({"role": "user", "content": "more"}));
        }),
        ("prefill", |body| {
            push(&mut body["messages"], json!({"role": "assistant", "content": "I"}));
        }),
        ("Unexpected role", |body| body["messages"][0]["role"] = json!("system")),
        ("text content blocks must be non-empty", |body| {
            push(&mut body["messages"][2]["content"], json!({"type": "text", "text": ""}));
        }),
        ("all messages must have non-empty content", |body| {
            body["messages"][0]["content"] = json!([]);
        }),
        ("without `tool_result` blocks immediately after", |body| {
            body["messages"][2]["content"].as_array_mut().unwrap().pop();
        }),
        ("`tool_result` blocks must come first", |body| {
            let text = json!({"type": "text", "text": "now"});
            body["messages"][2]["content"].as_array_mut().unwrap().insert(1, text);
        }),
        ("each tool_use must have a single result", |body| {
            let result = body["messages"][2]["content"][0].clone();
            push(&mut body["messages"][2]["content"], result);
        }),
        ("unexpected `tool_use_id`", |body| {
            body["messages"][2]["content"][0]["tool_use_id"] = json!("toolu_other");
        }),
        ("`tool_use` ids must be unique", |body| {
            body["messages"][1]["content"][1]["id"] =
                body["messages"][1]["content"][0]["id"].clone();
        }),
        ("input: Input should be a valid dictionary", |body| {
            body["messages"][1]["content"][0]["input"] = json!([]);
        }),
        ("is_error: Input should be a valid boolean", |body| {
            body["messages"][2]["content"][0]["is_error"] = json!("no");
        }),
        ("must come back as it was sent", |body| {
            body["messages"][1]["content"][0]["input"] = json!({"command": "other"});
        }),
        ("must come back as it was sent", |body| swap(&mut body["messages"][1]["content"], 0, 1)),
        ("was never sent", |body| {
            for (message, field) in [(1, "id"), (2, "tool_use_id")] {
                for index in 0..2 {
                    let id = format!("toolu_mine_{index}");
                    body["messages"][message]["content"][index][field] = json!(id);
                }
            }
        }),
    ];
    each_is_caught(true, TWO, cases).await;
}

#[tokio::test]
async fn thinking_must_come_back_as_it_was() {
    let cases: &[(&str, Break)] = &[
        ("cannot be modified", |body| body["messages"][1]["content"][0]["signature"] = json!("x")),
        ("cannot be modified", |body| {
            body["messages"][1]["content"].as_array_mut().unwrap().remove(0);
        }),
        ("cannot be modified", |body| body["messages"][1]["content"][1]["data"] = json!("x")),
        ("must come back as it was sent", |body| {
            body["messages"][1]["content"].as_array_mut().unwrap().remove(2);
        }),
    ];
    each_is_caught(true, PROMPT, cases).await;
    let cases: &[(&str, Break)] = &[("must come back as it was sent", |body| {
        remove(&mut body["messages"][2], "reasoning_content");
    })];
    each_is_caught(false, PROMPT, cases).await;
}

#[tokio::test]
async fn openai_requests_are_checked() {
    let cases: &[(&str, Break)] = &[
        ("Unsupported parameter: 'temperature'", |body| body["temperature"] = json!(1)),
        ("Unknown parameter: 'system'", |body| body["system"] = json!("x")),
        ("'model'", |body| remove(body, "model")),
        ("'messages'", |body| body["messages"] = json!([])),
        ("only allowed when 'stream' is enabled", |body| body["stream"] = json!(false)),
        ("'tools'", |body| body["tools"] = json!([])),
        ("tools[0].type", |body| body["tools"][0]["type"] = json!("custom")),
        ("tools[0].function.name", |body| body["tools"][0]["function"]["name"] = json!("a.b")),
        ("parameters", |body| remove(&mut body["tools"][0]["function"], "parameters")),
        ("Input should be 'object'", |body| {
            body["tools"][0]["function"]["parameters"]["type"] = json!("array");
        }),
        ("used but not declared", |body| {
            body["tools"].as_array_mut().unwrap().retain(|tool| tool["function"]["name"] != "Bash");
        }),
        ("a system message must come first", |body| swap(&mut body["messages"], 0, 1)),
        ("content': empty", |body| body["messages"][1]["content"] = json!(" ")),
        ("expected a string or an array", |body| body["messages"][1]["content"] = Value::Null),
        ("did not have response messages", |body| {
            body["messages"].as_array_mut().unwrap().pop();
        }),
        ("did not have response messages", |body| {
            let text = json!({"role": "user", "content": "now"});
            body["messages"].as_array_mut().unwrap().insert(4, text);
        }),
        ("has no open call", |body| {
            let result = body["messages"][3].clone();
            push(&mut body["messages"], result);
        }),
        ("is there twice", |body| {
            body["messages"][2]["tool_calls"][1]["id"] =
                body["messages"][2]["tool_calls"][0]["id"].clone();
        }),
        ("expected a string, but got", |body| {
            body["messages"][2]["tool_calls"][0]["function"]["arguments"] = json!({"command": "x"});
        }),
        ("content': empty", |body| body["messages"][2]["content"] = json!("")),
        ("must come back as it was sent", |body| body["messages"][2]["content"] = json!("mine")),
        ("empty array", |body| body["messages"][2]["tool_calls"] = json!([])),
        ("are not the bytes", |body| body["messages"][0]["content"] = json!("You do not help.")),
    ];
    each_is_caught(false, TWO, cases).await;
}

#[tokio::test]
async fn final_texts_must_come_back_as_they_were() {
    for anthropic in [true, false] {
        let mut client = Client::new(anthropic, true, "hello").await;
        assert_eq!(client.turn().await.text, "Nothing to do.");
        client.messages().push(json!({"role": "user", "content": "and now?"}));
        let good = client.body.clone();
        let index = client.messages().len() - 2;
        client.body["messages"][index]["content"] = json!("Nothing to");
        let answer = client.ask().await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("no whole message"), "{}", answer.body);
        client.body = good;
        assert_eq!(client.ask().await.status, 200);
    }
}

#[tokio::test]
async fn keys_and_versions_are_asked_for_and_are_no_violation() {
    let options = Options { key: Some("good".into()), ..Options::default() };
    let handle = serve(options).await.unwrap();
    let client = Client::new(true, false, "hello").await;
    let json = "content-type: application/json\r\n";
    let body = client.body.to_string();
    let cases = [
        ("", 401),
        ("x-api-key: bad\r\nanthropic-version: 2023-06-01\r\n", 401),
        ("x-api-key: good\r\nanthropic-version: 2023-06-01\r\n", 200),
        ("authorization: Bearer good\r\nanthropic-version: 2026-10-21\r\n", 200),
    ];
    for (headers, status) in cases {
        let headers = format!("{headers}{json}");
        let answer = exchange(&handle.base_url, "/v1/messages", &headers, &body).await;
        assert_eq!(answer.status, status, "{headers}{}", answer.body);
    }
    assert_eq!(handle.report()["violation_count"], 0);
    for headers in ["x-api-key: good\r\n", "x-api-key: good\r\nanthropic-version: 2020-01-01\r\n"] {
        let headers = format!("{headers}{json}");
        let answer = exchange(&handle.base_url, "/v1/messages", &headers, &body).await;
        assert_eq!(answer.status, 400, "{headers}{}", answer.body);
    }
    assert_eq!(handle.report()["violation_count"], 2);
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    for anthropic in [true, false] {
        let client = Client::new(anthropic, true, "hello").await;
        assert_eq!(client.send("{\"model\":").await.status, 400);
        assert_eq!(client.violations().len(), 1);
    }
}

#[tokio::test]
async fn siblings_with_the_same_prefix_are_one_prefix() {
    for anthropic in [true, false] {
        let mut client = Client::new(anthropic, true, "a [[scenario look]]").await;
        client.turn().await;
        let system = if anthropic { "/system/0/text" } else { "/messages/0/content" };
        let user = if anthropic { "/messages/0/content" } else { "/messages/1/content" };
        client.messages().pop();
        *client.body.pointer_mut(user).unwrap() = json!("b [[scenario look]]");
        client.turn().await;
        assert_eq!(client.handle.report()["distinct_prefixes"], 1);
        client.messages().pop();
        *client.body.pointer_mut(system).unwrap() = json!("You are in /tmp/b.");
        client.turn().await;
        let report = client.handle.report();
        assert_eq!(report["distinct_prefixes"], 2);
        assert_eq!(report["agents"], 3);
        assert!(report["prefix_bytes"].as_u64().unwrap() > 100);
    }
}

#[tokio::test]
async fn a_history_that_changes_is_counted() {
    let mut client = second(true, PROMPT).await;
    let said = client.turn().await;
    assert_eq!(said.text, "Thought and looked.");
    client.messages().push(json!({"role": "user", "content": "more"}));
    client.turn().await;
    assert_eq!(client.handle.report()["rewritten_histories"], 0);
    client.messages().push(json!({"role": "user", "content": "more"}));
    client.body["messages"][2]["content"][0]["content"] = json!("shortened");
    client.turn().await;
    assert_eq!(client.handle.report()["rewritten_histories"], 1);
}
