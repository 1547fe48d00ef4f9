//! Wrong answers: what is asked again, what is waited for, and what is said of the rest.

use std::time::{SystemTime, UNIX_EPOCH};

use insta::assert_snapshot;

use crate::home::Ran;
use crate::server::{Fault, Server};
use crate::stage::{Stage, TOKEN};

const PULLS: &str = "/repos/octo/hello/pulls";

#[test]
fn what_only_looks_is_asked_again() {
    let stage = Stage::new();
    for fault in [
        Fault::new(502, &[("content-type", "text/html")], "<html><h1>502 Bad Gateway</h1></html>"),
        Fault::new(200, &[("content-type", "application/json")], "[{\"number\": 1, \"tit"),
    ] {
        stage.server.fail(PULLS, fault);
    }
    assert_eq!(stage.print("print(#github.pulls())"), "0\n");
    assert_eq!(stage.server.paths("GET").len(), 3);
    for _ in 0..4 {
        stage.server.fail(PULLS, Fault::new(503, &[], "{\"message\":\"Service unavailable\"}"));
    }
    assert_snapshot!(stage.error("github.pulls()"), @r"
    io: GitHub at `127.0.0.1:PORT` failed at `GET /repos/octo/hello/pulls` (503): Service unavailable
    ");
    assert_eq!(stage.server.paths("GET").len(), 7);
}

#[test]
fn what_changes_something_is_not() {
    let stage = Stage::new();
    stage.server.fail("/repos", Fault::new(502, &[], "<html>"));
    assert_snapshot!(stage.error("github.comment(1, 'x')"), @r"
    io: GitHub at `127.0.0.1:PORT` failed at `POST /repos/octo/hello/issues/1/comments` (502)
      it may have happened all the same: look before you do it again
    ");
    assert_eq!(stage.server.paths("POST").len(), 1);
}

#[test]
fn limits_are_waited_for() {
    let stage = Stage::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let reset = (now + 1).to_string();
    let primary = Fault::new(
        403,
        &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &reset)],
        "{\"message\":\"API rate limit exceeded for user ID 1.\",\"documentation_url\":\"https://docs.github.com/rest\"}",
    );
    let secondary = Fault::new(
        429,
        &[("retry-after", "1")],
        "{\"message\":\"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.\"}",
    );
    stage.server.fail(PULLS, primary);
    stage.server.fail("/repos/octo/hello/issues", secondary);
    std::fs::write(stage.home.beside("main.lua"), "print(#github.pulls()) github.comment(1, 'x')")
        .unwrap();
    let ran = Ran::of(&mut stage.command(&["run", "../main.lua"]));
    assert_eq!((ran.code, &*ran.stdout), (0, "0\n"), "{ran:?}");
    assert!(ran.stderr.contains("GitHub's rate limit is spent: asking again in "), "{ran:?}");
    assert!(ran.stderr.contains("asking again in 1 s"), "{ran:?}");
    assert_eq!(stage.server.paths("POST").len(), 2, "nothing was done before");
}

