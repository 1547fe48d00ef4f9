//! What a provider's refusal means: whether to ask again, when, and what to tell people.
//!
//! It reads a status, a few headers and an error body, from an HTTP answer or from an error event
//! of a stream that began with 200. Every [`Failure`] made here has two details for programs:
//! `status` (a number, where there is one) and `reason`, one of `invalid_request`,
//! `authentication_failed`, `billing_error`, `permission_denied`, `model_not_found`, `rate_limit`,
//! `overloaded`, `server_error`, `context_overflow`, `connection`, `timeout`, `stream`.
//! A key never reaches a message: providers that echo it are censored. It must not know HTTP
//! clients or wire formats.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::address::Address;
use super::complaint::Complaint;
use super::{Failure, Retry};
use crate::error::{Error, Kind};

/// The most characters of a provider's own words in a message.
const MAX_WORDS: usize = 1500;

/// What messages may say about where a question went.
#[derive(Clone)]
pub struct Origin {
    /// The host, with its port where that is not the usual one.
    pub host: String,
    /// The model as people name it, such as `openai/gpt-5`.
    pub model: String,
    /// The variable that holds the key.
    pub key_variable: Cow<'static, str>,
    /// The variable or setting that holds the host.
    pub base_variable: Cow<'static, str>,
    /// The key, to be kept out of messages.
    key: Option<String>,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin")
            .field("host", &self.host)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// What the headers of an answer say about asking again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// How long to wait at least (`retry-after-ms`, `retry-after`).
    pub after: Option<Duration>,
    /// Whether to ask again at all (`x-should-retry`).
    pub again: Option<bool>,
}

impl Advice {
    /// Reads the headers; `header` finds the value of a lower-case name.
    pub fn from_headers<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let milliseconds = header("retry-after-ms").and_then(|text| seconds(text, 0.001));
        let after = milliseconds.or_else(|| {
            let text = header("retry-after")?;
            seconds(text, 1.0).or_else(|| {
                let date = httpdate::parse_http_date(text.trim()).ok()?;
                Some(date.duration_since(SystemTime::now()).unwrap_or_default())
            })
        });
        let again = match header("x-should-retry") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        Self { after, again }
    }
}

fn seconds(text: &str, unit: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(text.trim().parse::<f64>().ok()? * unit).ok()
}

/// Why the events of a stream do not make a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// The provider sent this error in the middle of the stream.
    Refused(Value),
    /// What came makes no sense; the clause goes on after "the answer of `host`".
    Broken(&'static str),
}

impl Origin {
    /// Describes a place; its key is only ever used to keep it out of messages.
    pub fn of(address: &Address) -> Self {
        let key = address.key.as_deref().map(str::trim);
        Self {
            host: String::new(),
            model: address.name.clone(),
            key_variable: address.key_variable.clone(),
            base_variable: address.base_variable.clone(),
            key: key.filter(|key| key.len() >= 4).map(str::to_owned),
        }
    }

    /// Classifies an HTTP answer that is no success.
    pub fn refusal(&self, status: u16, advice: Advice, body: &str) -> Failure {
        self.classify(status, advice, &Complaint::read(body))
    }

    /// Classifies what went wrong in a stream that had begun well.
    pub fn trouble(&self, trouble: &Trouble) -> Failure {
        match trouble {
            Trouble::Refused(event) => self.error_event(event),
            Trouble::Broken(what) => self.broken_stream(what),
        }
    }

    /// Classifies an error that came with status 200.
    pub fn error_event(&self, event: &Value) -> Failure {
        let complaint = Complaint::from_value(event);
        self.classify(complaint.implied_status(), Advice::default(), &complaint)
    }

    /// Makes the failure for an answer that broke off or makes no sense: asking again may help.
    pub fn broken_stream(&self, what: &str) -> Failure {
        let what = self.censored(what);
        let message = format!("the answer of `{}` {what}", self.host);
        Failure::transient(Error::new(Kind::Model, message).with("reason", "stream".into()))
    }

    /// Makes the failure for a place that cannot be reached or does not answer.
    pub fn unreachable(&self, reason: &'static str, what: &str) -> Failure {
        let message = format!("cannot reach `{}`: {}", self.host, self.censored(what));
        let error = Error::new(Kind::Model, message)
            .with("reason", reason.into())
            .hint(format!("check the network and its proxies, or set {}", self.base_variable));
        Failure::transient(error)
    }

