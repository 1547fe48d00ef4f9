//! Command lines that cannot be understood: the same manners, and the next thing to type.

use insta::assert_snapshot;

use crate::home::Home;
use crate::stage::{told, typed};

#[test]
fn commands() {
    assert_snapshot!(typed(&["rnu", "x.lua"]), @r"
        error: agentlua has no command `rnu`

        hint: did you mean `agentlua runs`?
        [exit 2]
    ");
    assert_snapshot!(typed(&["main.lua"]), @r"
        error: agentlua has no command `main.lua`

        hint: agentlua run main.lua
        [exit 2]
    ");
    assert_snapshot!(typed(&["agents", "x"]), @r"
        error: `agentlua agents` takes no argument `x`

        hint: `agentlua agents --help` lists what there is
        [exit 2]
    ");
    assert_snapshot!(typed(&["--vers"]), @r"
        error: `agentlua` has no option `--vers`

        hint: did you mean `--version`?
        [exit 2]
    ");
}

#[test]
fn options() {
    assert_snapshot!(typed(&["run", "--modle", "x", "main.lua"]), @r"
        error: `agentlua run` has no option `--modle`

        hint: did you mean `--model`?
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--concurrency", "x", "main.lua"]), @r"
        error: `--concurrency` cannot be `x`: it is a number

        hint: `agentlua run --help` lists what there is
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--model"]), @r"
        error: `--model` needs a value: `--model <NAME|FILE.lua>`

        hint: `agentlua run --help` lists what there is
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--record", "a", "--replay", "b", "main.lua"]), @r"
        error: `--record` cannot go with `--replay`

        hint: `agentlua run --help` lists what there is
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--quiet", "--quiet", "main.lua"]), @r"
        error: `--quiet` is given twice

        hint: `agentlua run --help` lists what there is
        [exit 2]
    ");
    assert_snapshot!(typed(&["runs", "--json=5"]), @r"
        error: `--json` takes no value

        hint: `agentlua runs --help` lists what there is
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--output-format", "jso", "main.lua"]), @r"
        error: `--output-format` must be text, json or stream-json, not `jso`
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--concurrency", "0", "main.lua"]), @r"
        error: `concurrency` must be from 1 to 10000, not 0
        [exit 2]
    ");
}

#[test]
fn values_of_a_few_are_all_named() {
    assert_snapshot!(typed(&["completions", "tcsh"]), @r"
        error: `SHELL` cannot be `tcsh`

        hint: did you mean `zsh`? it is one of `bash`, `zsh`, `fish`, `elvish`, `powershell`, `man`
        [exit 2]
    ");
}

#[test]
fn options_behind_the_script_are_named_where_they_were_meant() {
    let home = Home::new();
    home.write("main.lua", "agent.query \"x\"");
    assert_snapshot!(told(&home, &home.run(&["run", "main.lua", "--model", "m.lua"])), @r#"
        error: no model is named and no key is set
          at main.lua:1
          1 | agent.query "x"
            | ^^^^^^^^^^^

        hint: options of `run` go before the script: agentlua run --model m.lua main.lua
        [exit 1]
    "#);
}

#[test]
fn what_is_missing() {
    assert_snapshot!(typed(&["run"]), @r"
        error: `agentlua run` needs `SCRIPT`

        hint: agentlua run SCRIPT [ARG…]
        [exit 2]
    ");
    assert_snapshot!(typed(&["send", "agent-1"]), @r"
        error: `agentlua send` needs `TEXT`

        hint: agentlua send ID TEXT
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "none.lua"]), @r"
        error: cannot read the script `none.lua`
        caused by: no such file or directory

        hint: agentlua run SCRIPT.lua, or `-` for standard input
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--model", "none.lua", "main.lua"]), @r"
        error: cannot read the model `none.lua`
        caused by: no such file or directory

        hint: it is a Lua file that ends with `return agent.model { … }`
        [exit 2]
    ");
    assert_snapshot!(typed(&["run", "--replay", "none.jsonl", "main.lua"]), @r"
        error: cannot read the recording `$ROOT/work/none.jsonl`
        caused by: no such file or directory

        hint: make one: agentlua run --record $ROOT/work/none.jsonl SCRIPT
        [exit 2]
    ");
}

#[test]
fn ids() {
    assert_snapshot!(typed(&["diff", "nope"]), @r"
        error: no agent has the id `nope`

        hint: `agentlua agents --all` lists them
        [exit 2]
    ");
    assert_snapshot!(typed(&["logs", "nope"]), @r"
        error: no agent and no run has the id `nope`

        hint: `agentlua agents --all` and `agentlua runs` list them
        [exit 2]
    ");
    assert_snapshot!(typed(&["resume", "nope"]), @r"
        error: no run here has the id `nope`

        hint: there was none yet; runs are known where their repository is
        [exit 2]
    ");
    assert_snapshot!(typed(&["stop", "nope"]), @r"
        error: no agent of this repository has the id `nope`

        hint: `agentlua agents --all` lists them
        [exit 2]
    ");
}
