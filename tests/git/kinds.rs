//! Every kind of repository: both readers agree, and a worktree's whole life works.

use std::os::unix::fs::PermissionsExt;

use agentlua::git::worktree::Released;
use agentlua::git::{LogQuery, Reader};

use crate::repo::Repo;
use crate::{create, message, open_at};

/// A commit on `main`, and on `side` another with a rename and an odd name.
fn fill(repo: &Repo) {
    repo.write("a/one.txt", "1\n2\n3\n");
    repo.write("b/two.txt", "two\n");
    repo.commit("first\n\nbody é");
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("b/new\tname", "n\n");
    repo.git(&["mv", "b/two.txt", "b/moved.txt"]);
    repo.commit("second");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("a/one.txt", "1\n2\n4\n");
    repo.commit("third");
}

pub fn filled(init: &[&str]) -> Repo {
    let repo = Repo::empty(init);
    fill(&repo);
    repo
}

/// Clones a filled repository with these arguments.
fn cloned(args: &[&str]) -> Repo {
    let source = filled(&[]);
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    let repo = Repo::folder("clone");
    let url = format!("file://{}", source.path().display());
    let to = repo.path().display().to_string();
    let parent = repo.path().parent().unwrap().to_owned();
    repo.git_in(&parent, &[&["clone", "-q"], args, &[&url, &to]].concat());
    repo.identify();
    // A partial clone fetches from its source later.
    std::mem::forget(source);
    repo
}

