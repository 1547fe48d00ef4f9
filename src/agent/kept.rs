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
    #[serde(flatten)]
    manner: Manner,
}

/// What a resumed run has to know of how an agent ended, and scripts do not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manner {
    /// Who called it off, where that was not the script.
    pub called_off: Option<CalledOff>,
    /// Whether another one has won the race that it was in.
    pub lost: bool,
}

/// Who calls an agent off besides the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalledOff {
    /// Whoever stops the whole run.
    Run,
    /// Whoever stops the agent alone, from another process.
    Outside,
}

impl Manner {
    /// Reads how an agent ended from what [`Outcome::kept`] gave.
    pub fn of(kept: &str) -> Self {
        // What cannot be read fails where the outcome is.
        serde_json::from_str(kept).unwrap_or_default()
    }
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
    /// Returns it as text, for [`Outcome::restored`] and [`Manner::of`].
    pub fn kept(&self, called_off: Option<CalledOff>) -> String {
        let error = self.error.as_ref().map(Raised::of);
        let manner = Manner { called_off, lost: false };
        json!(Kept { outcome: self.to_json(), error, manner }).to_string()
    }

    /// Reads what was kept, under the name that people see today.
    ///
    /// # Errors
    /// Internal, for what this version did not write.
    pub fn restored(text: &str, label: &str) -> Result<Self> {
        let trouble = || "an outcome in the journal cannot be read";
        let Kept { outcome, error, .. } =
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
        let again = Outcome::restored(&first.kept(None), "auth").unwrap();
        assert_eq!(again.to_json().to_string(), first.to_json().to_string());
        assert_eq!(raised(&again.to_error()), raised(&first.to_error()));
        assert_eq!(again.to_error().causes(), ["outer", "inner"]);
        assert_eq!(again.kept(None), first.kept(None));
        let named = Outcome::restored(&first.kept(None), "today").unwrap();
        assert_eq!(named.label, "today");
    }

    #[test]
    fn who_called_it_off_is_kept_with_it() {
        for called_off in [None, Some(CalledOff::Run), Some(CalledOff::Outside)] {
            let kept = outcome().kept(called_off);
            assert_eq!(Manner::of(&kept), Manner { called_off, lost: false });
            assert!(Outcome::restored(&kept, "auth").is_ok());
        }
        assert_eq!(Manner::of("{\"outcome\":{},\"error\":null}"), Manner::default());
    }

    #[test]
    fn every_way_to_end_is_read_again() {
        for subtype in Subtype::ALL {
            let mut first = outcome();
            (first.subtype, first.error) = (subtype, None);
            let again = Outcome::restored(&first.kept(None), "auth").unwrap();
            assert_eq!(again.subtype, subtype);
            assert!(again.error.is_none());
        }
    }
}
