//! What is left out when two questions are compared: what is another thing in every run, on every
//! machine, on every day, and has no mark of its own.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What is looked for, and what stands for it. The order counts.
const RULES: [(&str, &str); 7] = [
    // Marks of agents, and agents that nobody has met.
    ("⟦agent [^⟧]*⟧|agent-[0-9a-f]{4,32}", "⟦agent⟧"),
    (r"run-[0-9a-f]{4,16}", "⟦run⟧"),
    (r"agentlua/integrate-[0-9a-f]{4,16}", "⟦integration⟧"),
    // Folders and branches in which merges are tried.
    (r"⟦trial⟧|\bmerge-[0-9a-f]{8,32}-[0-9a-f]{1,8}-\d+\b", "⟦trial⟧"),
    (r"(?m)^platform: .*$", "platform: ⟦platform⟧"),
    (
        r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?",
        "⟦date⟧",
    ),
    // Not the `tmp` of a project.
    (
        r"(^|[^\w./-])/(?:var/tmp|(?:private/)?tmp|(?:private/)?var/folders/[^/\s]+/[^/\s]+/T)/[A-Za-z0-9._-]+",
        "${1}⟦temporary⟧",
    ),
];

/// The same for what commands print, where nobody means it: in a prompt it may be what matters.
const OUTPUT_RULES: [(&str, &str); 3] = [
    (r"\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?", "⟦time⟧"),
    (r"(?:127\.0\.0\.1|localhost):\d+", "⟦host⟧"),
    (r"\d+(?:\.\d+)? ?(?:ns|µs|us|ms|secs?|seconds?|s|min|minutes?)\b", "⟦duration⟧"),
];

/// A word of hex digits; a commit if it looks like one.
const HEX: &str = r"[0-9a-f]{7,64}";

type Rules = Vec<(Regex, &'static str)>;

static COMPILED: LazyLock<Rules> = LazyLock::new(|| compiled(&RULES));
static COMPILED_OUTPUT: LazyLock<Rules> = LazyLock::new(|| compiled(&OUTPUT_RULES));
static HEX_WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(HEX).ok());

fn compiled(rules: &[(&str, &'static str)]) -> Rules {
    rules.iter().filter_map(|(rule, mark)| Some((Regex::new(rule).ok()?, *mark))).collect()
}

/// Returns a text as it is compared.
pub fn normal(text: &str) -> String {
    let text = replaced(Cow::Borrowed(text), &COMPILED);
    let Some(hex) = &*HEX_WORD else { return text.into_owned() };
    let marked = hex.replace_all(&text, |found: &Captures<'_>| {
        let word = found.get(0).map_or(0..0, |found| found.range());
        if is_commit(&text, word) { "⟦commit⟧".to_owned() } else { found[0].to_owned() }
    });
    marked.into_owned()
}

/// Returns what a command printed as it is compared.
pub fn normal_output(text: &str) -> String {
    replaced(Cow::Owned(normal(text)), &COMPILED_OUTPUT).into_owned()
}

fn replaced<'a>(mut text: Cow<'a, str>, rules: &Rules) -> Cow<'a, str> {
    for (rule, mark) in rules {
        if let Cow::Owned(other) = rule.replace_all(&text, *mark) {
            text = Cow::Owned(other);
        }
    }
    text
}

/// Reports whether a word is the hash of a commit, or the start of one: numbers and words are none.
fn is_commit(text: &str, word: std::ops::Range<usize>) -> bool {
    let joins = |letter: char| letter.is_alphanumeric() || letter == '_';
    let (before, after) = (&text[..word.start], &text[word.end..]);
    let digits = &text[word];
    let is_whole = matches!(digits.len(), 40 | 64);
    let is_mixed = digits.contains(|digit: char| digit.is_ascii_digit())
        && digits.contains(|digit: char| digit.is_ascii_alphabetic());
    !before.ends_with(joins) && !after.starts_with(joins) && (is_whole || is_mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_rules() {
        assert_eq!(COMPILED.len(), RULES.len());
        assert_eq!(COMPILED_OUTPUT.len(), OUTPUT_RULES.len());
        assert!(HEX_WORD.is_some());
    }

    #[test]
    fn what_differs_between_runs_is_left_out() {
        for (one, other) in [
            ("see agent-a3f2 of run-0123abcd", "see ⟦agent /query#1⟧ of run-77777777"),
            ("date: 2026-11-22\nx", "date: 2027-01-02\nx"),
            ("at 2026-11-22T10:11:12.5Z", "at 2026-11-23 01:02:03 +0100"),
            ("in /tmp/abc123/x", "in /var/tmp/q/x"),
            (
                "branch: agentlua/merge-18ea8d90fee9fc88-2aed-0",
                "branch: agentlua/merge-19ea8d90fee9fd99-7-12",
            ),
            ("into `agentlua/integrate-45c8`", "into `agentlua/integrate-3943`"),
            ("see agentlua/⟦trial⟧", "see agentlua/merge-19ea8d90fee9fd99-7-12"),
            (
                "`git diff c7e4ea4476c866e8b20f5583dd2630fc7c8ff2b3 4af4fa3..c7e4ea4`",
                "`git diff 4af4fa38cd7f2fada38cd117247750cd016088e9 0b4fa38..1234abc`",
            ),
            ("(/tmp/a:/tmp/b)", "(/tmp/c:/private/tmp/d)"),
            ("HEAD is now at 1a2b3c4 x", "HEAD is now at deadb33f x"),
            ("platform: linux\nd", "platform: macos\nd"),
        ] {
            assert_eq!(normal(one), normal(other));
        }
    }

    #[test]
    fn how_long_a_command_took_is_left_out_and_what_a_prompt_says_is_not() {
        for (one, other) in [
            ("finished in 0.03s", "finished in 12 s"),
            ("3 passed in 1.2 seconds", "3 passed in 345 ms"),
            ("http://127.0.0.1:4000/x", "http://127.0.0.1:55/x"),
            ("[10:11:12.345] up", "[9:01:00] up"),
        ] {
            assert_eq!(normal_output(one), normal_output(other));
            assert_ne!(normal(one), normal(other));
        }
        assert_ne!(normal_output("3 tests"), normal_output("4 tests"));
    }

    #[test]
    fn what_was_meant_is_not() {
        for (one, other) in [
            ("raise it to 10000000", "raise it to 10000001"),
            ("call it facade", "call it defaced"),
            ("mend merge-base-1", "mend merge-base-2"),
            ("src/auth", "src/billing"),
            ("port 8080", "port 8081"),
            ("3 tests", "4 tests"),
            ("version 1.2.3", "version 1.2.4"),
            ("x_0123abcd", "x_0123abce"),
            ("mend src/tmp/a", "mend src/tmp/b"),
        ] {
            assert_ne!(normal(one), normal(other));
        }
    }
}
