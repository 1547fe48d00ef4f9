//! What differs from what was recorded.

use crate::studio::Studio;

/// A model that reads, runs a command and answers, and an agent that asks it.
fn script(prompt: &str, command: &str) -> String {
    format!(
        r#"
local worker = agent.model {{
  name = "worker",
  reply = function(request)
    if request.turn == 1 then
      return {{ text = "I look.", tools = {{ {{ name = "Bash", input = {{ command = [[{command}]] }} }} }} }}
    end
    return "It said " .. request.results[1].content
  end,
}}
print(agent.query {{ prompt = [[{prompt}]], label = "fixer", worktree = true, model = worker }}.result)
"#
    )
}

#[test]
fn a_changed_prompt_misses_and_shows_the_nearest_difference() {
    let studio = Studio::new(&[]);
    let prompt = "Fix the tests of auth.\nKeep its interface.";
    let (_, recorded) = studio.record(&script(prompt, "echo hi"));
    assert_eq!(recorded.code, 0, "{recorded:?}");
    let (_, same) = studio.replay(&script(prompt, "echo hi"), &[]);
    assert_eq!((same.code, same.stdout), (0, recorded.stdout));
    let changed = "Fix the tests of billing.\nKeep its interface.";
    let (room, missed) = studio.replay(&script(changed, "echo hi"), &[]);
    assert_eq!(missed.code, 1);
    let shown = missed.stderr.replace(&room.cassette.display().to_string(), "x.jsonl");
    let from = shown.find("error:").unwrap();
    insta::assert_snapshot!(shown[from..].trim_end(), @r#"
    error: the recording `x.jsonl` has another question for turn 1 of `fixer` (/query#1): its text has changed
      at ../main.lua:11
      11 | print(agent.query { prompt = [[Fix the tests of billing.
      12 | Keep its interface.]], label = "fixer", worktree = true, model = worker }.result)
         |                                ^^^^^^^

    hint: the nearest recorded question is turn 1 of `fixer` (/query#1)
          --- recorded text
          +++ asked text
          - Fix the tests of auth.
          + Fix the tests of billing.
            Keep its interface.
          record again: agentlua run --record x.jsonl SCRIPT
    "#);
}

#[test]
fn a_call_that_was_not_recorded_is_named() {
    let studio = Studio::new(&[]);
    let _ = studio.record(&script("one", "true"));
    let twice = format!(
        "{}\nprint(agent.query {{ prompt = 'two', label = 'second', model = 'a/b' }}.result)",
        script("one", "true")
    );
    let (_, missed) = studio.replay(&twice, &[]);
    assert_eq!(missed.code, 1, "{missed:?}");
    let says = "has no answer to turn 1 of `second` (/query#2)";
    assert!(missed.stderr.contains(says), "{missed:?}");
    assert!(
        missed.stderr.contains("the nearest recorded question is turn 1 of `fixer`"),
        "{missed:?}"
    );
    // It is caught as every failure of a model.
    let caught = twice
        .replace(
            "print(agent.query { prompt = 'two'",
            "local _, e = agent.try_query({ prompt = 'two'",
        )
        .replace("model = 'a/b' }.result)", "model = 'a/b' }) print(e.kind)");
    let (_, ran) = studio.replay(&caught, &[]);
    assert!(ran.stdout.ends_with("model\n"), "{ran:?}");
}

#[test]
fn what_nobody_asked_for_is_told() {
    let studio = Studio::new(&[]);
    let _ = studio.record(&script("one", "true"));
    let (_, ran) = studio.replay("print 'nothing'", &[]);
    assert_eq!(ran.code, 0);
    let says = "has 2 answers that nobody asked for: 2 of `fixer` (/query#1)";
    assert!(ran.stderr.contains(says), "{ran:?}");
}

#[test]
fn another_result_of_a_tool_is_a_warning() {
    let studio = Studio::new(&[]);
    // It says another thing in every repository.
    let other = "cat ../../../home/said";
    let room = studio.room();
    std::fs::write(room.home.beside("home").join("said"), "three tests pass in 1.5s\n").unwrap();
    let cassette = room.cassette.display().to_string();
    let recorded =
        crate::home::Ran::of(&mut room.run(&script("go", other), &["--record", &cassette]));
    assert_eq!(recorded.stdout, "It said three tests pass in 1.5s\n\n", "{recorded:?}");
    for (said, warns) in [("three tests pass in 22s\n", false), ("no test passes in 1.5s\n", true)]
    {
        let room = studio.room();
        std::fs::write(room.home.beside("home").join("said"), said).unwrap();
        let flags = ["--replay", &cassette];
        let ran = crate::home::Ran::of(&mut room.run(&script("go", other), &flags));
        assert_eq!((ran.code, &ran.stdout), (0, &recorded.stdout), "{ran:?}");
        let warning = "`fixer`, turn 1: Bash does not answer as recorded\n    \
                       - three tests pass in ⟦duration⟧\n    + no test passes in ⟦duration⟧";
        assert_eq!(ran.stderr.contains(warning), warns, "{ran:?}");
        assert_eq!(ran.stderr.contains("warning"), warns, "{ran:?}");
    }
}

#[test]
fn recorded_results_stand_for_running_commands() {
    let studio = Studio::new(&[]);
    let room = studio.room();
    let mark = |room: &crate::studio::Room| room.home.beside("home").join("mark");
    let source = script("go", "touch ../../../home/mark; pwd");
    let cassette = room.cassette.display().to_string();
    let recorded = crate::home::Ran::of(&mut room.run(&source, &["--record", &cassette]));
    assert!(mark(&room).exists(), "{recorded:?}");
    let (room, ran) = studio.replay(&source, &["--replay-tools"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!mark(&room).exists(), "the command has run");
    assert!(!ran.stderr.contains("warning"), "{ran:?}");
    let (room, ran) = studio.replay(&source, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(mark(&room).exists(), "without the flag it runs");
}
