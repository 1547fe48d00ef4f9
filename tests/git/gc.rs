//! What may be removed: each proof, and each reason against.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use agentlua::git::gc::{Claim, Finding, Survey, Verdict};
use agentlua::git::{self, Worktree};

use crate::repo::Repo;
use crate::{create, message, open};

/// An agent that has ended, and what is known of it.
struct Ended {
    repo: Repo,
    opened: Arc<git::Repo>,
    worktree: Worktree,
    claim: Claim,
}

impl Ended {
    /// An agent that did `work` in its worktree and ended.
    async fn after(work: impl FnOnce(&Repo, &Path)) -> Self {
        let repo = Repo::new();
        repo.write(".gitignore", "*.log\n");
        repo.write("list.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
        repo.commit("files");
        let opened = open(&repo).await;
        let worktree = create(&repo, &opened, "agent-1", "agent/one").await;
        work(&repo, worktree.path());
        let finished = worktree.finish(Some(message("work"))).await.unwrap();
        worktree.keep().await.unwrap();
        let claim = Claim {
            id: "agent-1".to_owned(),
            run: worktree.run().to_owned(),
            branch: Some("agent/one".to_owned()),
            branch_created: true,
            worktree_path: Some(worktree.path().to_owned()),
            base_commit: Some(worktree.base_commit().to_owned()),
            head_commit: Some(finished.head_commit),
        };
        Self { repo, opened, worktree, claim }
    }

    /// One that wrote `text` to the list.
    async fn writing(text: &str) -> Self {
        Self::after(|_, dir| std::fs::write(dir.join("list.txt"), text).unwrap()).await
    }

    fn dir(&self) -> &Path {
        self.worktree.path()
    }

    async fn judge(&self) -> Option<Finding> {
        let ours = BTreeSet::from(["agent/one".to_owned(), "agent/two".to_owned()]);
        let survey = Survey::new(&self.opened, &ours).await.unwrap();
        survey.judge(&self.claim).await.unwrap()
    }

    /// Judges, and fails unless it may go for that reason; then removes it and looks for leftovers.
    #[track_caller]
    fn goes(self, proof: &str) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let proof = proof.to_owned();
        async move {
            let before = self.repo.fingerprint(&["agent/", "refs/agentlua/"]);
            let finding = self.judge().await.unwrap();
            assert_eq!(finding.verdict, Verdict::Spare(proof), "{at}");
            assert!(self.dir().is_dir(), "looking removes nothing");
            assert!(finding.remove(&self.opened).await.unwrap(), "{at}");
            assert!(
                !self
                    .repo
                    .try_git_in(self.repo.path(), &["rev-parse", "-q", "--verify", "agent/one"])
                    .0
            );
            assert!(self.judge().await.is_none(), "{at}");
            self.repo.assert_untouched(&before, &["agent/", "refs/agentlua/"]);
            assert_eq!(self.repo.git(&["worktree", "list"]).lines().count(), 1);
            assert_eq!(std::fs::read_dir(self.repo.beside("state")).unwrap().count(), 0, "{at}");
            self.repo.fsck();
        }
    }

    /// Judges, and fails unless it stays for that reason; says so when told to remove it.
    #[track_caller]
    fn stays(&self, reason: &str) -> impl Future<Output = ()> {
        let at = std::panic::Location::caller();
        let reason = reason.to_owned();
        async move {
            let finding = self.judge().await.unwrap();
            assert_eq!(finding.verdict, Verdict::Kept(reason.clone()), "{at}");
            let error = finding.remove(&self.opened).await.unwrap_err();
            assert!(error.message.contains(&reason), "{error}");
            assert!(self.dir().is_dir() && self.repo.git(&["rev-parse", "agent/one"]).len() == 40);
        }
    }
}

