//! Recording: a model that passes questions on, and writes down what they were and what came of them.
//!
//! The file grows beside its place, as `FILE.part`, a line at a time, and takes it when the run is over:
//! until then what was there stays. A line is written when its question is over, so also of a run that
//! was ended at once the part has all that was answered.

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::Serialize;
use serde_json::Value;

use super::Known;
use super::line::{Answer, Came, Header, Line, Said, VERSION, hash, is_long};
use super::mask::Mask;
use super::question::Question;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::event::Events;
use crate::model::capability::Capabilities;
use crate::model::{Chunk, Failure, Model, Reply, Request};

/// Writes one cassette.
pub struct Recorder {
    path: PathBuf,
    part: PathBuf,
    mask: Mask,
    events: Events,
    tape: Mutex<Tape>,
}

/// What is being written, and what was.
struct Tape {
    /// Gone when it is done, or cannot be.
    file: Option<File>,
    /// Why it cannot be.
    broken: Option<Error>,
    kept: HashSet<String>,
    models: HashSet<String>,
    has_default: bool,
    counts: HashMap<(String, u32), u32>,
}

impl Recorder {
    /// Begins a cassette at `path`. `created` is the time, as people read it; `resumed` tells whether
    /// the run has earlier lives.
    ///
    /// # Errors
    /// Io, when it cannot be written there; usage, when another run records there.
    pub fn begin(
        path: &Path,
        script: &str,
        created: String,
        resumed: bool,
        mask: Mask,
        events: Events,
    ) -> Result<Arc<Self>> {
        let shown = path.display();
        if path.is_dir() {
            return Err(Error::usage(format!(
                "`{shown}` is a folder, and cannot be recorded into"
            )));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let trouble = || format!("cannot record into `{shown}`");
        let mut file = opened(&part).or_kind(Kind::Io, trouble)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(Error::usage(format!("another run records into `{shown}`"))
                    .hint("record into another file, or wait until it is done"));
            }
            // A file system without locks has no way to tell.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let header =
            Header { agentlua_cassette: VERSION, created, script: script.to_owned(), resumed };
        let begun = truncated(&file).and_then(|()| write_line(&mut file, &header));
        if let Err(fault) = begun {
            let _ = remove(&part);
            return Err(fault).or_kind(Kind::Io, trouble);
        }
        let tape = Tape {
            file: Some(file),
            broken: None,
            kept: HashSet::new(),
            models: HashSet::new(),
            has_default: false,
            counts: HashMap::new(),
        };
        let path = path.to_owned();
        Ok(Arc::new(Self { path, part, mask, events, tape: Mutex::new(tape) }))
    }

    /// Returns what it leaves out.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Returns a model that asks `model` and writes down what it is asked and answers.
    pub fn listening(self: &Arc<Self>, model: Arc<dyn Model>, known: &Known) -> Arc<dyn Model> {
        let mut tape = self.tape();
        if tape.models.insert(known.name.clone()) {
            let Known { name, capabilities, price } = known.clone();
            self.write(&mut tape, &Line::Model { name, capabilities, price });
        }
        Arc::new(Listening { model, recorder: Arc::clone(self) })
    }

    /// Writes down which model agents have that name none; the first counts.
    pub fn note_default(&self, model: &str) {
        let mut tape = self.tape();
        if !std::mem::replace(&mut tape.has_default, true) {
            self.write(&mut tape, &Line::Default { model: model.to_owned() });
        }
    }

    /// Writes down what the script drew at a place, to which `key` is the question.
    pub fn note_drawn(&self, call: &str, kind: &str, key: &str, value: &Value) {
        let (call, kind, key) = (call.to_owned(), kind.to_owned(), key.to_owned());
        let line = Line::Drawn { call, kind, key, value: value.clone() };
        self.write(&mut self.tape(), &line);
    }

    /// Ends the cassette: it takes its place.
    ///
    /// # Errors
    /// Io, when not all of it could be written.
    pub fn finish(&self, interrupted: bool) -> Result<()> {
        let mut tape = self.tape();
        self.write(&mut tape, &Line::End { interrupted });
        let Some(file) = tape.file.take() else {
            return match tape.broken.clone() {
                Some(broken) => Err(broken),
                None => Ok(()),
            };
        };
        let written = file.sync_all();
        crate::crash::point("cassette-written");
        let placed = written.and_then(|()| std::fs::rename(&self.part, &self.path));
        placed.map_err(|fault| self.trouble(fault))
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self, fault: io::Error) -> Error {
        let message = format!("the recording `{}` could not be written", self.path.display());
        Error::new(Kind::Io, message)
            .because(fault)
            .hint(format!("what was recorded until then is in `{}`", self.part.display()))
    }

