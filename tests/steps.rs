//! Steps of a script in a run that is killed and resumed: what has happened does not happen again, and the
//! script is told the same.

#[path = "support/home.rs"]
mod home;

use std::path::Path;

use home::{Home, Ran};

/// What every script begins with: a run is written down from its first agent on.
const START: &str = r#"
local idle = agent.model { reply = function() return "done" end }
agent.query { prompt = "start", model = idle }
local function git_of(command)
  return (sh.check("git " .. command).stdout:gsub("\n$", ""))
end
"#;

/// A repository with branches to merge, each with a file of its own; and a run in it.
struct Lives {
    home: Home,
    script: String,
}

impl Lives {
    fn new(script: &str) -> Self {
        let home = Home::new();
        home.write("shared.txt", "one\n");
        home.repository();
        let lives = Self { home, script: format!("{START}{script}") };
        for branch in ["a", "b", "c"] {
            lives.git(&["checkout", "--quiet", "-b", branch, "main"]);
            lives.home.write(&format!("{branch}.txt"), branch);
            lives.git(&["add", "--all"]);
            lives.git(&["commit", "--quiet", "--message", branch]);
        }
        lives.git(&["checkout", "--quiet", "main"]);
        lives.home.write("own.txt", "own");
        lives.git(&["add", "--all"]);
        lives.git(&["commit", "--quiet", "--message=own"]);
        std::fs::write(lives.home.beside("main.lua"), &lives.script).expect("the script");
        lives
    }

