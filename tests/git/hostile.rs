//! What an agent plants for the host's git to run, or to be misled by: nothing of it happens, and its work
//! is taken in all the same. Every trap writes to one file, which must not appear.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentlua::git::worktree::Entry;
use agentlua::git::{self, Side, Spec, Worktree};

use crate::repo::Repo;
use crate::{create, message, open};

/// A repository, an agent in a worktree of it, and a trap.
struct Scene {
    repo: Repo,
    opened: Arc<git::Repo>,
    worktree: Worktree,
    /// The agent's git directory.
    own: PathBuf,
    /// What git keeps about the worktree in the user's repository.
    admin: PathBuf,
    canary: PathBuf,
    trap: String,
    before: String,
}

const OURS: [&str; 2] = ["agents/a1", "refs/agentlua/"];

impl Scene {
    async fn new(repo: Repo) -> Self {
        let canary = repo.beside("canary");
        let trap = repo.beside("trap").display().to_string();
        std::fs::write(&trap, format!("#!/bin/sh\necho ran >> '{}'\ncat\n", canary.display()))
            .unwrap();
        std::fs::set_permissions(&trap, PermissionsExt::from_mode(0o755)).unwrap();
        let before = repo.fingerprint(&OURS);
        let opened = open(&repo).await;
        let worktree = create(&repo, &opened, "a1", "agents/a1").await;
        let entry = Entry { commit: Some(message("work")), scope: None };
        worktree.enter(entry).await.unwrap();
        let own = worktree.path().with_added_extension("git");
        let admin = repo.path().join(".git/worktrees/a1");
        std::fs::write(worktree.path().join("README.md"), "changed\n").unwrap();
        std::fs::write(worktree.path().join("new"), "new\n").unwrap();
        Self { repo, opened, worktree, own, admin, canary, trap, before }
    }

    /// Returns settings that run the trap.
    fn settings(&self) -> String {
        let trap = &self.trap;
        format!(
            "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n\
             \teditor = {trap}\n\tpager = {trap}\n\tattributesFile = {}\n\
             [filter \"evil\"]\n\tclean = {trap}\n\tsmudge = {trap}\n\trequired = true\n\
             [diff \"evil\"]\n\ttextconv = {trap}\n\tcommand = {trap}\n\
             [diff]\n\texternal = {trap}\n[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgsign = true\n",
            self.attributes().display()
        )
    }

    /// Returns a file that puts every file under those settings.
    fn attributes(&self) -> PathBuf {
        let file = self.repo.beside("attributes");
        std::fs::write(&file, "* filter=evil diff=evil merge=evil\n").unwrap();
        file
    }

