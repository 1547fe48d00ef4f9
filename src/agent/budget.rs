//! Money: what a run and each of its agents has spent, and what is set aside for requests that are
//! under way. A request is paid for before it is sent, at the most that it can cost, and settled
//! when it is back; so requests side by side never spend more than there is. What earlier lives of a run
//! have spent binds from its start, and counts as spent once the script is there again.
//!
//! Purses form a tree: a run's, below it those of its agents, below these those of agents that work for
//! them. A request needs money in its own purse and in all above it. Where money is short a reply
//! gets fewer tokens; where siblings hold what is left it waits for them. It knows no models.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::{Error, Kind, Result};

/// Tokens of a reply that are enough to go on beside siblings who hold the rest.
const ENOUGH: u32 = 8192;
/// A reply of fewer tokens is of no use.
const FEWEST: u32 = 1024;

/// The money of a run, of an agent.
#[derive(Debug)]
pub struct Purse {
    above: Option<Arc<Purse>>,
    books: Arc<Shared>,
    state: Mutex<State>,
}

/// What the purses of a run have in common.
#[derive(Debug, Default)]
struct Shared {
    /// Held while several purses change together.
    turn: Mutex<()>,
    /// Told when something that was set aside is free again.
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    total: Option<f64>,
    spent: f64,
    /// What earlier lives of the run have spent on what this one has not come to yet.
    carried: f64,
    set_aside: f64,
    /// For how many requests.
    under_way: u32,
    /// Whether something was asked of a model whose price nobody knows.
    is_open: bool,
    /// Models of unknown price that counted tokens.
    unpriced: BTreeSet<String>,
}

impl State {
    /// Returns what is left; `free` leaves out what is set aside.
    fn left(&self, free: bool) -> f64 {
        let spent = self.spent + self.carried;
        let taken = if free { spent + self.set_aside } else { spent };
        self.total.map_or(f64::INFINITY, |total| total - taken)
    }
}

/// What a request may cost, in USD.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
    /// All that goes in, at the dearest.
    pub input: f64,
    /// One token out.
    pub per_token: f64,
    /// Tokens that may come out.
    pub most: u32,
}

impl Bill {
    fn of(&self, tokens: u32) -> f64 {
        self.input + self.per_token * f64::from(tokens)
    }

    /// Returns the tokens out that `money` pays for, if it pays for any use.
    fn tokens(&self, money: f64) -> Option<u32> {
        let rest = money - self.input;
        if rest < 0.0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let tokens = if self.per_token > 0.0 { (rest / self.per_token) as u32 } else { u32::MAX };
        let tokens = tokens.min(self.most);
        (tokens >= FEWEST.min(self.most)).then_some(tokens)
    }
}

impl Purse {
    /// Makes a purse of a run.
    pub fn of_run() -> Arc<Self> {
        Arc::new(Self { above: None, books: Arc::default(), state: Mutex::default() })
    }

