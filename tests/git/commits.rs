//! Commits in the user's own checkout.

use std::os::unix::fs::PermissionsExt;

use agentlua::git::{NewCommit, What};

use crate::open;
use crate::repo::Repo;

fn new(message: &str, what: What) -> NewCommit {
    NewCommit { message: Some(message.to_owned()), what, ..NewCommit::default() }
}

fn paths(paths: &[&str]) -> What {
    What::Paths(paths.iter().map(|path| (*path).to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_committed_and_nothing_else() {
    let repo = Repo::new();
    repo.write("src/known", "k\n");
    repo.write("removed", "r\n");
    repo.commit("files");
    repo.write("src/known", "k2\n");
    repo.write("src/new *", "n\n");
    repo.write("other", "o\n");
    repo.write("README.md", "staged\n");
    repo.git(&["add", "README.md"]);
    std::fs::remove_file(repo.path().join("removed")).unwrap();
    let opened = open(&repo).await;

    let made = opened.commit(new("folder\n\n# kept", paths(&["src", "removed"]))).await.unwrap();
    assert_eq!(made.files, ["removed", "src/known", "src/new *"]);
    assert_eq!(made.branch.as_deref(), Some("main"));
    assert_eq!(made.commit, repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(repo.git(&["log", "-1", "--format=%an %B"]), "Ada folder\n\n# kept");
    // What was staged besides still is, and what was not known is not.
    assert_eq!(repo.git(&["status", "--porcelain"]), "M  README.md\n?? other");

    repo.write("src/known", "k3\n");
    let made = opened.commit(new("staged", What::Staged)).await.unwrap();
    assert_eq!(made.files, ["README.md"]);
    let made = opened.commit(new("all", What::All)).await.unwrap();
    assert_eq!(made.files, ["src/known"]);
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? other");

    let author = Some("Bob <bob@example.com>".to_owned());
    let amend = NewCommit { amend: true, author, ..NewCommit::default() };
    let made = opened.commit(amend).await.unwrap();
    assert_eq!(made.files, ["src/known"]);
    assert_eq!(repo.git(&["log", "-1", "--format=%an %cn %s"]), "Bob Ada all");
    assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]), "5");
    let empty = NewCommit { allow_empty: true, ..new("empty", What::Staged) };
    assert_eq!(opened.commit(empty).await.unwrap().files, [""; 0]);
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_commit_and_one_on_no_branch_are_made_too() {
    let repo = Repo::empty(&["--object-format=sha256"]);
    repo.git(&["config", "--unset", "user.name"]);
    repo.git(&["config", "--unset", "user.email"]);
    repo.write("a", "1\n");
    let opened = open(&repo).await;
    let error = opened.commit(NewCommit { amend: true, ..NewCommit::default() }).await.unwrap_err();
    assert_eq!(error.message, "there is no commit to amend yet");
    let made = opened.commit(new("first", paths(&["a"]))).await.unwrap();
    assert_eq!((made.files, made.branch.as_deref()), (vec!["a".to_owned()], Some("main")));
    assert_eq!(repo.git(&["log", "-1", "--format=%an <%ae>"]), "agentlua <agentlua@localhost>");
    repo.git(&["checkout", "-q", "--detach"]);
    repo.write("a", "2\n");
    let made = opened.commit(new("second", What::All)).await.unwrap();
    assert_eq!(made.branch, None);
    assert_eq!(repo.git(&["rev-parse", "HEAD"]), made.commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_committed_is_refused_with_the_way_on_and_nothing_moves() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.log\nbuild/\n");
    repo.commit("ignore");
    let opened = open(&repo).await;
    let refused = async |new: NewCommit, message: &str, hint: &str| {
        let before = repo.fingerprint(&[]);
        let error = opened.commit(new).await.unwrap_err();
        assert_eq!((error.message.as_str(), error.hint.as_deref()), (message, Some(hint)));
        repo.assert_untouched(&before, &[]);
    };
    let clean = "there is nothing to commit: the checkout is clean";
    let empty = "`allow_empty = true` commits all the same";
    refused(new("m", What::Staged), clean, empty).await;
    refused(new("m", paths(&["README.md"])), "nothing has changed in `README.md`", empty).await;
    repo.write("new", "n");
    let unknown = "nothing has changed but files that git does not know";
    refused(new("m", What::All), unknown, "pass `paths = { … }` to add them").await;
    repo.write("README.md", "changed");
    let hint = "pass `all = true` for every changed file, or `paths = { … }`";
    refused(new("m", What::Staged), "nothing is staged", hint).await;
    repo.write("x.log", "");
    repo.write("build/out", "");
    let why = "cannot commit `x.log`, `build/out`: the repository ignores it";
    let hint = "git add --force x.log build/out, or change `.gitignore`";
    refused(new("m", paths(&["new", "x.log", "build/out"])), why, hint).await;
    let why = "cannot commit `nwe`: there is no such file";
    let hint = format!("paths start at `{}`", repo.path().display());
    refused(new("m", paths(&["new", "nwe"])), why, &hint).await;

    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.git(&["commit", "-q", "-am", "side"]);
    repo.git(&["checkout", "-q", "main"]);
    repo.write("README.md", "main");
    repo.git(&["commit", "-q", "-am", "main"]);
    assert!(!repo.try_git_in(repo.path(), &["merge", "side"]).0);
    let why = "cannot commit: a merge is in progress in the checkout";
    refused(new("m", What::All), why, "git merge --continue, or git merge --abort").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_leaves_the_index_as_it_was_and_no_hook_runs() {
    let repo = Repo::new();
    repo.write("README.md", "changed\n");
    repo.write("new", "n\n");
    for hook in ["pre-commit", "commit-msg", "post-commit", "reference-transaction"] {
        let path = repo.path().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "#!/bin/sh\ntouch \"$(git rev-parse --git-dir)/canary\"\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    repo.git(&["config", "commit.gpgSign", "true"]);
    repo.git(&["config", "gpg.program", "false"]);
    let opened = open(&repo).await;
    let before = (repo.git(&["status", "--porcelain"]), repo.git(&["rev-parse", "HEAD"]));
    let _ = std::fs::remove_file(repo.path().join(".git/canary"));
    let error = opened.commit(new("m", paths(&["new", "README.md"]))).await.unwrap_err();
    assert!(error.to_string().contains("gpg failed to sign"), "{error}");
    assert_eq!((repo.git(&["status", "--porcelain"]), repo.git(&["rev-parse", "HEAD"])), before);
    assert!(!repo.path().join(".git/index.lock").exists());
    repo.git(&["config", "commit.gpgSign", "false"]);
    let made = opened.commit(new("m", paths(&["new", "README.md"]))).await.unwrap();
    assert_eq!(made.files, ["README.md", "new"]);
    assert!(!repo.path().join(".git/canary").exists(), "a hook ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_for_another_git() {
    let repo = Repo::new();
    repo.write("README.md", "changed\n");
    let opened = open(&repo).await;
    let lock = repo.path().join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let held = lock.clone();
    let release = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        std::fs::remove_file(held).unwrap();
    });
    let made = opened.commit(new("m", What::All)).await.unwrap();
    assert_eq!(made.files, ["README.md"]);
    release.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_at_once_are_all_made() {
    let repo = Repo::new();
    for n in 0..8 {
        repo.write(&format!("file {n}"), "x\n");
    }
    let one = open(&repo).await;
    let two = open(&repo).await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let opened = if n % 2 == 0 { one.clone() } else { two.clone() };
        tasks.spawn(async move {
            let path = format!("file {n}");
            let made = opened.commit(new(&path, paths(&[&path]))).await.unwrap();
            assert_eq!(made.files, [path]);
        });
    }
    tasks.join_all().await;
    assert_eq!(repo.git(&["rev-list", "--count", "HEAD"]), "9");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}
