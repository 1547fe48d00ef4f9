//! Mistakes that are found, each with its place and its words.

use super::{line, look};

/// Looks at each script, and compares what is found with what is said beside it.
fn finds(cases: &[(&str, &[&str])]) {
    for (source, expected) in cases {
        let found: Vec<_> = look(source).iter().map(line).collect();
        assert_eq!(found, *expected, "{source}");
    }
}

#[test]
fn syntax() {
    finds(&[
        ("local x = = 2", &["1:11-12 error: unexpected symbol near '='"]),
        (
            "print 'x'\nif true then\n",
            &[
                "2:13-14 error: 'end' expected (to close 'if' at line 2) near <eof> (each `function`, \
               `if`, `for`, `while` and `do` has an `end`)",
            ],
        ),
        (
            "local x <close> = nil; x = 1",
            &["1:24-25 error: attempt to assign to const variable 'x'"],
        ),
        ("\u{1b}Lua", &["1:1-5 error: `main.lua` is a binary file, not Lua text"]),
    ]);
}

#[test]
fn functions_that_there_are_not() {
    finds(&[
        (
            "agent.qurey 'x'",
            &["1:7-12 error: `agent` has no function `qurey` (did you mean `agent.query`?)"],
        ),
        (
            "local f = git.mergee\nf 'x'",
            &["1:15-21 warning: `git` has no function `mergee` (did you mean `git.merge`?)"],
        ),
        (
            "local git = require 'agentlua.git'\ngit.query 'x'",
            &["2:5-10 error: `git` has no function `query` (did you mean `agent.query`?)"],
        ),
        (
            "local test = require 'agentlua.test'\ntest.cse('x', print)",
            &["2:6-9 error: `test` has no function `cse` (did you mean `test.case`?)"],
        ),
        (
            "git['dif'] 'x'",
            &["1:5-10 error: `git` has no function `dif` (did you mean `git.diff`?)"],
        ),
        (
            "log.fatal 'x'",
            &[
                "1:5-10 error: `log` has no function `fatal` (it has `debug`, `error`, `info`, `warn`)",
            ],
        ),
        (
            "table.unpck {}",
            &["1:7-12 error: `table` has no function `unpck` (did you mean `table.unpack`?)"],
        ),
        (
            "agent:query 'x'",
            &["1:7-12 error: `agent:query` is no method (write `agent.query`, with a dot)"],
        ),
    ]);
}

#[test]
fn options_that_there_are_not() {
    finds(&[
        (
            "agent.query { promt = 'x' }",
            &["1:15-20 error: `agent.query` has no option `promt` (did you mean `prompt`?)"],
        ),
        (
            "local q = agent.query\nq { prompt = 'x', maxTurn = 3 }",
            &["2:19-26 error: `agent.query` has no option `maxTurn` (did you mean `max_turns`?)"],
        ),
        (
            "agent.try_query { prompt = 'x', permissionMode = 'plan' }",
            &[
                "1:33-47 error: `agent.query` has no option `permissionMode` (use `read_only` and rules in `allowed_tools`)",
            ],
        ),
        (
            "agent.query { prompt = 'x', ['modell'] = 'y' }",
            &["1:30-38 error: `agent.query` has no option `modell` (did you mean `model`?)"],
        ),
        (
            "agent.query { prompt = 'x', maxTurns = 1, max_turns = 2 }",
            &["1:43-52 error: `agent.query`: `max_turns` is given twice"],
        ),
        (
            "agent.query { 'x' }",
            &["1:15-18 error: `agent.query` takes named options, not the number key 1"],
        ),
        (
            "agent.query { label = 'x' }",
            &["1:13-14 error: `agent.query` needs the option `prompt`"],
        ),
        (
            "local options = { promt = 'x' }\nagent.query(options)",
            &["1:19-24 error: `agent.query` has no option `promt` (did you mean `prompt`?)"],
        ),
        (
            "local o = { prompt = 'x' }\no.max_turn = 3\nagent.query(o)\no.mine = 1",
            &["2:3-11 warning: `agent.query` has no option `max_turn` (did you mean `max_turns`?)"],
        ),
        (
            "sh('ls', { dir = 'x' })",
            &[
                "1:12-15 error: `sh` has no option `dir` (it takes `cwd`, `env`, `stdin`, `timeout`, `once`)",
            ],
        ),
        (
            "agent.all({ 'x' }, { limits = 2 })",
            &["1:22-28 error: `agent.all` has no option `limits` (it takes `limit`)"],
        ),
        (
            "git.fetch { prun = true }",
            &["1:13-17 error: `git.fetch` has no option `prun` (did you mean `prune`?)"],
        ),
        (
            "agent.query { prompt = 'x', worktree = { branch = 'y' } }",
            &[
                "1:42-48 error: `agent.query: worktree` has no option `branch` (put it beside `worktree`)",
            ],
        ),
        (
            "agent.query { prompt = 'x', hooks = { Stopp = print } }",
            &["1:39-44 error: `agent.query: hooks` has no option `Stopp` (did you mean `stop`?)"],
        ),
        (
            "agent.query { prompt = 'x', mcp_servers = { s = { comand = 'y' } } }",
            &[
                "1:51-57 error: `agent.query`: server `s`: `mcp_servers` has no option `comand` (did you mean `command`?)",
            ],
        ),
        (
            "git.merge { branch = 'x', on_conflict = { scope = {} } }",
            &[
                "1:43-48 error: `git.merge`: option `on_conflict`: `scope` is not for agents that work on a merge (they work in a temporary worktree, and what its files are is the merge)",
            ],
        ),
        (
            "agent.spawn { promt = 'x' }",
            &[
                "1:15-20 error: `agent.spawn`: `agent.query` has no option `promt` (did you mean `prompt`?)",
            ],
        ),
    ]);
}

