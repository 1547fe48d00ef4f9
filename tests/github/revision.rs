//! Pull requests wherever a branch or revision is taken.

use serde_json::json;

use crate::home::Ran;
use crate::shapes;
use crate::stage::Stage;

#[test]
fn a_pull_request_is_fetched_when_it_is_needed() {
    let stage = Stage::new();
    let own = stage.open(1, true);
    let head = stage.open(2, false);
    stage.server.hub().pulls[1] =
        shapes::from_fork(shapes::pull(2, "gone", &head, &stage.base), None);
    let before = stage.repo.fingerprint(&["refs/agentlua/"]);
    let printed = stage.print(
        "local pulls = github.pulls()
         for _, pull in ipairs(pulls) do
           local diff = git.diff(pull)
           print(pull.number, diff.files[1].path, diff.additions)
           print(git.show(pull, diff.files[1].path) == 'new\\n', git.log { rev = pull, limit = 1 }[1].id)
         end
         print(git.diff(pulls[1], pulls[2]).files[1].status, #git.conflicts(pulls))
         local kept = agent.once('kept', function() return pulls[1] end)
         print(git.diff(kept).additions, git.diff { to = kept }.additions)",
    );
    assert_eq!(
        printed,
        format!(
            "1\tsrc/part1.txt\t1\ntrue\t{own}\n2\tsrc/part2.txt\t1\ntrue\t{head}\nrenamed\t0\n1\t1\n"
        )
    );
    stage.repo.assert_untouched(&before, &["refs/agentlua/"]);
    let kept = stage.repo.git(&["rev-parse", "refs/agentlua/pulls/octo/hello/2"]);
    assert_eq!(kept, head);
    assert!(
        !stage.repo.path().join(".git/FETCH_HEAD").exists() || {
            let text = std::fs::read_to_string(stage.repo.path().join(".git/FETCH_HEAD")).unwrap();
            !text.contains("pull")
        }
    );
}

#[test]
fn an_agent_starts_from_it() {
    let stage = Stage::new();
    let head = stage.open(1, false);
    let printed = stage.print(
        "local model = agent.model { reply = function(request)
           if request.turn == 1 then
             return { tools = { { name = 'Read', input = { file_path = 'src/part1.txt' } } } }
           end
           return request.results[1].content
         end }
         local pull = github.pull(1)
         local outcome = agent.query { prompt = 'look', model = model, base = pull, read_only = true }
         print(outcome.base_commit, outcome.result:find('new', 1, true) ~= nil)
         local made = agent.query { prompt = 'fix', model = model, base = pull, branch = 'fix/1' }
         print(made.base_commit, made.branch)
         print(select(2, pcall(agent.query, { prompt = 'x', model = model, worktree = pull })))",
    );
    let mut lines = printed.lines();
    assert_eq!(lines.next().unwrap(), format!("{head}\ttrue"));
    assert_eq!(lines.next().unwrap(), format!("{head}\tfix/1"));
    let refused = lines.next().unwrap();
    assert!(
        refused.contains("is the pull request `octo/hello#1`, which has no worktree"),
        "{refused}"
    );
}

#[test]
fn it_is_compared_with_where_it_left_the_branch_it_is_for() {
    let stage = Stage::new();
    let head = stage.open(1, true);
    // `main` goes on, here and there; the pull request has nothing of that.
    stage.repo.write("other.txt", "more\n");
    stage.repo.commit("more");
    stage.repo.git(&["push", "--quiet", "origin", "main"]);
    let main = stage.repo.git(&["rev-parse", "main"]);
    stage.server.hub().pulls[0]["base"]["sha"] = json!(main);
    let there = "print(#git.diff(github.pull(1)).files)";
    assert_eq!(stage.print(there), "1\n");
    // A clone that has never seen that commit of `main`, on a branch of its own.
    stage.repo.git(&["switch", "--quiet", "--create", "mine", &stage.base]);
    stage.repo.git(&["branch", "--delete", "--force", "main"]);
    stage.repo.git(&["update-ref", "-d", "refs/remotes/origin/main"]);
    stage.repo.git(&["update-ref", "-d", "refs/agentlua/pulls/octo/hello/1"]);
    stage.repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    stage.repo.git(&["gc", "--quiet", "--prune=now"]);
    assert!(!stage.repo.try_git_in(stage.repo.path(), &["cat-file", "-e", &head]).0);
    assert_eq!(stage.print(there), "1\n");
}

#[test]
fn it_is_merged_with_the_message_that_github_has() {
    let stage = Stage::new();
    stage.open(7, true);
    stage.open(8, true);
    stage.repo.write("local.txt", "mine\n");
    stage.repo.commit("mine");
    let printed = stage.print(
        "print(git.merge(github.pull(7)).status)
         print(git.merge { branch = github.pull(8), strategy = 'squash' }.status)
         print(git.merge(github.pull(7)).status)",
    );
    assert_eq!(printed, "merged\nmerged\nup_to_date\n");
    assert_eq!(
        stage.repo.git(&["log", "--first-parent", "-2", "--format=%B"]),
        "Change 8 (#8)\n\nMerge pull request #7 from octo/topic-7\n\nChange 7"
    );
    assert_eq!(std::fs::read_to_string(stage.repo.path().join("src/part7.txt")).unwrap(), "new\n");
}

