//! Fetching and pushing, with a repository on disk at the other end.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use agentlua::error::Kind;
use agentlua::git::{Fetch, Lease, Push, RefChange};

use crate::repo::Repo;
use crate::{create, open};

const LIMIT: Duration = Duration::from_mins(5);

fn all() -> Fetch {
    Fetch { remote: None, refspecs: Vec::new(), prune: false, tags: None, limit: LIMIT }
}

fn branch(name: &str) -> Push {
    Push {
        remote: None,
        branch: Some(name.to_owned()),
        to: None,
        set_upstream: false,
        lease: None,
        dry_run: false,
        limit: LIMIT,
    }
}

fn change(name: &str, old: Option<&str>, new: Option<&str>, status: &'static str) -> RefChange {
    let id = |id: Option<&str>| id.map(str::to_owned);
    RefChange { name: name.to_owned(), old: id(old), new: id(new), status }
}

/// A repository with a bare `origin`, and another clone of that.
fn remote() -> (Repo, PathBuf) {
    let repo = Repo::new();
    let (origin, other) = (repo.beside("origin.git"), repo.beside("other"));
    let named = origin.display().to_string();
    repo.git(&["clone", "-q", "--bare", ".", &named]);
    repo.git(&["remote", "add", "origin", &named]);
    repo.git(&["clone", "-q", &named, &other.display().to_string()]);
    repo.git_in(&other, &["config", "user.name", "Bob"]);
    repo.git_in(&other, &["config", "user.email", "bob@example.com"]);
    (repo, other)
}

