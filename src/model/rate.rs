//! What a provider says is left of its limits: `anthropic-ratelimit-*` with moments in RFC 3339, and
//! `x-ratelimit-*` with spans such as `6m0s`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a limit is full again, of which the provider says no more: limits are by the minute.
const USUAL_RESET: Duration = Duration::from_mins(1);

/// One limit: how much there is, how much is left, and when it is full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// How much it holds.
    pub limit: u64,
    /// How much is left.
    pub remaining: u64,
    /// How long until it is full.
    pub reset: Duration,
}

/// The limits of an answer's headers; absent where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Option<Bucket>,
    /// Tokens in, or in and out where the provider does not tell them apart.
    pub input_tokens: Option<Bucket>,
    /// Tokens out.
    pub output_tokens: Option<Bucket>,
}

impl RateLimits {
    /// Reads the headers of an answer; `header` finds the value of a lower-case name.
    pub fn from_headers<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        // By the provider's own clock, where it tells it: ours may be wrong.
        let date = header("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let now = date.unwrap_or_else(SystemTime::now);
        let bucket = |name: &dyn Fn(&str) -> String| {
            let value = |field: &str| header(&name(field)).map(str::trim);
            let reset = value("reset").and_then(|text| span(text).or_else(|| until(text, now)));
            Some(Bucket {
                limit: value("limit")?.parse().ok()?,
                remaining: value("remaining")?.parse().ok()?,
                reset: reset.unwrap_or(USUAL_RESET),
            })
        };
        let of = |what: &str| {
            bucket(&|field| format!("anthropic-ratelimit-{what}-{field}"))
                .or_else(|| bucket(&|field| format!("x-ratelimit-{field}-{what}")))
        };
        Self {
            requests: of("requests"),
            input_tokens: of("input-tokens").or_else(|| of("tokens")),
            output_tokens: of("output-tokens"),
        }
    }
}

/// Reads `1s`, `6m0s`, `1h2m3.5s`, `120ms`, or a number of seconds.
fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let (mut seconds, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(unit);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let length = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * length;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

/// Returns how long it is until a moment in RFC 3339; nothing when it has passed.
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    Some(moment(text)?.duration_since(now).unwrap_or_default())
}

/// Reads `2026-08-22T10:00:05Z`, with a fraction of a second and an offset where there are some.
fn moment(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (&time[..at], offset(&time[at..])?),
        None => (time, 0),
    };
    let mut clock = clock.splitn(3, ':');
    let hours: i64 = clock.next()?.parse().ok()?;
    let minutes: i64 = clock.next()?.parse().ok()?;
    let seconds: f64 = clock.next()?.parse().ok()?;
    let is_sound = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0.0..61.0).contains(&seconds);
    if !is_sound {
        return None;
    }
    let whole = days(year, month, day) * 86_400 + hours * 3600 + minutes * 60 - offset;
    let whole = Duration::from_secs(u64::try_from(whole).ok()?);
    Some(UNIX_EPOCH + whole + Duration::try_from_secs_f64(seconds).ok()?)
}

/// Reads `Z` or `+01:30`, in seconds east.
fn offset(text: &str) -> Option<i64> {
    let Some((sign, rest)) = text.split_at_checked(1).filter(|_| text.len() > 1) else {
        return Some(0);
    };
    let (hours, minutes) = rest.split_once(':')?;
    let east = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    Some(if sign == "-" { -east } else { east })
}

/// Counts the days since 1970 of a date in the Gregorian calendar, by Howard Hinnant's
/// `days_from_civil`: years begin in March, so that the odd day is the last of them.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> RateLimits {
        RateLimits::from_headers(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
        })
    }

    #[test]
    fn anthropics_headers_are_moments_by_the_providers_clock() {
        let limits = read(&[
            ("date", "Sat, 22 Aug 2026 10:00:00 GMT"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-08-22T10:00:01Z"),
            ("anthropic-ratelimit-tokens-limit", "1"),
            ("anthropic-ratelimit-tokens-remaining", "1"),
            ("anthropic-ratelimit-input-tokens-limit", "400000"),
            ("anthropic-ratelimit-input-tokens-remaining", "399000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-08-22T12:00:30.5+02:00"),
            ("anthropic-ratelimit-output-tokens-limit", "80000"),
            ("anthropic-ratelimit-output-tokens-remaining", "0"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-08-22T09:59:00Z"),
        ]);
        let bucket = |limit, remaining, reset| Some(Bucket { limit, remaining, reset });
        assert_eq!(limits.requests, bucket(50, 49, Duration::from_secs(1)));
        assert_eq!(limits.input_tokens, bucket(400_000, 399_000, Duration::from_millis(30_500)));
        assert_eq!(limits.output_tokens, bucket(80_000, 0, Duration::ZERO));
    }

    #[test]
    fn openais_headers_are_spans() {
        let limits = read(&[
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-limit-tokens", "150000"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        assert_eq!(limits.requests.unwrap().reset, Duration::from_secs(1));
        let tokens = Bucket { limit: 150_000, remaining: 149_984, reset: Duration::from_mins(6) };
        assert_eq!(limits.input_tokens, Some(tokens));
        assert_eq!(limits.output_tokens, None);
        for (text, millis) in
            [("120ms", 120), ("2m59.56s", 179_560), ("1h0m1s", 3_601_000), ("60", 60_000)]
        {
            assert_eq!(span(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_there() {
        assert_eq!(read(&[("x-ratelimit-limit-requests", "60")]), RateLimits::default());
        let odd = [("x-ratelimit-limit-requests", "1"), ("x-ratelimit-remaining-requests", "many")];
        assert_eq!(read(&odd).requests, None);
        let silent = [("x-ratelimit-limit-requests", "9"), ("x-ratelimit-remaining-requests", "8")];
        assert_eq!(read(&silent).requests.unwrap().reset, USUAL_RESET);
        for text in ["", "s", "1", "-", "1x", "now", "2026-13-01T00:00:00Z", "2026-01-01", "1sé"] {
            assert_eq!(moment(text), None, "{text}");
        }
        for text in ["", "s", "1x", "NaN", "-1", "1s!", "é", "1e400"] {
            assert_eq!(span(text), None, "{text}");
        }
        assert_eq!(moment("1970-01-01T00:00:00Z"), Some(UNIX_EPOCH));
        let leap = UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        assert_eq!(moment("2024-02-29T12:34:56Z"), Some(leap));
    }
}
