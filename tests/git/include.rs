//! Ignored files that a worktree gets.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use agentlua::git::Worktree;
use agentlua::git::worktree::{Furnish, Include, Included, New, Released};

use crate::repo::Repo;
use crate::{create, message, new, open};

fn filled() -> Repo {
    let repo = Repo::new();
    repo.write(".gitignore", ".env*\nnode_modules/\n*.cache\ntracked.cache\n");
    repo.write("tracked.cache", "base\n");
    repo.git(&["add", "--force", "tracked.cache"]);
    repo.commit("ignore");
    repo.write("tracked.cache", "mine\n");
    repo.write(".env", "KEY=1\n");
    repo.write(".env.local", "KEY=2\n");
    repo.write("pkg/.env", "KEY=3\n");
    repo.write("node_modules/a/index.js", "a\n");
    repo.write("node_modules/a/.git/config", "[core]\n");
    repo.write("node_modules/.bin/tool", "#!/bin/sh\n");
    repo.write("x.cache", "c\n");
    repo.write("untracked", "u\n");
    repo
}

async fn including(repo: &Repo, id: &str, include: Include) -> agentlua::error::Result<Worktree> {
    let opened = open(repo).await;
    let furnish = Furnish { include, ..Furnish::default() };
    Worktree::create(&opened, New { furnish, ..new(repo, &opened, id, id).await }).await
}

fn patterns(list: &[&str]) -> Include {
    Include::patterns(list.iter().map(|pattern| (*pattern).to_owned()).collect()).unwrap()
}

fn there(dir: &Path, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| dir.join(name).symlink_metadata().is_ok()).collect()
}

const NAMES: [&str; 7] = [
    ".env",
    ".env.local",
    "pkg/.env",
    "node_modules/a/index.js",
    "node_modules/a/.git",
    "x.cache",
    "untracked",
];

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_ignored_and_named_is_copied() {
    let repo = filled();
    let plain = including(&repo, "a0", Include::File).await.unwrap();
    assert_eq!(plain.included(), Included::default(), "there is no list");
    repo.write(".worktreeinclude", "# mine\n.env\nnode_modules/\nuntracked\ntracked.cache\n");
    repo.git(&["add", ".worktreeinclude"]);
    let before = repo.fingerprint(&["a0"]);
    let listed = including(&repo, "a1", Include::File).await.unwrap();
    assert_eq!(there(listed.path(), &NAMES), [true, false, true, true, false, false, false]);
    assert_eq!(listed.included().files, 4);
    assert_eq!(listed.included().exposed, 0);
    let base = std::fs::read_to_string(listed.path().join("tracked.cache")).unwrap();
    assert_eq!(base, "base\n", "never over a file");
    let off = including(&repo, "a2", Include::None).await.unwrap();
    assert_eq!(off.included(), Included::default());
    let own = patterns(&["/.env*", "!.env.local", "*.cache"]);
    let own = including(&repo, "a3", own).await.unwrap();
    assert_eq!(there(own.path(), &NAMES), [true, false, false, false, false, true, false]);
    repo.assert_untouched(&before, &["a0", "a1", "a2", "a3"]);
    // None of it is work.
    let finished = listed.finish(Some(message("x"))).await.unwrap();
    assert!(!finished.changed);
    let released = listed.release(&finished).await.unwrap();
    assert!(matches!(released, Released::Removed { ignored_files: 4, .. }), "{released:?}");
    assert!(Include::patterns(vec!["{a".to_owned()]).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_keep_mode_time_and_links_and_are_the_agents_own() {
    let repo = filled();
    let tool = repo.path().join("node_modules/.bin/tool");
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o750)).unwrap();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, repo.path().join("node_modules").join(name)).unwrap();
    };
    link("../pkg", "pkg");
    link("/etc/passwd", "outside");
    link("missing", "dangling");
    let before = repo.fingerprint(&[]);
    let worktree = including(&repo, "a1", patterns(&["node_modules"])).await.unwrap();
    let copy = worktree.path().join("node_modules/.bin/tool");
    let (ours, theirs) = (copy.metadata().unwrap(), tool.metadata().unwrap());
    assert_eq!(ours.mode(), theirs.mode());
    assert_eq!(ours.modified().unwrap(), theirs.modified().unwrap());
    assert_ne!(ours.ino(), theirs.ino());
    for (name, target) in [("pkg", "../pkg"), ("outside", "/etc/passwd"), ("dangling", "missing")] {
        let path = worktree.path().join("node_modules").join(name);
        assert_eq!(std::fs::read_link(path).unwrap(), Path::new(target));
    }
    std::fs::write(&copy, "changed").unwrap();
    repo.assert_untouched(&before, &["a1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_base_would_commit_is_left_out() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let base = opened.resolve("HEAD").await.unwrap();
    repo.write(".gitignore", ".env\nsub/\n");
    repo.commit("ignore");
    repo.write(".env", "KEY=1\n");
    repo.write("sub/x", "x\n");
    let furnish = Furnish { include: patterns(&[".env", "sub"]), ..Furnish::default() };
    let wanted = New { furnish, base_commit: base, ..new(&repo, &opened, "a1", "old").await };
    let worktree = Worktree::create(&opened, wanted).await.unwrap();
    assert_eq!(worktree.included(), Included { files: 0, bytes: 0, exposed: 2 });
    assert!(!worktree.path().join(".env").exists());
    assert!(!worktree.finish(Some(message("x"))).await.unwrap().changed);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_a_link_of_the_base() {
    let repo = Repo::new();
    let outside = repo.beside("outside");
    std::fs::create_dir(&outside).unwrap();
    repo.write(".gitignore", "*.cache\n");
    std::os::unix::fs::symlink(&outside, repo.path().join("data")).unwrap();
    repo.commit("link");
    let opened = open(&repo).await;
    let base = opened.resolve("HEAD").await.unwrap();
    std::fs::remove_file(repo.path().join("data")).unwrap();
    repo.write("data/x.cache", "x\n");
    let furnish = Furnish { include: patterns(&["*.cache"]), ..Furnish::default() };
    let wanted = New { furnish, base_commit: base, ..new(&repo, &opened, "a1", "b").await };
    let made = Worktree::create(&opened, wanted).await;
    assert!(std::fs::read_dir(&outside).unwrap().next().is_none());
    assert!(made.is_err(), "it says why");
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    let plain = create(&repo, &opened, "a2", "plain").await;
    assert!(plain.path().join("data").is_symlink());
}
