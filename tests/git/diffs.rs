//! Differences, with odd names and odd settings.

use agentlua::git::{Diff, LogQuery, Side, Spec, diff};

use crate::repo::Repo;
use crate::{create, open};

/// Path, old path, status, additions, deletions.
type Row<'d> = (&'d str, Option<&'d str>, &'d str, Option<u64>, Option<u64>);

fn brief(diff: &Diff) -> Vec<Row<'_>> {
    diff.files
        .iter()
        .map(|f| (f.path.as_str(), f.old_path.as_deref(), f.status, f.additions, f.deletions))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_counts_and_patch_agree_whatever_the_users_settings() {
    let repo = Repo::new();
    repo.write("moved from", "1\n2\n3\n4\n5\n");
    repo.write("bin", b"x\0y");
    repo.write("gone", "g\n");
    let from = repo.commit("from");
    repo.write("bin", b"x\0z");
    repo.git(&["mv", "moved from", "moved\tto\né"]);
    repo.write("moved\tto\né", "1\n2\n3\n4\n6\n");
    repo.write("new", "a\nb\n");
    repo.git(&["rm", "-q", "gone"]);
    let to = repo.commit("to");
    let opened = open(&repo).await;
    let between = || Spec::Between { from: from.clone(), to: Side::Rev(to.clone()) };
    let plain = diff(&opened, between(), &[]).await.unwrap();
    assert_eq!(
        brief(&plain),
        [
            ("bin", None, "modified", None, None),
            ("gone", None, "deleted", Some(0), Some(1)),
            ("moved\tto\né", Some("moved from"), "renamed", Some(1), Some(1)),
            ("new", None, "added", Some(2), Some(0)),
        ]
    );
    assert_eq!((plain.additions, plain.deletions), (3, 2));
    assert!(plain.patch_text().starts_with("diff --git a/bin b/bin\n"));

    for (name, value) in [
        ("diff.noprefix", "true"),
        ("diff.external", "false"),
        ("color.ui", "always"),
        ("diff.mnemonicPrefix", "true"),
    ] {
        repo.git(&["config", name, value]);
    }
    assert_eq!(diff(&opened, between(), &[]).await.unwrap(), plain);
    let only = diff(&opened, between(), &["new".into(), "*".into()]).await.unwrap();
    assert_eq!(brief(&only), [("new", None, "added", Some(2), Some(0))]);
    let none = Spec::Between { from: to.clone(), to: Side::Rev(to.clone()) };
    assert_eq!(diff(&opened, none, &[]).await.unwrap(), Diff::default());
    let log =
        opened.log(LogQuery { paths: vec!["gone".into()], ..LogQuery::default() }).await.unwrap();
    assert_eq!(log.iter().map(|commit| &*commit.subject).collect::<Vec<_>>(), ["to", "from"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_compared_from_where_it_left() {
    let repo = Repo::new();
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.write("side", "s\n");
    repo.commit("side");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("main", "m\n");
    repo.commit("main");
    repo.git(&["checkout", "-q", "--orphan", "apart"]);
    repo.commit("apart");
    repo.git(&["checkout", "-q", "main"]);
    let opened = open(&repo).await;
    let brought = diff(&opened, Spec::Branch("side".into()), &[]).await.unwrap();
    assert_eq!(brief(&brought), [("side", None, "added", Some(1), Some(0))]);
    let error = diff(&opened, Spec::Branch("apart".into()), &[]).await.unwrap_err();
    assert_eq!(error.message, "`apart` and HEAD have no common base");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktrees_state_shows_new_files_and_leaves_every_index_alone() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "work").await;
    std::fs::write(worktree.path().join("new"), "x\n").unwrap();
    std::fs::write(worktree.path().join("README.md"), "y\n").unwrap();
    let admin = repo.path().join(".git/worktrees/a1/index");
    let before = (repo.fingerprint(&[]), std::fs::read(&admin).unwrap());
    let base = worktree.base_commit().to_owned();
    let expected = [
        ("README.md", None, "modified", Some(1), Some(1)),
        ("new", None, "added", Some(1), Some(0)),
    ];
    for to in [Side::Worktree(Box::new(worktree.clone())), Side::Folder(worktree.path().to_owned())]
    {
        let found = diff(&opened, Spec::Between { from: base.clone(), to }, &[]).await.unwrap();
        assert_eq!(brief(&found), expected);
    }
    assert_eq!((repo.fingerprint(&[]), std::fs::read(&admin).unwrap()), before);
    assert_eq!(std::fs::read_dir(repo.path().join(".git/agentlua/tmp")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_the_second_of_the_checkout_is_seen() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "quick").await;
    let path = worktree.path().join("README.md");
    let time = path.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "# README\n").unwrap();
    for file in [path, repo.path().join(".git/agentlua/index/a1")] {
        std::fs::File::options().append(true).open(file).unwrap().set_modified(time).unwrap();
    }
    // The copy of the index must not look younger than the edit.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let from = worktree.base_commit().to_owned();
    let to = Side::Worktree(Box::new(worktree));
    let found = diff(&opened, Spec::Between { from, to }, &[]).await.unwrap();
    assert_eq!(brief(&found), [("README.md", None, "modified", Some(1), Some(1))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checkout_is_compared_as_git_does() {
    let repo = Repo::new();
    repo.write("README.md", "staged\n");
    repo.git(&["add", "README.md"]);
    repo.write("README.md", "staged\nand not\n");
    repo.write("untracked", "u");
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let all = diff(&opened, Spec::Checkout { staged: false }, &[]).await.unwrap();
    assert_eq!(brief(&all), [("README.md", None, "modified", Some(2), Some(1))]);
    let staged = diff(&opened, Spec::Checkout { staged: true }, &[]).await.unwrap();
    assert_eq!(brief(&staged), [("README.md", None, "modified", Some(1), Some(1))]);
    repo.assert_untouched(&before, &[]);

    let empty = Repo::empty(&[]);
    empty.write("first", "1\n");
    empty.git(&["add", "first"]);
    let opened = open(&empty).await;
    let first = diff(&opened, Spec::Checkout { staged: true }, &[]).await.unwrap();
    assert_eq!(brief(&first), [("first", None, "added", Some(1), Some(0))]);
}
