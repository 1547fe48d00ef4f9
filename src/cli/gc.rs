//! `agentlua gc`: what agents left and nothing needs any more goes; why, for each.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::Arc;

use serde_json::{Value, json};

use super::table::{columns, size};
use super::terminal::say;
use super::{Gc, look};
use crate::error::Result;
use crate::host::gc::{Sweep, Swept};

/// Removes what may go and returns the exit code.
pub(super) fn main(gc: &Gc) -> Result<i32> {
    look::with(gc.repo.as_deref(), async |look| {
        let sweep = Arc::clone(&look.host).gc(gc.dry_run).await?;
        if gc.json {
            look.print_json(&json_of(&sweep))?;
        } else {
            look.print(&table(&sweep, gc.dry_run));
            say(&summary(&sweep, gc.dry_run));
        }
        Ok(0)
    })
}

fn json_of(sweep: &Sweep) -> Value {
    let leftovers = sweep
        .leftovers
        .iter()
        .map(|left| json!({ "path": left.path.display().to_string(), "bytes": left.bytes }));
    json!({
        "agents": sweep.agents.iter().map(Swept::to_json).collect::<Vec<Value>>(),
        "leftovers": leftovers.collect::<Vec<Value>>(),
    })
}

/// Returns the rows in columns.
fn table(sweep: &Sweep, dry: bool) -> String {
    if sweep.agents.is_empty() {
        // A pipe gets no words that are not rows.
        let terminal = std::io::stdout().is_terminal();
        return if terminal { "no agent left anything here\n".to_owned() } else { String::new() };
    }
    let goes = if dry { "would go" } else { "removed" };
    let mut rows = vec![["ID", "BRANCH", "SIZE", "VERDICT"].map(str::to_owned).to_vec()];
    rows.extend(sweep.agents.iter().map(|swept| {
        let verdict = if swept.goes { goes } else { "kept" };
        let dash = || "-".to_owned();
        vec![
            swept.id.clone(),
            swept.branch.clone().unwrap_or_else(dash),
            swept.worktree_path.as_ref().map_or_else(dash, |_| size(swept.bytes)),
            format!("{verdict}: {}", swept.why),
        ]
    }));
    columns(&rows)
}

/// Returns what there is to say at the end.
fn summary(sweep: &Sweep, dry: bool) -> String {
    let going = sweep.going().count();
    let sum = |of: fn(&Swept) -> u64| sweep.going().map(of).sum::<u64>();
    let mut lines = String::new();
    if going > 0 {
        let (bytes, files) = (sum(|swept| swept.bytes), sum(|swept| swept.ignored.0));
        let gone = if dry { "would go" } else { "removed" };
        let _ = write!(lines, "{going} {gone}");
        if bytes > 0 {
            let _ = write!(lines, ": {}", size(bytes));
        }
        if files > 0 {
            let noun = if files == 1 { "file" } else { "files" };
            let bytes = size(sum(|swept| swept.ignored.1));
            let _ = write!(lines, ", of it {bytes} in {files} {noun} that git ignores");
        }
        lines.push('\n');
    }
    let kept = sweep.agents.len() - going;
    if kept > 0 {
        let how = "`agentlua rm --force ID` removes one all the same";
        let _ = writeln!(lines, "{kept} kept; {how}");
    }
    if !sweep.leftovers.is_empty() {
        let bytes = size(sweep.leftovers.iter().map(|left| left.bytes).sum());
        let gone = if dry { "would go" } else { "removed" };
        let count = sweep.leftovers.len();
        let _ = writeln!(lines, "left by dead processes, {gone}: {count} ({bytes})");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_says_what_became_of_it_and_why() {
        let swept = |id: &str, branch: Option<&str>, bytes, goes, why: &str| Swept {
            id: id.into(),
            branch: branch.map(Into::into),
            worktree_path: (bytes > 0).then(|| "/w".into()),
            bytes,
            ignored: (u64::from(goes), 1_000),
            takes_branch: true,
            goes,
            why: why.into(),
        };
        let sweep = Sweep {
            agents: vec![
                swept("agent-a3f2", Some("fix/auth"), 12_000_000, true, "merged into `main`"),
                swept("agent-b1", Some("x"), 0, true, "empty"),
                swept("agent-c2d4", Some("wip"), 900, false, "uncommitted changes: 2 files"),
            ],
            leftovers: Vec::new(),
        };
        insta::assert_snapshot!(table(&sweep, true) + &summary(&sweep, true), @r"
        ID          BRANCH    SIZE  VERDICT
        agent-a3f2  fix/auth  12M   would go: merged into `main`
        agent-b1    x         -     would go: empty
        agent-c2d4  wip       1K    kept: uncommitted changes: 2 files
        2 would go: 12M, of it 2K in 2 files that git ignores
        1 kept; `agentlua rm --force ID` removes one all the same
        ");
    }
}
