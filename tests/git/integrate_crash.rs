//! Integrations that are cut off by kill -9 while an agent works on a conflict, and what the next start
//! makes of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::repo::Repo;

/// Integrates `left` and `right`, which conflict, into `main`.
const SCRIPT: &str = r#"
if sh("git rev-parse -q --verify refs/heads/together").ok then
  sh.check("git branch -qD together")
end
local done = agent.integrate {
  branches = { "left", "right" },
  branch = "together",
  into = "main",
  verify = "grep -q left shared && grep -q right shared",
  model = agent.model {
    reply = function(request)
      if #(request.results or {}) > 0 then
        return "done"
      end
      local command = "sed -i '/^<<<<<<< /d;/^=======$/d;/^>>>>>>> /d' shared; git commit -qam mine"
      return { tools = { { name = "Bash", input = { command = command } } } }
    end,
  },
}
print(done.subtype)
"#;

fn forked() -> Repo {
    let repo = Repo::new();
    repo.write("shared", "1\n2\n3\n");
    repo.commit("base");
    for side in ["left", "right"] {
        repo.git(&["checkout", "-q", "-b", side, "main"]);
        repo.write("shared", format!("{side}\n2\n3\n"));
        repo.commit(side);
    }
    repo.git(&["checkout", "-q", "main"]);
    repo.write("../main.lua", SCRIPT);
    repo
}

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

/// Lists what an integration leaves beside its refs, of which nothing may be there when it is over.
fn leftovers(repo: &Repo) -> Vec<PathBuf> {
    let state = repo.path().join(".git/agentlua");
    let mut found = Vec::new();
    for folder in
        [state.join("index"), state.join("entered"), state.join("tmp"), repo.beside("worktrees")]
    {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path()));
    }
    found
}

#[test]
fn kill_9_while_an_agent_resolves_a_conflict_leaves_nothing() {
    let repo = forked();
    let log = repo.beside("points");
    let (code, said) = run(&repo, &[("AGENTLUA_CRASH_LOG", log.to_str().unwrap())]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(leftovers(&repo), Vec::<PathBuf>::new(), "{said}");
    let points = std::fs::read_to_string(log).unwrap();
    let landing = 1 + points.lines().position(|name| name == "merge.moved").unwrap();
    let mut seen = BTreeSet::new();
    // Each step once; the landing has a test of its own, and so has what a resumed run knows of it.
    let elsewhere = |name: &str| name.starts_with("merge.") || name.starts_with("step.");
    let points: Vec<(usize, &str)> = points
        .lines()
        .enumerate()
        .map(|(at, name)| (at + 1, name))
        .filter(|(_, name)| !elsewhere(name) && seen.insert(*name))
        .collect();
    for name in ["trial.files", "reopen.locked", "enter.swapped", "tool.ran", "leave.pointer"] {
        assert!(points.iter().any(|(_, point)| *point == name), "{name} is among {points:?}");
    }
    let next = Mutex::new(points.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some((at, name)) = next.lock().unwrap().next() else { return };
                    crashes_at(at, name, at >= landing);
                }
            });
        }
    });
}

fn crashes_at(number: usize, name: &str, landed: bool) {
    let repo = forked();
    let old = repo.git(&["rev-parse", "main"]);
    let (code, said) = run(&repo, &[("AGENTLUA_CRASH_AT", &number.to_string())]);
    assert_eq!(code, None, "killed at {name}: {said}");
    assert_eq!(repo.git(&["rev-parse", "main"]) != old, landed, "{name}: landed or not");
    let (code, said) = run(&repo, &[]);
    assert_eq!(code, Some(0), "after {name}: {said}");
    assert!(said.lines().any(|line| line == "success"), "after {name}: {said}");
    assert_eq!(leftovers(&repo), Vec::<PathBuf>::new(), "after {name}: {said}");
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1, "after {name}");
    let branches = repo.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    assert_eq!(branches, "left\nmain\nright\ntogether", "after {name}");
    assert!(!said.contains("left as it is"), "after {name}: {said}");
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "{name}");
    repo.fsck();
}
