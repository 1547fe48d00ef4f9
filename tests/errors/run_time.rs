//! What Lua itself raises: the variable, the field, the argument, the operator.

use insta::assert_snapshot;

use crate::home::Home;
use crate::stage::{by_stdin, script};

#[test]
fn variables_and_fields_are_marked() {
    assert_snapshot!(script(r"local t = {}
print(t.x.y)"), @r"
        error: attempt to index a nil value (field 'x')
          at main.lua:2
          2 | print(t.x.y)
            |         ^
        [exit 1]
    ");
    assert_snapshot!(script(r"local t = { a = {} }
t.a.run()"), @r"
        error: attempt to call a nil value (field 'run')
          at main.lua:2
          2 | t.a.run()
            |     ^^^
        [exit 1]
    ");
    assert_snapshot!(script(r"local s = {}
s:nosuch()"), @r"
        error: attempt to call a nil value (method 'nosuch')
          at main.lua:2
          2 | s:nosuch()
            |   ^^^^^^
        [exit 1]
    ");
    assert_snapshot!(script(r#"local n = nil
print("n is " .. n)"#), @r#"
        error: attempt to concatenate a nil value (local 'n')
          at main.lua:2
          2 | print("n is " .. n)
            |                  ^
        [exit 1]
    "#);
    assert_snapshot!(script(r"local a = {}
print(1 + a)"), @r"
        error: attempt to perform arithmetic on a table value (local 'a')
          at main.lua:2
          2 | print(1 + a)
            |           ^
        [exit 1]
    ");
    assert_snapshot!(script(r"print(({}) < 1)"), @r"
        error: attempt to compare table with number
          at main.lua:1
          1 | print(({}) < 1)
            |            ^
        [exit 1]
    ");
    assert_snapshot!(script(r#"string.rep("x", {})"#), @r#"
        error: bad argument #2 to 'rep' (number expected, got table)
          at main.lua:1
          1 | string.rep("x", {})
            |                 ^^
        [exit 1]
    "#);
    assert_snapshot!(script(r#"for i = 1, "x" do end"#), @r#"
        error: bad 'for' limit (number expected, got string)
          at main.lua:1
          1 | for i = 1, "x" do end
            | ^^^^^^^^^^^^^^
        [exit 1]
    "#);
}

#[test]
fn misspelt_names_are_suggested() {
    assert_snapshot!(script(r#"agent.quary("x")"#), @r#"
        error: `agent` has no function `quary`
          at main.lua:1
          1 | agent.quary("x")
            |       ^^^^^

        hint: did you mean `agent.query`?
        [exit 2]
    "#);
    assert_snapshot!(script(r"prnt(1)"), @r"
        error: `prnt` is not defined
          at main.lua:1
          1 | prnt(1)
            | ^^^^

        hint: did you mean `print`?
        [exit 2]
    ");
    assert_snapshot!(script(r#"git.mrege { branch = "x" }"#), @r#"
        error: `git` has no function `mrege`
          at main.lua:1
          1 | git.mrege { branch = "x" }
            |     ^^^^^

        hint: did you mean `git.merge`?
        [exit 2]
    "#);
}

#[test]
fn what_a_script_raises_is_told_with_its_way() {
    assert_snapshot!(script(r#"local function deep()
  error("no luck today")
end
local function outer()
  deep()
end
outer()"#), @r#"
        error: no luck today
          at main.lua:2
          2 |   error("no luck today")
            |   ^^^^^
          from function 'outer' (main.lua:5)
          from main chunk (main.lua:7)
        [exit 1]
    "#);
    assert_snapshot!(script(r"error({ code = 7 })"), @r"
        error: { code = 7 }
          at main.lua:1
          1 | error({ code = 7 })
            | ^^^^^
        [exit 1]
    ");
    assert_snapshot!(script(r#"assert(io.open("/none/x"))"#), @r#"
        error: /none/x: No such file or directory
          at main.lua:1
          1 | assert(io.open("/none/x"))
            | ^^^^^^
        [exit 1]
    "#);
    assert_snapshot!(script(r#"error("first line\nsecond line", 0)"#), @r#"
        error: first line
            second line
          at main.lua:1
          1 | error("first line\nsecond line", 0)
            | ^^^^^
        [exit 1]
    "#);
    assert_snapshot!(script(r"local function f()
  return 1 + f()
end
f()"), @r"
        error: stack overflow
          at main.lua:2
          2 |   return 1 + f()
            |              ^
          from function 'f' (main.lua:2), 9 times
          … MANY more calls
          from function 'f' (main.lua:2), 8 times
          from main chunk (main.lua:4)
        [exit 1]
    ");
}

#[test]
fn texts_that_are_no_files_show_their_lines() {
    assert_snapshot!(by_stdin(r"local x = nil
print(x.y)
"), @r"
        error: attempt to index a nil value (local 'x')
          at stdin:2
          2 | print(x.y)
            |       ^
        [exit 1]
    ");
    assert_snapshot!(script(r#"load("local x = nil\nx.y()")()"#), @r#"
        error: attempt to index a nil value (local 'x')
          at [string "local x = nil..."]:2
          2 | x.y()
            | ^
          from main chunk (main.lua:1)
        [exit 1]
    "#);
}

#[test]
fn tabs_wide_letters_and_long_lines_keep_the_caret_right() {
    assert_snapshot!(script(r#"local x = nil
	print("日本語", x.y)"#), @r#"
        error: attempt to index a nil value (local 'x')
          at main.lua:2
          2 |     print("日本語", x.y)
            |                     ^
        [exit 1]
    "#);
    assert_snapshot!(script(r"local x = nil
print(x.y)
"), @r"
        error: attempt to index a nil value (local 'x')
          at main.lua:2
          2 | print(x.y)
            |       ^
        [exit 1]
    ");
    assert_snapshot!(script(r"local x = nil
local t = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, x.y, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, }"), @r"
        error: attempt to index a nil value (local 'x')
          at main.lua:2
          2 | …1, 1, 1, 1, 1, 1, 1, 1, 1, 1, x.y, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, …
            |                                ^
        [exit 1]
    ");
}

#[test]
fn variables_of_agentlua_stay() {
    assert_snapshot!(script(r"agent = 5"), @r"
        error: `agent` is agentlua's and cannot be assigned
          at main.lua:1
          1 | agent = 5
            | ^^^^^

        hint: use another name, or `local`
        [exit 2]
    ");
    assert_snapshot!(script(r#"local o = sh "true"
print(o.exitcode)"#), @r"
        error: a command result has no field `exitcode`
          at main.lua:2
          2 | print(o.exitcode)
            |         ^^^^^^^^

        hint: it has `ok`, `code`, `stdout`, `stderr`
        [exit 2]
    ");
}

#[test]
fn of_two_that_can_be_meant_none_is_marked() {
    assert_snapshot!(script(r"git.merge({}); git.merge({})"), @r"
        error: `git.merge` needs the option `branch`
          at main.lua:1
          1 | git.merge({}); git.merge({})
        [exit 2]
    ");
    assert_snapshot!(script(r#"agent.query { prompt = "x" }; agent.query { promt = "x" }"#), @r#"
        error: `agent.query` has no option `promt`
          at main.lua:1
          1 | agent.query { prompt = "x" }; agent.query { promt = "x" }
            |                                             ^^^^^

        hint: did you mean `prompt`?
        [exit 2]
    "#);
    assert_snapshot!(script(r#"if true then error("no") else error("yes") end"#), @r#"
        error: no
          at main.lua:1
          1 | if true then error("no") else error("yes") end
        [exit 1]
    "#);
}

#[test]
fn what_others_say_is_shown_as_text() {
    assert_snapshot!(script(r#"error("no\27[2J\a luck\r\nhint: rm -rf /\n  at x.lua:1", 0)"#), @r#"
        error: no [2J  luck
            hint: rm -rf /
              at x.lua:1
          at main.lua:1
          1 | error("no\27[2J\a luck\r\nhint: rm -rf /\n  at x.lua:1", 0)
            | ^^^^^
        [exit 1]
    "#);
    let home = Home::new();
    let ran = home.script("log.warn('a\\27[2J\\nerror: forged')");
    assert!(ran.stderr.contains("warning: a [2J\n    error: forged\n"), "{}", ran.stderr);
}
