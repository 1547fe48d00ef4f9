//! Texts that are no Lua: the word that the compiler stumbled over, and what it wants closed.

use insta::assert_snapshot;

use crate::stage::{by_stdin, script};

#[test]
fn the_word_that_is_wrong_is_marked() {
    assert_snapshot!(script(r"local y = = 2"), @r"
        error: unexpected symbol near '='
          at main.lua:1
          1 | local y = = 2
            |           ^
        [exit 2]
    ");
    assert_snapshot!(script(r#"print("a" "b")"#), @r#"
        error: ')' expected near '"b"'
          at main.lua:1
          1 | print("a" "b")
            |           ^^^
        [exit 2]
    "#);
    assert_snapshot!(script(r"local x <const> = 1
x = 2"), @r"
        error: attempt to assign to const variable 'x'
          at main.lua:2
          2 | x = 2
            | ^
        [exit 2]
    ");
    assert_snapshot!(script(r"goto nowhere"), @r"
        error: no visible label 'nowhere' for `goto`
          at main.lua:1
          1 | goto nowhere
            |      ^^^^^^^
        [exit 2]
    ");
    assert_snapshot!(script(r#"local s = "open
"#), @r#"
        error: unfinished string near '"open'
          at main.lua:1
          1 | local s = "open
            |           ^^^^^
        [exit 2]
    "#);
}

#[test]
fn what_is_not_closed_is_marked() {
    assert_snapshot!(script(r"local function f()
  if true then
    return 1
end
print(f())
"), @r"
        error: 'end' expected (to close 'function' at line 1) near <eof>
          at main.lua:5
          1 | local function f()
            |       ^^^^^^^^
          ⋮
          5 | print(f())
            |           ^

        hint: each `function`, `if`, `for`, `while` and `do` has an `end`
        [exit 2]
    ");
    assert_snapshot!(script(r"local t = {
  1, 2
print(t)"), @r"
        error: '}' expected (to close '{' at line 1) near 'print'
          at main.lua:3
          1 | local t = {
            |           ^
          ⋮
          3 | print(t)
            | ^^^^^
        [exit 2]
    ");
    assert_snapshot!(script(r"local s = [[
 never closed
"), @r"
        error: unfinished long string (starting at line 1) near <eof>
          at main.lua:2
          1 | local s = [[
            |           ^^
          2 |  never closed
        [exit 2]
    ");
}

#[test]
fn habits_from_other_languages_have_a_hint() {
    assert_snapshot!(script(r"if a != b then end"), @r"
        error: 'then' expected near '!'
          at main.lua:1
          1 | if a != b then end
            |      ^

        hint: Lua writes `~=` for unequal and `not x` for the opposite
        [exit 2]
    ");
    assert_snapshot!(script(r"local n = 0
n += 1"), @r"
        error: syntax error near '+'
          at main.lua:2
          2 | n += 1
            |   ^

        hint: Lua has no `++` and no `+=`: write `x = x + 1`
        [exit 2]
    ");
    assert_snapshot!(script(r"if x = 1 then end"), @r"
        error: 'then' expected near '='
          at main.lua:1
          1 | if x = 1 then end
            |      ^

        hint: Lua compares with `==`
        [exit 2]
    ");
    assert_snapshot!(script(r"for i = 1, 3 do continue end"), @r"
        error: syntax error near 'end'
          at main.lua:1
          1 | for i = 1, 3 do continue end
            |                          ^^^

        hint: Lua has no `continue`: `goto continue`, with `::continue::` before the loop's `end`
        [exit 2]
    ");
    assert_snapshot!(script(r"if a && b then end"), @r"
        error: unexpected symbol near '&'
          at main.lua:1
          1 | if a && b then end
            |       ^

        hint: Lua writes `and` and `or`
        [exit 2]
    ");
}

#[test]
fn it_is_found_wherever_the_text_comes_from() {
    assert_snapshot!(by_stdin(r"print(1)
local x = = 2
"), @r"
        error: unexpected symbol near '='
          at stdin:2
          2 | local x = = 2
            |           ^
        [exit 2]
    ");
    assert_snapshot!(script(r"#!/usr/bin/env agentlua
local x = 1 +
"), @r"
        error: unexpected symbol near <eof>
          at main.lua:2
          2 | local x = 1 +
            |              ^
        [exit 2]
    ");
}

#[test]
fn a_missing_comma_is_asked_for() {
    assert_snapshot!(script(r#"local t = { prompt = "hi"
branch = "b" }"#), @r#"
        error: '}' expected (to close '{' at line 1) near 'branch'
          at main.lua:2
          1 | local t = { prompt = "hi"
            |           ^
          2 | branch = "b" }
            | ^^^^^^

        hint: is a comma missing before `branch`?
        [exit 2]
    "#);
}

#[test]
fn what_is_nested_too_deep_is_told_in_our_words() {
    let source = format!("return {}1{}", "(".repeat(300), ")".repeat(300));
    assert_snapshot!(script(&source), @r"
        error: it is nested too deep for Lua
          at main.lua:1
          1 | return (((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((…
            | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        hint: Lua takes 200 levels of brackets and blocks
        [exit 2]
    ");
}
