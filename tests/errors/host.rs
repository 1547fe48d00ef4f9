//! Files, commands, JSON, modules.

use insta::assert_snapshot;

use crate::stage::script;

#[test]
fn files() {
    assert_snapshot!(script(r#"fs.read("none.txt")"#), @r#"
        error: cannot read `none.txt`: no such file or directory
          at main.lua:1
          1 | fs.read("none.txt")
            |         ^^^^^^^^^^
        [exit 1]
    "#);
    assert_snapshot!(script(r#"fs.write("none/deep/x.txt", {})"#), @r#"
        error: `fs.write`: argument 2 (`content`) must be a string, not table
          at main.lua:1
          1 | fs.write("none/deep/x.txt", {})
            |                             ^^
        [exit 2]
    "#);
    assert_snapshot!(script(r#"local text = fs.read "/""#), @r#"
        error: cannot read `/`: it is a directory
          at main.lua:1
          1 | local text = fs.read "/"
            |                      ^^^
        [exit 1]
    "#);
}

#[test]
fn json() {
    assert_snapshot!(script(r#"json.decode("{ x }")"#), @r#"
        error: `json.decode`: the text is no JSON: key must be a string at line 1 column 3
          at main.lua:1
          1 | json.decode("{ x }")
            | ^^^^^^^^^^^
        [exit 1]
    "#);
    assert_snapshot!(script(r"json.encode({ 1, x = 2 })"), @r"
        error: `json.encode`: the value: the table mixes list items with named fields (`x`)
          at main.lua:1
          1 | json.encode({ 1, x = 2 })
            |                  ^
        [exit 2]
    ");
    assert_snapshot!(script(r"json.encode({ f = print })"), @r"
        error: `json.encode`: the value.f: a function has no JSON form
          at main.lua:1
          1 | json.encode({ f = print })
            | ^^^^^^^^^^^
        [exit 2]
    ");
}

#[test]
fn commands() {
    assert_snapshot!(script(r#"sh("")"#), @r#"
        error: `sh`: the command is empty
          at main.lua:1
          1 | sh("")
            | ^^
        [exit 2]
    "#);
    assert_snapshot!(script(r#"sh("sleep 60", { timeout = 0.1 })"#), @r#"
        error: `sh`: `sleep 60` was not done after 0.1 s
          at main.lua:1
          1 | sh("sleep 60", { timeout = 0.1 })
            |    ^^^^^^^^^^
        [exit 1]
    "#);
    assert_snapshot!(script(r#"sh.run { cmd = "no-such-program" }"#), @r#"
        error: `sh.run`: cannot run `no-such-program`: there is no program `no-such-program`
          at main.lua:1
          1 | sh.run { cmd = "no-such-program" }
            |                ^^^^^^^^^^^^^^^^^
        [exit 1]
    "#);
}

#[test]
fn modules() {
    assert_snapshot!(script(r#"local lib = require "lib.none""#), @r#"
        error: module `lib.none` is not found
          at main.lua:1
          1 | local lib = require "lib.none"
            |                     ^^^^^^^^^^

        hint: it has to be at `lib/none.lua`, or where `package.path` says
        [exit 1]
    "#);
    assert_snapshot!(script(r#"local q = require "agentlua.gti""#), @r#"
        error: module `agentlua.gti` is not found
          at main.lua:1
          1 | local q = require "agentlua.gti"
            |                   ^^^^^^^^^^^^^^

        hint: did you mean `require "agentlua.git"`?
        [exit 1]
    "#);
    assert_snapshot!(script(r#"os.exit("x")"#), @r#"
        error: `os.exit` takes a whole number, true or false
          at main.lua:1
          1 | os.exit("x")
            | ^^^^^^^
        [exit 2]
    "#);
}
