//! `agentlua runs`: what was run in this repository, and how it ended.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::agents::since;
use super::look;
use super::table::columns;
use super::terminal::printable;
use crate::agent::budget::usd;
use crate::error::Result;
use crate::host::roster::Roster;
use crate::journal::{self, AgentRow, RunRow, Status};

/// Runs that are listed unless all are wanted.
const SHOWN: usize = 20;
/// The longest that a script's name may be in the table.
const SCRIPT: usize = 20;

#[derive(Args)]
#[command(
    after_help = "STATUS: running; completed; degraded, when the script ended well and an agent did not;\n\
                  failed; interrupted, when it was called off or its process is gone: `agentlua resume RUN`\n\
                  goes on with one. A run is listed once it has started an agent."
)]
pub(super) struct Runs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// List every run, not only the last 20
    #[arg(long)]
    all: bool,
    /// Repository whose runs to list [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

/// A run with what its agents came to.
struct Line<'a> {
    run: &'a RunRow,
    /// How many agents have each status.
    agents: BTreeMap<&'static str, usize>,
    /// What they have cost; nothing when that is unknown of one that was asked.
    cost_usd: Option<f64>,
}

/// Lists runs and returns the exit code.
pub(super) fn main(runs: &Runs) -> Result<i32> {
    look::with(runs.repo.as_deref(), async |look| {
        let roster = look.host.roster().await?;
        let mut lines = lines(&roster);
        if !runs.all {
            lines.drain(..lines.len().saturating_sub(SHOWN));
        }
        if runs.json {
            look.print_json(&lines.iter().map(Line::to_json).collect::<Vec<_>>())?;
        } else {
            look.print(&table(&lines, journal::now()));
        }
        Ok(0)
    })
}

fn lines(roster: &Roster) -> Vec<Line<'_>> {
    let mut agents: BTreeMap<&str, Vec<&AgentRow>> = BTreeMap::new();
    for row in &roster.agents {
        agents.entry(&row.run).or_default().push(row);
    }
    let of = |run: &RunRow| agents.get(&*run.id).map_or(&[][..], Vec::as_slice);
    roster.runs.iter().map(|run| Line::of(run, of(run))).collect()
}

impl<'a> Line<'a> {
    fn of(run: &'a RunRow, rows: &[&AgentRow]) -> Self {
        let mut agents = BTreeMap::new();
        for row in rows.iter().filter(|row| !row.superseded) {
            *agents.entry(row.status.as_str()).or_default() += 1;
        }
        // What was asked again has cost what it has cost.
        let costs = rows.iter().filter_map(|row| row.cost_usd);
        let sum = costs.fold(None, |sum: Option<f64>, cost| Some(sum.unwrap_or_default() + cost));
        // Whoever was never asked has cost nothing, which says nothing of those that were.
        let is_known = rows.iter().all(|row| row.cost_usd.is_some() || row.turns == 0);
        let cost_usd = sum.filter(|_| is_known);
        Self { run, agents, cost_usd }
    }

    /// Returns the word for how it stands; nothing for a run of which an earlier version did not say.
    fn status(&self) -> Option<&str> {
        match &self.run.status {
            Some(status) => Some(status),
            None if self.run.alive => Some("running"),
            None if self.run.command.is_some() => Some("interrupted"),
            None if self.agents.contains_key(Status::Interrupted.as_str()) => Some("interrupted"),
            None => None,
        }
    }

    /// Returns the agents as `4 (1 failed, 1 running)`: how many, and those that have not ended well.
    fn counts(&self) -> String {
        let total: usize = self.agents.values().sum();
        let rest = self.agents.iter().filter(|(status, _)| **status != Status::Completed.as_str());
        let rest: Vec<String> = rest.map(|(status, count)| format!("{count} {status}")).collect();
        if rest.is_empty() { total.to_string() } else { format!("{total} ({})", rest.join(", ")) }
    }

    fn to_json(&self) -> Value {
        let run = self.run;
        let command = run.command.as_ref();
        json!({
            "id": run.id,
            "status": self.status(),
            "script": run.script,
            "args": command.map(|command| &command.args),
            "detached": command.is_some_and(|command| command.detached),
            "agents": self.agents,
            "cost_usd": self.cost_usd,
            "exit_code": run.exit_code,
            "started_at": run.started_at / 1000,
            "ended_at": run.ended_at.filter(|_| run.status.is_some()).map(|at| at / 1000),
            "lives": run.lives,
        })
    }
}

fn table(lines: &[Line<'_>], now: i64) -> String {
    if lines.is_empty() {
        // A pipe gets no words that are not rows.
        let terminal = std::io::stdout().is_terminal();
        return if terminal {
            "no run has started an agent here\n".to_owned()
        } else {
            String::new()
        };
    }
    let head = ["ID", "STATUS", "SCRIPT", "AGENTS", "COST", "STARTED"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let dash = || "-".to_owned();
    rows.extend(lines.iter().map(|line| {
        vec![
            line.run.id.clone(),
            line.status().map_or_else(dash, str::to_owned),
            script(&line.run.script),
            line.counts(),
            line.cost_usd.map_or_else(dash, usd),
            since(now - line.run.started_at),
        ]
    }));
    columns(&rows)
}

/// Returns a script's name, its end if it is long: that is where names differ.
fn script(name: &str) -> String {
    let name = printable(name);
    match name.chars().count().checked_sub(SCRIPT) {
        None | Some(0) => name,
        Some(over) => std::iter::once('…').chain(name.chars().skip(over + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Command;

    #[test]
    fn each_run_has_a_line_with_how_it_stands() {
        let now = 1_000_000_000;
        let run = |id: &str, status: Option<&str>, alive, ago: i64| RunRow {
            id: id.into(),
            script: format!("scripts/{id}/migrate_everything.lua"),
            command: Some(Command::default()),
            status: status.map(Into::into),
            started_at: now - ago * 1_000,
            alive,
            ..RunRow::default()
        };
        let agent = |run: &str, status, cost_usd| AgentRow {
            run: run.into(),
            status,
            cost_usd,
            ..AgentRow::default()
        };
        let agents = [
            agent("run-2", Status::Completed, Some(0.5)),
            agent("run-2", Status::Failed, Some(0.25)),
            AgentRow { superseded: true, ..agent("run-2", Status::Failed, Some(0.25)) },
            agent("run-4", Status::Completed, None),
            agent("run-4", Status::Running, None),
            AgentRow { turns: 2, ..agent("run-5", Status::Completed, None) },
            agent("run-5", Status::Cancelled, Some(0.0)),
        ];
        let runs = [
            RunRow { command: None, script: "old.lua".into(), ..run("run-1", None, false, 90_000) },
            run("run-2", Some("degraded"), false, 7_200),
            run("run-3", None, false, 600),
            run("run-4", None, true, 5),
            run("run-5", Some("completed"), false, 5),
        ];
        let own = |run: &RunRow| agents.iter().filter(|row| row.run == run.id).collect::<Vec<_>>();
        let lines: Vec<Line<'_>> = runs.iter().map(|run| Line::of(run, &own(run))).collect();
        insta::assert_snapshot!(table(&lines, now), @r"
        ID     STATUS       SCRIPT                AGENTS           COST   STARTED
        run-1  -            old.lua               0                -      1d ago
        run-2  degraded     …rate_everything.lua  2 (1 failed)     $1.00  2h ago
        run-3  interrupted  …rate_everything.lua  0                -      10m ago
        run-4  running      …rate_everything.lua  2 (1 running)    -      5s ago
        run-5  completed    …rate_everything.lua  2 (1 cancelled)  -      5s ago
        ");
    }
}
