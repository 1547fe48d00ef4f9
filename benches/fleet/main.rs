//! `cargo bench --bench fleet [-- start|folders|worktrees|five_hundred]`: what the README says about
//! speed, measured beside what agentlua is compared with, in the same run.
//!
//! The model is the stand-in of the tests, a process of its own whose CPU is listed but counted to
//! nobody. Contenders take turns, so that a loaded machine troubles them alike; compare ratios.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "../bed/cost.rs"]
mod cost;
#[path = "../bed/field.rs"]
mod field;
mod opposite;
#[path = "../bed/table.rs"]
mod table;

#[path = "../../tests/standin/mod.rs"]
mod standin;

use std::process::Command;

use cost::Cost;
use field::Field;
use opposite::Standin;
use table::Row;

const AGENTLUA: &str = env!("CARGO_BIN_EXE_agentlua");
const BENCHES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches");
const LATENCY_MS: &str = "50";
const EDIT: &str = "[[scenario peers file=count.txt command=true]]";
const LOOK: &str = "[[scenario look file=count.txt command=true turns=4]]";

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    match args.next().as_deref() {
        Some(cost::ARG) => cost::main(args),
        Some(opposite::STANDIN_ARG) => opposite::standin_main(),
        only => {
            print!("{}", table::machine(AGENTLUA));
            let suites: [(&str, fn()); 4] = [
                ("start", start),
                ("folders", folders),
                ("worktrees", worktrees),
                ("five_hundred", five_hundred),
            ];
            for (name, suite) in suites {
                if only.is_none_or(|only| only == name) {
                    suite();
                }
            }
        }
    }
}

/// From nothing to the end of a script that prints one line.
fn start() {
    let field = Field::new();
    let mut rows = vec![Row::new("agentlua run hello.lua"), Row::new("node hello.mjs")];
    for _ in 0..30 {
        let mut agentlua = field.command(AGENTLUA);
        rows[0].add(measured(agentlua.args(["run", "--quiet"]).arg(bench("hello.lua")), "hello"));
        rows[1].add(measured(field.command("node").arg(bench("hello.mjs")), "hello"));
    }
    assert_eq!(written(&field), Vec::<String>::new(), "a run without agents writes nothing");
    table::print("Start: a script that prints one line, 30 runs", &rows);
}

/// 32 agents in folders that are there: read, edit, run a command, answer.
fn folders() {
    let (field, standin) = (Field::new(), Standin::start(LATENCY_MS));
    let mut rows = vec![Row::new("agentlua, 32 agents"), Row::new("hand-written node loop, 32")];
    for _ in 0..9 {
        field.fill_folders(32);
        rows[0].add(standin.beside(|| in_folders(&field, &standin, 32, EDIT)));
        field.fill_folders(32);
        rows[1].add(standin.beside(|| in_node(&field, &standin, 32, EDIT)));
    }
    standin.end();
    table::print("32 agents in folders made beforehand, 4 turns, 50 ms latency, 9 runs", &rows);
}

/// 32 agents in worktrees of their own, and the same git commands by hand.
fn worktrees() {
    let (field, standin) = (Field::new(), Standin::start(LATENCY_MS));
    let mut rows = vec![
        Row::new("agentlua, 32 agents, own worktrees"),
        Row::new("agentlua, 32 agents, folders"),
        Row::new("git by hand, 32 worktrees"),
    ];
    for _ in 0..9 {
        field.fill_repository(1_000);
        rows[0].add(standin.beside(|| {
            let mut command = agentlua(&field, &standin, 32, EDIT);
            measured(&mut command, "done 32")
        }));
        field.fill_folders(32);
        rows[1].add(standin.beside(|| in_folders(&field, &standin, 32, EDIT)));
        field.fill_repository(1_000);
        let mut by_hand = field.command(&bench("git_by_hand.sh"));
        by_hand.arg("32").arg(field.repository()).arg(field.worktrees());
        rows[2].add(measured(&mut by_hand, "done 32"));
    }
    standin.end();
    table::print(
        "32 agents in worktrees of a repository with 1,000 files, 4 turns, 50 ms latency, 9 runs",
        &rows,
    );
    // Round by round, as the machine's mood changes between rounds more than within one.
    let rounds = (0..rows[0].runs.len()).map(|round| {
        let cpu = |row: usize| rows[row].runs[round].cpu;
        (cpu(0) - cpu(1)) / cpu(2)
    });
    println!("CPU that worktrees add, by that of git by hand: {}\n", table::spread(rounds));
}

/// 500 agents at once, each with a Read and a Bash in three of four turns.
fn five_hundred() {
    let (field, standin) = (Field::new(), Standin::start(LATENCY_MS));
    let mut rows = vec![Row::new("agentlua, 500 agents"), Row::new("hand-written node loop, 500")];
    field.fill_folders(500);
    for _ in 0..5 {
        rows[0].add(standin.beside(|| in_folders(&field, &standin, 500, LOOK)));
        rows[1].add(standin.beside(|| in_node(&field, &standin, 500, LOOK)));
    }
    standin.end();
    table::print("500 agents at once, 4 turns, 50 ms latency, 5 runs", &rows);
}

/// Returns what was written to the home and beside it.
fn written(field: &Field) -> Vec<String> {
    let home = field.repository().with_file_name("home");
    let dirs = [home, field.folders(), field.worktrees(), field.repository()];
    let entries = dirs.iter().flat_map(|dir| std::fs::read_dir(dir).expect("a folder"));
    entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect()
}

fn bench(file: &str) -> String {
    format!("{BENCHES}/{file}")
}

fn agentlua(field: &Field, standin: &Standin, count: u32, prompt: &str) -> Command {
    let mut command = field.command(AGENTLUA);
    command.args(["run", "--quiet", "--concurrency", &count.to_string()]);
    command.args(["--model", "anthropic/claude-standin"]).arg(bench("fleet.lua"));
    command.args([&count.to_string(), prompt]).current_dir(field.repository());
    command.env("ANTHROPIC_BASE_URL", standin.url()).env("ANTHROPIC_API_KEY", "none");
    command
}

fn in_folders(field: &Field, standin: &Standin, count: u32, prompt: &str) -> Cost {
    let mut command = agentlua(field, standin, count, prompt);
    command.arg(field.folders()).current_dir(field.folders());
    measured(&mut command, &format!("done {count}"))
}

fn in_node(field: &Field, standin: &Standin, count: u32, prompt: &str) -> Cost {
    let mut command = field.command("node");
    command.arg(bench("node_loop.mjs")).args([&count.to_string(), prompt]).arg(field.folders());
    command.env("ANTHROPIC_BASE_URL", standin.url()).env("ANTHROPIC_API_KEY", "none");
    measured(&mut command, &format!("done {count}"))
}

/// Runs `command`, which must end well and print `expected`.
fn measured(command: &mut Command, expected: &str) -> Cost {
    let (cost, output) = cost::of(command);
    assert_eq!(output.trim(), expected, "{command:?}");
    cost
}
