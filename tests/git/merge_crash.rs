//! Merges that are cut off by kill -9 at every step, and what the next start makes of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repo::Repo;

/// Merges `left`, verified first so that there is a temporary worktree too.
const SCRIPT: &str = r#"
local merged = git.merge { branch = "left", into = "main", verify = "grep -q left shared" }
print(merged.status)
"#;

/// `main`, checked out twice, both with edits of the user's, and `left`, which changes, adds, removes
/// and turns a file into a folder.
fn forked() -> (Repo, PathBuf) {
    let repo = Repo::new();
    repo.write("shared", "1\n2\n3\n");
    repo.write("kept", "k\n");
    repo.write("gone", "g\n");
    repo.write("turns", "t\n");
    repo.write(".gitattributes", "crlf text eol=crlf\n");
    repo.commit("base");
    repo.git(&["checkout", "-q", "-b", "left"]);
    repo.write("shared", "left\n2\n3\n");
    repo.write("crlf", "a\nb\n");
    std::fs::remove_file(repo.path().join("turns")).unwrap();
    repo.write("turns/inner", "i\n");
    repo.write("link", "");
    std::fs::remove_file(repo.path().join("link")).unwrap();
    std::os::unix::fs::symlink("shared", repo.path().join("link")).unwrap();
    repo.git(&["rm", "-q", "gone"]);
    repo.commit("left");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("own", "o\n");
    repo.commit("own");
    let second = repo.beside("second");
    repo.git(&["worktree", "add", "-q", "--force", second.to_str().unwrap(), "main"]);
    for folder in [repo.path(), &*second] {
        std::fs::write(folder.join("kept"), "edited\n").unwrap();
        std::fs::write(folder.join("staged"), "s\n").unwrap();
        std::fs::write(folder.join("meant"), "m\n").unwrap();
        std::fs::write(folder.join("untracked"), "u\n").unwrap();
        repo.git_in(folder, &["add", "staged"]);
        repo.git_in(folder, &["add", "--intent-to-add", "meant"]);
    }
    repo.write("../main.lua", SCRIPT);
    (repo, second)
}

/// What `git status` says of the user's edits, whatever the commit.
const EDITS: &str = " M kept\n A meant\nA  staged\n?? untracked";

/// Runs the script with the built binary; returns the exit code and what it wrote.
fn run(repo: &Repo, crash: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_agentlua"))
        .arg("run")
        .arg(repo.beside("main.lua"))
        .current_dir(repo.path())
        .env_clear()
        .envs(repo.environment())
        .env("AGENTLUA_WORKTREE_ROOT", repo.beside("worktrees"))
        .envs(crash.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
}

/// Lists what a merge leaves beside the user's files, of which nothing may be there when it is over.
fn leftovers(repo: &Repo) -> Vec<PathBuf> {
    let common = repo.path().join(".git");
    let in_folder = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let mut found = in_folder(&common.join("agentlua/index"));
    found.extend(in_folder(&repo.beside("worktrees")));
    found.extend(in_folder(&common.join("agentlua/tmp")));
    for git_dir in [common.clone(), common.join("worktrees/second")] {
        found.extend([git_dir.join("index.lock")].into_iter().filter(|lock| lock.exists()));
    }
    found
}

#[test]
fn kill_9_at_every_step_is_recovered_from() {
    let (repo, _) = forked();
    let log = repo.beside("points");
    let (code, said) = run(&repo, &[("AGENTLUA_CRASH_LOG", log.to_str().unwrap())]);
    assert_eq!(code, Some(0), "{said}");
    let points = std::fs::read_to_string(log).unwrap();
    let names: Vec<&str> = points.lines().collect();
    for name in ["trial.registered", "merge.intended", "merge.moved", "merge.files", "merge.index"]
    {
        assert!(names.contains(&name), "{name} is among {names:?}");
    }
    // Three at a time: each is its own repository.
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(name) = names.get(at) else { return };
                    crashes_at(at + 1, name);
                }
            });
        }
    });
}

fn crashes_at(number: usize, name: &str) {
    let (repo, second) = forked();
    let old = repo.git(&["rev-parse", "main"]);
    let (code, said) = run(&repo, &[("AGENTLUA_CRASH_AT", &number.to_string())]);
    assert_eq!(code, None, "killed at {name}: {said}");
    let between = repo.git(&["rev-parse", "main"]);
    let moved = between != old;
    let (code, said) = run(&repo, &[]);
    assert_eq!(code, Some(0), "after {name}: {said}");
    let status = if moved { "up_to_date" } else { "merged" };
    assert!(said.lines().any(|line| line == status), "after {name}: {said}");
    let new = repo.git(&["rev-parse", "main"]);
    assert!(!moved || new == between, "{name}: it landed once");
    for folder in [repo.path(), &*second] {
        assert_eq!(repo.git_in(folder, &["status", "--porcelain"]), EDITS, "{name}");
        assert_eq!(std::fs::read(folder.join("crlf")).unwrap(), b"a\r\nb\r\n", "{name}");
        assert!(folder.join("turns/inner").is_file() && folder.join("link").is_symlink(), "{name}");
        assert!(!folder.join("gone").exists(), "{name}");
        // Clean to the bit: the index knows the files.
        assert_eq!(repo.git_in(folder, &["diff-files", "--name-only"]), "kept\nmeant", "{name}");
    }
    assert_eq!(leftovers(&repo), Vec::<PathBuf>::new(), "after {name}");
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 2, "after {name}");
    // A second recovery changes nothing.
    let before = repo.fingerprint(&[]);
    assert_eq!(run(&repo, &[]).0, Some(0));
    repo.assert_untouched(&before, &[]);
    repo.fsck();
}