pub fn kinds() -> Vec<(&'static str, Repo, Option<Reader>)> {
    let library = Some(Reader::Library);
    let program = Some(Reader::Program);
    let packed = filled(&[]);
    packed.git(&["pack-refs", "--all"]);
    packed.git(&["repack", "-adq"]);
    let detached = filled(&[]);
    detached.git(&["checkout", "-q", "--detach"]);
    let sparse = filled(&[]);
    sparse.git(&["sparse-checkout", "set", "--cone", "a"]);
    let narrow = filled(&[]);
    narrow.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "a"]);
    let split = filled(&[]);
    split.git(&["update-index", "--split-index"]);
    split.git(&["config", "core.splitIndex", "true"]);
    let mut kinds = vec![
        ("plain", filled(&[]), library),
        ("packed", packed, library),
        ("detached", detached, library),
        ("sparse", sparse, library),
        ("sparse index", narrow, library),
        ("split index", split, library),
        ("shallow", cloned(&["--depth=1"]), library),
        ("partial", cloned(&["--filter=blob:none"]), program),
        ("sha256", filled(&["--object-format=sha256"]), program),
    ];
    let probe = Repo::folder("probe");
    let (knows, _) =
        probe.try_git_in(&probe.beside("home"), &["init", "-q", "--ref-format=reftable"]);
    if knows {
        kinds.push(("reftable", filled(&["--ref-format=reftable"]), program));
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn both_readers_give_the_same_answers() {
    for (kind, repo, chosen) in kinds() {
        let usual = open_at(&repo, repo.path(), None).await.unwrap();
        assert_eq!(Some(usual.reader()), chosen, "{kind}");
        let twin = open_at(&repo, repo.path(), Some(Reader::Program)).await.unwrap();
        assert_eq!(usual.head().await.unwrap(), twin.head().await.unwrap(), "{kind}");
        for rev in ["HEAD", "main", "side", "origin/side", "refs/heads/main", "HEAD~1", "nope"] {
            let answer = usual.resolve(rev).await.ok();
            assert_eq!(answer, twin.resolve(rev).await.ok(), "{kind}: {rev}");
            let (ok, id) = repo.try_git_in(
                repo.path(),
                &["rev-parse", "--verify", "-q", &format!("{rev}^{{commit}}")],
            );
            assert_eq!(answer, ok.then_some(id), "{kind}: {rev}");
        }
        let listed = usual.log(LogQuery::default()).await.unwrap();
        assert_eq!(listed[0].subject, "third", "{kind}");
        assert_eq!(listed[0].author_email, "ada@example.com", "{kind}");
        let branches = usual.branches().await.unwrap();
        assert!(branches.iter().any(|branch| branch.name == "main"), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_lives_in_every_kind() {
    for (kind, repo, _) in kinds() {
        let opened = open_at(&repo, repo.path(), None).await.unwrap();
        let before = repo.fingerprint(&[]);
        let worktree = create(&repo, &opened, "a1", "work").await;
        let file = worktree.path().join("a/one.txt");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "1\n2\n4\n", "{kind}");
        assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "", "{kind}");
        let finished = worktree.finish(Some(message("idle"))).await.unwrap();
        assert!(!finished.changed, "{kind}: {finished:?}");
        std::fs::write(&file, "changed\n").unwrap();
        // Also outside a sparse checkout's cone.
        std::fs::create_dir_all(worktree.path().join("c")).unwrap();
        std::fs::write(worktree.path().join("c/new"), "new\n").unwrap();
        let finished = worktree.finish(Some(message("work"))).await.unwrap();
        assert_eq!(finished.files_changed, ["a/one.txt", "c/new"], "{kind}");
        assert_eq!(finished.skipped, Vec::<String>::new(), "{kind}");
        let names = repo.git(&["diff", "--name-only", "HEAD", "work"]);
        assert_eq!(names, "a/one.txt\nc/new", "{kind}");
        assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);

        let idle = create(&repo, &opened, "a2", "idle").await;
        let finished = idle.finish(Some(message("idle"))).await.unwrap();
        let released = idle.release(&finished).await.unwrap();
        assert!(matches!(released, Released::Removed { .. }), "{kind}");
        repo.assert_untouched(&before, &["work", "idle"]);
        repo.fsck();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_worktree_deletes_nothing_that_it_leaves_out() {
    let repo = filled(&[]);
    let opened = open_at(&repo, repo.path(), None).await.unwrap();
    let worktree = create(&repo, &opened, "a1", "narrowed").await;
    // The agent narrows its own worktree, where the user's checkout is whole.
    std::fs::write(worktree.path().join("a/one.txt"), "changed\n").unwrap();
    repo.git_in(worktree.path(), &["add", "--all"]);
    repo.git_in(worktree.path(), &["commit", "-qm", "mine"]);
    repo.git_in(worktree.path(), &["sparse-checkout", "set", "--cone", "a"]);
    assert!(!worktree.path().join("b/two.txt").exists());
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert_eq!(finished.files_changed, ["a/one.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_repository_has_worktrees_too() {
    let source = filled(&[]);
    let repo = Repo::folder("bare.git");
    let to = repo.path().display().to_string();
    let from = source.path().display().to_string();
    repo.git_in(&repo.beside("home"), &["clone", "-q", "--bare", &from, &to]);
    let opened = open_at(&repo, repo.path(), None).await.unwrap();
    assert!(opened.is_bare());
    let worktree = create(&repo, &opened, "a1", "work").await;
    std::fs::write(worktree.path().join("new"), "x").unwrap();
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert_eq!(finished.files_changed, ["new"]);
    let author = repo.git(&["log", "-1", "--format=%an <%ae>", "work"]);
    assert_eq!(author, "agentlua <agentlua@localhost>");
    assert!(opened.worktrees().await.unwrap()[0].bare);
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_filters_modes_links_and_submodules_survive() {
    let inner = Repo::new();
    let repo = Repo::empty(&[]);
    repo.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    repo.git(&["config", "filter.up.smudge", "tr A-Z a-z"]);
    repo.write(".gitattributes", "*.up filter=up\n*.bat eol=crlf\n");
    repo.write("x.up", "hello\n");
    repo.write("run.bat", "echo\r\nend\r\n");
    repo.write("tool.sh", "#!/bin/sh\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(repo.path().join("tool.sh"), mode).unwrap();
    std::os::unix::fs::symlink("tool.sh", repo.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/nonexistent", repo.path().join("dangling")).unwrap();
    let url = inner.path().display().to_string();
    repo.git(&["submodule", "--quiet", "add", &url, "sub"]);
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "odd"]);
    repo.git(&["checkout", "-q", "--", "."]);
    repo.git(&["config", "core.safecrlf", "true"]);
    let opened = open_at(&repo, repo.path(), None).await.unwrap();

    let worktree = create(&repo, &opened, "a1", "odd").await;
    let read = |name: &str| std::fs::read(worktree.path().join(name)).unwrap();
    assert_eq!((read("x.up"), read("run.bat")), (b"hello\n".into(), b"echo\r\nend\r\n".into()));
    assert_eq!(std::fs::read_link(worktree.path().join("link")).unwrap().as_os_str(), "tool.sh");
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert!(!finished.changed, "{finished:?}");
    std::fs::write(worktree.path().join("y.up"), "new\n").unwrap();
    std::fs::write(worktree.path().join("two.bat"), "mixed\nends\r\n").unwrap();
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert_eq!(finished.files_changed, ["two.bat", "y.up"]);
    assert_eq!(repo.git(&["show", "odd:y.up"]), "NEW");
    assert_eq!(repo.git(&["ls-tree", "odd", "tool.sh"])[..6], *"100755");

    let idle = create(&repo, &opened, "a2", "idle").await;
    let finished = idle.finish(Some(message("x"))).await.unwrap();
    let released = idle.release(&finished).await.unwrap();
    assert!(matches!(released, Released::Removed { .. }), "with an empty submodule");
}
