//! What a script, or somebody outside, tells an agent while it works: a bounded queue that the conversation empties, and
//! that is closed in the same step in which the agent finds nothing in it and ends. So whoever was
//! told that a text was taken knows that it was heard, or that the agent was stopped first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// How many texts may wait.
const MOST: usize = 64;
/// The longest text, in bytes.
const LONGEST: usize = 1 << 20;

/// Who tells an agent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The script, which says it once more when its run is resumed.
    Script,
    /// A person or program beside it, who says what is new.
    Outside,
}

/// What an agent is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub source: Source,
}

/// The texts that wait for an agent.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    words: Vec<Word>,
    closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a text in. Returns `false` when the agent has ended.
    ///
    /// # Errors
    /// Usage, for a text that is empty or too long, and when too many wait.
    pub fn send(&self, text: String, source: Source) -> Result<bool> {
        if text.trim().is_empty() {
            return Err(Error::usage("the text is empty"));
        }
        if text.len() > LONGEST {
            let (long, most) = (text.len(), LONGEST);
            return Err(Error::usage(format!("the text has {long} bytes; it may have {most}"))
                .hint("write it to a file that the agent can read"));
        }
        let mut waiting = self.lock();
        if waiting.closed {
            return Ok(false);
        }
        if waiting.words.len() == MOST {
            return Err(Error::usage(format!(
                "{MOST} texts wait already: the agent hears them after its next turn"
            )));
        }
        waiting.words.push(Word { text, source });
        Ok(true)
    }

    /// Takes out what waits.
    pub(super) fn take(&self) -> Vec<Word> {
        std::mem::take(&mut self.lock().words)
    }

    /// Takes out what waits; if that is nothing, nothing can be put in any more.
    pub(super) fn take_or_close(&self) -> Vec<Word> {
        let mut waiting = self.lock();
        waiting.closed = waiting.words.is_empty();
        std::mem::take(&mut waiting.words)
    }

    /// Lets nothing be put in any more.
    pub fn close(&self) {
        self.lock().closed = true;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Source::{Outside, Script};
    use super::*;

    fn word(text: &str, source: Source) -> Word {
        Word { text: text.to_owned(), source }
    }

    #[test]
    fn what_was_taken_in_is_handed_out() {
        let inbox = Inbox::default();
        assert!(
            inbox.send("a".into(), Script).unwrap() && inbox.send("b".into(), Outside).unwrap()
        );
        assert_eq!(inbox.take_or_close(), [word("a", Script), word("b", Outside)]);
        assert!(inbox.send("c".into(), Script).unwrap(), "it was not empty: it is open");
        assert_eq!(inbox.take(), [word("c", Script)]);
        assert!(inbox.take_or_close().is_empty());
        assert!(!inbox.send("d".into(), Script).unwrap());
    }

    #[test]
    fn it_has_bounds() {
        let inbox = Inbox::default();
        assert!(inbox.send(" \n".into(), Script).is_err());
        assert!(inbox.send("x".repeat(LONGEST + 1), Script).is_err());
        for _ in 0..MOST {
            assert!(inbox.send("x".repeat(10), Script).unwrap());
        }
        assert!(inbox.send("x".into(), Script).is_err());
        assert_eq!(inbox.take().len(), MOST);
    }

    #[test]
    fn nothing_is_lost_between_the_last_look_and_the_end() {
        for _ in 0..200 {
            let inbox = Inbox::default();
            let (taken, sent) = std::thread::scope(|scope| {
                let sender = scope.spawn(|| {
                    (0..20).filter(|n| inbox.send(format!("{n}"), Script).unwrap()).count()
                });
                let mut taken = 0;
                loop {
                    let texts = inbox.take_or_close();
                    if texts.is_empty() {
                        break;
                    }
                    taken += texts.len();
                }
                (taken, sender.join().unwrap())
            });
            assert_eq!(taken, sent);
        }
    }
}
