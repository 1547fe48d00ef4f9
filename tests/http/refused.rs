//! Providers that do not answer at all: wrong key, unknown model, nobody there. One clear error that
//! says what to set, and nothing left behind.

use std::net::{Ipv4Addr, TcpListener};

use serde_json::{Value, json};

use crate::home::Ran;
use crate::stage::{Stage, Wire, text};

const ASK: &str =
    r#"agent.query { prompt = "ask: [[scenario text]]", worktree = true, model = arg[1] }"#;

/// Runs [`ASK`], with these variables on top.
fn ask(stage: &Stage, variables: &[(&str, &str)], model: &str) -> Ran {
    let mut command = stage.script(ASK, &[]);
    Ran::of(command.envs(variables.iter().copied()).arg(model))
}

/// Fails unless the run ended with one error that says all of `words`, and nothing is left of it.
#[track_caller]
fn assert_one_error(stage: &Stage, before: &str, ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.stdout, "");
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not in: {}", ran.stderr);
    }
    let blocks = ran.stderr.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(blocks, 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("sk-"), "a key is shown: {}", ran.stderr);
    stage.repo.assert_untouched(before, &[]);
    stage.assert_nothing_left();
}

#[test]
fn a_wrong_key_is_one_error_that_names_its_variable() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &["--key", "sk-right"]);
        let before = stage.repo.fingerprint(&[]);
        let [key, _] = wire.variables();
        let ran = ask(&stage, &[(key, "sk-wrong")], wire.model());
        assert_one_error(&stage, &before, &ran, &["does not accept the key", key]);
        assert_eq!(stage.report()["by_status"], json!({ "401": 1 }));
        let ran = ask(&stage, &[(key, "sk-right")], wire.model());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

#[test]
fn without_a_key_nothing_is_asked() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let before = stage.repo.fingerprint(&[]);
    let mut command = stage.script(r#"agent.query { prompt = "x", worktree = true }"#, &[]);
    for variable in ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "AGENTLUA_MODEL"] {
        command.env_remove(variable);
    }
    let ran = Ran::of(&mut command);
    assert_one_error(&stage, &before, &ran, &["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "--model"]);
    assert_eq!(stage.report()["requests"], 0);
}

#[test]
fn an_unknown_model_is_one_error_that_names_it() {
    for (wire, model) in
        Wire::BOTH.into_iter().zip(["anthropic/no-such-model", "openai/no-such-model"])
    {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&[]);
        let ran = ask(&stage, &[], model);
        let words = ["does not know the model", model, "--model"];
        assert_one_error(&stage, &before, &ran, &words);
        assert_eq!(stage.report()["by_status"], json!({ "404": 1 }));
    }
}

#[test]
fn a_host_that_does_not_exist_is_one_error_that_names_its_variable() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&[]);
        let [_, base] = wire.variables();
        let ran = ask(&stage, &[(base, "http://no-such-host.invalid")], wire.model());
        let words = ["cannot reach `no-such-host.invalid`", base];
        assert_one_error(&stage, &before, &ran, &words);
    }
}

#[test]
fn a_refused_connection_is_tried_again_and_then_one_error() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let before = stage.repo.fingerprint(&[]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let base = format!("http://{address}");
    let ran = ask(&stage, &[("ANTHROPIC_BASE_URL", &base)], Wire::Anthropic.model());
    let words = [&format!("cannot reach `{address}`"), "5 attempts", "ANTHROPIC_BASE_URL"];
    assert_one_error(&stage, &before, &ran, &words);
}

#[test]
fn a_spent_account_is_never_asked_again_and_what_was_done_is_kept() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let before = stage.repo.fingerprint(&["agentlua/", "refs/agentlua/"]);
        let prompt = |name: &str, fault: &str| {
            let scenario = format!("write file={name}.txt content=kept fault={fault}@2");
            // A model each: the end of one account is not that of the other.
            let model = format!("{}-{name}", wire.model());
            let prompt = format!("{name}: [[scenario {scenario}]]");
            json!({ "prompt": prompt, "worktree": true, "model": model })
        };
        let queries = json!({ "spent": prompt("spent", "spend"), "paid": prompt("paid", "402") });
        let settled = stage.settle(&queries, &[]);
        for name in ["spent", "paid"] {
            let one: &Value = &settled[name];
            assert_eq!(one["kind"], "model", "{one}");
            assert!(text(&one["message"]).contains("spending limit"), "{one}");
            assert_eq!(stage.requests_of(name), 2);
            let branch = text(&one["outcome"]["branch"]);
            assert_eq!(stage.repo.git(&["show", &format!("{branch}:{name}.txt")]), "kept");
        }
        stage.repo.assert_untouched(&before, &["agentlua/", "refs/agentlua/"]);
        stage.assert_sound();
    }
}