    /// Makes a purse that spends from this one too, and no more than `total` USD of it.
    pub fn below(self: &Arc<Self>, total: Option<f64>) -> Arc<Self> {
        let state = Mutex::new(State { total, ..State::default() });
        Arc::new(Self { above: Some(Arc::clone(self)), books: Arc::clone(&self.books), state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.books.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns this purse and those above it.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |purse| purse.above.as_deref())
    }

    /// Changes the limit.
    pub fn set_total(&self, total: Option<f64>) {
        self.state().total = total;
        self.books.freed.notify_waiters();
    }

    /// Returns the limit in USD, if there is one.
    pub fn total(&self) -> Option<f64> {
        self.state().total
    }

    /// Returns what is known to be spent, in USD.
    pub fn spent(&self) -> f64 {
        self.state().spent
    }

    /// Returns what was spent, in USD; absent when a price is unknown.
    pub fn cost(&self) -> Option<f64> {
        let state = self.state();
        (!state.is_open).then_some(state.spent)
    }

    /// Returns the models of unknown price that counted tokens.
    pub fn unpriced(&self) -> Vec<String> {
        self.state().unpriced.iter().cloned().collect()
    }

    /// Notes what earlier lives of the run have spent. It binds from now on.
    pub fn carry(&self, amount: f64) {
        self.state().carried += amount;
    }

    /// Returns what earlier lives of the run have spent on what this one has not come to.
    pub fn carried(&self) -> f64 {
        self.state().carried
    }

    /// Counts what an earlier life of the run has spent on the agent of this purse, which the script has
    /// come to again. `carried` of it was carried until now; the rest was counted above already.
    pub fn come_to(&self, amount: f64, carried: f64) {
        let _turn = self.turn();
        for purse in self.chain() {
            let is_own = std::ptr::eq(purse, self);
            let mut state = purse.state();
            state.spent += if is_own { amount } else { carried };
            if purse.above.is_none() {
                state.carried = (state.carried - carried).max(0.0);
            }
        }
    }

    /// Reports whether this purse or one above it has a limit.
    pub fn is_limited(&self) -> bool {
        self.chain().any(|purse| purse.state().total.is_some())
    }

    /// Sets aside what a request may cost. Waits as long as siblings hold what it would need.
    ///
    /// # Errors
    /// Budget, when there is not enough left.
    pub async fn set_aside(self: &Arc<Self>, bill: Bill) -> Result<SetAside> {
        loop {
            let freed = self.books.freed.notified();
            tokio::pin!(freed);
            // From here on nothing that is freed is missed.
            freed.as_mut().enable();
            if let Some(set_aside) = self.try_set_aside(bill)? {
                return Ok(set_aside);
            }
            freed.await;
        }
    }

    fn try_set_aside(self: &Arc<Self>, bill: Bill) -> Result<Option<SetAside>> {
        let _turn = self.turn();
        let least =
            |free| self.chain().map(|purse| purse.state().left(free)).fold(f64::MAX, f64::min);
        if bill.tokens(least(false)).is_none() {
            return Err(self.used_up(bill));
        }
        let siblings_hold = self.chain().any(|purse| {
            let state = purse.state();
            state.total.is_some() && state.under_way > 0
        });
        let Some(tokens) = bill
            .tokens(least(true))
            .filter(|tokens| !siblings_hold || *tokens >= ENOUGH.min(bill.most))
        else {
            return Ok(None);
        };
        let amount = bill.of(tokens);
        for purse in self.chain() {
            let mut state = purse.state();
            state.set_aside += amount;
            state.under_way += 1;
        }
        let purse = Arc::clone(self);
        Ok(Some(SetAside {
            purse,
            amount,
            tokens,
            lost: bill.input,
            per_token: bill.per_token,
            heard: AtomicU64::new(0),
            is_sent: false,
        }))
    }

    /// Says whose money is used up.
    fn used_up(&self, bill: Bill) -> Error {
        let mut short =
            self.chain().filter(|purse| bill.tokens(purse.state().left(false)).is_none());
        let Some(purse) = short.next() else { return Error::internal("nobody is short of money") };
        let of_run = purse.above.is_none();
        let state = purse.state();
        let whose = if of_run { "the run" } else { "the agent" };
        let need = bill.of(FEWEST.min(bill.most));
        let why = format!(
            "{whose} has spent {} of its budget of {}, and the next request may cost {}",
            usd(state.spent + state.carried),
            usd(state.total.unwrap_or_default()),
            usd(need),
        );
        let option = if of_run { "--max-budget-usd" } else { "max_budget_usd" };
        Error::new(Kind::Budget, why)
            .hint(format!("raise `{option}`; what was done so far is on the branch"))
    }

    /// Notes a request to a model whose price nobody knows.
    pub fn note_unpriced(&self, model: &str, counted: bool) {
        for purse in self.chain() {
            let mut state = purse.state();
            state.is_open = true;
            if counted && !state.unpriced.contains(model) {
                state.unpriced.insert(model.to_owned());
            }
        }
    }
}

/// Money that is set aside for one request. Dropped, it is free again, save for what went in and what
/// was heard if the request was sent.
#[derive(Debug)]
pub struct SetAside {
    purse: Arc<Purse>,
    amount: f64,
    tokens: u32,
    lost: f64,
    per_token: f64,
    /// Tokens of the answer so far.
    heard: AtomicU64,
    is_sent: bool,
}

impl SetAside {
    /// Returns how many tokens may come out.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Notes that the request is sent: from here on it costs something, whatever becomes of it.
    pub fn sent(&mut self) {
        self.is_sent = true;
    }

