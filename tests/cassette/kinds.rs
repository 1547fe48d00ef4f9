//! Every kind of question and answer: failed tries, fallbacks, sub-agents, structured output, summaries,
//! conversations that go on, races.

use std::process::Command;

use crate::home::Ran;
use crate::stage::{Stage, Wire};
use crate::studio::{Studio, shown};

/// Records a script over HTTP and plays it where there is no server; both have to print the same.
#[track_caller]
fn same_over_http(stage: &Stage, studio: &Studio, source: &str) -> (Ran, Ran) {
    let cassette = shown(&studio.cassette());
    let recorded = stage.run(source, &["--record", &cassette]);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    let (_, ran) = studio.replay(source, &[]);
    assert_same(&recorded, &ran);
    (recorded, ran)
}

#[track_caller]
fn assert_same(recorded: &Ran, ran: &Ran) {
    assert_eq!((ran.code, &ran.stdout), (recorded.code, &recorded.stdout), "{recorded:?}\n{ran:?}");
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
    assert!(!ran.stderr.contains("nobody asked for"), "{ran:?}");
}

/// Records a script of models in Lua, and plays it with the models' functions gone.
#[track_caller]
fn same(source: &str) -> (Studio, Ran) {
    let studio = Studio::new(&[("README.md", "# readme\n")]);
    let (room, recorded) = studio.record(source);
    assert_eq!(recorded.code, 0, "{recorded:?}");
    let (other, ran) = studio.replay(&source.replace("-- MODEL", "error('it is asked')"), &[]);
    assert_same(&recorded, &ran);
    assert_eq!(other.trees(), room.trees());
    (studio, recorded)
}

#[test]
fn failed_tries_and_fallbacks_fail_again_without_the_pauses() {
    let stage = Stage::new(Wire::Anthropic, &[]);
    let studio = Studio::new(&[("README.md", "# readme\n")]);
    let source = r#"
local one = agent.query { prompt = "a: [[scenario text say=fine fault=500@1;529@1]]", model = "anthropic/claude-opus-5" }
print(one.result, one.total_cost_usd, one.usage.input_tokens)
local two = agent.query {
  prompt = "b: [[scenario text say=other]]",
  model = "anthropic/missing",
  fallback_model = "anthropic/claude-sonnet-5",
}
print(two.result, two.total_cost_usd)
local _, e = agent.try_query { prompt = "c: [[scenario text fault=402@1]]" }
print(e.kind, e.message)
os.exit(0)
"#;
    let (recorded, ran) = same_over_http(&stage, &studio, source);
    assert!(recorded.stdout.starts_with("fine\t0."), "{recorded:?}");
    let retries = |ran: &Ran| ran.stderr.matches("retry ").count();
    assert_eq!(retries(&ran), retries(&recorded));
    assert!(retries(&ran) > 0, "{ran:?}");
}

#[test]
fn summaries_play_over_every_wire() {
    for wire in [Wire::Anthropic, Wire::OpenAi, Wire::Responses] {
        let stage = Stage::new(wire, &["--window", "6000"]);
        let studio = Studio::new(&[("README.md", "# readme\n")]);
        let log = shown(&stage.mark("long"));
        let source = format!(
            "print(agent.query {{ prompt = [==[long: [[scenario long steps=30 bytes=600 sum=\"Use these headings\" \
             log={log}]]]==], branch = 'work/long', max_turns = 100 }}.result)"
        );
        let (recorded, ran) = same_over_http(&stage, &studio, &source);
        assert_eq!(recorded.stdout, "All 30 steps.\n");
        let summed = |ran: &Ran| ran.stderr.matches("summed up").count();
        assert_eq!(summed(&ran), summed(&recorded));
        assert!(summed(&ran) > 0, "{wire:?}: {ran:?}");
    }
}

#[test]
fn absolute_paths_of_another_run_lead_into_this_one() {
    let (studio, _) = same(
        r#"
local model = agent.model {
  reply = function(request)
    -- MODEL
    local folder = request.messages[1].content[2].text:match("directory: ([^\n]+)")
    if request.turn == 1 then
      return { tools = {
        { name = "Write", input = { file_path = folder .. "/new/file.txt", content = "written\n" } },
        { name = "Bash", input = { command = "cd " .. folder .. " && cat README.md >> new/file.txt" } },
      } }
    end
    return "done"
  end,
}
local outcome = agent.query { prompt = "go", model = model, worktree = true }
print(outcome.result, outcome.files_changed[1])
local next = agent.query { prompt = "look at " .. outcome.branch .. " in " .. outcome.worktree_path, model = model, worktree = true }
print(next.result)
"#,
    );
    assert!(studio.text().contains("⟦worktrees⟧/⟦agent /query#1⟧/new/file.txt"));
    assert!(!studio.text().contains("/worktrees/"), "{}", studio.text());
}

