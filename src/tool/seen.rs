//! What the model has seen of the files, so that it overwrites nothing that it does not know.
//!
//! A file counts as seen with the content that it had then: a change by a command or a person since
//! then has to be read first. Time stamps do not decide, they are too coarse.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ToolError;
use crate::workspace::WorkPath;

/// The files that one agent's model has seen; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    known: HashMap<WorkPath, u64>,
    /// Those that were seen since somebody asked.
    news: BTreeMap<String, u64>,
    /// Those that were seen in an earlier life of the agent.
    recalled: BTreeMap<String, u64>,
}

impl Seen {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the model knows `path` with this content.
    pub fn note(&self, path: &WorkPath, content: &[u8]) {
        let (print, mut files) = (fingerprint(content), self.files());
        if files.known.insert(path.clone(), print) != Some(print) {
            files.news.insert(path.to_string(), print);
        }
    }

    /// Checks that the model knows `path` with the content that it has now.
    ///
    /// # Errors
    /// A reply that tells the model to read it (again).
    pub fn require(&self, path: &WorkPath, content: &[u8]) -> Result<(), ToolError> {
        let seen = {
            let files = self.files();
            let recalled = || files.recalled.get(&path.to_string());
            files.known.get(path).or_else(recalled).copied()
        };
        match seen {
            Some(seen) if seen == fingerprint(content) => Ok(()),
            Some(_) => Err(ToolError::reply(format!(
                "`{path}` has changed since it was read: read it again first"
            ))),
            None => Err(ToolError::reply(format!("`{path}` was not read yet: read it first"))),
        }
    }

    /// Takes out what was seen since the last time: the paths as people see them, with what tells one
    /// content from another.
    pub fn news(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.files().news)
    }

    /// Recalls what was seen in an earlier life of the agent.
    pub fn recall(&self, seen: BTreeMap<String, u64>) {
        self.files().recalled = seen;
    }
}

fn fingerprint(content: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(content)
}
