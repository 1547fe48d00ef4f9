//! What a command writes: the head and the tail in memory, the whole in a file when it is longer.
//!
//! Memory is bounded by what is shown, however much a command writes and for however long. The file
//! has a bound too; past it the output is still read, so that the command goes on, and discarded.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Output of a command, as far as it was kept.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    /// The first bytes; all of them if `tail` did not become necessary.
    pub head: Vec<u8>,
    /// The last bytes after `head`.
    pub tail: Vec<u8>,
    /// How many bytes the command wrote.
    pub total: u64,
    /// The file with the rest, if there was more than head and tail and a file was asked for.
    pub spill: Option<Spill>,
}

/// The file that holds output whole, from its first byte on.
#[derive(Clone, Debug)]
pub struct Spill {
    /// Where it is.
    pub path: PathBuf,
    /// How many bytes it holds: fewer than the total if that passed the limit.
    pub bytes: u64,
    /// Why it could not be written (on).
    pub failure: Option<String>,
}

impl Captured {
    /// Returns how many bytes stand neither in the head nor in the tail.
    pub fn omitted(&self) -> u64 {
        self.total - (self.head.len() + self.tail.len()) as u64
    }

    /// Returns head and tail in one piece.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        bytes.extend(self.tail);
        bytes
    }

    /// Returns head and tail as text, with a line between them that says what was left out.
    pub fn text(&self) -> String {
        let omitted = self.omitted();
        if omitted == 0 {
            return String::from_utf8_lossy(&[&self.head[..], &self.tail].concat()).into_owned();
        }
        let head = String::from_utf8_lossy(whole_at_end(&self.head));
        let tail = String::from_utf8_lossy(whole_at_start(&self.tail));
        format!("{head}\n\n[{omitted} bytes left out here]\n\n{tail}")
    }
}

/// Leaves out the character that the end of `bytes` cuts.
fn whole_at_end(bytes: &[u8]) -> &[u8] {
    match bytes.utf8_chunks().last() {
        Some(last) if last.invalid().len() < 4 => &bytes[..bytes.len() - last.invalid().len()],
        _ => bytes,
    }
}

/// Leaves out the character that the start of `bytes` cuts.
fn whole_at_start(bytes: &[u8]) -> &[u8] {
    let cut = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    &bytes[cut..]
}

/// How much of a stream is kept, and where.
#[derive(Clone, Debug)]
pub(super) struct Keep {
    pub(super) head: usize,
    pub(super) tail: usize,
    pub(super) spill: Option<PathBuf>,
    pub(super) spill_max: u64,
}

/// A stream while it is read.
pub(super) struct Capture {
    keep: Keep,
    seen: Captured,
    file: Option<Arc<File>>,
}

impl Capture {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, seen: Captured::default(), file: None }
    }

    /// Reads `pipe` until every writer has closed it.
    pub(super) async fn fill(&mut self, pipe: Option<Receiver>) {
        let Some(mut pipe) = pipe else { return };
        // Room, not zeroes: most commands write little, and many run at once.
        let mut buffer = Vec::with_capacity(64 * 1024);
        // A pipe cannot fail but at its end.
        while let Ok(1..) = pipe.read_buf(&mut buffer).await {
            self.take(&buffer).await;
            buffer.clear();
        }
    }

    /// Returns what was kept.
    pub(super) fn finish(mut self) -> Captured {
        let surplus = self.seen.tail.len().saturating_sub(self.keep.tail);
        self.seen.tail.drain(..surplus);
        self.seen
    }

    async fn take(&mut self, bytes: &[u8]) {
        let shown = (self.keep.head + self.keep.tail) as u64;
        if self.seen.total + bytes.len() as u64 > shown {
            self.spill(bytes).await;
        }
        self.seen.total += bytes.len() as u64;
        let room = bytes.len().min(self.keep.head - self.seen.head.len());
        self.seen.head.extend(&bytes[..room]);
        self.seen.tail.extend(&bytes[room..]);
        // Trimmed seldom, so that each byte is moved about once.
        if self.seen.tail.len() > 2 * self.keep.tail {
            let surplus = self.seen.tail.len() - self.keep.tail;
            self.seen.tail.drain(..surplus);
        }
    }

    /// Writes `bytes`, and at the first time what came before them, to the file.
    async fn spill(&mut self, bytes: &[u8]) {
        let Some(path) = &self.keep.spill else { return };
        let spill =
            self.seen.spill.get_or_insert(Spill { path: path.clone(), bytes: 0, failure: None });
        let room = self.keep.spill_max - spill.bytes;
        if spill.failure.is_some() || room == 0 {
            return;
        }
        let mut data = Vec::new();
        if self.file.is_none() {
            data.extend(&self.seen.head);
            data.extend(&self.seen.tail);
        }
        data.extend(bytes);
        data.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let count = data.len() as u64;
        let (file, path) = (self.file.clone(), path.clone());
        let written = tokio::task::spawn_blocking(move || {
            let file = file.map_or_else(|| created(&path).map(Arc::new), Ok)?;
            (&*file).write_all(&data)?;
            Ok(file)
        });
        match written.await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(file) => {
                self.file = Some(file);
                spill.bytes += count;
            }
            Err(error) => spill.failure = Some(error.to_string()),
        }
    }
}

fn created(path: &PathBuf) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn keep(head: usize, tail: usize) -> Keep {
        Keep { head, tail, spill: None, spill_max: 0 }
    }

    #[tokio::test]
    async fn keeps_all_of_what_fits_and_the_ends_of_what_does_not() {
        let mut capture = Capture::new(keep(4, 4));
        for piece in ["ab", "cdef", "gh"] {
            capture.take(piece.as_bytes()).await;
        }
        let whole = capture.finish();
        assert_eq!((whole.omitted(), whole.text().as_str()), (0, "abcdefgh"));

        let mut capture = Capture::new(keep(4, 4));
        for piece in ["abc", "defghijklmnop", "q", "rstuvwxyz"] {
            capture.take(piece.as_bytes()).await;
        }
        let cut = capture.finish();
        assert_eq!((&cut.head[..], &cut.tail[..]), (&b"abcd"[..], &b"wxyz"[..]));
        assert_eq!((cut.total, cut.omitted()), (26, 18));
    }

    #[tokio::test]
    async fn a_cut_never_splits_a_character() {
        let mut capture = Capture::new(keep(4, 4));
        capture.take("aä€ xxxxxxxxx €äz".as_bytes()).await;
        let text = capture.finish().text();
        assert!(!text.contains('\u{FFFD}'), "{text}");
        assert!(text.starts_with("aä\n") && text.ends_with("äz"), "{text}");
    }

    #[tokio::test]
    async fn the_file_holds_the_first_byte_and_stops_at_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/spill.txt");
        let mut capture =
            Capture::new(Keep { spill: Some(path.clone()), spill_max: 12, ..keep(2, 2) });
        capture.take(b"0123").await;
        assert!(!path.exists(), "what is shown whole needs no file");
        for piece in ["45", "6789", "abcdef", "ghi"] {
            capture.take(piece.as_bytes()).await;
        }
        let spill = capture.finish().spill.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123456789ab");
        assert_eq!((spill.bytes, spill.failure), (12, None));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_told() {
        let mut capture = Capture::new(Keep {
            spill: Some("/proc/nowhere/spill".into()),
            spill_max: 100,
            ..keep(1, 1)
        });
        capture.take(b"0123").await;
        let seen = capture.finish();
        assert!(seen.spill.unwrap().failure.is_some());
        assert_eq!(seen.total, 4);
    }
}
