//! What cannot be is refused with its reason, and nothing is left behind.

use agentlua::error::{Error, Kind};
use agentlua::git::worktree::{New, is_volatile};
use agentlua::git::{self, Worktree};

use crate::repo::Repo;
use crate::{create, new, open, open_at};

async fn refusal(repo: &Repo, opened: &std::sync::Arc<git::Repo>, new: New) -> Error {
    let before = repo.fingerprint(&[]);
    let error = Worktree::create(opened, new).await.unwrap_err();
    repo.assert_untouched(&before, &[]);
    let admin = repo.path().join(".git/worktrees");
    assert_eq!(std::fs::read_dir(admin).map_or(0, Iterator::count), 0, "after: {error}");
    let left = walk(&repo.beside("state"));
    assert_eq!(left, Vec::<String>::new(), "after: {error}");
    error
}

fn walk(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be() {
    let repo = Repo::new();
    repo.git(&["branch", "feat"]);
    repo.git(&["branch", "deep/er"]);
    repo.git(&["pack-refs", "--all"]);
    let opened = open(&repo).await;
    let long = "x".repeat(300);
    for (branch, kind, says) in [
        ("feat", Kind::Git, "`feat` already exists"),
        ("feat/x", Kind::Git, "cannot stand beside `feat`"),
        ("deep", Kind::Git, "cannot stand beside `deep/er`"),
        ("-f", Kind::Usage, "`-f` cannot be the name"),
        ("a b", Kind::Usage, "`a b` cannot be the name"),
        ("a..b", Kind::Usage, "cannot be the name"),
        ("", Kind::Usage, "cannot be the name"),
        ("x.lock", Kind::Usage, "cannot be the name"),
        ("HEAD", Kind::Usage, "cannot be the name"),
        (&long, Kind::Usage, "more than 250 bytes"),
    ] {
        let error = refusal(&repo, &opened, new(&repo, &opened, "a1", branch).await).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    // Git makes the branch before it finds out that it cannot make the rest.
    repo.write(".git/worktrees", "in the way");
    let error = refusal(&repo, &opened, new(&repo, &opened, "a1", "ok").await).await;
    assert!(error.to_string().contains("worktrees"), "{error}");
    std::fs::remove_file(repo.path().join(".git/worktrees")).unwrap();
    let error = refusal(&repo, &opened, new(&repo, &opened, "../x", "ok").await).await;
    assert_eq!(error.message, "`../x` cannot be the id of a worktree");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_inside_the_repository() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    std::os::unix::fs::symlink(repo.path(), repo.beside("link")).unwrap();
    for root in [repo.path().join("wt"), repo.path().join(".git/wt"), repo.beside("link/wt")] {
        let wanted = New { root, ..new(&repo, &opened, "a1", "x").await };
        let error = refusal(&repo, &opened, wanted).await;
        assert!(error.message.contains("inside the repository"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_no_commit_and_a_checkout_that_fails() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let mut wanted = new(&repo, &opened, "a1", "x").await;
    wanted.base_commit = "1".repeat(40);
    refusal(&repo, &opened, wanted).await;
    // A filter that is required and fails stops the checkout after the branch was made.
    repo.write(".gitattributes", "*.bin filter=broken\n");
    repo.write("a.bin", "x");
    repo.commit("filtered");
    repo.git(&["config", "filter.broken.smudge", "false"]);
    repo.git(&["config", "filter.broken.required", "true"]);
    let error = refusal(&repo, &opened, new(&repo, &opened, "a1", "x").await).await;
    assert!(error.to_string().contains("a.bin"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_taken_is_left_alone() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let first = create(&repo, &opened, "a1", "one").await;
    std::fs::write(first.path().join("work"), "x").unwrap();
    let second = Worktree::create(&opened, new(&repo, &opened, "a1", "two").await).await;
    assert!(second.unwrap_err().to_string().contains("is there already"));
    assert!(first.path().join("work").exists());
    assert!(!repo.git(&["branch"]).contains("two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_are_no_repository() {
    let repo = Repo::folder("nowhere");
    let error = open_at(&repo, &repo.beside("home"), None).await.unwrap_err();
    assert!(error.message.ends_with("is not inside a git repository"), "{error}");
    let error = open_at(&repo, &repo.beside("nothing"), None).await.unwrap_err();
    assert!(error.message.ends_with("is not a directory"), "{error}");
    assert_eq!(error.kind, Kind::Git);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_and_names_of_nothing() {
    let repo = Repo::empty(&[]);
    let opened = open(&repo).await;
    let head = opened.head().await.unwrap();
    assert_eq!((head.branch.as_deref(), head.commit), (Some("main"), None));
    let error = opened.resolve("HEAD").await.unwrap_err();
    assert!(error.message.ends_with("has no commit yet"), "{error}");
    assert!(error.hint.unwrap().starts_with("git commit"));
    assert_eq!(opened.log(git::LogQuery::default()).await.unwrap(), []);
    repo.commit("start");
    for rev in ["nope", "--all", "-n1", "", "HEAD:README.md", "a b"] {
        let error = opened.resolve(rev).await.unwrap_err();
        assert_eq!(error.message, format!("`{rev}` names no commit"));
    }
}

#[test]
fn volatile_folders_are_known() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    assert!(is_volatile(&folder.path().join("not/there")));
    assert!(!is_volatile(std::path::Path::new("/usr/share")));
}
