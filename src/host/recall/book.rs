//! The calls of an earlier life of the run, as a resumed one finds them: by path and by hash. Each is taken
//! once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::agent::recalled::Share;
use crate::journal::{AgentRow, Call};

/// The calls of one store.
#[derive(Default)]
pub(super) struct Book {
    entries: Vec<Entry>,
    by_path: HashMap<String, Vec<usize>>,
    by_hash: HashMap<String, Vec<usize>>,
}

struct Entry {
    call: Call,
    state: State,
    /// The agent in whose callback it was made.
    parent: Option<usize>,
    /// The calls that its own callbacks made.
    children: Vec<usize>,
    /// Whether it was cut off before what these did in its last turn was written down.
    unanswered: bool,
}

/// What became of a call in this life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has come to it.
    Open,
    /// Another call stands in its place now; it may still be asked elsewhere.
    Displaced,
    /// It was come to, or another one has taken its place for good.
    Taken,
}

impl Book {
    /// Makes it of the calls, in the order in which they were asked.
    pub(super) fn new(calls: Vec<Call>) -> Self {
        let mut book = Self::default();
        for (at, call) in calls.into_iter().enumerate() {
            book.by_path.entry(call.row.call_path.clone()).or_default().push(at);
            if let Some(hash) = &call.row.key {
                book.by_hash.entry(hash.clone()).or_default().push(at);
            }
            book.entries.push(Entry {
                call,
                state: State::Open,
                parent: None,
                children: Vec::new(),
                unanswered: false,
            });
        }
        for at in 0..book.entries.len() {
            let parent = book.caller(&book.row(at).call_path);
            book.entries[at].parent = parent;
            if let Some(parent) = parent {
                book.entries[parent].children.push(at);
            }
        }
        book
    }

    /// Returns the agent in whose callback a call at this path is made.
    fn caller(&self, path: &str) -> Option<usize> {
        // A key of an item may have the sign in it, too.
        let mut ends = path.rmatch_indices('@').map(|(end, _)| end);
        ends.find_map(|end| self.by_path.get(&path[..end])?.last().copied())
    }

    /// Returns a call.
    pub(super) fn call(&self, at: usize) -> &Call {
        &self.entries[at].call
    }

    /// Returns the call at a path that asked the same.
    pub(super) fn same(&self, path: &str, hash: &str) -> Option<usize> {
        let mut there = self.by_path.get(path)?.iter().copied();
        there.find(|at| self.is_free(*at) && self.row(*at).key.as_deref() == Some(hash))
    }

    /// Returns the calls that asked the same elsewhere, the nearest first.
    pub(super) fn moved(&self, path: &str, hash: &str) -> Vec<usize> {
        let asked = self.by_hash.get(hash).into_iter().flatten().copied();
        let mut found: Vec<usize> =
            asked.filter(|at| self.is_free(*at) && self.row(*at).call_path != path).collect();
        found.sort_by_key(|at| (Reverse(shared(path, &self.row(*at).call_path)), *at));
        found
    }

    /// Returns the newest call at a path, whatever it asked.
    pub(super) fn at(&self, path: &str) -> Option<usize> {
        let there = self.by_path.get(path)?.iter().rev().copied();
        there.into_iter().find(|at| self.entries[*at].state == State::Open)
    }

    /// Returns the call whose agent has made a branch, if nobody came to it, nor to another in that branch.
    pub(super) fn maker(&self, branch: &str) -> Option<usize> {
        let is_in = |at: &usize| self.row(*at).branch.as_deref() == Some(branch);
        let there: Vec<usize> = (0..self.entries.len()).filter(is_in).collect();
        let is_free = there.iter().all(|at| self.is_free(*at));
        there.into_iter().find(|at| is_free && self.row(*at).branch_created)
    }

    /// Returns the calls that callbacks of an agent have made, in the order in which they ended; those that
    /// have not ended come last.
    pub(super) fn nested(&self, at: usize) -> Vec<usize> {
        let (mut found, mut next) = (Vec::new(), vec![at]);
        while let Some(caller) = next.pop() {
            next.extend(&self.entries[caller].children);
            found.extend(self.entries[caller].children.iter().filter(|at| self.is_free(**at)));
        }
        found.sort_by_key(|other| self.row(*other).place.unwrap_or(i64::MAX));
        found
    }

    /// Returns where a call stands, by its agent's id, when it is moved to a path, and where then those that
    /// its callbacks made.
    pub(super) fn moves(&self, at: usize, path: &str) -> Vec<(String, String)> {
        let before = &*self.row(at).call_path;
        let mut moves = vec![(self.row(at).id.clone(), path.to_owned())];
        for nested in self.nested(at) {
            let row = self.row(nested);
            if let Some(rest) = row.call_path.strip_prefix(before) {
                moves.push((row.id.clone(), format!("{path}{rest}")));
            }
        }
        moves
    }

