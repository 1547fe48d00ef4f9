//! Lines for programs on standard output, written by a thread of their own: whole, one after the other,
//! each in one write.
//!
//! A reader that is slow holds agents up between two turns, and Lua where it logs in a loop; nobody
//! else waits for it, signals least of all. After a signal nothing does for more than [`HURRY`]. A reader
//! that is gone is noted, and whoever asked for that is told.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Notify;

use crate::error::{Kind, Result, ResultExt};

/// Agents wait when more bytes than these are to be written.
const HIGH: usize = 1 << 20;
/// Lua waits when it are these.
const FULL: usize = 16 << 20;
/// How long a reader is waited for once a signal has come.
const HURRY: Duration = Duration::from_secs(2);

/// A queue of lines and the thread that writes them.
#[derive(Clone)]
pub struct Stream(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    /// Something about the state has changed.
    changed: Condvar,
    /// As `changed`, for agents.
    room: Notify,
    on_broken: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// How many bytes are to be written, those that are being written included.
    bytes: usize,
    /// The last line is among them, or was.
    ended: bool,
    /// Nobody reads any more.
    broken: bool,
    /// Since when nobody has time to wait.
    hurried: Option<Instant>,
}

impl Stream {
    /// Starts the thread. `on_broken` is called once when nobody reads any more.
    ///
    /// # Errors
    /// Io, when there can be no thread.
    pub fn start(file: File, on_broken: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        let stream = Self(Arc::new(Queue {
            state: Mutex::default(),
            changed: Condvar::new(),
            room: Notify::new(),
            on_broken: Box::new(on_broken),
        }));
        let queue = Arc::clone(&stream.0);
        std::thread::Builder::new()
            .name("stdout".to_owned())
            .spawn(move || queue.write(file))
            .or_kind(Kind::Io, || "cannot start the thread that writes")?;
        Ok(stream)
    }

    /// Adds a line, without its end. Waits for room on the Lua thread alone: agents wait by
    /// [`Stream::caught_up`].
    pub fn push(&self, line: Vec<u8>) {
        let beside = Handle::try_current()
            .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        let mut state = self.0.state();
        while !beside && state.bytes > FULL && !state.broken && state.hurried.is_none() {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.add(&mut state, line);
    }

    /// Adds the last line: none is taken after it.
    pub fn push_last(&self, line: Vec<u8>) {
        let mut state = self.0.state();
        self.add(&mut state, line);
        state.ended = true;
    }

    fn add(&self, state: &mut State, mut line: Vec<u8>) {
        if !state.broken && !state.ended {
            line.push(b'\n');
            state.bytes += line.len();
            state.lines.push_back(line);
            self.0.changed.notify_all();
        }
    }

    /// Waits until not much is left to be written.
    pub async fn caught_up(&self) {
        loop {
            let room = self.0.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            {
                let state = self.0.state();
                if state.bytes <= HIGH || state.broken || state.hurried.is_some() {
                    return;
                }
            }
            room.await;
        }
    }

    /// Lets nobody wait for long from now on.
    pub fn hurry(&self) {
        self.0.state().hurried.get_or_insert_with(Instant::now);
        self.0.tell();
    }

    /// Waits until everything is written, or nobody reads, or there is no time; returns whether it
    /// is written. `limit` holds beside that.
    pub fn flush(&self, limit: Option<Duration>) -> bool {
        let began = Instant::now();
        let mut state = self.0.state();
        while state.bytes > 0 && !state.broken {
            let since = state.hurried.map(|since| HURRY.saturating_sub(since.elapsed()));
            let own = limit.map(|limit| limit.saturating_sub(began.elapsed()));
            let left = since.into_iter().chain(own).min();
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            let left = left.unwrap_or(HURRY);
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.broken
    }

    /// Reports whether nobody reads any more.
    pub fn is_broken(&self) -> bool {
        self.0.state().broken
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.notify_all();
        self.room.notify_waiters();
    }

    fn write(&self, mut file: File) {
        loop {
            let mut state = self.state();
            let line = loop {
                match state.lines.pop_front() {
                    Some(line) => break line,
                    None => {
                        state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            };
            drop(state);
            let written = file.write_all(&line);
            let mut state = self.state();
            state.bytes -= line.len();
            if written.is_err() {
                state.broken = true;
                state.lines.clear();
                state.bytes = 0;
            }
            let broken = state.broken;
            drop(state);
            self.tell();
            if broken {
                (self.on_broken)();
                return;
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn pipe() -> (std::io::PipeReader, File) {
        let (reader, writer) = std::io::pipe().unwrap();
        (reader, File::from(std::os::fd::OwnedFd::from(writer)))
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (mut reader, file) = pipe();
        let stream = Stream::start(file, || {}).unwrap();
        for number in 0..1000 {
            stream.push(number.to_string().into_bytes());
        }
        let mut read = vec![0; 3890];
        reader.read_exact(&mut read).unwrap();
        let read = String::from_utf8(read).unwrap();
        assert!(read.lines().eq((0..1000).map(|number| number.to_string())), "{read}");
        assert!(stream.flush(None));
        stream.push_last(b"last".to_vec());
        stream.push(b"more".to_vec());
        assert!(stream.flush(None));
        drop(stream);
        let mut read = [0; 6];
        assert_eq!(reader.read(&mut read).unwrap(), 5, "nothing comes after the last line");
    }

    #[test]
    fn a_reader_that_takes_nothing_is_not_waited_for_after_a_signal() {
        let (_reader, file) = pipe();
        let stream = Stream::start(file, || {}).unwrap();
        stream.push(vec![b'x'; FULL + 1]);
        assert!(!stream.flush(Some(Duration::from_millis(1))));
        let pushed = {
            let stream = stream.clone();
            std::thread::spawn(move || stream.push(vec![]))
        };
        stream.hurry();
        pushed.join().unwrap();
        assert!(!stream.flush(None));
    }

    #[test]
    fn a_reader_that_is_gone_is_told_once() {
        let (reader, file) = pipe();
        drop(reader);
        let told = Arc::new(AtomicU32::new(0));
        let stream = {
            let told = Arc::clone(&told);
            Stream::start(file, move || _ = told.fetch_add(1, Ordering::Relaxed)).unwrap()
        };
        stream.push(b"x".to_vec());
        assert!(!stream.flush(None));
        stream.push(b"y".to_vec());
        assert!(stream.is_broken());
        while told.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
