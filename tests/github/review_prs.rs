//! `scripts/review_prs.lua`, the headline: every open pull request reviewed.

use serde_json::Value;

use crate::home::Ran;
use crate::server::Fault;
use crate::shapes;
use crate::stage::Stage;

/// Reads the file that the change adds; every third one is bad, and the model says so.
const MODEL: &str = r#"
return agent.model {
  name = "reviewer",
  reply = function(request)
    local file = request.prompt:match "%+%+%+ b/([^\n]+)"
    if request.turn == 1 then
      return { tools = { { name = "Read", input = { file_path = file } } } }
    end
    local text = request.results[1].content
    assert(not request.results[1].is_error and text:find("new", 1, true), text)
    local findings = json.array {}
    if tonumber(file:match "%d+") % 3 == 0 then
      findings[1] = { file = file, line = 1, severity = "medium", problem = "old" }
    end
    return json.encode { summary = "I have read " .. file, findings = findings }
  end,
}
"#;

fn script() -> String {
    format!("{}/scripts/review_prs.lua", env!("CARGO_MANIFEST_DIR"))
}

/// Opens 30 pull requests: three come from forks, one from a fork that is gone, one from a branch that is.
fn stage() -> Stage {
    let stage = Stage::new();
    for number in 1..=30 {
        let head = stage.open(number, !matches!(number, 5 | 12 | 20 | 25));
        let fork = match number {
            5 | 12 => Some("ada"),
            20 => None,
            _ => continue,
        };
        let pull = shapes::pull(number, "patch-1", &head, &stage.base);
        let at = usize::try_from(number).unwrap() - 1;
        stage.server.hub().pulls[at] = shapes::from_fork(pull, fork);
    }
    std::fs::write(stage.home.beside("model.lua"), MODEL).unwrap();
    stage
}

fn review(stage: &Stage, args: &[&str]) -> Ran {
    let mut command = stage.command(&["run", "--model", "../model.lua", &script()]);
    Ran::of(command.args(args))
}

/// Lets the server give pages of 20, as one that is asked for more than it gives.
fn limited(stage: &Stage) {
    stage.server.hub().most = 20;
    let limit = Fault::new(
        403,
        &[("retry-after", "1")],
        "{\"message\":\"You have exceeded a secondary rate limit.\"}",
    );
    stage.server.fail("/repos/octo/hello/pulls", limit);
}

#[test]
fn every_open_pull_request_is_reviewed() {
    let stage = stage();
    limited(&stage);
    let before = stage.repo.fingerprint(&["refs/agentlua/"]);
    let ran = review(&stage, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("Change ")).collect();
    assert_eq!(rows.len(), 30, "{ran:?}");
    assert_eq!(rows[0], "#1   0         -       Change 1");
    assert_eq!(rows[11], "#12  1         medium  Change 12");
    assert!(ran.stdout.starts_with("#3  src/part3.txt:1  medium: old\n"), "{ran:?}");
    assert!(ran.stderr.contains("GitHub's rate limit is spent: asking again in 1 s"), "{ran:?}");
    // The refused request, two pages, and nothing else.
    assert_eq!(stage.server.hub().seen.len(), 3);
    stage.repo.assert_untouched(&before, &["refs/agentlua/"]);
}

