//! A repository with a user, a remote and whoever works in it, lived through step by step.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use crate::invariants::{self, Tokens};
use crate::plan::{Act, Deed, Plan, Step};
use crate::repo::Repo;

/// Runs the agents of `specs.json`, each with a model that says its commands one after the other.
const FLEET: &str = r#"
local queries = {}
for index, spec in ipairs(json.decode(fs.read(arg[1]))) do
  queries[index] = {
    prompt = "work", label = spec.branch, branch = spec.branch, max_turns = 50,
    if_exists = spec.if_exists,
    model = agent.model {
      reply = function(request)
        local command = spec.commands[request.turn]
        return command and { tools = { { name = "Bash", input = { command = command } } } } or "done"
      end,
    },
  }
end
agent.all_settled(queries)
"#;

const MERGE: &str = r#"
local merged, e = git.try_merge { branch = arg[1], into = "main", strategy = arg[2] }
print(merged and merged.status or "not: " .. e.message)
"#;

/// Steps, crashes and tokens of all cases, for the numbers at the end.
pub static TALLY: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];

pub struct World {
    pub repo: Repo,
    pub remote: PathBuf,
    /// The branches that agents were given, by number.
    branches: Vec<String>,
    /// What must be found somewhere: what a command wrote, and said that it had.
    pub required: BTreeSet<String>,
    next: usize,
}

impl World {
    fn new() -> Self {
        let repo = Repo::new();
        let remote = repo.beside("remote.git");
        let shown = remote.display().to_string();
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main", &shown]);
        repo.git(&["remote", "add", "origin", &shown]);
        repo.git(&["push", "--quiet", "origin", "main"]);
        for (name, text) in [("fleet.lua", FLEET), ("merge.lua", MERGE), ("nothing.lua", NOTHING)] {
            std::fs::write(repo.beside(name), text).unwrap();
        }
        Self { repo, remote, branches: Vec::new(), required: BTreeSet::new(), next: 0 }
    }

    /// Returns what commands said that they had written.
    pub fn log(&self) -> PathBuf {
        self.repo.beside("written")
    }

