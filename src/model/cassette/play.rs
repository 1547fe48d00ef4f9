//! Playing: a model that answers what was recorded, opens no connection and needs no key.
//!
//! What has no answer is a failure that names the call and shows how the nearest recorded question
//! differs. A question that nobody waited for the end of, because its agent was stopped, has no end here
//! either, for [`PATIENCE`]: whoever stopped the agent then is about to do so again.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::difference::{between, likeness};
use super::line::{Came, Header, Replied};
use super::mask::Mask;
use super::question::{Part, Question};
use super::tape::{Entry, Tape};
use super::{Known, WIRE};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Events, Level};
use crate::model::capability::Capabilities;
use crate::model::retry::share;
use crate::model::{Caller, Chunk, Failure, Model, Recorded, Reply, Request};

/// How long to wait for who stopped an agent.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of a difference in a failure.
const MISS_LINES: usize = 24;
/// Lines of a difference in a warning.
const WARNING_LINES: usize = 6;
/// How many recorded questions are looked at for the nearest.
const CANDIDATES: usize = 200;
/// A question that is less like the one at its place is another one.
const KINSHIP: f32 = 0.5;
/// How many calls are named whose answers nobody asked for.
const NAMED: usize = 5;

/// Plays one cassette.
pub struct Player {
    path: PathBuf,
    tape: Tape,
    mask: Mask,
    events: Events,
    /// Whether recorded results stand for running tools.
    with_results: bool,
    /// For tests: how long an answer takes at most, at random.
    delay: Option<Duration>,
    counts: Mutex<HashMap<(String, u32), u32>>,
    said: Mutex<HashSet<String>>,
}