    /// Notes tokens of the answer: they cost something even if nobody waits for its end.
    pub fn heard(&self, tokens: u64) {
        self.heard.fetch_add(tokens, Ordering::Relaxed);
    }

    /// Pays what the request has cost.
    pub fn settle(mut self, cost: f64) {
        (self.lost, self.per_token, self.is_sent) = (cost, 0.0, true);
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        let heard = *self.heard.get_mut() as f64 * self.per_token;
        // What was heard is guessed by its length, and a reply has no more tokens than it may.
        let heard = heard.min(f64::from(self.tokens) * self.per_token);
        let cost = if self.is_sent { self.lost + heard } else { 0.0 };
        let turn = self.purse.turn();
        for purse in self.purse.chain() {
            let mut state = purse.state();
            state.spent += cost;
            state.under_way = state.under_way.saturating_sub(1);
            // Sums of fractions do not end at exactly nothing by themselves.
            let rest = if state.under_way == 0 { 0.0 } else { state.set_aside - self.amount };
            state.set_aside = rest;
        }
        drop(turn);
        self.purse.books.freed.notify_waiters();
    }
}

/// Shows an amount of money: `$12.34`, small ones as `$0.0042`.
pub fn usd(amount: f64) -> String {
    if amount == 0.0 || amount >= 0.1 { format!("${amount:.2}") } else { format!("${amount:.4}") }
}

/// Makes the error for a limit on money that a model has no price for.
pub fn price_needed(model: &str, is_fallback: bool) -> Error {
    let role = if is_fallback { "the fallback model " } else { "" };
    let why = format!("a limit on money needs the price of {role}`{model}`, which is not known");
    Error::usage(why).hint(format!(
        "agent.config {{ prices = {{ [\"{model}\"] = {{ input = 3, output = 15 }} }} }}, in USD for a \
         million tokens"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// A thousand tokens for a dollar, and one dollar for what goes in.
    const BILL: Bill = Bill { input: 1.0, per_token: 0.001, most: 10_000 };

    fn purse(total: f64) -> Arc<Purse> {
        let run = Purse::of_run();
        run.set_total(Some(total));
        run
    }

    fn now(purse: &Arc<Purse>, bill: Bill) -> Option<Result<SetAside>> {
        purse.set_aside(bill).now_or_never()
    }

    fn is_close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn without_a_limit_everything_fits_and_is_counted() {
        let run = Purse::of_run();
        let agent = run.below(None);
        let set_aside = now(&agent, BILL).unwrap().unwrap();
        assert_eq!(set_aside.tokens(), 10_000);
        set_aside.settle(0.5);
        assert!(is_close(run.spent(), 0.5) && is_close(agent.cost().unwrap(), 0.5));
        assert!(!agent.is_limited());
        agent.note_unpriced("lua", false);
        assert_eq!((run.cost(), run.unpriced().len()), (None, 0));
        agent.note_unpriced("lua", true);
        assert_eq!(run.unpriced(), ["lua"]);
    }

    #[test]
    fn a_reply_gets_what_is_left_and_below_the_least_there_is_none() {
        let run = purse(5.0);
        let first = now(&run, BILL).unwrap().unwrap();
        assert_eq!(first.tokens(), 4000, "nobody else holds anything");
        first.settle(3.0);
        let error = now(&run, BILL).unwrap().unwrap_err();
        assert_eq!(error.kind, Kind::Budget);
        assert_eq!(
            error.message,
            "the run has spent $3.00 of its budget of $5.00, and the next request may cost $2.02"
        );
        // A short reply fits.
        let short = Bill { most: 500, ..BILL };
        assert_eq!(now(&run, short).unwrap().unwrap().tokens(), 500);
        let free = Bill { input: 0.0, per_token: 0.0, most: 9 };
        assert_eq!(now(&run, free).unwrap().unwrap().tokens(), 9);
    }

    #[tokio::test]
    async fn who_finds_too_little_waits_for_the_siblings() {
        let run = purse(12.0);
        let (a, b) = (run.below(None), run.below(None));
        let held = a.set_aside(BILL).await.unwrap();
        let mut waiting = Box::pin(b.set_aside(BILL));
        assert!(waiting.as_mut().now_or_never().is_none(), "1 of 12 is free");
        held.settle(2.0);
        let held = waiting.await.unwrap();
        assert_eq!(held.tokens(), 9000);
        let mut waiting = Box::pin(a.set_aside(BILL));
        assert!(waiting.as_mut().now_or_never().is_none());
        // The sibling needs all that it holds: there is no more.
        held.settle(10.0);
        assert_eq!(waiting.await.unwrap_err().kind, Kind::Budget);
        assert!(is_close(run.spent(), 12.0));
    }

    #[test]
    fn the_tighter_of_several_limits_counts_and_is_named() {
        let run = purse(100.0);
        let agent = run.below(Some(3.0));
        let helper = agent.below(None);
        assert_eq!(now(&helper, BILL).unwrap().unwrap().tokens(), 2000);
        now(&helper, BILL).unwrap().unwrap().settle(2.5);
        assert!(is_close(agent.spent(), 2.5) && is_close(run.spent(), 2.5));
        let error = now(&agent, BILL).unwrap().unwrap_err();
        assert!(error.message.starts_with("the agent has spent $2.50 of"), "{error}");
        assert!(now(&run.below(None), BILL).unwrap().is_ok());
    }

    #[test]
    fn what_is_given_up_is_free_unless_it_was_sent() {
        let run = purse(20.0);
        drop(now(&run, BILL).unwrap().unwrap());
        assert!(is_close(run.spent(), 0.0));
        let mut sent = now(&run, BILL).unwrap().unwrap();
        sent.sent();
        drop(sent);
        assert!(is_close(run.spent(), 1.0), "what went in is paid for");
        for (heard, cost) in [(500, 1.5), (1_000_000, 11.0)] {
            let before = run.spent();
            let mut sent = now(&run, Bill { most: 10_000, ..BILL }).unwrap().unwrap();
            sent.sent();
            sent.heard(heard);
            drop(sent);
            assert!(is_close(run.spent() - before, cost), "and what came out, {}", run.spent());
        }
        let mut sent = now(&run, Bill { most: 100, ..BILL }).unwrap().unwrap();
        sent.sent();
        sent.heard(99);
        let before = run.spent();
        sent.settle(0.25);
        assert!(is_close(run.spent() - before, 0.25), "what is told counts");
    }

    #[test]
    fn what_earlier_lives_spent_binds_and_is_spent_once_it_is_come_to() {
        let run = purse(20.0);
        run.carry(15.0);
        assert!(is_close(run.spent(), 0.0));
        let agent = run.below(None);
        assert_eq!(now(&agent, BILL).unwrap().unwrap().tokens(), 4_000);
        let nested = agent.below(None);
        agent.come_to(12.0, 12.0);
        nested.come_to(4.0, 0.0);
        assert!(is_close(run.spent(), 12.0) && is_close(run.carried(), 3.0));
        assert!(is_close(agent.spent(), 12.0) && is_close(nested.spent(), 4.0));
        assert_eq!(now(&agent, BILL).unwrap().unwrap().tokens(), 4_000, "no more than before");
        run.carry(5.0);
        let error = now(&agent, BILL).unwrap().unwrap_err();
        assert!(error.message.starts_with("the run has spent $20.00 of"), "{error}");
    }

    #[test]
    fn small_amounts_are_shown() {
        assert_eq!([0.0, 0.0042, 0.12, 12.345].map(usd), ["$0.00", "$0.0042", "$0.12", "$12.35"]);
    }
}