    /// Runs the binary; returns whether it was killed, and what it printed.
    fn agentlua(&self, args: &[&str], crash: Option<u32>) -> (bool, String) {
        use std::os::unix::process::ExitStatusExt;
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentlua"));
        command.args(args).current_dir(self.repo.path()).env_clear();
        command.envs(self.repo.environment());
        command.env("AGENTLUA_WORKTREE_ROOT", self.repo.beside("worktrees"));
        if let Some(point) = crash {
            command.env("AGENTLUA_CRASH_AT", point.to_string());
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let killed = output.status.signal() == Some(9);
        assert!(killed || !text.contains("panicked"), "{args:?}: {text}");
        assert_ne!(output.status.code(), Some(70), "{args:?}: {text}");
        TALLY[1].fetch_add(usize::from(killed), Ordering::Relaxed);
        (killed, text)
    }

    fn beside(&self, name: &str) -> String {
        self.repo.beside(name).display().to_string()
    }

    /// Starts once more with nothing to do, so that what was cut off is recovered.
    fn restart(&self) {
        let (_, text) = self.agentlua(&["run", &self.beside("nothing.lua")], None);
        assert!(!text.contains("error"), "{text}");
    }

    /// Writes down what agents of one run are to do; returns the file.
    fn specs(&mut self, name: &str, agents: &[Vec<Act>]) -> String {
        let mut specs = Vec::new();
        for acts in agents {
            let branch = format!("work/{}", self.branches.len());
            let commands: Vec<_> = acts.iter().map(|act| self.command(*act, &branch)).collect();
            specs.push(serde_json::json!({ "branch": branch, "commands": commands }));
            self.branches.push(branch);
        }
        let file = self.beside(name);
        std::fs::write(&file, serde_json::Value::from(specs).to_string()).unwrap();
        file
    }

    fn run(&mut self, agents: &[Vec<Act>], crash: Option<u32>) {
        let file = self.specs("specs.json", agents);
        let (killed, _) = self.agentlua(&["run", &self.beside("fleet.lua"), &file], crash);
        self.after(killed);
    }

    fn run_beside(&mut self, agents: &[Vec<Act>], others: &[Vec<Act>], crash: Option<u32>) {
        let files = [self.specs("specs.json", agents), self.specs("others.json", others)];
        let script = self.beside("fleet.lua");
        let killed = std::thread::scope(|scope| {
            let other = scope.spawn(|| self.agentlua(&["run", &script, &files[1]], None));
            let (killed, _) = self.agentlua(&["run", &script, &files[0]], crash);
            other.join().unwrap();
            killed
        });
        self.after(killed);
    }

    fn go_on(&mut self, branch: &str, acts: &[Act], crash: Option<u32>) {
        let commands: Vec<_> = acts.iter().map(|act| self.command(*act, branch)).collect();
        let spec = serde_json::json!({
            "branch": branch, "commands": commands, "if_exists": "continue",
        });
        let file = self.beside("specs.json");
        std::fs::write(&file, serde_json::Value::from(vec![spec]).to_string()).unwrap();
        let (killed, _) = self.agentlua(&["run", &self.beside("fleet.lua"), &file], crash);
        self.after(killed);
    }

    /// Recovers if need be, and notes what was written.
    fn after(&mut self, killed: bool) {
        if killed {
            self.restart();
        }
        let written = std::fs::read_to_string(self.log()).unwrap_or_default();
        self.required.extend(written.lines().map(str::to_owned));
        std::fs::remove_file(self.log()).ok();
    }

    fn command(&mut self, act: Act, branch: &str) -> String {
        let log = self.beside("written");
        let mut token = || {
            self.next += 1;
            format!("token-{:04}", self.next)
        };
        match act {
            Act::Write(path) => {
                let token = token();
                let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
                format!("mkdir -p {folder} && echo {token} >> {path} && echo {token} >> {log}")
            }
            Act::Stash => "git stash -u".into(),
            Act::Commit => "git add -A; git commit -qm 'by the agent'".into(),
            Act::CheckoutMain => "git checkout -q main".into(),
            Act::DeleteBranches => {
                format!("git checkout -q --detach; git branch -D main {branch}; git tag own")
            }
            Act::Configure => {
                "git config core.hooksPath .x; git config user.name Eve; git config --global x.y z; \
                 git config filter.f.clean 'touch ../canary; cat'; echo '* filter=f' > .gitattributes"
                    .into()
            }
            Act::Gc => "git reflog expire --expire=now --all; git gc -q --prune=now".into(),
            Act::RemoveWorktree => {
                "git worktree remove --force .; git worktree prune --expire=now".into()
            }
            Act::ResetHard => "git reset -q --hard".into(),
            Act::Clean => "git clean -fdxq".into(),
            Act::Push => format!("git push -q --force origin HEAD:main {branch}"),
            Act::MergeMain => "git merge -q main".into(),
            Act::NestRepository => {
                let token = token();
                format!("git init -q nested; echo {token} >> nested/f && echo {token} >> {log}")
            }
        }
    }

    fn merge(&mut self, branch: &str, strategy: &str, crash: Option<u32>) {
        let repo = &self.repo;
        if !repo.try_git_in(repo.path(), &["rev-parse", "--verify", "--quiet", branch]).0 {
            return;
        }
        let dirt = invariants::dirt(repo);
        let tip = repo.git(&["rev-parse", branch]);
        let script = self.beside("merge.lua");
        let (killed, text) = self.agentlua(&["run", &script, branch, strategy], crash);
        if killed {
            self.restart();
        }
        assert_eq!(invariants::dirt(repo), dirt, "merge of {branch}: {text}");
        if strategy == "merge" && ["merged", "fast_forward"].iter().any(|s| text.starts_with(s)) {
            repo.git(&["merge-base", "--is-ancestor", &tip, "main"]);
        }
    }

    fn agents(&self) -> Vec<serde_json::Value> {
        let (_, text) = self.agentlua(&["agents", "--all", "--json"], None);
        serde_json::from_str(text.trim()).unwrap()
    }

    fn remove(&mut self, branch: &str, force: bool, crash: Option<u32>) {
        let agents = self.agents();
        let Some(agent) = agents.iter().find(|agent| agent["branch"] == *branch) else { return };
        let mut args = vec!["rm", agent["id"].as_str().unwrap()];
        args.extend(force.then_some("--force"));
        self.tidying(&args, crash);
    }

    /// Runs what may remove branches: what an agent itself had thrown away, and only the snapshots of
    /// its turns still held, may go with them.
    fn tidying(&mut self, args: &[&str], crash: Option<u32>) {
        let strong = Tokens::found(self, false);
        let (killed, _) = self.agentlua(args, crash);
        if killed {
            self.restart();
        }
        let now = Tokens::found(self, true);
        self.required.retain(|token| strong.has(token) || now.has(token));
    }

    fn user(&mut self, deed: Deed) {
        let repo = &self.repo;
        let git = |args: &[&str]| repo.try_git_in(repo.path(), args);
        match deed {
            Deed::Edit(path) => {
                self.next += 1;
                repo.write(path, format!("the user's {}\n", self.next));
            }
            Deed::Stage => drop(git(&["add", "--all"])),
            Deed::Commit => drop(git(&["commit", "--quiet", "--all", "--message=user"])),
            Deed::SwitchBranch => {
                if !git(&["checkout", "--quiet", "main"]).0 {
                    git(&["checkout", "--quiet", "-b", &format!("user/{}", self.next)]);
                }
            }
            Deed::Stash => drop(git(&["stash", "--include-untracked"])),
            Deed::GcNow => drop(repo.git(&["gc", "--quiet", "--prune=now"])),
            Deed::PruneWorktrees => drop(repo.git(&["worktree", "prune", "--expire=now"])),
            Deed::Fetch => drop(repo.git(&["fetch", "--quiet", "origin"])),
            Deed::RemoveFolder(at) | Deed::RemoveWorktree(at) | Deed::DeleteBranch(at) => {
                if let Some(branch) = self.branches.get(at % self.branches.len().max(1)) {
                    self.throw_away(deed, &branch.clone());
                }
            }
        }
    }

    /// What the user throws away need not be found any more.
    fn throw_away(&mut self, deed: Deed, branch: &str) {
        let repo = &self.repo;
        let listed = repo.git(&["worktree", "list", "--porcelain"]);
        let holds = format!("branch refs/heads/{branch}");
        let entry = listed.split("\n\n").find(|entry| entry.lines().any(|line| line == holds));
        let folder = entry.and_then(|entry| entry.lines().next()?.strip_prefix("worktree "));
        match (deed, folder) {
            (Deed::RemoveFolder(_), Some(folder)) => drop(std::fs::remove_dir_all(folder)),
            (Deed::RemoveWorktree(_), Some(folder)) => {
                repo.try_git_in(repo.path(), &["worktree", "remove", "--force", folder]);
            }
            _ => drop(repo.try_git_in(repo.path(), &["branch", "-D", branch])),
        }
        let found = Tokens::found(self, true);
        self.required.retain(|token| found.has(token));
    }
}

const NOTHING: &str = r#"
git.worktree({ branch = "probe/x" }):remove()
assert(sh("git branch -D probe/x").ok, "the probe is gone")
"#;

impl StateMachineTest for World {
    type SystemUnderTest = Self;
    type Reference = Plan;

