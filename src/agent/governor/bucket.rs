//! A limit of the provider's as it tells of it in the headers of its answers: so much at once, and
//! so much again as time goes by. What nobody has told of does not limit.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::rate;

/// How soon a bucket is full again when nobody can tell: limits are by the minute.
const PERIOD: f64 = 60.0;

/// What is left of one limit.
#[derive(Debug, Default)]
pub struct Bucket(Option<Level>);

#[derive(Debug)]
struct Level {
    limit: f64,
    /// At `at`; below zero when more was taken than there was.
    left: f64,
    at: Instant,
    /// What comes back in a second.
    rate: f64,
}

impl Level {
    fn left(&self, now: Instant) -> f64 {
        let passed = now.duration_since(self.at).as_secs_f64();
        (self.left + self.rate * passed).min(self.limit)
    }
}

impl Bucket {
    /// Takes what the provider says. `under_way` is what requests will take that have left and are
    /// not back: it may not have counted them yet.
    pub fn hear(&mut self, told: Option<rate::Bucket>, under_way: f64, now: Instant) {
        let Some(told) = told.filter(|told| told.limit > 0) else { return };
        let limit = told.limit as f64;
        let missing = told.limit.saturating_sub(told.remaining) as f64;
        let rate = match told.reset.as_secs_f64() {
            reset if reset > 0.0 && missing > 0.0 => missing / reset,
            _ => limit / PERIOD,
        };
        self.0 = Some(Level { limit, left: limit - missing - under_way, at: now, rate });
    }

    /// Returns when there is `need`, unless there is. What is more than the bucket ever holds waits
    /// until it is full.
    pub fn ready_at(&self, need: f64, now: Instant) -> Option<Instant> {
        let level = self.0.as_ref()?;
        let missing = need.min(level.limit) - level.left(now);
        if missing <= 0.0 {
            return None;
        }
        let seconds = (missing / level.rate).clamp(0.001, 1e6);
        Some(now + Duration::from_secs_f64(seconds))
    }

    /// Takes `amount`; what was taken too much is given back as less than nothing.
    pub fn take(&mut self, amount: f64, now: Instant) {
        if let Some(level) = &mut self.0 {
            level.left = (level.left(now) - amount).min(level.limit);
            level.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limit: u64, remaining: u64, seconds: u64) -> rate::Bucket {
        rate::Bucket { limit, remaining, reset: Duration::from_secs(seconds) }
    }

    fn wait(bucket: &Bucket, need: f64, now: Instant) -> f64 {
        bucket.ready_at(need, now).map_or(0.0, |at| (at - now).as_secs_f64())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_comes_back_with_time() {
        let now = Instant::now();
        let mut bucket = Bucket::default();
        bucket.take(1e9, now);
        assert_eq!(bucket.ready_at(1e9, now), None, "nobody told of a limit");
        bucket.hear(Some(told(100, 0, 50)), 0.0, now);
        assert!((wait(&bucket, 10.0, now) - 5.0).abs() < 1e-6);
        // More than it holds: until it is full.
        assert!((wait(&bucket, 1000.0, now) - 50.0).abs() < 1e-6);
        let later = now + Duration::from_secs(5);
        assert_eq!(bucket.ready_at(10.0, later), None);
        bucket.take(10.0, later);
        assert!((wait(&bucket, 1.0, later) - 0.5).abs() < 1e-6);
        bucket.take(-10.0, later);
        assert_eq!(bucket.ready_at(10.0, later), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_counts_and_silence_changes_nothing() {
        let now = Instant::now();
        let mut bucket = Bucket::default();
        bucket.hear(Some(told(100, 40, 60)), 30.0, now);
        assert_eq!(bucket.ready_at(10.0, now), None);
        assert!(bucket.ready_at(11.0, now).is_some());
        bucket.hear(None, 0.0, now);
        bucket.hear(Some(told(0, 0, 9)), 0.0, now);
        assert!(bucket.ready_at(11.0, now).is_some());
        // A full bucket that is emptied fills again all the same.
        bucket.hear(Some(told(60, 60, 0)), 0.0, now);
        bucket.take(60.0, now);
        assert!((wait(&bucket, 1.0, now) - 1.0).abs() < 1e-6);
    }
}
