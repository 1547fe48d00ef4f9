//! How much of a result the model is shown.

use std::fmt::Write;

/// The most bytes of a result.
pub const SHOWN: usize = 30_000;

/// Cuts what is longer than a model is shown of a command.
pub fn capped(mut text: String) -> String {
    if text.len() > SHOWN {
        let cut = text.floor_char_boundary(SHOWN);
        let left_out = text.len() - cut;
        text.truncate(cut);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[{left_out} bytes left out here]");
    }
    text
}
