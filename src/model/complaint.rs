//! The error body of a provider, read the same in every dialect.
//!
//! What people may be told of it and whether to ask again is decided in [`super::fault`].

use serde_json::Value;

/// The parts of an error body that matter, whichever dialect it is in.
#[derive(Debug, Default)]
pub struct Complaint {
    /// `type` and the codes, for matching.
    words: Vec<String>,
    /// The provider's own words.
    pub message: String,
    /// A code that is a number, which gateways use for the status they saw.
    status: Option<u16>,
}

impl Complaint {
    /// Reads `{"error": {…}}` (Anthropic, `OpenAI`), `{"error": "…"}` (Ollama), `{"message": "…"}`
    /// (`vLLM`), `{"detail": …}` (`FastAPI`), or text.
    pub fn read(body: &str) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(value) => Self::from_value(&value),
            Err(_) => Self { message: body.trim().to_owned(), ..Self::default() },
        }
    }

    /// Reads an error body or error event that is JSON.
    pub fn from_value(value: &Value) -> Self {
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let places = ["/type", "/code", "/details/error_code"];
        let status = error.get("code").and_then(Value::as_u64);
        let mut message = text(error)
            .or_else(|| error.get("message").and_then(text))
            .or_else(|| Some(value.get("detail")?.to_string()))
            .unwrap_or_else(|| error.to_string());
        // Some name the field only here.
        if let Some(field) = error.get("param").and_then(Value::as_str)
            && !message.contains(field)
        {
            message = format!("{message} (`{field}`)");
        }
        Self {
            words: places.iter().filter_map(|at| error.pointer(at)).filter_map(text).collect(),
            message,
            status: status.and_then(|code| u16::try_from(code).ok()),
        }
    }

    fn is(&self, words: &[&str]) -> bool {
        self.words.iter().any(|word| words.contains(&word.as_str()))
    }

    fn says(&self, phrases: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        phrases.iter().any(|phrase| message.contains(phrase))
    }

    /// Reports whether money or quota is used up: no pause mends that.
    pub fn is_spent(&self) -> bool {
        self.is(&[
            "enforced_spend_limit_reached",
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_error",
        ]) || self.says(&["specified api usage limits", "credit balance is too low"])
    }

    /// Reports whether the conversation does not fit the model.
    pub fn is_overflow(&self) -> bool {
        self.is(&["context_length_exceeded", "exceed_context_size_error"])
            || self.says(&[
                "prompt is too long",
                "exceed context limit",
                "maximum context length",
                "context window",
                "exceeds the available context size",
                "context length exceeded",
                "exceeds the context length",
                "exceeded max context length",
                "exceeds maximum context length",
                "context length of only",
                "longer than the model's context length",
                "maximum model length",
                "maximum prompt length",
                "contextwindowexceeded",
                "input is too long for",
                "exceeds the maximum number of tokens",
            ])
    }

    /// Returns the status that an error event stands for, when it came after a 200.
    pub fn implied_status(&self) -> u16 {
        if let Some(status) = self.status.filter(|status| (400..600).contains(status)) {
            return status;
        }
        let known = [
            ("invalid_request_error", 400),
            ("authentication_error", 401),
            ("billing_error", 402),
            ("permission_error", 403),
            ("not_found_error", 404),
            ("request_too_large", 413),
            ("rate_limit_error", 429),
            ("rate_limit_exceeded", 429),
            ("insufficient_quota", 429),
            ("timeout_error", 504),
            ("overloaded_error", 529),
        ];
        // Whatever went wrong in the middle of an answer was not the request's fault.
        known.iter().find(|(word, _)| self.is(&[word])).map_or(500, |(_, status)| *status)
    }
}
