//! What standard output holds: what the script prints, or JSON for programs.
//!
//! With `json` and `stream-json` nothing else comes there: the descriptor itself is put aside, and what
//! the script prints goes to standard error instead, whoever prints it. Then standard output ends with
//! one object, of the type `run`, however the run ends: in order, by an error, by a mistake before
//! anything began, by a signal, even by a second one as far as the reader is quick enough.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value};

use super::diagnostic::capped;
use super::stream::Stream;
use super::terminal::{Stdout, keep_stdout, put_stdout, say};
use crate::agent::tally::Ended;
use crate::config::Format;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::{Event, Posted, Reporter, Usage};
use crate::host::Host;
use crate::vm::trail::Item;
use crate::vm::{Stopper, Uncaught, traceback};

/// How many bytes of a message, of a cause and of an item's error are in the last line.
const LONGEST: usize = 64 << 10;
/// How long the last line may take when the process ends at once.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Standard output of a run; cheap to clone.
#[derive(Clone)]
pub struct Output(Arc<Inner>);

struct Inner {
    began: Instant,
    now: Mutex<Now>,
    host: OnceLock<Weak<Host>>,
    stopper: OnceLock<Stopper>,
    /// What stands before the last line in text, for whoever runs a script as a test.
    mark: OnceLock<String>,
    /// The run's first event, for a script that asks for a stream only then.
    first: OnceLock<Arc<Value>>,
    /// Whether the last line is written, or being written.
    ended: AtomicBool,
}

#[derive(Default)]
struct Now {
    format: Format,
    /// Whether it is kept for the plan of a dry run, also as text.
    reserved: bool,
    /// Standard output as it was found, and its stream; from the first time on that it is for programs.
    aside: Option<(File, Stream)>,
}

/// How a run ended.
#[derive(Default)]
pub struct End {
    /// The exit code.
    pub code: i32,
    /// What the script returned.
    pub result: Value,
    /// What ended it.
    pub error: Option<Fault>,
    /// Whether a signal did.
    pub interrupted: bool,
    /// What a dry run has planned.
    pub plan: Option<Value>,
}

impl End {
    /// Returns the word for it, of the last line and of the journal. `degraded` tells whether agents have
    /// failed.
    pub fn status(&self, degraded: bool) -> &'static str {
        match self {
            Self { interrupted: true, .. } => "interrupted",
            Self { error: Some(_), .. } => "failed",
            _ if degraded => "degraded",
            Self { code: 0, .. } => "completed",
            _ => "failed",
        }
    }
}

/// What ended a run, as programs read it.
#[derive(Clone, Serialize)]
pub struct Fault {
    /// Nothing for a value that the script itself raised.
    kind: Option<Kind>,
    /// With its causes; cut where it is longer than [`LONGEST`].
    message: String,
    hint: Option<String>,
    at: Option<String>,
    /// The script's calls on the way, innermost first.
    frames: Vec<Frame>,
    /// The items of fan-outs on the way, innermost first.
    items: Vec<Item>,
    /// What it was because of, nearest first.
    causes: Vec<String>,
    /// What scripts read of it by name: `outcome`, `merge`, `errors`.
    #[serde(flatten)]
    details: Map<String, Value>,
}

/// A call of the script.
#[derive(Clone, Serialize)]
struct Frame {
    function: String,
    at: Option<String>,
}

impl From<&String> for Frame {
    fn from(frame: &String) -> Self {
        let function = frame.split(" (").next().unwrap_or_default().to_owned();
        Self { function, at: traceback::position(frame) }
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        let cut = |text: &str| capped(text, LONGEST).into_owned();
        let mut details: Map<String, Value> =
            error.details().map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(Value::Array(errors)) = details.get_mut("errors") {
            for message in errors.iter_mut().filter_map(|part| part.get_mut("message")) {
                *message = message.as_str().map(cut).into();
            }
        }
        Self {
            kind: Some(error.kind),
            message: cut(&error.to_string()),
            hint: error.hint.clone(),
            at: error.at.clone(),
            frames: Vec::new(),
            items: Vec::new(),
            causes: error.causes().iter().map(|cause| cut(cause)).collect(),
            details,
        }
    }
}

impl From<&Uncaught> for Fault {
    fn from(uncaught: &Uncaught) -> Self {
        let fault = Self::from(&uncaught.error);
        Self {
            kind: fault.kind.filter(|_| !uncaught.raw),
            frames: uncaught.frames.iter().map(Frame::from).collect(),
            items: uncaught.items.clone(),
            ..fault
        }
    }
}

