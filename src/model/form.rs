//! How a question is put, and what refusals teach about that.
//!
//! Servers that imitate an API lack parts of it, and models lack what their siblings have. Nothing
//! asks what a server can do; so what is not essential is sent until it is refused, the question is
//! asked once more without it, and the model remembers. A refusal that names the room that is left
//! for the reply is answered with a smaller limit. It must not know wire formats: those leave out
//! what a [`Form`] says.

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use serde_json::Value;

use super::capability::Capabilities;
use super::room::{self, Room};
use super::{Failure, Message, Reply, Request};

/// A part of a question that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Asking for the usage in the stream.
    Usage,
    /// The newer name of the output limit; the older one stands in for it.
    NewLimit,
    /// Asking for the model's thoughts in a form that can be sent back.
    Encrypted,
    /// Holding the model to every letter of a schema.
    Strict,
    /// The schema of the final text.
    Format,
    /// How hard to think.
    Effort,
    /// The tool that has to be called.
    MustCall,
    /// Earlier thoughts of the model.
    Thoughts,
    /// Pictures and documents; a note stands in for each.
    Pictures,
    /// The system prompt as a message of its own; it then begins the first message of the user.
    System,
}

impl Part {
    /// Returns the words of refusals that are about it, in lower case.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Usage => &["stream_options", "include_usage"],
            Self::NewLimit => &["max_completion_tokens"],
            Self::Encrypted => &["'include", "encrypted content is not supported"],
            Self::Strict => {
                &["'strict'", "\"strict\"", "`strict`", ".strict", "invalid schema for"]
            }
            Self::Format => &[
                "response_format",
                "json_schema",
                "output_config",
                "output_format",
                "text.format",
                "structured output",
            ],
            Self::Effort => &["effort", "output_config", "does not support thinking", "adaptive"],
            Self::MustCall => &["tool_choice", "tool choice"],
            Self::Thoughts => &[
                "`thinking`",
                "thinking block",
                "signature",
                "reasoning_content",
                "reasoning_details",
                "'reasoning'",
                "type 'reasoning'",
                "encrypted content",
                "encrypted_content",
            ],
            Self::Pictures => {
                &["image", "picture", "vision", "multimodal", "mmproj", "document", "pdf", "file"]
            }
            Self::System => &["system role", "'system'", "\"system\"", "system message"],
        }
    }

    /// Reports whether a request has it at all.
    fn is_in(self, request: &Request, form: Form) -> bool {
        match self {
            Self::Usage | Self::Encrypted => true,
            Self::NewLimit => form.limit(request.max_output_tokens).is_some(),
            Self::Strict | Self::Format => request.format.is_some(),
            Self::Effort => request.effort.is_some(),
            Self::MustCall => request.must_call.is_some(),
            Self::Thoughts => {
                request.messages.iter().any(|message| matches!(message, Message::Assistant(_)))
            }
            Self::Pictures => request.messages.iter().any(|message| match message {
                Message::User { results, .. } => {
                    results.iter().any(|result| !result.media.is_empty())
                }
                Message::Assistant(_) => false,
            }),
            Self::System => !request.system.trim().is_empty(),
        }
    }

    /// Reports whether a refusal is about the part as such, rather than about this one: a picture
    /// that is too large, a schema that is odd, thoughts of another model.
    fn is_lasting(self, words: &str) -> bool {
        let never = [
            "support",
            "not permitted",
            "not allowed",
            "unknown",
            "unrecognized",
            "extra",
            "avail",
        ];
        match self {
            Self::Strict | Self::Format | Self::Thoughts | Self::Pictures => {
                never.iter().any(|never| words.contains(never))
            }
            _ => true,
        }
    }

    /// Llama.cpp answers with 500, and routers with 404, where no model of theirs can do it.
    fn may_come_with(self, status: u64) -> bool {
        match status {
            400 | 422 => true,
            404 => matches!(self, Self::MustCall | Self::Format | Self::Effort | Self::Pictures),
            500 => matches!(self, Self::Pictures | Self::System),
            _ => false,
        }
    }
}

