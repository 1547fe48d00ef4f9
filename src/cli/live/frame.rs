//! The block as lines of text that fit a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use super::fleet::{Mood, Row, View};
use crate::agent::budget::usd;
use crate::cli::progress::thousands;
use crate::cli::terminal::Styles;
use crate::cli::width::{Size, fit, fit_label, left, right, width};

/// The columns for what an agent is doing: before numbers are left out for it, where there are enough, and
/// where somebody has more to tell.
const DOING: (usize, usize, usize) = (20, 32, 72);
/// The columns that numbers take at least, so that they do not push the rest about as they grow.
const NUMBER: usize = 5;
/// What stands between columns.
const GAP: &str = "  ";

/// Returns how many agents have a line on such a terminal; half of it is for what was printed.
pub fn capacity(size: Size) -> usize {
    (size.rows / 2).max(1)
}

/// Returns the lines; none while no agent is on its way.
pub fn lines(view: &View, size: Size, style: &Styles) -> Vec<String> {
    if view.running + view.queued == 0 {
        return Vec::new();
    }
    // The last column stays free: a letter there would make some terminals begin another line.
    let columns = size.columns.saturating_sub(1);
    let plan = Plan::of(&view.rows, columns);
    let mut lines = Vec::new();
    // Where a line has no room for what its agent is doing the counts have to do.
    if plan.doing > 0 {
        lines.extend(view.rows.iter().map(|row| plan.line(row, style)));
    }
    lines.push(footer(view, columns, style));
    lines
}

/// How wide the columns are; 0 for one that is left out.
struct Plan {
    id: usize,
    label: usize,
    turn: usize,
    doing: usize,
    tokens: usize,
    cost: usize,
    elapsed: usize,
}

impl Plan {
    fn of(rows: &[Row], columns: usize) -> Self {
        let widest = |cell: fn(&Row) -> String, least| {
            rows.iter().map(|row| width(&cell(row))).max().unwrap_or(0).max(least)
        };
        let has_cost = rows.iter().any(|row| row.cost_usd.is_some_and(|cost| cost > 0.0));
        let label = (columns / 5).clamp(8, 40);
        let mut plan = Self {
            id: widest(|row| row.id.clone(), 0),
            label: widest(|row| row.label.clone(), 0).min(label),
            turn: widest(turn, 0),
            doing: 0,
            tokens: widest(tokens, NUMBER),
            cost: if has_cost { widest(cost, NUMBER) } else { 0 },
            elapsed: widest(|row| clock(row.elapsed), NUMBER),
        };
        let fewer: [fn(&mut Self); 5] = [
            |plan| plan.tokens = 0,
            |plan| plan.turn = 0,
            |plan| plan.cost = 0,
            |plan| plan.elapsed = 0,
            |plan| plan.label = plan.label.min(8),
        ];
        for leave_out in fewer {
            if columns.saturating_sub(plan.taken()) >= DOING.0 {
                break;
            }
            leave_out(&mut plan);
        }
        let wanted = widest(|row| row.doing.1.clone(), DOING.1).min(DOING.2);
        plan.doing = columns.saturating_sub(plan.taken()).min(wanted);
        plan
    }

    /// Returns the columns of all but what the agent is doing, with what stands between.
    fn taken(&self) -> usize {
        let cells = [self.id, self.label, self.turn, self.tokens, self.cost, self.elapsed];
        let gap = GAP.len();
        // The mark, its blank, and the gap before what it is doing.
        2 + cells.iter().filter(|cell| **cell > 0).map(|cell| cell + gap).sum::<usize>()
    }

