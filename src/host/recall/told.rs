//! What people are told about calls that a resumed run finds, or asks again. Outcomes that come from the
//! journal are told of together; what is asked again is named at once, before it costs anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::{Event, Events, Level};

/// How long no outcome may have come before those that did are told of.
const QUIET: Duration = Duration::from_millis(100);

/// Outcomes that were given back and not told of yet.
#[derive(Clone)]
pub(super) struct Told {
    events: Events,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    given: Vec<Given>,
    /// Whether somebody waits to tell of them.
    watched: bool,
}

/// An outcome that was given back.
pub(super) struct Given {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) ok: bool,
}

impl Told {
    /// Tells `events`.
    pub(super) fn new(events: Events) -> Self {
        Self { events, state: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an outcome that was given back. Must be called inside a runtime.
    pub(super) fn given(&self, given: Given) {
        let mut state = self.state();
        state.given.push(given);
        if !std::mem::replace(&mut state.watched, true) {
            let this = self.clone();
            tokio::spawn(async move { this.watch().await });
        }
    }

    async fn watch(&self) {
        let mut before = 0;
        loop {
            tokio::time::sleep(QUIET).await;
            let now = self.state().given.len();
            if now == before {
                break;
            }
            before = now;
        }
        self.state().watched = false;
        self.now();
    }

    /// Tells of them now: what follows is about something else.
    pub(super) fn now(&self) {
        let given = std::mem::take(&mut self.state().given);
        if let Some(text) = account(&given) {
            self.events.emit(Event::Message { level: Level::Info, text });
        }
    }

    /// Names a call that is asked again, and why.
    pub(super) fn again(&self, text: String) {
        self.now();
        self.events.warn(text);
    }
}

fn account(given: &[Given]) -> Option<String> {
    let failed = given.iter().filter(|one| !one.ok).count();
    Some(match given {
        [] => return None,
        [Given { id, label, ok: true }] => {
            format!("{id} ({label}) had finished: its outcome is taken from the journal")
        }
        [Given { id, label, ok: false }] => {
            format!("{id} ({label}) had failed: its error is taken from the journal")
        }
        many if failed == 0 => format!(
            "{} agents had finished before; their outcomes are taken from the journal",
            many.len()
        ),
        many => format!(
            "{} agents had ended before, {failed} of them not well; their outcomes are taken from the \
             journal",
            many.len()
        ),
    })
}

/// Says that a call is asked again, and why: a clause.
pub(super) fn asked_again(id: &str, label: &str, why: &str) -> String {
    format!("{id} ({label}) is asked again: {why}")
}

/// Says that a call stands where another stood.
pub(super) fn asked_anew(label: &str, id: &str, before: &str, why: &str) -> String {
    if label == before {
        return format!("`{label}` is asked anew, unlike {id}, which stood there: {why}");
    }
    format!("`{label}` is asked anew where {id} ({before}) stood: {why}")
}

/// Says which inputs have changed.
pub(super) fn changed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| if name == "prompt" { "prompt".to_owned() } else { format!("`{name}`") })
        .collect();
    match &shown[..] {
        [] => "it was asked by another version of agentlua".to_owned(),
        [one] => format!("its {one} has changed"),
        [first, second] => format!("its {first} and its {second} have changed"),
        [first, second, rest @ ..] => {
            format!("its {first}, its {second} and {} more have changed", rest.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_outcomes_are_one_line() {
        let given = |ok| Given { id: "agent-a3f2".into(), label: "auth".into(), ok };
        assert_eq!(account(&[]), None);
        let text = |given: &[Given]| account(given).unwrap_or_default();
        assert_eq!(
            text(&[given(true)]),
            "agent-a3f2 (auth) had finished: its outcome is taken from the journal"
        );
        assert_eq!(
            text(&[given(true), given(true)]),
            "2 agents had finished before; their outcomes are taken from the journal"
        );
        assert!(text(&[given(true), given(false)]).contains("1 of them not well"));
    }

    #[test]
    fn what_has_changed_is_named() {
        let names =
            |names: &[&str]| changed(&names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["prompt"]), "its prompt has changed");
        assert_eq!(names(&["prompt", "effort"]), "its prompt and its `effort` have changed");
        assert_eq!(names(&["a", "b", "c", "d"]), "its `a`, its `b` and 2 more have changed");
    }
}
