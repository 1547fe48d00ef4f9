//! Many agents and one provider: faults at every turn, pauses that are kept, money that binds, another
//! model when one cannot answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::home::Ran;
use crate::stage::{Stage, Wire, text};

/// Faults of a bad day. Pauses are short, as a test does not have all day.
const BAD_DAY: &str = "429:20ms:0.10,529:0.05,cut_text:0.03,cut_tool:0.02,garbage:0.02";
const AGENTS: u64 = 200;
/// USD for a million tokens in and out.
const PRICES: (f64, f64) = (3.0, 15.0);

/// Runs agents whose tool counts its calls, and prints what became of them.
const FLEET: &str = r#"
agent.config { prices = { [arg[1]] = { input = 3, output = 15, cache_read = 3, cache_write = 3 } } }
local calls, items = {}, {}
local note = agent.tool {
  name = "note",
  description = "Takes a note.",
  input = { call = "integer" },
  run = function(input, ctx)
    local key = ctx.label .. " " .. input.call
    calls[key] = (calls[key] or 0) + 1
    return "noted"
  end,
}
local scenario = [==[[[scenario call tool=note input='{"call":1}' tool1=note input1='{"call":2}']]]==]
for i = 1, tonumber(arg[2]) do
  items[i] = { prompt = i .. ": " .. scenario, label = "a" .. i, tools = { note }, model = arg[1] }