#[test]
fn values_that_cannot_be() {
    finds(&[
        (
            "git.merge { branch = 'x', strategy = 'mrege' }",
            &[
                "1:38-45 error: `git.merge`: option `strategy` must be `merge`, `squash`, `ff` or `rebase`, not `mrege` (did you mean `merge`?)",
            ],
        ),
        (
            "agent.query { prompt = 'x', max_turns = 'ten' }",
            &[
                "1:41-46 error: `agent.query`: option `max_turns` must be a whole number, not string",
            ],
        ),
        (
            "agent.query { prompt = 'x', max_turns = 1.5 }",
            &["1:41-44 error: `agent.query`: option `max_turns` must be a whole number, not 1.5"],
        ),
        (
            "agent.query { prompt = 'x', read_only = 'yes' }",
            &["1:41-46 error: `agent.query`: option `read_only` must be true or false, not string"],
        ),
        (
            "agent.query { prompt = 'x', allowed_tools = 'Read' }",
            &[
                "1:45-51 error: `agent.query`: option `allowed_tools` must be a list of strings, not string",
            ],
        ),
        (
            "agent.query { prompt = 'x', scope = { 'src', 5 } }",
            &["1:46-47 error: `agent.query`: option `scope` must be a list of strings"],
        ),
        (
            "agent.query { prompt = ' ' }",
            &["1:24-27 error: `agent.query`: option `prompt` is empty"],
        ),
        (
            "agent.query(5)",
            &["1:13-14 error: `agent.query` takes a table of options or a prompt, not number"],
        ),
        (
            "agent.query()",
            &["1:1-6 error: `agent.query` takes a table of options or a prompt, not nil"],
        ),
        (
            "agent.query { prompt = 'x', max_turns = -1 }",
            &[
                "1:41-43 error: `agent.query`: option `max_turns` must be a whole number above 0, not -1",
            ],
        ),
        (
            "agent.query { prompt = 'x', worktree = false, branch = 'y' }",
            &["1:40-45 error: `agent.query`: option `worktree` is false, but `branch` is given"],
        ),
        (
            "agent.args { { '--name', '-n', 'strin' } }",
            &[
                "1:32-39 error: `agent.args`: `strin`, said of `--name`, is no type (did you mean `string`?)",
            ],
        ),
        (
            "agent.args { { '--name', 'string', requird = true } }",
            &[
                "1:36-43 error: `agent.args: argument` has no option `requird` (did you mean `required`?)",
            ],
        ),
        (
            "fs.read(5)",
            &["1:9-10 error: `fs.read`: argument 1 (`path`) must be a string, not number"],
        ),
        (
            "agent.map({}, 'x')",
            &["1:15-18 error: `agent.map`: argument 2 (`fn`) must be a function, not string"],
        ),
    ]);
}

#[test]
fn queries_that_are_called_too_soon() {
    let run = "`agent.query` has already run it: pass the query's table alone";
    for name in ["all", "all_settled", "race", "iter", "try_all", "try_race"] {
        let source = format!("agent.{name} {{\n  a = agent.query {{ prompt = 'x' }},\n}}");
        let name = name.trim_start_matches("try_");
        let error =
            format!("2:7-35 error: `agent.{name}`: item `a` is an outcome, not a query ({run})");
        let found: Vec<_> = look(&source).iter().map(line).collect();
        assert_eq!(found, [error]);
    }
    finds(&[
        (
            "agent.all { 'x', true, a = 'y' }",
            &[
                "1:18-22 error: `agent.all`: item 2 is a boolean (items are query tables, prompts, functions or tasks)",
                "1:24-25 error: `agent.all`: items are a list or have names, not both (`a`)",
            ],
        ),
        (
            "agent.all { { promt = 'x' } }",
            &[
                "1:15-20 error: `agent.all`: item 1: `agent.query` has no option `promt` (did you mean `prompt`?)",
            ],
        ),
        // A task is an item.
        ("agent.all { agent.spawn { prompt = 'x' } }", &[]),
    ]);
}

