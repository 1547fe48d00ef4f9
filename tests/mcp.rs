//! MCP servers as agents have them: real programs that speak over standard input and output, and a
//! real host that speaks streamable HTTP on 127.0.0.1. And `WebFetch`, which asks the same host.

#![expect(clippy::unwrap_used, reason = "tests")]

#[expect(dead_code, reason = "other tests need more of it")]
#[path = "support/home.rs"]
mod home;
#[path = "mcp/host.rs"]
mod host;

use std::path::Path;
use std::time::Duration;

use home::{Home, Ran};

/// What every script begins with: `ask` lets an agent call tools and returns what came of each.
const KIT: &str = r#"
local function program(mode)
  return { command = arg[1], args = { "run", "--quiet", arg[2], mode } }
end
local function ask(servers, calls, more)
  local offered, results
  local query = { prompt = "x", mcp_servers = servers, model = agent.model {
    reply = function(request)
      offered = {}
      for i, tool in ipairs(request.tools) do offered[i] = tool.name end
      if request.turn == 1 then return { tools = calls } end
      results = request.results
      return "done"
    end,
  } }
  for key, value in pairs(more or {}) do query[key] = value end
  local outcome = agent.query(query)
  return results, offered, outcome
end
"#;

fn run(home: &Home, script: &str, more: &[&str]) -> Ran {
    home.write("main.lua", &format!("{KIT}{script}"));
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/server.lua");
    let mut command = home.command(&["run", "main.lua", env!("CARGO_BIN_EXE_agentlua")]);
    Ran::of(command.arg(server).args(more).env("SECRET_TOKEN", "s3cret"))
}

