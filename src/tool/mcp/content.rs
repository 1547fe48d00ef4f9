//! What a server answers, as the model is shown it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use crate::media::{Media, media_type};
use crate::tool::output::capped;
use crate::tool::sight::Sees;
use crate::tool::{Output, ToolError, ToolOutput};

/// Returns a result for a model that sees this much.
pub(super) fn output(result: CallToolResult, sees: Sees) -> ToolOutput {
    let mut shown = Shown { sees, texts: Vec::new(), media: Vec::new() };
    for block in result.content {
        shown.add(block);
    }
    if shown.texts.is_empty()
        && let Some(structured) = result.structured_content
    {
        shown.texts.push(structured.to_string());
    }
    if shown.texts.is_empty() && shown.media.is_empty() {
        shown.texts.push("[no output]".to_owned());
    }
    let text = capped(shown.texts.join("\n"));
    if result.is_error == Some(true) {
        return Err(ToolError::Reply(text));
    }
    Ok(Output { text, media: shown.media })
}

struct Shown {
    sees: Sees,
    texts: Vec<String>,
    media: Vec<Media>,
}

impl Shown {
    fn add(&mut self, block: ContentBlock) {
        match block {
            ContentBlock::Text(text) => self.texts.push(text.text),
            ContentBlock::Image(image) => self.data("this", &image.mime_type, &image.data),
            ContentBlock::Audio(audio) => self.data("the sound", &audio.mime_type, &audio.data),
            ContentBlock::Resource(embedded) => match embedded.resource {
                ResourceContents::TextResourceContents { uri, text, .. } => {
                    self.texts.push(format!("[resource {uri}]\n{text}"));
                }
                ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                    let kind = mime_type.unwrap_or_default();
                    self.data(&format!("the resource {uri}"), &kind, &blob);
                }
                _ => self.unknown(),
            },
            ContentBlock::ResourceLink(link) => {
                let about = link.description.map(|text| format!(": {text}")).unwrap_or_default();
                self.texts.push(format!("[resource {} at {}{about}]", link.name, link.uri));
            }
            _ => self.unknown(),
        }
    }

    fn unknown(&mut self) {
        self.texts.push("[something of a kind that agentlua does not know]".to_owned());
    }

    /// Adds bytes as what they are, or says why not.
    fn data(&mut self, what: &str, declared: &str, encoded: &str) {
        let Ok(data) = STANDARD.decode(encoded) else {
            self.texts.push(format!("[{what} is not valid base64]"));
            return;
        };
        let Some(media_type) = media_type(&data) else {
            let size = data.len();
            self.texts.push(format!("[{what} ({declared}, {size} bytes) cannot be shown]"));
            return;
        };
        let media = Media { media_type, data: data.into() };
        match self.sees.admit(&media) {
            Ok(_) => self.media.push(media),
            Err(why) => self.texts.push(format!("[{what} {why}]")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn shown(result: serde_json::Value, sees: Sees) -> ToolOutput {
        output(serde_json::from_value(result).unwrap(), sees)
    }

    #[test]
    fn each_kind_of_content_is_shown_or_named() {
        let result = json!({ "content": [
            { "type": "text", "text": "hello" },
            { "type": "image", "data": PIXEL, "mimeType": "image/png" },
            { "type": "audio", "data": "AAAA", "mimeType": "audio/wav" },
            { "type": "resource", "resource": { "uri": "x://a", "text": "inside" } },
            { "type": "resource", "resource": { "uri": "x://b", "blob": "JVBERi0xLjQK" } },
            { "type": "resource_link", "uri": "x://c", "name": "c" },
            { "type": "image", "data": "?", "mimeType": "image/png" },
        ] });
        let all = shown(result.clone(), Sees { images: true, documents: true }).unwrap();
        let types: Vec<_> = all.media.iter().map(|media| media.media_type).collect();
        assert_eq!(types, ["image/png", "application/pdf"]);
        assert_eq!(
            all.text,
            "hello\n[the sound (audio/wav, 3 bytes) cannot be shown]\n[resource x://a]\ninside\n\
             [resource c at x://c]\n[this is not valid base64]"
        );
        let none = shown(result, Sees::default()).unwrap();
        assert!(none.media.is_empty());
        assert!(none.text.contains("[this is a picture (image/png, 70 bytes), and this"));
        assert!(none.text.contains("[the resource x://b is a PDF of 9 bytes, and this model"));
    }

    #[test]
    fn errors_structured_results_and_long_ones() {
        let sees = Sees::default();
        let failed = json!({ "content": [{ "type": "text", "text": "no" }], "isError": true });
        assert!(matches!(shown(failed, sees), Err(ToolError::Reply(text)) if text == "no"));
        let structured = json!({ "content": [], "structuredContent": { "a": 1 } });
        assert_eq!(shown(structured, sees).unwrap().text, "{\"a\":1}");
        assert_eq!(shown(json!({ "content": [] }), sees).unwrap().text, "[no output]");
        let long = json!({ "content": [{ "type": "text", "text": "x".repeat(40_000) }] });
        let text = shown(long, sees).unwrap().text;
        assert!(text.len() < 31_000 && text.ends_with("[10000 bytes left out here]"));
    }
}
