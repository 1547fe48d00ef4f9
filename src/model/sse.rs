//! Server-sent events: bytes in whatever pieces the network gives, whole events out.
//!
//! Follows the event stream format of the HTML standard: CR, LF and CRLF end lines, comments and
//! unknown fields are skipped, several `data` lines are joined. Differences, both for servers in
//! the field: an event at the very end counts without its blank line (nothing that was cut is
//! valid JSON, so a half event cannot pass for a whole one), and bytes that are no UTF-8 become
//! U+FFFD instead of ending the stream. An event is bounded by [`MAX_EVENT`]; work is linear in
//! the bytes, however they are cut. It knows nothing of HTTP or of what events mean.

/// The most bytes of one event.
pub const MAX_EVENT: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty when there was none.
    pub name: String,
    /// The `data` lines, joined by LF; never empty.
    pub data: String,
}

/// An event grew past [`MAX_EVENT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Takes pieces of a stream and gives its events.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Where the first line that was not taken yet begins.
    start: usize,
    /// Up to where that line is known to have no end.
    searched: usize,
    /// The last line ended in CR: an LF that follows belongs to it.
    after_cr: bool,
    after_bom: bool,
    event: Event,
}

impl Decoder {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        // What is moved is one unfinished line, and only once: it then starts at 0.
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next whole event, or `None` when more bytes are needed.
    pub fn next_event(&mut self) -> Result<Option<Event>, TooLarge> {
        while let Some(line) = self.next_line() {
            if let Some(event) = self.take_line(&line)? {
                return Ok(Some(event));
            }
        }
        if self.bytes.len() - self.start + self.event.data.len() > MAX_EVENT {
            return Err(TooLarge);
        }
        Ok(None)
    }

    /// Returns the event that the end of the stream leaves without its blank line, if any.
    pub fn finish(mut self) -> Result<Option<Event>, TooLarge> {
        let rest = self.bytes.split_off(self.start);
        if !rest.is_empty() {
            self.take_line(&String::from_utf8_lossy(&rest))?;
        }
        self.take_line("")
    }

    fn next_line(&mut self) -> Option<String> {
        if self.after_cr && self.start < self.bytes.len() {
            self.after_cr = false;
            if self.bytes[self.start] == b'\n' {
                self.start += 1;
                self.searched = self.start;
            }
        }
        let unsearched = &self.bytes[self.searched..];
        let Some(length) = unsearched.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + length;
        let line = String::from_utf8_lossy(&self.bytes[self.start..end]).into_owned();
        self.after_cr = self.bytes[end] == b'\r';
        self.start = end + 1;
        self.searched = self.start;
        Some(line)
    }

    /// Takes one line without its end; a blank one completes the event.
    fn take_line(&mut self, line: &str) -> Result<Option<Event>, TooLarge> {
        let bom = if self.after_bom { None } else { line.strip_prefix('\u{feff}') };
        let line = bom.unwrap_or(line);
        self.after_bom = true;
        if line.is_empty() {
            let mut event = std::mem::take(&mut self.event);
            // Each `data` line left an LF behind; the last one is not part of the value.
            event.data.pop();
            return Ok((!event.data.is_empty()).then_some(event));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" if self.event.data.len() + value.len() > MAX_EVENT => return Err(TooLarge),
            "data" => {
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            "event" => value.clone_into(&mut self.event.name),
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A name and data.
    type Pair = (String, String);

    fn decode(pieces: &[&[u8]]) -> Vec<Pair> {
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(event) = decoder.next_event().unwrap() {
                events.push((event.name, event.data));
            }
        }
        events.extend(decoder.finish().unwrap().map(|event| (event.name, event.data)));
        events
    }

    fn event(name: &str, data: &str) -> Pair {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn every_form_of_the_standard_wherever_it_is_cut() {
        let cases: &[(&[u8], Vec<Pair>)] = &[
            (b"event: ping\ndata: {}\n\n", vec![event("ping", "{}")]),
            (
                b"event: ping\r\ndata: {}\r\n\r\ndata: b\r\n\r\n",
                vec![event("ping", "{}"), event("", "b")],
            ),
            (b"data: a\r\rdata: b\r\r", vec![event("", "a"), event("", "b")]),
            (b"data:no space\n\n", vec![event("", "no space")]),
            (b"data:  two\n\n", vec![event("", " two")]),
            (b"data: one\ndata: two\ndata\n\n", vec![event("", "one\ntwo\n")]),
            (b": comment\n\n: another\ndata: a\nid: 1\nretry: 3\nodd\n\n", vec![event("", "a")]),
            (b"\xef\xbb\xbfdata: bom\n\n", vec![event("", "bom")]),
            (b"event: nothing\n\ndata: a\n\n", vec![event("", "a")]),
            (b"data: [DONE]\n", vec![event("", "[DONE]")]),
            (b"data: [DONE]", vec![event("", "[DONE]")]),
            ("data: žluťoučký 🐎\n\n".as_bytes(), vec![event("", "žluťoučký 🐎")]),
            (b"data: \xff\xfe\n\n", vec![event("", "\u{fffd}\u{fffd}")]),
            (b"\0\0::\n:\n\n\n\r\n\r", vec![]),
            (b"", vec![]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(&decode(&[bytes]), expected, "{bytes:?} whole");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(&decode(&single), expected, "{bytes:?} byte by byte");
            for cut in 0..bytes.len() {
                let (left, right) = bytes.split_at(cut);
                assert_eq!(&decode(&[left, right]), expected, "{bytes:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn an_event_past_the_cap_is_refused_whether_in_one_line_or_many() {
        let megabyte = vec![b'x'; 1024 * 1024];
        for line_end in ["", "\ndata: "] {
            let mut decoder = Decoder::default();
            decoder.push(b"data: ");
            let refused = (0..17).any(|_| {
                decoder.push(&megabyte);
                decoder.push(line_end.as_bytes());
                decoder.next_event().is_err()
            });
            assert!(refused);
        }
    }

    #[test]
    fn a_large_event_below_the_cap_passes_in_small_pieces() {
        let mut decoder = Decoder::default();
        decoder.push(b"data: ");
        for _ in 0..15 * 1024 {
            decoder.push(&[b'x'; 1024]);
            assert_eq!(decoder.next_event(), Ok(None));
        }
        decoder.push(b"\n\n");
        assert_eq!(decoder.next_event().unwrap().unwrap().data.len(), 15 * 1024 * 1024);
    }
}
