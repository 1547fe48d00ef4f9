//! Eight agents mend a real repository side by side; seven branches land, the eighth conflicts.

use serde_json::{Value, json};

use crate::crates;
use crate::home::Ran;
use crate::stage::{Stage, Wire, text};

/// Lands the branches one after the other and prints what became of each.
const LAND: &str = r#"
local report = {}
for _, branch in ipairs(json.decode(fs.read(arg[1]))) do
  local before = git.head().commit
  local merged, e = git.try_merge { branch = branch, into = "main" }
  if not merged then
    assert(git.head().commit == before, "a merge that fails leaves its target")
  end
  report[branch] = merged and { status = merged.status } or e.merge
end
print(json.encode(report))
"#;

/// A part of the shop that is wrong, and what makes it right.
struct Part {
    name: &'static str,
    file: &'static str,
    to: &'static str,
}

/// The last two touch the same line.
const PARTS: [Part; 8] = [
    Part { name: "cart", file: "cart", to: "value=3" },
    Part { name: "price", file: "price", to: "value=4" },
    Part { name: "stock", file: "stock", to: "value=5" },
    Part { name: "orders", file: "orders", to: "value=6" },
    Part { name: "search", file: "search", to: "value=7" },
    Part { name: "export", file: "export", to: "value=8" },
    Part { name: "tax-seven", file: "tax", to: "value=7" },
    Part { name: "tax-nineteen", file: "tax", to: "value=19" },
];

fn add_shop(stage: &Stage) {
    for Part { file, .. } in &PARTS {
        let source = format!("# The {file} of the shop.\nname={file}\nvalue=0\n");
        stage.repo.write(&format!("shop/src/{file}.sh"), source);
        let test = format!(
            ". ./shop/src/{file}.sh\n[ \"$value\" -gt 0 ] || {{ echo \"{file} is $value\"; exit 1; }}\n"
        );
        stage.repo.write(&format!("shop/tests/{file}.sh"), test);
    }
    let all = "for test in shop/tests/*.sh; do sh \"$test\" || exit 1; done\n";
    stage.repo.write("shop/test.sh", all);
    stage.repo.commit("a shop");
}

fn queries() -> Value {
    let query = |part: &Part| {
        let Part { name, file, to } = part;
        let prompt = format!(
            "{name}: [[scenario fix file=shop/src/{file}.sh from=\"value=0\" to=\"{to}\" \
             test=\"sh shop/tests/{file}.sh\" extra=README.md,shop/test.sh]]"
        );
        ((*name).to_owned(), json!({ "prompt": prompt, "branch": format!("fix/{name}") }))
    };
    Value::Object(PARTS.iter().map(query).collect())
}

/// Fails unless the branch of `part` has exactly its one commit.
fn assert_has_its_commit(stage: &Stage, part: &Part, outcome: &Value) {
    let branch = format!("fix/{}", part.name);
    let file = format!("shop/src/{}.sh", part.file);
    let git = |args: &[&str]| stage.repo.git(args);
    assert_eq!(git(&["rev-list", "--count", &format!("main..{branch}")]), "1");
    assert_eq!(git(&["rev-parse", &branch]), text(&outcome["head_commit"]));
    assert_eq!(git(&["rev-parse", "main"]), text(&outcome["base_commit"]));
    let author = git(&["log", "-1", "--format=%an <%ae>%n%cn <%ce>", &branch]);
    assert_eq!(author, "Ada <ada@example.com>\nAda <ada@example.com>");
    let session = text(&outcome["session_id"]);
    let (run, agent) = session.split_once('/').unwrap();
    let message = format!("{}\n\nAgentlua-Agent: {agent}\nAgentlua-Run: {run}", part.name);
    assert_eq!(git(&["log", "-1", "--format=%B", &branch]).trim_end(), message);
    let changed = git(&["diff", "--name-status", "main", &branch]);
    assert_eq!(changed, format!("M\t{file}"));
    let source = format!("# The {0} of the shop.\nname={0}\n{1}", part.file, part.to);
    assert_eq!(git(&["show", &format!("{branch}:{file}")]), source);
    assert_eq!(outcome["files_changed"], json!([file]));
    assert_eq!(outcome["num_turns"], 7);
    assert_eq!(text(&outcome["branch"]), branch);
    assert_eq!(text(&outcome["result"]), format!("Fixed {file}."));
    let worktree = std::path::Path::new(text(&outcome["worktree_path"]));
    assert_eq!(stage.repo.git_in(worktree, &["status", "--porcelain"]), "");
}

