//! The terminal of a run while a block of lines stands below everything else on it: the fleet at work.
//!
//! There is one for the process, as there is one terminal. Whatever [`super::terminal`] writes goes above the
//! block, in one write with what takes the block away and puts it back, so that nothing is ever seen
//! half done. Nothing is changed about the terminal that would have to be put right again: a process that
//! is killed leaves at most the last block behind. A line that the script has begun and not ended stays
//! where it is, above the block, and goes on there.
//!
//! It is drawn here, and not by a library of bars: those know neither of begun lines nor of terminals
//! that break long lines anew when they become narrower.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::terminal::{is_in_foreground, is_stdout_on_stderr, stderr_size};
use super::width::{Size, is_plain, width};

/// How often the block comes back at once within one beat; what writes more often waits for the next.
const BURST: u8 = 10;
/// The longest begun line that is remembered, in bytes.
const LONGEST: usize = 4096;
/// How long the end of the process waits for whoever writes.
const LAST_WAIT: Duration = Duration::from_millis(200);
/// What a terminal shows in between is not to be seen; those that do not know of it ignore it.
const TOGETHER: (&[u8], &[u8]) = (b"\x1b[?2026h", b"\x1b[?2026l");

static IS_LIVE: AtomicBool = AtomicBool::new(false);
static BLOCK: Mutex<Block> = Mutex::new(Block::EMPTY);

/// Begins to keep a block at the bottom of the terminal on standard error.
pub fn begin() {
    *block() = Block::EMPTY;
    IS_LIVE.store(true, Ordering::Release);
}

/// Takes the block away for good. The cursor is where the output ends.
pub fn end() {
    take_away(&mut block());
}

