//! Changing something: what is sent, and that it is sent once.

use serde_json::json;

use crate::home::Ran;
use crate::server::Fault;
use crate::shapes;
use crate::stage::Stage;

#[test]
fn comments_and_reviews_are_sent_as_the_api_takes_them() {
    let stage = Stage::new();
    let head = stage.open(4, true);
    let printed = stage.print(
        "local comment = github.comment(4, 'Thanks!')
         print(comment.url, comment.author)
         local review = github.review(4, { event = 'approve' })
         print(review.state, review.id)
         print(github.review(github.pull(4), {
           body = 'Two things.',
           event = 'REQUEST_CHANGES',
           comments = {
             { path = 'src/part4.txt', line = 1, body = 'why?' },
             { path = 'src/part4.txt', start_line = 2, line = 3, side = 'LEFT', body = 'keep' },
           },
         }).state)
         print(github.api('DELETE', '/repos/{owner}/{repo}/issues/4/labels/bug?by=a%20b'))
         print(github.pull(8 / 2).number)",
    );
    assert_eq!(
        printed,
        "https://github.com/octo/hello/issues/4#issuecomment-1\tada\nAPPROVED\t80\n\
         CHANGES_REQUESTED\nnil\n4\n"
    );
    let hub = stage.server.hub();
    let gone = hub.seen.iter().find(|seen| seen.method == "DELETE").unwrap();
    assert_eq!((&*gone.path, &*gone.query), ("/repos/octo/hello/issues/4/labels/bug", "by=a+b"));
    let sent: Vec<_> = hub.seen.iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(sent[0].path, "/repos/octo/hello/issues/4/comments");
    assert_eq!(sent[0].body, json!({ "body": "Thanks!" }));
    assert_eq!(sent[1].path, "/repos/octo/hello/pulls/4/reviews");
    assert_eq!(sent[1].body, json!({ "event": "APPROVE", "comments": [] }));
    assert_eq!(
        sent[2].body,
        json!({
            "event": "REQUEST_CHANGES", "body": "Two things.", "commit_id": head,
            "comments": [
                { "path": "src/part4.txt", "line": 1, "side": "RIGHT", "body": "why?" },
                { "path": "src/part4.txt", "line": 3, "side": "LEFT", "body": "keep",
                  "start_line": 2, "start_side": "LEFT" },
            ],
        })
    );
}

#[test]
fn mistakes_are_found_before_anything_is_sent() {
    let stage = Stage::new();
    for (call, said) in [
        ("github.review(4, {})", "usage: `github.review` with `COMMENT` needs the option `body`"),
        (
            "github.review(4, { event = 'NO' })",
            "usage: `github.review`: option `event` must be `COMMENT`, `APPROVE` or `REQUEST_CHANGES`, not `NO`",
        ),
        (
            "github.review(4, { comments = { { path = 'a', line = 0, body = 'x' } } })",
            "usage: `github.review: comments[1]`: option `line` must be a whole number from 1 to 4294967295, not 0",
        ),
        (
            "github.review(4, { comments = { { path = 'a', line = 1 } } })",
            "usage: `github.review: comments[1]` needs the option `body`",
        ),
        (
            "github.review(4, { comments = { { path = 'a', position = 1 } } })",
            "usage: `github.review: comments[1]` has no option `position`\n  use `line`, the number of the line in the file",
        ),
        (
            "github.review(4, { body = 'x', comments = { { path = 'a', line = 1, body = 'y' }, note = 'z' } })",
            "usage: `github.review`: option `comments` must be a list of tables: `{ { path = …, line = …, body = … } }`",
        ),
        (
            "github.review(4, { body = 'x', comments = { path = 'a', line = 1, body = 'y' } })",
            "usage: `github.review`: option `comments` must be a list of tables: `{ { path = …, line = …, body = … } }`",
        ),
        ("github.comment(4, ' ')", "usage: `github.comment`: argument 2 (`body`) is empty"),
        (
            "github.comment('four', 'x')",
            "usage: `github.comment`: argument 1 (`n`) must be a number or a pull request, not string",
        ),
        ("github.pull(0)", "usage: `github.pull`: there is no number 0"),
        (
            "github.pull(1.5)",
            "usage: `github.pull`: argument 1 (`n`) must be a number or a pull request, not number",
        ),
        (
            "github.pulls { state = 'merged' }",
            "usage: `github.pulls`: option `state` must be `open`, `closed` or `all`, not `merged`",
        ),
        (
            "github.pulls { repo = 'hello' }",
            "usage: `github.pulls`: option `repo` must be a repository as `owner/name`, not `hello`",
        ),
        (
            "github.api('FETCH', '/user')",
            "usage: `github.api`: argument 1 (`method`) must be one of `GET`, `POST`, `PUT`, `PATCH`, `DELETE`, not `FETCH`",
        ),
        (
            "github.api('GET', 'https://api.github.com/user')",
            "usage: `github.api`: argument 2 (`path`) must be a path such as `/user`, not `https://api.github.com/user`",
        ),
        (
            "github.create_pull { head = 'main' }",
            "usage: `github.create_pull` needs the option `title`",
        ),
        (
            "github.create_pull { head = 'main', title = 'x' }",
            "git: `main` is the branch that the pull request would go into\n  commit on another branch, and name it as `head`",
        ),
        (
            "github.create_pull { head = 'nothing', title = 'x' }",
            "git: there is no branch or tag `nothing` to push",
        ),
    ] {
        assert_eq!(stage.error(call).trim_end(), said);
    }
    assert!(stage.server.paths("POST").is_empty());
}