fn assert_wire_was_thrifty(stage: &Stage) {
    let report = stage.report();
    assert_eq!(report["requests"], 8 * 7, "{report:#}");
    assert_eq!(report["agents"], 8);
    assert_eq!(report["distinct_prefixes"], 1, "siblings share the provider's cache");
    let prefix_bytes = report["prefix_bytes"].as_u64().unwrap();
    assert!(prefix_bytes < 12_000 && prefix_bytes / 4 < 3_000, "{prefix_bytes} bytes");
}

fn assert_lands(stage: &Stage) {
    let branches: Vec<_> = PARTS.iter().map(|part| format!("fix/{}", part.name)).collect();
    std::fs::write(stage.beside("branches.json"), json!(branches).to_string()).unwrap();
    let main = stage.repo.git(&["rev-parse", "main"]);
    let ran = Ran::of(stage.script(LAND, &[]).arg("../branches.json"));
    assert_eq!(ran.code, 0, "{ran:?}");
    let landed: Value = serde_json::from_str(&ran.stdout).unwrap();
    for (branch, merge) in branches.iter().zip(branches.iter().map(|branch| &landed[branch])) {
        let expected = match branch.as_str() {
            "fix/cart" => "fast_forward",
            "fix/tax-nineteen" => "conflicted",
            _ => "merged",
        };
        assert_eq!(merge["status"], expected, "{branch}: {merge}");
    }
    assert_eq!(landed["fix/tax-nineteen"]["paths"], json!(["shop/src/tax.sh"]));
    let range = format!("{main}..main");
    assert_eq!(stage.repo.git(&["rev-list", "--count", "--no-merges", &range]), "7");
    assert_eq!(stage.repo.git(&["status", "--porcelain"]), "");
    let changed = stage.repo.git(&["diff", "--name-only", &main, "HEAD"]);
    assert_eq!(changed.lines().count(), 7, "{changed}");
    let test = std::process::Command::new("sh")
        .arg("shop/test.sh")
        .current_dir(stage.repo.path())
        .output()
        .unwrap();
    assert!(test.status.success(), "{test:?}");
}

fn eight_agents_mend_a_real_repository(wire: Wire, run: impl Fn(&Stage) -> Value) {
    let stage = Stage::new(wire, &[]);
    crates::add(&stage.repo);
    add_shop(&stage);
    // Untouched includes what is not committed.
    stage.repo.write("README.md", "# readme\nnot committed\n");
    stage.repo.write("notes.txt", "not committed either\n");
    let before = stage.repo.fingerprint(&["fix/", "refs/agentlua/"]);
    let outcomes = run(&stage);
    stage.repo.assert_untouched(&before, &["fix/", "refs/agentlua/"]);
    for part in &PARTS {
        assert_has_its_commit(&stage, part, &outcomes[part.name]);
    }
    assert_eq!(stage.branches().len(), 9);
    assert_eq!(stage.worktrees().len(), 9);
    stage.assert_sound();
    assert_wire_was_thrifty(&stage);

    stage.repo.git(&["checkout", "--quiet", "README.md"]);
    std::fs::remove_file(stage.repo.path().join("notes.txt")).unwrap();
    assert_lands(&stage);
    stage.assert_sound();
}

fn ran(stage: &Stage, script: &str) -> Value {
    std::fs::write(stage.beside("queries.json"), queries().to_string()).unwrap();
    let ran = Ran::of(stage.script(script, &["--concurrency", "8"]).arg("../queries.json"));
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn eight_agents_mend_a_real_repository_over_the_messages_api() {
    eight_agents_mend_a_real_repository(Wire::Anthropic, |stage| {
        ran(stage, "print(json.encode(agent.all(json.decode(fs.read(arg[1])))))")
    });
}

#[test]
fn eight_agents_mend_a_real_repository_over_chat_completions() {
    eight_agents_mend_a_real_repository(Wire::OpenAi, |stage| {
        ran(
            stage,
            "local outcomes = {}
             for name, outcome, e in agent.iter(json.decode(fs.read(arg[1]))) do
               outcomes[name] = assert(outcome, e)
             end
             print(json.encode(outcomes))",
        )
    });
}