    /// Makes a git directory that runs the trap.
    fn evil(&self, name: &str) -> PathBuf {
        let dir = self.repo.beside(name);
        self.repo
            .git_in(&self.repo.beside("home"), &["init", "-q", "--bare", dir.to_str().unwrap()]);
        std::fs::write(dir.join("config"), self.settings()).unwrap();
        std::fs::write(dir.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        self.arm(&dir.join("hooks"));
        dir
    }

    /// Fills a folder with hooks that run the trap.
    fn arm(&self, hooks: &Path) {
        std::fs::create_dir_all(hooks).unwrap();
        for name in [
            "pre-commit",
            "commit-msg",
            "post-commit",
            "post-checkout",
            "post-index-change",
            "reference-transaction",
            "post-rewrite",
            "pre-auto-gc",
        ] {
            std::fs::copy(&self.trap, hooks.join(name)).unwrap();
        }
    }

    /// Fails unless git in the worktree, as it is now, falls into the trap: else the test shows nothing.
    fn assert_armed(&self, command: &[&str]) {
        let _ = self.repo.try_git_in(self.worktree.path(), command);
        assert!(self.canary.exists(), "git {command:?} did not run the trap");
        std::fs::remove_file(&self.canary).unwrap();
    }

    #[track_caller]
    fn assert_quiet(&self, when: &str) {
        assert!(!self.canary.exists(), "the trap ran in {when}");
    }

    /// Everything that the host and then a person does; the work has to be on the branch after it.
    async fn play(&self, files: &[&str]) -> git::Finished {
        let worktree = &self.worktree;
        let diff = async |to| {
            let spec = Spec::Between { from: worktree.base_commit().to_owned(), to };
            git::diff(&self.opened, spec, &[]).await.unwrap()
        };
        let shown = diff(Side::Worktree(Box::new(worktree.clone()))).await;
        let same = diff(Side::Folder(worktree.path().to_owned())).await;
        assert_eq!(shown, same);
        self.assert_quiet("diff");
        let finished = worktree.finish(Some(message("work"))).await.unwrap();
        self.assert_quiet("finish");
        worktree.leave(&finished).await.unwrap();
        self.assert_quiet("leave");
        diff(Side::Folder(worktree.path().to_owned())).await;
        self.assert_quiet("diff of what was left");
        worktree.release(&finished).await.unwrap();
        self.opened.worktrees().await.unwrap();
        self.opened.dirty_paths().await.unwrap();
        self.assert_quiet("release");
        self.repo.git(&["status", "--porcelain"]);
        self.repo.git(&["worktree", "list"]);
        self.assert_quiet("the user's checkout");
        assert_eq!(self.repo.git_in(worktree.path(), &["status", "--porcelain"]), "");
        self.assert_quiet("the user's git in the worktree");
        assert_eq!(finished.files_changed, files);
        assert_eq!(self.repo.git(&["rev-parse", "agents/a1"]), finished.head_commit);
        assert_eq!(self.repo.git(&["show", "agents/a1:new"]), "new");
        self.repo.assert_untouched(&self.before, &OURS);
        self.repo.fsck();
        finished
    }
}

const WORK: [&str; 2] = ["README.md", "new"];

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_pointer_to_a_repository_of_the_agents() {
    let scene = Scene::new(Repo::new()).await;
    let evil = scene.evil("evil");
    std::fs::write(scene.worktree.path().join(".git"), format!("gitdir: {}\n", evil.display()))
        .unwrap();
    std::fs::write(scene.worktree.path().join(".gitattributes"), "* filter=evil diff=evil\n")
        .unwrap();
    scene.assert_armed(&["status"]);
    scene.play(&[".gitattributes", "README.md", "new"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_settings_of_the_agents_own_repository() {
    let scene = Scene::new(Repo::new()).await;
    let config = std::fs::read_to_string(scene.own.join("config")).unwrap();
    std::fs::write(scene.own.join("config"), config + &scene.settings()).unwrap();
    std::fs::write(scene.own.join("info/attributes"), "* filter=evil diff=evil\n").unwrap();
    scene.assert_armed(&["status"]);
    scene.play(&WORK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_another_common_directory() {
    for admin in [false, true] {
        let scene = Scene::new(Repo::new()).await;
        let evil = scene.evil("evil");
        let at = if admin { &scene.admin } else { &scene.own };
        std::fs::write(at.join("commondir"), format!("{}\n", evil.display())).unwrap();
        if admin {
            let pointer = scene.worktree.path().join(".git");
            let real = std::fs::read(&pointer).unwrap();
            std::fs::write(&pointer, format!("gitdir: {}\n", at.display())).unwrap();
            scene.assert_armed(&["status"]);
            std::fs::write(&pointer, real).unwrap();
        } else {
            scene.assert_armed(&["status"]);
        }
        scene.play(&WORK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_settings_of_the_worktree() {
    for admin in [false, true] {
        let repo = Repo::new();
        if admin {
            repo.git(&["config", "extensions.worktreeConfig", "true"]);
        }
        let scene = Scene::new(repo).await;
        let (at, settings) = if admin { (&scene.admin, "") } else { (&scene.own, "true") };
        if !settings.is_empty() {
            scene
                .repo
                .git_in(scene.worktree.path(), &["config", "extensions.worktreeConfig", "true"]);
        }
        std::fs::write(at.join("config.worktree"), scene.settings()).unwrap();
        let pointer = scene.worktree.path().join(".git");
        let real = std::fs::read(&pointer).unwrap();
        std::fs::write(&pointer, format!("gitdir: {}\n", at.display())).unwrap();
        // The plain file of settings wins over nothing: `core.fsmonitor` of an agent's repository is off.
        scene.assert_armed(&["status"]);
        std::fs::write(&pointer, real).unwrap();
        scene.play(&WORK).await;
        assert!(!scene.admin.join("config.worktree").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_settings_of_the_worktree_that_git_made_come_back() {
    let repo = Repo::new();
    repo.write("a/one", "1");
    repo.write("b/two", "2");
    repo.commit("folders");
    repo.git(&["sparse-checkout", "set", "--cone", "a"]);
    let scene = Scene::new(repo).await;
    let made = std::fs::read(scene.repo.path().join(".git/config.worktree")).unwrap();
    let there = scene.repo.git_in(scene.worktree.path(), &["sparse-checkout", "list"]);
    assert_eq!(there, "a");
    std::fs::write(scene.admin.join("config.worktree"), scene.settings()).unwrap();
    scene.play(&WORK).await;
    assert_eq!(std::fs::read(scene.admin.join("config.worktree")).unwrap(), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_a_repository_inside() {
    let scene = Scene::new(Repo::new()).await;
    let nested = scene.worktree.path().join("nested");
    std::fs::create_dir(&nested).unwrap();
    scene.repo.git_in(&nested, &["init", "-q"]);
    std::fs::write(nested.join("file"), "x").unwrap();
    let who = ["-c", "user.name=N", "-c", "user.email=n@n"];
    scene.repo.git_in(&nested, &["add", "file"]);
    scene.repo.git_in(&nested, &[&who[..], &["commit", "-qm", "x"]].concat());
    scene.repo.git_in(scene.worktree.path(), &["add", "nested"]);
    scene.repo.git_in(scene.worktree.path(), &["commit", "-qm", "named"]);
    std::fs::write(nested.join(".git/config"), scene.settings()).unwrap();
    scene.arm(&nested.join(".git/hooks"));
    std::fs::write(nested.join("file"), "y").unwrap();
    scene.assert_armed(&["status"]);
    let finished = scene.play(&["README.md", "nested/file", "new"]).await;
    assert_eq!(finished.nested, ["nested"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_a_submodule_that_insists_on_being_looked_into() {
    let inner = Repo::new();
    let repo = Repo::new();
    repo.git(&["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "sub"]);
    repo.commit("submodule");
    repo.git(&["submodule", "--quiet", "deinit", "-f", "--all"]);
    let scene = Scene::new(repo).await;
    let sub = scene.worktree.path().join("sub");
    scene.repo.git_in(scene.worktree.path(), &["submodule", "--quiet", "update", "--init"]);
    scene.repo.git_in(
        scene.worktree.path(),
        &["config", "-f", ".gitmodules", "submodule.sub.ignore", "none"],
    );
    let dir = PathBuf::from(scene.repo.git_in(&sub, &["rev-parse", "--absolute-git-dir"]));
    let config = std::fs::read_to_string(dir.join("config")).unwrap();
    std::fs::write(dir.join("config"), config + &scene.settings()).unwrap();
    // Of the same size: git has to look inside, through the filter.
    std::fs::write(sub.join("README.md"), "# README\n").unwrap();
    std::fs::write(sub.join("fresh"), "fresh\n").unwrap();
    scene.assert_armed(&["status"]);
    let worktree = &scene.worktree;
    let spec = Spec::Between {
        from: worktree.base_commit().to_owned(),
        to: Side::Folder(worktree.path().to_owned()),
    };
    git::diff(&scene.opened, spec, &[]).await.unwrap();
    scene.assert_quiet("diff");
    let finished = worktree.finish(Some(message("work"))).await.unwrap();
    scene.assert_quiet("finish");
    assert_eq!(finished.files_changed, [".gitmodules", "README.md", "new"]);
    let left = worktree.leave(&finished).await.unwrap();
    worktree.release(&finished).await.unwrap();
    scene.repo.git(&["status", "--porcelain"]);
    scene.assert_quiet("the user's checkout");
    assert!(left.is_some());
    scene.repo.assert_untouched(&scene.before, &OURS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a5_hooks_that_are_part_of_the_files() {
    let repo = Repo::new();
    repo.write(".husky/pre-commit", "#!/bin/sh\ntrue\n");
    repo.commit("husky");
    repo.git(&["config", "core.hooksPath", ".husky"]);
    let scene = Scene::new(repo).await;
    scene.arm(&scene.worktree.path().join(".husky"));
    scene.repo.git_in(scene.worktree.path(), &["config", "core.hooksPath", ".husky"]);
    scene.assert_armed(&["commit", "-qam", "mine"]);
    let finished = scene.worktree.finish(Some(message("work"))).await.unwrap();
    scene.worktree.leave(&finished).await.unwrap();
    scene.worktree.release(&finished).await.unwrap();
    scene.assert_quiet("the end");
    // What was merged is no reason to run it either.
    let merge = git::Merge {
        branch: "agents/a1".to_owned(),
        name: "agents/a1".to_owned(),
        into: None,
        strategy: git::Strategy::Merge,
        message: None,
    };
    git::merge(&scene.opened, merge).await.unwrap();
    create(&scene.repo, &scene.opened, "a2", "agents/a2").await;
    scene.assert_quiet("a merge and the next worktree");
}

#[tokio::test(flavor = "multi_thread")]
async fn a6_hooks_of_the_agents_own_repository() {
    let scene = Scene::new(Repo::new()).await;
    scene.arm(&scene.own.join("hooks"));
    scene.repo.git_in(scene.worktree.path(), &["config", "--unset", "core.hooksPath"]);
    scene.assert_armed(&["commit", "-qam", "mine"]);
    scene.play(&WORK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a7_links_to_elsewhere_are_links() {
    let scene = Scene::new(Repo::new()).await;
    let dir = scene.worktree.path();
    symlink("/etc/passwd", dir.join("link")).unwrap();
    symlink("/etc", dir.join("folder")).unwrap();
    scene.play(&["README.md", "folder", "link", "new"]).await;
    assert_eq!(scene.repo.git(&["ls-tree", "agents/a1", "link"])[..6], *"120000");
    assert_eq!(scene.repo.git(&["show", "agents/a1:folder"]), "/etc");
}

#[tokio::test(flavor = "multi_thread")]
async fn a8_a_head_on_the_users_branch() {
    for admin in [false, true] {
        let scene = Scene::new(Repo::new()).await;
        let at = if admin { &scene.admin } else { &scene.own };
        std::fs::write(at.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let finished = scene.play(&WORK).await;
        assert_eq!(scene.repo.git(&["log", "--format=%s", "main..agents/a1"]), "work");
        assert_eq!(finished.aside, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a8_records_that_are_links_or_gone() {
    let scene = Scene::new(Repo::new()).await;
    let victim = scene.repo.beside("victim");
    std::fs::write(&victim, "victim").unwrap();
    for name in ["HEAD", "commondir", "gitdir", "index", "config.worktree"] {
        let _ = std::fs::remove_file(scene.admin.join(name));
        if name != "gitdir" {
            symlink(&victim, scene.admin.join(name)).unwrap();
        }
    }
    // By this git finds the worktree; without it the worktree would be unknown.
    let pointer = format!("{}/.git\n", scene.worktree.path().display());
    std::fs::write(scene.admin.join("gitdir"), pointer).unwrap();
    let evil = scene.evil("evil");
    let _ = std::fs::remove_file(scene.worktree.path().join(".git"));
    symlink(&evil, scene.worktree.path().join(".git")).unwrap();
    scene.play(&WORK).await;
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "victim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a9_replaced_objects_are_not_what_they_seem() {
    let scene = Scene::new(Repo::new()).await;
    let git = |args: &[&str]| scene.repo.git_in(scene.worktree.path(), args);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "honest"]);
    let tree = git(&["rev-parse", "HEAD^{tree}"]);
    let forged = git(&["commit-tree", "-m", "forged", &tree]);
    git(&["replace", "HEAD", &forged]);
    assert_eq!(git(&["log", "--format=%s"]), "forged");
    let finished = scene.play(&WORK).await;
    assert_eq!(scene.repo.git(&["log", "-1", "--format=%s", "agents/a1"]), "honest");
    assert_eq!(scene.repo.git(&["for-each-ref", "refs/replace"]), "");
    assert!(finished.kept.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_lie_are_not_taken_in() {
    let scene = Scene::new(Repo::new()).await;
    let git = |args: &[&str]| scene.repo.git_in(scene.worktree.path(), args);
    std::fs::write(scene.worktree.path().join("gone"), "gone\n").unwrap();
    git(&["add", "-A"]);
    git(&["commit", "-qm", "mine"]);
    git(&["rm", "-q", "gone"]);
    git(&["commit", "-qm", "without"]);
    // Another content under the id of a file that only the commit has.
    let (new, old) = (git(&["rev-parse", "HEAD~1:gone"]), git(&["rev-parse", "HEAD:new"]));
    let at = |id: &str| scene.own.join("objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(at(&new)).unwrap();
    std::fs::copy(at(&old), at(&new)).unwrap();
    let finished = scene.play(&WORK).await;
    let left = finished.left.unwrap();
    assert!(left.why.contains("could not be taken in"), "{left:?}");
    assert_eq!(scene.repo.git(&["log", "--format=%s", "main..agents/a1"]), "work");
}
