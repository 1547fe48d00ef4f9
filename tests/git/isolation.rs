//! An agent's git in its worktree: sensible there, and out of reach of the user's repository and of other
//! agents. Between `enter` and `leave` real git runs in the worktree as an agent's command would.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use agentlua::git::worktree::{Entry, Released, There};
use agentlua::git::{self, Finished, Left, Worktree};

use crate::kinds::{filled, kinds};
use crate::repo::Repo;
use crate::{create, message, new, open, open_at};

/// A name, and what it does to an agent's git directory.
type Spoil<'s> = (&'s str, &'s dyn Fn(&Path));

/// Makes a worktree and lets an agent in.
async fn enter(repo: &Repo, opened: &Arc<git::Repo>, id: &str) -> Worktree {
    let worktree = create(repo, opened, id, &format!("agents/{id}")).await;
    let entry = Entry { commit: Some(message("work")), scope: None };
    worktree.enter(entry).await.unwrap();
    worktree
}

/// Takes in the work and takes the agent out.
async fn end(worktree: &Worktree) -> (Finished, Option<Left>) {
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    let again = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished, again, "done again it changes nothing");
    let left = worktree.leave(&finished).await.unwrap();
    assert_eq!(worktree.leave(&finished).await.unwrap(), None);
    (finished, left)
}

/// Runs commands of git's in a folder, one after the other, whether they fail or not.
fn attempt(repo: &Repo, dir: &Path, commands: &[&[&str]]) {
    for command in commands {
        let _ = repo.try_git_in(dir, command);
    }
}

