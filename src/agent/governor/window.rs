//! How many requests of a pool may be under way at once: more while answers come back clean, half
//! as many when the provider has too much to do (additive increase, multiplicative decrease).
//!
//! Requests are numbered as they leave. Of those that left before the last cut none cuts again: they
//! tell of the same jam. After a pause one request probes alone, and the others follow when it is back.

/// Requests that may be under way at first.
const START: usize = 4;
/// And at most.
const CEILING: usize = 256;
/// Clean answers for one more, once there was a cut.
const CLEAN_FOR_ONE: u32 = 10;

/// How a request came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// With an answer.
    Clean,
    /// The provider has too much to do.
    Crowded,
    /// It failed for another reason.
    Failed,
    /// Nobody waits for it any more.
    Lost,
}

/// Whether the next request has to go alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    No,
    Due,
    Out(u64),
}

/// The requests of a pool that are under way, and how many there may be.
#[derive(Debug)]
pub struct Window {
    limit: usize,
    out: usize,
    /// The number of the next request.
    next: u64,
    /// The first request that left after the last cut; none was made while it is absent.
    cut_at: Option<u64>,
    clean: u32,
    probe: Probe,
}

impl Default for Window {
    fn default() -> Self {
        Self { limit: START, out: 0, next: 0, cut_at: None, clean: 0, probe: Probe::No }
    }
}

impl Window {
    /// Reports whether no request may leave.
    pub fn is_full(&self) -> bool {
        self.out >= self.limit || matches!(self.probe, Probe::Out(_))
    }

    /// Returns how many requests are under way.
    pub fn out(&self) -> usize {
        self.out
    }

    /// Counts a request that leaves, and returns its number.
    pub fn leave(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.out += 1;
        if self.probe == Probe::Due {
            self.probe = Probe::Out(number);
        }
        number
    }

    /// Lets the next request go alone.
    pub fn probe(&mut self) {
        self.probe = Probe::Due;
    }

    /// Counts a request that is back.
    pub fn come_back(&mut self, number: u64, how: Back) {
        let was_full = self.out >= self.limit;
        self.out = self.out.saturating_sub(1);
        if self.probe == Probe::Out(number) {
            let told = matches!(how, Back::Clean | Back::Failed);
            self.probe = if told { Probe::No } else { Probe::Due };
        }
        match how {
            // Room that nobody has used says nothing about what the provider bears.
            Back::Clean if was_full => self.grow(),
            Back::Crowded if self.cut_at.is_none_or(|cut_at| number >= cut_at) => {
                self.limit = (self.limit / 2).max(1);
                self.cut_at = Some(self.next);
                self.clean = 0;
            }
            _ => {}
        }
    }

    fn grow(&mut self) {
        self.clean += 1;
        if self.cut_at.is_none() || self.clean >= CLEAN_FOR_ONE {
            self.limit = (self.limit + 1).min(CEILING);
            self.clean = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills the window, and returns the numbers of the requests.
    fn fill(window: &mut Window) -> Vec<u64> {
        let mut numbers = Vec::new();
        while !window.is_full() {
            numbers.push(window.leave());
        }
        numbers
    }

    fn all_back(window: &mut Window, numbers: &[u64], how: Back) {
        for number in numbers {
            window.come_back(*number, how);
        }
    }

    #[test]
    fn it_grows_fast_until_the_first_cut_and_slowly_after() {
        let mut window = Window::default();
        let numbers = fill(&mut window);
        assert_eq!(numbers.len(), START);
        for number in numbers {
            window.come_back(number, Back::Clean);
            fill(&mut window);
        }
        assert_eq!(window.out(), 2 * START);
        window.come_back(0, Back::Crowded);
        assert_eq!(window.limit, START);
        // Ten clean answers, each to a full window, make one more.
        let mut window = Window { limit: 1, cut_at: Some(0), ..Window::default() };
        for _ in 0..CLEAN_FOR_ONE {
            assert_eq!(window.limit, 1);
            let number = window.leave();
            window.come_back(number, Back::Clean);
        }
        assert_eq!(window.limit, 2);
    }

    #[test]
    fn one_jam_cuts_once() {
        let mut window = Window { limit: 64, ..Window::default() };
        let first = fill(&mut window);
        all_back(&mut window, &first, Back::Crowded);
        assert_eq!(window.limit, 32);
        let second = fill(&mut window);
        all_back(&mut window, &second, Back::Crowded);
        assert_eq!(window.limit, 16);
        for _ in 0..10 {
            let numbers = fill(&mut window);
            all_back(&mut window, &numbers, Back::Crowded);
        }
        assert_eq!(window.limit, 1);
    }

    #[test]
    fn it_has_a_ceiling_and_does_not_grow_unused() {
        let mut window = Window::default();
        for _ in 0..100 {
            let number = window.leave();
            window.come_back(number, Back::Clean);
        }
        assert_eq!(window.limit, START);
        for number in 100..1000 {
            fill(&mut window);
            window.come_back(number, Back::Clean);
        }
        assert_eq!(window.limit, CEILING);
    }

    #[test]
    fn a_probe_goes_alone_until_it_is_back() {
        let mut window = Window::default();
        window.probe();
        assert_eq!(fill(&mut window), [0]);
        window.come_back(0, Back::Lost);
        assert_eq!(fill(&mut window), [1]);
        window.come_back(1, Back::Crowded);
        assert_eq!(fill(&mut window), [2]);
        window.come_back(2, Back::Failed);
        assert_eq!(fill(&mut window).len(), 2);
    }
}
