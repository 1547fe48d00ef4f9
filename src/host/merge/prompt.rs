//! What agents are told that work on a merge.

use std::fmt::Write as _;

use super::account::Account;
use super::explain;
use crate::git::{Brief, HunkClash, PathBrief};

/// How many bytes about conflicts a prompt has; what is left out is in the files.
const LONGEST: usize = 40_000;

/// The names of what is merged.
pub(in crate::host) struct Names<'n> {
    /// The target.
    pub into: &'n str,
    /// The branch.
    pub branch: &'n str,
    /// What the branch's agent is called, if it was an agent.
    pub label: Option<&'n str>,
    /// Whether it is that agent who is told.
    pub owner: bool,
}

/// Asks for a conflict to be resolved.
pub(super) fn conflict(names: &Names<'_>, brief: &Brief, own: Option<&str>) -> String {
    let Names { into, branch, label, owner } = names;
    let mut text = if *owner {
        format!(
            "The work you did on the branch `{branch}` is being merged into `{into}`, and it conflicts with \
             what others did there. Resolve the conflict."
        )
    } else {
        format!("Merging the branch `{branch}` into `{into}` stopped at conflicts. Resolve them.")
    };
    if let (Some(label), false) = (label, owner) {
        let _ = write!(text, " The work on `{branch}` was called \"{label}\".");
    }
    text.push_str(
        "\n\nYour directory holds the half-merged files, with conflict markers in them. It is a temporary \
         copy: what its files are when you are done becomes the merge.\n\nRules:\n- Keep the intent of both \
         sides: every behaviour, option, test and text that either side added must be in the result.\n- \
         Leave no conflict marker.\n- Change other files only where the two sides together need it.\n- Do \
         not commit, merge or check out anything.\n",
    );
    let _ = writeln!(
        text,
        "- If lines of a side are rightly not in the result, call `{}` for that file and say why.",
        explain::NAME
    );
    for (name, side, subjects) in [(into, "ours", &brief.ours), (branch, "theirs", &brief.theirs)] {
        let _ = write!(text, "\nCommits on `{name}` ({side}):\n");
        for subject in subjects {
            let _ = writeln!(text, "- {subject}");
        }
        if subjects.is_empty() {
            text.push_str("- (none)\n");
        }
    }
    text.push_str("\nIn conflict:\n");
    for path in &brief.paths {
        path_text(&mut text, path);
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push_str("\n[cut here: look at the files]\n");
            break;
        }
    }
    let names: Vec<String> = brief.paths.iter().map(|path| format!("`{}`", path.path)).collect();
    let _ = write!(text, "\nAll paths in conflict: {}\n", names.join(", "));
    with_own(text, own)
}

fn path_text(text: &mut String, path: &PathBrief) {
    let kinds: Vec<&str> = path.messages.iter().map(|(kind, _)| &**kind).collect();
    let _ = write!(text, "\n## `{}` ({})\n", path.path, kinds.join(", "));
    for (_, message) in path.messages.iter().filter(|(kind, _)| kind != "contents") {
        let _ = writeln!(text, "{message}");
    }
    for (number, HunkClash { base, ours, theirs }) in path.clashes.iter().enumerate() {
        let _ = writeln!(text, "place {}:", number + 1);
        for (name, side) in [("base", base), ("ours", ours), ("theirs", theirs)] {
            let _ = writeln!(text, "<{name}>\n{}</{name}>", ended(side));
        }
    }
    if path.more > 0 {
        let _ = writeln!(text, "and {} more places", path.more);
    }
}

/// Ends a text with a line break, if it has any text.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

/// Says what is wrong with files that an agent takes for resolved, if anything is.
pub(super) fn complaint(marked: &[String], account: &Account) -> Option<String> {
    let mut text = String::new();
    if !marked.is_empty() {
        let _ = writeln!(text, "There are still conflict markers in {}.", quoted(marked));
    }
    if let Some(dropped) = dropped(account) {
        text.push_str(&dropped);
    }
    (!text.is_empty()).then_some(text)
}

/// Says in a clause what [`complaint`] says.
pub(super) fn objection(marked: &[String], account: &Account) -> String {
    if !marked.is_empty() {
        return format!("there are still conflict markers in {}", quoted(marked));
    }
    let paths = quoted(&account.unexplained());
    format!("lines that a side had added to {paths} are not in the result, and nobody said why")
}

fn quoted(paths: &[String]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
    paths.join(", ")
}

/// Says which lines are gone without a reason, if any are.
pub(in crate::host) fn dropped(account: &Account) -> Option<String> {
    const SHOWN: usize = 40;
    let paths = account.unexplained();
    if paths.is_empty() {
        return None;
    }
    let mut text = "These lines, which one side had added, are not in the result:\n".to_owned();
    let lines = account.dropped.lines.iter().filter(|loss| paths.contains(&loss.path));
    for loss in lines.clone().take(SHOWN) {
        let _ = writeln!(text, "- `{}` ({}): {}", loss.path, loss.side, loss.line);
    }
    let more = account.dropped.total.saturating_sub(lines.count().min(SHOWN));
    if more > 0 {
        let _ = writeln!(text, "- and {more} more in {}", paths.join(", "));
    }
    let _ = writeln!(
        text,
        "Put back what they do, or call `{}` for the file and say why they are not needed.",
        explain::NAME
    );
    Some(text)
}

/// Asks for the merged files to be repaired, which a check has refused.
pub(in crate::host) fn repair(
    merged: &[String],
    culprit: Option<&str>,
    (what, output): (&str, &str),
    own: Option<&str>,
) -> String {
    let names: Vec<String> = merged.iter().map(|name| format!("`{name}`")).collect();
    let mut text = format!(
        "The branches {} were merged, each without a conflict left, but together they do not work: {what}.",
        names.join(", ")
    );
    match culprit {
        Some(name) if merged.len() > 1 => {
            let _ = write!(text, " It is so from the merge of `{name}` on, and was good before.");
        }
        _ => {}
    }
    let _ = write!(
        text,
        "\n\nYour directory holds the merged files, in a temporary copy: what they are when you are done is \
         committed on top of the merges. `git log` there tells of them.\n\nRules:\n- Make the check pass by \
         making the parts fit together. Do not weaken or skip the check.\n- Keep what every branch brought. \
         If lines of one are rightly not needed any more, call `{}` for that file and say why.\n- Do not \
         commit, merge or check out anything.\n\nWhat the check wrote:\n\n{output}\n",
        explain::NAME
    );
    with_own(text, own)
}

fn with_own(mut text: String, own: Option<&str>) -> String {
    if let Some(own) = own {
        let _ = write!(text, "\n{own}\n");
    }
    text
}