end
local report = { calls = calls, ok = 0, errors = {}, spent = 0 }
for _, one in ipairs(agent.all_settled(items)) do
  if one.ok then
    report.ok = report.ok + 1
  else
    report.errors[#report.errors + 1] = one.error.kind .. ": " .. one.error.message
  end
  report.spent = report.spent + one.outcome.total_cost_usd
end
report.budget = agent.budget:spent()
print(json.encode(report))
"#;

fn fleet(stage: &Stage, flags: &[&str]) -> (Ran, Value) {
    let mut command = stage.script(FLEET, &[&["--concurrency", "200"], flags].concat());
    let ran = Ran::of(command.args([stage.wire.model(), &AGENTS.to_string()]));
    let report =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{} {ran:?}", ran.code));
    (ran, report)
}

/// Returns what the server bills for all that it has sent, in USD.
fn billed(stage: &Stage) -> f64 {
    let billed = stage.report()["billed"].clone();
    let tokens =
        |names: &[&str]| names.iter().map(|name| billed[name].as_f64().unwrap()).sum::<f64>();
    let input = tokens(&["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]);
    (input * PRICES.0 + tokens(&["output_tokens"]) * PRICES.1) / 1e6
}

fn faults(stage: &Stage) -> BTreeMap<String, u64> {
    serde_json::from_value(stage.report()["faults_served"].clone()).unwrap()
}

#[track_caller]
fn assert_called_once(report: &Value) {
    let calls: BTreeMap<String, u64> = serde_json::from_value(report["calls"].clone()).unwrap();
    let twice: Vec<_> = calls.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn a_fleet_survives_a_bad_day(wire: Wire) {
    let stage = Stage::new(wire, &["--fault", BAD_DAY, "--seed", "7", "--latency-ms", "1"]);
    let (ran, report) = fleet(&stage, &["--max-budget-usd", "50"]);
    assert_eq!((ran.code, &report["errors"]), (0, &json!({})), "{report:#}");
    assert_eq!(report["ok"], AGENTS);
    assert_called_once(&report);
    assert_eq!(report["calls"].as_object().unwrap().len() as u64, 2 * AGENTS);
    let faults = faults(&stage);
    assert_eq!(faults.len(), 5, "every fault was there: {faults:?}");
    let hits: u64 = faults.values().sum();
    assert!(hits > AGENTS / 4, "{faults:?}");
    let server = stage.report();
    assert_eq!(server["requests"], 3 * AGENTS + hits, "each fault costs one request");
    assert_eq!(server["violation_count"], 0, "{server:#}");
    let retries = ran.stderr.lines().filter(|line| line.contains(" retry ")).count() as u64;
    assert_eq!(retries, hits, "each is told");
    let (billed, budget) = (billed(&stage), report["budget"].as_f64().unwrap());
    assert!(billed > 0.0 && billed <= budget + 1e-9, "billed {billed}, counted {budget}");
    assert!((report["spent"].as_f64().unwrap() - budget).abs() < 1e-6, "{report}");
}

#[test]
fn a_fleet_survives_a_bad_day_over_the_messages_api() {
    a_fleet_survives_a_bad_day(Wire::Anthropic);
}

#[test]
fn a_fleet_survives_a_bad_day_over_chat_completions() {
    a_fleet_survives_a_bad_day(Wire::OpenAi);
}

#[test]
fn a_budget_is_never_overspent() {
    let stage = Stage::new(Wire::Anthropic, &["--fault", BAD_DAY, "--seed", "8"]);
    let cap = 0.9;
    let (ran, report) = fleet(&stage, &["--max-budget-usd", &cap.to_string()]);
    // The script has caught it: what failed are agents.
    assert_eq!(ran.code, 1, "{report:#}");
    let errors: Vec<String> = serde_json::from_value(report["errors"].clone()).unwrap();
    let ok = report["ok"].as_u64().unwrap();
    assert!(ok > 0 && ok + errors.len() as u64 == AGENTS, "{ok} and {}", errors.len());
    assert!(errors.iter().all(|e| e.starts_with("budget: the run has spent $")), "{errors:?}");
    assert_called_once(&report);
    let (billed, budget) = (billed(&stage), report["budget"].as_f64().unwrap());
    assert!(billed <= budget + 1e-9 && budget <= cap, "billed {billed}, counted {budget}");
    assert!(budget > cap / 2.0, "most of it was of use: {budget}");
}

#[test]
fn no_herd_follows_a_pause() {
    let latency = 60;
    let stage = Stage::new(Wire::OpenAi, &["--latency-ms", &latency.to_string()]);
    // The first is turned away for a second, and the others come meanwhile.
    let mut script = String::from(
        "local first = agent.spawn { prompt = 'first: [[scenario text say=x fault=429:1@1]]' }
         while not fs.read('../requests'):find('\"status\":429', 1, true) do agent.sleep(0.02) end
         agent.sleep(0.3)
         local items = {}\n",
    );
    let _ = writeln!(
        script,
        "for i = 1, 30 do items[i] = 'other: [[scenario text say=' .. i .. ']]' end"
    );
    script.push_str("agent.all(items) print(first:await().ok)");
    let ran = stage.run(&script, &["--concurrency", "100"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "true\n"), "{ran:?}");
    let log = std::fs::read_to_string(stage.beside("requests")).unwrap();
    let notes: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at: Vec<u64> = notes.iter().map(|note| note["at_ms"].as_u64().unwrap()).collect();
    assert_eq!(notes[0]["status"], 429);
    let pause_ends = at[0] + latency + 1000;
    // What may have been on its way when the refusal came: the window less the refused.
    let early = at[1..].iter().filter(|at| **at < pause_ends).count();
    assert!(early <= 3, "{early} requests during the pause: {at:?}");
    let after = &at[1 + early..];
    assert_eq!(after.len(), 31 - early);
    // One probes, and its answer is awaited; then there are never more than two under way.
    assert!(after[1] + 1 >= after[0] + latency, "{after:?}");
    for three in after[1..9].windows(3) {
        assert!(three[2] + 1 >= three[0] + latency, "{after:?}");
    }
}

#[test]
fn a_spending_limit_ends_the_fleet_at_once() {
    let stage = Stage::new(Wire::Anthropic, &["--latency-ms", "30"]);
    let script = r#"
        local items = {}
        for i = 1, 50 do
          items[i] = { prompt = i .. ": [[scenario text say=x fault=spend@1x9]]" }
        end
        local told = 0
        for _, one in ipairs(agent.all_settled(items)) do
          assert(one.error.kind == "model", tostring(one.error))
          assert(one.error.message:find("spending limit", 1, true), one.error.message)
          told = told + 1
        end
        print(told)"#;
    let ran = stage.run(script, &["--concurrency", "50"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "50\n"), "{ran:?}");
    let requests = stage.report()["requests"].as_u64().unwrap();
    assert!(requests <= 4, "{requests} requests, and the window has 4");
    assert!(!ran.stderr.contains(" retry "), "{ran:?}");
}

#[test]
fn another_model_answers_when_one_cannot() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let script = r#"
        local turns = {}
        local written = agent.model {
          name = "written",
          reply = function(request)
            turns[#turns + 1] = #request.messages
            return { text = "by hand", usage = { input_tokens = 1 } }
          end,
        }
        agent.config { prices = { written = { input = 1, output = 1 } } }
        local unknown = agent.query {
          prompt = "x: [[scenario text say=found]]",
          model = "anthropic/no-such-a",
          fallback_model = { "anthropic/no-such-b", "anthropic/standin" },
        }
        print(unknown.result, unknown.num_turns)
        local midway = agent.query {
          prompt = "y: [[scenario call tool=Read input='{\"file_path\":\"README.md\"}' fault=404@2]]",
          fallback_model = written,
        }
        print(midway.result, midway.num_turns, turns[1], midway.total_cost_usd)
        local refused = agent.try_query { prompt = "z: [[scenario refusal]]", fallback_model = written }
        print(refused, #turns)"#;
    let ran = stage.run(script, &[]);
    assert_eq!(ran.stdout, "found\t1\nby hand\t2\t3\tnil\nnil\t1\n", "{ran:?}");
    let told = |from: &str, to: &str| {
        let start = format!("{from} cannot answer: ");
        let end = format!("; {to} is asked from now on");
        ran.stderr.lines().any(|line| line.contains(&start) && line.ends_with(&end))
    };
    assert!(told("anthropic/no-such-a", "anthropic/no-such-b"), "{ran:?}");
    assert!(told("anthropic/no-such-b", "anthropic/standin"), "{ran:?}");
    assert!(told("anthropic/standin", "written"), "{ran:?}");
    assert!(ran.stderr.contains("cost unknown for anthropic/standin"), "{ran:?}");
    let agents = stage.agents();
    assert!(agents.values().all(|row| row["cost_usd"].is_null()), "{agents:?}");
    assert_eq!(text(&agents["x: [[scenario text say=found]]"]["status"]), "completed");
}

#[test]
fn siblings_wait_for_the_first_so_that_the_cache_is_warm() {
    let stage = Stage::new(Wire::Anthropic, &["--latency-ms", "100"]);
    let script = r#"
        local items = {}
        for i = 1, 3 do
          items[i] = { prompt = i .. ": [[scenario text say=x]]", branch = "b" .. i }
        end
        agent.all(items)"#;
    let ran = stage.run(script, &["--concurrency", "8"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let billed = &stage.report()["billed"];
    let read = billed["cache_read_input_tokens"].as_u64().unwrap();
    let written = billed["cache_creation_input_tokens"].as_u64().unwrap();
    // The first writes what the two others read.
    assert!(read > written, "{billed}");
}
