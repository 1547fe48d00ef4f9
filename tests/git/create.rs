//! What a worktree is made with: names that are taken, uncommitted changes, submodules, scopes, and
//! disks that are full.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use agentlua::error::Kind;
use agentlua::git::worktree::{Furnish, New, Released, There};
use agentlua::git::{Scope, Taken, Worktree, check_branch_name, size};

use crate::repo::Repo;
use crate::{create, message, new, open, open_at};

async fn made(
    repo: &Repo,
    id: &str,
    branch: &str,
    taken: Taken,
) -> agentlua::error::Result<Worktree> {
    let opened = open(repo).await;
    let wanted = New { taken, ..new(repo, &opened, id, branch).await };
    Worktree::create(&opened, wanted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_is_refused_with_the_ways_on_or_numbered() {
    let repo = Repo::new();
    repo.git(&["branch", "x"]);
    repo.git(&["branch", "x-2"]);
    repo.git(&["branch", "dir/inner"]);
    let before = repo.fingerprint(&[]);
    let error = made(&repo, "a1", "x", Taken::Refuse).await.unwrap_err();
    assert_eq!(error.message, "the branch `x` already exists: it is yours, no agent made it");
    assert!(error.hint.unwrap().contains("if_exists = \"continue\""));
    for (name, got) in [("x", "x-3"), ("dir", "dir-2"), ("free", "free"), ("x/y", "x/y-2")] {
        let worktree = made(&repo, &name.replace('/', "-"), name, Taken::Number).await;
        if name == "x/y" {
            // No number helps a name below a branch.
            let message = worktree.unwrap_err().message;
            assert!(message.contains("cannot stand beside `x`"), "{message}");
            continue;
        }
        let worktree = worktree.unwrap();
        assert_eq!(worktree.branch(), got);
        assert!(worktree.branch_created());
    }
    repo.assert_untouched(&before, &["x-3", "dir-2", "free"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_given_once_each_when_many_ask_at_once() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let mut making = Vec::new();
    for at in 0..8 {
        let wanted =
            New { taken: Taken::Number, ..new(&repo, &opened, &format!("a{at}"), "same").await };
        let opened = Arc::clone(&opened);
        making.push(tokio::spawn(async move { Worktree::create(&opened, wanted).await.unwrap() }));
    }
    let mut names = Vec::new();
    for each in making {
        names.push(each.await.unwrap().branch().to_owned());
    }
    names.sort();
    let expected: Vec<String> =
        (1..=8).map(|n| if n == 1 { "same".to_owned() } else { format!("same-{n}") }).collect();
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_git_cannot_have_are_refused_before_anything_is_made() {
    let repo = Repo::new();
    repo.git(&["branch", "feat"]);
    let before = repo.fingerprint(&[]);
    let long = "x".repeat(300);
    for name in
        ["-x", "HEAD", "@", "refs/heads/x", "a..b", "a b", "x.lock", "x/", "/x", "a\u{7f}", &long]
    {
        let refused = check_branch_name(name).map_err(|error| error.kind);
        assert_eq!(refused, Err(Kind::Usage), "{name}");
        let error = made(&repo, "a1", name, Taken::Number).await.unwrap_err();
        assert_eq!(error.kind, Kind::Usage, "{name}: {error}");
    }
    let error = made(&repo, "a1", "feat/x", Taken::Refuse).await.unwrap_err();
    assert!(error.to_string().contains("cannot stand beside `feat`"), "{error}");
    repo.assert_untouched(&before, &[]);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_without_a_worktree_is_gone_on_in_and_never_deleted() {
    let repo = Repo::new();
    repo.git(&["switch", "-qc", "theirs"]);
    repo.write("more", "x");
    let tip = repo.commit("more");
    repo.git(&["switch", "-q", "main"]);
    let before = repo.fingerprint(&[]);
    let worktree = made(&repo, "a1", "theirs", Taken::Continue).await.unwrap();
    assert_eq!((worktree.base_commit(), worktree.branch_created()), (&*tip, false));
    assert!(worktree.path().join("more").exists());
    let finished = worktree.finish(Some(message("nothing"))).await.unwrap();
    assert!(matches!(worktree.release(&finished).await.unwrap(), Released::Removed { .. }));
    repo.assert_untouched(&before, &[]);
    // Also when its files cannot be had.
    repo.write(".gitattributes", "* filter=broken\n");
    repo.commit("filter");
    repo.git(&["config", "filter.broken.smudge", "false"]);
    repo.git(&["config", "filter.broken.required", "true"]);
    repo.git(&["branch", "-f", "theirs", "main"]);
    let before = repo.fingerprint(&[]);
    made(&repo, "a2", "theirs", Taken::Continue).await.unwrap_err();
    repo.assert_untouched(&before, &[]);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_is_gone_on_in_by_one_at_a_time() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let first = create(&repo, &opened, "a1", "work").await;
    let path = first.path().to_owned();
    std::fs::write(path.join("one"), "1").unwrap();
    let finished = first.finish(Some(message("one"))).await.unwrap();
    let busy = made(&repo, "a2", "work", Taken::Continue).await.unwrap_err();
    assert!(busy.message.contains("`a1` works in"), "{busy}");
    first.release(&finished).await.unwrap();

    let second = made(&repo, "a2", "work", Taken::Continue).await.unwrap();
    assert_eq!((second.path(), second.base_commit()), (&*path, &*finished.head_commit));
    assert!(second.was_there() && !second.branch_created());
    let there = There {
        id: "a3".into(),
        branch: "work".into(),
        path: Some(path.clone()),
        root: repo.beside("state"),
        ..There::default()
    };
    let busy = Worktree::reopen(&opened, there.clone()).await.unwrap_err();
    assert!(busy.message.contains("`a2` works in"), "{busy}");
    std::fs::write(path.join("two"), "2").unwrap();
    let finished = second.finish(Some(message("two"))).await.unwrap();
    assert_eq!(finished.files_changed, ["two"]);
    second.hand_back().await.unwrap();
    assert_eq!(repo.git_in(&path, &["status", "--porcelain"]), "");
    assert!(!repo.git(&["worktree", "list", "--porcelain"]).contains("locked"));

    let third = Worktree::reopen(&opened, there.clone()).await.unwrap();
    third.hand_back().await.unwrap();
    // A person moved on in it, then removed it.
    repo.git_in(&path, &["switch", "-qc", "elsewhere"]);
    let error = Worktree::reopen(&opened, there.clone()).await.unwrap_err();
    assert!(error.message.contains("is on `elsewhere` now"), "{error}");
    repo.git_in(&path, &["switch", "-q", "work"]);
    std::fs::remove_dir_all(&path).unwrap();
    let error = Worktree::reopen(&opened, there.clone()).await.unwrap_err();
    assert!(error.message.contains("is gone") && error.hint.is_some(), "{error}");
    repo.git(&["worktree", "prune"]);
    let error = Worktree::reopen(&opened, there).await.unwrap_err();
    assert!(error.message.contains("no worktree at"), "{error}");
    // Its branch is there: a new worktree takes it up.
    let fourth = made(&repo, "a4", "work", Taken::Continue).await.unwrap();
    assert_eq!(fourth.base_commit(), finished.head_commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_leaves_what_was_there() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let first = create(&repo, &opened, "a1", "work").await;
    std::fs::write(first.path().join("one"), "1").unwrap();
    let finished = first.finish(Some(message("one"))).await.unwrap();
    first.release(&finished).await.unwrap();
    let before = repo.fingerprint(&[]);
    for wait in [0, 5, 20, 60] {
        let wanted = New { taken: Taken::Continue, ..new(&repo, &opened, "a2", "work").await };
        let making = Worktree::create(&opened, wanted);
        let limit = std::time::Duration::from_millis(wait);
        // One that found the one before still on its way out is refused.
        if let Ok(Ok(made)) = tokio::time::timeout(limit, making).await {
            made.hand_back().await.unwrap();
        }
    }
    let wanted = New { taken: Taken::Continue, ..new(&repo, &opened, "a3", "work").await };
    let mut made = Worktree::create(&opened, wanted.clone()).await;
    for _ in 0..1000 {
        if made.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        made = Worktree::create(&opened, wanted.clone()).await;
    }
    let made = made.unwrap();
    assert_eq!(std::fs::read_to_string(made.path().join("one")).unwrap(), "1");
    made.abandon().await;
    assert!(first.path().join("one").exists() && first.occupant().is_none());
    repo.assert_untouched(&before, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_of_the_users_is_not_gone_on_in() {
    let repo = Repo::new();
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let before = repo.fingerprint(&[]);
    for branch in ["main", "side"] {
        let error = made(&repo, "a1", branch, Taken::Continue).await.unwrap_err();
        assert!(error.message.contains("which is yours"), "{error}");
    }
    let opened = open(&repo).await;
    for lender in [None, Some("script-1".to_owned())] {
        let there = There {
            id: "a1".to_owned(),
            branch: "side".to_owned(),
            path: Some(linked.clone()),
            root: repo.beside("state"),
            lender,
            ..There::default()
        };
        let error = Worktree::reopen(&opened, there).await.unwrap_err();
        assert!(error.message.contains("which is yours"), "{error}");
    }
    repo.git(&["worktree", "lock", "--reason", "mine", linked.to_str().unwrap()]);
    made(&repo, "a1", "side", Taken::Continue).await.unwrap_err();
    repo.assert_untouched(&before, &[]);
    assert!(repo.git(&["worktree", "list", "--porcelain"]).contains("locked mine"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lent_goes_back_to_its_lender() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let handle = create(&repo, &opened, "script-1", "lent").await;
    let there = |id: &str| There {
        id: id.to_owned(),
        branch: "lent".to_owned(),
        path: Some(handle.path().to_owned()),
        root: repo.beside("state"),
        lender: Some("script-1".to_owned()),
        ..There::default()
    };
    let agent = Worktree::reopen(&opened, there("a1")).await.unwrap();
    assert_eq!(handle.occupant().as_deref(), Some("a1"));
    let busy = Worktree::reopen(&opened, there("a2")).await.unwrap_err();
    assert!(busy.message.contains("`a1` works in"), "{busy}");
    std::fs::write(agent.path().join("new"), "x").unwrap();
    agent.finish(Some(message("x"))).await.unwrap();
    agent.hand_back().await.unwrap();
    assert_eq!(handle.occupant(), None);
    let finished = handle.finish(None).await.unwrap();
    assert!(!finished.uncommitted);
    assert!(matches!(handle.close(&finished).await.unwrap(), Released::Removed { .. }));
    assert_eq!(repo.git(&["show", "lent:new"]), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn uncommitted_changes_become_a_commit_and_stay_as_they_are() {
    let repo = Repo::new();
    repo.write(".gitignore", "*.log\n");
    repo.write("gone", "x");
    repo.write("staged", "1");
    repo.write("run.sh", "x");
    let head = repo.commit("more");
    repo.write("staged", "2");
    repo.git(&["add", "staged"]);
    repo.write("staged", "3");
    repo.write("README.md", "dirty\n");
    repo.write("deep/new file", "n");
    repo.write("secret.log", "s");
    std::fs::remove_file(repo.path().join("gone")).unwrap();
    std::fs::set_permissions(repo.path().join("run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("README.md", repo.path().join("link")).unwrap();
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let copy = opened.dirty_commit().await.unwrap();
    repo.assert_untouched(&before, &[]);
    assert_eq!(repo.git(&["rev-parse", &format!("{copy}^")]), head);
    assert_eq!(repo.git(&["log", "-1", "--format=%s", &copy]), "uncommitted changes of main");
    let shown = repo.git(&["diff-tree", "-r", "--name-status", "--no-renames", &head, &copy]);
    assert_eq!(
        shown.split_whitespace().collect::<Vec<_>>().join(" "),
        "M README.md A deep/new file D gone A link M run.sh M staged"
    );
    assert_eq!(repo.git(&["show", &format!("{copy}:staged")]), "3");
    let wanted = New { base_commit: copy.clone(), ..new(&repo, &opened, "a1", "on-dirt").await };
    let worktree = Worktree::create(&opened, wanted).await.unwrap();
    assert_eq!(std::fs::read_to_string(worktree.path().join("README.md")).unwrap(), "dirty\n");
    repo.assert_untouched(&before, &["on-dirt"]);
    let left = std::fs::read_dir(repo.path().join(".git/agentlua/index")).unwrap();
    assert_eq!(left.count(), 1, "only the worktree's own index");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_checkout_is_its_head_and_a_conflicted_one_is_no_base() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    assert_eq!(opened.dirty_commit().await.unwrap(), repo.git(&["rev-parse", "HEAD"]));
    repo.git(&["switch", "-qc", "other"]);
    repo.write("README.md", "theirs\n");
    repo.commit("theirs");
    repo.git(&["switch", "-q", "main"]);
    repo.write("README.md", "ours\n");
    repo.commit("ours");
    assert!(!repo.try_git_in(repo.path(), &["merge", "-q", "other"]).0);
    let before = repo.fingerprint(&[]);
    let error = opened.dirty_commit().await.unwrap_err();
    assert!(error.to_string().contains("unresolved conflicts"), "{error}");
    repo.assert_untouched(&before, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_are_filled_on_request_and_the_configuration_stays() {
    let library = Repo::new();
    let nested = Repo::new();
    let deep = nested.path().display().to_string();
    library.git(&["submodule", "--quiet", "add", &deep, "nested"]);
    library.commit("nested");
    let repo = Repo::new();
    let url = library.path().display().to_string();
    repo.git(&["submodule", "--quiet", "add", "--name", "a lib", &url, "libs/one"]);
    repo.commit("library");
    // As after a clone: nothing is initialised.
    repo.git(&["config", "--remove-section", "submodule.a lib"]);
    // The user's own git decides about addresses.
    repo.git(&["config", "protocol.file.allow", "always"]);
    let home = repo.beside("home/.gitconfig");
    std::fs::write(&home, "[protocol \"file\"]\n\tallow = always\n").unwrap();
    let before = repo.fingerprint(&[]);
    let environment = repo.environment().into_iter().map(|(name, value)| {
        if name == "GIT_CONFIG_GLOBAL" { (name, home.clone().into()) } else { (name, value) }
    });
    let opening =
        agentlua::git::Opening { environment: Some(environment.collect()), ..Default::default() };
    let opened = agentlua::git::Repo::open_with(repo.path(), opening).await.unwrap();
    let furnish = Furnish { submodules: true, ..Furnish::default() };
    let wanted = New { furnish, ..new(&repo, &opened, "a1", "full").await };
    let full = Worktree::create(&opened, wanted).await.unwrap();
    assert!(full.path().join("libs/one/README.md").exists());
    assert!(full.path().join("libs/one/nested/README.md").exists());
    let bare = create(&repo, &opened, "a2", "empty").await;
    assert!(std::fs::read_dir(bare.path().join("libs/one")).unwrap().next().is_none());
    repo.assert_untouched(&before, &["full", "empty"]);
    std::fs::write(full.path().join("new"), "x").unwrap();
    let finished = full.finish(Some(message("x"))).await.unwrap();
    assert_eq!(finished.files_changed, ["new"]);
    assert_eq!(full.release(&finished).await.unwrap(), Released::Kept);
}

fn scope(paths: &[&str]) -> Arc<Scope> {
    let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
    Arc::new(Scope::parse(&paths).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_its_scope_nothing_is_committed_and_everything_stays() {
    let repo = Repo::new();
    repo.write("docs/a.md", "a\n");
    repo.write("docs/b.md", "b\n");
    repo.write("src/auth/mod.rs", "1\n");
    repo.commit("files");
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "scoped").await.scoped(Some(scope(&["src/auth/"])));
    let dir = worktree.path().to_owned();
    std::fs::write(dir.join("src/auth/mod.rs"), "2\n").unwrap();
    // The agent commits outside by itself, removes a folder for a file, and leaves a stray one.
    std::fs::write(dir.join("README.md"), "changed\n").unwrap();
    repo.git_in(&dir, &["commit", "-qam", "mine"]);
    std::fs::remove_dir_all(dir.join("docs")).unwrap();
    std::fs::write(dir.join("docs"), "a file\n").unwrap();
    std::fs::write(dir.join("stray"), "s\n").unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished.outside, ["README.md", "docs", "docs/a.md", "docs/b.md", "stray"]);
    assert_eq!(finished.files_changed, ["src/auth/mod.rs"]);
    assert!(finished.uncommitted && finished.changed);
    let base = worktree.base_commit();
    assert_eq!(repo.git(&["diff", "--name-only", base, "scoped"]), "src/auth/mod.rs");
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
    assert_eq!(std::fs::read_to_string(dir.join("README.md")).unwrap(), "changed\n");
    assert!(dir.join("stray").exists() && dir.join("docs").is_file());
    // Doing it again changes nothing.
    let again = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!((again.head_commit, again.outside), (finished.head_commit, finished.outside));
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_scope_commits_nothing_and_a_kept_one_costs_nothing() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let none = create(&repo, &opened, "a1", "none").await.scoped(Some(scope(&[])));
    std::fs::write(none.path().join("new"), "x").unwrap();
    let finished = none.finish(Some(message("x"))).await.unwrap();
    assert_eq!(finished.head_commit, none.base_commit());
    assert_eq!(finished.outside, ["new"]);
    assert_eq!(none.release(&finished).await.unwrap(), Released::Kept);
    let kept = create(&repo, &opened, "a2", "kept").await.scoped(Some(scope(&["new"])));
    std::fs::write(kept.path().join("new"), "x").unwrap();
    let finished = kept.finish(Some(message("x"))).await.unwrap();
    assert!(finished.outside.is_empty() && !finished.uncommitted);
    assert_eq!(repo.git(&["show", "kept:new"]), "x");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_readers_say_how_large_a_checkout_is() {
    let repo = Repo::new();
    repo.write("a/big", vec![b'x'; 1_000_000]);
    repo.write("b/small", "x");
    repo.commit("files");
    let cone = agentlua::git::worktree::Cone::parse(&["b".to_owned()]).unwrap();
    let mut seen = Vec::new();
    for reader in [agentlua::git::Reader::Library, agentlua::git::Reader::Program] {
        let opened = open_at(&repo, repo.path(), Some(reader)).await.unwrap();
        let head = opened.resolve("HEAD").await.unwrap();
        let all = opened.checkout_bytes(&head, None).await.unwrap().unwrap();
        let part = opened.checkout_bytes(&head, Some(&cone)).await.unwrap().unwrap();
        assert!(all > 1_000_000 && part < 10_000, "{all} {part}");
        seen.push((all, part));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(size::free(repo.path()).is_some_and(|bytes| bytes > 0));
}

/// Unmounts a folder, also when the test fails.
struct Unmount(std::path::PathBuf);
impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
async fn a_full_disk_is_said_in_one_line_and_leaves_nothing() {
    let repo = Repo::new();
    let disk = repo.beside("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&disk)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let _unmount = Unmount(disk.clone());
    for file in 0..20 {
        repo.write(&format!("files/{file}"), vec![b'x'; 50_000]);
    }
    repo.commit("files");
    let before = repo.fingerprint(&[]);
    let opened = open(&repo).await;
    let wanted = New { root: disk.clone(), ..new(&repo, &opened, "a1", "big").await };
    let error = Worktree::create(&opened, wanted).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("do not fit") && !text.contains('\n') && text.len() < 300, "{text}");
    repo.assert_untouched(&before, &[]);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    assert!(std::fs::read_dir(&disk).unwrap().next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_same_name_is_somebody_elses() {
    let repo = Repo::new();
    let theirs = repo.beside("elsewhere/a1").display().to_string();
    repo.git(&["worktree", "add", "-q", "-b", "theirs", &theirs]);
    let worktree = made(&repo, "a1", "ours", Taken::Refuse).await.unwrap();
    let listed = repo.git(&["worktree", "list", "--porcelain"]);
    for (path, branch) in [(theirs.as_str(), "theirs"), (worktree.path().to_str().unwrap(), "ours")]
    {
        let entry =
            listed.split("\n\n").find(|entry| entry.starts_with(&format!("worktree {path}\n")));
        assert!(entry.unwrap().contains(&format!("branch refs/heads/{branch}")), "{listed}");
    }
    assert_eq!(repo.git_in(worktree.path(), &["status", "--porcelain"]), "");
    // As `git worktree add` has it, the lock says why.
    assert!(listed.contains("\nlocked agentlua a1"), "{listed}");
}