    fn line(&self, row: &Row, style: &Styles) -> String {
        let Styles { yellow, green, dim, reset, .. } = style;
        let (mood, doing) = &row.doing;
        let (mark, tint) = match mood {
            Mood::Thinks => (format!("{dim}○{reset}"), *dim),
            Mood::Works => (format!("{green}●{reset}"), ""),
            Mood::Struggles => (format!("{yellow}↻{reset}"), *yellow),
        };
        let mut line = format!(
            "{mark} {}{GAP}{}",
            left(&row.id, self.id),
            left(&fit_label(&row.label, self.label), self.label)
        );
        if self.turn > 0 {
            let _ = write!(line, "{GAP}{dim}{}{reset}", right(&turn(row), self.turn));
        }
        let _ = write!(line, "{GAP}{tint}{}", left(doing, self.doing));
        if !tint.is_empty() {
            line += reset;
        }
        let numbers = [
            (tokens(row), self.tokens),
            (cost(row), self.cost),
            (clock(row.elapsed), self.elapsed),
        ];
        for (number, columns) in numbers.iter().filter(|(_, columns)| *columns > 0) {
            let _ = write!(line, "{GAP}{dim}{}{reset}", right(number, *columns));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn footer(view: &View, columns: usize, style: &Styles) -> String {
    let Styles { red, yellow, green, dim, reset, .. } = style;
    let mut running = format!("{} running", view.running);
    if view.rows.len() < view.running {
        let _ = write!(running, " ({} shown)", view.rows.len());
    }
    let counts = [
        (view.queued, "", "queued"),
        (view.done, green, "done"),
        (view.failed, red, "failed"),
        (view.cancelled, yellow, "cancelled"),
    ];
    let mut agents = vec![running];
    for (count, tint, word) in counts.into_iter().filter(|(count, ..)| *count > 0) {
        let reset = if tint.is_empty() { "" } else { reset };
        agents.push(format!("{tint}{count} {word}{reset}"));
    }
    let mut parts = vec![agents.join(", ")];
    if view.tokens > 0 {
        parts.push(format!("{} tokens", thousands(view.tokens)));
    }
    if view.cost_usd > 0.0 {
        parts.push(usd(view.cost_usd));
    }
    parts.push(clock(view.elapsed));
    // The counts matter most: what does not fit goes from the end, but for them.
    while parts.len() > 1 && width(&parts.join(" · ")) > columns {
        parts.remove(1);
    }
    let footer = parts.join(&format!(" {dim}·{reset} "));
    if width(&footer) <= columns {
        footer
    } else {
        fit(&format!("{} running", view.running), columns)
    }
}

fn turn(row: &Row) -> String {
    format!("{}/{}", row.turn.0, row.turn.1)
}

fn tokens(row: &Row) -> String {
    thousands(row.tokens)
}

fn cost(row: &Row) -> String {
    row.cost_usd.map(usd).unwrap_or_default()
}

/// Shows a time as `42s`, `1m03s` or `2h05m`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cli::width::Size;

    const PLAIN: Styles = Styles { red: "", yellow: "", green: "", bold: "", dim: "", reset: "" };

    fn row(number: u32, label: &str, doing: (Mood, &str), seconds: u64) -> Row {
        Row {
            id: format!("agent-{number:04x}"),
            label: label.to_owned(),
            turn: (number % 20 + 1, 20),
            doing: (doing.0, doing.1.to_owned()),
            tokens: u64::from(number) * 1_234,
            cost_usd: Some(f64::from(number) * 0.021),
            elapsed: Duration::from_secs(seconds),
        }
    }

    fn shown(view: &View, columns: usize) -> String {
        let lines = lines(view, Size { columns, rows: 24 }, &PLAIN);
        for line in &lines {
            assert!(width(line) < columns, "{line:?}");
        }
        lines.join("\n")
    }

    fn three() -> View {
        View {
            rows: vec![
                row(
                    3,
                    "migrate/authentication",
                    (Mood::Works, "Bash npm test -- auth --watch=false"),
                    63,
                ),
                row(9, "billing", (Mood::Thinks, "thinking"), 9),
                row(
                    12,
                    "日本語の説明を書く",
                    (Mood::Struggles, "retry 2 in 8 s: the provider is overloaded"),
                    3_725,
                ),
            ],
            running: 3,
            queued: 1,
            done: 2,
            failed: 1,
            tokens: 84_200,
            cost_usd: 0.42,
            elapsed: Duration::from_secs(75),
            ..View::default()
        }
    }

    #[test]
    fn three_agents_fit_80_columns() {
        insta::assert_snapshot!(shown(&three(), 80), @r"
        ● agent-0003  …authentication   4/20  Bash npm test -- auth --…  $0.0630  1m03s
        ○ agent-0009  billing          10/20  thinking                     $0.19     9s
        ↻ agent-000c  …語の説明を書く  13/20  retry 2 in 8 s: the prov…    $0.25  1h02m
        3 running, 1 queued, 2 done, 1 failed · 84.2k tokens · $0.42 · 1m15s
        ");
    }

    #[test]
    fn three_agents_at_200_columns_are_told_in_full() {
        insta::assert_snapshot!(shown(&three(), 200), @r"
        ● agent-0003  migrate/authentication   4/20  Bash npm test -- auth --watch=false          3702  $0.0630  1m03s
        ○ agent-0009  billing                 10/20  thinking                                    11.1k    $0.19     9s
        ↻ agent-000c  日本語の説明を書く      13/20  retry 2 in 8 s: the provider is overloaded  14.8k    $0.25  1h02m
        3 running, 1 queued, 2 done, 1 failed · 84.2k tokens · $0.42 · 1m15s
        ");
    }

    #[test]
    fn on_a_narrow_terminal_numbers_are_left_out() {
        insta::assert_snapshot!(shown(&three(), 44), @r"
        ● agent-0003  …ication  Bash npm test -- a…
        ○ agent-0009  billing   thinking
        ↻ agent-000c  …を書く   retry 2 in 8 s: th…
        3 running, 1 queued, 2 done, 1 failed
        ");
        for columns in 1..220 {
            shown(&three(), columns);
        }
    }

    #[test]
    fn with_more_agents_than_lines_the_rest_is_counted() {
        let rows = (0..12).map(|number| {
            row(number, &format!("src/module_{number}"), (Mood::Thinks, "thinking"), 5)
        });
        let view = View { rows: rows.collect(), running: 300, cancelled: 4, ..three() };
        let text = shown(&view, 80);
        assert_eq!(text.lines().count(), 13, "{text}");
        insta::assert_snapshot!(text.lines().last().unwrap(), @"300 running (12 shown), 1 queued, 2 done, 1 failed, 4 cancelled · $0.42 · 1m15s");
    }

    #[test]
    fn without_agents_there_is_no_block() {
        assert!(lines(&View::default(), Size { columns: 80, rows: 24 }, &PLAIN).is_empty());
    }
}
