//! What can go wrong with an answer. Each case is an agent of its own; all of them run side by side
//! against one server, and each command that they run leaves a mark, so that none runs twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stage::{Stage, Wire, text};

/// One agent, and what has to become of it.
struct Case {
    name: String,
    query: Value,
    subtype: &'static str,
    requests: usize,
    /// How often its command runs.
    marks: usize,
    /// What its last text or its error has to say.
    says: &'static str,
}

/// Where a case ends well: the number of requests, how often its command runs, the last text.
type Good = (usize, usize, &'static str);

fn case(stage: &Stage, name: &str, scenario: &str, good: Good) -> Case {
    let command = format!("command=\"{}\"", stage.marking(name));
    let prompt = format!("{name}: [[scenario {}]]", scenario.replace("MARK", &command));
    let (requests, marks, says) = good;
    // A model each: what becomes of one tells the governor nothing about the others.
    let model = stage.wire.model();
    let query = json!({ "prompt": prompt, "worktree": true, "model": format!("{model}-{name}") });
    Case { name: name.to_owned(), query, subtype: "success", requests, marks, says }
}

impl Case {
    fn with(mut self, option: &str, value: impl Into<Value>) -> Self {
        self.query[option] = value.into();
        self
    }

    fn fails(self, subtype: &'static str) -> Self {
        Self { subtype, ..self }
    }

    #[track_caller]
    fn assert_came_true(&self, stage: &Stage, settled: &Value) {
        let Self { name, subtype, .. } = self;
        let outcome = &settled["outcome"];
        assert_eq!(outcome["subtype"], *subtype, "{name}: {settled}");
        assert_eq!(stage.requests_of(name), self.requests, "{name}: {settled}");
        assert_eq!(stage.marks(name), self.marks, "{name}: {settled}");
        let said = if *subtype == "success" { &outcome["result"] } else { &settled["message"] };
        assert!(text(said).contains(self.says), "{name}: {settled}");
    }
}

/// Answers that are not whole: asked again, and nothing of them is used.
fn broken_answers(stage: &Stage) -> Vec<Case> {
    // Two turns, the first of which calls; each fault costs one request more.
    let mut cases: Vec<_> = [
        ("cut_tool", 3),
        ("no_end", 3),
        ("error_event", 3),
        ("garbage", 3),
        ("drip:15", 2),
        ("500", 3),
        ("503", 3),
        ("529", 3),
        ("429:50ms", 3),
        ("429:0", 3),
    ]
    .into_iter()
    .map(|(fault, requests)| {
        let name = fault.replace(':', "-");
        let scenario = format!("bash MARK fault={fault}@1");
        case(stage, &name, &scenario, (requests, 1, "[no output]"))
    })
    .collect();
    let twice = case(stage, "529-twice", "bash MARK fault=529@1x2", (4, 1, "[no output]"));
    let in_text = "bash MARK fault=cut_text@2;no_end@2";
    let cut_text = case(stage, "cut-text", in_text, (4, 1, "[no output]"));
    let silence = case(stage, "silence", "bash MARK fault=silence@1", (3, 1, "[no output]"));
    // The limit is that of silence, not of an answer that only takes its time.
    let drip = case(stage, "slow-drip", "text say=whole fault=drip:40@1", (1, 0, "whole"));
    let slow = case(stage, "slow", "slow ms=4000 say=slowly", (1, 0, "slowly"));
    cases.extend([
        twice,
        cut_text,
        silence.with("idle_timeout", 2),
        drip.with("idle_timeout", 30),
        slow.with("idle_timeout", 3),
    ]);
    cases
}

/// Refusals that asking again cannot mend.
fn final_refusals(stage: &Stage) -> Vec<Case> {
    let refused = |status: &str, says| {
        let scenario = format!("bash MARK fault={status}@1");
        case(stage, status, &scenario, (1, 0, says)).fails("error_during_execution")
    };
    vec![
        refused("400", "usage limits"),
        refused("401", "does not accept the key"),
        refused("402", "spending limit"),
        refused("403", "does not let this key use"),
        refused("404", "does not know the model"),
        refused("413", "413"),
        refused("spend", "spending limit"),
        // Tried five times in all.
        case(stage, "always-cut", "bash MARK fault=cut_tool@1x9", (5, 0, "5 attempts"))
            .fails("error_during_execution"),
    ]
}

/// Whole answers that are odd.
fn odd_answers(stage: &Stage) -> Vec<Case> {
    vec![
        case(stage, "max-tokens", "max_tokens", (2, 0, "Done after the cut.")),
        case(stage, "refusal", "refusal", (1, 0, "I cannot help with that")).fails("error_refusal"),
        case(stage, "no-word", "refusal say=\"\"", (1, 0, "the model refused"))
            .fails("error_refusal"),
        case(stage, "empty", "empty", (2, 0, "Here is the text after all.")),
        case(stage, "unknown-tool", "unknown_tool", (2, 0, "The unknown tool was refused.")),
        case(stage, "arguments", "bad_arguments", (2, 0, "The bad arguments were refused.")),
        case(stage, "no-object", "bad_arguments arguments='[1]'", (2, 0, "were refused")),
        case(stage, "many", "many n=50 MARK", (2, 50, "50 results.")),
        case(stage, "many-reads", "many n=50 file=README.md", (2, 0, "50 results.")),
        case(stage, "loop", "loop MARK", (5, 5, "5 turns"))
            .with("max_turns", 5)
            .fails("error_max_turns"),
        case(stage, "thinking", "thinking MARK", (2, 1, "Thought and looked.")),
        case(stage, "peaceful", "look turns=5 file=README.md MARK", (5, 4, "Looked 4 times.")),
    ]
}

fn assert_cases_come_true(stage: &Stage, cases: &[Case]) {
    let before = stage.repo.fingerprint(&[]);
    let queries: BTreeMap<_, _> = cases.iter().map(|case| (&case.name, &case.query)).collect();
    let settled = stage.settle(&json!(queries), &["--concurrency", "40"]);
    for case in cases {
        case.assert_came_true(stage, &settled[&case.name]);
    }
    let expected: usize = cases.iter().map(|case| case.requests).sum();
    assert_eq!(stage.report()["requests"], expected);
    stage.assert_sound();
    // None of them changed a file.
    stage.repo.assert_untouched(&before, &[]);
    stage.assert_nothing_left();
    let ran_from_a_half = ["max_tokens_ra", "bad_arg"].map(|name| stage.repo.path().join(name));
    assert!(!ran_from_a_half.iter().any(|path| path.exists()));
}

fn all_cases(stage: &Stage) -> Vec<Case> {
    let lists = [broken_answers(stage), final_refusals(stage), odd_answers(stage)];
    lists.into_iter().flatten().collect()
}

#[test]
fn every_fault_of_the_messages_api_has_its_answer() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    assert_cases_come_true(&stage, &all_cases(&stage));
    assert_eq!(stage.report()["rewritten_histories"], 0);
}

