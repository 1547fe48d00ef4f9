//! What the agents of a run are doing right now, as their events tell it, and which of them are shown.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::agent::Subtype;
use crate::cli::terminal::printable;
use crate::event::{Event, ToolSummary};

/// How long an agent counts as busy after its last event.
const BUSY: Duration = Duration::from_secs(10);

/// The agents that have not ended, and the number of those that have.
pub struct Fleet {
    began: Instant,
    agents: BTreeMap<String, Agent>,
    /// How many there were.
    asked: usize,
    /// Who has a line, in the order in which they were asked for. One keeps it as long as nobody has more to
    /// show: lines that jump cannot be read.
    shown: Vec<String>,
    done: usize,
    failed: usize,
    cancelled: usize,
    tokens: u64,
    cost_usd: f64,
    has_changed: bool,
}

struct Agent {
    /// Which one it is of all that were asked for.
    number: usize,
    label: String,
    doing: Doing,
    turn: u32,
    max_turns: u32,
    tokens: u64,
    cost_usd: Option<f64>,
    since: Instant,
    /// When it was last heard of.
    heard: Instant,
}

enum Doing {
    Queued,
    Thinking,
    /// Calls that are not answered yet.
    Calling(Vec<ToolSummary>),
    Waiting {
        until: Instant,
        attempt: u32,
        reason: String,
    },
    /// Its last answer is there; it is verified and committed.
    Finishing,
    /// It is asked again, and what for.
    Mending(String),
}

/// What is to be shown, as data.
#[derive(Debug, Default)]
pub struct View {
    /// One for each agent that has a line.
    pub rows: Vec<Row>,
    /// Agents at work.
    pub running: usize,
    /// Agents that wait for a place.
    pub queued: usize,
    /// Agents that succeeded.
    pub done: usize,
    /// Agents that failed.
    pub failed: usize,
    /// Agents that were cancelled.
    pub cancelled: usize,
    /// Tokens of all, both ways.
    pub tokens: u64,
    /// What is known to be spent, in USD.
    pub cost_usd: f64,
    /// How long it goes on.
    pub elapsed: Duration,
}

/// One agent at work.
#[derive(Debug)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
    /// The turn that it is in, of how many.
    pub turn: (u32, u32),
    /// What it is doing, and of which sort that is.
    pub doing: (Mood, String),
    /// Tokens, both ways.
    pub tokens: u64,
    /// What it is known to have spent, in USD.
    pub cost_usd: Option<f64>,
    /// How long it is at work.
    pub elapsed: Duration,
}

/// What sort of thing an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It waits for its model.
    Thinks,
    /// It does something itself.
    Works,
    /// Something went wrong, and it tries again.
    Struggles,
}