impl Player {
    /// Loads a cassette.
    ///
    /// # Errors
    /// Usage, for a file that is not there or is none.
    pub fn load(
        path: &Path,
        with_results: bool,
        delay: Option<Duration>,
        mask: Mask,
        events: Events,
    ) -> Result<Arc<Self>> {
        let tape = Tape::load(path)?;
        let (path, counts, said) = (path.to_owned(), Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { path, tape, mask, events, with_results, delay, counts, said }))
    }

    /// Returns what it leaves out of comparisons.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Returns the first line of the file.
    pub fn header(&self) -> &Header {
        &self.tape.header
    }

    /// Returns the model that `name` stands for: any name will do.
    pub fn model(self: &Arc<Self>, name: &str) -> Arc<dyn Model> {
        let known = self.tape.model(name).cloned();
        let known = known.unwrap_or_else(|| Known { name: name.to_owned(), ..Known::default() });
        Arc::new(Playing { known, player: Arc::clone(self) })
    }

    /// Returns the model of agents that name none.
    pub fn default_model(self: &Arc<Self>) -> Option<Arc<dyn Model>> {
        self.tape.default_model.as_deref().map(|name| self.model(name))
    }

    /// Returns what is recorded of a model's price, if the model was asked.
    pub fn price(&self, model: &str) -> Option<Option<crate::model::price::Price>> {
        self.tape.model(model).map(|known| known.price)
    }

    /// Returns what the script drew at a place, to which `key` is the question.
    pub fn drawn(&self, call: &str, kind: &str, key: &str) -> Option<&Value> {
        self.tape.drawn(call, kind, key)
    }

    /// Tells which answers nobody asked for.
    pub fn finish(&self) {
        let mut unused: Vec<(&str, &str, u32)> = Vec::new();
        for entry in self.tape.entries() {
            let answer = &entry.answer;
            // What a tool asks is not asked where the tool does not run.
            let is_beneath = self.with_results && answer.call.contains('@');
            let is_answer = !matches!(answer.came, Came::Cut {});
            if entry.used.load(Ordering::Relaxed) || !is_answer || is_beneath {
                continue;
            }
            match unused.iter_mut().find(|(call, ..)| *call == answer.call) {
                Some((.., count)) => *count += 1,
                None => unused.push((&answer.call, &answer.label, 1)),
            }
        }
        let total: u32 = unused.iter().map(|(.., count)| count).sum();
        if total == 0 {
            return;
        }
        let first = unused.iter().take(NAMED);
        let mut names: Vec<String> =
            first.map(|(call, label, count)| format!("{count} of `{label}` ({call})")).collect();
        if unused.len() > NAMED {
            names.push(format!("those of {} more calls", unused.len() - NAMED));
        }
        let answers = if total == 1 { "answer" } else { "answers" };
        let text = format!(
            "the recording `{}` has {total} {answers} that nobody asked for: {}",
            self.path.display(),
            names.join(", ")
        );
        self.events.emit(Event::Message { level: Level::Info, text });
    }

    fn number(&self, request: &Request) -> u32 {
        let mut counts = locked(&self.counts);
        let count = counts.entry((request.caller.path.clone(), request.turn)).or_default();
        *count += 1;
        *count
    }

    async fn answer(&self, model: &str, request: &Request) -> Result<Reply, Failure> {
        let caller = &*request.caller;
        self.mask.meet(caller);
        let n = self.number(request);
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay.mul_f64(share())).await;
        }
        let asked = Question::of(request, &self.mask);
        let entry = self.tape.entry(&caller.path, request.turn, n);
        let next = || self.with_results.then(|| self.tape.next_entry(&caller.path, n)).flatten();
        let Some(entry) = entry.or_else(next) else {
            if self.tape.was_stopped(&caller.path) {
                return Err(Failure::fatal(self.stopped(request).await));
            }
            return Err(Failure::fatal(self.missing(&asked, request)));
        };
        let recorded = self.tape.question(entry);
        let differences = asked.differences(&recorded);
        if !differences.is_empty() {
            return Err(Failure::fatal(self.differing(&asked, entry, &differences, request)));
        }
        self.tell_results(&asked, &recorded, request);
        self.tell_model(model, &entry.answer.model, caller);
        match entry.answer.came.clone() {
            Came::Reply(reply) => Ok(self.shown(reply, caller).restored()),
            Came::Failure(failed) => Err(failed.restored(entry.again)),
            Came::Cut {} => Err(Failure::fatal(self.stopped(request).await)),
        }
    }

    /// Shows in an answer what was hidden, as it is in this run.
    fn shown(&self, mut reply: Replied, caller: &Caller) -> Replied {
        reply.text = self.mask.show(&reply.text, caller);
        for call in &mut reply.calls {
            call.input.iter_mut().for_each(|input| self.mask.show_in(input, caller));
            call.broken.iter_mut().for_each(|text| *text = self.mask.show(text, caller));
        }
        reply
    }

    /// Waits for who stopped an agent; returns what to say when nobody does.
    async fn stopped(&self, request: &Request) -> Error {
        if self.tape.is_whole {
            tokio::time::sleep(PATIENCE).await;
        }
        let path = self.path.display();
        let how = if self.tape.is_whole {
            "its agent was stopped there"
        } else {
            "the run was interrupted there"
        };
        let message =
            format!("the recording `{path}` has no answer to {}: {how}", place_of(request));
        Error::new(Kind::Model, message).hint(self.again())
    }

    fn again(&self) -> String {
        format!("record again: agentlua run --record {} SCRIPT", self.path.display())
    }

    /// Says that nothing was asked at a place.
    fn missing(&self, asked: &Question, request: &Request) -> Error {
        let path = self.path.display();
        let message = format!("the recording `{path}` has no answer to {}", place_of(request));
        let mut hint = match self.nearest(asked, request, None) {
            Some(entry) => self.account(asked, entry, &Part::ALL),
            None => String::new(),
        };
        if self.tape.header.resumed {
            hint.push_str(
                "it was recorded while a run went on, without what was answered before\n",
            );
        }
        Error::new(Kind::Model, message).hint(hint + &self.again())
    }

    /// Says that something else was asked at a place.
    fn differing(
        &self,
        asked: &Question,
        entry: &Entry,
        differences: &[Part],
        request: &Request,
    ) -> Error {
        let names: Vec<&str> = differences.iter().map(|part| part.name()).collect();
        let message = format!(
            "the recording `{}` has another question for {}: its {} {} changed",
            self.path.display(),
            place_of(request),
            names.join(" and its "),
            if names.len() > 1 || differences == [Part::Tools] { "have" } else { "has" },
        );
        let nearest = self.nearest(asked, request, Some(entry)).unwrap_or(entry);
        let hint = self.account(asked, nearest, &Part::ALL);
        Error::new(Kind::Model, message).hint(hint + &self.again())
    }

    /// Finds the recorded question that is most like one: that at its place, unless it is another.
    fn nearest<'a>(
        &'a self,
        asked: &Question,
        request: &Request,
        there: Option<&'a Entry>,
    ) -> Option<&'a Entry> {
        let text = asked.part(Part::Texts);
        let like = |entry: &Entry| likeness(&self.tape.question(entry).part(Part::Texts), &text);
        if let Some(entry) = there
            && like(entry) >= KINSHIP
        {
            return Some(entry);
        }
        let is_own = |entry: &&Entry| entry.answer.call == request.caller.path;
        let is_kin = |entry: &&Entry| entry.answer.turn == request.turn && !is_own(entry);
        let entries = self.tape.entries();
        let own = entries.iter().filter(is_own).rev();
        let candidates = there.into_iter().chain(own).chain(entries.iter().filter(is_kin));
        let rated = candidates.take(CANDIDATES).map(|entry| (like(entry), entry));
        // The first of equals: the nearer by its place.
        let best = rated.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, entry)| entry)
    }

    /// Tells how a recorded question differs from one that is asked.
    fn account(&self, asked: &Question, entry: &Entry, parts: &[Part]) -> String {
        let recorded = self.tape.question(entry);
        let answer = &entry.answer;
        let mut text = format!(
            "the nearest recorded question is turn {} of `{}` ({})",
            answer.turn, answer.label, answer.call
        );
        let mut left = MISS_LINES;
        let mut differs = false;
        for part in parts {
            let difference = between(&recorded.part(*part), &asked.part(*part), left.max(4));
            if difference.is_empty() {
                continue;
            }
            differs = true;
            left = left.saturating_sub(difference.lines().count());
            // Writing to a string cannot fail.
            let _ = write!(text, "\n--- recorded {0}\n+++ asked {0}\n{difference}", part.name());
        }
        text.push_str(if differs { "\n" } else { ", and does not differ\n" });
        text
    }

    /// Warns of results that are not what they were.
    fn tell_results(&self, asked: &Question, recorded: &Question, request: &Request) {
        for (tool, before, after) in asked.changed_results(recorded) {
            let difference = between(&before, &after, WARNING_LINES);
            let Caller { label, .. } = &*request.caller;
            let turn = request.turn - 1;
            self.events.warn(format!(
                "`{label}`, turn {turn}: {tool} does not answer as recorded\n{difference}"
            ));
        }
    }

    /// Warns once of a model that answers in another's place.
    fn tell_model(&self, asked: &str, recorded: &str, caller: &Caller) {
        if asked != recorded && locked(&self.said).insert(format!("{asked} {recorded}")) {
            self.events.warn(format!(
                "`{}` asks `{asked}`, and is answered what `{recorded}` said when it was recorded",
                caller.label
            ));
        }
    }

    async fn result(&self, caller: &Caller, id: &str) -> Recorded {
        if let Some(result) = self.tape.result(&caller.path, id) {
            let mut result = result.clone().restored();
            result.content = self.mask.show(&result.content, caller);
            return Ok(result);
        }
        // The agent was stopped while the tool ran.
        if self.tape.is_whole {
            tokio::time::sleep(PATIENCE).await;
        }
        Err(Error::new(
            Kind::Model,
            format!(
                "the recording `{}` has no result of the call `{id}` of `{}` ({})",
                self.path.display(),
                caller.label,
                caller.path
            ),
        )
        .hint(self.again()))
    }
}