    /// Writes a line. What cannot be written is said once, and the recording is given up: the run goes
    /// on without.
    fn write(&self, tape: &mut Tape, line: &Line) {
        let Some(file) = &mut tape.file else { return };
        let Err(fault) = write_line(file, line) else { return };
        tape.file = None;
        let error = self.trouble(fault);
        self.events.warn(format!("{error}; it is given up"));
        tape.broken = Some(error);
    }

    /// Writes a value that others name, unless it is there, and returns its hash.
    fn keep(&self, tape: &mut Tape, value: &Value) -> String {
        let hash = hash(value);
        if tape.kept.insert(hash.clone()) {
            let line = Line::Kept { hash: hash.clone(), value: value.clone() };
            self.write(tape, &line);
        }
        hash
    }

    /// Takes note of a question that is about to be asked.
    fn asked<'a>(&'a self, model: &'a str, request: &'a Request) -> Asked<'a> {
        self.mask.meet(&request.caller);
        let mut tape = self.tape();
        let key = (request.caller.path.clone(), request.turn);
        let count = tape.counts.entry(key).or_default();
        *count += 1;
        let n = *count;
        Asked { recorder: self, model, request, n, came: Came::Cut {} }
    }

    fn answered(&self, asked: &Asked<'_>, came: Came) {
        let Asked { request, n, model, .. } = asked;
        let caller = &request.caller;
        let question = Question::of(request, &self.mask);
        let hidden = |text: &str| self.mask.hide(text, caller).into_owned();
        let mut tape = self.tape();
        let system = self.keep(&mut tape, &question.system);
        let tools = self.keep(&mut tape, &question.tools);
        let mut texts = Vec::with_capacity(question.texts.len());
        for text in question.texts {
            texts.push(if is_long(&text) {
                Said::Kept { kept: self.keep(&mut tape, &Value::String(text)) }
            } else {
                Said::Text(text)
            });
        }
        let answer = Answer {
            call: caller.path.clone(),
            label: hidden(&caller.label),
            turn: request.turn,
            n: *n,
            model: (*model).to_owned(),
            system,
            tools,
            results: question.results,
            texts,
            came,
        };
        self.write(&mut tape, &Line::Answer(Box::new(answer)));
    }

    /// Hides what is to be hidden in what came of a question.
    fn hidden(&self, came: Came, request: &Request) -> Came {
        let caller = &request.caller;
        let hide = |text: &mut String| *text = self.mask.hide(text, caller).into_owned();
        match came {
            Came::Reply(mut reply) => {
                hide(&mut reply.text);
                for call in &mut reply.calls {
                    call.input.iter_mut().for_each(|input| self.mask.hide_in(input, caller));
                    call.broken.iter_mut().for_each(hide);
                }
                Came::Reply(reply)
            }
            Came::Failure(mut failed) => {
                hide(&mut failed.message);
                failed.hint.iter_mut().for_each(hide);
                failed.details.values_mut().for_each(|value| self.mask.hide_in(value, caller));
                Came::Failure(failed)
            }
            Came::Cut {} => Came::Cut {},
        }
    }
}

impl Drop for Recorder {
    /// A run that did not come to its end, because its script could not even begin, leaves no part.
    fn drop(&mut self) {
        let tape = self.tape.get_mut().unwrap_or_else(PoisonError::into_inner);
        if tape.file.take().is_some() && tape.counts.is_empty() {
            let _ = remove(&self.part);
        }
    }
}

/// A question under way; written down when it is dropped.
struct Asked<'a> {
    recorder: &'a Recorder,
    model: &'a str,
    request: &'a Request,
    n: u32,
    came: Came,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let came = std::mem::replace(&mut self.came, Came::Cut {});
        let came = self.recorder.hidden(came, self.request);
        self.recorder.answered(self, came);
    }
}