/// The last line.
#[derive(Serialize)]
struct Last<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    run: Option<&'a str>,
    status: &'static str,
    exit_code: i32,
    result: &'a Value,
    error: Option<&'a Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Value>,
    agents: Vec<Value>,
    total_cost_usd: Option<f64>,
    usage: Usage,
    duration_ms: u64,
}

impl Output {
    /// Makes that of a run which begins now: text, until something else is said.
    pub fn begin() -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            now: Mutex::default(),
            host: OnceLock::new(),
            stopper: OnceLock::new(),
            mark: OnceLock::new(),
            first: OnceLock::new(),
            ended: AtomicBool::new(false),
        }))
    }

    /// Holds what `format` says from now on.
    ///
    /// # Errors
    /// Io, when standard output cannot be put aside.
    pub fn choose(&self, format: Format) -> Result<()> {
        let mut now = self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        let is_text = format == Format::Text;
        if !now.reserved && is_text != (now.format == Format::Text) {
            if let (None, false) = (&now.aside, is_text) {
                now.aside = Some(self.put_aside()?);
            } else if let Some((file, _)) = &now.aside {
                let moved = if is_text {
                    put_stdout(file.as_fd())
                } else {
                    put_stdout(std::io::stderr().as_fd())
                };
                moved.or_kind(Kind::Io, || "standard output cannot be moved")?;
            }
        }
        let streams = format == Format::StreamJson && now.format != format;
        now.format = format;
        if let (true, Some(first), Some((_, stream))) = (streams, self.0.first.get(), &now.aside) {
            stream.push(first.to_string().into_bytes());
        }
        Ok(())
    }

    /// Keeps standard output for a plan: what the script prints goes to standard error, also as text.
    ///
    /// # Errors
    /// Io, when standard output cannot be put aside.
    pub fn reserve(&self) -> Result<()> {
        let mut now = self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.aside.is_none() {
            now.aside = Some(self.put_aside()?);
        }
        now.reserved = true;
        Ok(())
    }

    /// Writes a plan as text where it was kept for one.
    pub fn tell(&self, plan: &str) {
        if let (Format::Text, Some(stream)) = (self.follow(), self.stream()) {
            stream.push(plan.trim_end().as_bytes().to_vec());
            stream.flush(None);
        }
    }

    fn put_aside(&self) -> Result<(File, Stream)> {
        let broken = || "standard output cannot be put aside";
        let file = keep_stdout().or_kind(Kind::Io, broken)?;
        let inner = Arc::downgrade(&self.0);
        let on_broken = move || {
            if let Some(stopper) = inner.upgrade().as_ref().and_then(|inner| inner.stopper.get()) {
                stopper.stop(Error::new(Kind::Cancelled, "standard output was closed"));
            }
        };
        let stream = Stream::start(file.try_clone().or_kind(Kind::Io, broken)?, on_broken)?;
        put_stdout(std::io::stderr().as_fd()).or_kind(Kind::Io, broken)?;
        Ok((file, stream))
    }

    /// Ends text, too, with the last line, behind `mark`.
    pub fn end_with(&self, mark: String) {
        let _ = self.0.mark.set(mark);
    }

    /// Follows the settings of `host`, and tells `stopper` when nobody reads any more.
    pub fn serve(&self, host: &Arc<Host>, stopper: &Stopper) {
        let _ = self.0.host.set(Arc::downgrade(host));
        let _ = self.0.stopper.set(stopper.clone());
    }

    /// Reports whether standard output is the script's, by the settings as they are now.
    pub fn is_text(&self) -> bool {
        let is_text = self.follow() == Format::Text;
        is_text && !self.0.now.lock().unwrap_or_else(PoisonError::into_inner).reserved
    }

    /// Reports whether the last line is written: what the script returned is in it.
    pub fn has_last_line(&self) -> bool {
        self.0.mark.get().is_some() || !self.is_text()
    }

    /// Reports whether a program was to read and is gone.
    pub fn is_broken(&self) -> bool {
        self.stream().is_some_and(|stream| stream.is_broken())
    }

    /// Lets nobody wait for the reader for long from now on.
    pub fn hurry(&self) {
        if let Some(stream) = self.stream() {
            stream.hurry();
        }
    }

    /// Writes the last line, unless it is written or the format has none, and waits until it is out.
    pub fn finish(&self, end: &End) {
        if self.follow() != Format::Text {
            if self.write_last(end) {
                self.flush(None);
            }
        } else if let Some(mark) = self.0.mark.get()
            && let Some(line) = self.last_line(end)
        {
            Stdout::default().write_aside(&[mark.as_bytes(), &line, b"\n"].concat());
        }
    }

    /// Writes an object in place of the last line: of a run that goes on elsewhere.
    pub fn announce(&self, object: &Value) {
        if let (Some(stream), false) = (self.stream(), self.0.ended.swap(true, Ordering::Relaxed)) {
            stream.push_last(object.to_string().into_bytes());
            stream.flush(None);
        }
    }

    /// Writes the last line of a process that ends at once.
    pub fn last_words(&self, code: i32) {
        self.hurry();
        let end = End { code, interrupted: true, ..End::default() };
        if self.format() != Format::Text && self.write_last(&end) {
            self.flush(Some(LAST_WORDS));
        }
    }

    fn format(&self) -> Format {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner).format
    }

    fn stream(&self) -> Option<Stream> {
        let now = self.0.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.aside.as_ref().map(|(_, stream)| stream.clone())
    }

    fn flush(&self, limit: Option<Duration>) {
        if let Some(stream) = self.stream() {
            stream.flush(limit);
        }
    }

    /// Takes over what `agent.config` has said meanwhile.
    fn follow(&self) -> Format {
        let host = self.0.host.get().and_then(Weak::upgrade);
        let wanted = host.map_or_else(|| self.format(), |host| host.config().output_format);
        if wanted != self.format()
            && let Err(error) = self.choose(wanted)
        {
            say(&format!("warning: {error}\n"));
        }
        self.format()
    }

    fn write_last(&self, end: &End) -> bool {
        let line = self.last_line(end);
        if let (Some(stream), Some(line)) = (self.stream(), &line) {
            stream.push_last(line.clone());
        }
        line.is_some()
    }

    /// Returns the last line, if it is not written yet.
    fn last_line(&self, end: &End) -> Option<Vec<u8>> {
        if self.0.ended.swap(true, Ordering::Relaxed) {
            return None;
        }
        let host = self.0.host.get().and_then(Weak::upgrade);
        let tally = host.as_ref().map(|host| host.fleet().tally()).unwrap_or_default();
        let degraded = host.as_ref().is_some_and(|host| host.has_failures());
        let last = Last {
            kind: "run",
            run: host.as_ref().map(|host| host.fleet().run_id()),
            status: end.status(degraded),
            exit_code: end.code,
            result: &end.result,
            error: end.error.as_ref(),
            plan: end.plan.as_ref(),
            // Of the run's purse: an agent's cost has that of the agents in it which its callbacks asked.
            total_cost_usd: tally.total_cost_usd,
            usage: tally.usage,
            agents: tally.ended.iter().map(agent).collect(),
            duration_ms: u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        serde_json::to_vec(&last).ok()
    }
}

