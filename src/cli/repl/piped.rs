//! Lines that nobody types: standard input that is a pipe or a file.
//!
//! Nobody is there to see a failure and to type the line again, so whoever started us has to be told
//! of it. What is no text is taken with the rest of its chunk, so that the lines after it stay whole.

use std::io::{self, BufRead};

use crate::error::{Error, Kind, Result, ResultExt};

/// Returns the next chunk: lines up to where `is_whole` says so, or the end; nothing at the end.
///
/// # Errors
/// Usage for a chunk that is not UTF-8, after which there may be others; io for an input that breaks.
pub(super) fn chunk(
    input: &mut impl BufRead,
    is_whole: impl Fn(&str) -> bool,
) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        input.read_until(b'\n', &mut bytes).or_kind(Kind::Io, || "cannot read standard input")?;
        let is_end = bytes.len() == before;
        if is_end && bytes.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if !is_end && !is_whole(text) {
            continue;
        }
        if let Err(fault) = std::str::from_utf8(&bytes) {
            let lossy = String::from_utf8_lossy(&bytes);
            let line = memchr::memchr_iter(b'\n', &bytes[..fault.valid_up_to()]).count();
            let line = lossy.lines().nth(line).unwrap_or_default();
            return Err(Error::usage(format!("`{line}` is not UTF-8")));
        }
        return Ok(Some(text.to_owned()));
    }
}

/// Returns standard input.
pub(super) fn input() -> io::StdinLock<'static> {
    io::stdin().lock()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_that_is_no_text_is_told_of_and_the_next_one_is_read() {
        let mut input = &b"a {\r\n}\r\n{\n\xff\n}\n\nb {"[..];
        let is_whole = |text: &str| !text.contains('{') || text.ends_with('}');
        let mut next = || chunk(&mut input, is_whole);
        assert_eq!(next().unwrap().unwrap(), "a {\r\n}");
        assert_eq!(next().unwrap_err().message, "`\u{fffd}` is not UTF-8");
        assert_eq!(next().unwrap().unwrap(), "");
        assert_eq!(next().unwrap().unwrap(), "b {");
        assert_eq!(next().unwrap(), None);
    }
}
