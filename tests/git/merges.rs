//! Merges: what moves, what stays, and what is refused before anything moves.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use agentlua::error::Error;
use agentlua::git::{self, Merge, Merged, Strategy, conflicts, merge};
use serde_json::{Value, json};

use crate::open;
use crate::repo::Repo;

/// `main` and three branches from its first commit: `clean`, and `left` and `right` that clash.
fn forked() -> Repo {
    let repo = Repo::new();
    repo.write("shared", "1\n2\n3\n");
    repo.write("kept", "k\n");
    repo.commit("base");
    for (branch, path, text) in [
        ("clean", "sub/clean", "c\n"),
        ("left", "shared", "left\n2\n3\n"),
        ("right", "shared", "right\n2\n3\n"),
    ] {
        repo.git(&["checkout", "-q", "-b", branch, "main"]);
        repo.write(path, text);
        repo.commit(branch);
    }
    repo.git(&["checkout", "-q", "main"]);
    repo
}

fn of(branch: &str) -> Merge {
    Merge {
        branch: branch.to_owned(),
        name: branch.to_owned(),
        into: None,
        strategy: Strategy::Merge,
        message: None,
    }
}

fn detail(error: &Error) -> &Value {
    error.detail("merge").unwrap()
}

async fn refusal(repo: &Repo, opened: &Arc<git::Repo>, job: Merge) -> Error {
    let before = repo.fingerprint(&[]);
    let error = merge(opened, job).await.unwrap_err();
    repo.assert_untouched(&before, &[]);
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_forward_then_a_merge_then_nothing() {
    let repo = forked();
    let opened = open(&repo).await;
    let tip = repo.git(&["rev-parse", "clean"]);
    let done = merge(&opened, of("clean")).await.unwrap();
    assert_eq!(done, Merged { status: "fast_forward", commit: tip, into: "main".into() });
    let done = merge(&opened, of("left")).await.unwrap();
    assert_eq!(done.status, "merged");
    assert_eq!(repo.git(&["log", "-1", "--format=%s|%an"]), "Merge branch 'left'|Ada");
    let parents = repo.git(&["rev-parse", "main^1", "main^2"]);
    assert_eq!(parents, repo.git(&["rev-parse", "clean", "left"]));
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(std::fs::read_to_string(repo.path().join("shared")).unwrap(), "left\n2\n3\n");
    let again = merge(&opened, of("left")).await.unwrap();
    assert_eq!((again.status, again.commit), ("up_to_date", done.commit));
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_that_the_merge_does_not_touch_stay() {
    let repo = forked();
    repo.write("kept", "edited\n");
    repo.write("staged", "s\n");
    repo.git(&["add", "staged"]);
    repo.write("untracked", "u\n");
    // Only touched: no change, although the index cannot know.
    let touched = std::fs::File::options().append(true).open(repo.path().join("shared")).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let opened = open(&repo).await;
    merge(&opened, of("left")).await.unwrap();
    merge(&opened, of("clean")).await.unwrap();
    assert_eq!(repo.git(&["status", "--porcelain"]), " M kept\nA  staged\n?? untracked");
    assert!(repo.path().join("sub/clean").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_are_data_and_nothing_moves() {
    let repo = forked();
    let opened = open(&repo).await;
    merge(&opened, of("left")).await.unwrap();
    let error = refusal(&repo, &opened, of("right")).await;
    assert_eq!(error.message, "merging `right` into `main` conflicts in `shared`");
    let merge = detail(&error);
    assert_eq!(merge["status"], "conflicted");
    assert_eq!(merge["paths"], json!(["shared"]));
    assert_eq!(merge["conflicts"][0]["kind"], "contents");
    assert_eq!(merge["conflicts"][0]["path"], "shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_refuses_the_merge() {
    let repo = forked();
    let opened = open(&repo).await;
    for (path, text, branch) in [
        ("shared", "mine\n", "left"),
        ("sub/clean", "mine\n", "clean"),
        ("sub", "a file\n", "clean"),
    ] {
        repo.write(path, text);
        let error = refusal(&repo, &opened, of(branch)).await;
        assert_eq!(detail(&error)["reason"], "dirty", "{error}");
        let named = if branch == "left" { "shared" } else { "sub/clean" };
        assert_eq!(detail(&error)["paths"], json!([named]));
        repo.git(&["checkout", "-q", "--", "."]);
        repo.git(&["clean", "-fdq"]);
    }
    // An ignored file is the user's too.
    repo.write(".git/info/exclude", "sub/\n");
    repo.write("sub/clean", "secret\n");
    let error = refusal(&repo, &opened, of("clean")).await;
    assert_eq!(detail(&error)["reason"], "dirty");
    assert_eq!(std::fs::read_to_string(repo.path().join("sub/clean")).unwrap(), "secret\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_in_the_middle_of_something_is_refused() {
    let repo = forked();
    let opened = open(&repo).await;
    repo.git(&["merge", "-q", "left"]);
    let (ok, _) = repo.try_git_in(repo.path(), &["merge", "right"]);
    assert!(!ok);
    let error = refusal(&repo, &opened, of("clean")).await;
    assert_eq!(detail(&error)["reason"], "parked");
    std::fs::remove_file(repo.path().join(".git/MERGE_HEAD")).unwrap();
    let error = refusal(&repo, &opened, of("clean")).await;
    assert_eq!(detail(&error)["reason"], "unmerged");
    assert_eq!(detail(&error)["paths"], json!(["shared"]));
    repo.git(&["reset", "-q", "--hard"]);
    // A rebase detaches HEAD, and yet the branch is its.
    repo.git(&["checkout", "-q", "right"]);
    let (ok, _) = repo.try_git_in(repo.path(), &["rebase", "main"]);
    assert!(!ok);
    let into = Merge { into: Some("right".into()), ..of("clean") };
    let error = refusal(&repo, &opened, into).await;
    assert_eq!(detail(&error)["reason"], "parked");
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_without_a_base_and_no_fast_forward() {
    let repo = forked();
    let opened = open(&repo).await;
    repo.git(&["checkout", "-q", "--orphan", "apart"]);
    repo.commit("apart");
    repo.git(&["checkout", "-q", "main"]);
    let error = refusal(&repo, &opened, of("apart")).await;
    assert_eq!(detail(&error)["reason"], "no_common_base");
    merge(&opened, of("left")).await.unwrap();
    let forward = Merge { strategy: Strategy::FastForward, ..of("clean") };
    let error = refusal(&repo, &opened, forward).await;
    assert_eq!(detail(&error)["reason"], "diverged");
    let error = refusal(&repo, &opened, Merge { into: Some("none".into()), ..of("left") }).await;
    assert_eq!(error.message, "there is no branch `none`");
    repo.git(&["checkout", "-q", "--detach"]);
    let error = refusal(&repo, &opened, of("left")).await;
    assert_eq!(error.message, "HEAD is on no branch that could take a merge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squash_is_one_commit_with_one_parent() {
    let repo = forked();
    let opened = open(&repo).await;
    let before = repo.git(&["rev-parse", "main"]);
    let job =
        Merge { strategy: Strategy::Squash, message: Some("all of it".into()), ..of("clean") };
    assert_eq!(merge(&opened, job.clone()).await.unwrap().status, "merged");
    assert_eq!(repo.git(&["log", "-1", "--format=%P %s"]), format!("{before} all of it"));
    assert_eq!(merge(&opened, job).await.unwrap().status, "up_to_date");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_elsewhere_is_refreshed_and_one_nowhere_only_moves() {
    let repo = forked();
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "-q", "-b", "elsewhere", linked.to_str().unwrap(), "main"]);
    repo.git(&["branch", "nowhere"]);
    repo.write("README.md", "dirty main\n");
    let before = repo.fingerprint(&["elsewhere", "nowhere"]);
    let opened = open(&repo).await;
    std::fs::write(linked.join("kept"), "edited\n").unwrap();
    let job = |into: &str| Merge { into: Some(into.into()), ..of("left") };
    merge(&opened, job("elsewhere")).await.unwrap();
    assert_eq!(repo.git_in(&linked, &["status", "--porcelain"]), " M kept");
    assert_eq!(std::fs::read_to_string(linked.join("shared")).unwrap(), "left\n2\n3\n");
    merge(&opened, job("nowhere")).await.unwrap();
    assert_eq!(repo.git(&["rev-parse", "nowhere"]), repo.git(&["rev-parse", "left"]));
    repo.assert_untouched(&before, &["elsewhere", "nowhere"]);
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_fails_half_way_puts_everything_back() {
    let repo = forked();
    // The checkout of `z` fails after `a` was written.
    repo.git(&["checkout", "-q", "left"]);
    repo.write(".gitattributes", "z filter=broken\n");
    repo.write("a", "a\n");
    repo.write("z", "z\n");
    repo.commit("filtered");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["config", "filter.broken.smudge", "false"]);
    repo.git(&["config", "filter.broken.required", "true"]);
    let opened = open(&repo).await;
    let tip = repo.git(&["rev-parse", "main"]);
    let error = merge(&opened, of("left")).await.unwrap_err();
    assert_eq!(detail(&error)["status"], "refused", "{error}");
    assert_eq!(repo.git(&["rev-parse", "main"]), tip);
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_are_signed_when_the_users_git_signs() {
    let repo = forked();
    let canary = repo.beside("signer");
    let script = "#!/bin/sh\ncat > /dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\necho signed\n";
    std::fs::write(&canary, script).unwrap();
    std::fs::set_permissions(&canary, std::fs::Permissions::from_mode(0o755)).unwrap();
    repo.git(&["config", "gpg.program", canary.to_str().unwrap()]);
    repo.git(&["config", "commit.gpgsign", "true"]);
    let opened = open(&repo).await;
    merge(&opened, of("left")).await.unwrap();
    merge(&opened, of("clean")).await.unwrap();
    assert!(repo.git(&["cat-file", "commit", "main"]).contains("gpgsig signed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_is_probed_by_one_child_and_nothing_is_kept() {
    let repo = forked();
    repo.git(&["checkout", "-q", "--orphan", "apart"]);
    repo.git(&["rm", "-rfq", "."]);
    repo.write("sub/clean", "other\n");
    repo.commit("apart");
    repo.git(&["checkout", "-q", "main"]);
    let opened = open(&repo).await;
    let count = |repo: &Repo| repo.git(&["count-objects"]);
    let (objects, before) = (count(&repo), repo.fingerprint(&[]));
    let names = ["left", "clean", "right", "apart"].map(str::to_owned);
    let children = opened.children();
    let found = conflicts(&opened, &names).await.unwrap();
    assert_eq!(opened.children() - children, 1);
    let found: Vec<_> = found.iter().map(|c| (&*c.a, &*c.b, c.paths.join(" "))).collect();
    assert_eq!(
        found,
        [("left", "right", "shared".to_owned()), ("clean", "apart", "sub/clean".to_owned())]
    );
    assert_eq!((count(&repo), repo.fingerprint(&[])), (objects, before));
    assert_eq!(conflicts(&opened, &names[..1]).await.unwrap(), []);
    let error = conflicts(&opened, &["left".into(), "nope".into()]).await.unwrap_err();
    assert_eq!(error.message, "`nope` names no commit");
}
