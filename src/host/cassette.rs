//! The cassette of a run: where its agents' models are recorded, or played from.
//!
//! It is one or the other, and settled before the first agent asks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::steps::Place;
use super::{Host, locked, repository_around};
use crate::agent::prompt;
use crate::agent::query::Query;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Level};
use crate::model::Model;
use crate::model::cassette::{Known, Mask, Places, Player, Recorder, require_room};
use crate::model::price::Price;

/// For tests: how many milliseconds a played answer takes at most, at random.
const DELAY: &str = "AGENTLUA_REPLAY_DELAY_MS";

/// What a run does with what its models say.
#[derive(Clone, Default)]
pub(super) enum Deck {
    /// Nothing.
    #[default]
    Empty,
    /// It is recorded.
    Recording(Arc<Recorder>),
    /// It was recorded.
    Playing(Arc<Player>),
}

/// The cassette as it is in.
#[derive(Default)]
pub(super) struct Loaded {
    deck: Mutex<Inserted>,
    /// Whether somebody was asked with it, or without one.
    in_use: AtomicBool,
    /// Whether a recording was lost.
    lost: AtomicBool,
}

/// A cassette, and by which settings.
#[derive(Default)]
struct Inserted {
    deck: Deck,
    choice: Choice,
}

/// What settings say of it: the file to record into, the file to play, whether with the results of tools.
type Choice = (Option<PathBuf>, Option<PathBuf>, bool);

impl Host {
    /// Begins to record, or to play, what the settings name.
    ///
    /// # Errors
    /// Usage, for a file that is no cassette, or too late: when an agent has been asked; io, for one
    /// that cannot be written.
    pub fn load_cassette(&self) -> Result<()> {
        let config = self.config();
        let choice: Choice = (config.record.clone(), config.replay.clone(), config.replay_tools);
        let mut inserted = locked(&self.cassette.deck);
        if inserted.choice == choice {
            return Ok(());
        }
        if self.cassette.in_use.load(Ordering::Relaxed) {
            return Err(Error::usage(
                "`record` and `replay` are settled when the first agent is asked",
            )
            .hint("set them before, or by a flag"));
        }
        if let (Some(path), ..) = &choice {
            let path = self.cwd.join(path);
            // Of a folder more is said when it is begun.
            if !path.is_dir() {
                require_room(&path)?;
            }
        }
        let deck = match &choice {
            // Nobody is asked.
            (Some(_), ..) if config.dry_run => Deck::Empty,
            (Some(path), ..) => Deck::Recording(Recorder::begin(
                &self.cwd.join(path),
                &self.script,
                prompt::date(std::time::SystemTime::now()),
                self.is_resumed(),
                self.mask(),
                self.events.clone(),
            )?),
            (None, Some(path), with_results) => Deck::Playing(Player::load(
                &self.cwd.join(path),
                *with_results,
                self.replay_delay(),
                self.mask(),
                self.events.clone(),
            )?),
            (None, None, _) => Deck::Empty,
        };
        *inserted = Inserted { deck, choice };
        drop(inserted);
        self.announce_cassette();
        Ok(())
    }

    /// Says what may not be expected of a cassette.
    fn announce_cassette(&self) {
        let note = |text: String| self.events.emit(Event::Message { level: Level::Info, text });
        match self.deck() {
            Deck::Recording(_) if self.is_resumed() => {
                note("the recording has only what is answered from here on: a new run that plays it \
                      does not find what earlier lives of this one were answered"
                    .to_owned());
            }
            Deck::Playing(_) => {
                if let Some(model) = &locked(&self.sources).flags.model {
                    note(format!("`--model {model}` is ignored: the recording answers"));
                }
            }
            _ => {}
        }
    }

    fn mask(&self) -> Mask {
        let repository = repository_around(&self.default_dir());
        let mask = Mask::new(Places {
            start: self.cwd.display().to_string(),
            repository: repository.map(|top| top.display().to_string()),
            home: self.variable("HOME"),
        });
        mask.learn(&self.environment);
        for provider in self.config().providers.values() {
            let key = provider.key_variable.as_deref().and_then(|name| self.variable(name));
            if let Some(key) = key {
                mask.hide_value(&key);
            }
        }
        mask
    }

    fn replay_delay(&self) -> Option<Duration> {
        let millis = self.variable(DELAY).filter(|_| cfg!(debug_assertions))?;
        millis.parse().ok().map(Duration::from_millis)
    }

    fn deck(&self) -> Deck {
        locked(&self.cassette.deck).deck.clone()
    }

    /// Returns the cassette that is played.
    pub fn player(&self) -> Option<Arc<Player>> {
        match self.deck() {
            Deck::Playing(player) => Some(player),
            _ => None,
        }
    }

    /// Returns the model that agents have which name none, as it was recorded. What the script itself
    /// says now counts: it said so then, too.
    pub(super) fn played_default(&self, player: &Arc<Player>) -> Result<Arc<dyn Model>> {
        let said = locked(&self.sources).script.model.clone();
        let named = said.map(|name| player.model(&name));
        named.or_else(|| player.default_model()).ok_or_else(|| {
            let why = "no model is named, and in the recording every agent named its own";
            Error::new(Kind::Model, why).hint("name it in the query, or record again")
        })
    }

    /// Returns what the script drew here (a number, the time) when it was recorded.
    pub fn played_draw(&self, place: &Place) -> Option<Value> {
        self.player()?.drawn(&place.path, place.kind, &place.key).cloned()
    }

    /// Takes note of what the script has drawn.
    pub fn note_draw(&self, place: &Place, value: &Value) {
        if let Deck::Recording(recorder) = self.deck() {
            recorder.note_drawn(&place.path, place.kind, &place.key, value);
        }
    }

    /// Takes note of the model that an agent has which names none.
    pub fn note_default_model(&self, model: &dyn Model) {
        if let Deck::Recording(recorder) = self.deck() {
            recorder.note_default(model.name());
        }
    }

    /// Has the models of a query recorded, or played.
    pub(super) fn thread(&self, query: &mut Query) {
        self.cassette.in_use.store(true, Ordering::Relaxed);
        let deck = self.deck();
        let threaded = |model: &Arc<dyn Model>, price: Option<Price>| match &deck {
            Deck::Empty => Arc::clone(model),
            Deck::Playing(player) => player.model(model.name()),
            Deck::Recording(recorder) => {
                let (name, capabilities) = (model.name().to_owned(), model.capabilities());
                recorder.listening(Arc::clone(model), &Known { name, capabilities, price })
            }
        };
        query.model = threaded(&query.model, query.price);
        for fallback in &mut query.fallbacks {
            fallback.model = threaded(&fallback.model, fallback.price);
        }
        match &deck {
            Deck::Empty => {}
            Deck::Recording(recorder) => recorder.mask().learn(&query.env),
            Deck::Playing(player) => player.mask().learn(&query.env),
        }
    }

    /// Ends recording or playing. That a recording is lost makes the run fail.
    pub fn end_cassette(&self, interrupted: bool) {
        match self.deck() {
            Deck::Empty => {}
            Deck::Playing(player) => player.finish(),
            Deck::Recording(recorder) => {
                if let Err(error) = recorder.finish(interrupted) {
                    let hint = error.hint.as_ref().map(|hint| format!("; {hint}"));
                    self.events.warn(format!("{error}{}", hint.unwrap_or_default()));
                    self.cassette.lost.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Reports whether a recording that was asked for is not there.
    pub(super) fn has_lost_recording(&self) -> bool {
        self.cassette.lost.load(Ordering::Relaxed)
    }
}
