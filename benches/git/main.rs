//! `cargo bench --bench git [-- life|turns|conflicts|merges]`: what agentlua's care for the repository
//! costs, measured beside the git commands that a person would type, in the same run.
//!
//! The models are written in Lua and answer at once. What agents cost that work in plain folders is
//! measured too, and taken off: what is left is what worktrees, commits and snapshots take.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "../bed/cost.rs"]
mod cost;
#[path = "../bed/field.rs"]
mod field;
mod history;
#[path = "../bed/table.rs"]
mod table;

use std::process::Command;

use cost::Cost;
use field::Field;
use table::Row;

const AGENTLUA: &str = env!("CARGO_BIN_EXE_agentlua");
const BENCHES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/git");

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    match args.next().as_deref() {
        Some(cost::ARG) => cost::main(args),
        only => {
            print!("{}", table::machine(AGENTLUA));
            let suites: [(&str, fn()); 4] =
                [("life", life), ("turns", turns), ("conflicts", conflicts), ("merges", merges)];
            for (name, suite) in suites {
                if only.is_none_or(|only| only == name) {
                    suite();
                }
            }
        }
    }
}

/// The whole life of worktrees.
fn life() {
    println!("### The life of a worktree: made, one file written and committed, left\n");
    println!("| files | refs | what | agentlua, CPU ms | by hand, CPU ms | ratio |");
    println!("|---|---|---|---|---|---|");
    for (files, refs, agents, rounds) in
        [(100, 1, 8, 7), (1_000, 1, 8, 7), (1_000, 2_000, 8, 7), (10_000, 1, 3, 7)]
    {
        let field = Field::new();
        field.fill_repository(files);
        field.add_refs(refs - 1);
        field.keep();
        for (what, prompt, plain, end) in [
            ("kept", "write 1", "write 1", "keep"),
            ("kept, committed by the agent", "commit 1", "bash 1", "keep"),
            ("removed", "write 1", "write 1", "remove"),
        ] {
            let rounds: Vec<_> = (0..rounds)
                .map(|_| {
                    let ours = in_worktrees(&field, agents, prompt, end);
                    (ours, in_folders(&field, agents, plain), by_hand(&field, agents, 1, end))
                })
                .collect();
            let each = |cpu: fn(&(Cost, Cost, Cost)) -> f64| {
                1e3 * median(rounds.iter().map(cpu)) / f64::from(agents)
            };
            println!(
                "| {files} | {refs} | {what} | {:.1} | {:.1} | {} |",
                each(|(ours, folders, _)| ours.cpu - folders.cpu),
                each(|(_, _, hand)| hand.cpu),
                table::spread(
                    rounds.iter().map(|(ours, folders, hand)| (ours.cpu - folders.cpu) / hand.cpu)
                ),
            );
        }
    }
    println!();
}

/// What each turn adds: 21 turns beside one.
fn turns() {
    println!("### A turn: what its snapshot takes, beside `git add -A && git commit` by hand\n");
    println!(
        "| files | a turn that | agentlua, ms wall | CPU ms | by hand, ms wall | CPU ms | ratio of CPU |"
    );
    println!("|---|---|---|---|---|---|---|");
    for files in [1_000, 10_000] {
        let field = Field::new();
        field.fill_repository(files);
        field.keep();
        for (what, tool) in [
            ("wrote a file with Write", "write"),
            ("wrote a file with Bash", "bash"),
            ("ran a command and wrote nothing", "look"),
        ] {
            let mut rounds = Vec::new();
            for _ in 0..5 {
                let mut added = [Cost::default(); 2];
                for (turns, sign) in [(21, 1.0), (1, -1.0)] {
                    let prompt = format!("{tool} {turns}");
                    let ours = in_worktrees(&field, 1, &prompt, "keep");
                    let folder = in_folders(&field, 1, &prompt);
                    let hand = by_hand(&field, 1, turns, "keep");
                    added[0].wall += sign * (ours.wall - folder.wall) / 20.0;
                    added[0].cpu += sign * (ours.cpu - folder.cpu) / 20.0;
                    added[1].wall += sign * hand.wall / 20.0;
                    added[1].cpu += sign * hand.cpu / 20.0;
                }
                rounds.push(added);
            }
            let ms = |figure: fn(&[Cost; 2]) -> f64| 1e3 * median(rounds.iter().map(figure));
            println!(
                "| {files} | {what} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
                ms(|round| round[0].wall),
                ms(|round| round[0].cpu),
                ms(|round| round[1].wall),
                ms(|round| round[1].cpu),
                table::spread(rounds.iter().map(|[ours, hand]| ours.cpu / hand.cpu)),
            );
        }
    }
    println!();
}