const SEVEN: &str = "one\ntwo\nthree\nfour\nfive\nsix\nSEVEN\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_goes_with_its_ignored_files() {
    let ended = Ended::after(|_, dir| std::fs::write(dir.join("x.log"), "12345").unwrap()).await;
    let finding = ended.judge().await.unwrap();
    assert_eq!(finding.ignored, (1, 5));
    assert!(finding.bytes > 5);
    ended.goes("empty").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_merged_goes_and_what_is_not_stays() {
    let ended = Ended::writing(SEVEN).await;
    ended.stays("not merged: 1 commit").await;
    // A branch of another agent proves nothing: it may be the next to go.
    ended.repo.git(&["branch", "agent/two", "agent/one"]);
    ended.stays("not merged: 1 commit").await;
    ended.repo.git(&["merge", "--quiet", "--no-ff", "--no-edit", "agent/one"]);
    ended.goes("merged into `main`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_remote_branch_holds_goes() {
    let ended = Ended::writing(SEVEN).await;
    ended.repo.git(&["update-ref", "refs/remotes/origin/fix", "agent/one"]);
    ended.goes("merged into `origin/fix`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_patches_are_a_proof_one_by_one() {
    let two = |repo: &Repo, dir: &Path| {
        for (name, text) in [("a.txt", "a\n"), ("b.bin", "b\0b")] {
            std::fs::write(dir.join(name), text).unwrap();
            repo.git_in(dir, &["add", "--all"]);
            repo.git_in(dir, &["commit", "--quiet", "--message", name]);
        }
    };
    let ended = Ended::after(two).await;
    ended.repo.write("other.txt", "of the user's\n");
    ended.repo.commit("other");
    ended.repo.git(&["cherry-pick", "agent/one~1"]);
    ended.stays("not merged: 2 commits").await;
    ended.repo.git(&["cherry-pick", "agent/one"]);
    ended.repo.write("a.txt", "changed since\n");
    ended.repo.commit("since");
    ended.goes("patch-id equal in `main`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squash_merge_is_a_proof_even_when_it_was_changed_since() {
    let ended = Ended::after(|repo, dir| {
        std::fs::write(dir.join("list.txt"), SEVEN).unwrap();
        repo.git_in(dir, &["commit", "--quiet", "--all", "--message", "mine"]);
        std::fs::write(dir.join("more.txt"), "more\n").unwrap();
    })
    .await;
    ended.repo.git(&["merge", "--quiet", "--squash", "agent/one"]);
    let squashed = ended.repo.commit("squashed");
    ended.repo.write("more.txt", "less\n");
    ended.repo.commit("since");
    ended.goes(&format!("squashed into `main` as {squashed:.7}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_to_which_a_merge_adds_nothing_is_a_proof() {
    let ended = Ended::writing(SEVEN).await;
    // The same change with another beside it: no patch is equal.
    ended.repo.write("list.txt", SEVEN.replace("six", "SIX"));
    ended.repo.commit("both");
    ended.stays("not merged: 1 commit").await;
    ended.repo.write("list.txt", SEVEN.replace("one", "ONE"));
    ended.repo.commit("both, apart");
    ended.repo.git(&["config", "merge.ours.driver", "true"]);
    ended.stays("not merged: 1 commit").await;
    ended.repo.git(&["config", "--unset", "merge.ours.driver"]);
    ended.goes("adds nothing to `main`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn white_space_and_modes_count() {
    let ended = Ended::writing("one\n\ttwo\nthree\nfour\nfive\nsix\nseven\n").await;
    ended.repo.write("list.txt", "one\n  two\nthree\nfour\nfive\nsix\nseven\n");
    ended.repo.commit("other white space");
    ended.stays("not merged: 1 commit").await;
    let ended = Ended::after(|_, dir| {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.join("list.txt"), mode).unwrap();
    })
    .await;
    ended.repo.write("list.txt", "another\n");
    ended.repo.commit("touched");
    ended.stays("not merged: 1 commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_undo_each_other_are_work_all_the_same() {
    let ended = Ended::after(|repo, dir| {
        std::fs::write(dir.join("idea.txt"), "an idea\n").unwrap();
        repo.git_in(dir, &["add", "--all"]);
        repo.git_in(dir, &["commit", "--quiet", "--message", "idea"]);
        repo.git_in(dir, &["revert", "--no-edit", "HEAD"]);
    })
    .await;
    ended.repo.write("other.txt", "x\n");
    ended.repo.commit("other");
    ended.stays("not merged: 2 commits").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_left_in_the_worktree_stays() {
    let ended = Ended::after(|_, _| {}).await;
    let dir = ended.dir();
    // Else a commit leaves git's own upkeep behind for a moment, which is at work in there.
    ended.repo.git(&["config", "maintenance.auto", "false"]);
    std::fs::write(dir.join("notes.txt"), "mine\n").unwrap();
    ended.stays("uncommitted changes: 1 file").await;
    ended.repo.git_in(dir, &["add", "notes.txt"]);
    std::fs::remove_file(dir.join("notes.txt")).unwrap();
    ended.stays("staged changes").await;
    ended.repo.git_in(dir, &["reset", "--quiet"]);

    std::fs::write(dir.join("far.txt"), "far\n").unwrap();
    ended.repo.git_in(dir, &["checkout", "--quiet", "--detach"]);
    ended.repo.git_in(dir, &["add", "--all"]);
    ended.repo.git_in(dir, &["commit", "--quiet", "--message", "far"]);
    ended.stays("uncommitted changes: 1 file; its HEAD is on no branch").await;
    ended.repo.git_in(dir, &["checkout", "--quiet", "agent/one"]);

    ended.repo.git(&["worktree", "lock", "--reason", "mine", dir.to_str().unwrap()]);
    ended.stays("in use: locked (mine)").await;
    ended.repo.git(&["worktree", "unlock", dir.to_str().unwrap()]);

    ended.repo.git_in(dir, &["init", "--quiet", "deep/inner.log"]);
    ended.stays("holds a repository of its own: `deep/inner.log`").await;
    std::fs::remove_dir_all(dir.join("deep")).unwrap();
    ended.goes("empty").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_a_person_made_or_uses_stays() {
    let ended = Ended::writing(SEVEN).await;
    ended.repo.git(&["merge", "--quiet", "--no-edit", "agent/one"]);
    ended.repo.git(&["worktree", "remove", ended.dir().to_str().unwrap()]);
    ended.repo.git(&["checkout", "--quiet", "agent/one"]);
    let here = ended.repo.path().display().to_string();
    let verdict = ended.judge().await.unwrap().verdict;
    assert_eq!(verdict, Verdict::Kept(format!("in use: checked out in `{here}`")));
    // Deleted, and made again for something else.
    ended.repo.git(&["checkout", "--quiet", "main"]);
    ended.repo.git(&["branch", "--delete", "agent/one"]);
    ended.repo.commit("later");
    ended.repo.git(&["branch", "agent/one"]);
    assert!(ended.judge().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_while_it_is_removed_is_put_back() {
    let ended = Ended::after(|_, _| {}).await;
    let finding = ended.judge().await.unwrap();
    std::fs::write(ended.dir().join("late.txt"), "just now\n").unwrap();
    assert!(!finding.remove(&ended.opened).await.unwrap());
    assert_eq!(std::fs::read_to_string(ended.dir().join("late.txt")).unwrap(), "just now\n");
    assert_eq!(ended.repo.git_in(ended.dir(), &["status", "--porcelain"]), "?? late.txt");
    ended.stays("uncommitted changes: 1 file").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_force_all_of_it_goes_and_all_of_it_is_kept() {
    let ended = Ended::writing(SEVEN).await;
    let dir = ended.dir();
    let tip = ended.repo.git(&["rev-parse", "agent/one"]);
    std::fs::write(dir.join("staged.txt"), "staged\n").unwrap();
    ended.repo.git_in(dir, &["add", "--all"]);
    std::fs::write(dir.join("staged.txt"), "and changed\n").unwrap();
    let stash = ended.repo.git(&["commit-tree", "-m", "s", "main^{tree}"]);
    ended.repo.git(&[
        "update-ref",
        &format!("refs/agentlua/{}/agent-1/stash/0", ended.claim.run),
        &stash,
    ]);
    let reasons = "uncommitted changes: 1 file; staged changes; not merged: 1 commit; on no branch: \
                   what it kept as stash/0";
    ended.stays(reasons).await;
    let finding = ended.judge().await.unwrap();
    let mut kept = finding.remove_by_force(&ended.opened).await.unwrap().unwrap();
    kept.sort();
    let names = ["branch", "files", "index", "stash/0"];
    assert_eq!(kept, names.map(|name| format!("refs/agentlua/removed/agent-1/{name}")));
    assert_eq!(ended.repo.git(&["rev-parse", &kept[0], &kept[3]]), format!("{tip}\n{stash}"));
    let show = |name: &str| ended.repo.git(&["show", &format!("{name}:staged.txt")]);
    assert_eq!((show(&kept[1]), show(&kept[2])), ("and changed".into(), "staged".into()));
    assert_eq!(ended.repo.git(&["rev-parse", &format!("{}^", kept[1])]), tip);
    assert!(!dir.exists() && ended.judge().await.is_none());
    ended.repo.fsck();

    let ended = Ended::after(|_, _| {}).await;
    ended.repo.git_in(ended.dir(), &["init", "--quiet", "inner"]);
    let finding = ended.judge().await.unwrap();
    assert!(finding.is_bound() && finding.remove_by_force(&ended.opened).await.is_err());
    assert!(ended.dir().join("inner").is_dir());
}
