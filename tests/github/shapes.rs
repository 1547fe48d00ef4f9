//! Objects in the shapes of GitHub's REST API, shortened by lists of links.

use serde_json::{Value, json};

fn user(login: &str) -> Value {
    json!({
        "login": login, "id": 1, "node_id": "MDQ6VXNlcjE=", "type": "User", "site_admin": false,
        "avatar_url": "https://github.com/images/error/octocat_happy.gif", "gravatar_id": "",
        "url": format!("https://api.github.com/users/{login}"),
        "html_url": format!("https://github.com/{login}"),
    })
}

fn repo(owner: &str) -> Value {
    json!({
        "id": 1_296_269, "name": "hello", "full_name": format!("{owner}/hello"), "owner": user(owner),
        "private": false, "fork": owner != "octo", "default_branch": "main",
        "clone_url": format!("https://github.com/{owner}/hello.git"),
        "ssh_url": format!("git@github.com:{owner}/hello.git"),
    })
}

/// A pull request of a branch of the repository itself.
pub fn pull(number: u64, branch: &str, head: &str, base: &str) -> Value {
    json!({
        "id": number + 1000, "node_id": "MDExOlB1bGxSZXF1ZXN0MQ==", "number": number, "locked": false,
        "url": format!("https://api.github.com/repos/octo/hello/pulls/{number}"),
        "html_url": format!("https://github.com/octo/hello/pull/{number}"),
        "diff_url": format!("https://github.com/octo/hello/pull/{number}.diff"),
        "state": "open", "title": format!("Change {number}"), "user": user("hubot"),
        "body": "Please pull these awesome changes in!",
        "labels": [{ "id": 208_045_946, "name": "bug", "color": "f29513", "default": true }],
        "milestone": null, "created_at": "2026-01-26T19:01:12Z", "updated_at": "2026-01-27T19:01:12Z",
        "closed_at": null, "merged_at": null, "merge_commit_sha": null, "assignee": null,
        "assignees": [], "requested_reviewers": [], "requested_teams": [],
        "head": { "label": format!("octo:{branch}"), "ref": branch, "sha": head, "user": user("octo"), "repo": repo("octo") },
        "base": { "label": "octo:main", "ref": "main", "sha": base, "user": user("octo"), "repo": repo("octo") },
        "author_association": "CONTRIBUTOR", "auto_merge": null, "active_lock_reason": null,
        "draft": false,
    })
}

/// Lets it come from a fork; nothing of a fork that is gone.
pub fn from_fork(mut pull: Value, owner: Option<&str>) -> Value {
    let branch = pull["head"]["ref"].as_str().unwrap().to_owned();
    let gone = || json!({ "repo": null, "user": null, "label": format!("unknown:{branch}") });
    let there = |owner: &str| {
        let label = format!("{owner}:{branch}");
        json!({ "repo": repo(owner), "user": user(owner), "label": label })
    };
    let of_fork = owner.map_or_else(gone, there);
    for name in ["repo", "user", "label"] {
        pull["head"][name] = of_fork[name].clone();
    }
    pull
}

/// An issue.
pub fn issue(number: u64) -> Value {
    json!({
        "id": number, "node_id": "MDU6SXNzdWUx", "number": number, "state": "open",
        "url": format!("https://api.github.com/repos/octo/hello/issues/{number}"),
        "html_url": format!("https://github.com/octo/hello/issues/{number}"),
        "title": "Found a bug", "body": null, "user": user("octocat"), "comments": 3,
        "labels": [{ "id": 1, "name": "bug", "description": null }, "old"], "assignee": null,
        "created_at": "2026-04-22T13:33:48Z", "updated_at": "2026-04-22T13:33:48Z", "closed_at": null,
    })
}

/// A comment beneath an issue.
pub fn comment((number, id): (u64, u64), author: &str, body: &Value) -> Value {
    json!({
        "id": id, "node_id": "MDEyOklzc3VlQ29tbWVudDE=",
        "url": format!("https://api.github.com/repos/octo/hello/issues/comments/{id}"),
        "html_url": format!("https://github.com/octo/hello/issues/{number}#issuecomment-{id}"),
        "body": body["body"], "user": user(author), "created_at": "2099-04-14T16:00:49Z",
        "updated_at": "2099-04-14T16:00:49Z", "author_association": "COLLABORATOR",
    })
}

pub fn review(number: u64, body: &Value) -> Value {
    let state = match body["event"].as_str().unwrap() {
        "APPROVE" => "APPROVED",
        "REQUEST_CHANGES" => "CHANGES_REQUESTED",
        _ => "COMMENTED",
    };
    json!({
        "id": 80, "node_id": "MDE3OlB1bGxSZXF1ZXN0UmV2aWV3ODA=", "user": user("ada"),
        "body": body["body"].as_str().unwrap_or_default(), "state": state,
        "html_url": format!("https://github.com/octo/hello/pull/{number}#pullrequestreview-80"),
        "pull_request_url": format!("https://api.github.com/repos/octo/hello/pulls/{number}"),
        "submitted_at": "2099-11-17T17:43:43Z", "commit_id": body["commit_id"],
        "author_association": "COLLABORATOR",
    })
}