#[test]
fn reviews_are_posted_when_that_is_said() {
    let stage = stage();
    // GitHub does not take a comment on the third.
    let refused = Fault::new(
        422,
        &[],
        "{\"message\":\"Unprocessable Entity\",\"errors\":[\"Line must be part of the diff\"]}",
    );
    stage.server.fail("/repos/octo/hello/pulls/3/reviews", refused);
    let ran = review(&stage, &["--post", "--limit", "6"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let hub = stage.server.hub();
    let posted: Vec<(&str, &Value)> = hub
        .seen
        .iter()
        .filter(|seen| seen.method == "POST")
        .map(|seen| (&*seen.path, &seen.body))
        .collect();
    assert_eq!(posted.len(), 7, "{posted:?}");
    let of = |number: u64| {
        let path = format!("/repos/octo/hello/pulls/{number}/reviews");
        posted.iter().rfind(|(at, _)| *at == path).unwrap().1
    };
    assert_eq!(of(6)["comments"][0]["path"], "src/part6.txt");
    assert_eq!(of(6)["comments"][0]["body"], "medium: old");
    assert_eq!(of(6)["event"], "COMMENT");
    let head = hub.pulls[5]["head"]["sha"].clone();
    assert_eq!(of(6)["commit_id"], head);
    assert_eq!(of(1)["body"], "I have read src/part1.txt");
    assert_eq!(of(3)["body"], "I have read src/part3.txt\n\n- `src/part3.txt:1` medium: old");
    assert_eq!(of(3)["comments"].as_array().unwrap().len(), 0);
}

/// Says what the branch's number stands for: a line that no file has, nothing at all, or a failure.
const ODD: &str = r#"
return agent.model {
  name = "odd",
  reply = function(request)
    local number = request.prompt:match "part(%d+)%.txt"
    if number == "3" then
      error "no answer"
    elseif number == "4" then
      assert(request.prompt:find("caf\u{FFFD} new", 1, true) and #request.prompt < 62000)
    end
    local at = { file = "src/part" .. number .. ".txt", line = 0, severity = "low", problem = "odd" }
    local findings = json.array(number == "1" and { at } or {})
    return json.encode { summary = "", findings = findings }
  end,
}
"#;

#[test]
fn what_fails_is_said_and_makes_the_run_fail() {
    let stage = Stage::new();
    for number in 1..=2 {
        stage.open(number, true);
    }
    std::fs::write(stage.home.beside("model.lua"), ODD).unwrap();
    let refused = Fault::new(403, &[], "{\"message\":\"Resource not accessible\"}");
    stage.server.fail("/repos/octo/hello/pulls/2/reviews", refused);
    let ran = review(&stage, &["--post"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    // What was found is printed, whether it was posted or not.
    assert!(ran.stdout.contains("#1  src/part1.txt:0  low: odd\n"), "{ran:?}");
    assert!(ran.stdout.contains("\n#1  1         low     Change 1\n"), "{ran:?}");
    assert!(
        ran.stdout.contains("\n#2  0         -       not posted: the token may not"),
        "{ran:?}"
    );
    let hub = stage.server.hub();
    let bodies: Vec<&Value> = hub
        .seen
        .iter()
        .filter(|seen| seen.method == "POST")
        .map(|seen| &seen.body["body"])
        .collect();
    assert!(
        bodies.contains(&&Value::from("Findings: 1\n\n- `src/part1.txt:0` low: odd")),
        "{bodies:?}"
    );
    assert!(bodies.contains(&&Value::from("No findings.")), "{bodies:?}");
}

#[test]
fn a_review_that_failed_makes_the_run_fail() {
    let stage = Stage::new();
    stage.open(3, true);
    std::fs::write(stage.home.beside("model.lua"), ODD).unwrap();
    let ran = review(&stage, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.contains("#3  failed    -       "), "{ran:?}");
}

#[test]
fn a_patch_need_not_be_text() {
    let stage = Stage::new();
    stage.repo.git(&["switch", "--quiet", "--create", "odd"]);
    // The cut falls among characters of three bytes.
    let mut text = b"caf\xe9 new\n".to_vec();
    text.extend("€".repeat(30_000).bytes());
    std::fs::create_dir_all(stage.repo.path().join("src")).unwrap();
    std::fs::write(stage.repo.path().join("src/part4.txt"), text).unwrap();
    stage.repo.commit("odd");
    stage.repo.git(&["switch", "--quiet", "main"]);
    std::fs::write(stage.home.beside("model.lua"), ODD).unwrap();
    let ran = review(&stage, &["odd"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("odd  0         -       odd"), "{ran:?}");
}

#[test]
fn without_a_remote_the_option_is_named() {
    let stage = Stage::new();
    stage.repo.git(&["remote", "remove", "origin"]);
    std::fs::write(stage.home.beside("model.lua"), ODD).unwrap();
    let ran = review(&stage, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("say it: `--repo owner/name`; or name local branches"), "{ran:?}");
}