#[test]
fn a_pull_request_is_opened_for_a_branch_that_is_pushed() {
    let stage = Stage::new();
    stage.repo.git(&["switch", "--quiet", "--create", "feature/x"]);
    let tip = stage.repo.commit("x");
    let printed = stage.print(
        "local pull = github.create_pull { head = 'feature/x', title = 'Adds x', body = 'Because.', draft = true }
         print(pull.number, pull.title, pull.head_ref, pull.draft)
         local _, e = github.try_create_pull { head = 'feature/x', title = 'Again' }
         print(e.kind, e.message, e.hint, e.number, e.url == pull.url)",
    );
    assert_eq!(
        printed,
        "1\tAdds x\tfeature/x\ttrue\nio\tthere is a pull request of `feature/x` already: \
         https://github.com/octo/hello/pull/1\tits new commits are in it: github.pull(1)\t1\ttrue\n"
    );
    assert_eq!(stage.repo.git_in(stage.upstream.path(), &["rev-parse", "feature/x"]), tip);
    let hub = stage.server.hub();
    let sent = hub.seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(
        sent.body,
        json!({ "title": "Adds x", "head": "feature/x", "base": "main", "body": "Because.", "draft": true })
    );
}

#[test]
fn of_a_fork_the_branch_is_named_with_its_owner() {
    let stage = Stage::new();
    let root = format!("http://127.0.0.1:{}/", stage.server.port);
    stage.repo.git(&["remote", "set-url", "origin", &format!("{root}ada/hello.git")]);
    let hub = stage.home.beside("hub");
    stage.repo.git_in(&hub, &["clone", "--quiet", "--bare", "octo/hello.git", "ada/hello.git"]);
    stage.repo.git(&["branch", "mine"]);
    stage.print(
        "github.create_pull { head = 'mine', base = 'main', title = 'T', repo = 'octo/hello' }",
    );
    let hub = stage.server.hub();
    let sent = hub.seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!((&*sent.path, &sent.body["head"]), ("/repos/octo/hello/pulls", &json!("ada:mine")));
}

/// Runs a script, and then the same run again.
fn twice(stage: &Stage, source: &str, crash: Option<&str>) -> [Ran; 2] {
    let mut first = stage.script(source);
    if let Some(point) = crash {
        first.env("AGENTLUA_CRASH_AT", point);
    }
    let first = Ran::of(&mut first);
    let again = Ran::of(stage.command(&["resume", "--quiet"]).env("AGAIN", "1"));
    [first, again]
}

