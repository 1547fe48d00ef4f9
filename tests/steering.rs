//! Runs as other processes see and steer them: how each was started and ended is in the journal.

#[path = "support/home.rs"]
mod home;

use agentlua::journal::{RunRow, Store};

use home::Home;

/// An agent with nothing to do.
const IDLE: &str = "local idle = agent.model { reply = function() return 'done' end }\n";

/// Returns the runs of the repository in the working directory.
fn runs(home: &Home) -> Vec<RunRow> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&home.path(".git/agentlua")).await.expect("the store");
        store.runs().await.expect("the runs")
    })
}

fn repository() -> Home {
    let home = Home::new();
    home.repository();
    home
}

#[test]
fn how_a_run_was_started_and_ended_is_written_down() {
    let home = repository();
    for (text, code, status) in [
        ("agent.query { prompt = 'x', model = idle }", 0, "completed"),
        ("agent.query { prompt = 'x', model = idle } error('no')", 1, "failed"),
        ("agent.try_query { prompt = 'x', model = agent.model { reply = error } }", 1, "degraded"),
        ("agent.query { prompt = 'x', model = idle } os.exit(7)", 7, "failed"),
        ("agent.query { prompt = 'x', model = idle, max_turn = 1 }", 2, ""),
    ] {
        let source = format!("{IDLE}{text}");
        home.write("lib/main.lua", &source);
        let before = runs(&home).len();
        let ran = home.run(&["run", "--max-turns=5", "lib/main.lua", "ä", "--quiet"]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let runs = runs(&home);
        if status.is_empty() {
            assert_eq!(runs.len(), before, "a script that starts no agent leaves nothing");
            continue;
        }
        let run = runs.last().expect("a run");
        assert_eq!((run.status.as_deref(), run.exit_code), (Some(status), Some(code)));
        assert!(!run.alive && run.lives == 1 && run.ended_at >= Some(run.started_at));
        assert_eq!(run.script, "lib/main.lua");
        let command = run.command.as_ref().expect("its command");
        assert_eq!(command.script, Some(home.path("lib/main.lua").display().to_string()));
        assert_eq!(command.source, source);
        assert_eq!(command.args, ["ä", "--quiet"]);
        assert_eq!(format!("{}/", command.cwd), home.path("").display().to_string());
        assert_eq!(command.flags, serde_json::json!({ "max_turns": 5 }));
    }
}
