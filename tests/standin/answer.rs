//! The answer on its wire: status, headers, bytes, for replies, faults and errors.

use std::time::Duration;

use serde_json::Value;

use super::body::{self, Piece};
use super::fault::{self, Fault};
use super::out::{self, Envelope, FrameKind};
use super::talk::{Part, Reply, Wire};
use super::{anthropic_out, openai_out, responses_out};

/// How to answer.
pub struct Plan {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub delay: Duration,
    pub pieces: Vec<Piece>,
    /// Prefixes that are cached once the answer begins.
    pub caches: Vec<u64>,
}

pub fn said(reply: &Reply) -> String {
    let text = |part: &'_ Part| match part {
        Part::Text(text) | Part::Refusal(text) => Some(text.clone()),
        _ => None,
    };
    reply.parts.iter().filter_map(text).collect()
}

pub fn output_tokens(reply: &Reply) -> u64 {
    let bytes = |part: &Part| match part {
        Part::Text(text) | Part::Refusal(text) => text.len(),
        Part::Thinking { text, signature } => text.len() + signature.len(),
        Part::Block(block) => block.to_string().len(),
        Part::Call { name, input } => name.len() + input.to_string().len(),
        Part::Broken { name, text } => name.len() + text.len(),
    };
    reply.parts.iter().map(bytes).sum::<usize>() as u64 / 4 + 1
}

pub fn pieces(
    wire: Wire,
    reply: &Reply,
    envelope: &Envelope<'_>,
    fault: Option<&Fault>,
    streams: bool,
) -> Vec<Piece> {
    if !streams {
        let message = match wire {
            Wire::Anthropic => anthropic_out::message(reply, envelope),
            Wire::OpenAi => openai_out::message(reply, envelope),
            Wire::Responses => responses_out::message(reply, envelope),
        };
        return body::whole(&message.to_string(), fault);
    }
    let overloaded = error_body(wire, "overloaded_error", "Overloaded", None);
    let (frames, error) = match wire {
        Wire::Anthropic => (
            anthropic_out::frames(reply, envelope),
            anthropic_out::event(FrameKind::Other, &overloaded),
        ),
        Wire::OpenAi => {
            let text = format!("data: {overloaded}\n\n");
            (openai_out::frames(reply, envelope), out::Frame { text, kind: FrameKind::Other })
        }
        Wire::Responses => {
            (responses_out::frames(reply, envelope), responses_out::error_event("Overloaded"))
        }
    };
    body::events(&frames, fault, Duration::from_millis(reply.pace_ms), &error)
}

pub fn request_id(wire: Wire) -> (&'static str, String) {
    let name = if wire == Wire::Anthropic { "request-id" } else { "x-request-id" };
    (name, "req_standin".to_owned())
}

pub fn error_body(wire: Wire, kind: &str, message: &str, code: Option<&str>) -> Value {
    match wire {
        Wire::Anthropic => anthropic_out::error(kind, message, code),
        Wire::OpenAi | Wire::Responses => openai_out::error(kind, message, code),
    }
}

pub fn error_plan(wire: Wire, status: u16, error: &Value) -> Plan {
    let headers = vec![("content-type", "application/json".to_owned()), request_id(wire)];
    let pieces = body::whole(&error.to_string(), None);
    Plan { status, headers, delay: Duration::ZERO, pieces, caches: Vec::new() }
}

/// Returns the answer of a fault that is a status.
pub fn refusal_of(fault: &Fault, wire: Wire, delay: Duration) -> Option<Plan> {
    let anthropic = wire == Wire::Anthropic;
    let (status, kind, message, code) = match fault {
        Fault::RateLimit(_) if anthropic => {
            (429, "rate_limit_error", "This request would exceed your rate limit.", None)
        }
        Fault::RateLimit(_) => {
            (429, "requests", "Rate limit reached for requests.", Some("rate_limit_exceeded"))
        }
        Fault::SpendLimit if anthropic => (
            429,
            "rate_limit_error",
            "This request would exceed your organization's spend limit.",
            Some("enforced_spend_limit_reached"),
        ),
        Fault::SpendLimit => (
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            Some("insufficient_quota"),
        ),
        Fault::Status(status) => {
            let (kind, message) = status_words(*status);
            (*status, kind, message, None)
        }
        _ => return None,
    };
    let mut plan = error_plan(wire, status, &error_body(wire, kind, message, code));
    plan.delay = delay;
    if let Fault::RateLimit(pause) = fault {
        plan.headers.extend(fault::pause_header(*pause));
    }
    Some(plan)
}

fn status_words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("invalid_request_error", "You have reached your specified API usage limits."),
        401 => ("authentication_error", "invalid x-api-key"),
        402 => ("billing_error", "Your credit balance is too low."),
        403 => ("permission_error", "Your key may not use this model."),
        404 => ("not_found_error", "model: not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        504 => ("timeout_error", "The request timed out."),
        529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    }
}
