//! When GitHub says to wait: its primary limit, of requests in an hour, and its secondary ones, of too many
//! at once. All requests of a run wait together, for as long as is said, up to [`PATIENCE`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The longest that one call waits for limits, in all.
pub const PATIENCE: Duration = Duration::from_mins(15);

/// What is waited where a secondary limit does not say how long, as GitHub asks for.
const UNSAID: Duration = Duration::from_mins(1);

/// Clocks differ.
const SLACK: Duration = Duration::from_secs(1);

/// Reads from a refused answer how long to wait, if it is one for a limit.
pub fn wait_of<'a>(
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
    message: &str,
    now: SystemTime,
) -> Option<Duration> {
    if !matches!(status, 403 | 429) {
        return None;
    }
    if let Some(seconds) = header("retry-after").and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    if header("x-ratelimit-remaining") == Some("0")
        && let Some(reset) = header("x-ratelimit-reset").and_then(|text| text.parse().ok())
    {
        // A time that no clock can show is one that nobody lives to see.
        let reset = UNIX_EPOCH.checked_add(Duration::from_secs(reset));
        let wait = reset.map_or(Duration::MAX, |at| at.duration_since(now).unwrap_or_default());
        return Some(wait.saturating_add(SLACK));
    }
    let message = message.to_lowercase();
    let is_limit = status == 429 || message.contains("rate limit") || message.contains("abuse");
    is_limit.then_some(UNSAID)
}

/// Until when nobody may ask.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<Instant>>);

impl Gate {
    /// Closes it for a time; tells whether that is longer than it was closed anyway.
    pub fn close(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut gate = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_later = gate.is_none_or(|known| known + SLACK < until);
        if is_later {
            *gate = Some(until);
        }
        is_later
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        loop {
            let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(status: u16, headers: &[(&'static str, &'static str)], message: &str) -> Option<u64> {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, v)| *v);
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        wait_of(status, header, message, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_way_of_saying_wait_is_understood() {
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1030")];
        assert_eq!(wait(403, &spent, "API rate limit exceeded"), Some(31));
        assert_eq!(wait(429, &spent, ""), Some(31));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "900")];
        assert_eq!(wait(403, &past, ""), Some(1));
        let never = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "18446744073709551615")];
        assert_eq!(wait(403, &never, ""), Some(u64::MAX));
        assert_eq!(wait(403, &[("retry-after", "7")], ""), Some(7));
        let secondary = "You have exceeded a secondary rate limit.";
        assert_eq!(wait(403, &[("x-ratelimit-remaining", "4999")], secondary), Some(60));
        assert_eq!(wait(403, &[], "Resource not accessible by integration"), None);
        assert_eq!(wait(404, &spent, ""), None);
        assert_eq!(wait(200, &spent, ""), None, "the last one that was allowed");
    }
}