#[test]
fn nobody_waits_for_ever() {
    let stage = Stage::new();
    stage.server.fail(PULLS, Fault::new(429, &[("retry-after", "3601")], "{}"));
    assert_snapshot!(stage.error("github.pulls()"), @r"
    timeout: GitHub's rate limit is spent, for 61 more minutes
      go on later with `agentlua resume`
    ");
    let later = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 1801;
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", &*later.to_string())];
    stage.server.fail(PULLS, Fault::new(403, &headers, "{}"));
    let mut command = stage.script("github.pulls()");
    let ran = Ran::of(command.env_remove("GITHUB_TOKEN"));
    assert!(ran.stderr.contains("set GITHUB_TOKEN: with a token"), "{ran:?}");
}

#[test]
fn refusals_say_what_to_do() {
    let stage = Stage::new();
    let mut said = String::new();
    for (status, body) in [
        (401, "{\"message\":\"Bad credentials\"}"),
        (403, "{\"message\":\"Resource not accessible by personal access token\"}"),
        (404, "{\"message\":\"Not Found\"}"),
        (410, "{\"message\":\"Issues are disabled for this repo\"}"),
        (
            422,
            "{\"message\":\"Validation Failed\",\"errors\":[{\"resource\":\"PullRequest\",\"code\":\"invalid\",\"field\":\"base\"}]}",
        ),
        (418, "short and stout"),
    ] {
        stage.server.fail(PULLS, Fault::new(status, &[], body));
        said += &stage.error("github.pulls()");
    }
    assert_snapshot!(said, @r"
    io: GitHub does not know the token: Bad credentials
      is GITHUB_TOKEN still valid, and of the host that GITHUB_API_URL names?
    io: the token may not `GET /repos/octo/hello/pulls`: Resource not accessible by personal access token
      give the token in GITHUB_TOKEN that permission, and access to the repository
    io: there is no `/repos/octo/hello/pulls` at GitHub, or the token may not see it
      check the name; a private repository needs a token with access to it
    io: `/repos/octo/hello/pulls` is gone or turned off at GitHub: Issues are disabled for this repo
    io: GitHub cannot do `GET /repos/octo/hello/pulls`: Validation Failed: `base` is invalid
    io: GitHub refused `GET /repos/octo/hello/pulls` (418)
    ");
    let mut said = String::new();
    for status in [401, 403, 404] {
        stage.server.fail(PULLS, Fault::new(status, &[], "{}"));
        let mut command = stage
            .script("local _, e = github.try_pulls() print(e.kind, e.status, e.message, e.hint)");
        said += &Ran::of(command.env_remove("GITHUB_TOKEN")).stdout;
    }
    assert_snapshot!(said, @r"
    io	401	`GET /repos/octo/hello/pulls` needs a token	set GITHUB_TOKEN
    io	403	`GET /repos/octo/hello/pulls` is not allowed	set GITHUB_TOKEN
    io	404	there is no `/repos/octo/hello/pulls` at GitHub that everybody may see	check the name; a private repository needs a token: set GITHUB_TOKEN
    ");
}

#[test]
fn answers_of_something_else_are_no_answers() {
    let stage = Stage::new();
    let mut said = String::new();
    for (body, call) in [
        ("{\"pulls\": []}", "github.pulls()"),
        ("[{\"number\": \"seven\"}]", "github.pulls()"),
        ("[{\"number\": 7, \"title\": null}]", "github.pulls()"),
        ("[7]", "github.pulls()"),
        ("", "github.pulls()"),
        ("<html>sign in</html>", "github.diff(1)"),
    ] {
        stage.server.fail(PULLS, Fault::new(200, &[("content-type", "application/json")], body));
        said += &stage.error(call);
    }
    assert_snapshot!(said, @r"
    io: `127.0.0.1:PORT` answered `GET /repos/octo/hello/pulls` with something that is no list
      is GITHUB_API_URL the address of a GitHub API? of an Enterprise host it ends with `/api/v3`
    io: GitHub sent a pull request whose `number` is not a number
      is GITHUB_API_URL the address of a GitHub API?
    io: GitHub sent a pull request whose `title` is not a text
      is GITHUB_API_URL the address of a GitHub API?
    io: GitHub sent a pull request whose `number` is not a number
      is GITHUB_API_URL the address of a GitHub API?
    io: `127.0.0.1:PORT` answered `GET /repos/octo/hello/pulls` with something that is no list
      is GITHUB_API_URL the address of a GitHub API? of an Enterprise host it ends with `/api/v3`
    io: `127.0.0.1:PORT` answered `GET /repos/octo/hello/pulls/1` with something that is no patch
      is GITHUB_API_URL the address of a GitHub API? of an Enterprise host it ends with `/api/v3`
    ");
}

#[test]
fn the_token_goes_nowhere_else() {
    let (stage, other) = (Stage::new(), Server::start());
    // A repository that was renamed.
    let moved = "http://127.0.0.1:PORT/api/v3/repositories/1/pulls";
    let renamed = Fault::new(301, &[("location", "/api/v3/repos/new/hello/pulls?state=all")], "");
    stage.server.fail(PULLS, renamed);
    assert_eq!(stage.print("print(#github.pulls())"), "0\n");
    assert_eq!(stage.server.paths("GET"), [PULLS, "/repos/new/hello/pulls"]);
    let away = moved.replace("PORT", &other.port.to_string());
    stage.server.fail(PULLS, Fault::new(302, &[("location", &away)], ""));
    let error = stage.error("github.pulls()");
    let to = format!("a redirect to `127.0.0.1:{}`, which is not followed", other.port);
    assert!(error.contains(&to), "{error}");
    // A next page elsewhere is none.
    let link = format!("<{away}>; rel=\"next\"");
    stage.server.fail(PULLS, Fault::new(200, &[("link", &link)], "[]"));
    let error = stage.error("github.pulls()");
    assert!(error.contains("which is not followed"), "{error}");
    assert!(other.hub().seen.is_empty());
    for _ in 0..4 {
        stage
            .server
            .fail(PULLS, Fault::new(302, &[("location", "/api/v3/repos/octo/hello/pulls")], ""));
    }
    assert!(stage.error("github.pulls()").contains("not followed"));
}

#[test]
fn addresses_and_tokens_that_cannot_be_are_usage() {
    let stage = Stage::new();
    let mut said = String::new();
    for (name, value) in [
        ("GITHUB_API_URL", "ghe.example"),
        ("GITHUB_API_URL", "https://ada:secret@ghe.example/api/v3"),
        ("GITHUB_TOKEN", "two\nlines"),
    ] {
        let mut command =
            stage.script("local _, e = pcall(github.pulls) print(e.kind, e.message, e.hint)");
        said += &Ran::of(command.env(name, value)).stdout;
    }
    assert_snapshot!(said, @r"
    usage	GITHUB_API_URL is no address of a server	GITHUB_API_URL=https://HOST/api/v3
    usage	GITHUB_API_URL has a user in it: the token belongs into GITHUB_TOKEN	nil
    usage	GITHUB_TOKEN holds characters that no header can carry	nil
    ");
    let mut command = stage.script("print(select(2, github.try_pulls { repo = 'a/b' }).message)");
    let ran = Ran::of(command.env("GITHUB_API_URL", "http://127.0.0.1:1"));
    assert!(
        ran.stdout.contains("cannot ask GitHub at `127.0.0.1:1` for `GET /repos/a/b/pulls`: "),
        "{ran:?}"
    );
    assert!(!ran.stdout.contains(TOKEN));
}

#[test]
fn a_token_that_is_sent_back_is_not_shown() {
    let stage = Stage::new();
    let echo = format!("{{\"message\":\"Bad header Bearer {TOKEN}.\"}}");
    stage.server.fail(PULLS, Fault::new(401, &[], &echo));
    let error = stage.error("github.pulls()");
    assert!(error.contains("GitHub does not know the token: Bad header Bearer …"), "{error}");
}

#[test]
fn a_limit_that_never_ends_is_not_waited_for() {
    let stage = Stage::new();
    let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "18446744073709551615")];
    let spent = "{\"message\":\"API rate limit exceeded\"}";
    stage.server.fail(PULLS, Fault::new(403, &headers, spent));
    let error = stage.error("github.pulls()");
    assert!(error.starts_with("timeout: GitHub's rate limit is spent"), "{error}");
}