/// Returns which question it is, for people.
fn place_of(request: &Request) -> String {
    let Caller { label, path, .. } = &*request.caller;
    format!("turn {} of `{label}` ({path})", request.turn)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A model whose answers are played.
struct Playing {
    known: Known,
    player: Arc<Player>,
}

impl Model for Playing {
    fn name(&self) -> &str {
        &self.known.name
    }

    fn wire(&self) -> &'static str {
        WIRE
    }

    fn capabilities(&self) -> Capabilities {
        self.known.capabilities
    }

    fn pool(&self) -> Option<&str> {
        None
    }

    fn recorded<'a>(&'a self, caller: &'a Caller, id: &'a str) -> Option<BoxFuture<'a, Recorded>> {
        self.player.with_results.then(|| self.player.result(caller, id).boxed())
    }

    fn ask<'a>(
        &'a self,
        request: &'a Request,
        chunks: &'a (dyn Fn(Chunk) + Send + Sync),
    ) -> BoxFuture<'a, Result<Reply, Failure>> {
        async move {
            let reply = self.player.answer(&self.known.name, request).await?;
            if !reply.text.is_empty() {
                chunks(Chunk::Text(reply.text.clone()));
            }
            reply.calls.iter().for_each(|call| chunks(Chunk::Call(call.name.clone())));
            Ok(reply)
        }
        .boxed()
    }
}