/// How one question is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    left_out: u16,
    /// The most tokens that there is room for in the reply.
    most: Option<u32>,
    /// Whether a refusal has named that already.
    is_cut: bool,
}

impl Form {
    /// Reports whether a part is sent.
    pub fn has(self, part: Part) -> bool {
        self.left_out & bit(part) == 0
    }

    /// Returns the output limit to send for the one that is asked for.
    pub fn limit(self, asked: Option<u32>) -> Option<u32> {
        match (asked, self.most) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }

    #[cfg(test)]
    pub fn without(parts: &[Part]) -> Self {
        let left_out = parts.iter().fold(0, |bits, part| bits | bit(*part));
        Self { left_out, ..Self::default() }
    }
}

fn bit(part: Part) -> u16 {
    1 << part as u16
}

/// What a model has learned from refusals, shared by all who ask it.
#[derive(Debug)]
pub(super) struct Lessons {
    /// The parts that its wire format has; the first that a refusal is about is left out.
    parts: &'static [Part],
    left_out: AtomicU16,
    /// The most tokens of a reply; 0 while unknown.
    most: AtomicU32,
}

impl Lessons {
    /// Knows nothing yet.
    pub fn new(parts: &'static [Part]) -> Self {
        Self { parts, left_out: AtomicU16::new(0), most: AtomicU32::new(0) }
    }

    /// Returns the form in which the next question is put first.
    pub fn form(&self) -> Form {
        let most = self.most.load(Ordering::Relaxed);
        Form {
            left_out: self.left_out.load(Ordering::Relaxed),
            most: (most > 0).then_some(most),
            is_cut: false,
        }
    }

    /// Puts a question by `put`, and once more for each refusal that says how it has to be put.
    pub async fn learn<Answer>(
        &self,
        request: &Request,
        put: impl Fn(Form) -> Answer,
    ) -> Result<Reply, Failure>
    where
        Answer: Future<Output = Result<Reply, Failure>>,
    {
        // What this question leaves out: a sibling may learn something while it is under way.
        let mut form = self.form();
        loop {
            match put(form).await {
                // Each form leaves out more, so this ends.
                Err(failure) => form = self.amend(form, request, failure)?,
                reply => return reply,
            }
        }
    }

    /// Returns the form in which to put a question again that was refused in `form`.
    ///
    /// # Errors
    /// The refusal, when it teaches nothing.
    fn amend(&self, form: Form, request: &Request, failure: Failure) -> Result<Form, Failure> {
        let Some(status) = failure.error.detail("status").and_then(Value::as_u64) else {
            return Err(failure);
        };
        let words = failure.error.message.to_lowercase();
        if let Some(room) = room::left(&words).filter(|_| matches!(status, 400 | 422)) {
            return self.with_room(form, room).ok_or(failure);
        }
        if failure.error.detail("reason").is_some_and(|reason| reason == "context_overflow") {
            return Err(failure);
        }
        let is_about = |part: &Part| {
            part.may_come_with(status)
                && form.has(*part)
                && part.is_in(request, form)
                && part.words().iter().any(|word| words.contains(word))
        };
        let Some(part) = self.parts.iter().copied().find(is_about) else { return Err(failure) };
        if part.is_lasting(&words) {
            self.left_out.fetch_or(bit(part), Ordering::Relaxed);
        }
        Ok(Form { left_out: form.left_out | bit(part), ..form })
    }

    fn with_room(&self, form: Form, room: Room) -> Option<Form> {
        if form.is_cut {
            return None;
        }
        let most = match room {
            Room::OfModel(most) => {
                self.most.store(most, Ordering::Relaxed);
                most
            }
            Room::Left(most) => most,
        };
        Some(Form { most: form.limit(Some(most)), is_cut: true, ..form })
    }