#[test]
fn sub_agents_and_structured_output_play() {
    let source = r#"
local model = agent.model {
  name = "boss",
  reply = function(request)
    -- MODEL
    local asked = request.prompt:match("^%a+")
    if asked == "count" then
      if request.turn == 1 then
        return { tools = { { name = "Bash", input = { command = "ls | wc -l" } } } }
      end
      return "there is " .. request.results[1].content
    elseif request.turn == 1 then
      return { tools = {
        { name = "Agent", input = { description = "count", prompt = "count the files" } },
        { name = "Agent", input = { description = "count", prompt = "count them again" } },
      } }
    elseif #request.results > 0 and request.results[1].name == "Agent" then
      return "it is not said yet"
    end
    return { tools = { { name = "StructuredOutput", input = { score = 7 } } } }
  end,
}
local outcome = agent.query {
  prompt = "lead them",
  model = model,
  schema = { score = "integer" },
  worktree = true,
  allowed_tools = { "Agent", "Bash" },
}
print(outcome.structured_output.score, outcome.num_turns)
"#;
    let (studio, recorded) = same(source);
    assert!(recorded.stdout.starts_with("7\t"), "{recorded:?}");
    assert!(studio.text().contains("/query#1@1/agent#2"));
    // With the results of tools nobody asks sub-agents.
    let (_, ran) = studio.replay(source, &["--replay-tools"]);
    assert_eq!((ran.code, ran.stdout.split('\t').next()), (0, Some("7")), "{ran:?}");
    assert!(!ran.stderr.contains("nobody asked for"), "{ran:?}");
}

#[test]
fn conversations_that_go_on_play() {
    let (_, recorded) = same(
        r#"
local model = agent.model {
  reply = function(request)
    -- MODEL
    return "answer " .. #request.messages
  end,
}
local first = agent.query { prompt = "one", model = model, worktree = true, label = "a" }
local second = agent.query { prompt = "two", model = model, resume = first }
local third = agent.query { prompt = "three", model = model, fork = second }
print(first.result, second.result, third.result)
"#,
    );
    assert_eq!(recorded.stdout, "answer 1\tanswer 3\tanswer 5\n");
}

#[test]
fn who_was_stopped_is_stopped_again() {
    let (_, recorded) = same(
        r#"
local model = agent.model {
  reply = function(request)
    -- MODEL
    if request.prompt == "slow" then agent.sleep(600) end
    if request.prompt == "tool" then
      return { tools = { { name = "Bash", input = { command = "sleep 600" } } } }
    end
    agent.sleep(1)
    return request.prompt
  end,
}
local function job(prompt) return { prompt = prompt, model = model, worktree = true } end
local _, winner = agent.race { slow = job "slow", tool = job "tool", quick = job "quick" }
print(winner)
"#,
    );
    assert_eq!(recorded.stdout, "quick\n", "{recorded:?}");
}

#[test]
fn the_default_model_is_the_recorded_one_whatever_is_typed() {
    let studio = Studio::new(&[]);
    let room = studio.room();
    room.home.write(
        "model.lua",
        "return agent.model { name = 'house', reply = function() return 'from the house' end }",
    );
    let source = "print(agent.query('hello').result)";
    let flags = ["--record", &shown(&room.cassette), "--model", "model.lua"];
    let recorded = Ran::of(&mut room.run(source, &flags));
    assert_eq!(recorded.stdout, "from the house\n", "{recorded:?}");
    let (_, ran) = studio.replay(source, &[]);
    assert_eq!((ran.code, &ran.stdout), (0, &recorded.stdout), "{ran:?}");
    // The file is not even there.
    let (_, ran) = studio.replay(source, &["--model", "model.lua"]);
    assert_eq!((ran.code, &ran.stdout), (0, &recorded.stdout), "{ran:?}");
    assert!(ran.stderr.contains("`--model model.lua` is ignored"), "{ran:?}");
    let (_, ran) = studio.replay("print(agent.config().replay ~= nil)", &[]);
    assert_eq!(ran.stdout, "true\n", "{ran:?}");
}