    /// Makes the failure for a place that is not what its URL promises.
    pub fn not_an_api(&self, what: &str) -> Failure {
        let message = format!("`{}` answered with {}", self.host, self.censored(what));
        let error = Error::new(Kind::Model, message)
            .with("reason", "invalid_request".into())
            .hint(format!("check {}", self.base_variable));
        Failure::fatal(error)
    }

    fn classify(&self, status: u16, advice: Advice, complaint: &Complaint) -> Failure {
        let spent = status == 402 || complaint.is_spent();
        let overflow = !spent && matches!(status, 400 | 413 | 422 | 500) && complaint.is_overflow();
        let error = self.error(status, spent, overflow, complaint);
        let again = match status {
            _ if spent || overflow => false,
            _ if advice.again.is_some() => advice.again == Some(true),
            408 | 409 | 425 | 429 => true,
            _ => status >= 500,
        };
        let retry = match advice.after {
            _ if !again => Retry::Never,
            Some(after) => Retry::After(after),
            None => Retry::Backoff,
        };
        Failure { retry, overloaded: again && matches!(status, 429 | 529), ..Failure::fatal(error) }
    }

    fn error(&self, status: u16, spent: bool, overflow: bool, complaint: &Complaint) -> Error {
        let Self { host, model, key_variable, base_variable, .. } = self;
        let (reason, what, hint) = match status {
            _ if overflow => (
                "context_overflow",
                format!("the conversation no longer fits the context window of `{model}`"),
                None,
            ),
            _ if spent => (
                "billing_error",
                format!("the account at `{host}` has reached its spending limit"),
                Some("raise the limit or add credit at the provider, then resume the run".into()),
            ),
            401 => (
                "authentication_failed",
                format!("`{host}` does not accept the key"),
                Some(format!("check {key_variable}")),
            ),
            403 => (
                "permission_denied",
                format!("`{host}` does not let this key use `{model}`"),
                Some(format!("check {key_variable}, or choose another --model")),
            ),
            404 => (
                "model_not_found",
                format!("`{host}` does not know the model `{model}`"),
                Some(format!("choose another --model, or check {base_variable}")),
            ),
            429 => ("rate_limit", format!("`{host}` says that there are too many requests"), None),
            529 => ("overloaded", format!("`{host}` is overloaded"), None),
            500.. => ("server_error", format!("`{host}` failed with status {status}"), None),
            _ => ("invalid_request", format!("`{host}` refused the request with {status}"), None),
        };
        let words = self.censored(&complaint.message);
        let message = if words.is_empty() { what } else { format!("{what}: {words}") };
        let error = Error::new(Kind::Model, message)
            .with("reason", reason.into())
            .with("status", status.into());
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// Cuts foreign words to one line of bearable length without the key.
    fn censored(&self, words: &str) -> String {
        let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = match &self.key {
            Some(key) => line.replace(key.as_str(), "…"),
            None => line,
        };
        match line.char_indices().nth(MAX_WORDS) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn origin() -> Origin {
        let mut origin = Origin::of(&Address {
            name: "openai/m".to_owned(),
            base: String::new(),
            base_variable: "THE_BASE".into(),
            key: Some("sk-key".to_owned()),
            key_variable: "THE_KEY".into(),
        });
        origin.host = "host".to_owned();
        origin
    }

    fn refusal(status: u16, body: &Value) -> Failure {
        origin().refusal(status, Advice::default(), &body.to_string())
    }

    fn reason(failure: &Failure) -> &str {
        failure.error.detail("reason").and_then(Value::as_str).unwrap()
    }

    #[test]
    fn statuses_fall_into_two_classes() {
        for status in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
            let failure = refusal(status, &json!({ "error": { "message": "x" } }));
            assert_eq!(failure.retry, Retry::Backoff, "{status}");
            assert_eq!(failure.overloaded, matches!(status, 429 | 529), "{status}");
            assert_eq!(failure.error.detail("status"), Some(&json!(status)));
        }
        for status in [400, 401, 402, 403, 404, 405, 413, 422] {
            let failure = refusal(status, &json!({ "error": { "message": "x" } }));
            assert_eq!(failure.retry, Retry::Never, "{status}");
            assert!(failure.error.message.contains("`host`"), "{}", failure.error);
        }
    }

    #[test]
    fn spent_money_is_never_asked_for_again() {
        let details = json!({ "error_code": "enforced_spend_limit_reached" });
        let bodies = [
            (429, json!({ "error": { "type": "rate_limit_error", "details": details } })),
            (429, json!({ "error": { "code": "insufficient_quota", "message": "x" } })),
            (402, json!({ "error": { "type": "billing_error", "message": "x" } })),
            (
                400,
                json!({ "error": {
                    "type": "invalid_request_error",
                    "message": "You have reached your specified API usage limits.",
                } }),
            ),
        ];
        let again = Advice { after: Some(Duration::from_secs(1)), again: Some(true) };
        for (status, body) in bodies {
            let failure = origin().refusal(status, again, &body.to_string());
            assert_eq!((failure.retry, failure.overloaded), (Retry::Never, false), "{body}");
            assert_eq!(reason(&failure), "billing_error");
        }
    }

    #[test]
    fn a_conversation_that_does_not_fit_says_so() {
        let bodies = [
            json!({ "error": { "message": "prompt is too long: 213462 tokens > 200000 maximum" } }),
            json!({ "error": { "message": "input length and `max_tokens` exceed context limit" } }),
            json!({ "error": { "code": "context_length_exceeded", "message": "x" } }),
            json!({ "message": "This model's maximum context length is 8192 tokens." }),
            // llama.cpp, vLLM, Ollama, OpenRouter, LiteLLM, LM Studio, SGLang, Bedrock, Gemini, xAI.
            json!({ "error": { "type": "exceed_context_size_error", "message": "x" } }),
            json!({ "message": "The decoder prompt (length 9000) is longer than the maximum model \
                                length of 8192." }),
            json!({ "error": "prompt too long; exceeded max context length by 12 tokens" }),
            json!({ "error": { "code": 400, "message": "This endpoint's maximum context length is \
                               131072 tokens. However, you requested about 140000 tokens" } }),
            json!({ "error": { "message": "litellm.ContextWindowExceededError: x" } }),
            json!({ "error": "the model is loaded with context length of only 4096 tokens" }),
            json!({ "message": "The input (9000 tokens) is longer than the model's context length \
                                (8192 tokens)." }),
            json!({ "message": "Input is too long for requested model." }),
            json!({ "error": { "message": "The input token count (1200000) exceeds the maximum \
                               number of tokens allowed (1048576)." } }),
            json!({ "error": "This model's maximum prompt length is 131072 but the request \
                              contains 537812 tokens." }),
        ];
        for body in bodies {
            let failure = refusal(400, &body);
            assert_eq!(failure.retry, Retry::Never);
            assert_eq!(reason(&failure), "context_overflow", "{body}");
            assert!(failure.error.message.contains("no longer fits"), "{}", failure.error);
        }
        assert_eq!(reason(&refusal(400, &json!({ "message": "x" }))), "invalid_request");
    }

    #[test]
    fn headers_say_when_and_whether() {
        let advice = |pairs: &[(&str, &str)]| {
            Advice::from_headers(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
            })
        };
        let seconds = |text: &str| advice(&[("retry-after", text)]).after;
        assert_eq!(seconds("7"), Some(Duration::from_secs(7)));
        assert_eq!(seconds(" 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_hours(1));
        assert!(seconds(&later).unwrap() > Duration::from_mins(50));
        for garbage in ["", "-1", "soon", "NaN", "inf", "1e300"] {
            assert_eq!(seconds(garbage), None, "{garbage}");
        }
        let both = advice(&[("retry-after", "9"), ("retry-after-ms", "20")]);
        assert_eq!(both.after, Some(Duration::from_millis(20)));

        let told = |word| advice(&[("x-should-retry", word), ("retry-after", "1")]);
        assert_eq!(origin().refusal(500, told("false"), "").retry, Retry::Never);
        let after = Retry::After(Duration::from_secs(1));
        assert_eq!(origin().refusal(400, told("true"), "").retry, after);
        assert_eq!(origin().refusal(400, told("maybe"), "").retry, Retry::Never);
    }

    #[test]
    fn messages_are_one_bounded_line_without_the_key() {
        let long = format!("bad key sk-key\n{}", "ž".repeat(5000));
        let failure = refusal(401, &json!({ "error": long }));
        let message = &failure.error.message;
        assert!(message.starts_with("`host` does not accept the key: bad key … ž"), "{message}");
        assert!(message.chars().count() < 1600);
        assert!(!format!("{:?}", origin()).contains("sk-key"));
        let failure = origin().refusal(502, Advice::default(), "<html>\n bad gateway\n</html>");
        assert_eq!(
            failure.error.message,
            "`host` failed with status 502: <html> bad gateway </html>"
        );
    }
}
