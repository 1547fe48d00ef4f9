//! What is told of a merge that had conflicts: how each was resolved, and what was lost on the way.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::git::Losses;

/// How a path in conflict came to be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Both sides had only added to it: both additions stay.
    Additions,
    /// A function of the script did it.
    Function,
    /// An agent did it.
    Agent,
}

impl How {
    /// Returns the word that scripts see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Additions => "additions",
            Self::Function => "function",
            Self::Agent => "agent",
        }
    }
}

/// A path that was in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The path.
    pub path: String,
    /// How it was resolved.
    pub how: How,
    /// The agent that did it.
    pub by: Option<String>,
}

/// What is told of one merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The paths that were in conflict.
    pub resolved: Vec<Resolution>,
    /// The lines of a side that are not there any more.
    pub dropped: Losses,
    /// Why, by path.
    pub reasons: BTreeMap<String, String>,
}

impl Account {
    /// Notes how paths were resolved.
    pub(in crate::host) fn note(&mut self, paths: Vec<String>, how: How, by: Option<&str>) {
        let one = |path| Resolution { path, how, by: by.map(str::to_owned) };
        self.resolved.extend(paths.into_iter().map(one));
    }

    /// Returns the paths with lines that are gone and no reason for that.
    pub fn unexplained(&self) -> Vec<String> {
        let paths = self.dropped.paths.iter();
        paths.filter(|path| !self.reasons.contains_key(*path)).cloned().collect()
    }

    /// Adds `resolved` and `dropped` to the fields of a merge, where there are any.
    pub fn tell(&self, fields: &mut Value) {
        if !self.resolved.is_empty() {
            let one =
                |it: &Resolution| json!({ "path": it.path, "how": it.how.as_str(), "by": it.by });
            fields["resolved"] = self.resolved.iter().map(one).collect();
        }
        if self.dropped.total > 0 {
            let lines = self.dropped.lines.iter().map(|loss| {
                let reason = self.reasons.get(&loss.path);
                json!({ "path": loss.path, "side": loss.side, "line": loss.line, "reason": reason })
            });
            fields["dropped"] = lines.collect();
            fields["dropped_total"] = json!(self.dropped.total);
        }
    }
}