#[test]
fn a_script_and_a_variable_choose_as_a_flag_does() {
    let studio = Studio::new(&[]);
    let model = "agent.model { reply = function() return 'hi' end }";
    let cassette = shown(&studio.cassette());
    let asked = format!("print(agent.query {{ prompt = 'p', model = {model} }}.result)");
    let room = studio.room();
    let chosen = format!("agent.config {{ record = '{cassette}' }} {asked}");
    let ran = Ran::of(&mut room.run(&chosen, &[]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let played = asked.replace("return 'hi'", "error 'asked'");
    let mut command: Command = room.run(&played, &[]);
    let ran = Ran::of(command.env("AGENTLUA_REPLAY", &cassette));
    assert_eq!((ran.code, &*ran.stdout), (0, "hi\n"), "{ran:?}");
    let late = format!("{asked} agent.config {{ record = '{cassette}' }}");
    let ran = Ran::of(&mut room.run(&late, &[]));
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("settled when the first agent is asked"), "{ran:?}");
    let ran = Ran::of(&mut room.run(&asked, &["--replay-tools"]));
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("needs a recording"), "{ran:?}");
}

#[test]
fn what_functions_of_the_script_ask_plays_whoever_else_is_called() {
    let (studio, recorded) = same(
        r#"
local model = agent.model {
  reply = function(request)
    -- MODEL
    if request.prompt ~= "outer" then return "helped with " .. request.prompt end
    if request.turn == 1 then
      return { tools = { { name = "help", input = { what = "it" } } } }
    end
    return "said: " .. request.results[1].content
  end,
}
local function ask(prompt) return agent.query({ prompt = prompt, model = model }).result end
local help = agent.tool {
  name = "help",
  description = "helps",
  input = { what = "string" },
  run = function(input) return ask("tool " .. input.what) end,
}
print(agent.query({
  prompt = "outer",
  model = model,
  tools = { help },
  on_event = function() end,
  hooks = { pre_tool_use = function() ask("hook") end },
  verify = function() return ask("verify") == "helped with verify" end,
}).result)
"#,
    );
    assert_eq!(recorded.stdout, "said: helped with tool it\n");
    for path in ["@1/tool#1/query#1", "@1/hook#1/query#1", "/verify#1/query#1"] {
        assert!(studio.text().contains(path), "{path}: {}", studio.text());
    }
}

#[test]
fn conflicts_that_agents_resolve_play() {
    let source = r#"
local model = agent.model {
  reply = function(request)
    -- MODEL
    if request.turn > 1 then return "done" end
    local side = request.prompt:match("^write (%a+)$")
    local folder = json.encode(request.messages):match("directory: ([^\\]+)\\nbranch: agentlua/merge")
    local command = side and "echo " .. side .. " > same.txt"
      or "cd " .. folder .. " && printf 'left\nright\n' > same.txt"
    return { tools = { { name = "Bash", input = { command = command } } } }
  end,
}
for _, side in ipairs { "left", "right" } do
  agent.query { prompt = "write " .. side, model = model, branch = side }
end
sh.check("git branch both main")
local done = agent.integrate { branches = { "left", "right" }, into = "both", model = model }
print(done.ok, done.merges[2].resolved[1].how)
"#;
    let (studio, recorded) = same(source);
    assert_eq!(recorded.stdout, "true\tagent\n");
    assert!(studio.text().contains("agentlua/⟦trial⟧"), "{}", studio.text());
    // What differs is shown, also where a merge has failed of it.
    let changed = source.replace("into = \"both\"", "into = \"both\", prompt = \"be quick\"");
    let (_, ran) = studio.replay(&changed, &[]);
    assert_ne!(ran.code, 0, "{ran:?}");
    let says = "hint: the nearest recorded question is turn 1 of `resolve right`";
    assert!(ran.stderr.contains(says) && ran.stderr.contains("+++ asked text"), "{ran:?}");
}

#[test]
fn numbers_and_times_are_those_of_then() {
    let (_, recorded) = same(
        r#"
local model = agent.model {
  reply = function(request)
    -- MODEL
    return "said " .. request.prompt
  end,
}
local drawn = { agent.random(), agent.random(1, 1000000), agent.now() }
local prompt = ("x %.12f %d %.6f"):format(table.unpack(drawn))
print(agent.query { prompt = prompt, model = model }.result)
print(agent.once("id", function() return agent.random() end))
for _, outcome in agent.iter { { prompt = "y " .. agent.random(), model = model } } do
  print(outcome.result)
end
"#,
    );
    assert_eq!(recorded.stdout.lines().count(), 3, "{recorded:?}");
}
