//! The life of a worktree: made, worked in, finished, released.

use std::os::unix::fs::PermissionsExt;

use agentlua::git::Worktree;
use agentlua::git::worktree::Released;

use crate::repo::Repo;
use crate::{create, message, open, open_at};

#[tokio::test(flavor = "multi_thread")]
async fn work_becomes_one_commit_on_its_branch_and_nothing_of_the_users_changes() {
    let repo = Repo::new();
    repo.write("src/lib.rs", "fn a() {}\n");
    repo.write("old name", "moved\n");
    repo.commit("more");
    repo.write("README.md", "dirty\n");
    repo.write("untracked", "mine\n");
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "fix/one").await;
    assert_eq!(std::fs::read_to_string(worktree.path().join("README.md")).unwrap(), "# readme\n");
    std::fs::write(worktree.path().join("src/lib.rs"), "fn b() {}\n").unwrap();
    std::fs::write(worktree.path().join("new\nline é"), "x").unwrap();
    std::fs::rename(worktree.path().join("old name"), worktree.path().join("new name")).unwrap();
    let finished = worktree.finish(Some(message("one\nthing"))).await.unwrap();
    assert!(finished.changed && !finished.uncommitted && finished.skipped.is_empty());
    assert_eq!(finished.files_changed, ["new\nline é", "new name", "old name", "src/lib.rs"]);
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);

    assert_eq!(repo.git(&["rev-parse", "fix/one"]), finished.head_commit);
    assert_eq!(repo.git(&["rev-parse", "fix/one^"]), worktree.base_commit());
    let shown = repo.git(&["log", "-1", "--format=%an <%ae>%n%B", "fix/one"]);
    assert_eq!(shown, "Ada <ada@example.com>\none thing\n\nAgentlua-Agent: a1");
    assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "");
    let listed = repo.git(&["worktree", "list", "--porcelain"]);
    assert!(listed.contains("branch refs/heads/fix/one") && !listed.contains("locked"));
    repo.assert_untouched(&before, &["fix/one"]);
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_without_work_goes_and_its_branch_stays_until_it_is_deleted_by_value() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.log\n");
    let base = repo.commit("ignore");
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "idle").await;
    std::fs::write(worktree.path().join("a.log"), "12345").unwrap();
    let finished = worktree.finish(Some(message("nothing"))).await.unwrap();
    assert!(!finished.changed && finished.files_changed.is_empty());
    let released = worktree.release(&finished).await.unwrap();
    assert_eq!(released, Released::Removed { ignored_files: 1, ignored_bytes: 5 });
    assert!(!worktree.path().exists());
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    assert!(opened.delete_branch_if("main", &base).await.is_ok_and(|deleted| !deleted));
    assert!(!opened.delete_branch_if("idle", &"1".repeat(40)).await.unwrap());
    assert!(opened.delete_branch_if("idle", &base).await.unwrap());
    repo.assert_untouched(&before, &[]);
    assert_eq!(std::fs::read_dir(repo.beside("state")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_finishing_and_releasing_starts_at_most_seven_git_children() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    // Once per repository: the version, the place, the identity.
    let warm = create(&repo, &opened, "a0", "warm").await;
    std::fs::write(warm.path().join("new"), "x").unwrap();
    warm.finish(Some(message("x"))).await.unwrap();
    for (id, work) in [("a1", true), ("a2", false)] {
        let before = opened.children();
        let worktree = create(&repo, &opened, id, id).await;
        if work {
            std::fs::write(worktree.path().join("new"), "x").unwrap();
        }
        let finished = worktree.finish(Some(message("x"))).await.unwrap();
        worktree.release(&finished).await.unwrap();
        let children = opened.children() - before;
        // `worktree add` and `worktree remove` start one more each: seven in all.
        assert_eq!(children, 6, "work: {work}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_own_commits_stay_and_the_rest_goes_on_top() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "own").await;
    let dir = worktree.path();
    std::fs::write(dir.join("first"), "1").unwrap();
    repo.git_in(dir, &["add", "first"]);
    repo.git_in(dir, &["commit", "-qm", "mine"]);
    let mine = repo.git(&["rev-parse", "own"]);
    let finished = worktree.finish(Some(message("rest"))).await.unwrap();
    assert_eq!(finished.head_commit, mine, "nothing more to commit");
    std::fs::write(dir.join("second"), "2").unwrap();
    let finished = worktree.finish(Some(message("rest"))).await.unwrap();
    assert_eq!(repo.git(&["rev-parse", "own^"]), mine);
    assert_eq!(finished.files_changed, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_message_the_work_stays_uncommitted_and_is_named() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "loose").await;
    std::fs::write(worktree.path().join("new"), "x").unwrap();
    let finished = worktree.finish(None).await.unwrap();
    assert!(finished.uncommitted && finished.changed);
    assert_eq!(finished.files_changed, ["new"]);
    assert_eq!(finished.head_commit, worktree.base_commit());
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
    assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "?? new");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_cannot_hide_work_behind_its_index_or_its_head() {
    let repo = Repo::new();
    let main = repo.git(&["rev-parse", "main"]);
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "sly").await;
    let dir = worktree.path();
    repo.git_in(dir, &["update-index", "--assume-unchanged", "README.md"]);
    std::fs::write(dir.join("README.md"), "changed\n").unwrap();
    repo.git_in(dir, &["checkout", "-q", "--detach"]);
    repo.git_in(dir, &["commit", "-q", "--allow-empty", "-m", "beside"]);
    let beside = repo.git_in(dir, &["rev-parse", "HEAD"]);
    std::fs::write(dir.join(".git"), "gitdir: /nonexistent\n").unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished.files_changed, ["README.md"]);
    assert_eq!(repo.git(&["show", "sly:README.md"]), "changed");
    assert_eq!(finished.kept[0].name, "refs/agentlua/run-1/a1/HEAD");
    assert_eq!(repo.git(&["rev-parse", "refs/agentlua/run-1/a1/HEAD"]), beside);
    assert_eq!(repo.git(&["rev-parse", "main"]), main);
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_and_monitors_of_the_repository_do_not_run() {
    let repo = Repo::new();
    let canary = repo.beside("canary");
    let script = format!("#!/bin/sh\necho ran >> '{}'\n", canary.display());
    for hook in ["post-checkout", "reference-transaction", "pre-commit", "post-index-change"] {
        repo.write(&format!(".git/hooks/{hook}"), &script);
        let path = repo.path().join(".git/hooks").join(hook);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let monitor = repo.path().join(".git/hooks/pre-commit");
    repo.git(&["config", "core.fsmonitor", monitor.to_str().unwrap()]);
    std::fs::remove_file(&canary).unwrap_or_default();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "quiet").await;
    std::fs::write(worktree.path().join("new"), "x").unwrap();
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    worktree.release(&finished).await.unwrap();
    assert!(!canary.exists(), "{}", std::fs::read_to_string(&canary).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_cannot_store_is_named_and_costs_nothing_else() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "part").await;
    // To git on some systems another name of `.git`.
    std::fs::write(worktree.path().join("git~1"), "x").unwrap();
    std::fs::write(worktree.path().join("good"), "x").unwrap();
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert!(finished.skipped[0].contains("git~1"), "{:?}", finished.skipped);
    assert_eq!(finished.files_changed, ["good"]);
    // Alone it changes no tree, and yet it is something.
    std::fs::remove_file(worktree.path().join("good")).unwrap();
    repo.git(&["update-ref", "refs/heads/part", worktree.base_commit()]);
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert!(!finished.changed && finished.skipped.len() == 1);
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_removes_what_the_branch_holds_and_keeps_the_rest() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "held").await;
    std::fs::write(worktree.path().join("new"), "x").unwrap();
    let loose = worktree.finish(None).await.unwrap();
    assert_eq!(worktree.close(&loose).await.unwrap(), Released::Kept);
    let held = worktree.finish(Some(message("x"))).await.unwrap();
    assert!(matches!(worktree.close(&held).await.unwrap(), Released::Removed { .. }));
    assert_eq!(repo.git(&["show", "held:new"]), "x");
    // What came after the snapshot is not in it.
    let worktree = create(&repo, &opened, "a2", "late").await;
    let idle = worktree.finish(Some(message("x"))).await.unwrap();
    std::fs::write(worktree.path().join("late"), "x").unwrap();
    assert_eq!(worktree.release(&idle).await.unwrap(), Released::Kept);
    assert!(worktree.path().join("late").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_is_found_again_by_its_path() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let made = create(&repo, &opened, "a1", "again").await;
    std::fs::write(made.path().join("new"), "x").unwrap();
    let base = made.base_commit();
    let found = Worktree::open(&opened, "a1", "again", base, made.path()).unwrap();
    assert!(found.finish(Some(message("x"))).await.unwrap().changed);
    let error = Worktree::open(&opened, "a1", "again", base, &repo.beside("gone")).unwrap_err();
    assert!(error.message.contains("no worktree at"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_folder_is_no_work_and_its_branch_stays() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "gone").await;
    std::fs::remove_dir_all(worktree.path()).unwrap();
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert!(!finished.changed && finished.skipped.len() == 1);
    assert_eq!(repo.git(&["rev-parse", "gone"]), worktree.base_commit());
}

#[tokio::test(flavor = "multi_thread")]
async fn works_from_a_subdirectory_and_from_a_linked_worktree() {
    let repo = Repo::new();
    repo.write("deep/er/file", "x");
    repo.commit("deep");
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    for (at, dir) in [repo.path().join("deep/er"), linked.clone()].iter().enumerate() {
        let opened = open_at(&repo, dir, None).await.unwrap();
        let top = if at == 0 { repo.path() } else { linked.as_path() };
        assert_eq!(opened.top(), top);
        assert_eq!(opened.common_dir(), repo.path().join(".git"));
        let (id, branch) = (format!("a{at}"), format!("b{at}"));
        let worktree = create(&repo, &opened, &id, &branch).await;
        std::fs::write(worktree.path().join("new"), "x").unwrap();
        assert_eq!(worktree.finish(Some(message("x"))).await.unwrap().files_changed, ["new"]);
    }
    assert_eq!(repo.git_in(&linked, &["status", "--porcelain"]), "");
}
