//! `agentlua run --dry-run`: everything is checked, nothing is asked, spent, made or changed.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
#[expect(dead_code, reason = "shared with tests that write scripts")]
mod home;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use home::{Home, Ran};
use serde_json::{Value, json};

/// Every file below a folder with its content and the time that it was written.
fn contents(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, Option<std::time::SystemTime>)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let (path, about) = (entry.path(), entry.metadata().unwrap());
            // Git touches an object that it would have written; readers of the journal say so in there.
            let objects = path.components().any(|part| part.as_os_str() == "objects");
            let is_shared = path.ends_with("journal.db-shm");
            let modified = (!objects && !is_shared).then(|| about.modified().unwrap());
            let is_read = about.is_file() && !is_shared;
            let content = if is_read { std::fs::read(&path).unwrap() } else { Vec::new() };
            if about.is_dir() {
                pending.push(path.clone());
            }
            found.insert(path, (content, modified));
        }
    }
    found
}

/// Plans a script with a host of models that must hear nothing; what there was must be as it was.
fn planned(home: &Home, flags: &[&str], source: &str) -> Ran {
    home.write("main.lua", source);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let temporary = home.beside("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let before = contents(&home.beside(""));
    let mut command = home.command(&[&["run", "--dry-run"], flags, &["main.lua"]].concat());
    command.env("ANTHROPIC_API_KEY", "k").env("ANTHROPIC_BASE_URL", &url);
    command.env("OPENAI_BASE_URL", &url).env("TMPDIR", &temporary).env_remove("HOME_NONE");
    let ran = Ran::of(&mut command);
    let after = contents(&home.beside(""));
    let names: Vec<_> = after.keys().filter(|path| before.get(*path) != after.get(*path)).collect();
    // Temporary files have come and gone there.
    let changed: Vec<_> = names.iter().filter(|path| **path != &temporary).collect();
    assert!(changed.is_empty(), "{changed:?}\n{}", ran.stderr);
    assert!(before.keys().all(|path| after.contains_key(path)), "something is gone");
    assert!(listener.accept().is_err(), "somebody was asked");
    assert!(ran.stdout.lines().all(|line| !line.starts_with("plan") || line.len() <= 80));
    ran
}

/// Plans a script; returns the plan as programs read it.
fn plan(home: &Home, source: &str) -> (Ran, Value) {
    let ran = planned(home, &["--output-format", "json", "--quiet"], source);
    let last: Value = serde_json::from_str(ran.stdout.trim()).expect(&ran.stdout);
    assert_eq!(last["exit_code"], ran.code);
    (ran, last["plan"].clone())
}

fn repository() -> Home {
    let home = Home::new();
    home.write("README.md", "# shop\n");
    home.write("src/auth/login.js", "login\n");
    home.write("main.lua", "");
    home.repository();
    home
}

fn labels(plan: &Value) -> Vec<&str> {
    plan["agents"].as_array().unwrap().iter().map(|a| a["label"].as_str().unwrap()).collect()
}

fn steps(plan: &Value) -> Vec<&str> {
    plan["steps"].as_array().unwrap().iter().map(|s| s["text"].as_str().unwrap()).collect()
}

#[test]
fn the_plan_is_on_standard_output_and_nothing_is_changed() {
    let home = repository();
    let ran = planned(
        &home,
        &["--max-budget-usd", "100"],
        r#"
        local jobs = {}
        for _, module in ipairs { "auth", "billing" } do
          jobs[module] = {
            prompt = "Migrate src/" .. module, branch = "migrate/" .. module,
            scope = { "src/" .. module }, verify = "npm test -- " .. module,
          }
        end
        for module, outcome in agent.iter(jobs) do
          local merged = git.merge { branch = outcome, into = "main", verify = "npm test" }
          print(module, merged.status)
        end
        "#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("auth\tmerged\n"), "{}", ran.stderr);
    for part in [
        "plan of main.lua: no model was asked, and nothing was changed\n",
        "agent.iter: 2 agents\n",
        "migrate/auth",
        "every tool; writes src/auth; verified by `npm test -- auth`",
        "$56.40\n",
        "this is one path through the script: lists that are made up have one entry,\n",
        "2 agents, 2 at once; cost at most $100.00, the run's budget (without it $112.80)\n",
        "  merge `migrate/billing` into `main`, verified by `npm test`\n",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    assert!(!home.path(".git/agentlua").exists() && !home.beside("worktrees").exists());
}

#[test]
fn programs_read_the_same() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r#"
        agent.config { prices = { ["openai/x"] = { input = 1, output = 2 } } }
        agent.query { prompt = "a", model = "anthropic/claude-haiku-4-5", max_turns = 3,
                      max_output_tokens = 1000, read_only = true, worktree = true }
        agent.query { prompt = "b", max_budget_usd = 0.5, schema = { n = "integer" } }
        agent.query { prompt = "c", model = "openai/x" }
        "#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(labels(&plan), ["a", "b", "c"]);
    let agents = &plan["agents"];
    // 200,000 tokens in, written to a cache, and 1,000 out, three times.
    assert_eq!(agents[0]["worst_case_usd"], json!(3.0 * (0.2 * 1.25 + 0.001 * 5.0)));
    assert_eq!((&agents[0]["read_only"], &agents[0]["max_turns"]), (&json!(true), &json!(3)));
    assert_eq!(agents[0]["tools"], json!(["Read", "Bash", "Glob", "Grep"]));
    assert_eq!(agents[1]["worst_case_usd"], json!(0.5));
    assert_eq!((&agents[1]["schema"], &agents[1]["branch"]), (&json!(true), &Value::Null));
    assert_eq!(agents[2]["worst_case_usd"], Value::Null, "its context is not known");
    assert_eq!((&plan["worst_case_usd"], &plan["unknown"]), (&Value::Null, &json!(1)));
}

#[test]
fn no_key_is_needed_and_the_plan_says_so() {
    let home = repository();
    home.write(
        "keyless.lua",
        "agent.query 'x' agent.query { prompt = 'y', model = 'openai/gpt-5' }",
    );
    let ran = home.run(&["run", "--dry-run", "keyless.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for (model, variable) in
        [("anthropic/claude-sonnet-5", "ANTHROPIC_API_KEY"), ("openai/gpt-5", "OPENAI_API_KEY")]
    {
        let note = format!("the model `{model}` needs a key: {variable} is not set");
        assert!(told.contains(&note), "{}", ran.stdout);
    }
    let ran = home.command(&["run", "keyless.lua"]).env("AGENTLUA_DRY_RUN", "1").output().unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).starts_with("plan of keyless.lua"));
    home.write("unknown.lua", "agent.query { prompt = 'y', model = 'nobody/x' }");
    assert_eq!(home.run(&["run", "--dry-run", "unknown.lua"]).code, 2);
}

#[test]
fn what_would_keep_an_agent_from_starting_is_told_before_anything_is_spent() {
    let home = repository();
    for (source, code, told) in [
        ("agent.query { prompt = 'x', branch = 'main' }", 1, "the branch `main` already exists"),
        ("agent.query { prompt = 'x', branch = 'main/y' }", 1, "cannot stand beside `main`"),
        ("agent.query { prompt = 'x', base = 'nowhere' }", 1, "`nowhere` names no commit"),
        ("agent.query { prompt = 'x', branch = 'a..b' }", 1, "cannot be the name of a branch"),
        ("agent.query { ['pro' .. 'mt'] = 'x' }", 2, "did you mean `prompt`?"),
        ("agent.query { prompt = 'x', resume = 'agent-1234' }", 2, "has the id `agent-1234`"),
        ("agent.query { prompt = 'x', repo = '/' , worktree = true }", 1, "not inside a git repo"),
        (
            "agent.query { prompt = 'x', branch = 'b' } agent.query { prompt = 'y', branch = 'b' }",
            1,
            "the branch `b` already exists",
        ),
        ("agent.query { prompt = 'x', schema = { type = 'strng' } }", 2, "schema"),
        (
            "agent.query { prompt = 'x', max_budget_usd = 1, fallback_model = 'openai/nobody' }",
            2,
            "needs the price of the fallback model `openai/nobody`",
        ),
        ("agent.config { ['dry' .. '_run'] = true }", 2, "it belongs on the command line"),
        ("git.merge { branch = 'nowhere', into = 'main' }", 1, "`nowhere` names no commit"),
        ("git.merge { branch = 'main', into = 'nowhere' }", 1, "there is no branch `nowhere`"),
        ("git.push { remote = 'nowhere' }", 1, "nowhere"),
    ] {
        let ran = planned(&home, &[], source);
        assert_eq!(ran.code, code, "{source}\n{}", ran.stderr);
        assert!(ran.stderr.contains(told), "{source}\n{}", ran.stderr);
        assert!(ran.stdout.starts_with("plan of main.lua"), "{source}\n{}", ran.stdout);
    }
    home.write("README.md", "# changed\n");
    let ran = planned(&home, &[], "agent.query { prompt = 'x', worktree = true, dirty = 'fail' }");
    assert!(ran.stderr.contains("there are uncommitted changes"), "{}", ran.stderr);
    // A script that goes on after that would fail all the same.
    let (ran, plan) = plan(&home, "agent.try_query { prompt = 'x', base = 'nowhere' }");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(plan["agents"][0]["error"], "`nowhere` names no commit");
}

#[test]
fn a_script_goes_on_with_what_planned_agents_would_have_done() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r##"
        local one = agent.query { prompt = "one", branch = "one", scope = { "src/" } }
        assert(one.ok and one.files_changed[1] == "src/auth/login.js" and one.branch == "one")
        assert(fs.read(one.worktree_path .. "/README.md") == "# shop\n")
        assert(#git.diff(one).files == 0 and #git.diff("main", "one").files == 0)
        assert(git.diff("one").patch == "" and #git.log { rev = "main..one" } == 0)
        assert(#git.conflicts { one, "main" } == 0)
        local two = agent.query { prompt = "two", label = "two", branch = "one", if_exists = "number", base = one }
        assert(two.branch == "one-2" and two.base_commit == one.base_commit)
        local three = agent.query { prompt = "three", resume = one.id, label = "three" }
        assert(three.branch == "one")
        agent.query { prompt = "four", base = one.id .. "@turn:1", label = "four" }
        agent.query { prompt = "five", worktree = two, label = "five" }
        local looked = agent.query { prompt = "six", worktree = true, read_only = true }
        assert(git.merge(looked).status == "up_to_date")
        assert(git.merge { branches = { one, two }, into = "main" }.merges[2].status == "merged")
        local whole = agent.integrate { branches = { one, two }, into = "main", verify = "true" }
        assert(whole.merges[1].status == "merged" and #git.diff(whole).files == 0)
        git.commit { message = "by the script", all = true }
        local wt <close> = git.worktree { branch = "mine", setup = "npm ci" }
        assert(wt:sh("cat README.md").stdout == "# shop\n" and wt:sh("touch x").ok)
        assert(#wt:diff().files == 0 and #wt:commit("work") == 40)
        agent.query { prompt = "seven", worktree = wt, label = "seven" }
        agent.remove(one, { force = true })
        "##,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(labels(&plan), ["one", "two", "three", "four", "five", "six", "seven"]);
    let steps = steps(&plan).join("\n");
    for step in [
        "merge `one` into `main`",
        "merge `one`, `one-2` onto a new `agentlua/integrate-",
        "and that into `main`",
        "commit `by the script` on `main`",
        "make a worktree on `mine`, prepared by `npm ci`",
        "run `touch x`",
        "commit `work` on `mine`",
        "remove what `agent-",
    ] {
        assert!(steps.contains(step), "{step}\n{steps}");
    }
}

#[test]
fn functions_of_the_script_are_not_asked() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r#"
        local function no() error("asked") end
        local tool = agent.tool { name = "mine", description = "x", input = {}, run = no }
        agent.query {
          prompt = "x", branch = "b", model = agent.model { name = "written", reply = no },
          tools = { tool }, verify = no, can_use_tool = no, on_event = no,
          hooks = { pre_tool_use = no, stop = no },
          mcp_servers = { srv = { command = "/bin/false" } },
        }
        git.merge { branch = "b", verify = no, on_conflict = no }
        "#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let agent = &plan["agents"][0];
    assert_eq!((&agent["model"], &agent["verify"]), (&json!("written"), &json!("a function")));
    assert_eq!(agent["tools"].as_array().unwrap().last(), Some(&json!("mine")));
    assert_eq!(agent["mcp_servers"], json!(["srv"]));
    assert_eq!(steps(&plan), ["merge `b` into `main`, verified by a function"]);
}

#[test]
fn every_combinator_ends_and_every_sibling_is_planned() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r#"
        local value, key = agent.race { a = "a", b = { prompt = "b", worktree = true }, c = "c" }
        assert(value.ok and key)
        assert(#agent.all { "d", "e", "f" } == 3)
        agent.map({ 1, 2 }, function(n) return agent.query("g" .. n) end)
        agent.pipeline({ "x" }, { function(v) return agent.query("h" .. v) end })
        local task = agent.spawn { prompt = "i", worktree = true }
        task:send("more")
        for _ in task:events() do end
        assert(task:await().ok and task.branch and task.id)
        assert(agent.timeout(60, function() return agent.query("j").ok end))
        "#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut labels = labels(&plan);
    labels.sort_unstable();
    assert_eq!(labels, ["a", "b", "c", "d", "e", "f", "g1", "g2", "hx", "i", "j"]);
}

#[test]
fn loops_end() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r#"
        local function ask() return agent.query { prompt = "x", schema = { done = "boolean" } } end
        repeat local o = ask() until o.structured_output.done
        while ask().structured_output.done do end
        "#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!((3..40).contains(&labels(&plan).len()), "{}", labels(&plan).len());
    let (ran, plan) = self::plan(&home, "while true do pcall(agent.query, 'x') end");
    assert_eq!((ran.code, labels(&plan).len()), (1, 1000), "{}", ran.stderr);
    assert!(ran.stderr.contains("the plan has 1000 agents already"), "{}", ran.stderr);
}

#[test]
fn sleeping_takes_no_time_and_waiting_for_ever_ends() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r#"
        for _ = 1, 100 do agent.sleep(3600) end
        local task = agent.spawn "a"
        agent.sleep(3600)
        assert(task:await().ok)
        local first = agent.race { slow = function() agent.sleep(60) end, b = "b" }
        "#,
    );
    assert_eq!((ran.code, labels(&plan)), (0, vec!["a", "b"]), "{}", ran.stderr);
    let ran = planned(&home, &[], "agent.query 'x' while true do pcall(agent.sleep, 60) end");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("slept 1000 times without asking an agent"), "{}", ran.stderr);
    assert!(ran.stdout.contains("1 agent, 1 at once"), "{}", ran.stdout);
}

#[test]
fn what_a_script_makes_of_made_up_results_is_no_failure() {
    let home = repository();
    let (ran, plan) = plan(
        &home,
        r#"
        local dir = sh.check("mktemp -d").stdout:gsub("%s+$", "")
        assert(dir:sub(1, 1) == "/" and sh("ls", { cwd = dir }).stdout == "")
        fs.write(dir .. "/x", "1")
        assert(fs.read(dir .. "/x") == "1" and io.popen("mktemp -d"):read("l") ~= dir)
        assert(io.open(os.tmpname(), "w")):close()
        local done = agent.query "x"
        assert(done.result == "done", "it was not done")
        agent.query "never"
        "#,
    );
    assert_eq!((ran.code, labels(&plan)), (0, vec!["x"]), "{}", ran.stderr);
    assert!(plan["ended_early"].as_str().unwrap().ends_with("it was not done"), "{plan}");
    let ran = planned(&home, &[], "agent.query 'x' error('mine')");
    assert!(ran.stdout.contains("ended early: after results that are made up"), "{}", ran.stdout);
    for source in ["agent.query 'x' local n n.x = 1", "error('mine') agent.query 'x'"] {
        let ran = planned(&home, &[], source);
        assert_eq!(ran.code, 1, "{source}\n{}", ran.stderr);
        assert!(!ran.stdout.contains("ended early"), "{}", ran.stdout);
    }
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/demo.lua");
    let ran = home.run(&["run", "--dry-run", demo.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("dozen and discount change one line"), "{}", ran.stdout);
}

#[test]
fn money_that_nobody_spends_is_nothing() {
    let (_, plan) = plan(&repository(), "");
    assert_eq!(plan["known_usd"].to_string(), "0.0");
}

/// A script whose third agent kills its process in its second turn, once.
fn cut_off(home: &Home, second: &str, rest: &str) -> String {
    let alive = home.beside("alive").display().to_string();
    format!(
        r#"
        local model = agent.model {{ name = "worker", reply = function(r)
          local file = r.prompt:match("%a+") .. ".txt"
          if r.turn == 1 then
            return {{ tools = {{ {{ name = "Write", input = {{ file_path = file, content = "x" }} }} }} }}
          elseif r.prompt == "cut" and os.remove("{alive}") then
            local stat <close> = io.open("/proc/self/stat")
            os.execute("kill -9 " .. stat:read("n"))
          end
          return "did " .. r.prompt
        end }}
        agent.config {{ model = model }}
        local n = agent.once("n", function() return math.random(1 << 50) end)
        local one = agent.query {{ prompt = "one", branch = "one" }}
        assert(one.result == "did one" and one.files_changed[1] == "one.txt")
        local two = agent.query {{ prompt = "{second}", branch = "two" }}
        local cut = agent.query {{ prompt = "cut", branch = "cut", base = one }}
        assert(cut.branch == "cut" and cut.base_commit == one.head_commit)
        {rest}
        "#
    )
}

#[test]
fn a_resumed_run_is_planned_on_what_its_journal_has_and_nothing_is_written() {
    let home = repository();
    std::fs::write(home.beside("alive"), "").unwrap();
    home.write("main.lua", &cut_off(&home, "two", ""));
    assert_eq!(home.run(&["run", "main.lua"]).code, 137);
    let edited = cut_off(&home, "two again", "agent.query { prompt = 'new', branch = 'new' }");
    let json = ["--resume", "--output-format", "json", "--quiet"];
    let ran = planned(&home, &json, &edited);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stderr, ran.stdout);
    let plan = serde_json::from_str::<Value>(ran.stdout.trim()).unwrap()["plan"].clone();
    let agents = plan["agents"].as_array().unwrap();
    let before: Vec<_> = agents.iter().map(|agent| agent["before"].as_str()).collect();
    assert_eq!(
        before,
        [
            Some("from the journal"),
            Some("asked again: its prompt has changed"),
            Some("goes on at turn 2"),
            None
        ]
    );
    let branches: Vec<_> = agents.iter().map(|agent| agent["branch"].as_str().unwrap()).collect();
    assert_eq!(branches, ["one", "two", "cut", "new"]);
    // A model of the script's own has no price; who is not asked needs none.
    assert_eq!(plan["unknown"], 3);
    let ran = planned(&home, &["--resume"], &edited);
    for part in ["from the journal\n", "goes on at turn 2; every tool", "3 agents, 3 at once"] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    let ran = Ran::of(&mut home.command(&["resume", "--dry-run"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // It can be gone on with all the same.
    let ran = home.run(&["run", "--resume", "main.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn what_the_script_writes_it_finds_again_and_nobody_else() {
    let home = repository();
    home.write("there.txt", "old");
    let (ran, plan) = plan(
        &home,
        r##"
        fs.mkdir("out") fs.write("out/a", "1") fs.append("out/a", "2")
        assert(fs.read("out/a") == "12" and fs.exists("out/a"))
        local f = assert(io.open("there.txt", "a")) f:write(" new") f:close()
        assert(io.open("there.txt"):read("a") == "old new")
        assert(os.rename("there.txt", "moved") and not io.open("there.txt"))
        for line in io.lines("moved") do assert(line == "old new") end
        assert(os.remove("moved") and not os.remove("nothing"))
        fs.remove("src", { recursive = true })
        assert(not fs.exists("src/auth/login.js"))
        assert(sh("cat README.md").stdout == "# shop\n")
        assert(sh("git status --porcelain").ok and io.popen("echo x"):read("a") == "x\n")
        assert(sh.run { cmd = "cat", args = { "README.md" } }.stdout == "# shop\n")
        local done = sh("echo x > README.md")
        assert(done.ok and done.stdout == "")
        sh.check("rm -rf src", { cwd = "out" }) sh.run { cmd = "touch", args = { "a b" } }
        os.execute("touch y") io.popen("touch z", "w"):write("x")
        sh("git diff", { env = { GIT_EXTERNAL_DIFF = "touch evil; true" } })
        "##,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        steps(&plan),
        [
            "make the directory `out`",
            "write `out/a`",
            "append to `out/a`",
            "write `there.txt`",
            "write `moved`",
            "remove `there.txt`",
            "remove `moved`",
            "remove `src`",
            "run `echo x > README.md`",
            "run `rm -rf src`",
            "run `touch a b`",
            "run `touch y`",
            "run `touch z`",
            "run `git diff`",
        ]
    );
}

#[test]
fn an_earlier_run_is_looked_at_and_left_as_it_is() {
    let home = repository();
    home.write(
        "real.lua",
        "local model = agent.model { reply = function(r) return r.turn == 1 and
           { tools = { { name = 'Write', input = { file_path = 'new', content = 'x' } } } } or 'done' end }
         print(agent.query { prompt = 'x', branch = 'work', model = model }.id)",
    );
    let ran = home.run(&["run", "real.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let id = ran.stdout.trim();
    let (ran, plan) = plan(
        &home,
        &format!(
            "agent.query {{ prompt = 'more', resume = '{id}', label = 'again' }}
             agent.query {{ prompt = 'x', base = '{id}@turn:1', label = 'turn' }}
             assert(#agent.list() == 3)
             assert(#git.conflicts {{ 'work', 'main' }} == 0)
             assert(git.merge('work').status == 'merged')"
        ),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(labels(&plan), ["again", "turn"]);
    assert_eq!(plan["agents"][0]["branch"], "work");
    let told = planned(&home, &[], "agent.query { prompt = 'x', branch = 'work' }");
    assert!(told.stderr.contains(&format!("`{id}` made it in `run-")), "{}", told.stderr);
}

#[test]
fn a_real_conflict_is_foreseen() {
    let home = repository();
    for args in [
        &["switch", "--quiet", "--create", "other"][..],
        &["commit", "--quiet", "--all", "--message=other"],
        &["switch", "--quiet", "main"],
    ] {
        if args[0] == "commit" {
            home.write("README.md", "# other\n");
        }
        assert_eq!(Ran::of(home.command_of(Path::new("git")).args(args)).code, 0);
    }
    home.write("README.md", "# mine\n");
    let git = &["commit", "--quiet", "--all", "--message=mine"];
    assert_eq!(Ran::of(home.command_of(Path::new("git")).args(git)).code, 0);
    let (ran, plan) = plan(
        &home,
        r#"
        local merged, e = git.try_merge("other")
        assert(not merged and e.merge.status == "conflicted" and e.merge.paths[1] == "README.md")
        git.merge { branch = "other", on_conflict = { prompt = "mend it" } }
        "#,
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(steps(&plan), ["merge `other` into `main`; conflicts in README.md"]);
}

#[test]
fn shipped_scripts_can_be_planned() {
    let home = repository();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    home.write("src/a/code.sh", "");
    for (typed, agents) in [
        ("demo.lua", 3),
        ("fan_out.lua", 4),
        // Each try, and a panel of three.
        ("best_of.lua", 6),
        ("generate_tests.lua src/a/code.sh", 1),
        ("migrate.lua --task Migrate. src/a src/b", 2),
        ("migrate.lua --task Migrate. --sequential src/a src/b", 2),
        ("pipeline.lua src/a/code.sh", 3),
    ] {
        let mut typed = typed.split(' ');
        let name = typed.next().unwrap();
        let path = scripts.join(name).display().to_string();
        let mut command = home.command(&["run", "--dry-run", &path]);
        let ran = Ran::of(command.args(typed));
        let count = format!("\n{agents} agent{}, ", if agents == 1 { "" } else { "s" });
        assert!(ran.stdout.contains(&count), "{name}\n{}\n{}", ran.stdout, ran.stderr);
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let scripts = readme.split("```lua\n").skip(1);
    // What is a test runs scripts, and asks nobody itself.
    for (at, script) in scripts.filter(|script| !script.contains("agentlua.test")).enumerate() {
        home.write("main.lua", script.split("```").next().unwrap());
        let ran = home.run(&["run", "--dry-run", "main.lua"]);
        assert_eq!(ran.code, 0, "script {}: {}", at + 1, ran.stderr);
        assert!(ran.stdout.contains(" at once; cost at most "), "{}", ran.stdout);
    }
}

#[test]
fn there_is_a_plan_without_a_repository_too() {
    let home = Home::new();
    let (ran, plan) =
        plan(&home, "agent.query 'x' agent.try_query { prompt = 'y', worktree = true }");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(plan["agents"][1]["error"].as_str().unwrap().contains("not inside a git repository"));
    let repl = home.run(&["repl", "--dry-run"]);
    assert!(repl.code == 2 && repl.stderr.contains("cannot be planned"), "{}", repl.stderr);
}

#[test]
fn a_dry_run_is_for_who_runs_the_script() {
    let home = repository();
    home.write("main.lua", "print(agent.config().dry_run)");
    let is_planned = |ran: &Ran| {
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let planned = ran.stdout.starts_with("plan of main.lua");
        assert_eq!(if planned { &ran.stderr } else { &ran.stdout }, &format!("{planned}\n"));
        planned
    };
    assert!(!is_planned(&home.run(&["run", "main.lua"])));
    assert!(is_planned(&home.run(&["run", "--dry-run", "main.lua"])));
    for (value, planned) in [("1", true), ("0", false)] {
        let mut command = home.command(&["run", "main.lua"]);
        assert_eq!(is_planned(&Ran::of(command.env("AGENTLUA_DRY_RUN", value))), planned);
    }
    let user = home.beside("home/.config/agentlua");
    std::fs::create_dir_all(&user).unwrap();
    std::fs::write(user.join("config.toml"), "dry_run = true\n").unwrap();
    assert!(is_planned(&home.run(&["run", "main.lua"])));
    std::fs::remove_file(user.join("config.toml")).unwrap();
    home.write("agentlua.toml", "dry_run = true\n");
    let ran = home.run(&["run", "main.lua"]);
    assert!(ran.code == 2 && ran.stderr.contains("may not set `dry_run`"), "{}", ran.stderr);
}
