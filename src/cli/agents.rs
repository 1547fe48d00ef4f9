//! `agentlua agents`: the agents of this repository, from whatever process.

use std::io::IsTerminal;

use serde_json::Value;

use super::progress::thousands;
use super::table::{columns, size};
use super::terminal::printable;
use super::{Agents, look, watch};
use crate::agent::budget::usd;
use crate::error::Result;
use crate::git::worktree::Contents;
use crate::host::roster::agent_json;
use crate::journal::{self, AgentRow};

/// Lists agents and returns the exit code.
pub(super) fn main(agents: &Agents) -> Result<i32> {
    look::with(agents.repo.as_deref(), async |look| {
        if agents.watch {
            return watch::watch(look, agents).await.map(|()| 0);
        }
        let rows = look.host.agents(agents.all).await?;
        if agents.json {
            look.print_json(&rows.iter().map(agent_json).collect::<Vec<Value>>())?;
        } else {
            look.print(&table(&rows, agents.wide, journal::now()));
        }
        Ok(0)
    })
}

/// Returns the rows in columns.
pub(super) fn table(rows: &[AgentRow], wide: bool, now: i64) -> String {
    if rows.is_empty() {
        // A pipe gets no words that are not rows.
        return if std::io::stdout().is_terminal() {
            "no agents here; `agentlua agents --all` lists those that left nothing behind\n"
                .to_owned()
        } else {
            String::new()
        };
    }
    let mut lines = vec![header(wide)];
    lines.extend(rows.iter().map(|row| cells(row, wide, now)));
    columns(&lines)
}

fn header(wide: bool) -> Vec<String> {
    let mut names = vec!["ID", "STATUS", "BRANCH", "SINCE"];
    if wide {
        names.extend(["RUN", "LABEL", "TURNS", "TOKENS", "COST", "SIZE", "WORKTREE"]);
    }
    names.into_iter().map(str::to_owned).collect()
}

fn cells(row: &AgentRow, wide: bool, now: i64) -> Vec<String> {
    let dash = || "-".to_owned();
    let mut cells = vec![
        row.id.clone(),
        row.status.as_str().to_owned(),
        row.branch.clone().unwrap_or_else(dash),
        since(now - row.status_at),
    ];
    if wide {
        let worktree = row.worktree_path.as_ref().filter(|path| path.exists());
        cells.extend([
            row.run.clone(),
            printable(&row.label),
            row.turns.to_string(),
            format!(
                "{}/{}",
                thousands(row.usage.total_input()),
                thousands(row.usage.output_tokens)
            ),
            row.cost_usd.map_or_else(dash, usd),
            worktree.map_or_else(dash, |path| worktree_size(path)),
            worktree.map_or_else(dash, |path| path.display().to_string()),
        ]);
    }
    cells
}

/// Returns a time span as `5m ago`.
pub(super) fn since(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s ago"),
        60..3_600 => format!("{}m ago", seconds / 60),
        3_600..86_400 => format!("{}h ago", seconds / 3_600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// Returns what the files in a worktree take.
fn worktree_size(path: &std::path::Path) -> String {
    Contents::of(path).map_or_else(|_| "?".to_owned(), |contents| size(contents.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Status;

    #[test]
    fn columns_line_up_and_times_are_short() {
        let row = |id: &str, status, branch: Option<&str>, ago: i64| AgentRow {
            id: id.into(),
            status,
            branch: branch.map(Into::into),
            status_at: 1_000_000_000 - ago * 1_000,
            ..AgentRow::default()
        };
        let rows = [
            row("agent-a3f2", Status::Running, Some("fix/auth"), 12),
            row("agent-b1", Status::Interrupted, None, 3_700),
            row("agent-c2d4", Status::Completed, Some("x"), 200_000),
        ];
        insta::assert_snapshot!(table(&rows, false, 1_000_000_000), @r"
        ID          STATUS       BRANCH    SINCE
        agent-a3f2  running      fix/auth  12s ago
        agent-b1    interrupted  -         1h ago
        agent-c2d4  completed    x         2d ago
        ");
    }
}