/// Takes the block away for a process that ends at once, and may be stuck in a write.
pub fn leave() {
    let limit = Instant::now() + LAST_WAIT;
    while IS_LIVE.load(Ordering::Acquire) && Instant::now() < limit {
        if let Ok(mut block) = BLOCK.try_lock() {
            return take_away(&mut block);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn take_away(block: &mut Block) {
    if IS_LIVE.swap(false, Ordering::AcqRel) {
        let _ = write(|out, size| block.erase(out, size));
    }
}

/// Shows `lines` as the block from now on; no lines are no block. To be called regularly.
pub fn show(lines: Vec<String>) {
    if IS_LIVE.load(Ordering::Acquire) {
        let mut block = block();
        block.is_behind = !is_in_foreground();
        let _ = write(|out, size| block.show(lines, out, size));
    }
}

/// Brings the block back where much was printed meanwhile.
pub fn beat() {
    if IS_LIVE.load(Ordering::Acquire) {
        let mut block = block();
        block.returns = 0;
        if block.shown.is_empty() {
            let _ = write(|out, size| block.draw(out, size));
        }
    }
}

/// Prints whole lines above the block, with a new block if there is one; tells whether there is a screen.
pub fn say(text: &str, lines: Option<Vec<String>>) -> bool {
    if !IS_LIVE.load(Ordering::Acquire) {
        return false;
    }
    let mut block = block();
    if let Some(lines) = lines {
        block.lines = lines;
    }
    let _ = write(|out, size| block.say(text, out, size));
    true
}

/// Prints what the script writes to standard output; nothing when that is none of the screen's business.
pub fn print(bytes: &[u8]) -> Option<io::Result<()>> {
    // A file or a pipe may keep its writer waiting: nobody else is to wait for it.
    let is_ours = IS_LIVE.load(Ordering::Acquire) && is_stdout_on_stderr();
    is_ours.then(|| complain(bytes)).flatten()
}

/// Prints what the script writes to standard error; nothing without a screen.
pub fn complain(bytes: &[u8]) -> Option<io::Result<()>> {
    if !IS_LIVE.load(Ordering::Acquire) {
        return None;
    }
    let mut block = block();
    Some(write(|out, size| block.print(bytes, out, size)))
}

/// Hides the block while something else has the terminal: who types, a message of a panic, a stopped
/// process.
pub struct Hidden;

impl Hidden {
    /// Hides it until this is dropped.
    pub fn now() -> Self {
        let mut block = block();
        block.hidden += 1;
        if IS_LIVE.load(Ordering::Acquire) {
            let _ = write(|out, size| block.erase(out, size));
        }
        Self
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let mut block = block();
        block.hidden -= 1;
        // Whoever had the terminal ended the line.
        block.begun.clear();
    }
}

fn block() -> MutexGuard<'static, Block> {
    BLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes at once what `make` makes for the terminal as large as it is now.
fn write(make: impl FnOnce(&mut Vec<u8>, Size)) -> io::Result<()> {
    let mut out = TOGETHER.0.to_vec();
    make(&mut out, stderr_size());
    if out.len() == TOGETHER.0.len() {
        return Ok(());
    }
    out.extend(TOGETHER.1);
    io::stderr().lock().write_all(&out)
}

/// The lines at the bottom, and what is known of the line above them.
struct Block {
    lines: Vec<String>,
    /// How wide each line on the screen is; none when they are not there.
    shown: Vec<usize>,
    /// What was printed of a line that has no end yet.
    begun: Vec<u8>,
    /// How many want it hidden.
    hidden: usize,
    /// Whether the shell has the terminal.
    is_behind: bool,
    /// How often it came back since the last beat.
    returns: u8,
}

impl Block {
    const EMPTY: Self = Self {
        lines: Vec::new(),
        shown: Vec::new(),
        begun: Vec::new(),
        hidden: 0,
        is_behind: false,
        returns: 0,
    };

    /// Shows other lines, in the place of those that are there.
    fn show(&mut self, lines: Vec<String>, out: &mut Vec<u8>, size: Size) {
        self.returns = 0;
        let is_same = lines == self.lines;
        self.lines = lines;
        // Rows that are one broken line to the terminal must go before others can take their place.
        let is_broken = self.shown.iter().any(|width| *width >= size.columns);
        if self.shown.is_empty() || is_broken || !self.has_room(size) {
            self.erase(out, size);
            self.draw(out, size);
        } else if !is_same {
            up(out, rows(&self.shown, size) - 1);
            self.put(out, size);
            out.extend(b"\x1b[J");
        }
    }

    /// Prints whole lines.
    fn say(&mut self, text: &str, out: &mut Vec<u8>, size: Size) {
        let is_fresh = !self.shown.is_empty() && self.begun.is_empty();
        self.erase(out, size);
        if self.begun.is_empty() {
            // What is to begin on a line of its own, wherever the cursor is, does so already.
            let text = if is_fresh { text.trim_start_matches('\n') } else { text };
            out.extend(text.as_bytes());
        } else if is_plain(&self.begun, size) {
            out.extend(b"\r\x1b[J");
            out.extend(text.as_bytes());
            out.extend(&self.begun);
        } else {
            out.push(b'\n');
            out.extend(text.as_bytes());
            self.begun.clear();
        }
        self.come_back(out, size);
    }

    /// Prints what goes on where the last such text ended.
    fn print(&mut self, text: &[u8], out: &mut Vec<u8>, size: Size) {
        self.erase(out, size);
        out.extend(text);
        let ended = text.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        if ended.is_some() {
            self.begun.clear();
        }
        // One that is too long is not plain either: what is remembered says so.
        let rest = &text[ended.unwrap_or(0)..];
        let room = LONGEST - self.begun.len();
        self.begun.extend(&rest[..rest.len().min(room)]);
        self.come_back(out, size);
    }

    fn come_back(&mut self, out: &mut Vec<u8>, size: Size) {
        if self.returns < BURST {
            self.returns += 1;
            self.draw(out, size);
        }
    }

    /// Reports whether it can be drawn.
    fn has_room(&self, size: Size) -> bool {
        let may = self.hidden == 0 && !self.is_behind && !self.lines.is_empty();
        may && self.lines.len() < size.rows && is_plain(&self.begun, size)
    }

    /// Draws it where it is not.
    fn draw(&mut self, out: &mut Vec<u8>, size: Size) {
        if self.has_room(size) {
            if !self.begun.is_empty() {
                out.extend(b"\r\n");
            }
            self.put(out, size);
        }
    }

    fn put(&mut self, out: &mut Vec<u8>, size: Size) {
        self.shown.clear();
        for (index, line) in self.lines.iter().enumerate() {
            out.extend(if index == 0 { &b"\r"[..] } else { b"\r\n" });
            // A terminal that has become narrower has no room for what was made for a wider one.
            let wide = width(line);
            if wide < size.columns {
                out.extend(line.as_bytes());
                self.shown.push(wide);
            } else {
                self.shown.push(0);
            }
            out.extend(b"\x1b[K");
        }
    }

    /// Takes it away, and leaves the cursor where the output ends.
    fn erase(&mut self, out: &mut Vec<u8>, size: Size) {
        if self.shown.is_empty() {
            return;
        }
        let mut back = rows(&self.shown, size) - 1;
        if !self.begun.is_empty() {
            back += rows(&[width(&String::from_utf8_lossy(&self.begun))], size);
        }
        up(out, back.min(size.rows.saturating_sub(1)));
        out.extend(b"\r\x1b[J");
        out.extend(&self.begun);
        self.shown.clear();
    }
}

/// Returns how many rows lines of these widths take: a terminal that became narrower has broken them.
fn rows(widths: &[usize], size: Size) -> usize {
    widths.iter().map(|width| width.div_ceil(size.columns).max(1)).sum()
}

fn up(out: &mut Vec<u8>, rows: usize) {
    if rows > 0 {
        out.extend(format!("\x1b[{rows}A").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A terminal that is high enough for everything: lines, and where the cursor is.
    struct Terminal {
        lines: Vec<Vec<char>>,
        at: (usize, usize),
    }

    impl Terminal {
        fn take(&mut self, bytes: &[u8], columns: usize) {
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            let mut rest = text.as_str();
            while let Some(letter) = rest.chars().next() {
                rest = &rest[letter.len_utf8()..];
                match letter {
                    '\r' => self.at.1 = 0,
                    '\n' => self.at = (self.at.0 + 1, 0),
                    '\x1b' => {
                        let end = rest.find(|c: char| c.is_ascii_alphabetic()).expect("an end");
                        self.steer(&rest[1..=end]);
                        rest = &rest[end + 1..];
                    }
                    letter => {
                        assert!(self.at.1 < columns, "a line is broken");
                        let column = self.at.1;
                        self.line().resize(column, ' ');
                        self.line().push(letter);
                        self.at.1 += 1;
                    }
                }
                self.line();
            }
        }

        /// Returns the line of the cursor, whose rest is empty in all that is written here.
        fn line(&mut self) -> &mut Vec<char> {
            let rows = self.lines.len().max(self.at.0 + 1);
            self.lines.resize(rows, Vec::new());
            &mut self.lines[self.at.0]
        }

        fn steer(&mut self, order: &str) {
            match order.split_at(order.len() - 1) {
                (rows, "A") => {
                    let rows: usize = rows.parse().expect("a number");
                    self.at.0 = self.at.0.checked_sub(rows).expect("not above the first line");
                }
                ("", "J") => {
                    let column = self.at.1;
                    self.line().truncate(column);
                    self.lines.truncate(self.at.0 + 1);
                }
                ("", "K") => {
                    let column = self.at.1;
                    self.line().truncate(column);
                }
                other => panic!("{other:?}"),
            }
        }

        fn text(&self) -> String {
            let lines: Vec<String> = self.lines.iter().map(|line| line.iter().collect()).collect();
            lines.join("\n")
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Print(String),
        Say(String),
        Show(usize),
        Hide,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            "[a-z ]{0,6}(\n[a-z]{0,4}){0,2}".prop_map(Step::Print),
            "\n?[A-Z]{1,6}\n".prop_map(Step::Say),
            (0..5usize).prop_map(Step::Show),
            Just(Step::Hide),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_printed_is_there_as_it_would_be_without_a_block(
            steps in proptest::collection::vec(step(), 1..40),
        ) {
            let size = Size { columns: 500, rows: 100 };
            let mut block = Block::EMPTY;
            let mut terminal = Terminal { lines: Vec::new(), at: (0, 0) };
            let (mut ended, mut begun) = (String::new(), String::new());
            for (number, step) in steps.into_iter().enumerate() {
                let mut out = Vec::new();
                match step {
                    Step::Print(text) => {
                        block.print(text.as_bytes(), &mut out, size);
                        begun.push_str(&text);
                        if let Some(at) = begun.rfind('\n') {
                            ended.extend(begun.drain(..=at));
                        }
                    }
                    Step::Say(text) => {
                        let is_fresh = begun.is_empty() && !block.shown.is_empty();
                        block.say(&text, &mut out, size);
                        ended += if is_fresh { text.trim_start() } else { &text };
                    }
                    Step::Show(count) => {
                        let lines = (0..count).map(|line| format!("#{line} of {number}"));
                        block.show(lines.collect(), &mut out, size);
                    }
                    Step::Hide => block.erase(&mut out, size),
                }
                terminal.take(&out, size.columns);
                let mut expected = format!("{ended}{begun}");
                if !block.shown.is_empty() {
                    expected += if begun.is_empty() { "" } else { "\n" };
                    expected += &block.lines.join("\n");
                }
                prop_assert_eq!(terminal.text(), expected);
            }
        }
    }

    #[test]
    fn a_terminal_that_became_narrower_has_broken_the_lines() {
        let (wide, narrow) = (Size { columns: 80, rows: 24 }, Size { columns: 20, rows: 24 });
        let mut block = Block::EMPTY;
        let mut out = Vec::new();
        block.print(b"0123456789012345678901234", &mut out, wide);
        block.show(vec!["x".repeat(50), "y".repeat(10)], &mut out, wide);
        assert_eq!(block.shown, [50, 10]);
        let mut out = Vec::new();
        block.erase(&mut out, narrow);
        // Two rows of the begun line, three and one of the block; the cursor is in the last.
        assert_eq!(out, b"\x1b[5A\r\x1b[J0123456789012345678901234");
    }

    #[test]
    fn what_prints_much_does_not_wait_for_the_block() {
        let size = Size { columns: 80, rows: 24 };
        let mut block = Block::EMPTY;
        let mut out = Vec::new();
        block.show(vec!["here".to_owned()], &mut out, size);
        for _ in 0..1000 {
            block.print(b"line\n", &mut out, size);
        }
        let drawn = String::from_utf8_lossy(&out).matches("here").count();
        assert_eq!(drawn, usize::from(BURST) + 1);
        block.show(vec!["here".to_owned()], &mut out, size);
        assert!(out.ends_with(b"here\x1b[K"), "it comes back");
    }
}
