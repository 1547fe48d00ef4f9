//! A cassette as it was read: its answers by where they belong.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::Known;
use super::line::{Answer, Came, Header, Line, Resulted, VERSION};
use super::question::Question;
use crate::error::{Error, Kind, Result, ResultExt};

/// The longest first line of a file that is looked at, in bytes.
const LONGEST_HEADER: u64 = 64 * 1024;

/// Makes sure that a recording may take a place: nothing is there, an empty file, or a recording.
///
/// # Errors
/// Usage, when something else is there; io, when that cannot be seen.
pub fn require_room(path: &Path) -> Result<()> {
    let shown = path.display();
    if has_room(path).or_kind(Kind::Io, || format!("cannot record into `{shown}`"))? {
        return Ok(());
    }
    Err(Error::usage(format!("`{shown}` is no recording, and would be overwritten by one"))
        .hint("record into another file, or remove that one"))
}

fn has_room(path: &Path) -> io::Result<bool> {
    match path.metadata() {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(true),
        // A pipe or a device would be no more.
        Ok(about) if !about.is_file() => return Ok(false),
        Ok(about) if about.len() == 0 => return Ok(true),
        about => about?,
    };
    let mut first = Vec::new();
    BufReader::new(File::open(path)?.take(LONGEST_HEADER)).read_until(b'\n', &mut first)?;
    Ok(serde_json::from_slice::<Header>(&first).is_ok())
}

/// A recorded answer.
#[derive(Debug)]
pub struct Entry {
    /// What was asked, and what came of it.
    pub answer: Answer,
    /// Whether it was asked for again.
    pub used: AtomicBool,
    /// Whether it failed, and the same model was asked once more.
    pub again: bool,
}

/// What a file has.
#[derive(Debug)]
pub struct Tape {
    /// Its first line.
    pub header: Header,
    /// The model of agents that name none.
    pub default_model: Option<String>,
    /// The models that were asked, by name.
    pub models: BTreeMap<String, Known>,
    /// Whether the run came to its end by itself.
    pub is_whole: bool,
    entries: Vec<Entry>,
    places: HashMap<(String, u32, u32), usize>,
    kept: HashMap<String, Value>,
    results: HashMap<(String, String), Resulted>,
    /// By call, kind and key.
    drawn: HashMap<(String, String, String), Value>,
}

impl Tape {
    /// Loads a file.
    ///
    /// # Errors
    /// Usage, for one that is not there or is no cassette.
    pub fn load(path: &Path) -> Result<Self> {
        let shown = path.display();
        let bytes = std::fs::read(path).map_err(|fault| {
            let kind = match fault.kind() {
                std::io::ErrorKind::NotFound => Kind::Usage,
                _ => Kind::Io,
            };
            let error = Error::new(kind, format!("cannot read the recording `{shown}`"));
            error.because(fault).hint(format!("make one: agentlua run --record {shown} SCRIPT"))
        })?;
        let text = String::from_utf8(bytes)
            .or_kind(Kind::Usage, || format!("`{shown}` is no recording"))?;
        let mut lines = text.lines().enumerate();
        let header = lines.next().map(|(_, line)| serde_json::from_str::<Header>(line));
        let Some(Ok(header)) = header else {
            return Err(Error::usage(format!("`{shown}` is no recording"))
                .hint("name a file that `--record` has written"));
        };
        if header.agentlua_cassette > VERSION {
            return Err(Error::usage(format!("a newer version of agentlua recorded `{shown}`"))
                .hint("record it again with this one, or use the newer one"));
        }
        let mut tape = Self {
            header,
            default_model: None,
            models: BTreeMap::new(),
            is_whole: false,
            entries: Vec::new(),
            places: HashMap::new(),
            kept: HashMap::new(),
            results: HashMap::new(),
            drawn: HashMap::new(),
        };
        // What a run left that was killed, or whose disk was full, may end in the middle of a line.
        let is_cut = !text.ends_with('\n');
        let mut lines = lines.peekable();
        while let Some((index, line)) = lines.next() {
            match serde_json::from_str(line) {
                Ok(line) => tape.add(line),
                Err(_) if is_cut && lines.peek().is_none() => {}
                Err(fault) => {
                    let what = format!("`{shown}` has no line of a recording at {}", index + 1);
                    return Err(Error::usage(what).because(fault));
                }
            }
        }
        tape.settle();
        Ok(tape)
    }

    fn add(&mut self, line: Line) {
        match line {
            Line::Default { model } => {
                self.default_model.get_or_insert(model);
            }
            Line::Model { name, capabilities, price } => {
                self.models.insert(name.clone(), Known { name, capabilities, price });
            }
            Line::Kept { hash, value } => {
                self.kept.insert(hash, value);
            }
            Line::Drawn { call, kind, key, value } => {
                self.drawn.insert((call, kind, key), value);
            }
            Line::End { interrupted } => self.is_whole = !interrupted,
            Line::Answer(answer) => {
                let place = (answer.call.clone(), answer.turn, answer.n);
                for result in &answer.results {
                    let key = (answer.call.clone(), result.id.clone());
                    self.results.entry(key).or_insert_with(|| result.clone());
                }
                self.places.insert(place, self.entries.len());
                let used = AtomicBool::new(false);
                self.entries.push(Entry { answer: *answer, used, again: false });
            }
        }
    }

