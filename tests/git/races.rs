//! Many at once, in one process and in two, and one killed in the middle.

use std::process::{Command, Stdio};
use std::time::Duration;

use agentlua::git::worktree::Released;

use crate::repo::Repo;
use crate::{create, message, open, open_at};

/// Says to this test binary that it is the other process of a race: the repository and a prefix.
const ROLE: &str = "TEST_GIT_RACE";

/// Makes, works in, finishes and releases worktrees at once; every other one stays idle.
async fn crowd(repo: &Repo, dir: &std::path::Path, prefix: &str, count: usize) {
    let opened = open_at(repo, dir, None).await.unwrap();
    let lives = (0..count).map(|at| {
        let opened = opened.clone();
        async move {
            let id = format!("{prefix}{at}");
            let worktree = create(repo, &opened, &id, &format!("work/{id}")).await;
            let works = at % 2 == 0;
            if works {
                std::fs::write(worktree.path().join(&id), &id).unwrap();
            }
            let finished = worktree.finish(Some(message(&id))).await.unwrap();
            let released = worktree.release(&finished).await.unwrap();
            assert_eq!(released == Released::Kept, works, "{id}: {finished:?}");
        }
    });
    futures_util::future::join_all(lives).await;
}

fn outcome(repo: &Repo, prefixes: &[&str], count: usize) {
    for prefix in prefixes {
        for at in 0..count {
            let id = format!("{prefix}{at}");
            let names = repo.git(&["diff", "--name-only", "main", &format!("work/{id}")]);
            assert_eq!(names, if at % 2 == 0 { id } else { String::new() });
        }
    }
    let kept = repo.git(&["worktree", "list", "--porcelain"]);
    assert_eq!(kept.matches("worktree ").count(), 1 + prefixes.len() * count.div_ceil(2));
    assert!(!kept.contains("locked") && !kept.contains("prunable"));
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_at_once_in_one_process() {
    let repo = Repo::new();
    repo.write("mine", "dirty");
    let before = repo.fingerprint(&[]);
    crowd(&repo, repo.path(), "a", 16).await;
    outcome(&repo, &["a"], 16);
    repo.assert_untouched(&before, &["work/"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_at_once_in_two_processes() {
    let repo = Repo::new();
    let mut other = child(&repo, "b");
    crowd(&repo, repo.path(), "a", 8).await;
    assert!(other.wait().unwrap().success());
    outcome(&repo, &["a", "b"], 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_the_middle_damages_nothing_and_blocks_nobody() {
    let repo = Repo::new();
    for at in 0..200 {
        repo.write(&format!("many/{at}"), format!("{at}\n"));
    }
    repo.commit("many");
    repo.write("README.md", "dirty\n");
    let before = repo.fingerprint(&[]);
    for round in 0..4_u64 {
        let mut other = child(&repo, &format!("k{round}x"));
        let begun = format!("refs/heads/work/k{round}x*");
        while repo.git(&["for-each-ref", &begun]).is_empty() {
            assert!(other.try_wait().unwrap().is_none(), "it ended before it began");
        }
        std::thread::sleep(Duration::from_millis(40 * round));
        other.kill().unwrap();
        other.wait().unwrap();
    }
    // A git child that outlived its host may still be at it.
    repo.assert_untouched(&before, &["work/"]);
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "after", "after").await;
    std::fs::write(worktree.path().join("new"), "x").unwrap();
    assert_eq!(worktree.finish(Some(message("x"))).await.unwrap().files_changed, ["new"]);
    repo.git(&["commit", "-qam", "the user goes on"]);
    repo.fsck();
}

fn child(repo: &Repo, prefix: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "races::the_other_process", "--nocapture"])
        .env(ROLE, format!("{prefix}:{}", repo.path().display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing unless it was started by one of the tests above.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_other_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (prefix, path) = role.split_once(':').unwrap();
    let repo = Repo::at(path.into());
    crowd(&repo, repo.path(), prefix, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_same_branch() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let tries = (0..8).map(|at| {
        let (repo, opened) = (&repo, &opened);
        async move {
            let new = crate::new(repo, opened, &format!("a{at}"), "same").await;
            agentlua::git::Worktree::create(opened, new).await.is_ok()
        }
    });
    let won = futures_util::future::join_all(tries).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_registered_while_another_process_holds_the_lock() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    std::fs::create_dir_all(repo.path().join(".git/agentlua")).unwrap();
    let lock = std::fs::File::create(repo.path().join(".git/agentlua/lock")).unwrap();
    lock.lock().unwrap();
    let mut making = Box::pin(create(&repo, &opened, "a1", "later"));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut making).await;
    assert!(early.is_err());
    assert!(repo.git(&["for-each-ref", "refs/heads/later"]).is_empty());
    drop(lock);
    assert!(making.await.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_leaves_nothing() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let wanted = crate::new(&repo, &opened, "a1", "gone").await;
    let before = opened.children();
    let making = agentlua::git::Worktree::create(&opened, wanted);
    // Polled once, then dropped.
    let _ = tokio::time::timeout(Duration::ZERO, making).await;
    let gone = async {
        while opened.children() == before
            || !repo.git(&["for-each-ref", "refs/heads/gone"]).is_empty()
            || repo.git(&["worktree", "list"]).lines().count() > 1
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}
