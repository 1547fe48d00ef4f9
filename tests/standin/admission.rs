//! Who may ask at all: key, version, content type.

use axum::http::HeaderMap;

use super::complaint::{Checked, Complaint, ensure};
use super::options::Options;
use super::talk::Wire;

/// Checks key, version and content type.
pub fn admitted(wire: Wire, headers: &HeaderMap, options: &Options) -> Checked {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let given = match wire {
        Wire::Anthropic => header("x-api-key").or(bearer),
        Wire::OpenAi | Wire::Responses => bearer,
    };
    let (required, wrong) = match wire {
        Wire::Anthropic => ("x-api-key header is required", "invalid x-api-key"),
        Wire::OpenAi | Wire::Responses => {
            ("You didn't provide an API key.", "Incorrect API key provided.")
        }
    };
    let denied = |why| Err(Complaint::plain(401, "authentication_error", why));
    match (given.filter(|given| !given.trim().is_empty()), &options.key) {
        (None, _) if !options.no_key => return denied(required),
        (Some(given), Some(key)) if given != key => return denied(wrong),
        _ => {}
    }
    let json = header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    ensure(json, || "the content type must be application/json")?;
    if wire == Wire::Anthropic {
        let version = header("anthropic-version");
        ensure(version.is_some(), || "anthropic-version: header is required")?;
        ensure(
            matches!(version, Some("2023-06-01" | "2026-10-21")),
            || "anthropic-version: is not a valid version",
        )?;
    }
    Ok(())
}
