//! An outcome as the journal keeps it: the fields that scripts see, and the error that it raises. What is
//! read back gives scripts the same values as the first time, to the last digit.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::outcome::{Denial, Outcome, Subtype};
use super::verify::Verification;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::Usage;

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    outcome: Value,
    error: Option<Raised>,
}

/// An error that is kept.
#[derive(Serialize, Deserialize)]
struct Raised {
    kind: String,
    message: String,
    hint: Option<String>,
    at: Option<String>,
    details: Map<String, Value>,
    /// The messages of its causes, nearest first.
    causes: Vec<String>,
}

impl Raised {
    fn of(error: &Error) -> Self {
        Self {
            kind: error.kind.as_str().to_owned(),
            message: error.message.clone(),
            hint: error.hint.clone(),
            at: error.at.clone(),
            details: error.details().map(|(name, value)| (name.clone(), value.clone())).collect(),
            causes: error.causes(),
        }
    }

    fn restored(self) -> Error {
        let kind = Kind::from_word(&self.kind).unwrap_or(Kind::Internal);
        let mut error = Error::new(kind, self.message);
        (error.hint, error.at) = (self.hint, self.at);
        for (name, value) in self.details {
            error = error.with(&name, value);
        }
        let chain = self.causes.into_iter().rev().fold(None, |below, text| {
            Some(match below {
                Some(below) => anyhow::Error::context(below, text),
                None => anyhow::Error::msg(text),
            })
        });
        match chain {
            Some(chain) => error.because(chain),
            None => error,
        }
    }
}

impl Outcome {
    /// Returns it as text, for [`Outcome::restored`].
    pub fn kept(&self) -> String {
        let error = self.error.as_ref().map(Raised::of);
        json!(Kept { outcome: self.to_json(), error }).to_string()
    }

    /// Reads what was kept, under the name that people see today.
    ///
    /// # Errors
    /// Internal, for what this version did not write.
    pub fn restored(text: &str, label: &str) -> Result<Self> {
        let trouble = || "an outcome in the journal cannot be read";
        let Kept { outcome, error } =
            serde_json::from_str(text).or_kind(Kind::Internal, trouble)?;
        let fields: Fields = serde_json::from_value(outcome).or_kind(Kind::Internal, trouble)?;
        let subtype =
            Subtype::from_word(&fields.subtype).ok_or_else(|| Error::internal(trouble()))?;
        Ok(Self {
            subtype,
            error: error.map(Raised::restored),
            result: fields.result,
            id: fields.id,
            session_id: fields.session_id,
            label: label.to_owned(),
            branch: fields.branch,
            worktree_path: fields.worktree_path.map(Into::into),
            base_commit: fields.base_commit,
            head_commit: fields.head_commit,
            files_changed: fields.files_changed,
            num_turns: fields.num_turns,
            duration_ms: fields.duration_ms,
            duration_api_ms: fields.duration_api_ms,
            usage: fields.usage,
            total_cost_usd: fields.total_cost_usd,
            stop_reason: fields.stop_reason,
            permission_denials: fields.permission_denials,
            structured_output: fields.structured_output,
            verify: fields.verify.map(Verified::restored),
        })
    }
}

/// The fields of [`Outcome::to_json`] that are read back.
#[derive(Deserialize)]
struct Fields {
    subtype: String,
    result: String,
    id: String,
    session_id: String,
    branch: Option<String>,
    worktree_path: Option<String>,
    base_commit: Option<String>,
    head_commit: Option<String>,
    files_changed: Vec<String>,
    num_turns: u32,
    duration_ms: u64,
    duration_api_ms: u64,
    usage: Usage,
    total_cost_usd: Option<f64>,
    stop_reason: Option<String>,
    permission_denials: Vec<Denial>,
    #[serde(default)]
    structured_output: Option<Value>,
    verify: Option<Verified>,
}

#[derive(Deserialize)]
struct Verified {
    ok: Option<bool>,
    attempts: u32,
    baseline: Option<String>,
    output: Option<String>,
}

impl Verified {
    fn restored(self) -> Verification {
        let Self { ok, attempts, baseline, output } = self;
        let words = ["passed", "failed"];
        let baseline = words.into_iter().find(|word| baseline.as_deref() == Some(word));
        Verification { ok, attempts, baseline, output }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            subtype: Subtype::ErrorVerify,
            error: Some(
                Error::new(Kind::Verify, "verify failed")
                    .hint("look")
                    .with("output", json!("red"))
                    .because(anyhow::anyhow!("inner").context("outer")),
            ),
            result: "\u{0} text".to_owned(),
            id: "agent-1".to_owned(),
            session_id: "run/agent-1".to_owned(),
            label: "auth".to_owned(),
            branch: Some("fix/auth".to_owned()),
            worktree_path: Some("/w".into()),
            base_commit: Some("a".to_owned()),
            head_commit: None,
            files_changed: vec!["a b".to_owned()],
            num_turns: 3,
            duration_ms: u64::MAX,
            duration_api_ms: 0,
            usage: Usage { input_tokens: 1, ..Usage::default() },
            total_cost_usd: Some(0.1 + 0.2),
            stop_reason: Some("end_turn".to_owned()),
            permission_denials: vec![Denial {
                tool_name: "Bash".to_owned(),
                tool_use_id: "1".to_owned(),
                tool_input: json!({ "command": "rm" }),
            }],
            structured_output: Some(json!({ "z": [null, 1e300, 0.1, {}], "a": -0.0 })),
            verify: Some(Verification {
                ok: Some(false),
                attempts: 3,
                baseline: Some("failed"),
                output: Some("red".to_owned()),
            }),
        }
    }

    fn raised(error: &Error) -> Value {
        let details: Vec<_> = error.details().collect();
        json!([error.kind, error.message, error.to_string(), error.hint, error.at, details])
    }

    #[test]
    fn what_is_kept_is_the_same_when_it_is_read_again() {
        let first = outcome();
        let again = Outcome::restored(&first.kept(), "auth").unwrap();
        assert_eq!(again.to_json().to_string(), first.to_json().to_string());
        assert_eq!(raised(&again.to_error()), raised(&first.to_error()));
        assert_eq!(again.to_error().causes(), ["outer", "inner"]);
        assert_eq!(again.kept(), first.kept());
        let named = Outcome::restored(&first.kept(), "today").unwrap();
        assert_eq!(named.label, "today");
    }

    #[test]
    fn every_way_to_end_is_read_again() {
        for subtype in Subtype::ALL {
            let mut first = outcome();
            (first.subtype, first.error) = (subtype, None);
            let again = Outcome::restored(&first.kept(), "auth").unwrap();
            assert_eq!(again.subtype, subtype);
            assert!(again.error.is_none());
        }
    }
}
