//! The scenarios, over both wires, streaming and not, against tools made of a map of files.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use super::client::{Call, Client, Said, WAYS};
use super::standin::Options;

/// Tools over files in memory; `test` is red until a file holds `a + b`.
#[derive(Default)]
struct Files(BTreeMap<String, String>);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect())
    }

    fn run(&mut self, call: &Call) -> (String, bool) {
        let field = |name: &str| call.input[name].as_str().unwrap_or_default().to_owned();
        let path = field("file_path");
        match call.name.as_str() {
            "Read" => match self.0.get(&path) {
                Some(text) => (numbered(text), false),
                None => (format!("{path} is not there"), true),
            },
            "Write" => {
                self.0.insert(path, field("content"));
                ("written".into(), false)
            }
            "Edit" => match self.0.get_mut(&path) {
                Some(text) if text.matches(&field("old_string")).count() == 1 => {
                    *text = text.replacen(&field("old_string"), &field("new_string"), 1);
                    ("edited".into(), false)
                }
                _ => ("old_string was not found exactly once".into(), true),
            },
            "Bash" if field("command") == "test" => {
                let green = self.0.values().any(|text| text.contains("a + b"));
                let text = if green { "ok" } else { "assertion failed\nExit code: 1" };
                (text.into(), false)
            }
            "Bash" => (format!("ran {}", field("command")), false),
            "Glob" => (self.0.keys().cloned().collect::<Vec<_>>().join("\n"), false),
            "Grep" => (self.0.values().cloned().collect::<Vec<_>>().join("\n"), false),
            other => (format!("no tool `{other}`"), true),
        }
    }
}

fn numbered(text: &str) -> String {
    text.lines().enumerate().fold(String::new(), |mut seen, (index, line)| {
        writeln!(seen, "{:>6}\t{line}", index + 1).unwrap();
        seen
    })
}

/// Runs a prompt in all four ways; the replies must be the same in each.
async fn everywhere(prompt: &str, files: &[(&str, &str)]) -> (Vec<Said>, Files) {
    let mut first: Option<(Vec<Said>, Files)> = None;
    for (anthropic, stream) in WAYS {
        let mut client = Client::new(anthropic, stream, prompt).await;
        let mut tools = Files::new(files);
        let replies = client.run(|call| tools.run(call)).await;
        assert_eq!(client.violations(), Vec::<String>::new());
        if let Some((known, known_tools)) = &first {
            let plain = |said: &Said| {
                let calls = said.calls.iter().map(|call| (call.name.clone(), call.input.clone()));
                (said.text.clone(), calls.collect::<Vec<_>>())
            };
            let both: [Vec<_>; 2] = [known, &replies].map(|all| all.iter().map(plain).collect());
            assert_eq!(both[0], both[1]);
            assert_eq!(known_tools.0, tools.0);
        } else {
            first = Some((replies, tools));
        }
    }
    first.unwrap()
}

fn last(replies: &[Said]) -> &str {
    &replies.last().unwrap().text
}

#[tokio::test]
async fn text_says_what_it_is_told() {
    let (replies, _) = everywhere(r#"do: [[scenario text say="a \"b\"\nünï"]] thanks"#, &[]).await;
    assert_eq!((replies.len(), last(&replies)), (1, "a \"b\"\nünï"));
    assert_eq!(last(&everywhere("no directive", &[]).await.0), "Nothing to do.");
    let (replies, _) = everywhere("[[scenario nonsense]]", &[]).await;
    assert_eq!(last(&replies), "SCENARIO FAILED: there is no scenario `nonsense`");
}

const FIX: &str =
    r#"[[scenario fix file=src/add.py from="a - b" to="a + b" test=test extra=b.py,c.py]]"#;
const ADD: &str = "def add(a, b):\n    return a - b\n";

#[tokio::test]
async fn fix_errs_sees_red_mends_and_sees_green() {
    let files = [("src/add.py", ADD), ("b.py", "x\n"), ("c.py", "y\n")];
    let (replies, tools) = everywhere(FIX, &files).await;
    assert_eq!(last(&replies), "Fixed src/add.py.");
    assert_eq!(replies.len(), 7);
    assert_eq!(tools.0["src/add.py"], "def add(a, b):\n    return a + b\n");
    let names: Vec<&str> = replies[0].calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["Read", "Read", "Read", "Glob", "Grep"]);
    assert_eq!(replies[3].calls[0].input["old_string"], "    return a - b");
}

