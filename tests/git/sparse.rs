//! Sparse worktrees: made on request or as sparse as the checkout, with no setting changed.

use agentlua::git::Worktree;
use agentlua::git::worktree::{Cone, Entry, Furnish, New, Released};

use crate::repo::Repo;
use crate::{create, message, new, open};

fn filled() -> Repo {
    let repo = Repo::new();
    for path in ["src/auth/a", "src/top", "src/billing/b", "docs/d", "app/[id]/page", "odd é/x"] {
        repo.write(path, "1\n");
    }
    repo.commit("files");
    repo
}

async fn sparse(repo: &Repo, id: &str, directories: &[&str]) -> Worktree {
    let opened = open(repo).await;
    let directories: Vec<_> = directories.iter().map(|dir| (*dir).to_owned()).collect();
    let cone = Some(Cone::parse(&directories).unwrap());
    let furnish = Furnish { sparse: cone, ..Furnish::default() };
    let wanted = New { furnish, ..new(repo, &opened, id, id).await };
    Worktree::create(&opened, wanted).await.unwrap()
}

fn files(worktree: &Worktree, repo: &Repo) -> String {
    let listed = repo.git_in(worktree.path(), &["ls-files", "-z", "-t"]);
    let names = listed.split('\0').filter_map(|entry| entry.strip_prefix("H "));
    names.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cone_is_checked_out_and_the_repository_is_told_nothing() {
    let repo = filled();
    let before = repo.fingerprint(&[]);
    let worktree = sparse(&repo, "a1", &["src/auth/", "app/[id]", "odd é"]).await;
    assert_eq!(files(&worktree, &repo), "README.md app/[id]/page odd é/x src/auth/a src/top");
    assert!(!worktree.path().join("docs").exists());
    repo.assert_untouched(&before, &["a1"]);
    // A person who looks sees nothing wrong.
    assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "");
    assert_eq!(repo.git_in(worktree.path(), &["diff", "HEAD", "--name-only"]), "");

    std::fs::write(worktree.path().join("src/auth/a"), "2\n").unwrap();
    std::fs::create_dir_all(worktree.path().join("docs")).unwrap();
    std::fs::write(worktree.path().join("docs/new"), "n\n").unwrap();
    std::fs::write(worktree.path().join("src/auth/fresh"), "n\n").unwrap();
    std::fs::remove_file(worktree.path().join("src/top")).unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished.files_changed, ["docs/new", "src/auth/a", "src/auth/fresh", "src/top"]);
    assert_eq!(repo.git(&["show", "a1:docs/d"]), "1", "what is left out is not deleted");
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
    assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "");
    repo.git_in(worktree.path(), &["switch", "-qc", "mine"]);
    std::fs::write(worktree.path().join("src/auth/a"), "3\n").unwrap();
    repo.git_in(worktree.path(), &["commit", "-qam", "mine"]);
    assert_eq!(repo.git(&["show", "mine:docs/d"]), "1");
    repo.assert_untouched(&before, &["a1", "mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_git_keeps_to_the_cone() {
    let repo = filled();
    repo.git(&["switch", "-qc", "other"]);
    repo.write("docs/late", "1\n");
    repo.write("docs/d", "2\n");
    repo.commit("late");
    repo.git(&["switch", "-q", "main"]);
    let worktree = sparse(&repo, "a1", &["src/auth"]).await;
    let entry = Entry { commit: Some(message("work")), scope: None };
    worktree.enter(entry).await.unwrap();
    let dir = worktree.path();
    assert_eq!(repo.git_in(dir, &["sparse-checkout", "list"]), "src/auth");
    repo.git_in(dir, &["merge", "-q", "other"]);
    assert!(!dir.join("docs").exists(), "what it merges is left out as well");
    std::fs::write(dir.join("src/auth/a"), "2\n").unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(worktree.leave(&finished).await.unwrap(), None);
    assert_eq!(finished.files_changed, ["docs/d", "docs/late", "src/auth/a"]);
    assert_eq!(repo.git(&["show", "a1:docs/late"]), "1");
    assert_eq!(repo.git_in(dir, &["status", "--porcelain"]), "");
    assert!(!dir.join("docs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_directory_is_the_top_alone_and_idle_ones_go() {
    let repo = filled();
    let worktree = sparse(&repo, "a1", &[]).await;
    assert_eq!(files(&worktree, &repo), "README.md");
    let finished = worktree.finish(Some(message("x"))).await.unwrap();
    assert!(!finished.changed);
    assert!(matches!(worktree.release(&finished).await.unwrap(), Released::Removed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cone_of_the_checkout_is_inherited_unless_another_is_named() {
    let repo = filled();
    repo.git(&["sparse-checkout", "set", "--cone", "docs"]);
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let inherited = create(&repo, &opened, "a1", "a1").await;
    assert_eq!(files(&inherited, &repo), "README.md docs/d");
    let own = sparse(&repo, "a2", &["src/billing"]).await;
    assert_eq!(files(&own, &repo), "README.md src/billing/b src/top");
    for worktree in [&inherited, &own] {
        std::fs::write(worktree.path().join("new"), "x").unwrap();
        let finished = worktree.finish(Some(message("x"))).await.unwrap();
        assert_eq!(finished.files_changed, ["new"]);
        assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "");
    }
    repo.assert_untouched(&before, &["a1", "a2"]);
}
