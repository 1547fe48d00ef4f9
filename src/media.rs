//! What a model sees beside text: an image, a document.

use std::sync::Arc;

/// A picture or a document, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Such as `image/png` or `application/pdf`.
    pub media_type: &'static str,
    /// The file's bytes.
    pub data: Arc<[u8]>,
}

impl Media {
    /// Reports whether it is a document rather than a picture.
    pub fn is_document(&self) -> bool {
        self.media_type == "application/pdf"
    }
}