#[test]
fn a_recovery_that_is_killed_is_recovered_from() {
    let (repo, second) = forked();
    assert_eq!(run(&repo, &[("AGENTLUA_CRASH_AT", "merge.moved")]).0, None);
    let moved = repo.git(&["rev-parse", "main"]);
    // Each gets one step further than the one before.
    for point in [
        "mend.back",
        "mend.files",
        "merge.index",
        "merge.index",
        "merge.unlocked",
        "merge.recovered",
    ] {
        let (code, said) = run(&repo, &[("AGENTLUA_CRASH_AT", point)]);
        assert_eq!(code, None, "killed at {point}: {said}");
    }
    let (code, said) = run(&repo, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(repo.git(&["rev-parse", "main"]), moved);
    for folder in [repo.path(), &*second] {
        assert_eq!(repo.git_in(folder, &["status", "--porcelain"]), EDITS);
    }
    assert_eq!(leftovers(&repo), Vec::<PathBuf>::new());
}

#[test]
fn what_is_edited_after_a_crash_stays_and_is_named() {
    for (text, stays) in [("mine\n", true), ("le", false)] {
        let (repo, _) = forked();
        assert_eq!(run(&repo, &[("AGENTLUA_CRASH_AT", "merge.moved")]).0, None);
        // An edit of the user's, or a write of git's that was cut off by a power cut.
        repo.write("shared", text);
        let (code, said) = run(&repo, &[]);
        assert_eq!(code, Some(0), "{said}");
        let there = std::fs::read_to_string(repo.path().join("shared")).unwrap();
        let status = repo.git(&["status", "--porcelain"]);
        if stays {
            assert_eq!(there, "mine\n");
            assert!(said.contains("cut off: `shared` left as they are"), "{said}");
            assert_eq!(status, EDITS.replace("A  staged", " M shared\nA  staged"));
        } else {
            assert_eq!(there, "left\n2\n3\n");
            assert_eq!(status, EDITS);
        }
        assert_eq!(leftovers(&repo), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_merge_that_is_killed_while_it_is_undone_is_undone() {
    for point in ["merge.moved", "merge.undone"] {
        let (repo, second) = forked();
        // The checkout of `z` fails after everything before it was written.
        repo.git(&["worktree", "add", "-q", repo.beside("third").to_str().unwrap(), "left"]);
        let third = repo.beside("third");
        std::fs::write(third.join(".gitattributes"), "z filter=broken\n").unwrap();
        std::fs::write(third.join("z"), "z\n").unwrap();
        repo.git_in(&third, &["add", "--all"]);
        repo.git_in(&third, &["commit", "-qm", "filtered"]);
        repo.git(&["worktree", "remove", "--force", third.to_str().unwrap()]);
        repo.git(&["config", "filter.broken.clean", "cat"]);
        repo.git(&["config", "filter.broken.smudge", "false"]);
        repo.git(&["config", "filter.broken.required", "true"]);
        repo.write("../main.lua", "git.merge { branch = 'left', into = 'main' }");
        let old = repo.git(&["rev-parse", "main"]);
        assert_eq!(run(&repo, &[("AGENTLUA_CRASH_AT", point)]).0, None);
        if point == "merge.moved" {
            // Nobody can finish it while the filter is broken, and nothing is lost by trying.
            assert_eq!(run(&repo, &[]).0, Some(1));
            repo.git(&["config", "filter.broken.smudge", "cat"]);
            let (code, said) = run(&repo, &[]);
            assert_eq!(code, Some(0), "{said}");
            assert_eq!(repo.git(&["status", "--porcelain"]), EDITS);
            assert!(second.join("z").exists());
        } else {
            let (code, said) = run(&repo, &[]);
            assert_eq!(code, Some(1), "{said}");
            assert_eq!(repo.git(&["rev-parse", "main"]), old, "it is undone, and undone again");
            assert_eq!(repo.git_in(&second, &["status", "--porcelain"]), EDITS);
            assert!(!repo.path().join("crlf").exists());
        }
        assert_eq!(leftovers(&repo), Vec::<PathBuf>::new(), "{point}");
    }
}
