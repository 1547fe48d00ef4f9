//! What is in memory of the steps of a run: where they were taken, what was asked, how far they are. A value
//! is there only if it is short, or of a kind that is looked through; the journal has the others.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Place;
use crate::journal::Step;

/// The most bytes of a value that stays in memory.
const SHORT: usize = 256;

/// Kinds of which all that are known are looked through.
const LOOKED_THROUGH: [&str; 3] = ["merge", "commit", "worktree"];

/// Kinds that are found again where they no longer stand: they must not happen twice.
const FOUND_ELSEWHERE: [&str; 4] = ["merge", "commit", "sh", "github"];

/// A step, as far as it is in memory.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub kind: String,
    pub key: String,
    pub done: bool,
    /// Its value, unless only the journal has that.
    pub value: Option<String>,
    /// Whether this life has not come to it.
    pub is_ahead: bool,
    /// Its place in the order in which the steps were taken.
    number: usize,
}

/// The steps that are known, by their paths.
#[derive(Default)]
pub(super) struct Shelf {
    steps: HashMap<String, Held>,
    last: usize,
}

impl Held {
    /// Keeps in memory what has to be there of a step.
    pub(super) fn of(step: Step, is_ahead: bool) -> (String, Self) {
        let Step { path, kind, key, done, value } = step;
        let stays = value.len() <= SHORT || LOOKED_THROUGH.contains(&&*kind);
        let value = stays.then_some(value);
        (path, Self { kind, key, done, value, is_ahead, number: 0 })
    }

    fn is(&self, place: &Place) -> bool {
        self.kind == place.kind && self.key == place.key
    }
}

impl Shelf {
    /// Takes in a step, in the place of one at the same path.
    pub(super) fn put(&mut self, path: String, held: Held) {
        self.last += 1;
        self.steps.insert(path, Held { number: self.last, ..held });
    }

    /// Takes in a step of an earlier life, unless this one has put another there.
    pub(super) fn put_earlier(&mut self, path: String, held: Held) {
        if !self.steps.contains_key(&path) {
            self.put(path, held);
        }
    }

    /// Returns the steps of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> Vec<(String, Held)> {
        let found = self.steps.iter().filter(|(_, held)| held.kind == kind);
        found.map(|(path, held)| (path.clone(), held.clone())).collect()
    }

    /// Comes to a step at its own place, if it was asked the same.
    pub(super) fn come_to(&mut self, place: &Place) -> Option<Held> {
        let held = self.steps.get_mut(&place.path).filter(|held| held.is(place))?;
        held.is_ahead = false;
        Some(held.clone())
    }

    /// Tells whether another step, which this life has not come to, stands in the way at a place.
    pub(super) fn is_in_the_way(&self, place: &Place) -> bool {
        place.is_path()
            && self.steps.get(&place.path).is_some_and(|held| held.is_ahead && !held.is(place))
    }

    /// Tells whether steps were put aside, in this life or before.
    pub(super) fn has_set_aside(&self) -> bool {
        self.steps.keys().any(|path| path.starts_with(ASIDE))
    }

    /// Returns where the step that stands at a path can be put aside.
    pub(super) fn aside(&self, path: &str) -> String {
        let mut number = 1;
        loop {
            let aside = format!("{ASIDE}{number}{path}");
            if !self.steps.contains_key(&aside) {
                return aside;
            }
            number += 1;
        }
    }

    /// Returns the path of the step that asked the same elsewhere and that this life has not come to: the
    /// nearest one.
    pub(super) fn elsewhere(&self, place: &Place) -> Option<String> {
        if !place.is_path() || !FOUND_ELSEWHERE.contains(&place.kind) {
            return None;
        }
        let wanted = unnumbered(&place.path);
        let found = self.steps.iter().filter_map(|(path, held)| {
            let own = path.find('/').map(|start| &path[start..])?;
            let is_like = unnumbered(own) == wanted;
            // A command does not say what it is for: that of another item is another.
            let counts = held.is_ahead && held.is(place) && (is_like || place.kind != "sh");
            counts.then(|| (!is_like, Reverse(shared(own, &place.path)), held.number, path))
        });
        found.min().map(|(.., path)| path.clone())
    }

    /// Notes that a step stands elsewhere now.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(held) = self.steps.remove(from) {
            self.steps.insert(to.to_owned(), held);
        }
    }
}

