//! Which repository is meant when none is named.

use std::fmt::Write;

use insta::assert_snapshot;

use crate::stage::Stage;

#[test]
fn origin_says_so_however_it_is_written() {
    let stage = Stage::new();
    let port = stage.server.port;
    for url in [
        format!("http://127.0.0.1:{port}/octo/hello"),
        "https://x-access-token:secret@127.0.0.1/octo/hello.git".to_owned(),
        "ssh://git@127.0.0.1:2222/octo/hello.git".to_owned(),
        "git@127.0.0.1:octo/hello.git".to_owned(),
    ] {
        stage.repo.git(&["remote", "set-url", "origin", &url]);
        stage.print("github.pulls()");
        assert_eq!(stage.server.paths("GET").last().unwrap(), "/repos/octo/hello/pulls", "{url}");
    }
    // What it is short for counts.
    stage.repo.git(&["config", "url.git@127.0.0.1:.insteadOf", "gh:"]);
    stage.repo.git(&["remote", "set-url", "origin", "gh:octo/hello"]);
    stage.repo.git(&["remote", "rename", "origin", "upstream"]);
    let error = stage.error("github.pulls()");
    assert!(error.contains("leads to `gh`"), "{error}");
    stage.print("github.pulls { repo = 'a/hello' }");
    assert_eq!(stage.server.paths("GET").last().unwrap(), "/repos/a/hello/pulls");
}

#[test]
fn a_remote_that_leads_elsewhere_is_said_to() {
    let stage = Stage::new();
    let mut said = String::new();
    for url in [
        "https://gitlab.com/octo/hello.git",
        "/srv/git/hello.git",
        "https://127.0.0.1/group/sub/hello.git",
        "git@127.0.0.1:hello",
    ] {
        stage.repo.git(&["remote", "set-url", "origin", url]);
        let _ = write!(said, "{}", stage.error("github.pulls()"));
    }
    stage.repo.git(&["remote", "remove", "origin"]);
    said += &stage.error("github.pulls()");
    stage.repo.git(&["remote", "add", "one", "git@127.0.0.1:octo/one"]);
    stage.repo.git(&["remote", "add", "two", "git@127.0.0.1:octo/two"]);
    said += &stage.error("github.pulls()");
    assert_snapshot!(said, @r#"
    git: the remote `origin` leads to `gitlab.com`, and not to `127.0.0.1`
      name the repository: `repo = "owner/name"`; GITHUB_API_URL says which GitHub is asked
    git: the remote `origin` leads to a folder of this machine, and not to `127.0.0.1`
      name the repository: `repo = "owner/name"`; GITHUB_API_URL says which GitHub is asked
    git: the remote `origin` leads to `group/sub/hello`, which is no `owner/name`
      name the repository: `repo = "owner/name"`
    git: the remote `origin` leads to `hello`, which is no `owner/name`
      name the repository: `repo = "owner/name"`
    git: the repository has no remote that says which one at GitHub it is
      say it: `repo = "owner/name"`
    git: the repository has no remote `origin` that says which one at GitHub it is
      say it: `repo = "owner/name"`
    "#);
    assert!(stage.server.hub().seen.is_empty());
}
