//! Numbers and texts within their bounds.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Value, json};

use super::{Choice, Shape};

/// The most characters that are made because a schema asks for so many.
const LONGEST: usize = 100_000;

/// Returns a number within its bounds: the greatest where there is one, for those who say yes.
pub(super) fn number(
    fields: &Map<String, Value>,
    shape: Shape,
    choice: &Choice,
    index: u64,
    whole: bool,
) -> Value {
    let bound = |name: &str| fields.get(name).and_then(Value::as_f64);
    let asked = bound("multipleOf").filter(|step| *step > 0.0);
    let fine = match (
        bound("minimum").or(bound("exclusiveMinimum")),
        bound("maximum").or(bound("exclusiveMaximum")),
    ) {
        (Some(low), Some(high)) if high > low && high - low < 4.0 => (high - low) / 4.0,
        _ => 0.5,
    };
    let step = asked.unwrap_or(if whole { 1.0 } else { fine });
    let step = if whole && step.fract() != 0.0 { 1.0 } else { step };
    // Numbers without a step of their own are counted from their bound.
    let origin = match asked {
        None if !whole => bound("minimum").or(bound("exclusiveMinimum")).unwrap_or(0.0),
        _ => 0.0,
    };
    let up = |bound: f64| ((bound - origin) / step).ceil();
    let down = |bound: f64| ((bound - origin) / step).floor();
    let at = |place: f64| origin + place * step;
    let lowest =
        bound("minimum").map(up).into_iter().chain(bound("exclusiveMinimum").map(|bound| {
            let place = up(bound);
            if at(place) > bound { place } else { place + 1.0 }
        }));
    let highest =
        bound("maximum").map(down).into_iter().chain(bound("exclusiveMaximum").map(|bound| {
            let place = down(bound);
            if at(place) < bound { place } else { place - 1.0 }
        }));
    let lowest = lowest.reduce(f64::max);
    let highest = highest.reduce(f64::min);
    let shift = (index + choice.of(5)) as f64;
    let place = match (lowest, highest, shape) {
        (_, Some(high), Shape::Full) if lowest.is_some() => {
            (high - shift).max(lowest.unwrap_or(high))
        }
        (Some(low), high, _) => (low + shift).min(high.unwrap_or(f64::MAX)),
        (None, Some(high), Shape::Bare) => high.min(0.0) - shift,
        (None, Some(high), Shape::Full) => high.min(1.0 / step) - shift,
        (None, None, Shape::Full) => (1.0 / step).ceil() + shift,
        (None, None, Shape::Bare) => shift,
    };
    let value = at(if asked.is_some() || whole { place.round() } else { place });
    // Decimal steps add up to what is written, not to what is next to it in binary.
    let value = (value * 1e9).round() / 1e9;
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
        let exact = value as i64;
        return json!(exact);
    }
    json!(value)
}

/// Returns a text of the length, the form and the pattern that are asked for.
pub(super) fn text(fields: &Map<String, Value>, choice: &Choice, index: u64) -> String {
    let length = |name: &str| {
        let length = fields.get(name).and_then(Value::as_u64);
        length.map(|length| usize::try_from(length).unwrap_or(LONGEST).min(LONGEST))
    };
    let least = length("minLength").unwrap_or_default();
    let named = |name: &str| fields.get(name).and_then(Value::as_str);
    let (mut text, fill) = match (named("pattern"), named("format")) {
        (Some(pattern), _) => (pattern_text(pattern, choice, least), 'a'),
        (None, Some(format)) => (of_format(format).unwrap_or("sample").to_owned(), 'x'),
        (None, None) => ("sample".to_owned(), 'e'),
    };
    if index + choice.of(4) > 0 && named("pattern").is_none() && named("format").is_none() {
        text = format!("{text} {}", index + choice.of(9) + 1);
    }
    let count = text.chars().count();
    text.extend(std::iter::repeat_n(fill, least.saturating_sub(count)));
    match length("maxLength") {
        Some(most) if count > most => {
            text.chars().rev().take(most).collect::<Vec<_>>().into_iter().rev().collect()
        }
        _ => text,
    }
}

fn of_format(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-01-02T03:04:05Z",
        "date" => "2026-01-02",
        "time" => "03:04:05Z",
        "duration" => "PT1S",
        "email" | "idn-email" => "sample@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" | "uri-reference" | "iri-reference" => "https://example.com/sample",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        "regex" => "sample",
        "json-pointer" => "/sample",
        _ => return None,
    })
}

/// Returns a text that a pattern takes, if it is a pattern that is understood.
pub(super) fn matching(pattern: &str, choice: &Choice) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut text = String::new();
    write(&hir, choice, 0, &mut text);
    Some(text)
}

/// Reports whether a pattern takes a text, as far as the pattern can be told from what it would make.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    crate::schema::Checker::new(&json!({ "pattern": pattern }))
        .is_ok_and(|checker| checker.check(&json!(text)).is_empty())
}

fn pattern_text(pattern: &str, choice: &Choice, least: usize) -> String {
    let Ok(hir) = regex_syntax::parse(pattern) else { return "sample".to_owned() };
    let mut text = String::new();
    write(&hir, choice, least, &mut text);
    text
}

/// Adds what fits a part of a pattern; what may be repeated is, until there is enough.
fn write(hir: &Hir, choice: &Choice, least: usize, text: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => text.extend(of_class(class, choice)),
        HirKind::Repetition(repetition) => {
            let missing = least.saturating_sub(text.chars().count());
            let missing = u32::try_from(missing).unwrap_or(u32::MAX);
            let most = repetition.max.unwrap_or(u32::MAX);
            let extra = u32::try_from(choice.of(3)).unwrap_or_default();
            let wanted = missing.max(1).saturating_add(extra);
            let count = wanted.max(repetition.min).min(most);
            for _ in 0..count.min(u32::try_from(LONGEST).unwrap_or(u32::MAX)) {
                write(&repetition.sub, choice, 0, text);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, choice, least, text),
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, choice, least, text);
            }
        }
        HirKind::Alternation(parts) => {
            if let Some(part) = choice.among(parts) {
                write(part, choice, least, text);
            }
        }
    }
}

/// Returns a character of a class that people can read, where there is one.
fn of_class(class: &Class, choice: &Choice) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .map(|range| (char::from(range.start()), char::from(range.end())))
            .collect(),
    };
    let within = |c: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&c));
    let readable: Vec<char> = "a1Asx0-_ ./".chars().filter(|c| within(*c)).collect();
    choice.among(&readable).copied().or_else(|| ranges.first().map(|(start, _)| *start))
}
