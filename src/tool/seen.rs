//! What the model has seen of the files, so that it overwrites nothing that it does not know.
//!
//! A file counts as seen with the content that it had then: a change by a command or a person since
//! then has to be read first. Time stamps do not decide, they are too coarse.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, PoisonError};

use super::ToolError;
use crate::workspace::WorkPath;

/// The files that one agent's model has seen; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<HashMap<WorkPath, u64>>>);

impl Seen {
    /// Notes that the model knows `path` with this content.
    pub fn note(&self, path: &WorkPath, content: &[u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.clone(), fingerprint(content));
    }

    /// Checks that the model knows `path` with the content that it has now.
    ///
    /// # Errors
    /// A reply that tells the model to read it (again).
    pub fn require(&self, path: &WorkPath, content: &[u8]) -> Result<(), ToolError> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
        match seen {
            Some(seen) if seen == fingerprint(content) => Ok(()),
            Some(_) => Err(ToolError::reply(format!(
                "`{path}` has changed since it was read: read it again first"
            ))),
            None => Err(ToolError::reply(format!("`{path}` was not read yet: read it first"))),
        }
    }
}

fn fingerprint(content: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(content)
}
