//! What a run in the background has written: progress, what its script prints, the summary at its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::View;
use super::text::plain;
use crate::host::onlooker::News;
use crate::journal::{AgentRow, Store};

/// The most that is read at once.
const PART: u64 = 1 << 20;

/// The file, and how far it was read.
pub(super) struct Kept {
    file: PathBuf,
    place: u64,
    /// The beginning of a line that is still being written.
    begun: Vec<u8>,
}

impl Kept {
    /// Returns what is kept of a run.
    pub fn of(store: &Store, run: &str) -> Self {
        let file = store.dir().join("output").join(format!("{run}.log"));
        Self { file, place: 0, begun: Vec::new() }
    }

    /// Reports whether there is any.
    pub fn is_there(&self) -> bool {
        self.file.is_file()
    }

    /// Returns the whole lines that came since the last time.
    fn lines(&mut self) -> String {
        loop {
            let read = File::open(&self.file).and_then(|mut file| {
                file.seek(SeekFrom::Start(self.place))?;
                file.take(PART).read_to_end(&mut self.begun)
            });
            let read = read.unwrap_or(0);
            self.place += read as u64;
            if (read as u64) < PART {
                break;
            }
        }
        let whole = self.begun.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.begun.split_off(whole);
        shown(&std::mem::replace(&mut self.begun, rest))
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).lines().map(|line| plain(line) + "\n").collect()
}

impl View for Kept {
    fn show(&mut self, _: &News) -> String {
        // It says so itself.
        String::new()
    }

    fn beside(&mut self) -> String {
        self.lines()
    }

    fn end(&mut self, _: &[AgentRow]) -> String {
        let rest = self.lines();
        rest + &shown(&std::mem::take(&mut self.begun))
    }
}
