//! What a model sees beside text, and whether it can be shown one thing.

use crate::media::{Media, dimensions};

/// The largest picture in bytes: providers take 5 MB of base64.
const PICTURE_MAX: usize = 5 * 1024 * 1024 / 4 * 3;
/// The largest side of a picture in pixels that providers take.
const SIDE_MAX: usize = 8_000;
/// The largest document in bytes: providers take 32 MB in a request, in base64 and with all the rest.
const DOCUMENT_MAX: usize = 22 * 1024 * 1024;

/// What a model sees beside text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sees {
    /// Whether it sees pictures.
    pub images: bool,
    /// Whether it reads PDF.
    pub documents: bool,
}

impl Sees {
    /// Returns a line about what the model is shown.
    ///
    /// # Errors
    /// Why it cannot be shown this: a clause that says what it is.
    pub fn admit(self, media: &Media) -> Result<String, String> {
        let (kind, size) = (media.media_type, media.data.len());
        if media.is_document() {
            return match () {
                () if !self.documents => {
                    Err(format!("is a PDF of {size} bytes, and this model does not take documents"))
                }
                () if size > DOCUMENT_MAX => Err(format!(
                    "is a PDF of {size} bytes, more than the {DOCUMENT_MAX} that can be shown"
                )),
                () => Ok(format!("{kind}, {size} bytes")),
            };
        }
        if !self.images {
            return Err(format!(
                "is a picture ({kind}, {size} bytes), and this model does not take pictures"
            ));
        }
        if size > PICTURE_MAX {
            return Err(format!(
                "is a picture of {size} bytes, more than the {PICTURE_MAX} that can be shown"
            ));
        }
        match dimensions(&media.data) {
            Some((width, height)) if width.max(height) > SIDE_MAX => Err(format!(
                "is a picture of {width}×{height} pixels, more than the {SIDE_MAX} a side that can \
                 be shown"
            )),
            Some((width, height)) => Ok(format!("{kind}, {width}×{height}, {size} bytes")),
            None => Err(format!("is a damaged picture ({kind}, {size} bytes)")),
        }
    }
}