impl Fleet {
    /// Makes one of a run that begins now, without agents.
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            agents: BTreeMap::new(),
            asked: 0,
            shown: Vec::new(),
            done: 0,
            failed: 0,
            cancelled: 0,
            tokens: 0,
            cost_usd: 0.0,
            has_changed: false,
        }
    }

    /// Reports whether something has happened since the last time.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Takes note of an event.
    pub fn note(&mut self, event: &Event, now: Instant) {
        self.has_changed = true;
        match event {
            Event::AgentQueued { agent, label } => {
                let queued = Agent::queued(self.number(agent), label, now);
                self.agents.insert(agent.clone(), queued);
            }
            Event::AgentStarted { agent, label, turns, max_turns, .. } => {
                let started = Agent {
                    doing: Doing::Thinking,
                    turn: turns + 1,
                    max_turns: *max_turns,
                    ..Agent::queued(self.number(agent), label, now)
                };
                self.agents.insert(agent.clone(), started);
            }
            Event::TurnFinished { usage, cost_usd, .. } => {
                let tokens = usage.total_input() + usage.output_tokens;
                self.tokens += tokens;
                self.cost_usd += cost_usd.unwrap_or(0.0);
                self.change(event, now);
            }
            Event::AgentFinished { agent, subtype, recalled, .. } => {
                self.agents.remove(agent);
                match subtype.as_str() {
                    // They are told of together, and had their day.
                    _ if *recalled => {}
                    ended if ended == Subtype::Success.as_str() => self.done += 1,
                    ended if ended == Subtype::ErrorCancelled.as_str() => self.cancelled += 1,
                    _ => self.failed += 1,
                }
            }
            _ => self.change(event, now),
        }
    }

    /// Returns the number of an agent: that which it has, or the next.
    fn number(&mut self, agent: &str) -> usize {
        if let Some(known) = self.agents.get(agent) {
            return known.number;
        }
        self.asked += 1;
        self.asked
    }

    /// Takes note of what changes one agent.
    fn change(&mut self, event: &Event, now: Instant) {
        let (Event::TurnFinished { agent, .. }
        | Event::ToolFinished { agent, .. }
        | Event::RetryScheduled { agent, .. }
        | Event::Verified { agent, .. }) = event
        else {
            return;
        };
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.change(event, now);
        }
    }

    /// Returns what is to be shown in `capacity` lines.
    pub fn view(&mut self, now: Instant, capacity: usize) -> View {
        self.choose(now, capacity);
        let rows = self.shown.iter().filter_map(|id| Some(self.agents.get(id)?.row(id, now)));
        let is_queued = |agent: &&Agent| matches!(agent.doing, Doing::Queued);
        let queued = self.agents.values().filter(is_queued).count();
        View {
            rows: rows.collect(),
            running: self.agents.len() - queued,
            queued,
            done: self.done,
            failed: self.failed,
            cancelled: self.cancelled,
            tokens: self.tokens,
            cost_usd: self.cost_usd,
            elapsed: now.saturating_duration_since(self.began),
        }
    }

    /// Settles who has a line: retrying agents, then those that were heard of last.
    fn choose(&mut self, now: Instant, capacity: usize) {
        let agents = &self.agents;
        let weight = |id: &String| agents.get(id).and_then(|agent| agent.weight(now));
        self.shown.retain(|id| weight(id).is_some());
        self.shown.truncate(capacity);
        let mut hidden: Vec<_> = agents
            .iter()
            .filter(|(id, _)| !self.shown.contains(id))
            .filter_map(|(id, agent)| Some((agent.weight(now)?, agent.heard, id)))
            .collect();
        hidden.sort_by(|one, other| other.cmp(one));
        let free = capacity.saturating_sub(self.shown.len()).min(hidden.len());
        let waiting = hidden.split_off(free);
        self.shown.extend(hidden.into_iter().map(|(_, _, id)| id.clone()));
        for (own, _, id) in waiting {
            let least = self.shown.iter_mut().min_by_key(|id| weight(id));
            match least {
                Some(least) if weight(least) < Some(own) => least.clone_from(id),
                _ => break,
            }
        }
        self.shown.sort_by_key(|id| agents.get(id).map(|agent| agent.number));
    }
}

impl Agent {
    fn queued(number: usize, label: &str, now: Instant) -> Self {
        Self {
            number,
            label: printable(label),
            doing: Doing::Queued,
            turn: 0,
            max_turns: 0,
            tokens: 0,
            cost_usd: None,
            since: now,
            heard: now,
        }
    }

    fn change(&mut self, event: &Event, now: Instant) {
        self.heard = now;
        match event {
            Event::TurnFinished { turn, calls, usage, cost_usd, .. } => {
                self.turn = *turn;
                self.tokens += usage.total_input() + usage.output_tokens;
                if let Some(cost) = cost_usd {
                    *self.cost_usd.get_or_insert(0.0) += cost;
                }
                self.doing = match calls.as_slice() {
                    [] => Doing::Finishing,
                    calls => Doing::Calling(calls.to_vec()),
                };
            }
            Event::ToolFinished { tool, .. } => {
                if let Doing::Calling(calls) = &mut self.doing {
                    if let Some(at) = calls.iter().position(|call| call.tool == *tool) {
                        calls.remove(at);
                    }
                    if calls.is_empty() {
                        self.think();
                    }
                }
            }
            Event::RetryScheduled { attempt, delay_ms, reason, .. } => {
                let until = now + Duration::from_millis(*delay_ms);
                let (attempt, reason) = (*attempt, printable(reason));
                self.doing = Doing::Waiting { until, attempt, reason };
            }
            Event::Verified { ok: false, attempt: 1.., message, .. } => {
                self.think();
                let message = printable(message.as_deref().unwrap_or_default());
                self.doing = Doing::Mending(message);
            }
            _ => {}
        }
    }

    fn think(&mut self) {
        self.doing = Doing::Thinking;
        self.turn += 1;
    }

    /// Returns how much there is to see; nothing for one that has not begun.
    fn weight(&self, now: Instant) -> Option<u8> {
        let is_busy = now.saturating_duration_since(self.heard) < BUSY;
        match &self.doing {
            Doing::Queued => None,
            Doing::Waiting { .. } | Doing::Mending(_) => Some(2),
            _ => Some(u8::from(is_busy)),
        }
    }

    fn row(&self, id: &str, now: Instant) -> Row {
        let doing = match &self.doing {
            Doing::Queued => (Mood::Thinks, "queued".to_owned()),
            Doing::Thinking => (Mood::Thinks, "thinking".to_owned()),
            Doing::Finishing => (Mood::Works, "finishing".to_owned()),
            Doing::Calling(calls) => (Mood::Works, shown(calls)),
            Doing::Waiting { until, attempt, reason } => {
                let left = until.saturating_duration_since(now).as_secs_f64().ceil();
                (Mood::Struggles, format!("retry {attempt} in {left} s: {reason}"))
            }
            Doing::Mending(message) => (Mood::Struggles, format!("not verified: {message}")),
        };
        Row {
            id: id.to_owned(),
            label: self.label.clone(),
            turn: (self.turn, self.max_turns),
            doing,
            tokens: self.tokens,
            cost_usd: self.cost_usd,
            elapsed: now.saturating_duration_since(self.since),
        }
    }
}

