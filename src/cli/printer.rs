//! Text of the REPL: above the line that somebody types, or plainly when nobody does.
//!
//! rustyline takes one text at a time and only while it reads a line. A thread of its own hands texts
//! over, so that Lua never waits for the terminal while the terminal waits for Lua.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use rustyline::ExternalPrinter;

use super::terminal::{Stdout, say};
use crate::error::{Kind, Result, ResultExt};

/// Texts that may wait; a script that prints more has to wait itself.
const QUEUE: usize = 1024;
/// How long a text waits for its turn before it goes out as it is.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the next prompt waits for what was printed before.
const FLUSH: Duration = Duration::from_millis(200);

enum Order {
    Print(String),
    Say(String),
    EndLine,
    Above(Box<dyn ExternalPrinter + Send>),
    Flush(SyncSender<()>),
}

/// Where the REPL's text goes.
#[derive(Clone)]
pub struct Printer {
    orders: SyncSender<Order>,
    stdout: Stdout,
}

impl Printer {
    /// Starts the thread. Until [`Printer::print_above`] text goes to standard output and error.
    ///
    /// # Errors
    /// Io, when there can be no thread.
    pub fn start() -> Result<Self> {
        let (orders, incoming) = sync_channel(QUEUE);
        let stdout = Stdout::default();
        std::thread::Builder::new()
            .name("printer".to_owned())
            .spawn({
                let stdout = stdout.clone();
                move || serve(&incoming, &stdout)
            })
            .or_kind(Kind::Io, || "cannot start the printing thread")?;
        Ok(Self { orders, stdout })
    }

    /// Prints what the script prints.
    pub fn print(&self, text: &str) {
        self.send(Order::Print(text.to_owned()));
    }

    /// Prints what is said about it: progress, warnings, errors.
    pub fn say(&self, text: &str) {
        self.send(Order::Say(text.to_owned()));
    }

    /// Makes the prompt start on a line of its own.
    pub fn end_line(&self) {
        self.send(Order::EndLine);
    }

    /// Leaves the line that something else has begun, unless much is printed just now: then nobody sees it.
    pub fn leave_line(&self) {
        let _ = self.orders.try_send(Order::Say("\n".to_owned()));
    }

    /// Prints above the line that is being typed from now on.
    pub fn print_above(&self, above: impl ExternalPrinter + Send + 'static) {
        self.send(Order::Above(Box::new(above)));
    }

    /// Waits, not for ever, until everything is out.
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        self.send(Order::Flush(done));
        let _ = wait.recv_timeout(FLUSH);
    }

    /// Reports whether what was printed found nobody who reads it.
    pub fn is_closed(&self) -> bool {
        self.stdout.is_closed()
    }

    fn send(&self, mut order: Order) {
        let limit = Instant::now() + PATIENCE;
        while let Err(TrySendError::Full(back)) = self.orders.try_send(order) {
            order = back;
            if Instant::now() > limit {
                let (Order::Print(text) | Order::Say(text)) = order else { return };
                return say(&text);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn serve(incoming: &Receiver<Order>, stdout: &Stdout) {
    let mut above: Option<Box<dyn ExternalPrinter + Send>> = None;
    let mut in_line = false;
    for order in incoming {
        let (text, is_output) = match order {
            Order::Print(text) => (text, true),
            Order::Say(text) => (text, false),
            Order::EndLine if in_line => ("\n".to_owned(), true),
            Order::EndLine => continue,
            Order::Above(printer) => {
                above = Some(printer);
                continue;
            }
            Order::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        in_line = !text.ends_with('\n');
        match &mut above {
            Some(above) => {
                let _ = above.print(text);
            }
            None if is_output => {
                stdout.write(text.as_bytes());
            }
            None => say(&text),
        }
    }
}
