//! `cargo bench --bench journal [-- AGENTS]`: what the journal takes for each of many trivial agents, in bytes
//! on the disk and in CPU of the thread that writes it, and whether anything is missing from it.
//!
//! The model is a function of the script that answers at once, so the agents do nothing but begin, ask and
//! end. The thread's CPU is read from the process while it runs; the whole process's is beside it.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "../bed/field.rs"]
#[expect(dead_code, reason = "shared with benches of agents that have folders")]
mod field;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use field::Field;
use rusqlite::Connection;

const AGENTLUA: &str = env!("CARGO_BIN_EXE_agentlua");
/// Ticks of a second in `/proc`.
const TICKS: f64 = 100.0;

const SCRIPT: &str = r#"
local model = agent.model { reply = function() return "done" end }
local count = math.tointeger(arg[1])
local queries = {}
for i = 1, count do
  queries[i] = { prompt = "agent " .. i, model = model }
end
local done = 0
for _, outcome in agent.iter(queries, { limit = 100 }) do
  done = done + (outcome.ok and 1 or 0)
end
print(done)
"#;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let agents: u32 = args.next().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let field = Field::new();
    let script = field.folders().join("main.lua");
    std::fs::write(&script, SCRIPT).expect("the script");
    let mut command = field.command(AGENTLUA);
    command.args(["run", "--quiet", "--concurrency", "100"]).arg(&script).arg(agents.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("agentlua starts");
    let process = Path::new("/proc").join(child.id().to_string());
    let (mut journal, mut whole) = (0.0, 0.0);
    while child.try_wait().expect("it can be asked").is_none() {
        journal = thread_cpu(&process, "journal").unwrap_or(journal);
        whole = cpu(&process.join("stat")).unwrap_or(whole);
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("its output");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        agents.to_string(),
        "all of them end"
    );

    // Outside of every repository.
    let file = field.folders().join("../home/.local/state/agentlua/runs/journal.db");
    let bytes =
        ["", "-wal"].map(|end| size(&file.with_extension(format!("db{end}")))).iter().sum::<u64>();
    let connection = Connection::open(&file).expect("the journal");
    let one = |sql: &str| -> u32 { connection.query_row(sql, [], |row| row.get(0)).expect(sql) };
    assert_eq!(one("SELECT count(*) FROM agent WHERE outcome IS NOT NULL"), agents, "outcomes");
    assert_eq!(one("SELECT count(DISTINCT agent) FROM transcript"), agents, "conversations");
    assert_eq!(one("SELECT count(DISTINCT agent) FROM event"), agents, "events");
    let sql = "SELECT count(*) FROM (SELECT count(*) AS n FROM event WHERE agent IS NOT NULL GROUP BY agent) \
               GROUP BY n";
    let kinds = connection.prepare(sql).and_then(|mut found| {
        found.query_map([], |row| row.get::<_, u32>(0))?.collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(kinds.expect("counts"), [agents], "every agent has as many events as every other");

    let each = |total: f64| total / f64::from(agents);
    println!("### The journal of {agents} trivial agents\n");
    println!("| | for each agent |\n|---|---|");
    println!("| bytes on the disk | {:.0} |", each(bytes as f64));
    println!("| CPU of the journal's thread, µs | {:.0} |", each(journal) * 1e6);
    println!("| CPU of the whole process, µs | {:.0} |", each(whole) * 1e6);
    println!("| events | {:.0} |", each(f64::from(one("SELECT count(*) FROM event"))));
}

fn size(file: &Path) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}

/// Returns the CPU seconds of the thread of this name.
fn thread_cpu(process: &Path, name: &str) -> Option<f64> {
    std::fs::read_dir(process.join("task")).ok()?.flatten().find_map(|thread| {
        let comm = std::fs::read_to_string(thread.path().join("comm")).ok()?;
        (comm.trim() == name).then(|| cpu(&thread.path().join("stat")))?
    })
}

/// Returns the CPU seconds that a `stat` file tells of.
fn cpu(stat: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(stat).ok()?;
    // The name in parentheses may have spaces.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok());
    Some((ticks(11)? + ticks(12)?) / TICKS)
}