/// Returns the first of the calls, and how many there are beside it.
fn shown(calls: &[ToolSummary]) -> String {
    let Some(first) = calls.first() else { return String::new() };
    let call = format!("{} {}", first.tool, printable(&first.argument));
    match calls.len() {
        1 => call.trim_end().to_owned(),
        count => format!("{} (+{})", call.trim_end(), count - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Usage;

    fn queued(agent: &str) -> Event {
        Event::AgentQueued { agent: agent.into(), label: format!("{agent}'s\nlabel") }
    }

    fn started(agent: &str) -> Event {
        Event::AgentStarted {
            agent: agent.into(),
            label: format!("{agent}'s\nlabel"),
            model: "acted".into(),
            turns: 0,
            max_turns: 20,
            branch: None,
            worktree_path: None,
            base_commit: None,
        }
    }

    fn answered(agent: &str, turn: u32, tools: &[&str]) -> Event {
        let call = |tool: &&str| ToolSummary { tool: (*tool).into(), argument: "x".into() };
        Event::TurnFinished {
            agent: agent.into(),
            turn,
            calls: tools.iter().map(call).collect(),
            usage: Usage { input_tokens: 100, output_tokens: 10, ..Usage::default() },
            cost_usd: Some(0.5),
        }
    }

    fn called(agent: &str, tool: &str) -> Event {
        let (agent, tool) = (agent.into(), tool.into());
        Event::ToolFinished { agent, turn: 1, tool, ok: true, duration_ms: 1 }
    }

    fn retries(agent: &str) -> Event {
        Event::RetryScheduled {
            agent: agent.into(),
            attempt: 2,
            delay_ms: 7_500,
            status: None,
            word: None,
            reason: "over\x1bloaded".into(),
        }
    }

    fn ids(view: &View) -> Vec<&str> {
        view.rows.iter().map(|row| row.id.as_str()).collect()
    }

    #[test]
    fn a_line_tells_what_its_agent_is_doing() {
        let now = Instant::now();
        let mut fleet = Fleet::new(now);
        let mut after = |event: Event| {
            fleet.note(&event, now);
            let view = fleet.view(now + Duration::from_secs(2), 5);
            let row = view.rows.first();
            row.map(|row| format!("{:?} {} {}", row.doing.0, row.turn.0, row.doing.1))
        };
        assert_eq!(after(queued("a")), None);
        let steps = [
            (started("a"), "Thinks 1 thinking"),
            (answered("a", 1, &["Read", "Grep"]), "Works 1 Read x (+1)"),
            (called("a", "Read"), "Works 1 Grep x"),
            (called("a", "Grep"), "Thinks 2 thinking"),
            (retries("a"), "Struggles 2 retry 2 in 6 s: over loaded"),
            (answered("a", 2, &[]), "Works 2 finishing"),
        ];
        for (event, expected) in steps {
            assert_eq!(after(event).as_deref(), Some(expected));
        }
        let view = fleet.view(now, 5);
        assert_eq!((view.running, view.tokens, view.rows[0].tokens), (1, 220, 220));
        assert_eq!((view.rows[0].cost_usd, view.rows[0].label.as_str()), (Some(1.0), "a's label"));
    }

    #[test]
    fn lines_stay_where_they_are_until_somebody_has_more_to_show() {
        let (begin, mut now) = (Instant::now(), Instant::now());
        let mut fleet = Fleet::new(begin);
        for agent in ["a", "b", "c", "d"] {
            now += Duration::from_secs(1);
            fleet.note(&queued(agent), now);
            fleet.note(&started(agent), now);
        }
        assert_eq!(ids(&fleet.view(now, 2)), ["c", "d"], "the newest, in their order");
        fleet.note(&answered("a", 1, &["Read"]), now);
        assert_eq!(ids(&fleet.view(now, 2)), ["c", "d"], "busy ones are as good as others");
        fleet.note(&retries("b"), now);
        assert_eq!(ids(&fleet.view(now, 2)), ["b", "d"], "in the place of one of them");
        now += BUSY;
        fleet.note(&answered("a", 2, &["Read"]), now);
        assert_eq!(ids(&fleet.view(now, 2)), ["a", "b"], "and who was silent for long goes");
        assert_eq!(ids(&fleet.view(now, 9)), ["a", "b", "c", "d"], "in the order of their start");
    }
}
