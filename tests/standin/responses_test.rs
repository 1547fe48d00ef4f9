//! The Responses API: a whole conversation, and each violation refused.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::client::{Answer, exchange};
use super::standin::{Handle, Options, serve};

async fn send(handle: &Handle, body: &Value) -> Answer {
    let headers = "authorization: Bearer k\r\ncontent-type: application/json\r\n";
    exchange(&handle.base_url, "/v1/responses", headers, &body.to_string()).await
}

fn question(prompt: &str, stream: bool) -> Value {
    let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}});
    json!({
        "model": "m", "stream": stream, "store": false,
        "include": ["reasoning.encrypted_content"], "instructions": "You help.",
        "tools": [{
            "type": "function", "name": "Bash", "description": "d", "parameters": schema,
            "strict": false,
        }],
        "input": [{
            "type": "message", "role": "user",
            "content": [{"type": "input_text", "text": prompt}],
        }],
    })
}

/// Brings a conversation to its second request: a thought, a text, two calls, two outputs.
async fn second(handle: &Handle, stream: bool) -> Value {
    let mut body = question("[[scenario many n=2]]", stream);
    let answer = send(handle, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let response: Value = if stream {
        let end = answer.body.trim().rsplit_once("data: ").unwrap().1;
        serde_json::from_str::<Value>(end).unwrap()["response"].clone()
    } else {
        serde_json::from_str(&answer.body).unwrap()
    };
    let input = body["input"].as_array_mut().unwrap();
    for item in response["output"].as_array().unwrap() {
        input.push(item.clone());
    }
    for item in response["output"].as_array().unwrap() {
        if item["type"] == "function_call" {
            input.push(json!({
                "type": "function_call_output", "call_id": item["call_id"], "output": "fine",
            }));
        }
    }
    body
}

#[tokio::test]
async fn a_conversation_comes_to_its_end_streaming_and_not() {
    for stream in [true, false] {
        let handle = serve(Options::default()).await.unwrap();
        let body = second(&handle, stream).await;
        let answer = send(&handle, &body).await;
        assert!(answer.body.contains("2 results."), "{}", answer.body);
        assert_eq!(handle.report()["violation_count"], 0);
        assert_eq!(handle.report()["per_wire"], json!({"responses": 2}));
    }
}

#[tokio::test]
async fn each_violation_is_refused() {
    type Break = fn(&mut Value);
    let cases: [(&str, Break); 11] = [
        ("'store'", |body| body["store"] = json!(true)),
        ("'include'", |body| body["include"] = json!([])),
        ("'messages'", |body| body["messages"] = json!([])),
        ("not strict", |body| body["tools"][0]["strict"] = json!(true)),
        ("'reasoning.effort'", |body| body["reasoning"] = json!({"effort": "max"})),
        ("Tool choice 'Nope'", |body| {
            body["tool_choice"] = json!({"type": "function", "name": "Nope"});
        }),
        ("No tool output found", |body| {
            body["input"].as_array_mut().unwrap().pop();
        }),
        ("No tool call found", |body| {
            body["input"].as_array_mut().unwrap().remove(1);
        }),
        ("as it was sent", |body| body["input"][1]["arguments"] = json!("{}")),
        ("following item", |body| {
            let thought =
                json!({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"});
            body["input"].as_array_mut().unwrap().push(thought);
        }),
        ("not strict", |body| {
            let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
            body["text"] = json!({"format": {
                "type": "json_schema", "name": "x", "schema": schema, "strict": true,
            }});
        }),
    ];
    for (words, spoil) in cases {
        let handle = serve(Options::default()).await.unwrap();
        let good = second(&handle, true).await;
        let mut body = good.clone();
        spoil(&mut body);
        assert_ne!(good, body, "{words}: the case changes nothing");
        let answer = send(&handle, &body).await;
        assert_eq!(answer.status, 400, "{words}: {}", answer.body);
        assert!(answer.body.contains(words), "wanted `{words}`, got {}", answer.body);
        assert_eq!(handle.report()["violation_count"], 1, "{words}");
        assert_eq!(send(&handle, &good).await.status, 200, "{words}: the good one is refused");
    }
}
