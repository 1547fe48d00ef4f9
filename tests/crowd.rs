//! Thirty-two agents in three processes on one repository, twenty rounds, while its user fetches: no
//! failure, and nothing left behind.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[path = "support/repo.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod repo;

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use repo::Repo;

const ROUNDS: usize = 20;

/// How many agents each process has.
const AGENTS: [usize; 3] = [11, 11, 10];

/// By turns, an agent commits by itself, leaves a file, stashes one and writes another, or does
/// nothing. Then every branch that is left is looked at and removed.
const SCRIPT: &str = r#"
local commands = {
  "echo x > mine; git add -A; git commit -qm mine; git fetch -q origin",
  "echo x > mine",
  "echo y > other; git stash -u -q; echo x > mine; git branch -D main; git gc -q",
  "git status --short; git worktree prune",
}
local queries = {}
for index = 1, tonumber(arg[2]) do
  local command = commands[index % #commands + 1]
  queries[index] = {
    prompt = "work", branch = "work/" .. arg[1] .. index,
    model = agent.model {
      reply = function(request)
        if request.turn > 1 then return "done" end
        return { tools = { { name = "Bash", input = { command = command } } } }
      end,
    },
  }
end
for index, outcome in ipairs(agent.all(queries)) do
  local idle = index % #commands + 1 == 4
  local changed = table.concat(outcome.files_changed, " ")
  assert(changed == (idle and "" or "mine"), outcome.branch .. ": " .. changed)
  assert(idle or #git.diff(outcome).files == 1, outcome.branch)
  if not idle then
    agent.remove(outcome, { force = true })
  end
end
"#;

#[test]
fn three_processes_share_a_repository() {
    let repo = Repo::new();
    for at in 0..50 {
        repo.write(&format!("many/{at}"), format!("{at}\n"));
    }
    repo.commit("many");
    let remote = repo.beside("remote.git").display().to_string();
    repo.git(&["clone", "--quiet", "--bare", ".", &remote]);
    repo.git(&["remote", "add", "origin", &remote]);
    std::fs::write(repo.beside("fleet.lua"), SCRIPT).unwrap();
    repo.write("README.md", "dirty\n");
    let ours = ["refs/agentlua/", "refs/remotes/origin/"];
    let before = repo.fingerprint(&ours);
    let over = AtomicBool::new(false);
    let fetches = std::thread::scope(|scope| {
        let user = scope.spawn(|| fetch_until(&repo, &over));
        let ends = Ends(&over);
        for round in 0..ROUNDS {
            work(&repo, round);
        }
        drop(ends);
        user.join().unwrap()
    });
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    let left: Vec<_> = std::fs::read_dir(repo.beside("worktrees")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    repo.assert_untouched(&before, &ours);
    repo.fsck();
    println!("{} agents, {fetches} fetches", ROUNDS * AGENTS.iter().sum::<usize>());
}

/// Ends the user's fetches, also when a round fails.
struct Ends<'o>(&'o AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One round: three processes side by side.
fn work(repo: &Repo, round: usize) {
    let start = |(at, count): (usize, &usize)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentlua"));
        command.args(["run", "--quiet"]).arg(repo.beside("fleet.lua"));
        command.args([format!("r{round}p{at}-"), count.to_string()]);
        command.current_dir(repo.path()).env_clear().envs(repo.environment());
        command.env("AGENTLUA_WORKTREE_ROOT", repo.beside("worktrees"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let running: Vec<_> = AGENTS.iter().enumerate().map(start).collect();
    for process in running {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "round {round}: {said}");
        // A stash is no part of an agent's work: that is said, and where it is.
        let mut lines = said.lines().filter(|line| !line.contains("not part of its work"));
        assert!(!lines.any(|line| line.contains("warning")), "round {round}: {said}");
    }
}

/// Fetches over and over, something new each time, as an editor in the background does.
fn fetch_until(repo: &Repo, over: &AtomicBool) -> usize {
    let remote = repo.beside("remote.git");
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        let name = format!("refs/heads/new/{count}");
        repo.git_in(&remote, &["update-ref", &name, "main"]);
        let (ok, said) = repo.try_git_in(repo.path(), &["fetch", "--quiet", "origin"]);
        // Git lists the records of worktrees, then looks at each: one may be gone by then, however it
        // went. That is git's own, and the user fetches again.
        assert!(ok || said.contains("Invalid path '"), "{said}");
        count += 1;
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    count
}