/// Every pair of 20 branches.
fn conflicts() {
    let field = Field::new();
    field.fill_repository(10_000);
    field.branch_off(20);
    let mut rows = vec![Row::new("git.conflicts"), Row::new("git merge-tree for each pair")];
    for _ in 0..9 {
        let mut ours = script(&field, "conflicts.lua");
        rows[0].add(measured(ours.arg("20"), "done 15"));
        let mut hand = field.command(&bench("conflicts.sh"));
        rows[1].add(measured(hand.arg("20").current_dir(field.repository()), "done 15"));
    }
    table::print(
        "`agentlua run` of a script that asks which of 20 branches clash, 190 pairs, 10,000 files, 9 runs",
        &rows,
    );
}

/// Merges into the branch that is checked out.
fn merges() {
    let field = Field::new();
    field.fill_repository(10_000);
    field.branch_off(20);
    field.keep();
    let mut rows = vec![Row::new("git.merge, 10 times"), Row::new("git merge, 10 times")];
    for _ in 0..9 {
        field.reset();
        let mut ours = script(&field, "merges.lua");
        rows[0].add(measured(ours.arg("10"), "done 10"));
        field.reset();
        let mut hand = field.command(&bench("merges.sh"));
        rows[1].add(measured(hand.arg("10").current_dir(field.repository()), "done 10"));
    }
    table::print("Ten branches into the checked-out one, 10,000 files, 9 runs", &rows);
}

fn in_worktrees(field: &Field, agents: u32, prompt: &str, end: &str) -> Cost {
    field.reset();
    let mut command = script(field, "life.lua");
    command.args([&agents.to_string(), prompt, end]);
    measured(&mut command, &format!("done {agents}"))
}

fn in_folders(field: &Field, agents: u32, prompt: &str) -> Cost {
    for number in 1..=agents {
        let out = field.folders().join(format!("{number}/out"));
        if out.exists() {
            std::fs::remove_dir_all(out).expect("a folder to empty");
        }
    }
    field.fill_folders(agents as usize);
    let mut command = script(field, "life.lua");
    command.args([&agents.to_string(), prompt]).arg(field.folders()).current_dir(field.folders());
    measured(&mut command, &format!("done {agents}"))
}

fn by_hand(field: &Field, agents: u32, turns: u32, end: &str) -> Cost {
    field.reset();
    let mut command = field.command(&bench("life.sh"));
    command.args([&agents.to_string(), &turns.to_string(), end]);
    command.arg(field.repository()).arg(field.worktrees());
    measured(&mut command, &format!("done {agents}"))
}

fn script(field: &Field, name: &str) -> Command {
    let mut command = field.command(AGENTLUA);
    command.args(["run", "--quiet", "--concurrency", "8", "--model", &bench("model.lua")]);
    command.arg(bench(name));
    command.current_dir(field.repository());
    command
}

fn bench(file: &str) -> String {
    format!("{BENCHES}/{file}")
}

/// Runs `command`, which must end well and print `expected`.
fn measured(command: &mut Command, expected: &str) -> Cost {
    let (cost, output) = cost::of(command);
    assert_eq!(output.trim(), expected, "{command:?}");
    cost
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
