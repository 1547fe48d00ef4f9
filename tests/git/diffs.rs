//! Differences, with odd names and odd settings.

use std::os::unix::fs::{PermissionsExt, symlink};

use agentlua::git::{Diff, Flag, LogQuery, Reader, Side, Spec, diff};

use crate::repo::Repo;
use crate::{create, message, open, open_at};

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

/// Path, modes, flags, target.
type Look<'d> = (&'d str, Option<&'d str>, Option<&'d str>, Vec<&'d str>, Option<&'d str>);

fn looks(diff: &Diff) -> Vec<Look<'_>> {
    let look = |f: &'_ agentlua::git::FileDiff| -> Vec<&'static str> {
        f.flags.iter().copied().map(Flag::as_str).collect()
    };
    diff.files
        .iter()
        .map(|f| {
            let modes = (f.old_mode.as_deref(), f.new_mode.as_deref());
            (f.path.as_str(), modes.0, modes.1, look(f), f.target.as_deref())
        })
        .collect()
}

const FILE: Option<&str> = Some("100644");
const PROGRAM: Option<&str> = Some("100755");
const LINK: Option<&str> = Some("120000");

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reviewer_must_see_is_flagged() {
    let repo = Repo::new();
    repo.write("tool", "#!/bin/sh\n");
    repo.write("plain", "p\n");
    repo.write(".github/workflows/ci.yml", "on: push\n");
    repo.git(&["config", "core.hooksPath", "dev/hooks"]);
    let from = repo.commit("from");
    let tool = repo.path().join("tool");
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_file(repo.path().join("plain")).unwrap();
    symlink("/etc/passwd", repo.path().join("plain")).unwrap();
    symlink("plain", repo.path().join("within")).unwrap();
    repo.write("dev/hooks/pre-commit", "x\n");
    repo.write("bin", b"a\0b");
    repo.git(&["mv", ".github/workflows/ci.yml", "ci.yml"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{from},nested")]);
    let opened = open(&repo).await;
    // The files as they are, before git has stored any link.
    let unstored =
        diff(&opened, Spec::Checkout { staged: false }, &["plain".into()]).await.unwrap();
    let plain = ("plain", FILE, LINK, vec!["symlink", "outside"], Some("/etc/passwd"));
    assert_eq!(looks(&unstored), std::slice::from_ref(&plain));
    repo.git(&["add", "--all", "--", ":!nested"]);
    repo.git(&["commit", "--quiet", "--message", "to"]);
    let to = repo.git(&["rev-parse", "HEAD"]);
    let between = || Spec::Between { from: from.clone(), to: Side::Rev(to.clone()) };
    let found = diff(&opened, between(), &[]).await.unwrap();
    assert_eq!(
        looks(&found),
        [
            ("bin", None, FILE, vec![], None),
            ("ci.yml", FILE, FILE, vec!["ci"], None),
            ("dev/hooks/pre-commit", None, FILE, vec!["hook"], None),
            ("nested", None, Some("160000"), vec!["submodule"], None),
            plain,
            ("tool", FILE, PROGRAM, vec!["executable"], None),
            ("within", None, LINK, vec!["symlink"], Some("plain")),
        ]
    );
    assert!(found.files[0].binary && !found.files[1].binary);
    assert_eq!(
        found.summary(),
        "\
bin                                | binary
.github/workflows/ci.yml => ci.yml | +0 -0 ci
dev/hooks/pre-commit               | +1 -0 hook
nested                             | +1 -0 submodule
plain                              | +1 -1 100644 => 120000 symlink outside -> /etc/passwd
tool                               | +0 -0 100644 => 100755 executable
within                             | +1 -0 symlink -> plain
7 files changed, +4 -1; look at 1 hook, 1 ci, 2 symlink, 1 outside, 1 executable, 1 submodule
"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_steers_no_terminal() {
    let repo = Repo::new();
    let from = repo.git(&["rev-parse", "HEAD"]);
    repo.write("a\u{1b}[2Jb\n\"q\"", "x\n");
    let to = repo.commit("odd");
    let opened = open(&repo).await;
    let found = diff(&opened, Spec::Between { from, to: Side::Rev(to) }, &[]).await.unwrap();
    assert_eq!(found.summary(), "\"a\\u{1b}[2Jb\\n\\\"q\\\"\" | +1 -0\n1 file changed, +1 -0\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_that_is_too_large_is_refused_by_name() {
    let repo = Repo::new();
    repo.write("small", "s\n");
    repo.write("huge", "0123456789abcde\n".repeat((64 << 20) / 16));
    repo.git(&["add", "--all"]);
    let opened = open(&repo).await;
    let error = diff(&opened, Spec::Checkout { staged: true }, &[]).await.unwrap_err();
    assert!(
        error.message.starts_with(
            "the difference has more than 64 MiB, most of it in `huge` (4194304 lines), `small`"
        ),
        "{error}"
    );
    let small = diff(&opened, Spec::Checkout { staged: true }, &["small".into()]).await.unwrap();
    assert_eq!(small.files.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kinds_of_repositories_are_compared_alike() {
    let source = Repo::new();
    source.write("a", "1\n");
    let from = source.commit("from");
    source.write("a", "2\n");
    source.commit("to");
    let url = format!("file://{}", source.path().display());
    let (bare, shallow) = (source.beside("bare.git"), source.beside("shallow"));
    source.git(&["clone", "--quiet", "--bare", &url, &bare.to_string_lossy()]);
    source.git(&["clone", "--quiet", "--depth=2", &url, &shallow.to_string_lossy()]);
    source.git(&["sparse-checkout", "set", "--no-cone", "/README.md"]);
    for dir in [source.path(), &bare, &shallow] {
        for reader in [Reader::Library, Reader::Program] {
            let opened = open_at(&source, dir, Some(reader)).await.unwrap();
            let to = Side::Rev("HEAD".to_owned());
            let found = diff(&opened, Spec::Between { from: from.clone(), to }, &[]).await.unwrap();
            assert_eq!(brief(&found), [("a", None, "modified", Some(1), Some(1))], "{dir:?}");
        }
    }
    let opened = open(&source).await;
    let clean = diff(&opened, Spec::Checkout { staged: false }, &[]).await.unwrap();
    assert_eq!(clean, Diff::default());

    let long = Repo::empty(&["--object-format=sha256"]);
    let opened = open(&long).await;
    long.write("a", "1\n");
    long.git(&["add", "a"]);
    let first = diff(&opened, Spec::Checkout { staged: false }, &[]).await.unwrap();
    assert_eq!(brief(&first), [("a", None, "added", Some(1), Some(0))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_left_is_its_commit_and_what_is_uncommitted_on_it() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "work").await;
    let folder = worktree.path().to_owned();
    let base = worktree.base_commit().to_owned();
    std::fs::write(folder.join("one"), "1\n").unwrap();
    let done = worktree.finish(Some(message("one"))).await.unwrap();
    worktree.keep().await.unwrap();
    let spec = || Spec::Between {
        from: base.clone(),
        to: Side::Work { commit: done.head_commit.clone(), folder: folder.clone() },
    };
    let one = ("one", None, "added", Some(1), Some(0));
    std::fs::write(folder.join("loose"), "l\n").unwrap();
    std::fs::write(folder.join("README.md"), "changed\n").unwrap();
    let found = diff(&opened, spec(), &[]).await.unwrap();
    let readme = ("README.md", None, "modified", Some(1), Some(1));
    let loose = ("loose", None, "added", Some(1), Some(0));
    assert_eq!(brief(&found), [readme, loose, one]);
    // What came later on the branch is not its work.
    repo.git_in(&folder, &["commit", "--quiet", "--allow-empty", "--message=later"]);
    let found = diff(&opened, spec(), &[]).await.unwrap();
    assert_eq!(brief(&found), [one]);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(brief(&diff(&opened, spec(), &[]).await.unwrap()), [one]);
}