    /// Returns what is left of `capabilities`.
    pub fn lower(&self, capabilities: Capabilities) -> Capabilities {
        let form = self.form();
        Capabilities {
            max_output: match (capabilities.max_output, form.most) {
                (Some(known), Some(learned)) => Some(known.min(learned)),
                (known, learned) => known.or(learned),
            },
            images: capabilities.images && form.has(Part::Pictures),
            documents: capabilities.documents && form.has(Part::Pictures),
            native_format: capabilities.native_format && form.has(Part::Format),
            forced_tool: capabilities.forced_tool && form.has(Part::MustCall),
            effort: capabilities.effort && form.has(Part::Effort),
            ..capabilities
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::error::{Error, Kind};
    use crate::model::Effort;
    use crate::model::scripted::request;

    const PARTS: &[Part] = &[Part::Usage, Part::Strict, Part::Format, Part::Effort];

    fn refusal(status: u16, words: &str) -> Failure {
        Failure::fatal(Error::new(Kind::Model, words).with("status", json!(status)))
    }

    #[test]
    fn a_lesson_is_learned_once_and_by_each_who_asked_before_it() {
        let (lessons, request) = (Lessons::new(PARTS), request("hi"));
        let first = lessons.form();
        let refused = || refusal(400, "unknown field: stream_options");
        let second = lessons.amend(first, &request, refused()).unwrap();
        assert!(first.has(Part::Usage) && !second.has(Part::Usage));
        // A sibling that had sent the field, too, before this one learned.
        assert_eq!(lessons.amend(first, &request, refused()).unwrap(), second);
        assert!(lessons.amend(second, &request, refused()).is_err(), "it had been left out");
        assert!(lessons.amend(first, &request, refusal(500, "stream_options")).is_err());
        assert_eq!(lessons.form(), second);
    }

    #[test]
    fn only_what_was_asked_for_is_left_out() {
        let (lessons, mut request) = (Lessons::new(PARTS), request("hi"));
        let refused = || refusal(400, "Unsupported parameter: 'reasoning.effort'");
        assert!(lessons.amend(lessons.form(), &request, refused()).is_err());
        request.effort = Some(Effort::High);
        let form = lessons.amend(lessons.form(), &request, refused()).unwrap();
        assert!(!form.has(Part::Effort));
        let able = Capabilities { effort: true, images: true, ..Capabilities::default() };
        let lowered = lessons.lower(able);
        assert_eq!((lowered.effort, lowered.images), (false, true));
    }

    #[test]
    fn one_odd_schema_does_not_take_the_format_from_all() {
        let (lessons, mut request) = (Lessons::new(PARTS), request("hi"));
        request.format = Some(Arc::new(json!({})));
        let odd = || refusal(400, "Invalid schema for response_format 'answer': no");
        let loose = lessons.amend(lessons.form(), &request, odd()).unwrap();
        assert!(!loose.has(Part::Strict) && loose.has(Part::Format));
        let free = lessons.amend(loose, &request, odd()).unwrap();
        assert!(!free.has(Part::Format));
        assert_eq!(lessons.form(), Form::default());
        let never = refusal(400, "response_format is not supported");
        lessons.amend(lessons.form(), &request, never).unwrap();
        assert!(!lessons.form().has(Part::Format));
    }

    #[test]
    fn a_limit_is_lowered_once_and_that_of_the_model_for_all() {
        let (lessons, request) = (Lessons::new(PARTS), request("hi"));
        let window = || refusal(400, "exceed context limit: 188240 + 21333 > 200000");
        let form = lessons.amend(lessons.form(), &request, window()).unwrap();
        assert_eq!(form.limit(Some(21_333)), Some(11_760));
        assert!(lessons.amend(form, &request, window()).is_err());
        assert_eq!(lessons.form().limit(Some(21_333)), Some(21_333));
        let of_model = "max_tokens: 40000 > 8192, which is the maximum allowed number of output \
                        tokens for claude-x";
        lessons.amend(lessons.form(), &request, refusal(400, of_model)).unwrap();
        assert_eq!(lessons.form().limit(Some(40_000)), Some(8192));
        assert_eq!(lessons.lower(Capabilities::default()).max_output, Some(8192));
    }
}
