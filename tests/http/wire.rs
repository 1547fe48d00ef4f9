//! What goes over the wire when somebody asks for it: other servers, the Responses API, effort.

use serde_json::json;

use crate::home::Ran;
use crate::stage::{Stage, Wire, text};

/// Runs one agent of `model` that reads and runs a command; the script prints its result.
fn ask(stage: &Stage, model: &str, more: &str) -> Ran {
    let script = format!(
        r#"print(agent.query {{ prompt = "one: [[scenario look turns=3 file=README.md]]", worktree = true, model = arg[1], {more} }}.result)"#
    );
    Ran::of(stage.script(&script, &[]).arg(model))
}

/// Writes the user's own settings.
fn configure(stage: &Stage, settings: &str) {
    let dir = stage.beside("home/.config/agentlua");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), settings).unwrap();
}

#[test]
fn a_repair_goes_its_whole_way_over_the_responses_api() {
    let stage = Stage::new(Wire::Responses, &[]);
    stage.repo.write("add.py", "def add(a, b):\n    return a - b\n");
    stage.repo.commit("red");
    let fix =
        "[[scenario fix file=add.py from=\"a - b\" to=\"a + b\" test=\"grep -q 'a + b' add.py\"]]";
    let queries = json!({ "fix": { "prompt": format!("fix: {fix}"), "branch": "fixed" } });
    let settled = stage.settle(&queries, &[]);
    let outcome = &settled["fix"]["outcome"];
    assert_eq!(outcome["result"], "Fixed add.py.", "{settled}");
    assert_eq!(stage.repo.git(&["show", "fixed:add.py"]), "def add(a, b):\n    return a + b");
    assert!(outcome["usage"]["cache_read_input_tokens"].as_u64().unwrap() > 0, "{outcome}");
    let report = stage.report();
    assert_eq!(report["per_wire"], json!({ "responses": 7 }));
    assert_eq!(report["rewritten_histories"], 0);
    stage.assert_sound();
}

#[test]
fn a_provider_of_the_users_own_is_asked_in_its_own_api() {
    let stage = Stage::new(Wire::Anthropic, &["--key", "sk-own"]);
    let base = stage.base_url();
    let provider = |name: &str, path: &str, api: &str| {
        format!("[providers.{name}]\nbase_url = '{base}{path}'\nkey_variable = 'OWN_KEY'\n{api}\n")
    };
    let settings = [
        provider("plain", "/v1", ""),
        provider("newer", "/v1", "api = 'responses'"),
        provider("other", "", "api = 'anthropic'"),
    ];
    configure(&stage, &settings.concat());
    let run = |model: &str| {
        let script = r#"print(agent.query { prompt = "one: [[scenario look turns=2]]", worktree = true, model = arg[1] }.result)"#;
        Ran::of(stage.script(script, &[]).env("OWN_KEY", "sk-own").arg(model))
    };
    for model in ["plain/org/standin", "newer/standin", "other/standin"] {
        let ran = run(model);
        assert_eq!((&*ran.stdout, ran.code), ("Looked 1 times.\n", 0), "{model}: {ran:?}");
    }
    let report = stage.report();
    assert_eq!(report["per_wire"], json!({ "anthropic": 2, "openai": 2, "responses": 2 }));
    assert_eq!(stage.bodies()[0]["model"], "org/standin");
    let ran = ask(&stage, "plain/standin", "");
    assert!(ran.stderr.contains("needs a key: OWN_KEY is not set"), "{ran:?}");
    let ran = run("plane/standin");
    assert!(ran.stderr.contains("did you mean plain/…?"), "{ran:?}");
    stage.assert_sound();
}

#[test]
fn effort_is_said_in_each_wires_own_words() {
    for (wire, model, place) in [
        (Wire::Anthropic, "anthropic/claude-opus-5", "/output_config/effort"),
        (Wire::OpenAi, "openai/gpt-5.2", "/reasoning_effort"),
        (Wire::Responses, "openai-responses/gpt-5.2", "/reasoning/effort"),
    ] {
        let stage = Stage::new(wire, &[]);
        let ran = ask(&stage, model, r#"effort = "xhigh""#);
        assert_eq!(ran.code, 0, "{ran:?}");
        let bodies = stage.bodies();
        assert_eq!(bodies.len(), 3);
        assert!(
            bodies.iter().all(|body| body.pointer(place) == Some(&json!("xhigh"))),
            "{}",
            bodies[0]
        );
        stage.assert_sound();
    }
}

#[test]
fn a_model_that_cannot_be_told_how_hard_to_think_is_said_once() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let script = r#"
local one = { prompt = "one: [[scenario text]]", model = "anthropic/claude-haiku-4-5", effort = "high" }
agent.all { one, one, one }
print(select(2, pcall(agent.query, { prompt = "x", effort = "hihg" })))
"#;
    let ran = stage.run(script, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stderr.matches("cannot be told how hard to think").count(), 1, "{}", ran.stderr);
    assert!(stage.bodies().iter().all(|body| body["output_config"].is_null()));
    let refused = "`effort` must be one of `low`, `medium`, `high`, `xhigh`, `max`, not `hihg`";
    assert!(ran.stdout.contains(refused), "{}", ran.stdout);
    stage.assert_sound();
}

#[test]
fn fifty_results_of_one_turn_are_found_in_the_cache() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let scenario = "many n=50 file=README.md";
    let queries = json!({ "many": { "prompt": format!("many: [[scenario {scenario}]]") } });
    let settled = stage.settle(&queries, &[]);
    let usage = &settled["many"]["outcome"]["usage"];
    // The second request begins with all of the first, which its own mark has to find.
    let first = usage["cache_creation_input_tokens"].as_u64().unwrap();
    let read = usage["cache_read_input_tokens"].as_u64().unwrap();
    assert!(read > 0 && first > read, "{settled}");
    assert_eq!(usage["input_tokens"], 0, "{usage}");
    assert_eq!(text(&settled["many"]["outcome"]["result"]), "50 results.");
    stage.assert_sound();
}