#[test]
fn every_fault_of_chat_completions_has_its_answer() {
    let stage = Stage::new(Wire::OpenAi, &[]);
    assert_cases_come_true(&stage, &all_cases(&stage));
    assert_eq!(stage.report()["rewritten_histories"], 0);
}

#[test]
fn every_fault_of_the_responses_api_has_its_answer() {
    let stage = Stage::new(Wire::Responses, &[]);
    assert_cases_come_true(&stage, &all_cases(&stage));
    assert_eq!(stage.report()["rewritten_histories"], 0);
}

#[test]
fn servers_that_are_merely_compatible_are_understood() {
    // CRLF, comments, no usage, no `[DONE]`, calls without ids.
    let stage = Stage::new(Wire::OpenAi, &["--quirks"]);
    assert_cases_come_true(&stage, &odd_answers(&stage));
}

#[test]
fn twenty_agents_that_are_turned_away_at_once_all_finish() {
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        let cases: Vec<_> = (0..20)
            .map(|number| {
                let scenario = "bash MARK fault=429:1@1";
                case(&stage, &format!("agent-{number}"), scenario, (3, 1, "[no output]"))
            })
            .collect();
        let queries: BTreeMap<_, _> = cases.iter().map(|case| (&case.name, &case.query)).collect();
        let settled = stage.settle(&json!(queries), &["--concurrency", "20"]);
        for case in &cases {
            case.assert_came_true(&stage, &settled[&case.name]);
        }
        assert_eq!(stage.report()["faults_served"], json!({ "429": 20 }));
        stage.assert_sound();
    }
}

#[test]
fn forty_agents_in_chaos_finish_and_no_command_runs_twice() {
    let faults = "429:50ms:0.10,529:0.05,cut_text:0.05,garbage:0.02";
    let stage = Stage::new(Wire::Anthropic, &["--fault", faults]);
    let queries: BTreeMap<_, _> = (0..40)
        .map(|number| {
            let name = format!("agent-{number}");
            let [first, second] = ["a", "b"].map(|part| stage.marking(&format!("{name}-{part}")));
            let scenario =
                format!("bash command1=\"{first}\" command2=\"{second}\" command3='echo seen'");
            let prompt = format!("{name}: [[scenario {scenario}]]");
            (name, json!({ "prompt": prompt, "worktree": true }))
        })
        .collect();
    let settled = stage.settle(&json!(queries), &["--concurrency", "40"]);
    for name in queries.keys() {
        assert_eq!(settled[name]["ok"], true, "{}", settled[name]);
        let seen = text(&settled[name]["outcome"]["result"]);
        assert_eq!(seen, "[no output]\n[no output]\nseen\n");
        for part in ["a", "b"] {
            assert_eq!(stage.marks(&format!("{name}-{part}")), 1, "{name}");
        }
    }
    let report = stage.report();
    let served = report["faults_served"].as_object().unwrap();
    let faults: u64 = served.values().map(|count| count.as_u64().unwrap()).sum();
    assert!(faults > 0, "{report:#}");
    assert_eq!(report["requests"], 40 * 4 + faults);
    stage.assert_sound();
    stage.assert_nothing_left();
}
