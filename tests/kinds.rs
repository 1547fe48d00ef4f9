//! Every kind of repository, lived through by the whole binary: an agent that uses the file tools and
//! plain git in its shell, a diff, a merge. It works, or refuses before anything is spent.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/repo.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod repo;

use std::path::{Path, PathBuf};
use std::process::Command;

use repo::Repo;

/// An agent on `work`, then a merge into `arg[1]`.
const SCRIPT: &str = r#"
local steps = {
  { name = "Write", input = { file_path = "src/made.txt", content = "made\n" } },
  { name = "Bash", input = { command = [[
set -e
git add --all
git commit --quiet --message "by the agent"
echo more >> src/made.txt
git stash --quiet
git stash pop --quiet
test "$(git status --porcelain)" = " M src/made.txt"
git tag mine
git branch other
git log --oneline -2 --stat
git diff HEAD~1 --stat
]] } },
  { name = "Edit", input = {
    file_path = "src/one.txt", old_string = "line 2", new_string = "line two" } },
  { name = "Read", input = { file_path = "src/one.txt" } },
}
steps[3], steps[4] = steps[4], steps[3]
local outcome = agent.query {
  prompt = "work", branch = "work",
  model = agent.model {
    reply = function(request)
      for _, result in ipairs(request.results) do
        assert(not result.is_error, result.name .. ": " .. result.content)
      end
      local step = steps[request.turn]
      return step and { tools = { step } } or "done"
    end,
  },
}
print(outcome.subtype, table.concat(outcome.files_changed, " "))
print(#git.diff(outcome).files)
local merged, e = git.try_merge { branch = outcome, into = arg[1] }
print(merged and merged.status or e.message)
"#;

/// What everyone has: two files of text, and a file whose line ends matter.
fn fill(repo: &Repo) {
    repo.write("src/one.txt", "line 1\nline 2\nline 3\n");
    repo.write("other/two.txt", "two\n");
    repo.commit("start");
}

fn filled(init: &[&str]) -> Repo {
    let repo = Repo::empty(init);
    fill(&repo);
    repo
}

/// Clones a filled repository; the source lives on beside it.
fn cloned(args: &[&str]) -> Repo {
    let repo = Repo::folder("clone");
    let source = repo.beside("source");
    repo.git_in(&repo.beside("home"), &["init", "-q", "-b", "main", &source.display().to_string()]);
    for (name, text) in [("src/one.txt", "line 1\nline 2\nline 3\n"), ("other/two.txt", "two\n")] {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    for args in [
        &["config", "user.name", "Ada"][..],
        &["config", "user.email", "ada@example.com"],
        &["config", "uploadpack.allowFilter", "true"],
        &["commit", "-q", "--allow-empty", "-m", "before"],
        &["add", "-A"],
        &["commit", "-q", "-m", "start"],
    ] {
        repo.git_in(&source, args);
    }
    let url = format!("file://{}", source.display());
    let to = repo.path().display().to_string();
    let home = repo.beside("home");
    repo.git_in(&home, &[&["clone", "-q"], args, &[&url, &to]].concat());
    if repo.path().join(".git").exists() {
        repo.identify();
    }
    repo
}

/// Runs the script in `dir`; returns its exit code, what it printed, and what it said.
fn run(repo: &Repo, dir: &Path, into: &str) -> (i32, String, String) {
    std::fs::write(repo.beside("kind.lua"), SCRIPT).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_agentlua"));
    command.args(["run", "--quiet"]).arg(repo.beside("kind.lua")).arg(into);
    command.current_dir(dir).env_clear().envs(repo.environment());
    command.env("AGENTLUA_WORKTREE_ROOT", repo.beside("worktrees"));
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Fails unless the whole life went well and only the merge touched anything of the user's.
#[track_caller]
fn works(kind: &str, repo: &Repo, dir: &Path, into: &str, merge: &str) {
    let dirt = |dir: &Path| repo.try_git_in(dir, &["status", "--porcelain"]);
    let before = dirt(dir);
    let config = std::fs::read(common(repo, dir).join("config")).unwrap();
    let (code, printed, said) = run(repo, dir, into);
    let expected = format!("success\tsrc/made.txt src/one.txt\n2\n{merge}\n");
    assert_eq!((code, printed.as_str()), (0, expected.as_str()), "{kind}: {said}");
    let show = |name: &str| repo.git_in(dir, &["show", &format!("work:{name}")]);
    assert_eq!(show("src/made.txt").trim_end(), "made\nmore", "{kind}");
    assert!(show("src/one.txt").contains("line two"), "{kind}");
    let names = repo.git_in(dir, &["log", "--format=%s", "-2", "work"]);
    assert_eq!(names, "work\nby the agent", "{kind}");
    assert_eq!(dirt(dir), before, "{kind}");
    assert_eq!(std::fs::read(common(repo, dir).join("config")).unwrap(), config, "{kind}: config");
    assert_eq!(repo.git_in(dir, &["tag"]), "", "{kind}: the agent's tag is its own");
    assert_eq!(repo.git_in(dir, &["for-each-ref", "refs/stash"]), "", "{kind}");
    repo.git_in(dir, &["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]);
    // The worktree that stays is an ordinary one, for people.
    let list = repo.git_in(dir, &["worktree", "list", "--porcelain"]);
    let path = list.lines().filter_map(|line| line.strip_prefix("worktree ")).next_back().unwrap();
    assert!(path.contains("/worktrees/") && !list.contains("locked"), "{kind}: {list}");
    assert_eq!(repo.git_in(Path::new(path), &["status", "--porcelain"]), "", "{kind}");
    let head = repo.git_in(Path::new(path), &["symbolic-ref", "HEAD"]);
    assert_eq!(head, "refs/heads/work", "{kind}");
}

fn common(repo: &Repo, dir: &Path) -> PathBuf {
    let ask = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
    repo.git_in(dir, &ask).into()
}

#[test]
fn ways_to_store() {
    for (kind, init) in [
        ("plain", &[][..]),
        ("sha256", &["--object-format=sha256"]),
        ("reftable", &["--ref-format=reftable"]),
    ] {
        let probe = Repo::folder("probe");
        let (knows, _) = probe.try_git_in(&probe.beside("home"), &[&["init", "-q"], init].concat());
        if knows {
            let repo = filled(init);
            works(kind, &repo, repo.path(), "main", "fast_forward");
        }
    }
    let repo = filled(&[]);
    repo.git(&["pack-refs", "--all"]);
    repo.git(&["repack", "-adq"]);
    repo.git(&["update-index", "--split-index"]);
    repo.git(&["config", "core.splitIndex", "true"]);
    repo.git(&["config", "core.untrackedCache", "true"]);
    works("packed, split index", &repo, repo.path(), "main", "fast_forward");

    let repo = Repo::folder("apart");
    let (git_dir, to) = (repo.beside("apart.git"), repo.path().display().to_string());
    let flag = format!("--separate-git-dir={}", git_dir.display());
    repo.git_in(&repo.beside("home"), &["init", "-q", "-b", "main", &flag, &to]);
    repo.identify();
    fill(&repo);
    works("separate git directory", &repo, repo.path(), "main", "fast_forward");
}

#[test]
fn clones() {
    for (kind, args) in [
        ("shallow", &["--depth=1"][..]),
        ("partial", &["--filter=blob:none"]),
        ("with alternates", &["--shared"]),
    ] {
        let repo = cloned(args);
        works(kind, &repo, repo.path(), "main", "fast_forward");
    }
    let bare = cloned(&["--bare"]);
    works("bare", &bare, bare.path(), "main", "fast_forward");
}

#[test]
fn places_to_start_from() {
    let repo = filled(&[]);
    works("subdirectory", &repo, &repo.path().join("src"), "main", "fast_forward");

    let repo = filled(&[]);
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "-q", "-b", "side", &linked.display().to_string()]);
    works("linked worktree", &repo, &linked, "side", "fast_forward");

    let outer = Repo::new();
    let inner = filled(&[]);
    outer.git(&["submodule", "--quiet", "add", &inner.path().display().to_string(), "sub"]);
    let sub = outer.path().join("sub");
    outer.git_in(&sub, &["config", "user.name", "Ada"]);
    outer.git_in(&sub, &["config", "user.email", "ada@example.com"]);
    works("a submodule", &outer, &sub, "main", "fast_forward");

    let repo = filled(&[]);
    repo.git(&["checkout", "-q", "--detach"]);
    works("detached", &repo, repo.path(), "main", "fast_forward");
}

#[test]
fn checkouts_of_a_part() {
    for (kind, flags) in [("sparse", &[][..]), ("sparse index", &["--sparse-index"])] {
        let repo = filled(&[]);
        repo.git(&[&["sparse-checkout", "set", "--cone"], flags, &["src"]].concat());
        works(kind, &repo, repo.path(), "main", "fast_forward");
        assert!(!repo.path().join("other").exists(), "{kind}");
        assert_eq!(repo.git(&["show", "main:other/two.txt"]), "two", "{kind}");
    }
}

#[test]
fn content_that_is_converted() {
    let repo = filled(&[]);
    repo.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    repo.git(&["config", "filter.up.smudge", "tr A-Z a-z"]);
    repo.git(&["config", "filter.up.required", "true"]);
    repo.write(
        ".gitattributes",
        "*.up filter=up\n*.bat eol=crlf\n*.uni working-tree-encoding=UTF-16LE\n",
    );
    repo.write("x.up", "hello\n");
    repo.write("run.bat", "echo\r\nend\r\n");
    repo.write("x.uni", b"h\0i\0\n\0");
    repo.commit("odd");
    works("filters and encodings", &repo, repo.path(), "main", "fast_forward");
    assert_eq!(repo.git(&["show", "main:x.up"]), "HELLO");

    let repo = filled(&[]);
    repo.git(&["config", "core.autocrlf", "true"]);
    repo.git(&["rm", "-q", "--cached", "-r", "."]);
    repo.git(&["reset", "-q", "--hard"]);
    let text = std::fs::read_to_string(repo.path().join("src/one.txt")).unwrap();
    assert!(text.contains("\r\n"));
    works("autocrlf", &repo, repo.path(), "main", "fast_forward");
    assert!(!repo.git(&["cat-file", "-p", "main:src/one.txt"]).contains('\r'));

    let inner = Repo::new();
    let repo = filled(&[]);
    repo.git(&["submodule", "--quiet", "add", &inner.path().display().to_string(), "sub"]);
    repo.commit("with a submodule");
    works("with a submodule", &repo, repo.path(), "main", "fast_forward");
}

#[test]
fn a_user_in_the_middle_of_something() {
    let repo = filled(&[]);
    repo.write("other/two.txt", "the user's\n");
    repo.write("other/new.txt", "the user's\n");
    repo.git(&["add", "other/new.txt"]);
    works("dirty", &repo, repo.path(), "main", "fast_forward");
    let kept = std::fs::read_to_string(repo.path().join("other/two.txt")).unwrap();
    assert_eq!(kept, "the user's\n");

    let repo = filled(&[]);
    repo.git(&["config", "extensions.worktreeConfig", "true"]);
    repo.git(&["config", "--worktree", "core.abbrev", "9"]);
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.write("other/three.txt", "topic\n");
    repo.commit("topic");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("other/two.txt", "main\n");
    repo.commit("main");
    let (ok, _) = repo.try_git_in(repo.path(), &["rebase", "-q", "-x", "false", "main", "topic"]);
    assert!(!ok, "the rebase waits for the user");
    let refused = "cannot merge `work` into `topic`: a merge, rebase or the like is in progress in";
    let before = repo.fingerprint(&["work", "refs/agentlua/"]);
    let (code, printed, said) = run(&repo, repo.path(), "topic");
    assert!(code == 0 && printed.contains(refused), "{printed}{said}");
    repo.assert_untouched(&before, &["work", "refs/agentlua/"]);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_spent() {
    let repo = Repo::empty(&[]);
    let (code, printed, said) = run(&repo, repo.path(), "main");
    assert_eq!((code, printed.as_str()), (1, ""), "{said}");
    assert!(
        said.contains("has no commit yet") && said.contains("git commit --allow-empty"),
        "{said}"
    );
    assert!(!repo.beside("worktrees").exists());
    assert_eq!(repo.git(&["for-each-ref"]), "");
}

#[test]
fn fifty_thousand_files() {
    let repo = filled(&[]);
    for folder in 0..500 {
        let folder = repo.path().join(format!("many/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..100 {
            std::fs::write(folder.join(format!("{file}.txt")), "x\n").unwrap();
        }
    }
    repo.commit("many");
    works("large", &repo, repo.path(), "main", "fast_forward");
}
