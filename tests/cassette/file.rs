//! The file: what is in it, what is not, and when it is there.

use serde_json::json;

use crate::home::Ran;
use crate::stage::{Running, eventually};
use crate::studio::{Studio, shown};

const ONE: &str = r#"
local model = agent.model { reply = function(request) return "said " .. request.prompt end }
print(agent.query { prompt = "hello", model = model }.result)
"#;

#[test]
fn it_has_a_header_and_an_end_and_no_wire() {
    let studio = Studio::new(&[]);
    let (_, ran) = studio.record(ONE);
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines = studio.lines();
    assert_eq!(lines[0]["agentlua_cassette"], 1);
    assert_eq!(lines[0]["script"], "../main.lua");
    assert_eq!(lines.last().unwrap(), &json!({ "type": "end", "interrupted": false }));
    let answer = lines.iter().find(|line| line["type"] == "answer").unwrap();
    assert_eq!(answer["call"], "/query#1");
    assert_eq!((&answer["turn"], &answer["n"]), (&json!(1), &json!(1)));
    assert_eq!(answer["texts"][0], "hello");
    assert_eq!(answer["reply"]["text"], "said hello");
    assert!(!studio.cassette().with_extension("jsonl.part").exists());
}

#[test]
fn secrets_are_not_in_it_and_play_all_the_same() {
    let studio = Studio::new(&[]);
    let source = r#"
local model = agent.model {
  reply = function(request)
    if request.turn == 1 then
      return { tools = { { name = "Bash", input = { command = "echo $DEPLOY_PASSWORD; cat notes.txt" } } } }
    end
    return "it said " .. request.results[1].content
  end,
}
print(agent.query {
  prompt = "log in with " .. os.getenv("MY_API_KEY"),
  env = { DEPLOY_PASSWORD = "open sesame " .. os.getenv("WHO") },
  worktree = true,
  model = model,
}.result)
"#;
    let run = |flag: &str, key: &str, who: &str, github: &str| {
        let room = studio.room();
        room.home.write("notes.txt", &format!("the token is {github}\n"));
        let git = |args: &[&str]| {
            let ran = Ran::of(room.home.command_of(std::path::Path::new("git")).args(args));
            assert_eq!(ran.code, 0, "{ran:?}");
        };
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message=notes"]);
        let mut command = room.run(source, &[flag, &shown(&room.cassette)]);
        Ran::of(command.env("MY_API_KEY", key).env("WHO", who))
    };
    let github = format!("ghp_{}", "a1B2".repeat(9));
    let recorded = run("--record", "correct-horse-battery", "ada", &github);
    assert!(recorded.stdout.contains("open sesame ada"), "{recorded:?}");
    let text = studio.text();
    for secret in ["correct-horse-battery", "open sesame", &github, "ghp_"] {
        assert!(!text.contains(secret), "{secret} is in it");
    }
    assert!(text.contains("log in with ⟦secret⟧"));
    // Whoever plays it has other secrets.
    let ran = run("--replay", "a-key-of-somebody", "eve", &format!("ghp_{}", "z9Y8".repeat(9)));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
}

#[test]
fn it_takes_its_place_at_the_end_also_of_a_run_that_fails() {
    let studio = Studio::new(&[]);
    std::fs::write(studio.cassette(), "").unwrap();
    let failing =
        format!("{ONE}\nassert(fs.read([[{}]]) == '')\nerror('enough')", shown(&studio.cassette()));
    let (_, ran) = studio.record(&failing);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("enough"), "{ran:?}");
    let (_, ran) = studio.replay(ONE, &[]);
    assert_eq!((ran.code, &*ran.stdout), (0, "said hello\n"), "{ran:?}");
}

#[test]
fn an_interrupted_run_is_kept_and_played_as_far_as_it_came() {
    let studio = Studio::new(&[]);
    let source = r#"
local model = agent.model {
  reply = function(request)
    if request.prompt == "slow" then
      fs.write("waiting", "")
      agent.sleep(600)
    end
    return "said " .. request.prompt
  end,
}
print(agent.query { prompt = "quick", model = model }.result)
print(agent.query { prompt = "slow", model = model }.result)
"#;
    let room = studio.room();
    let mut command = room.run(source, &["--record", &shown(&room.cassette)]);
    let running = Running::start(&mut command);
    eventually("the slow one is asked", || room.home.path("waiting").exists());
    running.signal("INT");
    let ran = running.wait();
    assert_eq!(ran.code, 130, "{ran:?}");
    assert_eq!(studio.lines().last().unwrap()["interrupted"], true);
    let (_, ran) = studio.replay(source, &[]);
    assert_eq!((ran.code, &*ran.stdout), (1, "said quick\n"), "{ran:?}");
    let says = "has no answer to turn 1 of `slow` (/query#2): the run was interrupted there";
    assert!(ran.stderr.contains(says), "{ran:?}");
}