/// A model that is listened to.
struct Listening {
    model: Arc<dyn Model>,
    recorder: Arc<Recorder>,
}

impl Model for Listening {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn wire(&self) -> &'static str {
        self.model.wire()
    }

    fn capabilities(&self) -> Capabilities {
        self.model.capabilities()
    }

    fn pool(&self) -> Option<&str> {
        self.model.pool()
    }

    fn caches_prefixes(&self) -> bool {
        self.model.caches_prefixes()
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        async move {
            let mut asked = self.recorder.asked(self.model.name(), request);
            let answer = self.model.ask(request, chunks).await;
            asked.came = match &answer {
                Ok(reply) => Came::Reply(reply.into()),
                Err(failure) => Came::Failure(failure.into()),
            };
            answer
        }
        .boxed()
    }
}

/// Opens a part for writing, made if need be. A link is followed to a device, and to nothing else: what
/// somebody put in the way must not cost another file.
fn opened(part: &Path) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file =
        File::options().create(true).write(true).truncate(false).custom_flags(no_follow).open(part);
    if !file.as_ref().is_err_and(|fault| fault.raw_os_error() == Some(Errno::LOOP.raw_os_error())) {
        return file;
    }
    let link = || io::Error::other(format!("`{}` is a link", part.display()));
    if part.metadata().map_or(true, |target| !target.file_type().is_char_device()) {
        return Err(link());
    }
    // It may lead somewhere else by now; nothing is made or emptied by opening it.
    let file = File::options().write(true).open(part)?;
    if file.metadata()?.file_type().is_char_device() { Ok(file) } else { Err(link()) }
}

/// Empties what an earlier run left; what is no file (`/dev/full`) is as it is.
fn truncated(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

fn write_line(file: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    file.write_all(text.as_bytes())
}

/// Removes a part, unless it is something that was there before, such as a link to a device.
fn remove(part: &Path) -> io::Result<()> {
    if part.symlink_metadata()?.is_file() { std::fs::remove_file(part) } else { Ok(()) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::scripted::{Failing, request};

    fn begin(path: &Path) -> Result<Arc<Recorder>> {
        let events = Events::new(Vec::new());
        Recorder::begin(path, "main.lua", "2026-11-22".to_owned(), false, Mask::default(), events)
    }

    async fn ask(recorder: &Arc<Recorder>) {
        let known = Known { name: "echo".to_owned(), ..Known::default() };
        let model = recorder.listening(Arc::new(Failing::default()), &known);
        assert!(model.ask(&request("hi"), &|_| {}).await.is_ok());
    }

    #[tokio::test]
    async fn a_disk_that_fills_up_costs_the_recording_and_not_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "before").unwrap();
        let recorder = begin(&path).unwrap();
        ask(&recorder).await;
        let full = File::options().write(true).open("/dev/full").unwrap();
        recorder.tape().file = Some(full);
        ask(&recorder).await;
        ask(&recorder).await;
        let error = recorder.finish(false).unwrap_err();
        assert!(error.to_string().contains("no space left"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
    }

    #[tokio::test]
    async fn one_run_records_into_a_file_and_none_that_asked_nothing_leaves_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let part = folder.path().join("x.jsonl.part");
        let recorder = begin(&path).unwrap();
        let second = begin(&path).err().unwrap();
        assert!(second.message.contains("another run records"), "{second}");
        drop(recorder);
        assert!(!part.exists());
        // What a run that was killed left is in nobody's way.
        std::fs::write(&part, "{}\n".repeat(1000)).unwrap();
        let recorder = begin(&path).unwrap();
        ask(&recorder).await;
        recorder.finish(false).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 6, "header, model, system, tools, answer, end: {text}");
        assert!(!part.exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_part_costs_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let part = folder.path().join("x.jsonl.part");
        let target = folder.path().join("precious");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &part).unwrap();
        let error = begin(&path).err().unwrap();
        assert!(error.to_string().contains("is a link"), "{error}");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        std::fs::remove_file(&target).unwrap();
        assert!(begin(&path).is_err());
        assert!(!target.exists(), "nothing is made at the end of a link");
        std::fs::remove_file(&part).unwrap();
        std::os::unix::fs::symlink("/dev/null", &part).unwrap();
        assert!(begin(&path).is_ok());
    }
}
