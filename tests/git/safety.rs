//! What must not go, whoever acts between two steps, and what must not be acted on, whoever wrote it
//! down.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use agentlua::git::worktree::{Entry, Furnish, New, Released, There};
use agentlua::git::{self, Opening, Worktree};
use agentlua::journal::Store;
use serde_json::{Value, json};

use crate::repo::Repo;
use crate::{create, message, new, open};

/// Makes a worktree and lets an agent in.
async fn entered(repo: &Repo, opened: &Arc<git::Repo>, id: &str) -> Worktree {
    let worktree = create(repo, opened, id, &format!("agents/{id}")).await;
    worktree.enter(Entry { commit: Some(message("work")), scope: None }).await.unwrap();
    worktree
}

/// Opens a repository with more in the environment than usual.
async fn open_with(repo: &Repo, more: &[(&str, &str)]) -> Arc<git::Repo> {
    let mut environment = repo.environment();
    environment.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    environment.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    let opening =
        Opening { environment: Some(environment.into_iter().collect()), ..Default::default() };
    git::Repo::open_with(repo.path(), opening).await.unwrap()
}

/// Lets git clone from a folder, as submodules of these tests are.
async fn open_with_local_clones(repo: &Repo) -> Arc<git::Repo> {
    let home = repo.beside("home/.gitconfig");
    std::fs::write(&home, "[protocol \"file\"]\n\tallow = always\n").unwrap();
    open_with(repo, &[("GIT_CONFIG_GLOBAL", home.to_str().unwrap())]).await
}

async fn make_with_submodules(
    repo: &Repo,
    opened: &Arc<git::Repo>,
) -> agentlua::error::Result<Worktree> {
    let furnish = Furnish { submodules: true, ..Furnish::default() };
    Worktree::create(opened, New { furnish, ..new(repo, opened, "a1", "full").await }).await
}