#[tokio::test]
async fn fix_says_what_is_not_as_it_must_be() {
    let files = [("src/add.py", ADD), ("b.py", "x\n")];
    let (replies, _) = everywhere(FIX, &files).await;
    assert!(last(&replies).starts_with("SCENARIO FAILED: Read failed"), "{}", last(&replies));
    let files = [("src/add.py", ADD), ("b.py", "a + b\n"), ("c.py", "")];
    let (replies, _) = everywhere(FIX, &files).await;
    assert!(last(&replies).starts_with("SCENARIO FAILED: the test is green"), "{}", last(&replies));
}

#[tokio::test]
async fn failed_scenarios_are_in_the_report() {
    let mut client = Client::new(true, true, "[[scenario edit file=none]]").await;
    let mut tools = Files::default();
    client.run(|call| tools.run(call)).await;
    assert_eq!(
        client.handle.report()["failed_scenarios"][0],
        "SCENARIO FAILED: Read failed: none is not there"
    );
}

#[tokio::test]
async fn edits_are_derived_from_what_read_returned() {
    let (replies, tools) =
        everywhere("[[scenario edit file=a from=x to=y]]", &[("a", "one\n\tx x\n")]).await;
    assert_eq!((replies.len(), last(&replies)), (4, "Edited a."));
    assert_eq!(tools.0["a"], "one\n\ty x\n");
    let (replies, tools) =
        everywhere("[[scenario peers file=a command='echo hi']]", &[("a", "count: 41;\n41\n")])
            .await;
    assert_eq!((replies.len(), last(&replies)), (4, "Edited a."));
    assert_eq!(tools.0["a"], "count: 42;\n41\n");
    assert_eq!(replies[2].calls[0].input, json!({"command": "echo hi"}));
    let twice = [("a", "if p:\n  x\nif q:\n  x\n")];
    let (_, tools) = everywhere("[[scenario edit file=a from=x to=y]]", &twice).await;
    assert_eq!(tools.0["a"], "if p:\n  y\nif q:\n  x\n");
}