    /// Returns the calls that were made beneath a path, whoever makes others before them.
    pub(super) fn beneath(&self, path: &str) -> Vec<usize> {
        let is_beneath = |at: &usize| {
            let rest = self.row(*at).call_path.strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        (0..self.entries.len()).filter(|at| self.is_free(*at)).filter(is_beneath).collect()
    }

    /// Returns the turn of the agent `at` in which a call beneath it was made.
    pub(super) fn turn_of(&self, at: usize, nested: usize) -> Option<u32> {
        let rest = self.row(nested).call_path.strip_prefix(&*self.row(at).call_path)?;
        rest.strip_prefix('@')?.split('/').next()?.parse().ok()
    }

    /// Takes a call: it is found no more.
    pub(super) fn take(&mut self, at: usize) {
        self.entries[at].state = State::Taken;
    }

    /// Notes that another call stands in a call's place.
    pub(super) fn displace(&mut self, at: usize) {
        self.entries[at].state = State::Displaced;
    }

    /// Returns the ids of calls in whose places others stand and which nobody came to elsewhere.
    pub(super) fn displaced(&self) -> Vec<String> {
        let displaced = self.entries.iter().filter(|entry| entry.state == State::Displaced);
        displaced.map(|entry| entry.call.row.id.clone()).collect()
    }

    /// Returns the ids of agents that this life has not come to.
    pub(super) fn ahead(&self) -> HashSet<&str> {
        let ahead = self.entries.iter().filter(|entry| entry.state != State::Taken);
        ahead.map(|entry| &*entry.call.row.id).collect()
    }

    /// Returns the places of those that have ended and were not come to.
    pub(super) fn places(&self) -> BTreeSet<i64> {
        let ahead = self.entries.iter().filter(|entry| entry.state != State::Taken);
        ahead.filter_map(|entry| entry.call.row.place).collect()
    }

    /// Returns what a call has counted for.
    pub(super) fn share(&self, at: usize) -> Share {
        let row = self.row(at);
        let cost_usd = self.cost(at);
        let mut above =
            std::iter::successors(self.entries[at].parent, |at| self.entries[*at].parent);
        let is_counted = above.any(|above| self.entries[above].state == State::Taken);
        Share {
            usage: row.usage,
            cost_usd,
            carried_usd: if is_counted { 0.0 } else { cost_usd },
            unpriced: row.cost_usd.is_none() && row.turns > 0,
        }
    }

    /// Returns what all calls have cost, each once.
    pub(super) fn total_cost(&self) -> f64 {
        let top = (0..self.entries.len()).filter(|at| self.entries[*at].parent.is_none());
        top.map(|at| self.cost(at)).sum()
    }

    /// Tells whether a call that was asked later has taken up the conversation, the worktree or the branch of
    /// this one.
    pub(super) fn is_taken_up(&self, at: usize) -> bool {
        let row = self.row(at);
        let own = format!("{}@", row.call_path);
        let mut later = self.entries.iter().skip(at + 1).map(|entry| &entry.call.row);
        later.any(|later| {
            let branch = row.branch.is_some() && later.branch == row.branch;
            let path = row.worktree_path.is_some() && later.worktree_path == row.worktree_path;
            let past =
                later.past.as_ref() == Some(&row.id) || later.session_id() == row.session_id();
            (branch || path || past) && !later.call_path.starts_with(&own)
        })
    }

    /// Returns the agents that were cut off and whose callbacks have made calls, with their ids: whether their
    /// costs have those of the last turn is told by their conversations.
    pub(super) fn unsettled(&self) -> Vec<(usize, String)> {
        let is_it = |entry: &Entry| !entry.children.is_empty() && !entry.call.row.status.is_final();
        let found = self.entries.iter().enumerate().filter(|(_, entry)| is_it(entry));
        found.map(|(at, entry)| (at, entry.call.row.id.clone())).collect()
    }

    /// Notes that the last turn of an agent was cut off before what its callbacks spent in it was written down.
    pub(super) fn note_unanswered(&mut self, at: usize) {
        self.entries[at].unanswered = true;
    }

    /// An agent's cost has that of those which its callbacks asked, unless it was cut off before that was
    /// written down, or has none itself.
    fn cost(&self, at: usize) -> f64 {
        let own = self.row(at).cost_usd;
        let children = self.entries[at].children.iter().copied();
        let apart = children.filter(|child| own.is_none() || self.is_apart(at, *child));
        own.unwrap_or_default() + apart.map(|child| self.cost(child)).sum::<f64>()
    }

    /// Tells whether what a call beneath an agent has cost is not in what that one has.
    fn is_apart(&self, at: usize, nested: usize) -> bool {
        let (row, entry) = (self.row(at), &self.entries[at]);
        let after = |turn: u32| turn > row.turns || (turn == row.turns && entry.unanswered);
        !row.status.is_final() && self.turn_of(at, nested).is_some_and(after)
    }

    fn row(&self, at: usize) -> &AgentRow {
        &self.entries[at].call.row
    }

    fn is_free(&self, at: usize) -> bool {
        self.entries[at].state != State::Taken
    }
}

/// Returns how many bytes two paths have in common at their beginning.
fn shared(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::journal::Status;

    fn call(path: &str, hash: &str, cost: Option<f64>) -> Call {
        let row = AgentRow {
            id: format!("agent of {path}"),
            call_path: path.to_owned(),
            key: Some(hash.to_owned()),
            cost_usd: cost,
            turns: 1,
            ..AgentRow::default()
        };
        Call { row, outcome: None }
    }

    #[test]
    fn equal_calls_are_each_found_once_and_at_their_own_paths_first() {
        let calls = (1..=8).map(|n| call(&format!("/all#1[{n}]/query#1"), "same", None));
        let mut book = Book::new(calls.collect());
        for n in [3, 1, 8] {
            let at = book.same(&format!("/all#1[{n}]/query#1"), "same").unwrap();
            assert_eq!(at, n - 1);
            book.take(at);
        }
        assert_eq!(book.same("/all#1[3]/query#1", "same"), None);
        assert_eq!(book.moved("/all#1[9]/query#1", "same"), [1, 3, 4, 5, 6]);
        assert_eq!(book.moved("/all#1[9]/query#1", "other"), [0_usize; 0]);
        assert_eq!(book.ahead().len(), 5);
    }

    #[test]
    fn a_call_that_another_stands_in_for_can_still_be_found_elsewhere() {
        let mut book = Book::new(vec![call("/query#1", "a", None), call("/query#2", "b", None)]);
        assert_eq!((book.same("/query#1", "new"), book.at("/query#1")), (None, Some(0)));
        book.displace(0);
        assert_eq!(book.at("/query#1"), None, "once is enough");
        assert_eq!(book.moved("/query#2", "a"), [0]);
        book.take(0);
        assert!(book.displaced().is_empty());
    }

    #[test]
    fn what_was_asked_beneath_a_path_is_found_once_and_whoever_asked_first() {
        let mut book = Book::new(vec![
            call("/once[a]/query#1", "a", None),
            call("/once[a]/query#1@1/callback#1/query#1", "b", None),
            call("/once[ab]/query#1", "c", None),
            call("/once[a]/all#1[1]/query#1", "d", None),
        ]);
        assert_eq!(book.beneath("/once[a]"), [0, 1, 3]);
        book.take(1);
        assert_eq!(book.beneath("/once[a]"), [0, 3]);
    }

    #[test]
    fn what_callbacks_asked_for_is_counted_once() {
        let mut top = call("/query#1", "a", Some(3.0));
        top.row.status = Status::Completed;
        let mut book = Book::new(vec![
            top,
            call("/query#1@2/tool#1/query#1", "b", Some(1.0)),
            call("/query#2", "c", None),
            call("/query#2@1/tool#1/query#1", "d", Some(0.5)),
            call("/query#2@1/tool#1/query#1@1/tool#1/query#1", "e", Some(0.75)),
        ]);
        let is_close = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(is_close(book.total_cost(), 3.5), "{}", book.total_cost());
        let unsettled: Vec<usize> = book.unsettled().into_iter().map(|(at, _)| at).collect();
        assert_eq!(unsettled, [2, 3]);
        // Its turn was cut off: what was asked for in it is not in its own cost.
        book.note_unanswered(3);
        assert!(is_close(book.total_cost(), 4.25), "{}", book.total_cost());
        assert_eq!(book.nested(0), [1]);
        assert_eq!(book.turn_of(0, 1), Some(2));
        assert_eq!(book.nested(2), [3, 4]);
        assert!(is_close(book.share(3).carried_usd, 1.25));
        book.take(2);
        assert!(book.share(3).carried_usd.abs() < 1e-9);
        assert!(is_close(book.share(3).cost_usd, 1.25));
    }

    #[test]
    fn a_call_is_moved_with_those_of_its_callbacks() {
        let book = Book::new(vec![
            call("/query#1", "a", None),
            call("/query#1@1/tool#1/query#1", "b", None),
            call("/query#1@1/tool#1/query#1@2/agent#1", "c", None),
            call("/query#10", "d", None),
        ]);
        let moved: Vec<String> = book.moves(0, "/query#2").into_iter().map(|(_, to)| to).collect();
        let beneath = "/query#2@1/tool#1/query#1";
        assert_eq!(moved, ["/query#2", beneath, &format!("{beneath}@2/agent#1")]);
    }
}