/// Fails unless a person finds an ordinary worktree on its branch, with nothing to commit.
#[track_caller]
fn assert_ordinary(repo: &Repo, worktree: &Worktree) {
    let dir = worktree.path();
    assert_eq!(repo.git_in(dir, &["status", "--porcelain"]), "");
    assert_eq!(repo.git_in(dir, &["symbolic-ref", "--short", "HEAD"]), worktree.branch());
    let common = repo.git_in(dir, &["rev-parse", "--path-format=absolute", "--git-common-dir"]);
    assert_eq!(Path::new(&common), worktree.repo().common_dir());
    let beside = dir.parent().unwrap();
    let names: Vec<_> = std::fs::read_dir(beside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(&format!("{}.", worktree.id())))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// A repository with a second branch, a tag, a remote, a stash and a dirty checkout.
fn busy() -> Repo {
    let repo = Repo::new();
    repo.write("a.txt", "1\n2\n3\n");
    repo.write(".gitignore", "*.log\n");
    repo.commit("more");
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["checkout", "-q", "-b", "other"]);
    repo.write("other.txt", "other\n");
    repo.commit("other");
    repo.git(&["checkout", "-q", "main"]);
    let origin = repo.beside("origin.git");
    repo.git(&["clone", "-q", "--bare", ".", origin.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", "../origin.git"]);
    repo.git(&["fetch", "-q", "origin"]);
    repo.git(&["remote", "set-head", "origin", "main"]);
    repo.write("a.txt", "stashed\n");
    repo.git(&["stash", "-q"]);
    repo.write("README.md", "dirty\n");
    repo.write("untracked", "mine\n");
    repo
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_of_an_agent_reaches_the_repository_or_another_agent() {
    let repo = busy();
    let origin = repo.beside("origin.git");
    let opened = open(&repo).await;
    let sibling = enter(&repo, &opened, "sibling").await;
    std::fs::write(sibling.path().join("theirs"), "theirs\n").unwrap();
    repo.git_in(sibling.path(), &["stash", "-qu"]);
    let before = repo.fingerprint(&["agents/", "refs/agentlua/"]);
    let remote = repo.git_in(&origin, &["for-each-ref"]);
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    std::fs::write(dir.join("a.txt"), "changed\n").unwrap();
    let (main, theirs) = (repo.path().to_str().unwrap(), sibling.path().to_str().unwrap());
    let at = origin.to_str().unwrap();
    let file = format!("file://{at}");
    attempt(
        &repo,
        dir,
        &[
            &["stash", "-u"],
            &["stash", "pop"],
            &["stash", "drop"],
            &["stash", "clear"],
            &["commit", "-qam", "mine"],
            &["branch", "-f", "other", "HEAD"],
            &["branch", "-D", "other"],
            &["branch", "-D", "agents/sibling"],
            &["tag", "-d", "v1"],
            &["tag", "-f", "v2"],
            &["update-ref", "refs/heads/main", "HEAD"],
            &["update-ref", "-d", "refs/remotes/origin/main"],
            &["config", "user.name", "Mallory"],
            &["config", "core.hooksPath", "/tmp"],
            &["config", "--worktree", "core.bare", "true"],
            &["remote", "remove", "origin"],
            &["remote", "add", "origin", at],
            &["push", "-f", "origin", "HEAD:main"],
            &["push", "--all", "--force", at],
            &["push", "--all", "--force", &file],
            &["push", "--force", main, "HEAD:refs/heads/other"],
            &["worktree", "remove", "--force", "--force", theirs],
            &["worktree", "prune", "--expire=now"],
            &["worktree", "remove", "--force", "--force", "."],
            &["reflog", "expire", "--expire=now", "--all"],
            &["gc", "-q", "--prune=now"],
            &["repack", "-adq"],
            &["prune"],
            &["checkout", "-q", "main"],
            &["reset", "-q", "--hard", "HEAD~1"],
            &["commit", "-q", "--allow-empty", "-m", "on main"],
            &["checkout", "-q", "agents/a1"],
            &["clean", "-fdxq"],
        ],
    );
    repo.assert_untouched(&before, &["agents/", "refs/agentlua/"]);
    assert_eq!(repo.git_in(&origin, &["for-each-ref"]), remote);
    assert_eq!(lines(&repo.git(&["stash", "list"])).len(), 1);
    assert_eq!(lines(&repo.git_in(sibling.path(), &["stash", "list"])).len(), 1);
    let (finished, left) = end(&worktree).await;
    assert_eq!(left, None);
    assert_eq!(finished.files_changed, ["a.txt"]);
    assert_eq!(repo.git(&["log", "--format=%s", "main..agents/a1"]), "mine");
    assert_ordinary(&repo, &worktree);
    let (finished, _) = end(&sibling).await;
    let stash = &finished.kept[0];
    assert_eq!(
        (&*stash.name, &*stash.what),
        ("refs/agentlua/run-1/sibling/stash/0", "`stash@{0}`")
    );
    assert_eq!(repo.git(&["show", &format!("{}^3:theirs", stash.name)]), "theirs");
    repo.assert_untouched(&before, &["agents/", "refs/agentlua/"]);
    assert_eq!(repo.git(&["for-each-ref", "refs/agentlua/run-1/a1/base"]), "");
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn git_in_the_worktree_is_what_an_agent_expects() {
    let repo = busy();
    repo.git(&["config", "core.autocrlf", "input"]);
    repo.git(&["config", "http.extraheader", "AUTHORIZATION: secret"]);
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    let git = |args: &[&str]| repo.git_in(dir, args);
    assert_eq!(git(&["status", "--porcelain"]), "");
    assert_eq!(git(&["branch", "--show-current"]), "agents/a1");
    assert_eq!(git(&["rev-parse", "--show-toplevel"]), dir.to_str().unwrap());
    assert_eq!(git(&["rev-parse", "v1^{commit}"]), worktree.base_commit());
    assert_eq!(git(&["describe"]), "v1");
    assert_eq!(git(&["rev-parse", "--abbrev-ref", "origin/HEAD"]), "origin/main");
    assert_eq!(git(&["diff", "--name-only", "other"]), "other.txt");
    assert_eq!(git(&["stash", "list"]), "");
    assert_eq!(git(&["config", "core.autocrlf"]), "input");
    assert_eq!(git(&["config", "user.name"]), "Ada");
    assert!(!repo.try_git_in(dir, &["config", "http.extraheader"]).0);
    git(&["fetch", "-q", "origin"]);
    let (ok, said) = repo.try_git_in(dir, &["push", "origin", "HEAD"]);
    assert!(!ok && said.contains("agents-cannot-push"), "{said}");
    let theirs = repo.git_in(dir, &["for-each-ref", "--format=%(objectname) %(refname)"]);
    let mine = repo.git(&["for-each-ref", "--format=%(objectname) %(refname)"]);
    let mine: Vec<_> = lines(&mine)
        .into_iter()
        .filter(|line| !line.contains("refs/stash") && !line.contains("refs/agentlua"))
        .collect();
    assert_eq!(lines(&theirs), mine);
    git(&["fsck", "--no-dangling"]);
    let (finished, left) = end(&worktree).await;
    assert!(!finished.changed && left.is_none(), "{finished:?}");
    assert!(matches!(worktree.release(&finished).await.unwrap(), Released::Removed { .. }));
    assert_eq!(repo.git(&["for-each-ref", "refs/agentlua/"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_keep_their_parents_and_everything_beside_the_branch_gets_a_ref() {
    let repo = busy();
    let before = repo.fingerprint(&["agents/", "refs/agentlua/"]);
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    let git = |args: &[&str]| repo.git_in(dir, args);
    std::fs::write(dir.join("one"), "1").unwrap();
    git(&["add", "one"]);
    git(&["commit", "-qm", "one"]);
    git(&["merge", "-q", "--no-ff", "-m", "join", "other"]);
    git(&["branch", "spare/x", "HEAD~1"]);
    git(&["tag", "-a", "made", "-m", "made"]);
    git(&["notes", "add", "-m", "noted"]);
    for name in ["first", "second"] {
        std::fs::write(dir.join("a.txt"), name).unwrap();
        git(&["stash", "-q"]);
    }
    git(&["checkout", "-q", "--detach"]);
    git(&["commit", "-q", "--allow-empty", "-m", "beside"]);
    let beside = git(&["rev-parse", "HEAD"]);
    std::fs::write(dir.join("last"), "last").unwrap();
    let (finished, left) = end(&worktree).await;
    assert_eq!(left, None);
    assert_eq!(repo.git(&["log", "-1", "--format=%s", "agents/a1"]), "work");
    assert_eq!(repo.git(&["log", "-1", "--format=%s", "agents/a1^"]), "join");
    assert_eq!(repo.git(&["rev-parse", "agents/a1^^2"]), repo.git(&["rev-parse", "other"]));
    assert_eq!(finished.files_changed, ["last", "one", "other.txt"]);
    let ours = "refs/agentlua/run-1/a1";
    let names: Vec<_> = finished.kept.iter().map(|kept| kept.name.replace(ours, "")).collect();
    let expected =
        ["/heads/spare/x", "/notes/commits", "/tags/made", "/stash/0", "/stash/1", "/HEAD"];
    assert_eq!(names, expected);
    assert_eq!(repo.git(&["rev-parse", &format!("{ours}/HEAD")]), beside);
    assert_eq!(repo.git(&["show", &format!("{ours}/stash/0:a.txt")]), "second");
    assert_eq!(repo.git(&["show", &format!("{ours}/stash/1:a.txt")]), "first");
    assert_ordinary(&repo, &worktree);
    repo.assert_untouched(&before, &["agents/", "refs/agentlua/"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_branch_ends_where_the_agent_has_it_unless_somebody_else_moved_it() {
    let repo = busy();
    let opened = open(&repo).await;
    let base = repo.git(&["rev-parse", "main"]);
    // Rebased away from its base: its own branch.
    let rebased = enter(&repo, &opened, "rebased").await;
    std::fs::write(rebased.path().join("one"), "1").unwrap();
    repo.git_in(rebased.path(), &["add", "one"]);
    repo.git_in(rebased.path(), &["commit", "-qm", "one"]);
    repo.git_in(rebased.path(), &["rebase", "-q", "other"]);
    repo.git_in(rebased.path(), &["commit", "-q", "--amend", "-m", "better"]);
    let (finished, _) = end(&rebased).await;
    let graph = repo.git(&["log", "--format=%s", "main..agents/rebased"]);
    assert_eq!((lines(&graph), finished.aside), (vec!["better", "other"], None));
    // Back before its base: the files are a commit on top.
    let back = enter(&repo, &opened, "back").await;
    repo.git_in(back.path(), &["reset", "-q", "--hard", "HEAD~1"]);
    let (finished, _) = end(&back).await;
    assert_eq!(repo.git(&["rev-parse", "agents/back^"]), base);
    assert_eq!(finished.files_changed, [".gitignore", "a.txt"]);
    // Deleted, and a history of its own begun: the branch stays.
    let orphan = enter(&repo, &opened, "orphan").await;
    repo.git_in(orphan.path(), &["checkout", "-q", "--orphan", "fresh"]);
    repo.git_in(orphan.path(), &["commit", "-qm", "root"]);
    repo.git_in(orphan.path(), &["branch", "-qD", "agents/orphan"]);
    let (finished, _) = end(&orphan).await;
    assert_eq!(finished.head_commit, base);
    assert_eq!(finished.kept[0].name, "refs/agentlua/run-1/orphan/heads/fresh");
    assert_ordinary(&repo, &orphan);
    // Moved by the user meanwhile: never overwritten.
    let raced = enter(&repo, &opened, "raced").await;
    std::fs::write(raced.path().join("mine"), "1").unwrap();
    repo.git_in(raced.path(), &["add", "mine"]);
    repo.git_in(raced.path(), &["commit", "-qm", "mine"]);
    std::fs::write(raced.path().join("more"), "1").unwrap();
    let other = repo.git(&["rev-parse", "other"]);
    repo.git(&["update-ref", "refs/heads/agents/raced", &other]);
    let (finished, left) = end(&raced).await;
    assert_eq!(repo.git(&["rev-parse", "agents/raced"]), other);
    assert_eq!(finished.aside.as_deref(), Some("refs/agentlua/run-1/raced/branch"));
    assert_eq!(repo.git(&["rev-parse", "refs/agentlua/run-1/raced/branch"]), finished.head_commit);
    assert_eq!(
        repo.git(&["log", "--format=%s", "main..refs/agentlua/run-1/raced/branch"]),
        "work\nmine"
    );
    assert_eq!((left, raced.release(&finished).await.unwrap()), (None, Released::Kept));
    // Moved by the user, and nothing committed by the agent: on top of the user's.
    let met = enter(&repo, &opened, "met").await;
    std::fs::write(met.path().join("mine"), "1").unwrap();
    repo.git(&["update-ref", "refs/heads/agents/met", &other]);
    let (finished, _) = end(&met).await;
    assert_eq!(repo.git(&["rev-parse", "agents/met^"]), other);
    assert_eq!(finished.aside, None);
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_inside_are_taken_in_as_files_and_submodules_stay_submodules() {
    let inner = Repo::new();
    let repo = Repo::new();
    let url = inner.path().to_str().unwrap();
    repo.git(&["submodule", "--quiet", "add", url, "sub"]);
    repo.git(&["submodule", "--quiet", "add", url, "idle"]);
    repo.commit("submodules");
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    let git = |args: &[&str]| repo.git_in(dir, args);
    // Without a commit, with one, and one inside another; and one that the agent has committed as such.
    for (name, commit) in [("empty", false), ("full", true), ("full/deep", true), ("named", true)] {
        let nested = dir.join(name);
        std::fs::create_dir(&nested).unwrap();
        repo.git_in(&nested, &["init", "-q"]);
        std::fs::write(nested.join("file"), name).unwrap();
        if commit {
            repo.git_in(&nested, &["add", "file"]);
            let who = ["-c", "user.name=N", "-c", "user.email=n@n"];
            repo.git_in(&nested, &[&who[..], &["commit", "-qm", "nested"]].concat());
        }
    }
    git(&["add", "named"]);
    git(&["commit", "-qm", "named"]);
    // A submodule that the agent moves, and one that it adds.
    git(&["submodule", "--quiet", "update", "--init", "sub"]);
    let sub = dir.join("sub");
    let who = ["-c", "user.name=N", "-c", "user.email=n@n"];
    repo.git_in(&sub, &[&who[..], &["commit", "-q", "--allow-empty", "-m", "moved"]].concat());
    let moved = repo.git_in(&sub, &["rev-parse", "HEAD"]);
    git(&["submodule", "--quiet", "add", url, "added"]);
    let (finished, left) = end(&worktree).await;
    let mut nested = finished.nested.clone();
    nested.sort();
    assert_eq!(
        (nested, &finished.skipped),
        (["empty", "full", "full/deep", "named"].map(str::to_owned).into(), &Vec::new())
    );
    for name in ["empty", "full", "full/deep", "named"] {
        assert_eq!(repo.git(&["show", &format!("agents/a1:{name}/file")]), name);
    }
    let tree = repo.git(&["ls-tree", "-r", "agents/a1"]);
    let links: Vec<_> =
        lines(&tree).into_iter().filter(|line| line.starts_with("160000")).collect();
    assert_eq!(links.len(), 3, "{tree}");
    assert!(tree.contains(&format!("{moved}\tsub")), "{tree}");
    // The commits of the submodule are nowhere else.
    let left = left.unwrap();
    assert!(left.why.contains("submodules"), "{left:?}");
    assert!(left.path.join("modules/sub/HEAD").exists());
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_as_expected_is_kept_and_the_files_are_committed_all_the_same() {
    let repo = busy();
    let opened = open(&repo).await;
    let secret = repo.beside("secret");
    repo.git(&["clone", "-q", ".", secret.to_str().unwrap()]);
    let spoil: [Spoil<'_>; 7] = [
        ("alternates", &|dir| {
            let other = format!("{}/.git/objects\n", secret.display());
            std::fs::write(dir.join("objects/info/alternates"), other).unwrap();
        }),
        ("link", &|dir| {
            std::fs::remove_dir_all(dir.join("refs/tags")).unwrap();
            std::os::unix::fs::symlink("/etc", dir.join("refs/tags")).unwrap();
        }),
        ("pipe", &|dir| {
            let _ = std::fs::remove_file(dir.join("packed-refs"));
            let mkfifo = Command::new("mkfifo").arg(dir.join("packed-refs")).status();
            assert!(mkfifo.unwrap().success());
        }),
        ("table", &|dir| std::fs::create_dir(dir.join("reftable")).unwrap()),
        ("gone", &|dir| std::fs::remove_dir_all(dir).unwrap()),
        ("odd", &|dir| std::fs::write(dir.join("refs/heads/x"), "-c core.x=y\n").unwrap()),
        ("objects", &|dir| {
            std::fs::remove_dir_all(dir.join("objects/pack")).unwrap();
            std::os::unix::fs::symlink("/tmp", dir.join("objects/pack")).unwrap();
        }),
    ];
    for (name, spoil) in spoil {
        let before = repo.fingerprint(&["agents/", "refs/agentlua/"]);
        let worktree = enter(&repo, &opened, name).await;
        let dir = worktree.path();
        std::fs::write(dir.join("mine"), "1").unwrap();
        repo.git_in(dir, &["add", "mine"]);
        repo.git_in(dir, &["commit", "-qm", "mine"]);
        std::fs::write(dir.join("more"), "1").unwrap();
        spoil(&dir.with_added_extension("git"));
        let (finished, left) = end(&worktree).await;
        assert_eq!(finished.files_changed, ["mine", "more"], "{name}");
        assert_eq!(repo.git(&["log", "--format=%s", &format!("main..agents/{name}")]), "work");
        let left = left.unwrap();
        assert!(name == "gone" || left.path.join("HEAD").exists(), "{name}: {left:?}");
        let stands = if name == "gone" { "` is gone: the agent deleted it" } else { "` is kept: " };
        assert!(left.to_string().contains(stands), "{name}: {left}");
        assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
        assert_eq!(repo.git_in(dir, &["status", "--porcelain"]), "", "{name}");
        repo.assert_untouched(&before, &["agents/", "refs/agentlua/"]);
    }
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_stays_uncommitted_is_shown_as_such() {
    let repo = busy();
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    std::fs::write(dir.join("mine"), "1").unwrap();
    repo.git_in(dir, &["add", "mine"]);
    repo.git_in(dir, &["commit", "-qm", "mine"]);
    std::fs::write(dir.join("a.txt"), "changed\n").unwrap();
    std::fs::write(dir.join("new"), "1").unwrap();
    let finished = worktree.finish(None).await.unwrap();
    assert_eq!(worktree.leave(&finished).await.unwrap(), None);
    assert!(finished.uncommitted);
    assert_eq!(repo.git(&["log", "--format=%s", "main..agents/a1"]), "mine");
    assert_eq!(repo.git_in(dir, &["status", "--porcelain"]), " M a.txt\n?? new");
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_makes_its_worktree_a_repository_of_its_own_loses_nothing() {
    let repo = busy();
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    std::fs::remove_file(dir.join(".git")).unwrap();
    repo.git_in(dir, &["init", "-q"]);
    repo.git_in(
        dir,
        &["-c", "user.name=N", "-c", "user.email=n@n", "commit", "-q", "--allow-empty", "-m", "x"],
    );
    std::fs::write(dir.join("new"), "1").unwrap();
    let (finished, left) = end(&worktree).await;
    assert_eq!(finished.files_changed, ["new"]);
    assert!(left.unwrap().path.join("HEAD").exists());
    assert_eq!(repo.git_in(dir, &["status", "--porcelain"]), "");
    assert_eq!(repo.git_in(dir, &["log", "-1", "--format=%s"]), "work");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_enters_a_second_time() {
    let repo = busy();
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    assert!(worktree.enter(Entry::default()).await.unwrap_err().message.contains("an agent is in"));
    std::fs::write(worktree.path().join("one"), "1").unwrap();
    let (finished, _) = end(&worktree).await;
    worktree.release(&finished).await.unwrap();
    let base = worktree.base_commit();
    let again = Worktree::open(&opened, "a1", "agents/a1", base, worktree.path()).unwrap();
    again.enter(Entry::default()).await.unwrap();
    // It starts over, away from what was there.
    repo.git_in(again.path(), &["reset", "-q", "--hard", "other"]);
    let (finished, left) = end(&again).await;
    assert_eq!(left, None);
    assert_eq!(repo.git(&["rev-parse", "agents/a1"]), repo.git(&["rev-parse", "other"]));
    assert_eq!(finished.kept[0].name, "refs/agentlua/keep/a1/start");
    assert_eq!(repo.git(&["show", "refs/agentlua/keep/a1/start:one"]), "1");
    assert_ordinary(&repo, &again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_an_agent_was_lent_is_no_obstacle_and_its_index_goes_with_it() {
    let repo = Repo::new();
    repo.git(&["switch", "-qc", "theirs"]);
    repo.write("README.md", "theirs\n");
    repo.commit("theirs");
    repo.git(&["switch", "-q", "main"]);
    let base = repo.git(&["rev-parse", "HEAD"]);
    repo.write("README.md", "ours\n");
    repo.commit("ours");
    let opened = open(&repo).await;
    let own = create(&repo, &opened, "a1", "agents/a1").await;
    let dir = own.path().to_owned();
    repo.git_in(&dir, &["read-tree", "-m", &base, "HEAD", "theirs"]);
    assert_eq!(repo.git_in(&dir, &["status", "--porcelain"]), "UU README.md");
    let there = There {
        id: "a2".to_owned(),
        run: "run-1".to_owned(),
        branch: "agents/a1".to_owned(),
        path: Some(dir.clone()),
        root: repo.beside("state"),
        lender: Some("a1".to_owned()),
    };
    let lent = Worktree::reopen(&opened, there).await.unwrap();
    lent.enter(Entry::default()).await.unwrap();
    std::fs::write(dir.join("README.md"), "both\n").unwrap();
    repo.git_in(&dir, &["commit", "-qam", "mine"]);
    // No snapshot of a turn comes between: the agent was cut off.
    let finished = lent.finish(None).await.unwrap();
    assert_eq!(
        (&*finished.files_changed, finished.uncommitted),
        (&["README.md".into()][..], false)
    );
    assert_eq!(lent.leave(&finished).await.unwrap(), None);
    lent.hand_back().await.unwrap();
    assert_ordinary(&repo, &lent);
    assert_eq!(repo.git(&["show", "agents/a1:README.md"]), "both");
    let kept = |id: &str| repo.path().join(".git/agentlua/index").join(id).exists();
    assert_eq!((kept("a1"), kept("a2")), (true, false), "who lends it keeps theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_objects_become_one_pack_and_few_none() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let packs = || std::fs::read_dir(repo.path().join(".git/objects/pack")).unwrap().count();
    for (id, files, expected) in [("few", 3, 0), ("many", 200, 1)] {
        let worktree = enter(&repo, &opened, id).await;
        for number in 0..files {
            std::fs::write(worktree.path().join(number.to_string()), format!("{id}{number}"))
                .unwrap();
        }
        repo.git_in(worktree.path(), &["add", "-A"]);
        repo.git_in(worktree.path(), &["commit", "-qm", "mine"]);
        let before = packs();
        let (finished, left) = end(&worktree).await;
        assert_eq!((finished.files_changed.len(), left), (files, None));
        assert_eq!(packs() > before, expected == 1, "{id}");
    }
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_only_edits_costs_no_child_of_git_more() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let warm = enter(&repo, &opened, "a0").await;
    std::fs::write(warm.path().join("new"), "x").unwrap();
    end(&warm).await;
    for (id, work) in [("a1", true), ("a2", false)] {
        let before = opened.children();
        let worktree = enter(&repo, &opened, id).await;
        if work {
            std::fs::write(worktree.path().join("new"), "x").unwrap();
        }
        let finished = worktree.finish(Some(message("x"))).await.unwrap();
        worktree.leave(&finished).await.unwrap();
        worktree.release(&finished).await.unwrap();
        assert_eq!(opened.children() - before, 6, "work: {work}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_paths_and_an_unknown_author_are_no_obstacle() {
    let source = Repo::new();
    let repo = Repo::folder("odd \"name\": #1\nend");
    let home = repo.beside("home");
    let (from, to) = (source.path().to_str().unwrap(), repo.path().to_str().unwrap());
    repo.git_in(&home, &["clone", "-q", "--shared", from, to]);
    let opened = open_at(&repo, repo.path(), None).await.unwrap();
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    std::fs::write(dir.join("mine"), "1").unwrap();
    repo.git_in(dir, &["add", "mine"]);
    repo.git_in(dir, &["commit", "-qm", "mine"]);
    let (finished, left) = end(&worktree).await;
    assert_eq!((left, finished.files_changed), (None, vec!["mine".to_owned()]));
    let author = repo.git(&["log", "-1", "--format=%s %an", "agents/a1"]);
    assert_eq!(author, "mine agentlua");
    assert_ordinary(&repo, &worktree);
    assert_eq!(new(&repo, &opened, "x", "x").await.run, "run-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_borrowed_and_not_copied() {
    let repo = busy();
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let objects = worktree.path().with_added_extension("git").join("objects");
    let of = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
    assert_eq!((of(&objects), of(&objects.join("pack"))), (2, 0));
    let own = repo.path().join(".git/index").metadata().unwrap().ino();
    let theirs = objects.with_file_name("index").metadata().unwrap().ino();
    assert_ne!(own, theirs);
    end(&worktree).await;
}

/// Commits, stashes and edits as an agent would, in a worktree whose files are those of `kinds`.
async fn live(kind: &str, repo: &Repo, opened: &Arc<git::Repo>) -> Worktree {
    let worktree = enter(repo, opened, "a1").await;
    let dir = worktree.path();
    let git = |args: &[&str]| repo.git_in(dir, args);
    assert_eq!(git(&["status", "--porcelain"]), "", "{kind}");
    std::fs::write(dir.join("a/one.txt"), "committed\n").unwrap();
    git(&["commit", "-qam", "mine"]);
    std::fs::write(dir.join("a/one.txt"), "stashed\n").unwrap();
    git(&["stash", "-q"]);
    std::fs::create_dir_all(dir.join("c")).unwrap();
    std::fs::write(dir.join("c/new"), "new\n").unwrap();
    let (finished, left) = end(&worktree).await;
    assert_eq!((left, &finished.skipped), (None, &Vec::new()), "{kind}");
    assert_eq!(finished.files_changed, ["a/one.txt", "c/new"], "{kind}");
    assert_eq!(repo.git(&["log", "--format=%s", "-2", "agents/a1"]), "work\nmine", "{kind}");
    assert_eq!(repo.git(&["show", &format!("{}:a/one.txt", finished.kept[0].name)]), "stashed");
    assert_ordinary(repo, &worktree);
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept, "{kind}");
    worktree
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_repository_has_it() {
    for (kind, repo, _) in kinds() {
        let before = repo.fingerprint(&["agents/", "refs/agentlua/"]);
        let opened = open(&repo).await;
        live(kind, &repo, &opened).await;
        repo.assert_untouched(&before, &["agents/", "refs/agentlua/"]);
        repo.fsck();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_have_bare_borrowing_linked_and_separated_ones() {
    let source = filled(&[]);
    let from = source.path().to_str().unwrap();
    for (kind, args) in [
        ("bare", &["--bare"][..]),
        ("borrowing", &["--shared"]),
        ("separate", &["--separate-git-dir=../apart"]),
    ] {
        let repo = Repo::folder("clone");
        let to = repo.path().to_str().unwrap();
        let home = repo.beside("home");
        repo.git_in(&home, &[&["clone", "-q"], args, &[from, to]].concat());
        repo.identify();
        let opened = open(&repo).await;
        live(kind, &repo, &opened).await;
        repo.fsck();
    }
    // Alternates by a relative path, which counts from the objects that name them.
    let repo = Repo::folder("clone");
    repo.git_in(
        &repo.beside("home"),
        &["clone", "-q", "--bare", from, repo.beside("pool").to_str().unwrap()],
    );
    repo.git_in(
        &repo.beside("home"),
        &[
            "clone",
            "-q",
            "--shared",
            repo.beside("pool").to_str().unwrap(),
            repo.path().to_str().unwrap(),
        ],
    );
    std::fs::write(repo.path().join(".git/objects/info/alternates"), "../../../pool/objects\n")
        .unwrap();
    repo.identify();
    live("relative", &repo, &open(&repo).await).await;
    repo.fsck();
    // From a linked worktree as the root.
    let linked = source.beside("linked");
    source.git(&["worktree", "add", "-q", "-b", "side2", linked.to_str().unwrap()]);
    let opened = open_at(&source, &linked, None).await.unwrap();
    live("linked", &source, &opened).await;
    assert_eq!(source.git_in(&linked, &["status", "--porcelain"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sparse_checkout_leaves_out_is_as_the_agent_committed_it() {
    let repo = filled(&[]);
    let opened = open(&repo).await;
    for (id, form) in [("plain", "--no-sparse-index"), ("folded", "--sparse-index")] {
        let worktree = enter(&repo, &opened, id).await;
        let dir = worktree.path();
        let git = |args: &[&str]| repo.git_in(dir, args);
        std::fs::write(dir.join("b/two.txt"), "mine\n").unwrap();
        git(&["commit", "-qam", "mine"]);
        git(&["sparse-checkout", "set", "--cone", form, "a"]);
        assert!(!dir.join("b/two.txt").exists());
        std::fs::write(dir.join("a/new"), "new\n").unwrap();
        let (finished, left) = end(&worktree).await;
        assert_eq!(
            (left, finished.files_changed),
            (None, vec!["a/new".to_owned(), "b/two.txt".to_owned()]),
            "{form}"
        );
        assert_eq!(repo.git(&["show", &format!("agents/{id}:b/two.txt")]), "mine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_checkout_of_a_sparse_repository_can_lose_files() {
    let repo = filled(&[]);
    repo.git(&["sparse-checkout", "set", "--cone", "a"]);
    let opened = open(&repo).await;
    let worktree = enter(&repo, &opened, "a1").await;
    let dir = worktree.path();
    assert!(!dir.join("b/two.txt").exists());
    repo.git_in(dir, &["sparse-checkout", "add", "b"]);
    std::fs::remove_file(dir.join("b/two.txt")).unwrap();
    let (finished, _) = end(&worktree).await;
    assert_eq!(finished.files_changed, ["b/two.txt"]);
}
