//! Looking: lists, pages, fields.

use serde_json::{Value, json};

use crate::shapes;
use crate::stage::{Stage, TOKEN};

#[test]
fn lists_are_followed_page_by_page() {
    let stage = Stage::new();
    let sha = "a".repeat(40);
    for number in 1..=130 {
        let pull = shapes::pull(number, &format!("topic-{number}"), &sha, &sha);
        stage.server.hub().pulls.push(pull);
    }
    let printed = stage.print(
        "local all = github.pulls() print(#all, all[1].number, all[130].title)
         print(#github.pulls { limit = 7 }, #github.pulls { limit = 101, state = 'all' })
         print(#github.api('GET', '/repos/{owner}/{repo}/pulls'))
         print(#github.api('GET', '/repos/octo/hello/pulls', { per_page = 10, page = 13 }))",
    );
    assert_eq!(printed, "130\t1\tChange 130\n7\t101\n130\n10\n");
    let seen = stage.server.hub().seen.clone();
    let queries: Vec<&str> = seen.iter().map(|seen| &*seen.query).collect();
    assert_eq!(
        queries,
        [
            "per_page=100",
            "per_page=100&page=2",
            "per_page=7",
            "state=all&per_page=100",
            "per_page=100&page=2",
            "per_page=100",
            "per_page=100&page=2",
            "page=13&per_page=10",
        ]
    );
    for request in &seen {
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(request.headers["accept"], "application/vnd.github+json");
        assert_eq!(request.headers["x-github-api-version"], "2022-11-28");
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("agentlua/"));
    }
}

#[test]
fn a_pull_request_is_a_table_with_the_fields_of_the_manual() {
    let stage = Stage::new();
    let mut gone = shapes::from_fork(shapes::pull(2, "fix", "b", "c"), None);
    gone["user"] = Value::Null;
    gone["body"] = Value::Null;
    gone["merged_at"] = json!("2026-01-28T00:00:00Z");
    gone["state"] = json!("closed");
    let fork = shapes::from_fork(shapes::pull(1, "fix", "b", "c"), Some("ada"));
    stage.server.hub().pulls.extend([fork, gone]);
    let printed = stage.print(
        "local one, two = github.pull(1), github.pull(2)
         print(json.encode(one))
         print(two.author, two.body == '', two.fork, two.head_repo, two.merged, two.state)
         print(github.pull(one).number, pcall(function() return one.headSha end))
         print(select(2, pcall(function() return one.head end)))
         print(#github.pulls(), github.try_pull(99))",
    );
    let mut lines = printed.lines();
    let one: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(
        one,
        json!({
            "number": 1, "title": "Change 1", "body": "Please pull these awesome changes in!",
            "author": "hubot", "url": "https://github.com/octo/hello/pull/1", "state": "open",
            "draft": false, "labels": ["bug"], "head_ref": "fix", "head_sha": "b",
            "head_repo": "ada/hello", "base_ref": "main", "base_sha": "c", "repo": "octo/hello",
            "fork": true, "merged": false, "created_at": "2026-01-26T19:01:12Z",
            "updated_at": "2026-01-27T19:01:12Z",
        })
    );
    assert_eq!(lines.next().unwrap(), "ghost\ttrue\ttrue\tnil\ttrue\tclosed");
    assert!(lines.next().unwrap().starts_with("1\t"), "{printed}");
    assert!(lines.next().unwrap().contains("has no field `head`"), "{printed}");
    assert!(lines.next().unwrap().starts_with("1\tnil\t"), "{printed}");
}

#[test]
fn issues_are_listed_without_the_pull_requests_among_them() {
    let stage = Stage::new();
    let mut pull = shapes::issue(2);
    pull["pull_request"] = json!({ "url": "https://api.github.com/repos/octo/hello/pulls/2" });
    stage.server.hub().issues.extend([shapes::issue(1), pull, shapes::issue(3)]);
    let printed = stage.print(
        "local found = github.issues { labels = { 'bug', 'good first issue' }, assignee = 'ada' }
         print(#found, found[2].number, table.concat(found[1].labels, '+'), found[1].comments, found[1].body == '')",
    );
    assert_eq!(printed, "2\t3\tbug+old\t3\ttrue\n");
    let query = stage.server.hub().seen[0].query.clone();
    assert_eq!(query, "labels=bug%2Cgood+first+issue&assignee=ada&per_page=100");
}

#[test]
fn without_a_token_nobody_is_said_to_ask() {
    let stage = Stage::new();
    let mut command = stage.script("print(#github.pulls(), #github.pulls { repo = 'octo/hello' })");
    let ran = crate::home::Ran::of(command.env_remove("GITHUB_TOKEN"));
    assert_eq!((ran.code, &*ran.stdout), (0, "0\t0\n"), "{ran:?}");
    assert!(!stage.server.hub().seen[0].headers.contains_key("authorization"));
    let mut command = stage.script("print(#github.pulls())");
    let ran = crate::home::Ran::of(command.env_remove("GITHUB_TOKEN").env("GH_TOKEN", "other"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(stage.server.hub().seen[2].headers["authorization"], "Bearer other");
}
