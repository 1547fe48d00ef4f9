//! Twenty agents, recorded over HTTP and played in every order and at every pace.

use std::process::Command;

use crate::home::Ran;
use crate::stage::{Stage, Wire};
use crate::studio::{BRANCHES, Room, Studio, shown, trees};

/// Twenty agents read, edit and run a command on branches of their own; what each said and cost, and
/// whether it was verified, is printed in the order of their names.
const FLEET: &str = r#"
local jobs = {}
for number = 1, 20 do
  jobs[string.format("job%02d", number)] = {
    prompt = ("job %d: [[scenario edit file=src/f%d.txt from=\"value=0\" to=\"value=%d\" command=\"pwd; date; git rev-parse HEAD\"]]")
      :format(number, number, number),
    branch = "job/" .. number,
    verify = "grep -q value=" .. number .. " src/f" .. number .. ".txt",
  }
end
local done = agent.all(jobs)
local names = {}
for name in pairs(done) do table.insert(names, name) end
table.sort(names)
for _, name in ipairs(names) do
  local outcome = done[name]
  print(name, outcome.result, outcome.num_turns, outcome.usage.output_tokens, outcome.files_changed[1])
end
"#;

fn files() -> Vec<(String, String)> {
    (1..=20).map(|n| (format!("src/f{n}.txt"), format!("name=f{n}\nvalue=0\n"))).collect()
}

fn played(room: &Room, concurrency: &str) -> Command {
    let flags = ["--replay", &shown(&room.cassette), "--concurrency", concurrency];
    let mut command = room.run(FLEET, &flags);
    command.env("AGENTLUA_REPLAY_DELAY_MS", "60");
    command
}

#[test]
fn twenty_agents_are_the_same_in_every_replay() {
    let files = files();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let studio = Studio::new(&files);
    for wire in Wire::BOTH {
        let stage = Stage::new(wire, &[]);
        for (name, text) in &files {
            stage.repo.write(name, text);
        }
        stage.repo.commit("files");
        // As the rooms have it: the same files, and no more.
        stage.repo.git(&["rm", "--quiet", "README.md"]);
        stage.repo.commit("no readme");
        let cassette = shown(&studio.cassette());
        let recorded = stage.run(FLEET, &["--record", &cassette, "--concurrency", "20"]);
        assert_eq!(recorded.code, 0, "{recorded:?}");
        assert!(recorded.stdout.contains("job20\tEdited src/f20.txt.\t4\t"), "{recorded:?}");
        let mut expected = trees(&stage.repo.git(&BRANCHES));
        expected.remove("main");
        assert_eq!(expected.len(), 20);
        let requests = stage.report()["requests"].clone();
        drop(stage);
        assert!(!studio.text().contains("sk-dummy"), "no key is kept");
        let replays = if wire == Wire::Anthropic { 10 } else { 1 };
        for replay in 0..replays {
            let room = studio.room();
            let concurrency = ["20", "1", "4", "7", "13"][replay % 5];
            let ran = Ran::of(&mut played(&room, concurrency));
            assert_eq!(ran.code, 0, "{replay}: {ran:?}");
            assert_eq!(ran.stdout, recorded.stdout, "{replay}: {requests}");
            assert!(!ran.stderr.contains("warning"), "{replay}: {ran:?}");
            assert!(!ran.stderr.contains("nobody asked for"), "{replay}: {ran:?}");
            let mut got = room.trees();
            got.remove("main");
            assert_eq!(got, expected, "{replay}");
        }
    }
}
