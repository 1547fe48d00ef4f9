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

    /// Tells whether an agent was called off because a sibling of it had won a race.
    pub(super) fn has_lost(&self, at: usize) -> bool {
        let path = &self.row(at).call_path;
        path.match_indices("/race#").any(|(start, _)| {
            let Some(open) = path[start..].find('[').map(|open| start + open) else { return false };
            let Some(end) = path[open..].find("]/").map(|end| open + end) else { return false };
            let (race, member) = (&path[..=open], &path[..=end]);
            self.entries.iter().any(|entry| {
                let row = &entry.call.row;
                let is_other =
                    row.call_path.starts_with(race) && !row.call_path.starts_with(member);
                is_other && row.status == crate::journal::Status::Completed
            })
        })
    }

    /// An agent's cost has that of those which its callbacks asked, unless it was cut off before it was
    /// written down.
    fn cost(&self, at: usize) -> f64 {
        let nested: f64 = self.entries[at].children.iter().map(|child| self.cost(*child)).sum();
        self.row(at).cost_usd.unwrap_or_default().max(nested)
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
    fn what_callbacks_asked_for_is_counted_once() {
        let mut book = Book::new(vec![
            call("/query#1", "a", Some(3.0)),
            call("/query#1@2/callback#1/query#1", "b", Some(1.0)),
            call("/query#2", "c", None),
            call("/query#2@1/callback#1/query#1", "d", Some(0.5)),
            call("/query#2@1/callback#1/query#1@1/callback#1/query#1", "e", Some(0.75)),
        ]);
        assert!((book.total_cost() - 3.75).abs() < 1e-9, "{}", book.total_cost());
        assert_eq!(book.nested(0), [1]);
        assert_eq!(book.turn_of(0, 1), Some(2));
        assert_eq!(book.nested(2), [3, 4]);
        assert!((book.share(3).carried_usd - 0.75).abs() < 1e-9);
        book.take(2);
        assert!(book.share(3).carried_usd.abs() < 1e-9);
        assert!((book.share(3).cost_usd - 0.75).abs() < 1e-9);
    }

    #[test]
    fn who_lost_a_race_is_told_by_the_winner() {
        let ended = |path: &str, status| {
            let mut call = call(path, "a", None);
            call.row.status = status;
            call
        };
        let book = Book::new(vec![
            ended("/race#1[1]/query#1", Status::Completed),
            ended("/race#1[2]/query#1", Status::Cancelled),
            ended("/race#2[1]/query#1", Status::Cancelled),
            ended("/race#2[2]/query#1", Status::Failed),
            ended("/all#1[1]/query#1", Status::Completed),
            ended("/all#1[2]/query#1", Status::Cancelled),
        ]);
        let lost: Vec<usize> = (0..6).filter(|at| book.has_lost(*at)).collect();
        assert_eq!(lost, [1]);
    }
}
