//! What lines leave behind, and how values look.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::home::{Home, Ran};
use super::screen::Screen;

/// Evaluates lines from a pipe, and returns what is printed.
fn printed(home: &Home, lines: &str) -> String {
    let ran = fed(home.command(&["repl"]), lines.as_bytes(), Stdio::piped());
    assert!(ran.code == 0 || ran.stderr.contains("error: "), "{ran:?}");
    ran.stdout + &ran.stderr
}

fn piped(home: &Home, lines: &[u8], stdout: Stdio) -> Ran {
    fed(home.command(&["repl"]), lines, stdout)
}

fn fed(mut command: Command, lines: &[u8], stdout: Stdio) -> Ran {
    command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lines).expect("it reads");
    drop(stdin);
    Ran::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_failure_on_a_pipe_is_told_and_what_follows_runs() {
    let home = Home::new();
    for (lines, message) in [
        (&b"x = 1\nboom()\nprint('after')\n"[..], "boom"),
        (b"print('after')\nagent.query {\n", "near <eof>"),
        (b"print('after')\n1 +", "near <eof>"),
        (b"print('\xff')\nprint('after')\n", "is not UTF-8"),
        (b":agnets\nprint('after')\n", "there is no command `:agnets`"),
        (b"boom()\nprint('after')\n:quit\n", "boom"),
    ] {
        let ran = piped(&home, lines, Stdio::piped());
        assert_eq!((ran.code, &*ran.stdout), (1, "after\n"), "{ran:?}");
        assert!(ran.stderr.contains(message), "{ran:?}");
    }
    let ran = piped(&home, b"1 +\n41\nos.exit(7)\n", Stdio::piped());
    assert_eq!((ran.code, &*ran.stdout), (7, "42\n"), "{ran:?}");
}

#[test]
fn nobody_who_reads_ends_it() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let ran = piped(&Home::new(), b"print('lost')\n1\n", full.into());
    assert_eq!(ran.code, 141, "{ran:?}");
}

#[test]
fn a_local_lives_on() {
    let home = Home::new();
    let text = printed(
        &home,
        "local x <const>, y = 1, 2\n\
         x, y\n\
         local function add(n) y = y + n return y end\n\
         add(5)\n\
         y\n\
         local print = print\n\
         print 'still there'\n\
         local agent = 'hidden'\n\
         agent\n\
         _G.agent ~= agent\n\
         rawget(_G, 'x')\n\
         local x\n\
         x\n\
         do local z = 1 end\n\
         z\n\
         local f <close> = setmetatable({}, { __close = function() print 'closed' end })\n\
         f\n\
         load('return x')()\n",
    );
    let expected = "1\n2\n7\n7\nstill there\n\"hidden\"\ntrue\nnil\nnil\nnil\nclosed\nnil\nnil\n";
    assert_eq!(text, expected);
}

#[test]
fn values_look_like_what_they_are() {
    let home = Home::new();
    home.repository();
    let text = printed(
        &home,
        "local t = { 1, name = 'x' } t.self = t\n\
         t\n\
         local task = agent.spawn(agent.sleep, 0) task:await()\n\
         task\n\
         git.try_diff('nowhere')\n\
         { git.try_diff('nowhere') }\n\
         { error = select(2, git.try_diff('nowhere')) }\n\
         sh 'echo out; echo err >&2; exit 3'\n\
         sh 'true'\n\
         git\n\
         { function() end, print }\n\
         '\\u{202e}' .. '\\27[31m'\n\
         #tostring(('x'):rep(9000))\n\
         { { file = 'src/' .. ('a'):rep(30), line = 12 }, { file = 'src/' .. ('b'):rep(30), line = 7 } }\n\
         { { x = 1, y = 2 }, { x = 3, y = 4 } }\n",
    );
    insta::assert_snapshot!(text, @r#"
    { 1, name = "x", self = <cycle> }
    <task /spawn#1 completed>
    nil
    git error: `nowhere` names no commit
      hint: `git branch --all` and `git tag` list what there is
    { nil, <error git: `nowhere` names no commit> }
    { error = <error git: `nowhere` names no commit> }
    out
    err
    it ended with 3
    it printed nothing, and went well
    <module git>, which `:help git` tells more about
    { <function repl:1>, <function> }
    "\u{202E}\27[31m"
    9000
    #  FILE                                LINE
    1  src/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  12
    2  src/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb  7
    { { x = 1, y = 2 }, { x = 3, y = 4 } }
    "#);
}

/// Answers the next request with a list.
fn answering(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut head = BufReader::new(&stream).lines();
        while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let size = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n");
        stream.write_all((head + body).as_bytes()).expect("it reads");
    });
    format!("http://{address}")
}

#[test]
fn issues_and_pull_requests_are_rows() {
    let home = Home::new();
    let shown = |call: &str, body| {
        let mut command = home.command(&["repl"]);
        command.env("GITHUB_API_URL", answering(body));
        let line = format!("github.{call} {{ repo = 'octo/hello' }}\n");
        fed(command, line.as_bytes(), Stdio::piped()).stdout
    };
    let pulls = shown(
        "pulls",
        r#"[{"number": 7, "html_url": "u", "state": "open", "title": "Adds x", "user": {"login": "ada"},
             "head": {"ref": "topic", "sha": "1"}, "base": {"ref": "main", "sha": "2"}}]"#,
    );
    insta::assert_snapshot!(pulls, @r"
    #  NUMBER  STATE  AUTHOR  BRANCH  TITLE
    1  7       open   ada     topic   Adds x
    ");
    let issues = shown(
        "issues",
        r#"[{"number": 3, "html_url": "u", "state": "open", "title": "Broken", "user": {"login": "ada"},
             "labels": [{"name": "bug"}, {"name": "ui"}], "comments": 0}]"#,
    );
    insta::assert_snapshot!(issues, @r"
    #  NUMBER  STATE  AUTHOR  LABELS   TITLE
    1  3       open   ada     bug, ui  Broken
    ");
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    for (name, wanted) in [("colour", true), ("plain", false)] {
        let home = Home::new();
        home.write("file.txt", "one\n");
        home.repository();
        home.write("file.txt", "two\n");
        let Some(screen) = Screen::open_in(home, name, "") else { return };
        if !wanted {
            screen.enters(":quit");
            screen.shows_line("left with 0");
            screen.tmux(&["set-environment", "-g", "NO_COLOR", "1"]);
            screen.reopen("");
        }
        screen.enters("git.diff()");
        screen.shows_line("-one");
        screen.shows_line("+two");
        screen.enters("error 'thrown'");
        screen.shows_line("error: thrown");
        screen.prompts();
        let text = screen.colours();
        assert_eq!(text.contains("\x1b[31m") && text.contains("\x1b[32m"), wanted, "{text:?}");
        assert_eq!(text.contains('\x1b'), wanted, "{text:?}");
    }
}