#[track_caller]
fn passes(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn an_agent_calls_the_tools_of_a_program() {
    let home = Home::new();
    home.repository();
    passes(&run(
        &home,
        r#"
local server = program()
server.env = { GIVEN = "yes" }
local results, offered, outcome = ask({ demo = server }, {
  { name = "mcp__demo__echo", input = { message = "hi" } },
  { name = "mcp__demo__where" },
  { name = "mcp__demo__variable", input = { name = "GIVEN" } },
  { name = "mcp__demo__variable", input = { name = "SECRET_TOKEN" } },
  { name = "mcp__demo__variable", input = { name = "AGENTLUA_BRANCH" } },
  { name = "mcp__demo__refuse" },
  { name = "mcp__demo__structured" },
  { name = "mcp__demo__picture" },
  { name = "mcp__demo__long" },
}, { branch = "b" })
local names = table.concat(offered, " ")
assert(names:find("Grep mcp__demo__bare_name mcp__demo__die mcp__demo__echo mcp__demo__family", 1, true), names)
local function is(i, content, is_error)
  assert(results[i].content == content, i .. ": " .. results[i].content)
  assert(results[i].is_error == (is_error or false), i .. ": is_error")
end
is(1, "echo: hi")
assert(results[2].content:find("/worktrees/", 1, true), "it runs in the worktree: " .. results[2].content)
is(3, "yes")
is(4, "nil")
is(5, "b")
is(6, "not today", true)
is(7, '{"answer":42}')
assert(results[8].content:find("this model does not take pictures", 1, true), results[8].content)
assert(#results[9].content < 31000 and results[9].content:find("bytes left out here", 1, true))
"#,
        &[],
    ));
}

#[test]
fn a_server_that_does_not_start_fails_the_agent_and_is_named() {
    let home = Home::new();
    passes(&run(
        &home,
        r#"
local asked = 0
local function fails(server, ...)
  local outcome, e = agent.try_query { prompt = "x", mcp_servers = { demo = server },
    model = agent.model { reply = function() asked = asked + 1; return "?" end } }
  assert(not outcome and e.kind == "tool", "it fails: " .. tostring(e and e.kind))
  assert(e.outcome.subtype == "error_during_execution", e.outcome.subtype)
  for _, part in ipairs { "the MCP server `demo`", ... } do
    assert(e.message:find(part, 1, true), e.message)
  end
end
fails(program "crashes", "did not start: it ended", "cannot find my database")
fails({ command = "no-such-program" }, "there is no program `no-such-program`")
fails({ command = "sh", args = { "-c", "exit 0" } }, "did not start: it ended")
fails({ type = "http", url = "http://127.0.0.1:9/mcp?key=s3cret" }, "`http://127.0.0.1:9/mcp`")
assert(asked == 0, "nobody was asked")
os.exit(0)
"#,
        &[],
    ));
}

#[test]
fn a_server_that_dies_is_a_failed_call() {
    let home = Home::new();
    passes(&run(
        &home,
        r#"
local results = ask({ demo = program() }, {
  { name = "mcp__demo__die" },
  { name = "mcp__demo__echo", input = { message = "x" } },
  { name = "Glob", input = { pattern = "*.lua" } },
})
for i = 1, 2 do
  assert(results[i].is_error and results[i].content:find("the MCP server `demo` failed", 1, true), results[i].content)
end
assert(results[1].content:find("out of memory", 1, true), results[1].content)
assert(results[3].content == "main.lua", "the agent goes on")
"#,
        &[],
    ));
}

#[test]
fn rules_and_names_hold_for_servers_too() {
    let home = Home::new();
    passes(&run(
        &home,
        r#"
local _, offered = ask({ b = program(), a = program() }, {
  { name = "mcp__a__echo" }, { name = "mcp__b__echo" },
})
local names = table.concat(offered, " ")
assert(names:find("mcp__a__where mcp__b__bare_name", 1, true), names)
"#,
        &[],
    ));
}

/// Returns the two processes that the server's tool `family` told of.
fn family(home: &Home) -> Vec<u32> {
    let told = std::fs::read_to_string(home.path("family")).unwrap();
    told.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

fn runs(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits for something that comes soon; a machine under load may take its time.
fn until(what: &str, mut there: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if there() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited for {what}");
}

#[test]
fn what_a_server_started_ends_with_the_agent() {
    let home = Home::new();
    passes(&run(
        &home,
        r#"ask({ demo = program() }, { { name = "mcp__demo__family", input = { file = "family" } } })"#,
        &[],
    ));
    let ids = family(&home);
    assert_eq!(ids.len(), 2);
    until("their end", || !ids.iter().any(|id| runs(*id)));
}

#[test]
fn a_killed_host_leaves_no_server() {
    let home = Home::new();
    let script = r#"
ask({ demo = program() }, {
  { name = "mcp__demo__family", input = { file = "family" } },
  { name = "waits" },
}, { tools = { agent.tool { name = "waits", description = "x", run = function()
  fs.write("ready", "")
  agent.sleep(300)
end } } })
"#;
    home.write("main.lua", &format!("{KIT}{script}"));
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp/server.lua");
    let mut command = home.command(&["run", "main.lua", env!("CARGO_BIN_EXE_agentlua")]);
    let quiet = std::process::Stdio::null;
    let mut host = command.arg(server).stdout(quiet()).stderr(quiet()).spawn().unwrap();
    until("the tool", || home.path("ready").exists());
    let ids = family(&home);
    assert!(ids.iter().all(|id| runs(*id)), "{ids:?}");
    host.kill().unwrap();
    host.wait().unwrap();
    until("their end", || !ids.iter().any(|id| runs(*id)));
}

#[test]
fn an_agent_calls_the_tools_of_a_host() {
    let (home, host) = (Home::new(), host::Host::start());
    passes(&run(
        &home,
        r#"
local function host(path)
  return { type = "http", url = arg[3] .. path, headers = { Authorization = "Bearer k" } }
end
local results, offered = ask({ far = host "/mcp", moved = host "/old" }, {
  { name = "mcp__far__echo", input = { message = "hi" } },
  { name = "mcp__moved__echo", input = { message = "there" } },
})
assert(table.concat(offered, " "):find("mcp__far__echo mcp__moved__echo", 1, true))
assert(results[1].content == "echo: hi" and results[2].content == "echo: there", results[2].content)

local outcome, e = agent.try_query { prompt = "x", model = agent.model { reply = function() end },
  mcp_servers = { far = { type = "http", url = arg[3] .. "/mcp" } } }
assert(e.message:find("give it a key in `headers`", 1, true), e.message)
os.exit(0)
"#,
        &[&host.url()],
    ));
    assert_eq!(host.closed(), 2, "sessions that ended");
}

#[test]
fn an_agent_fetches_pages_when_a_rule_says_so() {
    let (home, host) = (Home::new(), host::Host::start());
    passes(&run(
        &home,
        r#"
local call = { { name = "WebFetch", input = { url = arg[3] .. "/page", prompt = "p" } } }
local results, offered = ask({}, call, { allowed_tools = { "Read", "WebFetch(domain:127.0.0.1)" } })
assert(table.concat(offered, " ") == "Read WebFetch", table.concat(offered, " "))
assert(results[1].content:find("Hello", 1, true), results[1].content)
results = ask({}, call, { allowed_tools = { "WebFetch" } })
assert(results[1].content:find("is a private address", 1, true), results[1].content)
_, offered = ask({}, {})
assert(table.concat(offered, " ") == "Read Glob Grep", table.concat(offered, " "))
os.exit(0)
"#,
        &[&host.url()],
    ));
}