#[test]
fn a_resumed_run_does_not_do_it_again() {
    let stage = Stage::new();
    stage.open(1, true);
    stage.repo.git(&["branch", "feature"]);
    let source = "
        local comment = github.comment(1, 'hello')
        local review = github.review(1, { body = 'fine' })
        local pull = github.create_pull { head = 'feature', title = 'T', base = 'main' }
        github.api('DELETE', '/repos/octo/hello/labels/bug')
        print(comment.url, review.state, pull.number)
        assert(os.getenv 'AGAIN', 'the first life ends here')";
    let [first, again] = twice(&stage, source, None);
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(first.stdout, again.stdout);
    assert_eq!(stage.server.paths("POST").len(), 3, "{:?}", stage.server.paths("POST"));
    assert_eq!(stage.server.paths("DELETE").len(), 1);
}

#[test]
fn what_was_done_when_the_run_was_cut_off_is_found() {
    for (call, path) in [
        ("github.comment(1, 'hello').url", "/repos/octo/hello/issues/1/comments"),
        ("github.review(1, { body = 'fine' }).id", "/repos/octo/hello/pulls/1/reviews"),
        (
            "github.create_pull { head = 'feature', title = 'T', base = 'main' }.number",
            "/repos/octo/hello/pulls",
        ),
    ] {
        let stage = Stage::new();
        stage.open(1, true);
        stage.repo.git(&["branch", "feature"]);
        let [first, again] = twice(&stage, &format!("print({call})"), Some("github.unkept"));
        assert_eq!(first.code, 128 + 9, "{first:?}");
        assert_eq!(again.code, 0, "{again:?}");
        assert_eq!(stage.server.paths("POST"), [path], "{again:?}");
    }
}

#[test]
fn what_was_not_done_when_the_run_was_cut_off_is_done() {
    let stage = Stage::new();
    let refusal = Fault::new(502, &[], "<html>Bad gateway</html>");
    stage.server.fail("/repos/octo/hello/issues/1/comments", refusal);
    let source = "print(github.comment(1, 'hello').author)";
    let [first, again] = twice(&stage, source, None);
    assert_eq!(first.code, 1, "{first:?}");
    assert_eq!((again.code, &*again.stdout), (0, "ada\n"), "{again:?}");
    assert_eq!(stage.server.paths("POST").len(), 2);
}

#[test]
fn what_somebody_else_said_is_not_taken_for_it() {
    let stage = Stage::new();
    stage.server.fail("/repos/octo/hello/issues/1/comments", Fault::new(502, &[], ""));
    let source = "print(github.comment(1, 'LGTM').author)";
    let first = Ran::of(&mut stage.script(source));
    assert_eq!(first.code, 1, "{first:?}");
    let other = shapes::comment((1, 77), "bob", &json!({ "body": "LGTM" }));
    stage.server.hub().comments.push(other);
    let again = Ran::of(&mut stage.command(&["resume", "--quiet"]));
    assert_eq!((again.code, &*again.stdout), (0, "ada\n"), "{again:?}");
    assert_eq!(stage.server.hub().comments.len(), 2);
}

#[test]
fn what_an_earlier_step_said_is_not_taken_for_it() {
    let stage = Stage::new();
    let place = "/repos/octo/hello/issues";
    // The fault meets what is asked of issue 2: the second `ping` never comes to be.
    stage.server.fail(&format!("{place}/2"), Fault::new(502, &[], ""));
    let source = "
        for _, n in ipairs { 1, 2 } do
          print(github.comment(n, 'ping').url)
        end";
    let first = Ran::of(&mut stage.script(source));
    assert_eq!(first.code, 1, "{first:?}");
    // The server lists the comments of both issues together.
    let again = Ran::of(&mut stage.command(&["resume", "--quiet"]));
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(stage.server.paths("POST").len(), 3, "{again:?}");
    assert!(again.stdout.contains("issues/2#issuecomment-2"), "{again:?}");
}
