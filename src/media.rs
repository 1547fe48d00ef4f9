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

/// Returns the type of a picture or document that models take, by the first bytes of its file.
pub fn media_type(head: &[u8]) -> Option<&'static str> {
    use imagesize::ImageType;
    if head.starts_with(b"%PDF-") {
        return Some("application/pdf");
    }
    match imagesize::image_type(head).ok()? {
        ImageType::Png => Some("image/png"),
        ImageType::Jpeg => Some("image/jpeg"),
        ImageType::Gif => Some("image/gif"),
        ImageType::Webp => Some("image/webp"),
        _ => None,
    }
}

/// Returns width and height of a picture in pixels, where its head tells them.
pub fn dimensions(picture: &[u8]) -> Option<(usize, usize)> {
    imagesize::blob_size(picture).ok().map(|size| (size.width, size.height))
}

impl Media {
    /// Reports whether it is a document rather than a picture.
    pub fn is_document(&self) -> bool {
        self.media_type == "application/pdf"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_begins_with() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\0\0\0\0\x80\x08\x06\0\0\0";
        assert_eq!((media_type(png), dimensions(png)), (Some("image/png"), Some((256, 128))));
        let gif = b"GIF89a\x02\0\x03\0\x80\0\0";
        assert_eq!((media_type(gif), dimensions(gif)), (Some("image/gif"), Some((2, 3))));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\x24\0\0\0WEBPVP8 "), Some("image/webp"));
        assert_eq!(media_type(b"%PDF-1.7\n"), Some("application/pdf"));
        for other in [&b""[..], b"x", b"RIFF\x24\0\0\0WAVEfmt ", b"BM\x36\0", b"<svg/>"] {
            assert_eq!(media_type(other), None);
        }
    }
}