    fn init_test(_: &<Plan as ReferenceStateMachine>::State) -> Self {
        Self::new()
    }

    fn apply(mut world: Self, _: &Plan, step: Step) -> Self {
        let mine = invariants::theirs(&world);
        match &step {
            Step::Run { agents, crash } => world.run(agents, *crash),
            Step::Beside { agents, others, crash } => world.run_beside(agents, others, *crash),
            Step::GoOn { branch, acts, crash } => {
                let branch = world.branches[*branch].clone();
                world.go_on(&branch, acts, *crash);
            }
            Step::Merge { branch, strategy, crash } => {
                let branch = world.branches[*branch].clone();
                world.merge(&branch, strategy, *crash);
            }
            Step::Remove { branch, force, crash } => {
                let branch = world.branches[*branch].clone();
                world.remove(&branch, *force, *crash);
            }
            Step::Gc { crash } => world.tidying(&["gc"], *crash),
            Step::Restart => world.restart(),
            Step::User(deed) => world.user(*deed),
        }
        if !matches!(step, Step::User(_) | Step::Merge { .. }) {
            invariants::assert_same(&mine, &invariants::theirs(&world), &step);
        }
        TALLY[0].fetch_add(1, Ordering::Relaxed);
        TALLY[2].fetch_max(world.next, Ordering::Relaxed);
        world
    }

    fn check_invariants(world: &Self, _: &Plan) {
        invariants::check(world);
    }

    fn teardown(world: Self, _: Plan) {
        let refs = |world: &World| world.repo.git(&["for-each-ref"]);
        world.restart();
        let before = refs(&world);
        world.restart();
        assert_eq!(refs(&world), before, "recovering twice changes nothing");
        let count = |at: usize| TALLY[at].load(Ordering::Relaxed);
        println!("{} steps, {} of them killed", count(0), count(1));
    }
}
