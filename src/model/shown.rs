//! What a model is shown beside the text of a tool's result, and the words for what it is not.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ToolResult;
use super::capability::Capabilities;
use super::form::{Form, Part};
use crate::media::Media;

/// What a model can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Eyes {
    images: bool,
    documents: bool,
}

impl Eyes {
    /// Returns those of a model that is asked in `form`.
    pub fn new(capabilities: Capabilities, form: Form) -> Self {
        let open = form.has(Part::Pictures);
        Self { images: open && capabilities.images, documents: open && capabilities.documents }
    }

    /// Sees nothing.
    pub const CLOSED: Self = Self { images: false, documents: false };

    fn see(self, media: &Media) -> bool {
        if media.is_document() { self.documents } else { self.images }
    }

    /// Returns what of a result is shown.
    pub fn seen(self, result: &ToolResult) -> impl Iterator<Item = &Media> {
        result.media.iter().filter(move |media| self.see(media))
    }

    /// Returns the text of a result, with a note for all that is not shown.
    pub fn text(self, result: &ToolResult) -> Cow<'_, str> {
        let unseen = result.media.iter().filter(|media| !self.see(media));
        let notes: Vec<String> = unseen
            .map(|media| {
                let what = if media.is_document() { "document" } else { "picture" };
                let Media { media_type, data } = media;
                let size = data.len();
                format!(
                    "[a {what} ({media_type}, {size} bytes) is left out: it cannot be shown here]"
                )
            })
            .collect();
        if notes.is_empty() {
            return Cow::Borrowed(&result.content);
        }
        let text = (!result.content.is_empty()).then_some(result.content.as_str());
        let parts: Vec<&str> = text.into_iter().chain(notes.iter().map(String::as_str)).collect();
        Cow::Owned(parts.join("\n"))
    }
}

/// Returns the bytes in base 64.
pub(super) fn base64(media: &Media) -> String {
    STANDARD.encode(&media.data)
}

/// Returns a `data:` URI.
pub(super) fn data_uri(media: &Media) -> String {
    format!("data:{};base64,{}", media.media_type, base64(media))
}
