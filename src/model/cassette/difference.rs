//! How two texts differ, in a few lines for people: a unified diff whose long lines are cut down to
//! where they differ.

use std::fmt::Write as _;
use std::time::Duration;

use similar::{ChangeTag, TextDiff};

/// Lines that stay as they are, around each difference.
const CONTEXT: usize = 1;
/// The longest line shown, in characters.
const WIDTH: usize = 140;
/// What is shown of a line before it differs from its counterpart, in characters.
const LEAD: usize = 40;
/// How long to look for the shortest difference of two texts.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long to look at how alike two texts are: many are looked at.
const GLANCE_TIME: Duration = Duration::from_millis(10);
/// How much of two texts is looked at to see how alike they are, in bytes.
const GLANCE: usize = 4000;

/// Returns the differences, at most `most` lines of them; empty for equal texts.
pub fn between(recorded: &str, asked: &str, most: usize) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(recorded, asked);
    let mut lines: Vec<(char, String)> = Vec::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push((' ', "…".to_owned()));
        }
        for op in group {
            let (mut gone, mut come, mut same) = (Vec::new(), Vec::new(), Vec::new());
            for change in diff.iter_changes(op) {
                let line = change.value().trim_end_matches('\n');
                match change.tag() {
                    ChangeTag::Delete => gone.push(line),
                    ChangeTag::Insert => come.push(line),
                    ChangeTag::Equal => same.push(line),
                }
            }
            let skipped = |at: usize| match (gone.get(at), come.get(at)) {
                (Some(gone), Some(come)) => alike(gone, come),
                _ => 0,
            };
            lines.extend(same.iter().map(|line| (' ', shortened(line, 0))));
            lines.extend(
                gone.iter().enumerate().map(|(at, line)| ('-', shortened(line, skipped(at)))),
            );
            lines.extend(
                come.iter().enumerate().map(|(at, line)| ('+', shortened(line, skipped(at)))),
            );
        }
    }
    let mut text = String::new();
    for (mark, line) in lines.iter().take(most) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark} {line}");
    }
    if lines.len() > most {
        let _ = writeln!(text, "… and {} more lines", lines.len() - most);
    }
    text.truncate(text.trim_end().len());
    text
}

/// Returns how alike two texts are, from 0 to 1, by their beginnings.
pub fn likeness(one: &str, other: &str) -> f32 {
    let start = |text: &str| text[..text.floor_char_boundary(GLANCE)].to_owned();
    let (one, other) = (start(one), start(other));
    TextDiff::configure().timeout(GLANCE_TIME).diff_words(&one, &other).ratio()
}

/// Returns how many characters two lines begin with alike.
fn alike(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// Returns a line of which the first `skipped` characters say nothing.
fn shortened(line: &str, skipped: usize) -> String {
    let length = line.chars().count();
    let from = if length > WIDTH { skipped.saturating_sub(LEAD) } else { 0 };
    let mut text: String = line.chars().skip(from).take(WIDTH).collect();
    if from > 0 {
        text.insert(0, '…');
    }
    if length > from + WIDTH {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_short_and_shows_what_matters() {
        let recorded = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
        let asked = "one\ntwo\n3\nfour\nfive\nsix\nseven\neight\n";
        assert_eq!(between(recorded, recorded, 20), "");
        assert_eq!(
            between(recorded, asked, 20),
            "  two\n- three\n+ 3\n  four\n  …\n  seven\n+ eight"
        );
        assert_eq!(between(recorded, asked, 2), "  two\n- three\n… and 5 more lines");
    }

    #[test]
    fn long_lines_are_cut_to_where_they_differ() {
        let lead = "x".repeat(300);
        let shown = between(&format!("{lead} is red"), &format!("{lead} is blue"), 20);
        let kept = "x".repeat(36);
        assert_eq!(shown, format!("- …{kept} is red\n+ …{kept} is blue"));
        assert_eq!(between("", &"y".repeat(200), 20), format!("+ {}…", "y".repeat(WIDTH)));
    }

    #[test]
    fn likeness_is_told_by_words() {
        assert!(likeness("fix the tests of auth", "fix the tests of billing") > 0.6);
        assert!(likeness("fix the tests of auth", "write a poem about the sea") < 0.6);
    }
}
