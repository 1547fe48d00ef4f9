//! The state of a checkout, as `git status` tells it.

use agentlua::git::{FileStatus, StatusQuery, Untracked};

use crate::open;
use crate::repo::Repo;

/// Path, old path, staged, unstaged, and `?` or `!`.
type Row<'s> = (&'s str, Option<&'s str>, Option<&'s str>, Option<&'s str>, &'s str);

fn rows(files: &[FileStatus]) -> Vec<Row<'_>> {
    let mark = |file: &FileStatus| match (file.untracked, file.conflicted) {
        (true, false) => "?",
        (false, true) => "!",
        _ => "",
    };
    files
        .iter()
        .map(|f| (f.path.as_str(), f.old_path.as_deref(), f.staged, f.unstaged, mark(f)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_a_file_is_told_and_nothing_is_touched() {
    let repo = Repo::new();
    for name in ["gone", "both", "moved from", "retyped"] {
        repo.write(name, format!("{name}\n1\n2\n3\n4\n"));
    }
    repo.commit("files");
    repo.git(&["mv", "moved from", "moved \"to\"\té"]);
    repo.write("both", "staged\n");
    repo.git(&["add", "both"]);
    repo.write("both", "and not\n");
    std::fs::remove_file(repo.path().join("gone")).unwrap();
    std::fs::remove_file(repo.path().join("retyped")).unwrap();
    std::os::unix::fs::symlink("both", repo.path().join("retyped")).unwrap();
    repo.write("new", "n");
    repo.git(&["add", "new"]);
    repo.write("folder/a", "");
    repo.write("folder/b", "");
    repo.write(".git/info/exclude", "*.log\n");
    repo.write("x.log", "");
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let status = opened.status(StatusQuery::default()).await.unwrap();
    assert_eq!(status.branch.as_deref(), Some("main"));
    assert_eq!(status.commit, Some(repo.git(&["rev-parse", "HEAD"])));
    assert_eq!((status.upstream, status.ahead, status.operation), (None, None, None));
    let modified = Some("modified");
    let known = [
        ("both", None, modified, modified, ""),
        ("gone", None, None, Some("deleted"), ""),
        ("moved \"to\"\té", Some("moved from"), Some("renamed"), None, ""),
        ("new", None, Some("added"), None, ""),
        ("retyped", None, None, Some("type_changed"), ""),
    ];
    let mut expected = known.to_vec();
    expected.push(("folder/", None, None, None, "?"));
    assert_eq!(rows(&status.files), expected);
    for (untracked, more) in [(Untracked::No, &[][..]), (Untracked::All, &["folder/a", "folder/b"])]
    {
        let query = StatusQuery { untracked, ..StatusQuery::default() };
        let status = opened.status(query).await.unwrap();
        let mut expected = known.to_vec();
        expected.extend(more.iter().map(|path| (*path, None, None, None, "?")));
        assert_eq!(rows(&status.files), expected);
    }
    let query = StatusQuery { paths: vec!["folder".into(), "*".into()], ..StatusQuery::default() };
    let some = opened.status(query).await.unwrap();
    assert_eq!(rows(&some.files), [("folder/", None, None, None, "?")]);
    repo.assert_untouched(&before, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_followed_and_what_waits_is_told() {
    let empty = Repo::empty(&[]);
    let status = open(&empty).await.status(StatusQuery::default()).await.unwrap();
    assert_eq!((status.branch.as_deref(), status.commit), (Some("main"), None));

    let repo = Repo::new();
    repo.git(&["branch", "base"]);
    repo.git(&["branch", "--quiet", "--set-upstream-to=base"]);
    repo.write("README.md", "main\n");
    repo.commit("one");
    repo.git(&["checkout", "--quiet", "-b", "side", "base"]);
    repo.write("README.md", "side\n");
    repo.commit("side");
    repo.git(&["checkout", "--quiet", "main"]);
    let opened = open(&repo).await;
    let status = opened.status(StatusQuery::default()).await.unwrap();
    let followed = (status.upstream.as_deref(), status.ahead, status.behind);
    assert_eq!(followed, (Some("base"), Some(1), Some(0)));
    let (merged, _) = repo.try_git_in(repo.path(), &["merge", "side"]);
    assert!(!merged);
    let status = opened.status(StatusQuery::default()).await.unwrap();
    assert_eq!(status.operation, Some("merge"));
    assert_eq!(rows(&status.files), [("README.md", None, None, None, "!")]);
    repo.git(&["merge", "--abort"]);
    assert!(!repo.try_git_in(repo.path(), &["rebase", "side"]).0);
    let status = opened.status(StatusQuery::default()).await.unwrap();
    assert_eq!((status.operation, status.branch), (Some("rebase"), None));

    let bare = Repo::empty(&["--bare"]);
    let error = open(&bare).await.status(StatusQuery::default()).await.unwrap_err();
    assert!(error.message.ends_with("is bare: it has no checkout"), "{error}");
}