#[test]
fn what_cannot_be_written_is_told_at_the_start() {
    let studio = Studio::new(&[]);
    let room = studio.room();
    std::os::unix::fs::symlink("/dev/full", room.home.path("full.jsonl.part")).unwrap();
    for (file, says) in [
        ("full.jsonl", "no space left on device"),
        ("nowhere/x.jsonl", "no such file or directory"),
        (".", "is a folder"),
    ] {
        let ran = Ran::of(&mut room.run("print 'ran'", &["--record", file]));
        assert_ne!(ran.code, 0, "{file}: {ran:?}");
        assert_eq!(ran.stdout, "", "{file}: {ran:?}");
        assert!(ran.stderr.contains(says), "{file}: {ran:?}");
    }
}

#[test]
fn nothing_but_a_recording_is_overwritten() {
    let studio = Studio::new(&[]);
    let script = "print 'ran'";
    std::fs::write(studio.cassette(), "return agent.model {}\n").unwrap();
    let chosen = |room: &crate::studio::Room| {
        let mut command = room.run(script, &[]);
        command.env("AGENTLUA_RECORD", shown(&room.cassette));
        command
    };
    let file = shown(&studio.cassette());
    let room = studio.room();
    for mut command in [
        room.run(script, &["--record", &file]),
        room.run(script, &["--record", &file, "--dry-run"]),
        chosen(&room),
    ] {
        let ran = Ran::of(&mut command);
        assert_eq!((ran.code, &*ran.stdout), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains("would be overwritten"), "{ran:?}");
        assert_eq!(studio.text(), "return agent.model {}\n");
    }
    // Who mistakes `--replay` for `--model` is not told to record over the model.
    let (_, ran) = studio.replay(script, &[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        !ran.stderr.contains("--record x") && !ran.stderr.contains(&format!("--record {file}"))
    );
    std::fs::remove_file(studio.cassette()).unwrap();
    let (_, ran) = studio.record(ONE);
    assert_eq!(ran.code, 0, "{ran:?}");
    let before = studio.text();
    let mut by_variable = room.run(ONE, &["--dry-run"]);
    by_variable.env("AGENTLUA_RECORD", &file);
    let by_script = format!("agent.config {{ record = [[{file}]] }} {ONE}");
    let mut commands = [room.run(ONE, &["--record", &file, "--dry-run"]), by_variable];
    for command in &mut commands {
        let ran = Ran::of(command);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(studio.text(), before);
    }
    let ran = Ran::of(&mut room.run(&by_script, &["--dry-run"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(studio.text(), before);
    assert!(!studio.cassette().with_extension("jsonl.part").exists());
    let (_, ran) = studio.record(&ONE.replace("hello", "again"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_ne!(studio.text(), before, "a recording may be made anew");
}

#[test]
fn a_recording_that_is_lost_is_a_failure() {
    let studio = Studio::new(&[]);
    let room = studio.room();
    let in_the_way = format!("{ONE}\nfs.mkdir('x.jsonl/sub')");
    let ran = Ran::of(&mut room.run(&in_the_way, &["--record", "x.jsonl"]));
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("x.jsonl` could not be written"), "{ran:?}");
    assert!(ran.stderr.contains("x.jsonl.part"), "{ran:?}");
    assert!(room.home.path("x.jsonl.part").exists(), "what was answered is not thrown away");
}

#[test]
fn what_is_no_recording_is_told() {
    let studio = Studio::new(&[]);
    for (text, says) in [
        ("", "is no recording"),
        ("{}\n", "is no recording"),
        ("{\"agentlua_cassette\":9,\"created\":\"\",\"script\":\"\"}\n", "a newer version"),
        (
            "{\"agentlua_cassette\":1,\"created\":\"\",\"script\":\"\"}\nx\n",
            "no line of a recording at 2",
        ),
    ] {
        std::fs::write(studio.cassette(), text).unwrap();
        let (_, ran) = studio.replay(ONE, &[]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
    }
    std::fs::remove_file(studio.cassette()).unwrap();
    let (_, ran) = studio.replay(ONE, &[]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("--record"), "{ran:?}");
    let (_, ran) = studio.replay(ONE, &["--record", "y.jsonl"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn a_killed_run_leaves_what_was_there_and_a_part_that_plays() {
    let studio = Studio::new(&[]);
    let (_, ran) = studio.record(ONE);
    assert_eq!(ran.code, 0, "{ran:?}");
    let before = studio.text();
    let room = studio.room();
    let again = ONE.replace("hello", "goodbye");
    let mut command = room.run(&again, &["--record", &shown(&room.cassette)]);
    let ran = Ran::of(command.env("AGENTLUA_CRASH_AT", "cassette-written"));
    assert_eq!(ran.code, 128 + 9, "{ran:?}");
    assert_eq!(studio.text(), before);
    std::fs::rename(studio.cassette().with_extension("jsonl.part"), studio.cassette()).unwrap();
    let (_, ran) = studio.replay(&again, &[]);
    assert_eq!((ran.code, &*ran.stdout), (0, "said goodbye\n"), "{ran:?}");
}
