//! Agents that had ended in an earlier life of the run: nobody works, and everything else is as if they
//! had ended now. The script has their outcomes, listeners are told, the books and the purse have them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::audience::Audience;
use super::fleet::{Fleet, Order};
use super::outcome::Outcome;
use super::tally::{Ended, Unchanged};
use crate::event::Usage;
use crate::git::Repo;

/// What the earlier life of a run has counted for an agent that this one comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Its tokens.
    pub usage: Usage,
    /// What it has spent, in USD, with what its callbacks asked for.
    pub cost_usd: f64,
    /// How much of that was carried until now: nothing, where it was counted for whose callback asks.
    pub carried_usd: f64,
    /// Whether it asked something at an unknown price.
    pub unpriced: bool,
}

impl Fleet {
    /// Notes what earlier lives of the run have used up.
    pub fn carry(&self, usage: Usage, cost_usd: f64) {
        self.purse().carry(cost_usd);
        self.books().carried += usage;
    }

    /// Takes over what an earlier life has counted for the agent of an order, which goes on.
    pub fn come_to(&self, order: &Order, share: Share) {
        order.query.purse.come_to(share.cost_usd, share.carried_usd);
        if share.unpriced {
            let counted = share.usage != Usage::default();
            order.query.purse.note_unpriced(order.query.model.name(), counted);
        }
        self.books().carried -= share.usage;
    }

    /// Counts as spent what nobody comes to any more: another call has taken its place.
    pub fn write_off(&self, share: Share) {
        self.purse().come_to(share.carried_usd, share.carried_usd);
        let mut books = self.books();
        books.carried -= share.usage;
        books.tally.usage += share.usage;
    }

    /// Ends the agent of an order as it had ended before. `goes` tells whether its branch goes at the end
    /// of the run, if nothing is added to it.
    pub fn recall(&self, order: &Order, outcome: &Outcome, goes: bool) {
        let live = &order.live;
        let _ = live.id.set(outcome.id.clone());
        if let Some(branch) = &outcome.branch {
            let _ = live.branch.set(branch.clone());
        }
        live.working.store(true, Ordering::Relaxed);
        live.inbox.close();
        let mut query = order.query.clone();
        // It has heard all of it; whoever reads `task:events()` waits for the end.
        query.on_event = None;
        let audience = Audience::of(&query, &self.events).map(|audience| audience as _);
        let events = self.events.within(&outcome.session_id, audience);
        let ended = Ended::new(outcome, order.repo.as_deref(), outcome.left_nothing());
        events.emit(ended.event(outcome, true));
        self.enter(order, outcome, ended, goes);
        live.has_ground();
    }

    /// Enters an agent that a step of the script had asked which is not taken again, after those in whose
    /// callbacks it was asked. `goes` is as in [`Fleet::recall`].
    pub fn recall_beneath(
        &self,
        repo: Option<&Arc<Repo>>,
        outcome: &Outcome,
        share: Share,
        goes: bool,
    ) {
        self.purse().come_to(share.carried_usd, share.carried_usd);
        let ended = Ended::new(outcome, repo.map(|repo| &**repo), outcome.left_nothing());
        self.events.within(&outcome.session_id, None).emit(ended.event(outcome, true));
        let mut books = self.books();
        if goes {
            books.unchanged.extend(Unchanged::of(outcome, repo));
        }
        books.carried -= share.usage;
        books.tally.usage += outcome.usage;
        books.sessions.insert(outcome.id.clone(), outcome.session_id.clone());
        books.tally.ended.push(ended);
    }

    /// Enters an agent that a callback of one asked which is recalled.
    pub fn recall_nested(&self, order: &Order, outcome: &Outcome) {
        let ended = Ended::new(outcome, order.repo.as_deref(), outcome.left_nothing());
        self.events.within(&outcome.session_id, None).emit(ended.event(outcome, true));
        let mut books = self.books();
        books.carried -= outcome.usage;
        books.tally.usage += outcome.usage;
        books.sessions.insert(outcome.id.clone(), outcome.session_id.clone());
        books.tally.ended.push(ended);
    }
}
