//! Ids: short, and the same for the same place in the same run.

use std::hash::{Hash, Hasher};

/// The fewest hex digits of an agent's id.
const SHORTEST: usize = 4;

/// Returns a new run's id, from the clock and the process.
pub fn new_run() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    format!("run-{:08x}", hash(&(now, std::process::id())) >> 32)
}

/// Returns the candidates for the id of the agent at `call_path` of `run`, shortest first; the
/// first that is free is taken.
pub fn candidates(run: &str, call_path: &str) -> impl Iterator<Item = String> {
    let digits = format!("{:016x}{:016x}", hash(&(run, call_path)), hash(&(call_path, run)));
    (SHORTEST..=digits.len()).map(move |length| format!("agent-{}", &digits[..length]))
}

/// FNV-1a: ids have to be the same for every build, which the standard library's hasher does not
/// promise.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        // FNV mixes its last bytes too little for short prefixes; this spreads them.
        let mut mixed = self.0;
        mixed ^= mixed >> 33;
        mixed = mixed.wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ids_start_short_and_grow() {
        let ids: Vec<_> = candidates("run-1", "/query#1").take(3).collect();
        assert_eq!(ids[0].len(), "agent-".len() + SHORTEST);
        assert!(ids[1].starts_with(&ids[0]) && ids[1].len() == ids[0].len() + 1);
        assert_eq!(ids, candidates("run-1", "/query#1").take(3).collect::<Vec<_>>());
        assert_ne!(ids[0], candidates("run-1", "/query#2").next().unwrap());
        assert_ne!(ids[0], candidates("run-2", "/query#1").next().unwrap());
    }

    #[test]
    fn neighbours_spread() {
        let short: std::collections::BTreeSet<_> = (0..500)
            .map(|n| candidates("run-1", &format!("/all#1[{n}]/query#1")).nth(4).unwrap())
            .collect();
        assert_eq!(short.len(), 500);
    }
}
