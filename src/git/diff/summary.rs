//! A difference in short: for programs, and for people as `git diff --stat` shows it, a line for each
//! file, then the totals.

use std::fmt::Write;

use serde_json::{Value, json};

use super::flag::Flag;
use super::{Diff, FileDiff};

/// The width that paths are filled up to; longer ones stand out.
const WIDEST: usize = 60;

impl FileDiff {
    /// Returns it as scripts and programs see it.
    pub fn to_json(&self) -> Value {
        json!({
            "path": self.path,
            "old_path": self.old_path,
            "status": self.status,
            "additions": self.additions,
            "deletions": self.deletions,
            "binary": self.binary,
            "old_mode": self.old_mode,
            "new_mode": self.new_mode,
            "target": self.target,
            "flags": self.flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>(),
        })
    }
}

impl Diff {
    /// Returns it as programs see it.
    pub fn to_json(&self) -> Value {
        json!({
            "files": self.files.iter().map(FileDiff::to_json).collect::<Vec<_>>(),
            "additions": self.additions,
            "deletions": self.deletions,
            "patch": self.patch_text(),
        })
    }

    /// Returns a line `path | +3 -1 flags` for each file, and one with the totals. Nothing in it can
    /// steer a terminal.
    pub fn summary(&self) -> String {
        let names: Vec<String> = self.files.iter().map(name).collect();
        let widths = names.iter().map(|name| name.chars().count());
        let width = widths.max().unwrap_or_default().min(WIDEST);
        let mut text = String::new();
        for (file, name) in self.files.iter().zip(&names) {
            let _ = writeln!(text, "{name:width$} | {}", what(file));
        }
        text + &self.totals()
    }

    fn totals(&self) -> String {
        let files = match self.files.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        let mut text = format!("{files} changed, +{} -{}", self.additions, self.deletions);
        let count =
            |flag: &Flag| self.files.iter().filter(|file| file.flags.contains(flag)).count();
        let flags = Flag::ALL.iter().map(|flag| (flag.as_str(), count(flag)));
        let flags = flags.filter(|(_, count)| *count > 0);
        let flags: Vec<_> = flags.map(|(word, count)| format!("{count} {word}")).collect();
        if !flags.is_empty() {
            let _ = write!(text, "; look at {}", flags.join(", "));
        }
        text.push('\n');
        text
    }
}

fn name(file: &FileDiff) -> String {
    match &file.old_path {
        Some(old) => format!("{} => {}", shown(old), shown(&file.path)),
        None => shown(&file.path),
    }
}

fn what(file: &FileDiff) -> String {
    let mut words = vec![match (file.additions, file.deletions) {
        (Some(additions), Some(deletions)) => format!("+{additions} -{deletions}"),
        _ if file.binary => "binary".to_owned(),
        _ => file.status.to_owned(),
    }];
    if let (Some(old), Some(new)) = (&file.old_mode, &file.new_mode)
        && old != new
    {
        words.push(format!("{old} => {new}"));
    }
    words.extend(file.flags.iter().map(|flag| flag.as_str().to_owned()));
    words.extend(file.target.as_deref().map(|target| format!("-> {}", shown(target))));
    words.join(" ")
}

/// Shows a path on one line, quoted where it has what would not stay on one.
fn shown(path: &str) -> String {
    if path.chars().any(|c| c.is_control() || c == '"') {
        format!("{path:?}")
    } else {
        path.to_owned()
    }
}
