//! `agentlua agents --watch`: the table, kept up to date in place on a terminal; else again for each
//! change. It goes on until somebody ends it: agents of a later run are agents too.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Agents;
use super::agents::table;
use super::look::Look;
use super::terminal::size;
use crate::error::Result;
use crate::host::roster::agent_json;
use crate::journal::{self, AgentRow};

/// How often to look.
const POLL: Duration = Duration::from_millis(250);
/// How often times are brought up to date.
const TICK: Duration = Duration::from_secs(1);

/// Shows the agents until a signal comes or nobody reads.
pub(super) async fn watch(look: &Look, agents: &Agents) -> Result<()> {
    let interrupted = look.interrupted()?;
    let mut shown: Option<(Vec<AgentRow>, Instant)> = None;
    let mut drawn = 0;
    loop {
        let rows = look.host.agents(agents.all).await?;
        let in_place = size().filter(|_| !agents.json);
        let is_new = shown.as_ref().is_none_or(|(before, at)| {
            *before != rows || in_place.is_some() && at.elapsed() >= TICK
        });
        if is_new {
            let goes_on = if agents.json {
                let list: Vec<Value> = rows.iter().map(agent_json).collect();
                look.print(&format!("{}\n", Value::from(list)))
            } else {
                let text = table(&rows, agents.wide, journal::now());
                match in_place {
                    Some(size) => look.print(&redrawn(&text, &mut drawn, size)),
                    // Tables that follow one another are told apart.
                    None if shown.is_some() => look.print(&format!("\n{text}")),
                    None => look.print(&text),
                }
            };
            if !goes_on {
                return Ok(());
            }
            shown = Some((rows, Instant::now()));
        }
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            () = sleep(POLL) => {}
        }
    }
}

/// Returns what draws `text` over what was drawn before, of which `drawn` lines are on the terminal: no
/// more lines than it has, the newest, and none that it would break.
fn redrawn(text: &str, drawn: &mut usize, (columns, lines): (usize, usize)) -> String {
    // The last line is the cursor's.
    let room = lines.saturating_sub(1).max(2);
    let all: Vec<&str> = text.lines().collect();
    let mut screen = Vec::new();
    if all.len() > room {
        let (head, rows) = all.split_at(1);
        let left_out = all.len() - (room - 1);
        screen.extend(head.iter().map(|line| (*line).to_owned()));
        screen.push(format!("… {left_out} before these"));
        screen.extend(rows[rows.len() + 2 - room..].iter().map(|line| (*line).to_owned()));
    } else {
        screen.extend(all.iter().map(|line| (*line).to_owned()));
    }
    let up = if *drawn > 0 { format!("\x1b[{drawn}A") } else { String::new() };
    *drawn = screen.len();
    let fits = |line: String| line.chars().take(columns).collect::<String>() + "\n";
    // Up, to the left, and away with the rest.
    format!("{up}\r\x1b[J{}", screen.into_iter().map(fits).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_is_drawn_over_and_never_more_than_fits() {
        let mut drawn = 0;
        assert_eq!(redrawn("ID\na 12345\n", &mut drawn, (4, 24)), "\r\x1b[JID\na 12\n");
        assert_eq!(redrawn("ID\n", &mut drawn, (4, 24)), "\x1b[2A\r\x1b[JID\n");
        let many = "ID\na\nb\nc\nd\n";
        assert_eq!(
            redrawn(many, &mut drawn, (80, 5)),
            "\x1b[1A\r\x1b[JID\n… 2 before these\nc\nd\n"
        );
        assert_eq!(drawn, 4);
    }
}
