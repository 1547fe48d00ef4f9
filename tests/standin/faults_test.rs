//! Faults: each is what it says, comes where it is planned, and the turn asked again is answered.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use super::client::{Client, WAYS};
use super::standin::Options;

async fn look(fault: &str, anthropic: bool, stream: bool) -> Client {
    let prompt = format!("[[scenario look turns=2 fault={fault}]]");
    Client::new(anthropic, stream, &prompt).await
}

/// Finishes a `look` of two turns.
async fn finishes(client: &mut Client) {
    let replies = client.run(|_| ("ok".into(), false)).await;
    assert_eq!(replies.last().unwrap().text, "Looked 1 times.");
    assert_eq!(client.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn statuses_come_as_often_as_planned_and_then_the_answer() {
    for (anthropic, stream) in WAYS {
        let mut client = look("429@1x2;529@1;500@1", anthropic, stream).await;
        for status in [429, 429, 529, 500] {
            let answer = client.ask().await;
            assert_eq!(answer.status, status);
            assert_eq!(
                answer.head.contains("retry-after: 1\r\n"),
                status == 429,
                "{}",
                answer.head
            );
            let error: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(error["error"]["message"].is_string());
        }
        finishes(&mut client).await;
        let report = client.handle.report();
        assert_eq!(report["faults_served"], json!({"429": 2, "500": 1, "529": 1}));
        assert_eq!(report["by_status"], json!({"200": 2, "429": 2, "500": 1, "529": 1}));
        assert_eq!(report["agents"], 1);
    }
}

#[tokio::test]
async fn pauses_are_told_as_planned() {
    let client = look("429:0@1;429:30ms@1;429:7@1;spend@1", true, true).await;
    let none = client.ask().await;
    assert!(!none.head.contains("retry-after"));
    assert!(client.ask().await.head.contains("retry-after-ms: 30"));
    assert!(client.ask().await.head.contains("retry-after: 7"));
    let spent = client.ask().await;
    assert_eq!(spent.status, 429);
    assert!(!spent.head.contains("retry-after"));
    assert!(spent.body.contains("\"error_code\":\"enforced_spend_limit_reached\""));
    let client = look("spend@1", false, true).await;
    assert!(client.ask().await.body.contains("\"code\":\"insufficient_quota\""));
}

#[tokio::test]
async fn streams_break_and_the_turn_asked_again_is_answered() {
    for (anthropic, stream) in WAYS {
        for fault in ["cut_text", "cut_tool", "no_end", "error_event", "garbage"] {
            let mut client = look(&format!("{fault}@1"), anthropic, stream).await;
            let broken = client.ask().await;
            assert_eq!(broken.status, 200);
            assert_eq!(broken.whole, !fault.starts_with("cut"), "{fault}: {}", broken.body);
            let ends = if anthropic { "message_stop" } else { "[DONE]" };
            if stream {
                assert_eq!(
                    broken.body.contains(ends),
                    fault == "garbage",
                    "{fault}: {}",
                    broken.body
                );
                assert_eq!(broken.body.contains("overloaded_error"), fault == "error_event");
                let sound =
                    broken.body.lines().filter_map(|line| line.strip_prefix("data: ")).all(
                        |data| data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok(),
                    );
                assert_eq!(sound, fault == "no_end" || fault == "error_event", "{fault}");
            } else {
                assert!(serde_json::from_str::<Value>(&broken.body).is_err());
            }
            finishes(&mut client).await;
        }
    }
}

#[tokio::test]
async fn nothing_of_a_cut_message_may_come_back() {
    let mut client = look("cut_tool@1", true, true).await;
    let broken = client.ask().await.body;
    let id = broken.split("\"id\":\"toolu_").nth(1).unwrap().split('"').next().unwrap();
    let id = format!("toolu_{id}");
    let call = json!({"type": "tool_use", "id": id, "name": "Bash", "input": {}});
    client.messages().push(json!({"role": "assistant", "content": [call]}));
    let result = json!({"type": "tool_result", "tool_use_id": id, "content": "aborted"});
    client.messages().push(json!({"role": "user", "content": [result]}));
    assert_eq!(client.ask().await.status, 400);
    assert!(client.violations()[0].contains("is a message that was cut"));
}

#[tokio::test]
async fn silence_stays_open() {
    for (anthropic, stream) in WAYS {
        let mut client = look("silence@1", anthropic, stream).await;
        let silent = tokio::time::timeout(Duration::from_millis(300), client.ask()).await;
        assert!(silent.is_err(), "the stream ended");
        finishes(&mut client).await;
    }
}

#[tokio::test]
async fn a_drip_is_slow_and_whole() {
    for (anthropic, stream) in WAYS {
        let mut client = look("drip:3@1", anthropic, stream).await;
        finishes(&mut client).await;
        assert_eq!(client.handle.report()["faults_served"], json!({"drip": 1}));
    }
}

#[tokio::test]
async fn shares_hit_the_same_requests_for_the_same_seed() {
    let mut hits = Vec::new();
    for seed in [7, 7, 8] {
        let seed = seed.to_string();
        let arguments = ["standin", "--fault", "429:0.2,529:0.1", "--seed", &seed];
        let options = Options::try_parse_from(arguments).unwrap();
        let mut client = Client::with(options, true, false, "").await;
        let mut statuses = Vec::new();
        for agent in 0..100 {
            client.body["messages"][0]["content"] = json!(format!("agent {agent}"));
            statuses.push(client.ask().await.status);
        }
        hits.push(statuses);
    }
    assert_eq!(hits[0], hits[1]);
    assert_ne!(hits[0], hits[2]);
    let count = |status| hits[0].iter().filter(|&&hit| hit == status).count();
    assert!((8..35).contains(&count(429)) && (2..22).contains(&count(529)), "{:?}", hits[0]);
}

#[tokio::test]
async fn a_fault_that_does_not_exist_is_told() {
    let client = look("explode@1", true, true).await;
    let answer = client.ask().await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("no fault is named `explode`"));
    for shares in ["429:2", "429", "explode:0.1"] {
        assert!(Options::try_parse_from(["standin", "--fault", shares]).is_err());
    }
}

#[tokio::test]
async fn requests_at_once_are_counted() {
    let options = Options { latency: Duration::from_secs(1), ..Options::default() };
    let client = Client::with(options, true, true, "hello").await;
    let body = client.body.to_string();
    let asks = (0..8).map(|_| client.send(&body));
    futures_util::future::join_all(asks).await;
    let report = client.handle.report();
    assert_eq!((&report["max_concurrent"], &report["requests"]), (&json!(8), &json!(8)));
}
