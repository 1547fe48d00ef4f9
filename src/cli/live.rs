//! The fleet at work, live on a terminal: a line for each agent below what the run has told for good.
//!
//! What ended, was denied or warned of scrolls up as the plain lines that everybody else gets; what is on
//! its way stands in the block ([`super::screen`]) and changes in its place. It knows only events.

mod fleet;
mod frame;
mod stopping;

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fleet::Fleet;

use super::progress::Plain;
use super::screen;
use super::terminal::{Styles, say, stderr_size, styles};
use crate::error::{Kind, Result, ResultExt};
use crate::event::{Event, Posted, Reporter};

/// How often the block is made anew at most.
const BEAT: Duration = Duration::from_millis(100);
/// How many beats may go by in which nothing happened: times are shown in seconds.
const IDLE_BEATS: u32 = 10;

/// The display of a run; it ends when this is dropped.
pub struct Display {
    stop: Option<SyncSender<()>>,
    beating: Option<JoinHandle<()>>,
}

/// Who listens for it.
pub struct Live {
    plain: Plain,
    stage: Arc<Stage>,
}

struct Stage {
    fleet: Mutex<Fleet>,
    style: Styles,
}

impl Display {
    /// Begins to show what happens in a run. Must be called within the runtime that awaits signals.
    ///
    /// # Errors
    /// Io, when there can be no thread or no signal can be awaited.
    pub fn begin(debug: bool) -> Result<(Self, Live)> {
        let stage =
            Arc::new(Stage { fleet: Mutex::new(Fleet::new(Instant::now())), style: styles() });
        stopping::watch().or_kind(Kind::Io, || "cannot await signals")?;
        hide_from_panics();
        let (stop, stopped) = sync_channel(0);
        let beating = std::thread::Builder::new().name("display".to_owned()).spawn({
            let stage = Arc::clone(&stage);
            move || {
                let mut idle = 0;
                while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                    idle += 1;
                    if stage.fleet().take_changed() || idle >= IDLE_BEATS {
                        idle = 0;
                        screen::show(stage.lines());
                    } else {
                        screen::beat();
                    }
                }
            }
        });
        let beating = beating.or_kind(Kind::Io, || "cannot start the display's thread")?;
        screen::begin();
        let live = Live { plain: Plain::new(false, debug, Box::new(say)), stage };
        Ok((Self { stop: Some(stop), beating: Some(beating) }, live))
    }

    /// Takes it away. What is printed from now on stands where it was.
    pub fn end(&mut self) {
        self.stop = None;
        if let Some(beating) = self.beating.take() {
            // It can only have panicked, and then the hook has told of it.
            let _ = beating.join();
        }
        screen::end();
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.end();
    }
}

impl Stage {
    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> Vec<String> {
        let size = stderr_size();
        let view = self.fleet().view(Instant::now(), frame::capacity(size));
        frame::lines(&view, size, &self.style)
    }
}

impl Reporter for Live {
    fn report(&self, event: &Posted) {
        self.stage.fleet().note(event, Instant::now());
        if is_in_block(event) {
            return;
        }
        if let Some(line) = self.plain.line(event) {
            screen::say(&format!("{line}\n"), Some(self.stage.lines()));
        }
    }
}

/// Reports whether the line of its agent tells of an event.
fn is_in_block(event: &Event) -> bool {
    matches!(
        event,
        Event::AgentStarted { .. }
            | Event::TurnFinished { .. }
            | Event::RetryScheduled { .. }
            | Event::Compacted { .. }
            | Event::Verified { .. }
    )
}

/// Lets the message of a panic stand alone.
fn hide_from_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _hidden = screen::Hidden::now();
            before(panic);
        }));
    });
}
