//! Targets and merges of every odd kind: landed as they should be, or refused with nothing moved.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use agentlua::error::{Error, Kind};
use agentlua::git::{
    Footing, Lane, Merge, Proposed, Strategy, Trial, conflicts, merge, propose_resolved,
};
use serde_json::{Value, json};

use crate::repo::Repo;
use crate::{open, open_at};

fn of(branch: &str) -> Merge {
    Merge {
        branch: branch.to_owned(),
        name: branch.to_owned(),
        into: Some("main".to_owned()),
        strategy: Strategy::Merge,
        message: None,
    }
}

fn detail(error: &Error) -> &Value {
    error.detail("merge").unwrap()
}

/// Makes a branch from the first commit, with files written by `change`.
fn branch(repo: &Repo, name: &str, change: impl FnOnce(&Repo)) {
    repo.git(&["checkout", "-q", "-b", name, "start"]);
    change(repo);
    repo.commit(name);
    repo.git(&["checkout", "-q", "main"]);
}

/// `main` and `start` at one commit.
fn started() -> Repo {
    let repo = Repo::new();
    repo.write("one", "1\n2\n3\n4\n5\n6\n7\n8\n");
    repo.write("bin", b"\0\x01\x02");
    repo.write("dir/two", "2\n");
    repo.write("other/three", "3\n");
    repo.commit("base");
    repo.git(&["branch", "start"]);
    repo
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_of_every_kind_are_data() {
    let repo = started();
    branch(&repo, "renamed", |repo| {
        repo.git(&["mv", "one", "uno"]);
    });
    branch(&repo, "binary", |repo| repo.write("bin", b"\0\xff"));
    branch(&repo, "modified", |repo| repo.write("dir/two", "zwei\n"));
    branch(&repo, "folder", |repo| repo.write("new/inner", "x\n"));
    repo.git(&["mv", "one", "eins"]);
    repo.git(&["rm", "-q", "dir/two"]);
    repo.write("bin", b"\0\xfe");
    repo.write("new", "a file\n");
    repo.commit("own");
    let opened = open(&repo).await;
    for (name, kind, path) in [
        ("renamed", "rename/rename", "one"),
        ("binary", "binary", "bin"),
        ("modified", "modify/delete", "dir/two"),
        ("folder", "file/directory", "new"),
    ] {
        let before = repo.fingerprint(&[]);
        let error = merge(&opened, of(name)).await.unwrap_err();
        repo.assert_untouched(&before, &[]);
        let detail = detail(&error);
        assert_eq!((error.kind, &detail["status"]), (Kind::Git, &json!("conflicted")), "{error}");
        let found = detail["conflicts"].as_array().unwrap();
        let named = |c: &Value| c["path"].as_str().unwrap().starts_with(path);
        assert!(found.iter().any(|c| c["kind"] == kind && named(c)), "{name}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_signer_is_named_and_nothing_moves() {
    let repo = started();
    branch(&repo, "work", |repo| repo.write("work", "w\n"));
    repo.write("own", "o\n");
    repo.commit("own");
    let signer = repo.beside("signer");
    std::fs::write(&signer, "#!/bin/sh\necho 'no secret key' >&2\nexit 2\n").unwrap();
    std::fs::set_permissions(&signer, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.git(&["config", "gpg.program", signer.to_str().unwrap()]);
    repo.git(&["config", "commit.gpgsign", "true"]);
    let opened = open(&repo).await;
    let before = repo.fingerprint(&[]);
    for strategy in [Strategy::Merge, Strategy::Squash, Strategy::Rebase] {
        let error = merge(&opened, Merge { strategy, ..of("work") }).await.unwrap_err();
        assert!(error.to_string().contains("gpg failed to sign the data"), "{error}");
        repo.assert_untouched(&before, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_somebody_else_is_waited_for_and_never_removed() {
    let repo = started();
    branch(&repo, "work", |repo| repo.write("work", "w\n"));
    let lock = repo.path().join(".git/index.lock");
    std::fs::write(&lock, "").unwrap();
    let opened = open(&repo).await;
    let tip = repo.git(&["rev-parse", "main"]);
    let error = merge(&opened, of("work")).await.unwrap_err();
    assert_eq!(detail(&error)["reason"], "parked");
    assert!(error.message.contains("another git holds `"), "{error}");
    assert!(lock.exists() && repo.git(&["rev-parse", "main"]) == tip);
    // One that goes away in time is no matter.
    let gone = lock.clone();
    let waits = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        std::fs::remove_file(gone).unwrap();
    });
    assert_eq!(merge(&opened, of("work")).await.unwrap().status, "fast_forward");
    waits.await.unwrap();
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_repository_takes_merges() {
    let repo = started();
    branch(&repo, "work", |repo| repo.write("work", "w\n"));
    repo.write("own", "o\n");
    repo.commit("own");
    let bare = repo.beside("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    repo.git_in(&bare, &["config", "user.name", "Ada"]);
    repo.git_in(&bare, &["config", "user.email", "ada@example.com"]);
    let opened = open_at(&repo, &bare, None).await.unwrap();
    let merged = merge(&opened, of("work")).await.unwrap();
    assert_eq!(repo.git_in(&bare, &["rev-parse", "main"]), merged.commit);
    assert_eq!(repo.git_in(&bare, &["show", "main:work"]), "w");
}

/// Merges `work`, which changes `dir/two` and adds `dir/new` and `other/new`, into a checkout made
/// odd by `setup`, with edits to what it does not touch.
async fn landed_in(setup: impl FnOnce(&Repo)) -> Repo {
    let repo = started();
    branch(&repo, "work", |repo| {
        repo.write("dir/two", "zwei\n");
        repo.write("dir/new", "n\n");
        repo.write("other/new", "n\n");
        repo.git(&["rm", "-q", "bin"]);
    });
    setup(&repo);
    repo.write("one", "edited\n");
    repo.write("staged", "s\n");
    repo.git(&["add", "--sparse", "staged"]);
    let opened = open(&repo).await;
    let merged = merge(&opened, of("work")).await.unwrap();
    assert_eq!(merged.status, "fast_forward");
    assert_eq!(repo.git(&["rev-parse", "HEAD"]), merged.commit);
    assert_eq!(repo.git(&["status", "--porcelain"]), " M one\nA  staged");
    assert_eq!(std::fs::read(repo.path().join("dir/two")).unwrap(), b"zwei\n");
    assert!(!repo.path().join("bin").exists() && repo.path().join("dir/new").exists());
    assert!(!repo.path().join(".git/index.lock").exists());
    repo
}

fn has(repo: &Repo, path: &str) -> bool {
    repo.path().join(path).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_checkouts_follow() {
    // Half a checkout, with a whole index and with a sparse one: what is left out stays out.
    for kind in ["--no-sparse-index", "--sparse-index"] {
        let repo = landed_in(|repo| {
            repo.git(&["sparse-checkout", "set", "--cone", kind, "dir"]);
            assert!(!has(repo, "other"));
        })
        .await;
        assert!(!has(&repo, "other"), "{kind}");
        // Its own git finds it as it would have left it.
        let folded = repo.git(&["ls-files", "--sparse"]).lines().any(|name| name == "other/");
        assert_eq!(folded, kind == "--sparse-index");
        repo.git(&["commit", "-qam", "mine"]);
        assert_eq!(repo.git(&["show", "HEAD:other/new"]), "n", "{kind}");
    }
    let repo = landed_in(|repo| {
        repo.git(&["config", "core.splitIndex", "true"]);
        repo.git(&["update-index", "--split-index"]);
        repo.write("later", "l\n");
        repo.git(&["add", "later"]);
        repo.git(&["reset", "-q", "later"]);
        std::fs::remove_file(repo.path().join("later")).unwrap();
    })
    .await;
    repo.git(&["commit", "-qam", "mine"]);
    landed_in(|repo| {
        repo.git(&["config", "core.untrackedCache", "true"]);
        repo.git(&["config", "index.version", "4"]);
        repo.git(&["update-index", "--index-version", "4", "--untracked-cache"]);
        repo.git(&["config", "core.autocrlf", "input"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_ids_are_merged_too() {
    let repo = Repo::empty(&["--object-format=sha256"]);
    repo.write("one", "1\n2\n3\n");
    repo.commit("base");
    repo.git(&["branch", "start"]);
    branch(&repo, "work", |repo| repo.write("work", "w\n"));
    branch(&repo, "replayed", |repo| repo.write("replayed", "r\n"));
    branch(&repo, "clash", |repo| repo.write("one", "clash\n"));
    repo.write("one", "own\n");
    repo.commit("own");
    let opened = open(&repo).await;
    assert_eq!(merge(&opened, of("work")).await.unwrap().status, "merged");
    let rebase = Merge { strategy: Strategy::Rebase, ..of("replayed") };
    assert_eq!(merge(&opened, rebase).await.unwrap().status, "merged");
    let lane = Lane::enter(&opened, None).await.unwrap();
    let tip = lane.tip().await.unwrap();
    let Proposed::Conflicted(conflict) = lane.propose(&of("clash"), &tip).await.unwrap() else {
        panic!("it conflicts");
    };
    let root = repo.beside("state");
    let trial = Trial::of_conflict(&opened, &conflict, &root, Footing::Commit).await.unwrap();
    let folder = trial.worktree().path().to_owned();
    assert_eq!(repo.git_in(&folder, &["status", "--porcelain"]), "UU one");
    assert!(trial.resolution(&conflict, true).await.is_err(), "it has markers");
    std::fs::write(folder.join("one"), "both\n").unwrap();
    let tree = trial.resolution(&conflict, true).await.unwrap().tree;
    trial.close().await.unwrap();
    let proposal = propose_resolved(&opened, &of("clash"), &conflict, &tree).await.unwrap();
    assert!(lane.land(&proposal).await.unwrap());
    assert_eq!(std::fs::read_to_string(repo.path().join("one")).unwrap(), "both\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_only_meant_counts_as_the_users() {
    let repo = started();
    branch(&repo, "work", |repo| repo.write("meant", "w\n"));
    repo.write("meant", "mine\n");
    repo.git(&["add", "--intent-to-add", "meant"]);
    let opened = open(&repo).await;
    let before = repo.fingerprint(&[]);
    let error = merge(&opened, of("work")).await.unwrap_err();
    assert_eq!(detail(&error)["reason"], "dirty", "{error}");
    repo.assert_untouched(&before, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_refresh_leaves_somebodys_edit() {
    let repo = started();
    branch(&repo, "work", |repo| {
        repo.write("one", "eins\n");
        repo.write(".gitattributes", "z filter=editor\n");
        repo.write("z", "z\n");
    });
    // Stands for a user who saves a file in the middle of it.
    let edit = format!("echo mine > '{}'; exit 1", repo.path().join("one").display());
    repo.git(&["config", "filter.editor.smudge", &edit]);
    repo.git(&["config", "filter.editor.required", "true"]);
    let opened = open(&repo).await;
    let tip = repo.git(&["rev-parse", "main"]);
    let error = merge(&opened, of("work")).await.unwrap_err();
    assert_eq!(detail(&error)["reason"], "failed");
    assert_eq!(detail(&error)["paths"], json!(["one"]), "{error}");
    assert_eq!(repo.git(&["rev-parse", "main"]), tip);
    assert_eq!(std::fs::read(repo.path().join("one")).unwrap(), b"mine\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), " M one");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pairs_of_twenty_branches_are_one_child() {
    let repo = started();
    for number in 0..20 {
        branch(&repo, &format!("b{number}"), |repo| {
            // Every fourth changes the same line.
            let path = if number % 4 == 0 { "one".into() } else { format!("own/{number}") };
            repo.write(&path, format!("{number}\n"));
        });
    }
    let opened = open(&repo).await;
    let names: Vec<String> = (0..20).map(|number| format!("b{number}")).collect();
    let children = opened.children();
    let found = conflicts(&opened, &names).await.unwrap();
    assert_eq!(opened.children() - children, 1);
    assert_eq!(found.len(), 10, "five branches, each with each");
    assert!(Path::new(&found[0].paths[0]).ends_with("one"));
}