impl Reporter for Output {
    fn report(&self, event: &Posted) {
        if let Event::RunStarted { .. } = &**event
            && let Some(object) = event.object()
        {
            let _ = self.0.first.set(Arc::clone(object));
        }
        let before = self.format();
        let streams = self.follow() == Format::StreamJson;
        // What made it a stream has written the first event.
        let is_first = before != Format::StreamJson && matches!(**event, Event::RunStarted { .. });
        if let (true, false, Some(stream)) = (streams, is_first, self.stream())
            && let Some(object) = event.object()
        {
            stream.push(object.to_string().into_bytes());
        }
    }

    fn caught_up(&self) -> BoxFuture<'_, ()> {
        async move {
            if let Some(stream) = self.stream() {
                stream.caught_up().await;
            }
        }
        .boxed()
    }
}

/// Returns an agent's outcome with the reason of its failure.
fn agent(ended: &Ended) -> Value {
    let mut outcome = (*ended.outcome).clone();
    if let Value::Object(fields) = &mut outcome {
        fields.insert("error".to_owned(), ended.message.clone().into());
        if ended.excused {
            fields.insert("excused".to_owned(), true.into());
        }
    }
    outcome
}

/// Writes the last line of a run that did not begin, because its command line cannot be understood.
/// `typed` is that command line; what it says of the format is searched for.
pub fn refuse(typed: &[OsString], variable: Option<&str>, error: &Error) {
    let words: Vec<_> = typed.iter().map(|word| word.to_string_lossy()).collect();
    let flag = words.iter().enumerate().find_map(|(index, word)| {
        let value = word.strip_prefix("--output-format")?;
        let next = words.get(index + 1).map(|next| &**next);
        value.strip_prefix('=').or(next.filter(|_| value.is_empty()))
    });
    let output = Output::begin();
    if let Some(format) = flag.or(variable).and_then(Format::parse)
        && output.choose(format).is_ok()
    {
        let code = error.kind.exit_code();
        output.finish(&End { code, error: Some(error.into()), ..End::default() });
    }
}