/// Writes down what a host that is gone was about to do.
async fn cut_off(opened: &git::Repo, kind: &str, subject: &str, detail: Value) {
    let store = Store::open(&opened.state_dir()).await.unwrap();
    let host = store.hold("host-999999999-1-0").await.unwrap();
    store.intend(&host.name, kind, subject, detail).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_submodule_is_no_setting() {
    let inner = Repo::new();
    let repo = Repo::new();
    repo.git(&["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "sub"]);
    let canary = repo.beside("canary");
    let modules = std::fs::read_to_string(repo.path().join(".gitmodules")).unwrap();
    let name = format!("sub.update=!touch {} #", canary.display());
    repo.write(
        ".gitmodules",
        format!("{modules}[submodule \"{name}\"]\n\tpath = other\n\turl = x\n"),
    );
    repo.commit("submodules");
    repo.git(&["config", "--remove-section", "submodule.sub"]);
    let opened = open_with_local_clones(&repo).await;
    let made = make_with_submodules(&repo, &opened).await;
    assert!(!canary.exists(), "the host ran a command of the repository's");
    assert!(made.unwrap().path().join("sub/README.md").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submodule_elsewhere_is_none() {
    let inner = Repo::new();
    let victim = Repo::new();
    victim.git(&["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "sub"]);
    victim.commit("submodule");
    victim.git(&["submodule", "--quiet", "deinit", "-f", "--all"]);
    let before = victim.fingerprint(&[]);
    let shown = victim.path().display().to_string();
    for path in [shown.as_str(), "link"] {
        let repo = Repo::new();
        symlink(victim.path(), repo.path().join("link")).unwrap();
        let modules = format!("[submodule \"x\"]\n\tpath = {path}\n\turl = {shown}\n");
        repo.write(".gitmodules", modules);
        repo.commit("elsewhere");
        let opened = open_with_local_clones(&repo).await;
        let _ = make_with_submodules(&repo, &opened).await;
        victim.assert_untouched(&before, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_that_somebody_went_on_in_is_not_removed() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let first = create(&repo, &opened, "a1", "work").await;
    let finished = first.finish(Some(message("one"))).await.unwrap();
    first.keep().await.unwrap();
    let claim = git::gc::Claim {
        id: "a1".to_owned(),
        run: first.run().to_owned(),
        branch: Some("work".to_owned()),
        branch_created: true,
        worktree_path: Some(first.path().to_owned()),
        base_commit: Some(first.base_commit().to_owned()),
        head_commit: Some(finished.head_commit),
    };
    let ours = ["work".to_owned()].into();
    let survey = git::gc::Survey::new(&opened, &ours).await.unwrap();
    let finding = survey.judge(&claim).await.unwrap().unwrap();
    assert!(matches!(finding.verdict, git::gc::Verdict::Spare(_)), "{:?}", finding.verdict);
    // Another process goes on in it between the proof and the removal.
    let other = open(&repo).await;
    let there = There {
        id: "a2".into(),
        branch: "work".into(),
        path: Some(first.path().to_owned()),
        root: repo.beside("state"),
        ..There::default()
    };
    let second = Worktree::reopen(&other, there).await.unwrap();
    assert!(!finding.remove(&opened).await.unwrap());
    second.enter(Entry { commit: Some(message("two")), scope: None }).await.unwrap();
    assert!(!finding.remove(&opened).await.unwrap());
    std::fs::write(second.path().join("two"), "2").unwrap();
    let finished = second.finish(Some(message("two"))).await.unwrap();
    assert_eq!(finished.files_changed, ["two"]);
    second.leave(&finished).await.unwrap();
    second.hand_back().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_that_a_process_works_in_stays() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = entered(&repo, &opened, "a1").await;
    let mut process = std::process::Command::new("sleep")
        .arg("300")
        .current_dir(worktree.path())
        .spawn()
        .unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    worktree.leave(&finished).await.unwrap();
    let released = worktree.release(&finished).await.unwrap();
    let claim = git::gc::Claim {
        id: "a1".to_owned(),
        run: worktree.run().to_owned(),
        worktree_path: Some(worktree.path().to_owned()),
        base_commit: Some(worktree.base_commit().to_owned()),
        ..git::gc::Claim::default()
    };
    let judge = async || {
        let survey = git::gc::Survey::new(&opened, &[].into()).await.unwrap();
        survey.judge(&claim).await.unwrap().unwrap()
    };
    let busy = judge().await;
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(released, Released::Kept);
    assert!(busy.is_bound(), "{:?}", busy.verdict);
    assert!(judge().await.remove(&opened).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_agent_left_outlives_one_that_cannot_enter() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = entered(&repo, &opened, "a1").await;
    let kept = worktree.path().with_added_extension("git");
    std::fs::create_dir_all(kept.join("modules/lib")).unwrap();
    std::fs::write(kept.join("modules/lib/only"), "here\n").unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert!(worktree.leave(&finished).await.unwrap().is_some());
    worktree.release(&finished).await.unwrap();
    let other = open(&repo).await;
    let there = There {
        id: "a2".into(),
        branch: "agents/a1".into(),
        path: Some(worktree.path().to_owned()),
        root: repo.beside("state"),
        ..There::default()
    };
    let second = Worktree::reopen(&other, there).await.unwrap();
    let config = repo.path().join(".git/config");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[broken\n")).unwrap();
    second.enter(Entry::default()).await.unwrap_err();
    std::fs::write(&config, text).unwrap();
    second.hand_back().await.unwrap();
    assert!(kept.join("modules/lib/only").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_put_aside_for_an_agent_gets_a_ref() {
    let repo = Repo::new();
    repo.write("list", "1\n");
    repo.commit("list");
    let opened = open(&repo).await;
    let worktree = entered(&repo, &opened, "a1").await;
    repo.write("list", "main\n");
    repo.commit("moved on");
    let dir = worktree.path();
    let git = |args: &[&str]| repo.try_git_in(dir, args);
    std::fs::write(dir.join("list"), "agent\n").unwrap();
    git(&["commit", "-qam", "agent"]);
    git(&["update-ref", "refs/backup/one", "HEAD"]);
    std::fs::write(dir.join("README.md"), "not committed\n").unwrap();
    let main = repo.git(&["rev-parse", "main"]);
    let (ok, said) = git(&["rebase", "--autostash", &main]);
    assert!(!ok && said.contains("CONFLICT"), "{said}");
    assert!(!std::fs::read_to_string(dir.join("README.md")).unwrap().contains("not committed"));
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    let again = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished, again);
    worktree.leave(&finished).await.unwrap();
    let refs = repo.git(&["for-each-ref", "--format=%(refname)", "refs/agentlua/"]);
    let show = |name: &str| repo.git(&["show", &format!("refs/agentlua/run-1/a1/{name}")]);
    assert!(refs.contains("/autostash"), "{refs}");
    assert!(show("autostash:README.md").contains("not committed"));
    assert_eq!(show("refs/backup/one:list"), "agent");
    repo.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worktree_that_the_user_removed_stays_removed() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = entered(&repo, &opened, "a1").await;
    let dir = worktree.path().display().to_string();
    std::fs::write(worktree.path().join("mine"), "x").unwrap();
    repo.git_in(worktree.path(), &["add", "mine"]);
    repo.git_in(worktree.path(), &["commit", "-qm", "mine"]);
    std::fs::remove_dir_all(&dir).unwrap();
    repo.git(&["worktree", "unlock", &dir]);
    repo.git(&["worktree", "prune", "--expire=now"]);
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    worktree.leave(&finished).await.unwrap();
    assert_eq!(worktree.release(&finished).await.unwrap(), Released::Kept);
    assert_eq!(repo.git(&["show", "agents/a1:mine"]), "x");
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    repo.git(&["branch", "-D", "agents/a1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_see_no_keys_of_the_users_in_what_an_agent_wrote() {
    let repo = Repo::new();
    // With a path that is relative, the agent decides what runs.
    repo.git(&["config", "filter.own.clean", "sh tools/clean.sh"]);
    repo.write(".gitattributes", "*.txt filter=own\n");
    repo.write("tools/clean.sh", "cat\n");
    repo.commit("filter");
    let secrets = ["SSH_AUTH_SOCK", "GNUPGHOME", "XDG_RUNTIME_DIR"];
    let seen = repo.beside("seen");
    let opened = open_with(&repo, &secrets.map(|name| (name, "/run/secret"))).await;
    let worktree = entered(&repo, &opened, "a1").await;
    let script = format!("env > '{}'\ncat\n", seen.display());
    std::fs::write(worktree.path().join("tools/clean.sh"), script).unwrap();
    std::fs::write(worktree.path().join("new.txt"), "x\n").unwrap();
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished.files_changed, ["new.txt", "tools/clean.sh"]);
    let seen = std::fs::read_to_string(seen).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("/run/secret"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_own_configuration_is_read_and_not_written() {
    let repo = Repo::new();
    let home = repo.beside("home/.gitconfig");
    std::fs::write(&home, "[user]\n\tname = Grace\n[greet]\n\tword = hello\n").unwrap();
    let before = std::fs::read(&home).unwrap();
    let mut environment = repo.environment();
    environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
    let environment = Some(environment.into_iter().collect());
    let opening = Opening { environment, ..Default::default() };
    let opened = git::Repo::open_with(repo.path(), opening).await.unwrap();
    let worktree = create(&repo, &opened, "a1", "agents/a1").await;
    assert_eq!(worktree.global_config(), None);
    worktree.enter(Entry { commit: Some(message("work")), scope: None }).await.unwrap();
    let global = worktree.global_config().unwrap();
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(args).current_dir(worktree.path()).env_clear().envs(repo.environment());
        let output = command.env("GIT_CONFIG_GLOBAL", &global).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(git(&["config", "greet.word"]), "hello\n");
    git(&["config", "--global", "greet.word", "bye"]);
    git(&["config", "--global", "user.email", "agent@example.com"]);
    assert_eq!(git(&["config", "greet.word"]), "bye\n");
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(worktree.leave(&finished).await.unwrap(), None);
    assert_eq!(std::fs::read(&home).unwrap(), before);
    assert!(!global.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_removes_nothing_that_is_not_a_worktree_of_ours() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    // The folder of this repository's worktrees is there, too.
    let real = create(&repo, &opened, "a1", "agents/a1").await;
    let folder = real.path().parent().unwrap().to_owned();
    let victim = repo.beside("victim");
    std::fs::create_dir_all(victim.join("deep")).unwrap();
    std::fs::write(victim.join("deep/mine"), "mine\n").unwrap();
    let linked = repo.beside("linked");
    symlink(repo.beside(""), &linked).unwrap();
    let life = |id: &str, path: &Path| {
        json!({
            "id": id, "run": "run-1", "branch": "agents/x", "branch_created": true,
            "base_commit": real.base_commit(), "path": path, "state": "making",
        })
    };
    let out = folder.join("../../victim");
    for (kind, subject, detail) in [
        ("worktree", "victim", life("victim", &victim)),
        ("worktree", "x", life("x", &victim)),
        ("worktree", "out", life("victim", &out)),
        ("worktree", "slash", life("../../victim", &folder.join("none"))),
        ("merge", "t1", json!({ "step": "trial", "id": "victim", "path": victim })),
        ("merge", "t2", json!({ "step": "trial", "id": "t2", "path": out })),
        ("merge", "t3", json!({ "step": "trial", "id": "victim", "path": linked.join("victim") })),
        ("remove", "r1", json!({ "id": "victim", "run": "run-1", "path": victim, "refs": [] })),
        (
            "remove",
            "r2",
            json!({ "id": "../../victim", "run": "r", "path": folder.join("y"), "refs": [] }),
        ),
        (
            "remove",
            "r3",
            json!({ "id": "r3", "run": "r", "path": null,
            "refs": [["refs/heads/main", repo.git(&["rev-parse", "main"])]] }),
        ),
    ] {
        std::fs::create_dir_all(repo.beside(".victim.removed")).unwrap();
        cut_off(&opened, kind, subject, detail.clone()).await;
        let recovered = git::recover(&opened).await.unwrap();
        assert!(victim.join("deep/mine").exists(), "{detail}: {recovered:?}");
        assert!(repo.beside(".victim.removed").is_dir(), "{detail}: {recovered:?}");
        assert!(repo.try_git_in(repo.path(), &["rev-parse", "main"]).0, "{detail}: {recovered:?}");
        // It is said once, and not at every start.
        let other = open(&repo).await;
        let again = git::recover(&other).await.unwrap();
        assert!(again.is_empty(), "{detail}: {again:?}");
    }
    assert!(real.path().join("README.md").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_packs_refs_is_waited_for() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = entered(&repo, &opened, "a1").await;
    repo.git(&["pack-refs", "--all"]);
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    let lock = repo.path().join(".git/packed-refs.lock");
    std::fs::write(&lock, "").unwrap();
    let unlocked = tokio::spawn({
        let lock = lock.clone();
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            std::fs::remove_file(lock).unwrap();
        }
    });
    worktree.leave(&finished).await.unwrap();
    unlocked.await.unwrap();
    assert_eq!(repo.git(&["for-each-ref", "refs/agentlua/"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_collects_garbage_takes_no_snapshot_away() {
    let repo = Repo::new();
    let opened = open(&repo).await;
    let worktree = create(&repo, &opened, "a1", "agents/a1").await;
    let file = worktree.path().join("new");
    std::fs::write(&file, "not committed\n").unwrap();
    // Older than the index: git does not look inside again.
    let before = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    assert!(worktree.finish(None).await.unwrap().uncommitted);
    // No ref holds what was looked at.
    repo.git(&["gc", "--quiet", "--prune=now"]);
    assert!(worktree.finish(None).await.unwrap().uncommitted);
    repo.git(&["gc", "--quiet", "--prune=now"]);
    worktree.snapshot_turn(1, git::Touched::Paths(vec!["new".into()])).await.unwrap();
    repo.git(&["gc", "--quiet", "--prune=now"]);
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    assert_eq!(finished.files_changed, ["new"]);
    assert_eq!(repo.git(&["show", "agents/a1:new"]), "not committed");
    repo.fsck();
}
