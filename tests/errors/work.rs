//! Git: branches, merges, verification.

use insta::assert_snapshot;

use crate::stage::{in_repository, script};

#[test]
fn branches() {
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query { prompt = "a=1", model = m.writer, branch = "main" }"#), @r#"
        error: the branch `main` already exists: it is yours, no agent made it
          at main.lua:2
          2 | agent.query { prompt = "a=1", model = m.writer, branch = "main" }
            |                                                          ^^^^^^

        hint: `if_exists = "number"` makes another beside it, `if_exists = "continue"` goes on in it; or choose another name
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"git.merge { branch = "nowhere" }"#), @r#"
        error: `nowhere` names no commit
          at main.lua:1
          1 | git.merge { branch = "nowhere" }
            |                      ^^^^^^^^^

        hint: `git branch --all` and `git tag` list what there is
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"git.diff("nowhere")"#), @r#"
        error: `nowhere` names no commit
          at main.lua:1
          1 | git.diff("nowhere")
            |          ^^^^^^^^^

        hint: `git branch --all` and `git tag` list what there is
        [exit 1]
    "#);
    assert_snapshot!(script(r#"agent.query { prompt = "x", worktree = true, model = require("models").done }"#), @r#"
        error: `$ROOT/work` is not inside a git repository
          at main.lua:1
          1 | agent.query { prompt = "x", worktree = true, model = require("models").done }
            | ^^^^^^^^^^^

        hint: git init && git add . && git commit -m start
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query { prompt = "x", model = m.done, worktree = false, branch = "b" }"#), @r#"
        error: `agent.query`: option `worktree` is false, but `branch` is given
          at main.lua:2
          2 | agent.query { prompt = "x", model = m.done, worktree = false, branch = "b" }
            |                                                        ^^^^^
        [exit 2]
    "#);
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query { prompt = "x", model = m.done, branch = "two words" }"#), @r#"
        error: `two words` cannot be the name of a branch: see `git help check-ref-format`
          at main.lua:2
          2 | agent.query { prompt = "x", model = m.done, branch = "two words" }
            |                                                      ^^^^^^^^^^^

        hint: look at how it went: agentlua logs agent-ID
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query { prompt = "x", model = m.done, base = "v9" }"#), @r#"
        error: `v9` names no commit
          at main.lua:2
          2 | agent.query { prompt = "x", model = m.done, base = "v9" }
            |                                                    ^^^^

        hint: `git branch --all` and `git tag` list what there is
        [exit 1]
    "#);
}

#[test]
fn merges() {
    assert_snapshot!(in_repository(r#"local m = require "models"
for _, text in ipairs { "one", "two" } do
  agent.query { prompt = "new.txt=" .. text, model = m.writer, branch = text }
end
git.merge { branch = "one", into = "main" }
git.merge { branch = "two", into = "main" }"#), @r#"
        error: merging `two` into `main` conflicts in `new.txt`
          at main.lua:6
          6 | git.merge { branch = "two", into = "main" }
            |                      ^^^^^

        hint: `main` is as it was; an agent settles it with `on_conflict = {}`
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query { prompt = "new.txt=1", model = m.writer, branch = "one" }
fs.write("README.md", "changed by hand")
fs.write("new.txt", "mine")
git.merge { branch = "one", into = "main" }"#), @r#"
        error: cannot merge `one` into `main`: `$ROOT/work` has uncommitted changes in `new.txt`, which the merge changes too
          at main.lua:5
          5 | git.merge { branch = "one", into = "main" }
            |                      ^^^^^

        hint: git commit, or git stash
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query { prompt = "new.txt=1", model = m.writer, branch = "one" }
git.merge { branch = "one", into = "main", verify = "exit 3" }"#), @r#"
        error: `exit 3` failed with exit code 3 after merging `one` into `main`
          at main.lua:3
          3 | git.merge { branch = "one", into = "main", verify = "exit 3" }
            |                                                     ^^^^^^^^
        [exit 1]
    "#);
}

#[test]
fn verification() {
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query {
  prompt = "new.txt=1",
  model = m.writer,
  branch = "one",
  verify = "echo 2 tests failed; exit 1",
  verify_attempts = 1,
}"#), @r#"
        error: verify failed once, as it did before the agent began: `echo 2 tests failed; exit 1` failed with exit code 1
          at main.lua:2
          2 | agent.query {
          ⋮
          6 |   verify = "echo 2 tests failed; exit 1",
            |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        hint: look at the work: git diff HEAD...one
        [exit 1]
    "#);
    assert_snapshot!(in_repository(r#"local m = require "models"
agent.query {
  prompt = "new.txt=1",
  model = m.writer,
  branch = "one",
  verify = function(outcome)
    return outcome.nothing
  end,
}"#), @r"
        error: verify failed 3 times: main.lua:7: an outcome has no field `nothing`
          at main.lua:2
          2 | agent.query {
            | ^^^^^^^^^^^

        hint: look at the work: git diff HEAD...one
        [exit 1]
    ");
    assert_snapshot!(in_repository(r#"local m = require "models"
local kept = agent.query { prompt = "new.txt=1", model = m.writer, branch = "one" }
agent.query { prompt = "new.txt=2", model = m.writer, branch = kept.branch }"#), @r#"
        error: the branch `one` already exists: `agent-ID` made it in `run-ID`
          at main.lua:3
          3 | agent.query { prompt = "new.txt=2", model = m.writer, branch = kept.branch }
            | ^^^^^^^^^^^

        hint: `if_exists = "number"` makes another beside it, `if_exists = "continue"` goes on in it; or choose another name
        [exit 1]
    "#);
}