/// What the paths of steps begin with in whose places others stand now. Call paths begin with a slash.
const ASIDE: &str = "aside:";

/// Returns a call path without the numbers of its calls.
fn unnumbered(path: &str) -> String {
    let mut parts = path.split('#');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Returns how many bytes two paths have in common at their beginning.
fn shared(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn place(path: &str, kind: &'static str, key: &str) -> Place {
        Place { path: path.to_owned(), kind, key: key.to_owned() }
    }

    fn shelf(steps: &[(&str, &'static str, &str)]) -> Shelf {
        let mut shelf = Shelf::default();
        for (path, kind, key) in steps {
            let (path, kind, key) = ((*path).to_owned(), (*kind).to_owned(), (*key).to_owned());
            let (path, held) =
                Held::of(Step { path, kind, key, done: true, value: "1".into() }, true);
            shelf.put(path, held);
        }
        shelf
    }

    #[test]
    fn the_nearest_that_nobody_came_to_is_found_elsewhere() {
        let mut shelf = shelf(&[
            ("/all#1[2]/commit#2", "commit", "a"),
            ("/commit#1", "commit", "a"),
            ("aside:1/commit#2", "commit", "a"),
            ("/all#1[1]/sh#1", "sh", "a"),
        ]);
        let wanted = place("/commit#4", "commit", "a");
        for path in ["/commit#1", "aside:1/commit#2", "/all#1[2]/commit#2"] {
            assert_eq!(shelf.elsewhere(&wanted).unwrap(), path);
            let key = Held { is_ahead: false, ..shelf.steps[path].clone() };
            shelf.steps.insert(path.to_owned(), key);
        }
        assert_eq!(shelf.elsewhere(&wanted), None, "each is used once");
        assert_eq!(shelf.elsewhere(&place("/all#1[2]/sh#1", "sh", "a")), None);
        assert_eq!(shelf.elsewhere(&place("/all#2[1]/sh#3", "sh", "a")).unwrap(), "/all#1[1]/sh#1");
        assert_eq!(shelf.elsewhere(&place("sh:name", "sh", "a")), None);
    }

    #[test]
    fn what_stands_in_the_way_is_put_aside_under_a_name_of_its_own() {
        let mut shelf = shelf(&[("/commit#1", "commit", "a"), ("aside:1/commit#1", "commit", "b")]);
        assert!(!shelf.is_in_the_way(&place("/commit#1", "commit", "a")));
        assert!(shelf.is_in_the_way(&place("/commit#1", "commit", "c")));
        let aside = shelf.aside("/commit#1");
        assert_eq!(aside, "aside:2/commit#1");
        shelf.rename("/commit#1", &aside);
        assert!(!shelf.is_in_the_way(&place("/commit#1", "commit", "c")));
        assert_eq!(shelf.elsewhere(&place("/commit#1", "commit", "a")).unwrap(), aside);
    }

    #[test]
    fn long_values_are_left_to_the_journal() {
        let step = |kind: &str, value: String| {
            let (path, key) = ("/x#1".to_owned(), "a".to_owned());
            Held::of(Step { path, kind: kind.into(), key, done: true, value }, false).1.value
        };
        assert_eq!(step("sh", "x".repeat(SHORT)), Some("x".repeat(SHORT)));
        assert_eq!(step("sh", "x".repeat(SHORT + 1)), None);
        assert!(step("merge", "x".repeat(SHORT + 1)).is_some());
    }
}
