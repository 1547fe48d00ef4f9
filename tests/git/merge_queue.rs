//! Merges that meet: in one process, in several, and with people who do not queue.

use std::sync::Arc;

use agentlua::git::{Lane, Merge, Proposed, Strategy, merge};

use crate::open;
use crate::repo::Repo;

fn of(branch: &str, into: &str) -> Merge {
    Merge {
        branch: branch.to_owned(),
        name: branch.to_owned(),
        into: Some(into.to_owned()),
        strategy: Strategy::Merge,
        message: None,
    }
}

/// `main`, `other` and branches `b0` … that touch a file each.
fn with_branches(count: usize) -> Repo {
    let repo = Repo::new();
    repo.git(&["branch", "other"]);
    for number in 0..count {
        repo.git(&["checkout", "-q", "-b", &format!("b{number}"), "main"]);
        repo.write(&format!("f{number}"), "x\n");
        repo.commit("work");
    }
    repo.git(&["checkout", "-q", "main"]);
    repo
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_merges_at_once_lands() {
    const COUNT: usize = 8;
    let repo = with_branches(COUNT);
    // Three handles stand for three processes: they share nothing but the files.
    let handles = [open(&repo).await, open(&repo).await, open(&repo).await];
    let mut jobs = tokio::task::JoinSet::new();
    for number in 0..COUNT {
        let handle = Arc::clone(&handles[number % handles.len()]);
        jobs.spawn(async move { merge(&handle, of(&format!("b{number}"), "main")).await });
    }
    // Somebody else commits in the checkout of another branch and moves a ref of their own.
    for number in 0..5 {
        repo.git(&["update-ref", &format!("refs/tags/t{number}"), "main"]);
    }
    while let Some(done) = jobs.join_next().await {
        let merged = done.unwrap().unwrap();
        assert!(["merged", "fast_forward"].contains(&merged.status));
    }
    for number in 0..COUNT {
        repo.git(&["merge-base", "--is-ancestor", &format!("b{number}"), "main"]);
        assert!(repo.path().join(format!("f{number}")).exists());
    }
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_first_come_first_served_and_one_for_each_target() {
    let repo = with_branches(1);
    let opened = open(&repo).await;
    let first = Lane::enter(&opened, Some("main")).await.unwrap();
    let (sender, mut entered) = tokio::sync::mpsc::unbounded_channel();
    for number in 0..5 {
        let (opened, sender) = (Arc::clone(&opened), sender.clone());
        let mut enters = Box::pin(async move {
            let lane = Lane::enter(&opened, Some("refs/heads/main")).await.unwrap();
            sender.send(number).unwrap();
            drop(lane);
        });
        // Its place is taken when it is first polled.
        assert!(futures_util::poll!(&mut enters).is_pending());
        tokio::spawn(enters);
    }
    // Another target waits for nobody.
    merge(&opened, of("b0", "other")).await.unwrap();
    assert!(entered.try_recv().is_err(), "nobody was let in");
    drop(first);
    for number in 0..5 {
        assert_eq!(entered.recv().await, Some(number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_moved_since_is_not_landed_on() {
    let repo = with_branches(2);
    let opened = open(&repo).await;
    let lane = Lane::enter(&opened, Some("main")).await.unwrap();
    let ours = lane.tip().await.unwrap();
    let Proposed::Ready(proposal) = lane.propose(&of("b0", "main"), &ours).await.unwrap() else {
        panic!("it is clean");
    };
    repo.write("mine", "m\n");
    let mine = repo.commit("mine");
    let before = repo.fingerprint(&[]);
    assert!(!lane.land(&proposal).await.unwrap(), "the commit was made for another target");
    repo.assert_untouched(&before, &[]);
    drop(lane);
    merge(&opened, of("b0", "main")).await.unwrap();
    assert_eq!(repo.git(&["rev-parse", "main^1"]), mine);
}