#[test]
fn a_conflict_names_the_pull_requests() {
    let stage = Stage::new();
    for (number, text) in [(1, "one\n"), (2, "two\n")] {
        let head = stage.propose(number, "README.md", text, "edit");
        let pull = shapes::pull(number, "x", &head, &stage.base);
        stage.server.hub().pulls.push(pull);
    }
    let printed = stage.print(
        "local clash = git.conflicts(github.pulls())[1]
         print(clash.a, clash.b, clash.paths[1])
         git.merge(github.pull(1))
         local _, e = git.try_merge(github.pull(2))
         print(e.message)",
    );
    assert_eq!(
        printed,
        "octo/hello#1\tocto/hello#2\tREADME.md\n\
         merging `octo/hello#2` into `main` conflicts in `README.md`\n"
    );
}

#[test]
fn one_that_was_pushed_to_again_is_still_the_one_that_was_listed() {
    let stage = Stage::new();
    let first = stage.open(1, false);
    let second = stage.propose(1, "src/part1.txt", "rewritten\n", "start");
    assert_ne!(first, second);
    // What its ref had before can be had by its id.
    assert_eq!(
        stage.print("print(git.log { rev = github.pull(1), limit = 1 }[1].id)"),
        format!("{first}\n")
    );
    // Until the server throws it away.
    stage.repo.git(&["update-ref", "-d", "refs/agentlua/pulls/octo/hello/1"]);
    for dir in [stage.repo.path(), stage.upstream.path()] {
        stage.repo.git_in(dir, &["gc", "--quiet", "--prune=now"]);
    }
    assert_eq!(
        stage.error("git.diff(github.pull(1))"),
        format!(
            "git: cannot fetch `octo/hello#1`: {first:.10} is not there any more\n  \
             its commits were replaced: ask GitHub for it again\n"
        )
    );
}

#[test]
fn one_of_another_repository_is_fetched_from_there() {
    let stage = Stage::new();
    let head = stage.open(1, false);
    // `origin` is a fork.
    let root = format!("http://127.0.0.1:{}/", stage.server.port);
    stage.repo.git(&["remote", "set-url", "origin", &format!("{root}ada/hello.git")]);
    let printed = stage.print(
        "local pull = github.pull(1, { repo = 'octo/hello' })
         print(pull.repo, git.log { rev = pull, limit = 1 }[1].id)",
    );
    assert_eq!(printed, format!("octo/hello\t{head}\n"));
}

#[test]
fn many_at_once_come_by_few_contacts() {
    let stage = Stage::new();
    for number in 1..=12 {
        stage.open(number, false);
    }
    // One that is listed and whose ref is gone does not keep the others.
    stage.repo.git_in(stage.upstream.path(), &["update-ref", "-d", "refs/pull/5/head"]);
    stage.repo.git_in(stage.upstream.path(), &["gc", "--quiet", "--prune=now"]);
    let trace = stage.home.beside("trace");
    let mut command = stage.script(
        "local results = agent.map_settled(github.pulls(), function(pull)
           return git.diff(pull).additions
         end)
         local good = 0
         for _, one in ipairs(results) do good = good + (one.ok and one.value or 0) end
         print(good, results[5].error.kind)",
    );
    // Git's own variables do not reach it: its configuration does.
    stage.repo.git(&["config", "trace2.eventTarget", trace.to_str().unwrap()]);
    let ran = Ran::of(&mut command);
    assert_eq!((ran.code, &*ran.stdout), (0, "11\tgit\n"), "{ran:?}");
}

#[test]
fn a_dry_run_fetches_nothing() {
    let stage = Stage::new();
    let head = stage.open(1, true);
    std::fs::write(
        stage.home.beside("main.lua"),
        "for _, pull in ipairs(github.pulls()) do
           agent.query { prompt = 'review', base = pull, read_only = true, model = agent.model { reply = function() return 'x' end } }
           github.review(pull, { body = 'fine', event = 'APPROVE' })
           github.comment(pull, 'hello')
           github.api('DELETE', '/repos/{owner}/{repo}/labels/bug')
         end",
    )
    .unwrap();
    let ran = Ran::of(&mut stage.command(&["run", "--dry-run", "../main.lua"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    for said in [
        "review `octo/hello#1`: APPROVE, with 0 comments",
        "comment on `octo/hello#1`",
        "ask GitHub to DELETE `/repos/octo/hello/labels/bug`",
        "pull requests are not fetched in a dry run",
    ] {
        let shown = format!("{}{}", ran.stdout, ran.stderr).replace('\n', " ");
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains(said), "`{said}` is not in {ran:?}");
    }
    assert!(stage.server.paths("POST").is_empty() && stage.server.paths("DELETE").is_empty());
    assert!(!stage.repo.try_git_in(stage.repo.path(), &["cat-file", "-e", &head]).0);
}