#[tokio::test]
async fn write_and_commit() {
    let (replies, tools) = everywhere(r#"[[scenario write file=n content="1\n"]]"#, &[]).await;
    assert_eq!((replies.len(), last(&replies), tools.0["n"].as_str()), (2, "Wrote n.", "1\n"));
    let (replies, _) = everywhere("[[scenario commit file=n]]", &[]).await;
    assert_eq!(replies[1].calls[0].input["command"], "git add -A && git commit -m 'x'");
    assert_eq!((replies.len(), last(&replies)), (3, "Wrote n."));
}

#[tokio::test]
async fn look_reads_and_runs_side_by_side() {
    let (replies, _) =
        everywhere("[[scenario look turns=4 file=a command=ls]]", &[("a", "")]).await;
    let calls: Vec<usize> = replies.iter().map(|said| said.calls.len()).collect();
    assert_eq!(calls, [2, 2, 2, 0]);
    assert_eq!(last(&replies), "Looked 3 times.");
}

#[tokio::test]
async fn bash_and_call_answer_with_what_they_saw() {
    let (replies, _) = everywhere("[[scenario bash command=a command1='b c']]", &[]).await;
    assert_eq!((replies.len(), last(&replies)), (3, "ran a\nran b c"));
    let prompt = r#"[[scenario call tool=Read input='{"file_path":"a"}']]"#;
    let (replies, _) = everywhere(prompt, &[("a", "hi\n")]).await;
    assert_eq!(last(&replies), "     1\thi\n");
}

#[tokio::test]
async fn many_calls_keep_their_order() {
    let (replies, _) = everywhere("[[scenario many n=50]]", &[]).await;
    assert_eq!((replies[0].calls.len(), last(&replies)), (50, "50 results."));
}

#[tokio::test]
async fn loop_never_ends() {
    let mut client = Client::new(true, true, "[[scenario loop]]").await;
    for _ in 0..5 {
        let said = client.turn().await;
        assert_eq!(said.calls[0].input, json!({"command": "echo 0"}));
        client.answer(&said, |_| ("0".into(), false));
    }
}

#[tokio::test]
async fn unknown_tools_and_bad_arguments_must_fail() {
    assert_eq!(
        last(&everywhere("[[scenario unknown_tool]]", &[]).await.0),
        "The unknown tool was refused."
    );
    for (anthropic, stream) in WAYS {
        let mut client = Client::new(anthropic, stream, "[[scenario bad_arguments]]").await;
        let replies = client.run(|_| ("no JSON".into(), true)).await;
        assert_eq!(last(&replies), "The bad arguments were refused.");
        let mut client = Client::new(anthropic, stream, "[[scenario bad_arguments]]").await;
        let said = client.turn().await;
        client.answer(&said, |_| ("ran".into(), false));
        assert_eq!(client.ask().await.status, 400);
        assert_eq!(client.violations().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_end_is_followed_by_text() {
    for (anthropic, stream) in WAYS {
        for more in ["", " Please go on."] {
            let prompt = "[[scenario empty]]";
            let mut client = Client::new(anthropic, stream, prompt).await;
            let said = client.turn().await;
            assert_eq!((said.text.as_str(), said.calls.len()), ("", 0));
            client.messages().last_mut().unwrap()["content"] = json!(format!("{prompt}{more}"));
            assert_eq!(client.turn().await.text, "Here is the text after all.");
            assert_eq!(client.violations(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn refusals_speak_each_wire() {
    for (anthropic, stream) in WAYS {
        let mut client = Client::new(anthropic, stream, "[[scenario refusal]]").await;
        let said = client.turn().await;
        assert_eq!(said.text, "I cannot help with that.");
        assert_eq!(said.stop, if anthropic { "refusal" } else { "stop" });
        let mut client = Client::new(anthropic, stream, "[[scenario refusal say=\"\"]]").await;
        assert_eq!(client.turn().await.stop, if anthropic { "refusal" } else { "content_filter" });
    }
}

#[tokio::test]
async fn a_call_cut_by_max_tokens_must_not_run() {
    for (anthropic, stream) in WAYS {
        let mut client = Client::new(anthropic, stream, "[[scenario max_tokens]]").await;
        let said = client.turn().await;
        assert_eq!(said.stop, if anthropic { "max_tokens" } else { "length" });
        let before = client.body.clone();
        client.answer(&said, |_| ("cut off".into(), true));
        assert_eq!(client.turn().await.text, "Done after the cut.");
        client.body = before.clone();
        client.messages().pop();
        if anthropic {
            client.body["max_tokens"] = json!(1000);
        }
        assert_eq!(client.turn().await.text, "Done after the cut.");
        client.body = before;
        client.answer(&said, |_| ("ran".into(), false));
        assert_eq!(client.ask().await.status, 400);
        assert!(client.violations()[0].contains("cut by `max_tokens` was run"));
    }
}

#[tokio::test]
async fn thinking_comes_back() {
    let (replies, _) = everywhere("[[scenario thinking file=a]]", &[("a", "1")]).await;
    assert_eq!((replies.len(), last(&replies)), (2, "Thought and looked."));
    let kinds: Vec<&Value> =
        replies[0].message["content"].as_array().unwrap().iter().map(|b| &b["type"]).collect();
    assert_eq!(kinds, ["thinking", "redacted_thinking", "standin_block", "text", "tool_use"]);
}

#[tokio::test]
async fn a_later_directive_begins_anew() {
    let mut client = Client::new(true, true, "[[scenario text say=one]]").await;
    assert_eq!(client.turn().await.text, "one");
    client.messages().push(json!({"role": "user", "content": "the tests are red"}));
    assert_eq!(client.turn().await.text, "Nothing more to do.");
    client.messages().push(json!({"role": "user", "content": "[[scenario text say=two]]"}));
    assert_eq!(client.turn().await.text, "two");
}

#[tokio::test]
async fn quirks_are_those_of_compatible_servers() {
    let options = || Options { quirks: true, ..Options::default() };
    let prompt = "[[scenario look file=a]]";
    let client = Client::with(options(), false, true, prompt).await;
    let body = client.ask().await.body;
    assert!(
        body.contains("\r\n\r\n") && body.contains(": keep-alive") && body.contains("\"id\":null")
    );
    assert!(!body.contains("[DONE]") && !body.contains("usage"));
    let mut client = Client::with(options(), false, true, prompt).await;
    let mut tools = Files::new(&[("a", "1")]);
    let mut round = 0;
    loop {
        let mut said = client.turn().await;
        if said.calls.is_empty() {
            assert_eq!(said.text, "Looked 3 times.");
            break;
        }
        round += 1;
        let place = client.messages().len() - 1;
        for (index, call) in said.calls.iter_mut().enumerate() {
            call.id = format!("{}_{round}", call.id);
            client.body["messages"][place]["tool_calls"][index]["id"] = json!(call.id);
        }
        client.answer(&said, |call| tools.run(call));
    }
    assert_eq!(client.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn usage_shows_the_cache_at_work() {
    let mut client = Client::new(true, true, "[[scenario look turns=2]]").await;
    let first = client.turn().await;
    assert!(first.usage["cache_creation_input_tokens"].as_u64().unwrap() > 100, "{}", first.usage);
    assert_eq!(first.usage["cache_read_input_tokens"], 0);
    client.answer(&first, |_| ("ok".into(), false));
    let second = client.turn().await;
    assert_eq!(second.usage["cache_read_input_tokens"], first.usage["cache_creation_input_tokens"]);
    assert_eq!(second.usage["cache_creation_input_tokens"], 0);
    assert!(second.usage["input_tokens"].as_u64() > first.usage["input_tokens"].as_u64());

    let mut client = Client::new(false, true, "[[scenario look turns=2]]").await;
    let first = client.turn().await;
    assert_eq!(first.usage["prompt_tokens_details"]["cached_tokens"], 0);
    client.answer(&first, |_| ("ok".into(), false));
    let second = client.turn().await;
    assert_eq!(
        second.usage["prompt_tokens_details"]["cached_tokens"],
        first.usage["prompt_tokens"]
    );

    for (anthropic, stream) in WAYS {
        let mut client =
            Client::new(anthropic, stream, "[[scenario text usage=100/20/30/0]]").await;
        let usage = client.turn().await.usage;
        let (input, output) = if anthropic {
            (&usage["input_tokens"], &usage["output_tokens"])
        } else {
            (&usage["prompt_tokens"], &usage["completion_tokens"])
        };
        assert_eq!((input, output), (&json!(if anthropic { 100 } else { 130 }), &json!(20)));
    }
}

#[tokio::test]
async fn slow_text_is_whole() {
    let (replies, _) = everywhere("[[scenario slow ms=40 say='in pieces' delay=10]]", &[]).await;
    assert_eq!(last(&replies), "in pieces");
}

#[tokio::test]
async fn the_log_has_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.jsonl");
    let options = Options { log: Some(log.clone()), ..Options::default() };
    let mut client =
        Client::with(options, true, true, "[[scenario text say=hi fault=529@1]]").await;
    assert_eq!(client.ask().await.status, 529);
    client.turn().await;
    client.messages().push(json!({"role": "robot", "content": "x"}));
    client.ask().await;
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen = lines.iter().map(|line| (line["status"].as_u64().unwrap(), line["fault"].as_str()));
    assert_eq!(seen.collect::<Vec<_>>(), [(529, Some("529")), (200, None), (400, None)]);
    assert_eq!(lines[1]["request"]["messages"][0]["role"], "user");
    assert!(lines[2]["complaint"].as_str().unwrap().contains("Unexpected role"));
}
