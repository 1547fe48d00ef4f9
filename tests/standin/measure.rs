//! Measures a request: digests of its growing prefixes and tokens by size, for caches and usage.
//!
//! A token is four bytes of JSON. Prefixes run over tools, system, messages, as in Anthropic's
//! cache; marks are not part of what they mark. No least prefix and no expiry, unlike the real one,
//! so that small tests see the cache at work.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use serde_json::{Value, json};

use super::talk::Wire;

/// How far back from a mark Anthropic looks for an earlier entry, in blocks.
const LOOKBACK: usize = 20;

/// Tokens, in Anthropic's meaning: `input` is what no cache served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_creation: u64,
}

impl Usage {
    /// Adds what an answer is billed; of one that breaks off in the middle half of what comes out.
    pub fn add(&mut self, other: &Self, breaks_off: bool) {
        self.input += other.input;
        self.output += if breaks_off { other.output / 2 } else { other.output };
        self.cache_read += other.cache_read;
        self.cache_creation += other.cache_creation;
    }

    /// Parses `INPUT/OUTPUT/READ/CREATED`, with which a directive fixes it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('/').map(|number| number.parse().ok());
        let mut next = || numbers.next().unwrap_or(Some(0));
        Some(Self { input: next()?, output: next()?, cache_read: next()?, cache_creation: next()? })
    }
}

/// Returns a digest that is the same in every process.
pub fn digest_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A hasher that counts and takes JSON.
#[derive(Clone, Default)]
struct Gauge {
    hasher: DefaultHasher,
    bytes: u64,
}

impl Write for Gauge {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Gauge {
    /// Adds a block without its cache mark, and returns whether it had one.
    fn add(&mut self, block: &Value) -> bool {
        let marked = block.get("cache_control").is_some_and(|mark| !mark.is_null());
        if marked {
            self.json(&unmarked(block));
        } else {
            self.json(block);
        }
        marked
    }

    fn json(&mut self, value: &Value) {
        // A gauge takes every byte, and a `Value` has no map keys that JSON lacks.
        let _ = serde_json::to_writer(&mut *self, value);
        self.hasher.write_u8(b'\n');
    }
}

/// Returns a block without its cache mark.
pub fn unmarked(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(fields) = block.as_object_mut() {
        fields.shift_remove("cache_control");
    }
    block
}

#[derive(Clone, Copy)]
struct Piece {
    digest: u64,
    bytes: u64,
    marked: bool,
}

/// The measures of one request.
pub struct Measure {
    /// Digest and size of system and tools, cache marks included.
    pub prefix: (u64, usize),
    /// The digest of the messages up to and with each; without cache marks.
    pub messages: Vec<u64>,
    pieces: Vec<Piece>,
}

impl Measure {
    /// Measures a request that has passed the checks of its wire.
    pub fn new(wire: Wire, body: &Value) -> Self {
        let empty = Vec::new();
        let list = |value: &'_ Value| value.as_array().cloned();
        let tools = body["tools"].as_array().unwrap_or(&empty);
        let (messages, system) = match wire {
            Wire::Responses => (&body["input"], &body["instructions"]),
            _ => (&body["messages"], &body["system"]),
        };
        let messages = messages.as_array().unwrap_or(&empty);
        let mut prefix = Gauge::default();
        let mut chain = Gauge::default();
        chain.json(&body["model"]);
        let mut pieces = Vec::new();
        let mut piece = |chain: &Gauge, other: u64, bytes: u64, marked: bool| {
            let digest = digest_of(&(chain.hasher.finish(), other));
            pieces.push(Piece { digest, bytes, marked });
        };
        for tool in tools {
            prefix.json(tool);
            let marked = chain.add(tool);
            piece(&chain, 0, chain.bytes, marked);
        }
        let system = list(system).unwrap_or_else(|| match system {
            Value::Null => Vec::new(),
            text => vec![json!({"type": "text", "text": text})],
        });
        for block in &system {
            prefix.json(block);
            let marked = chain.add(block);
            piece(&chain, 0, chain.bytes, marked);
        }
        let mut talk = Gauge::default();
        let mut ends = Vec::new();
        for message in messages {
            if wire == Wire::OpenAi
                && matches!(message["role"].as_str(), Some("system" | "developer"))
            {
                prefix.json(message);
            }
            if let (Wire::Anthropic, Some(blocks)) = (wire, message["content"].as_array()) {
                talk.json(&message["role"]);
                for block in blocks {
                    let marked = talk.add(block);
                    piece(&chain, talk.hasher.finish(), chain.bytes + talk.bytes, marked);
                }
            } else {
                talk.json(message);
                piece(&chain, talk.hasher.finish(), chain.bytes + talk.bytes, false);
            }
            ends.push(talk.hasher.finish());
        }
        if body.get("cache_control").is_some_and(|mark| !mark.is_null())
            && let Some(last) = pieces.last_mut()
        {
            last.marked = true;
        }
        let size = usize::try_from(prefix.bytes).unwrap_or(usize::MAX);
        Self { prefix: (prefix.hasher.finish(), size), messages: ends, pieces }
    }

    /// Returns the digest of the whole conversation: the same when the same is asked again.
    pub fn talk(&self) -> u64 {
        self.messages.last().copied().unwrap_or_default()
    }

    /// Returns the usage, given which prefixes are cached, and the prefixes that this request caches.
    pub fn usage(
        &self,
        wire: Wire,
        cached: impl Fn(u64) -> bool,
        output: u64,
    ) -> (Usage, Vec<u64>) {
        let tokens = |bytes: u64| bytes / 4 + 1;
        let total = tokens(self.pieces.last().map_or(0, |piece| piece.bytes));
        let hit = |piece: &Piece| cached(piece.digest).then_some(tokens(piece.bytes));
        if wire != Wire::Anthropic {
            let cache_read = self.pieces.iter().rev().find_map(hit).unwrap_or(0);
            let writes = self.pieces.iter().map(|piece| piece.digest).collect();
            return (
                Usage { input: total - cache_read, output, cache_read, cache_creation: 0 },
                writes,
            );
        }
        let marks = || (0..self.pieces.len()).rev().filter(|&index| self.pieces[index].marked);
        let looked = |mark: usize| {
            self.pieces[mark.saturating_sub(LOOKBACK)..=mark].iter().rev().find_map(hit)
        };
        let cache_read = marks().filter_map(looked).max().unwrap_or(0);
        let upto = marks().next().map_or(0, |mark| tokens(self.pieces[mark].bytes));
        let cache_creation = upto.saturating_sub(cache_read);
        let input = total - cache_read - cache_creation;
        let writes = marks().map(|mark| self.pieces[mark].digest).collect();
        (Usage { input, output, cache_read, cache_creation }, writes)
    }
}
