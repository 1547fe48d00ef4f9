//! How agents end over HTTP: an answer that fits a schema, work that is verified.

use serde_json::{Value, json};

use crate::stage::{Stage, Wire, text};

fn score(name: &str, scenario: &str) -> Value {
    json!({
        "prompt": format!("{name}: [[scenario {scenario}]]"),
        "schema": { "score": "integer", "note": "string?" },
    })
}

#[test]
fn answers_fit_their_schema_or_go_back() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let list = json!({ "type": "array", "items": { "type": "integer", "minimum": 1 } });
        let mut wrapped = score(
            "list",
            "call tool=StructuredOutput input='{\"value\":[0]}' tool1=StructuredOutput input1='{\"value\":[1]}'",
        );
        wrapped["schema"] = list;
        let settled = stage.settle(
            &json!({
                "fits": score("fits", "call tool=StructuredOutput input='{\"score\":7}'"),
                "mended": score("mended", "call tool=StructuredOutput input='{\"score\":\"7\"}' \
                    tool1=StructuredOutput input1='{\"score\":8,\"note\":null}'"),
                "bare": score("bare", "text say='{\"score\":9}'"),
                "never": score("never", "text say='I am done.'"),
                "list": wrapped,
            }),
            &[],
        );
        for (name, value, requests) in [
            ("fits", json!({ "score": 7 }), 1),
            ("mended", json!({ "score": 8 }), 2),
            ("bare", json!({ "score": 9 }), 1),
            ("list", json!([1]), 2),
        ] {
            let outcome = &settled[name]["outcome"];
            assert_eq!(outcome["structured_output"], value, "{name}: {settled}");
            assert_eq!(outcome["subtype"], "success", "{name}: {settled}");
            assert_eq!(stage.requests_of(name), requests, "{name}");
        }
        let never = &settled["never"];
        assert_eq!(never["kind"], "model", "{settled}");
        assert_eq!(never["outcome"]["subtype"], "error_structured_output");
        assert_eq!(stage.requests_of("never"), 5);
        stage.assert_sound();
    }
}

#[test]
fn a_model_that_ends_without_an_answer_is_made_to_give_it() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let settled = stage.settle(&json!({ "never": score("never", "text say='Done.'") }), &[]);
        assert_eq!(settled["never"]["outcome"]["subtype"], "error_structured_output", "{settled}");
        let bodies = stage.bodies_of("never");
        let choice = match wire {
            Wire::Anthropic => json!({ "type": "tool", "name": "StructuredOutput" }),
            Wire::OpenAi => {
                json!({ "type": "function", "function": { "name": "StructuredOutput" } })
            }
            Wire::Responses => json!({ "type": "function", "name": "StructuredOutput" }),
        };
        assert!(bodies[0].get("tool_choice").is_none(), "{}", bodies[0]);
        assert!(bodies[1..].iter().all(|body| body["tool_choice"] == choice), "{}", bodies[1]);
        stage.assert_sound();
    }
}

#[test]
fn a_model_that_can_be_held_to_a_schema_needs_no_tool() {
    for (wire, model, place) in [
        (Wire::Anthropic, "anthropic/claude-sonnet-5", "/output_config/format/schema"),
        (Wire::OpenAi, "openai/gpt-4o", "/response_format/json_schema/schema"),
    ] {
        let stage = Stage::new(wire, &[]);
        let call = "bash command='echo looked'";
        let mut looks = score("looks", call);
        let mut bare = score("bare", "text say='{\"score\":9,\"note\":null}'");
        for query in [&mut looks, &mut bare] {
            query["model"] = model.into();
        }
        looks["worktree"] = true.into();
        let settled = stage.settle(&json!({ "looks": looks, "bare": bare }), &[]);
        assert_eq!(
            settled["bare"]["outcome"]["structured_output"],
            json!({ "score": 9 }),
            "{settled}"
        );
        assert_eq!(settled["looks"]["outcome"]["subtype"], "error_structured_output", "{settled}");
        let bodies = stage.bodies_of("looks");
        // A call, then five texts that are no JSON.
        assert_eq!(bodies.len(), 6);
        for body in &bodies {
            let schema = body.pointer(place).unwrap_or_else(|| panic!("{body}"));
            assert_eq!(schema["properties"]["score"]["type"], "integer");
            assert_eq!(schema, bodies[0].pointer(place).unwrap(), "the same in each turn");
            assert!(!body["tools"].to_string().contains("StructuredOutput"), "{body}");
            assert!(body.get("tool_choice").is_none(), "{body}");
        }
        stage.assert_sound();
    }
}

#[test]
fn work_that_is_not_good_is_kept_with_the_reason() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let write = "call tool=Write input='{\"file_path\":\"work.txt\",\"content\":\"w\"}'";
    let count = stage.marking("verify");
    let query = |name: &str, verify: &str| {
        json!({
            "prompt": format!("{name}: [[scenario {write}]]"),
            "branch": format!("work/{name}"),
            "verify": verify,
            "verify_attempts": 2,
        })
    };
    let red = query("red", &format!("{count}; echo it is red; exit 3"));
    let green = query("green", "test \"$(cat work.txt)\" = w");
    let settled = stage.settle(&json!({ "red": red, "green": green }), &[]);
    let red = &settled["red"];
    assert_eq!(red["kind"], "verify", "{settled}");
    assert_eq!(red["outcome"]["subtype"], "error_verify");
    assert!(text(&red["message"]).starts_with("verify failed twice, as it did before"), "{red}");
    let verify = json!({ "ok": false, "attempts": 2, "baseline": "failed", "output": "it is red" });
    assert_eq!(red["outcome"]["verify"], verify);
    assert_eq!(stage.marks("verify"), 3, "before it began, and twice");
    assert_eq!(stage.requests_of("red"), 3);
    assert_eq!(stage.repo.git(&["show", "work/red:work.txt"]), "w");
    let green = &settled["green"]["outcome"];
    let verify = json!({ "ok": true, "attempts": 1, "baseline": "failed" });
    assert_eq!(green["verify"], verify, "{settled}");
    assert_eq!(green["num_turns"], 2);
    stage.assert_sound();
}
