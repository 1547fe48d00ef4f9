//! Faults: which there are, how they are written down, and when one is due.

use std::time::Duration;

use super::measure::digest_of;

/// A way in which an answer goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with this pause told to the client, if any.
    RateLimit(Option<Pause>),
    /// 429 because the account's money is spent; asking again cannot help.
    SpendLimit,
    /// A bare error status.
    Status(u16),
    /// The connection drops in the middle of text.
    CutText,
    /// The connection drops in the middle of a call's arguments.
    CutTool,
    /// The stream closes in order, without its final event.
    NoEnd,
    /// The stream begins and then says that it failed.
    ErrorEvent,
    /// One event is no JSON.
    Garbage,
    /// The stream begins and then says nothing, and stays open.
    Silence,
    /// The first bytes come one each 100 ms; the answer is whole.
    Drip(usize),
}

/// How a pause is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    Seconds(u64),
    Millis(u64),
}

impl Fault {
    /// Parses `429`, `429:0` (no header), `429:2` (seconds), `429:50ms`, `drip:30`, `cut_text`…
    pub fn parse(word: &str) -> Result<Self, String> {
        let (name, detail) =
            word.split_once(':').map_or((word, None), |(name, detail)| (name, Some(detail)));
        let number = |text: &str| text.parse().map_err(|_| format!("`{word}`: no number"));
        Ok(match (name, detail) {
            ("429", None) => Self::RateLimit(Some(Pause::Seconds(1))),
            ("429", Some("0")) => Self::RateLimit(None),
            ("429", Some(pause)) => Self::RateLimit(Some(match pause.strip_suffix("ms") {
                Some(millis) => Pause::Millis(number(millis)?),
                None => Pause::Seconds(number(pause)?),
            })),
            ("drip", None) => Self::Drip(20),
            ("drip", Some(bytes)) => Self::Drip(
                usize::try_from(number(bytes)?).map_err(|_| format!("`{word}`: too many"))?,
            ),
            (_, Some(_)) => return Err(format!("fault `{name}` takes no detail")),
            ("spend", _) => Self::SpendLimit,
            (
                "400" | "401" | "402" | "403" | "404" | "413" | "500" | "502" | "503" | "504"
                | "529",
                _,
            ) => Self::Status(name.parse().map_err(|_| format!("`{word}`: no status"))?),
            ("cut_text", _) => Self::CutText,
            ("cut_tool", _) => Self::CutTool,
            ("no_end", _) => Self::NoEnd,
            ("error_event", _) => Self::ErrorEvent,
            ("garbage", _) => Self::Garbage,
            ("silence", _) => Self::Silence,
            _ => return Err(format!("no fault is named `{word}`")),
        })
    }

    /// Returns its name in reports.
    pub fn name(&self) -> String {
        match self {
            Self::RateLimit(_) => "429".into(),
            Self::SpendLimit => "spend".into(),
            Self::Status(status) => status.to_string(),
            Self::CutText => "cut_text".into(),
            Self::CutTool => "cut_tool".into(),
            Self::NoEnd => "no_end".into(),
            Self::ErrorEvent => "error_event".into(),
            Self::Garbage => "garbage".into(),
            Self::Silence => "silence".into(),
            Self::Drip(_) => "drip".into(),
        }
    }

    /// Reports whether the answer ends somewhere in its middle.
    pub fn breaks_off(&self) -> bool {
        matches!(self, Self::CutText | Self::CutTool | Self::ErrorEvent | Self::Silence)
    }

    /// Reports whether the client gets a whole, good answer in spite of it.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Drip(_))
    }
}

/// Returns the headers that tell a pause.
pub fn pause_header(pause: Option<Pause>) -> Option<(&'static str, String)> {
    pause.map(|pause| match pause {
        Pause::Seconds(seconds) => ("retry-after", seconds.to_string()),
        Pause::Millis(millis) => ("retry-after-ms", millis.to_string()),
    })
}

/// The time between the bytes of a drip.
pub const DRIP: Duration = Duration::from_millis(100);

/// Returns the fault that a directive's `fault=KIND@TURN[xN];…` plans for this turn and attempt.
pub fn planned(plan: &str, turn: u32, attempt: u32) -> Result<Option<Fault>, String> {
    let mut before = 0;
    for item in plan.split(';').filter(|item| !item.trim().is_empty()) {
        let (kind, place) =
            item.trim().split_once('@').ok_or_else(|| format!("fault `{item}` has no `@TURN`"))?;
        let (at, times) = place.split_once('x').unwrap_or((place, "1"));
        let number = |text: &str| {
            text.parse::<u32>().map_err(|_| format!("fault `{item}`: `{text}` is no number"))
        };
        let (fault, at, times) = (Fault::parse(kind)?, number(at)?, number(times)?);
        if at == turn {
            if (before..before + times).contains(&attempt) {
                return Ok(Some(fault));
            }
            before += times;
        }
    }
    Ok(None)
}

/// Faults that hit a share of all requests.
#[derive(Clone, Debug, Default)]
pub struct Shares(Vec<(Fault, f64)>);

impl Shares {
    /// Parses `KIND:SHARE,…`, such as `429:0.1,429:50ms:0.1,cut_text:0.05`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let items = text.split(',').filter(|item| !item.trim().is_empty()).map(|item| {
            let (kind, share) = item
                .trim()
                .rsplit_once(':')
                .ok_or_else(|| format!("fault `{item}` has no share"))?;
            let share = share.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
            Ok((
                Fault::parse(kind)?,
                share.ok_or_else(|| format!("the share of fault `{item}` is not from 0 to 1"))?,
            ))
        });
        items.collect::<Result<_, _>>().map(Self)
    }

    /// Returns the fault due for what `key` names: the same key, the same fault.
    pub fn due<K: std::hash::Hash>(&self, key: &K) -> Option<Fault> {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are plenty")]
        let mut point = (digest_of(key) >> 11) as f64 / (1_u64 << 53) as f64;
        for (fault, share) in &self.0 {
            if point < *share {
                return Some(fault.clone());
            }
            point -= share;
        }
        None
    }
}