/// Commits in the other clone, on a branch, and pushes it.
fn others_commit(repo: &Repo, other: &std::path::Path, branch: &str) -> String {
    repo.git_in(other, &["checkout", "-q", "-B", branch]);
    repo.git_in(other, &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    repo.git_in(other, &["push", "-q", "--force", "origin", branch]);
    repo.git_in(other, &["rev-parse", "HEAD"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_says_what_moved_and_prunes_nothing_unasked() {
    let (repo, other) = remote();
    repo.git(&["config", "fetch.prune", "true"]);
    let start = repo.git(&["rev-parse", "HEAD"]);
    let opened = open(&repo).await;
    let first = opened.fetch(all()).await.unwrap();
    assert_eq!(first.remote, "origin");
    assert_eq!(first.refs, [change("refs/remotes/origin/main", None, Some(&start), "new")]);
    assert_eq!(opened.fetch(all()).await.unwrap().refs, []);

    let theirs = others_commit(&repo, &other, "main");
    others_commit(&repo, &other, "brief");
    repo.git_in(&other, &["tag", "v1"]);
    repo.git_in(&other, &["push", "-q", "origin", "v1"]);
    let tip = repo.git_in(&other, &["rev-parse", "brief"]);
    let second = opened.fetch(all()).await.unwrap();
    let brief = "refs/remotes/origin/brief";
    assert_eq!(
        second.refs,
        [
            change(brief, None, Some(&tip), "new"),
            change("refs/remotes/origin/main", Some(&start), Some(&theirs), "updated"),
            change("refs/tags/v1", None, Some(&tip), "new"),
        ]
    );
    repo.git_in(&other, &["push", "-q", "origin", ":brief"]);
    assert_eq!(opened.fetch(all()).await.unwrap().refs, []);
    assert_eq!(repo.git(&["rev-parse", brief]), tip);
    let pruned = opened.fetch(Fetch { prune: true, ..all() }).await.unwrap();
    assert_eq!(pruned.refs, [change(brief, Some(&tip), None, "deleted")]);

    let named = Fetch {
        remote: Some(other.display().to_string()),
        refspecs: vec!["brief".into(), "main:refs/heads/copy".into()],
        ..all()
    };
    let fetched = opened.fetch(named).await.unwrap();
    assert_eq!(
        fetched.refs,
        [
            change("FETCH_HEAD", None, Some(&tip), "new"),
            change("refs/heads/copy", None, Some(&theirs), "new"),
        ]
    );
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ref_with_work_of_its_own_is_not_moved_by_a_fetch() {
    let (repo, other) = remote();
    repo.git(&["checkout", "-q", "-b", "mine"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "mine"]);
    let mine = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["checkout", "-q", "main"]);
    others_commit(&repo, &other, "mine");
    let opened = open(&repo).await;
    let onto = Fetch { refspecs: vec!["mine:mine".into()], ..all() };
    let error = opened.fetch(onto).await.unwrap_err();
    let expected = "`refs/heads/mine` was not moved by the fetch: it has commits of its own";
    assert_eq!(error.message, expected);
    assert_eq!(repo.git(&["rev-parse", "mine"]), mine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_is_not_there_is_said_so() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let error = opened.fetch(all()).await.unwrap_err();
    assert_eq!(error.message, "the repository has no remote");
    let (repo, _) = remote();
    let opened = open(&repo).await;
    let named = |name: &str| Fetch { remote: Some(name.to_owned()), ..all() };
    let error = opened.fetch(named("orgin")).await.unwrap_err();
    assert_eq!(error.message, "there is no remote `orgin`");
    assert_eq!(error.hint.as_deref(), Some("did you mean `origin`?"));
    let error = opened.fetch(named("./nowhere")).await.unwrap_err();
    assert!(error.message.starts_with("cannot fetch from `./nowhere`"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("git remote -v"));
    let none = Fetch { refspecs: vec!["nothing".into()], ..all() };
    let error = opened.fetch(none).await.unwrap_err().to_string();
    assert!(error.ends_with("couldn't find remote ref nothing"), "{error}");
    repo.git(&["remote", "rename", "origin", "one"]);
    repo.git(&["remote", "add", "two", "x"]);
    let error = opened.fetch(all()).await.unwrap_err();
    assert_eq!(error.message, "nothing says which of the remotes `one`, `two` to take");
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_at_once_beside_worktrees_that_are_made_do_not_fail() {
    let (repo, other) = remote();
    let one = open(&repo).await;
    let two = open(&repo).await;
    for round in 0..3 {
        let theirs = others_commit(&repo, &other, "main");
        let made = async {
            for n in 0..4 {
                let name = format!("w{round}{n}");
                create(&repo, &one, &name, &name).await;
            }
        };
        let (a, b, c, ()) =
            tokio::join!(one.fetch(all()), two.fetch(all()), two.fetch(all()), made);
        for fetched in [a, b, c] {
            fetched.unwrap();
        }
        assert_eq!(repo.git(&["rev-parse", "origin/main"]), theirs);
    }
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_says_what_moved_and_is_followed_when_asked() {
    let (repo, _) = remote();
    let start = repo.git(&["rev-parse", "HEAD"]);
    let opened = open(&repo).await;
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "mine"]);
    let tip = repo.git(&["rev-parse", "HEAD"]);
    let dry = Push { dry_run: true, set_upstream: true, ..branch("topic") };
    let new = [change("refs/heads/topic", None, Some(&tip), "new")];
    assert_eq!(opened.push(dry).await.unwrap().refs, new);
    let head = Push { branch: None, set_upstream: true, ..branch("") };
    let pushed = opened.push(head).await.unwrap();
    assert_eq!((pushed.remote.as_str(), &pushed.refs[..]), ("origin", &new[..]));
    assert_eq!(repo.git(&["rev-parse", "--abbrev-ref", "topic@{upstream}"]), "origin/topic");
    let again = opened.push(branch("topic")).await.unwrap();
    assert_eq!(again.refs, [change("refs/heads/topic", Some(&tip), Some(&tip), "up_to_date")]);
    let onto = Push { to: Some("main".into()), ..branch("topic") };
    let moved = opened.push(onto).await.unwrap();
    assert_eq!(moved.refs, [change("refs/heads/main", Some(&start), Some(&tip), "updated")]);
    repo.git(&["tag", "v1"]);
    let tag = opened.push(branch("v1")).await.unwrap();
    assert_eq!(tag.refs, [change("refs/tags/v1", None, Some(&tip), "new")]);
    let error = opened.push(branch("topci")).await.unwrap_err();
    assert_eq!(error.message, "there is no branch or tag `topci` to push");
    assert_eq!(error.hint.as_deref(), Some("did you mean `topic`?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_push_says_why_and_a_lease_drops_only_what_was_seen() {
    let (repo, other) = remote();
    let opened = open(&repo).await;
    repo.git(&["commit", "-q", "--allow-empty", "-m", "mine"]);
    let mine = repo.git(&["rev-parse", "HEAD"]);
    let theirs = others_commit(&repo, &other, "main");
    let reason = |error: &agentlua::error::Error| {
        let push = error.detail("push").unwrap();
        assert_eq!(
            (&push["status"], &push["ref"]),
            (&"rejected".into(), &"refs/heads/main".into())
        );
        push["reason"].as_str().unwrap().to_owned()
    };
    let error = opened.push(branch("main")).await.unwrap_err();
    assert_eq!(error.message, "`origin` has commits on `main` that would be lost");
    assert!(error.hint.as_ref().unwrap().starts_with("git.fetch(\"origin\")"), "{error:?}");
    assert_eq!((error.kind, reason(&error).as_str()), (Kind::Git, "non_fast_forward"));
    let wrong = Push { lease: Some(Lease::At(mine.clone())), ..branch("main") };
    let error = opened.push(wrong).await.unwrap_err();
    assert_eq!(reason(&error), "stale");
    assert_eq!(repo.git_in(&other, &["ls-remote", "origin", "main"])[..40], theirs);
    opened.fetch(all()).await.unwrap();
    let seen = Push { lease: Some(Lease::Seen), ..branch("main") };
    let pushed = opened.push(seen).await.unwrap();
    assert_eq!(pushed.refs, [change("refs/heads/main", Some(&theirs), Some(&mine), "forced")]);

    let hook = repo.beside("origin.git/hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'ask Ada first' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    repo.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
    let error = opened.push(branch("main")).await.unwrap_err();
    assert_eq!(error.message, "`origin` refuses `main`: pre-receive hook declined: ask Ada first");
    assert_eq!(reason(&error), "remote");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hook_of_the_checkout_runs_and_large_files_go_first() {
    let (repo, _) = remote();
    let hook = repo.path().join(".git/hooks/pre-push");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\ntouch canary\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    let opened = open(&repo).await;
    opened.push(branch("main")).await.unwrap();
    assert!(!repo.path().join("canary").exists());
    // A program of LFS that cannot upload, by the way git finds its own.
    repo.git(&["config", "alias.lfs", "!f() { echo \"no route: $*\" >&2; exit 2; }; f"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
    std::fs::create_dir_all(repo.path().join(".git/lfs/objects/ab")).unwrap();
    let error = opened.push(branch("main")).await.unwrap_err().to_string();
    let said = "the repository has files in Git LFS: git lfs push: no route: push origin \
                refs/heads/main";
    assert!(error.ends_with(said), "{error}");
    assert_ne!(repo.git(&["rev-parse", "origin/main"]), repo.git(&["rev-parse", "main"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_wants_a_password_gets_none_from_a_person() {
    use std::io::{BufRead, BufReader, Write};
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _head = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
            let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let (repo, _) = remote();
    let asked = repo.beside("home/asked");
    let program = repo.beside("askpass");
    std::fs::write(&program, "#!/bin/sh\ntouch \"$HOME/asked\"\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    repo.git(&["config", "core.askPass", &program.display().to_string()]);
    repo.git(&["remote", "set-url", "origin", &format!("http://{address}/x.git")]);
    let opened = open(&repo).await;
    for error in
        [opened.fetch(all()).await.unwrap_err(), opened.push(branch("main")).await.unwrap_err()]
    {
        let hint = error.hint.as_deref().unwrap_or_default();
        assert!(hint.starts_with("agentlua never asks for a password"), "{error}");
    }
    assert!(!asked.exists(), "a program asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_and_a_limit_holds() {
    let (repo, _) = remote();
    let ssh = repo.beside("ssh");
    std::fs::write(&ssh, "#!/bin/sh\necho \"$@\" > \"$HOME/asked\"\nexec sleep 300\n").unwrap();
    std::fs::set_permissions(&ssh, PermissionsExt::from_mode(0o755)).unwrap();
    repo.git(&["config", "core.sshCommand", &ssh.display().to_string()]);
    repo.git(&["config", "ssh.variant", "ssh"]);
    repo.git(&["remote", "set-url", "origin", "ssh://host/x"]);
    let opened = open(&repo).await;
    // Long enough for the program to start on a slow machine.
    let fetch = Fetch { limit: Duration::from_secs(10), ..all() };
    let error = opened.fetch(fetch).await.unwrap_err();
    assert_eq!(error.kind, Kind::Timeout);
    assert_eq!(error.message, "cannot fetch from `origin`: it was not done after 10 s");
    let asked = std::fs::read_to_string(repo.beside("home/asked")).unwrap();
    assert!(asked.contains("-o BatchMode=yes"), "{asked}");
    assert!(!repo.path().join(".git/shallow.lock").exists());
}