    fn git(&self, args: &[&str]) -> String {
        let ran = Ran::of(self.home.command_of(Path::new("git")).args(args));
        assert_eq!(ran.code, 0, "git {args:?}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// Runs the script, a new run or the one there is, up to a point if one is named.
    fn life(&self, resumed: bool, crash: Option<&str>) -> Ran {
        let ran = self.any_life(resumed, crash);
        let expected = if crash.is_some() { 128 + 9 } else { 0 };
        assert_eq!(ran.code, expected, "at {crash:?}: {}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Does so however it ends.
    fn any_life(&self, resumed: bool, crash: Option<&str>) -> Ran {
        let script = self.home.beside("main.lua");
        let script = script.to_str().expect("a plain path");
        let resume = format!("--resume={}", if resumed { self.run() } else { String::new() });
        let mut args = vec!["run", script];
        if resumed {
            args.insert(1, &resume);
        }
        let mut command = self.home.command(&args);
        if let Some(point) = crash {
            command.env("AGENTLUA_CRASH_AT", point);
        }
        Ran::of(&mut command)
    }

    /// Returns the id of the run.
    fn run(&self) -> String {
        let agents = self.home.run(&["agents", "--all", "--json"]);
        let agents: serde_json::Value = serde_json::from_str(&agents.stdout).expect("JSON");
        agents[0]["run"].as_str().expect("a run").to_owned()
    }

    /// Ends a run at a point and resumes it twice; returns what the script printed in the last two lives.
    #[track_caller]
    fn through(&self, point: &str) -> String {
        let _ = self.life(false, Some(point));
        let second = self.life(true, None);
        let third = self.life(true, None);
        assert_eq!(second.stdout, third.stdout, "at {point}: another life says something else");
        assert_eq!(self.git(&["status", "--porcelain"]), "", "at {point}");
        self.git(&["fsck", "--full", "--no-dangling", "--no-progress"]);
        second.stdout
    }

    /// Returns the subjects of the commits that `main` has by its own steps, the newest first.
    fn main(&self) -> Vec<String> {
        let log = self.git(&["log", "--first-parent", "--format=%s", "main"]);
        log.lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_merge_lands_once_wherever_it_is_cut_off() {
    let script = r#"
local one = git.merge { branch = "a", message = "merge a" }
local two = git.merge { branch = "b", strategy = "squash", message = "squash b" }
print(one.status, two.status, one.into, git_of "log -1 --format=%s main")
print(one.commit == git_of "rev-parse main~1", two.commit == git_of "rev-parse main")
print(git.merge("a").status)
"#;
    for point in [
        "step.merge_begun",
        "merge.begun",
        "merge.intended",
        "merge.ready",
        "merge.moved",
        "merge.settled",
        "step.merge_landed",
        "step.merge_kept",
    ] {
        let lives = Lives::new(script);
        let said = lives.through(point);
        assert_eq!(said, "merged\tmerged\tmain\tsquash b\ntrue\ttrue\nup_to_date\n", "at {point}");
        assert_eq!(lives.main(), ["squash b", "merge a", "own", "start"], "at {point}");
    }
}

#[test]
fn a_fast_forward_a_rebase_and_a_train_land_once() {
    let script = r#"
git_of "branch -f line main"
local forward = git.merge { branch = "main", into = "line", strategy = "ff" }
local train = git.merge { branches = { "a", "b" }, verify = "test -f own.txt" }
local rebased = git.merge { branch = "c", strategy = "rebase" }
print(forward.status, train.status, #train.merges, rebased.status)
for _, one in ipairs(train.merges) do
  print(one.branch, one.status)
end
"#;
    for point in ["step.merge_begun", "merge.moved", "step.merge_landed", "step.merge_kept"] {
        let lives = Lives::new(script);
        let said = lives.through(point);
        assert_eq!(said, "up_to_date\tmerged\t2\tmerged\na\tmerged\nb\tmerged\n", "at {point}");
        assert_eq!(
            lives.main(),
            ["c", "Merge branch 'b'", "Merge branch 'a'", "own", "start"],
            "at {point}"
        );
    }
}

#[test]
fn functions_of_a_merge_that_has_landed_are_not_asked_again() {
    let script = r#"
local function verify(name)
  return function(wt)
    fs.append("../verified", name .. "\n")
    -- An agent in here is at the same place in every life.
    agent.query { prompt = name, model = idle }
  end
end
print(git.merge({ branch = "a", verify = verify "a" }).status)
print(git.merge({ branch = "b", verify = verify "b" }).status)
"#;
    let lives = Lives::new(script);
    assert_eq!(lives.through("step.merge_landed"), "merged\nmerged\n");
    let asked = std::fs::read_to_string(lives.home.beside("verified")).expect("the file");
    assert_eq!(asked, "a\nb\n");
    let agents = lives.home.run(&["agents", "--all", "--json"]).stdout;
    assert_eq!(agents.matches("\"label\": \"b\"").count(), 1, "{agents}");
}

#[test]
fn a_branch_with_other_commits_is_merged_again() {
    let script = r#"print(git.merge { branch = "a", message = "merge a" }.status)"#;
    let lives = Lives::new(script);
    let _ = lives.life(false, Some("step.merge_kept"));
    lives.git(&["checkout", "--quiet", "a"]);
    lives.home.write("more.txt", "more");
    lives.git(&["add", "--all"]);
    lives.git(&["commit", "--quiet", "--message=more"]);
    lives.git(&["checkout", "--quiet", "main"]);
    let second = lives.life(true, None);
    assert_eq!(second.stdout, "merged\n");
    assert!(second.stderr.contains("`a` is merged into `main` again"), "{}", second.stderr);
    assert!(lives.home.path("more.txt").exists());
    assert_eq!(lives.main(), ["merge a", "merge a", "own", "start"]);
}

#[test]
fn a_branch_that_the_run_itself_moved_on_is_not_merged_again() {
    let script = r#"
print(git.merge({ branch = "a", message = "merge a" }).status)
print(git.merge({ branch = "main", into = "a" }).status)
print(git.merge({ branch = "a", strategy = "squash" }).status)
"#;
    let lives = Lives::new(script);
    let first = lives.life(false, None).stdout;
    assert_eq!(first, "merged\nfast_forward\nup_to_date\n");
    let main = lives.git(&["rev-parse", "main"]);
    assert_eq!(lives.life(true, None).stdout, first);
    assert_eq!(lives.git(&["rev-parse", "main"]), main);
}

/// A model that runs its prompt, and then says so.
const WORKER: &str = r#"
local worker = agent.model { reply = function(request)
  if request.turn == 1 then
    return { tools = { { name = "Bash", input = { command = request.prompt } } } }
  end
  if request.turn == 2 and os.remove(FLAKY) then
    error "flaky"
  end
  if request.turn > 1 and os.remove(LONG) then
    return { tools = { { name = "Bash", input = { command = request.prompt } } } }
  end
  return "done"
end }
"#;

/// Returns [`WORKER`] with the files beside the repository by which it is told what to do.
fn worker(lives: &Home) -> String {
    let quoted = |name: &str| format!("{:?}", lives.beside(name).to_str().expect("a plain path"));
    WORKER.replace("FLAKY", &quoted("flaky")).replace("LONG", &quoted("long"))
}

#[test]
fn what_is_asked_again_is_merged_again() {
    let mut lives = Lives::new("");
    let script = r#"
agent.query { prompt = "echo one > x.txt", branch = "x", model = worker }
print(git.merge("x").status, sh.check("cat x.txt").stdout)
"#;
    lives.script = format!("{START}{}{script}", worker(&lives.home));
    let write =
        |text: &str| std::fs::write(lives.home.beside("main.lua"), text).expect("the script");
    write(&lives.script);
    let _ = lives.life(false, Some("step.merge_kept"));
    write(&lives.script.replace("echo one", "echo two"));
    let second = lives.life(true, None);
    assert!(second.stdout.ends_with("two\n\n"), "{}{}", second.stdout, second.stderr);
    assert!(second.stderr.contains("`x` is merged into `main` again"), "{}", second.stderr);
    assert_eq!(lives.life(true, None).stdout, second.stdout);
}

#[test]
fn what_an_agent_adds_when_it_goes_on_is_merged() {
    let script = r#"
local one = agent.try_query { prompt = "echo more >> x.txt", branch = "x", model = worker }
print(one and one.ok, git.merge("x").status, #sh.check("cat x.txt").stdout)
"#;
    for point in ["merge.begun", "step.merge_begun", "merge.moved", "step.merge_kept"] {
        let mut lives = Lives::new("");
        lives.script = format!("{START}{}{script}", worker(&lives.home));
        std::fs::write(lives.home.beside("main.lua"), &lives.script).expect("the script");
        std::fs::write(lives.home.beside("flaky"), "").expect("the file");
        assert_eq!(lives.any_life(false, None).stdout, "nil\tfast_forward\t5\n");
        std::fs::write(lives.home.beside("long"), "").expect("the file");
        // It goes on, and what it adds is merged: in the life in which it does so, or in the next one.
        let _ = lives.life(true, Some(point));
        let third = lives.life(true, None);
        assert_eq!(third.stdout, "true\tfast_forward\t10\n", "at {point}: {}", third.stderr);
        assert_eq!(lives.life(true, None).stdout, third.stdout, "at {point}");
    }
}

#[test]
fn steps_of_an_edited_script_are_found_where_they_stand_now() {
    let script = r#"
-- here
fs.write("note.txt", "1")
git.commit { message = "first", paths = { "note.txt" } }
sh("echo sh >> ../ran", { once = true })
print(git.merge({ branch = "a", message = "merge a" }).status)
fs.write("note.txt", "2")
git.commit { message = "second", paths = { "note.txt" } }
"#;
    let added = r#"
fs.write("zero.txt", "0")
git.commit { message = "zero", paths = { "zero.txt" } }
sh("echo added >> ../ran", { once = true })
git.merge { branch = "c", message = "merge c" }
"#;
    for point in [None, Some("commit.unkept"), Some("step.sh_ran"), Some("step.merge_kept")] {
        let lives = Lives::new(script);
        assert_eq!(lives.life(false, None).stdout, "merged\n");
        let edited = lives.script.replace("-- here", added);
        std::fs::write(lives.home.beside("main.lua"), edited).expect("the script");
        if point.is_some() {
            let _ = lives.life(true, point);
        }
        let last = lives.life(true, None);
        assert_eq!(last.stdout, "merged\n", "at {point:?}: {}", last.stderr);
        let expected = ["merge c", "zero", "second", "merge a", "first", "own", "start"];
        assert_eq!(lives.main(), expected, "at {point:?}");
        let ran = std::fs::read_to_string(lives.home.beside("ran")).expect("the file");
        assert_eq!(ran.matches("sh").count(), 1, "at {point:?}: {ran}");
        let _ = lives.life(true, None);
        assert_eq!(lives.main(), expected, "at {point:?}, in one more life");
    }
}

#[test]
fn a_merge_that_the_user_took_back_is_made_again_and_a_branch_that_has_gone_is_not_missed() {
    let lives = Lives::new(r#"print(git.merge { branch = "a", message = "merge a" }.status)"#);
    let _ = lives.life(false, Some("step.merge_kept"));
    lives.git(&["branch", "--quiet", "-D", "a"]);
    assert_eq!(lives.life(true, None).stdout, "merged\n");
    lives.git(&["branch", "--quiet", "a", "main^2"]);
    lives.git(&["reset", "--quiet", "--hard", "main^"]);
    let again = lives.life(true, None);
    assert_eq!(again.stdout, "merged\n");
    assert!(again.stderr.contains("does not have the merge"), "{}", again.stderr);
    assert_eq!(lives.main(), ["merge a", "own", "start"]);
}

#[test]
fn a_train_of_which_a_branch_fails_keeps_what_has_landed() {
    let script = r#"
local _, e = git.try_merge { branches = { "a", "b" }, verify = "test ! -f b.txt" }
print(e.kind, e.merge.status, e.merge.merges[1].status, e.merge.merges[2].status)
print(e.merge.commit == git_of "rev-parse main")
"#;
    for point in ["merge.moved", "step.merge_landed", "step.merge_kept"] {
        let lives = Lives::new(script);
        let said = lives.through(point);
        assert_eq!(said, "verify\tpartial\tmerged\tverify_failed\ntrue\n", "at {point}");
        assert_eq!(lives.main(), ["Merge branch 'a'", "own", "start"], "at {point}");
    }
}

#[test]
fn a_commit_is_made_once_wherever_it_is_cut_off() {
    let script = r#"
fs.write("note.txt", "note")
local one = git.commit { message = "note\n\nof  two lines", paths = { "note.txt" } }
print(one.branch, #one.files, one.files[1], one.commit == git_of "rev-list -1 main -- note.txt")
local merged = git.merge { branch = "a", message = "merge a" }
local two = git.commit { message = "merge a, amended", amend = true }
print(merged.status, two.commit == git_of "rev-parse main")
"#;
    for point in
        ["commit.begun", "commit.staged", "commit.made", "commit.unkept", "step.merge_landed"]
    {
        let lives = Lives::new(script);
        let said = lives.through(point);
        assert_eq!(said, "main\t1\tnote.txt\ttrue\nmerged\ttrue\n", "at {point}");
        assert_eq!(lives.main(), ["merge a, amended", "note", "own", "start"], "at {point}");
    }
}

#[test]
fn an_amended_commit_is_amended_once() {
    let script = r#"
local one = git.commit { message = "amended", amend = true }
print(one.commit == git_of "rev-parse main")
"#;
    for point in ["commit.begun", "commit.made", "commit.unkept"] {
        let lives = Lives::new(script);
        assert_eq!(lives.through(point), "true\n", "at {point}");
        assert_eq!(lives.main(), ["amended", "start"], "at {point}");
        let reflog = lives.git(&["reflog", "--format=%gs", "main"]);
        assert_eq!(reflog.matches("(amend)").count(), 1, "at {point}: {reflog}");
    }
}

#[test]
fn what_is_kept_is_the_same_in_every_life() {
    let script = r#"
local now, unit, die = agent.now(), agent.random(), agent.random(1000000)
local value = agent.once("value", function()
  fs.append("../ran", "once\n")
  return { at = agent.now(), list = { 1, 2.5 }, text = "ä" }
end)
local result = sh("echo sh >> ../ran; date +%s%N", { once = true })
local named = sh.check("echo named >> ../ran; date +%s%N", { once = "stamp" }).stdout
local all = agent.all { agent.random, agent.random }
print(("%.17g %.17g %d %.17g %.17g %.17g"):format(now, unit, die, value.at, all[1], all[2]))
print(value.list[2], value.text, result.ok, result.stdout, named)
fs.write("../said", result.stdout)
"#;
    let lives =
        Lives::new(&format!("{script}\nif fs.exists('../stop') then return end\ngit.merge 'a'"));
    let _ = lives.life(false, Some("merge.begun"));
    let stamp = std::fs::read_to_string(lives.home.beside("said")).expect("the first life said it");
    let second = lives.life(true, Some("merge.moved"));
    assert!(second.stdout.contains(&stamp), "{}", second.stdout);
    assert_eq!(lives.life(true, None).stdout, second.stdout);
    let ran = std::fs::read_to_string(lives.home.beside("ran")).expect("the file");
    assert_eq!(ran, "once\nsh\nnamed\n");
}

#[test]
fn agents_beneath_what_ran_once_are_there_in_every_life() {
    let script = r#"
agent.config { prices = { priced = { input = 0, output = 10 } } }
local priced = agent.model { name = "priced", reply = function()
  return { text = "done", usage = { output_tokens = 100000 } }
end }
local long = agent.once("key", function()
  agent.query { prompt = "inner", model = priced }
  agent.all { function() return agent.query { prompt = "nested", model = priced } end }
  return ("x"):rep(5000)
end)
print(#long, #agent.once("key", print), agent.budget:spent())
"#;
    for point in [None, Some("step.once_kept")] {
        let lives = Lives::new(&format!("{script}git.merge 'a'"));
        let first = lives.life(false, Some(point.unwrap_or("step.merge_kept")));
        for life in [lives.life(true, None), lives.life(true, None)] {
            assert_eq!(life.stdout, "5000\t5000\t2.0\n", "at {point:?}: {}", first.stderr);
            assert!(life.stderr.contains("3 agents: 3 done"), "at {point:?}: {}", life.stderr);
        }
    }
}

#[test]
fn what_was_not_kept_runs_again() {
    let script = r#"
local n = agent.once("n", function()
  fs.append("../ran", "once\n")
  return #fs.read("../ran")
end)
sh("echo sh >> ../ran", { once = true })
print(n)
"#;
    for (point, ran, said) in [
        ("step.once_ran", "once\nonce\nsh\n", "10\n"),
        ("step.once_kept", "once\nsh\n", "5\n"),
        ("step.sh_ran", "once\nsh\nsh\n", "5\n"),
    ] {
        let lives = Lives::new(script);
        assert_eq!(lives.through(point), said, "at {point}");
        let found = std::fs::read_to_string(lives.home.beside("ran")).expect("the file");
        assert_eq!(found, ran, "at {point}");
    }
}

#[test]
fn a_step_that_is_asked_something_else_is_taken_again() {
    let lives = Lives::new("print(sh('echo 1; date +%N', { once = 'x' }).stdout, agent.random(1))");
    let first = lives.life(false, None).stdout;
    assert_eq!(lives.life(true, None).stdout, first);
    let edited = lives.script.replace("echo 1", "echo 2").replace("random(1)", "random(7, 7)");
    std::fs::write(lives.home.beside("main.lua"), edited).expect("the script");
    let second = lives.life(true, None).stdout;
    assert!(second.starts_with("2\n") && second.ends_with("\t7\n"), "{second}");
}

#[test]
fn an_integration_is_made_once_wherever_it_is_cut_off() {
    let script = r#"
local done = agent.integrate {
  branches = { "a", "b" },
  branch = "whole",
  into = "main",
  verify = "echo verified >> ../../../verified; test -f a.txt",
  on_conflict = function() return true end,
}
print(done.ok, done.branch, #done.merges, done.merges[1].status, #done.files_changed)
print(done.head_commit == git_of "rev-parse whole")
"#;
    for point in [
        "step.integrate_begun",
        "step.integrate_made",
        "step.merge_begun",
        "merge.moved",
        "step.merge_landed",
        "step.integrate_kept",
    ] {
        let lives = Lives::new(script);
        let said = lives.through(point);
        assert_eq!(said, "true\twhole\t2\tmerged\t2\ntrue\n", "at {point}");
        let merges = lives.git(&["log", "--merges", "--format=%s", "main"]);
        assert_eq!(merges.lines().count(), 2, "at {point}: {merges}");
    }
}

#[test]
fn an_integration_that_failed_begins_anew_and_nothing_of_it_is_lost() {
    let script = r#"
local done, e = agent.try_integrate {
  branches = { "a", "b" },
  branch = "whole",
  verify = "test -f ../../../good",
  on_conflict = function() return true end,
}
print(done and done.ok or e.kind)
"#;
    let lives = Lives::new(script);
    assert_eq!(lives.life(false, None).stdout, "verify\n");
    let failed = lives.git(&["rev-parse", "whole"]);
    let repository = lives.home.beside("worktrees");
    std::fs::write(repository.parent().expect("a parent").join("good"), "").expect("the file");
    assert_eq!(lives.life(true, None).stdout, "true\n");
    let kept = lives.git(&["for-each-ref", "--format=%(objectname)", "refs/agentlua/removed/"]);
    assert!(kept.contains(&failed), "{kept}");
}

#[test]
fn a_worktree_of_the_script_begins_afresh_and_nothing_of_it_is_lost() {
    let script = r#"
local wt <close> = git.worktree { branch = "w" }
print(fs.exists(wt.path .. "/w.txt"), wt.base_commit == git_of "rev-parse main")
wt:sh "echo w > w.txt"
local commit = wt:commit "w"
wt:sh "echo draft > draft.txt"
if not fs.exists "../stop" then
  git.merge "a"
end
wt:commit "draft"
print(git_of "log --format=%s main..w")
"#;
    for point in ["step.worktree_made", "merge.begun", "step.merge_begun"] {
        let lives = Lives::new(script);
        let _ = lives.life(false, Some(point));
        let before = lives.git(&["rev-parse", "w"]);
        lives.home.write("../stop", "");
        let said = lives.life(true, None).stdout;
        assert_eq!(said, "false\ttrue\ndraft\nw\n", "at {point}");
        if point != "step.worktree_made" {
            let kept =
                lives.git(&["for-each-ref", "--format=%(objectname)", "refs/agentlua/removed/"]);
            assert!(kept.contains(&before), "at {point}: {kept}");
        }
    }
}

#[test]
fn without_an_agent_nothing_is_written() {
    let home = Home::new();
    home.repository();
    let ran = home
        .script("agent.now() agent.once('x', function() return 1 end) sh('true', { once = true })");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!home.path(".git/agentlua").exists());
}