#[test]
fn variables_that_there_are_not() {
    finds(&[
        ("print(jbos + 1)", &["1:7-11 error: `jbos` is not defined"]),
        (
            "local jobs = {}\njbos[1] = 'x'",
            &["2:1-5 error: `jbos` is not defined (did you mean `jobs`?)"],
        ),
        (
            "if true then\n  local x = 1\nend\nprint(x .. 'y')",
            &["4:7-8 error: `x` is not defined (the local `x` of line 2 is not visible here)"],
        ),
        (
            "f()\nlocal function f() end",
            &["1:1-2 error: `f` is not defined (the local `f` begins only at line 2)"],
        ),
        ("print(null)", &["1:7-11 warning: `null` is not defined (Lua says `nil`)"]),
        ("print(unpack { 1 })", &["1:7-13 error: `unpack` is not defined (use `table.unpack`)"]),
        ("query 'x'", &["1:1-6 error: `query` is not defined (did you mean `agent.query`?)"]),
        // Of several places the first is told.
        ("gone()\ngone()", &["1:1-5 error: `gone` is not defined"]),
        ("return gone", &["1:8-12 warning: `gone` is not defined"]),
    ]);
}

#[test]
fn globals_of_agentlua() {
    finds(&[
        (
            "git = 'x'",
            &[
                "1:1-4 error: `git` is agentlua's and cannot be assigned (use another name, or `local`)",
            ],
        ),
        (
            "function log() end",
            &[
                "1:10-13 error: `log` is agentlua's and cannot be assigned (use another name, or `local`)",
            ],
        ),
        (
            "local agent = 'a'\nagent.query 'x'",
            &[
                "2:1-6 error: `agent` is a local here, and hides agentlua's `agent` (give the local of line 1 another name)",
            ],
        ),
        (
            "local agent = agent.spawn 'x'\nagent.query 'y'",
            &[
                "2:1-6 error: `agent` is a local here, and hides agentlua's `agent` (give the local of line 1 another name)",
            ],
        ),
        (
            "local git = { a = 1 }\ngit.merge 'x'",
            &[
                "2:1-4 error: `git` is a local here, and hides agentlua's `git` (give the local of line 1 another name)",
            ],
        ),
        (
            "for log = 1, 2 do log.info 'x' end",
            &[
                "1:19-22 error: `log` is a local here, and hides agentlua's `log` (give the local of line 1 another name)",
            ],
        ),
        (
            "for log in pairs {} do log.info 'x' end",
            &[
                "1:24-27 warning: `log` is a local here, and hides agentlua's `log` (give the local of line 1 another name)",
            ],
        ),
    ]);
}

#[test]
fn fields_of_results() {
    finds(&[
        (
            "local o = agent.query 'x'\nprint(o.reslt, o.worktreePath)",
            &["2:9-14 error: an outcome has no field `reslt` (did you mean `result`?)"],
        ),
        (
            "local task = agent.spawn 'x'\ntask:awiat()",
            &["2:6-11 error: a task has no method `awiat` (did you mean `:await`?)"],
        ),
        (
            "local ran = sh 'ls'\nprint(ran.output)",
            &[
                "2:11-17 error: a command result has no field `output` (it has `ok`, `code`, `stdout`, `stderr`)",
            ],
        ),
        (
            "print(agent.query('x').reslt)\nagent.spawn('x'):awiat()",
            &[
                "1:24-29 error: an outcome has no field `reslt` (did you mean `result`?)",
                "2:18-23 error: a task has no method `awiat` (did you mean `:await`?)",
            ],
        ),
        (
            "agent.budget:spnt()\nlocal budget = agent.budget\nprint(budget.totl, budget:spent())",
            &[
                "1:14-18 error: `agent.budget` has no field `spnt` (it has `total`, `:spent()` and `:remaining()`)",
                "3:14-18 error: `agent.budget` has no field `totl` (it has `total`, `:spent()` and `:remaining()`)",
            ],
        ),
        (
            "local pr = github.pull(1)\nprint(pr.titel)",
            &["2:10-15 error: a pull has no field `titel` (did you mean `title`?)"],
        ),
        // What was added is there.
        (
            "local o = agent.query 'x'\no.score = 1\nprint(o.score)",
            &[
                "3:9-14 warning: an outcome has no field `score` (it has `ok`, `subtype`, `result`, `structured_output`, `id`, `session_id`, `label`, `branch`, `worktree_path`, `base_commit`, `head_commit`, `files_changed`, `num_turns`, `duration_ms`, `duration_api_ms`, `usage`, `total_cost_usd`, `stop_reason`, `permission_denials`, `verify`)",
            ],
        ),
    ]);
}

#[test]
fn several_are_told_in_order() {
    let source = "#!/usr/bin/env agentlua\ngone()\nagent.query { promt = 'x' }\nagent.qurey 'x'\n";
    let lines: Vec<_> = look(source).iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [2, 3, 4]);
}