    /// Finds out which failures the same model was asked again after: it says so no longer of the last.
    fn settle(&mut self) {
        for at in 0..self.entries.len() {
            let Answer { call, turn, n, model, came, .. } = &self.entries[at].answer;
            let Came::Failure(failed) = came else { continue };
            let next = self.places.get(&(call.clone(), *turn, n + 1));
            let next = next.map(|next| &self.entries[*next].answer);
            self.entries[at].again = failed.again && next.is_some_and(|next| next.model == *model);
        }
    }

    /// Returns the answer at a place, and counts it as asked for.
    pub fn entry(&self, call: &str, turn: u32, n: u32) -> Option<&Entry> {
        let entry = &self.entries[*self.places.get(&(call.to_owned(), turn, n))?];
        entry.used.store(true, Ordering::Relaxed);
        Some(entry)
    }

    /// Returns the next answer of a call that nobody has asked for, and counts it as asked for. Where
    /// the results of tools are played, turns that a tool's own agents took are not counted.
    pub fn next_entry(&self, call: &str, n: u32) -> Option<&Entry> {
        let is_next = |entry: &&Entry| {
            let Answer { call: own, n: number, .. } = &entry.answer;
            own == call && *number == n && !entry.used.load(Ordering::Relaxed)
        };
        let entry = self.entries.iter().find(is_next)?;
        entry.used.store(true, Ordering::Relaxed);
        Some(entry)
    }

    /// Returns what the call `id` of an agent came to.
    pub fn result(&self, call: &str, id: &str) -> Option<&Resulted> {
        self.results.get(&(call.to_owned(), id.to_owned()))
    }

    /// Returns what the script drew at a place.
    pub fn drawn(&self, call: &str, kind: &str, key: &str) -> Option<&Value> {
        self.drawn.get(&(call.to_owned(), kind.to_owned(), key.to_owned()))
    }

    /// Returns a recorded question.
    pub fn question(&self, entry: &Entry) -> Question {
        Question::recorded(&entry.answer, &self.kept)
    }

    /// Returns every answer, in the order in which they came.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Reports whether an agent was stopped before it asked again: its last answer has calls, and
    /// nobody told what they came to.
    pub fn was_stopped(&self, call: &str) -> bool {
        let own = self.entries.iter().filter(|entry| entry.answer.call == call);
        match own.last().map(|entry| &entry.answer.came) {
            Some(Came::Reply(reply)) => !reply.calls.is_empty(),
            Some(Came::Cut {}) => true,
            _ => false,
        }
    }

    /// Returns the model that a name stands for: the name may lack the provider.
    pub fn model(&self, name: &str) -> Option<&Known> {
        let ends = |known: &&Known| {
            known.name.strip_suffix(name).is_some_and(|provider| provider.ends_with('/'))
        };
        self.models.get(name).or_else(|| self.models.values().find(ends))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"agentlua_cassette":1,"created":"2026-11-22","script":"main.lua"}"#;

    /// Writes an answer of `/a`.
    fn answer(turn: u32, n: u32, model: &str, came: &str) -> String {
        format!(
            r#"{{"type":"answer","call":"/a","label":"a","turn":{turn},"n":{n},"model":"{model}","system":"s","tools":"t",{came}}}"#
        )
    }

    fn load(lines: &[String], end: &str) -> Tape {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, format!("{HEADER}\n{}{end}", lines.join("\n"))).unwrap();
        Tape::load(&path).unwrap()
    }

    const USAGE: &str = r#""usage":{"input_tokens":1,"output_tokens":1,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}"#;

    fn failure(again: bool) -> String {
        format!(r#""failure":{{"kind":"model","message":"no","again":{again},{USAGE}}}"#)
    }

    fn reply() -> String {
        format!(r#""reply":{{"stop":"end_turn","bytes":7,{USAGE}}}"#)
    }

    #[test]
    fn a_failure_is_followed_by_what_the_same_model_said_next() {
        let lines = [
            answer(1, 1, "x", &failure(true)),
            answer(1, 2, "x", &failure(true)),
            answer(1, 3, "y", &failure(false)),
            answer(1, 4, "y", &reply()),
        ];
        let tape = load(&lines, "\n");
        let again: Vec<bool> = tape.entries().iter().map(|entry| entry.again).collect();
        // The second was the last of `x`; the third was not worth another try.
        assert_eq!(again, [true, false, false, false]);
        assert!(!tape.is_whole, "it has no end");
        assert_eq!(tape.entry("/a", 1, 4).unwrap().answer.model, "y");
        assert!(tape.entry("/a", 2, 1).is_none());
        assert_eq!(tape.next_entry("/a", 1).unwrap().answer.model, "x");
    }

    #[test]
    fn only_the_last_line_may_be_cut() {
        let whole = answer(1, 1, "x", &reply());
        let tape = load(&[whole.clone(), whole[..40].to_owned()], "");
        assert_eq!(tape.entries().len(), 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, format!("{HEADER}\n{}\n{whole}\n", &whole[..40])).unwrap();
        let error = Tape::load(&path).unwrap_err();
        assert!(error.message.ends_with("has no line of a recording at 2"), "{error}");
    }

    #[test]
    fn models_are_found_without_their_provider() {
        let model = r#"{"type":"model","name":"anthropic/claude-x","capabilities":{"images":true},"price":null}"#;
        let end = r#"{"type":"end","interrupted":false}"#;
        let tape = load(&[model.to_owned(), end.to_owned()], "\n");
        assert!(tape.is_whole);
        for name in ["anthropic/claude-x", "claude-x"] {
            assert!(tape.model(name).unwrap().capabilities.images);
        }
        assert!(tape.model("x").is_none());
    }
}
