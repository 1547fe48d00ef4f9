//! What the agents of a run do, a line for each turn and event, as they come: what the run's own
//! progress says.

use std::collections::HashMap;

use serde_json::Value;

use super::View;
use super::events::{self, word};
use super::text::{self, plain};
use crate::agent::spoken::Spoken;
use crate::cli::terminal::{Styles, printable, stdout_styles};
use crate::host::onlooker::{News, What};

/// Calls named in one line.
const SHOWN: usize = 3;
/// The longest that one of them is.
const CALL: usize = 60;

/// The lines, as far as they are written.
pub(super) struct Brief {
    style: Styles,
    /// The turns of each agent so far.
    turns: HashMap<String, u32>,
}

impl Default for Brief {
    fn default() -> Self {
        Self { style: stdout_styles(), turns: HashMap::new() }
    }
}

impl Brief {
    fn said(&mut self, agent: &str, kept: &Spoken) -> Option<String> {
        let Styles { dim, reset, .. } = self.style;
        match kept {
            Spoken::Reply(_, reply) => {
                let turn = self.turns.entry(agent.to_owned()).or_default();
                *turn += 1;
                let calls = reply.calls.iter().map(|call| text::cut(&text::call(call), CALL));
                let mut shown: Vec<String> = calls.take(SHOWN).collect();
                if reply.calls.len() > SHOWN {
                    shown.push(format!("{} more", reply.calls.len() - SHOWN));
                }
                (!shown.is_empty()).then(|| format!("{dim}turn {turn}{reset} {}", shown.join(", ")))
            }
            Spoken::Said(texts) => {
                let first = texts.first().and_then(|text| text.lines().next()).unwrap_or_default();
                Some(format!("told: {}", text::cut(&plain(first), CALL)))
            }
            _ => None,
        }
    }

    fn happened(&self, object: &Value) -> Option<String> {
        match word(object, "subtype") {
            "run_started" => {
                let (run, script) = (word(object, "run"), word(object, "script"));
                Some(format!("{run}: {}", printable(script)))
            }
            "init" => {
                let branch = object.get("branch").and_then(Value::as_str);
                let on = branch.map(|branch| format!(" on {branch}")).unwrap_or_default();
                Some(format!("{}: started{}", printable(word(object, "label")), printable(&on)))
            }
            _ => events::line(object, &self.style),
        }
    }
}

impl View for Brief {
    fn show(&mut self, news: &News) -> String {
        let agent = news.agent.as_deref();
        let line = match &news.what {
            What::Said(kept, _) => self.said(agent.unwrap_or_default(), kept),
            What::Event(object) => self.happened(object),
        };
        match (line, agent) {
            (Some(line), Some(agent)) => format!("{agent} {line}\n"),
            (Some(line), None) => format!("{line}\n"),
            (None, _) => String::new(),
        }
    }
}
