//! What was typed, in a file of the user's own: the newest last, nothing twice, lines of one entry
//! together.
//!
//! Sessions side by side share the file: each reads it again before it writes. Two that write at the
//! same instant may lose an entry, and never the file.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The entries that are kept.
const MOST: usize = 1_000;
/// Longer entries are pasted, and nobody goes back to them.
const LONGEST: usize = 16 * 1024;
/// The first line, as rustyline writes it: what follows has `\n` and `\\` for line breaks and `\`.
const HEADER: &str = "#V2";

/// What was typed.
pub(super) struct History {
    path: Option<PathBuf>,
    entries: Vec<String>,
}

impl History {
    /// Reads what is in the file; without a path it lasts as long as the session.
    pub fn open(path: Option<PathBuf>) -> Self {
        let entries = path.as_deref().map(read).unwrap_or_default();
        Self { path, entries }
    }

    /// Returns the entries, the newest last.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }

    /// Adds what was typed, unless it starts with a space, as in a shell.
    ///
    /// # Errors
    /// When the file cannot be written; the entry is there for this session.
    pub fn add(&mut self, entry: &str) -> std::io::Result<()> {
        if entry.starts_with(' ') || entry.trim().is_empty() || entry.len() > LONGEST {
            return Ok(());
        }
        if let Some(path) = self.path.as_deref().filter(|path| path.exists()) {
            self.entries = read(path);
        }
        self.entries.retain(|known| known != entry);
        self.entries.push(entry.to_owned());
        let surplus = self.entries.len().saturating_sub(MOST);
        self.entries.drain(..surplus);
        self.path.as_deref().map_or(Ok(()), |path| write(path, &self.entries))
    }
}

fn read(path: &Path) -> Vec<String> {
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| *line != HEADER && !line.is_empty());
    lines.map(unescaped).collect()
}

fn write(path: &Path, entries: &[String]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let mut text = format!("{HEADER}\n");
    for entry in entries {
        text.push_str(&entry.replace('\\', "\\\\").replace('\n', "\\n"));
        text.push('\n');
    }
    let written = file.write_all(text.as_bytes()).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn entries_are_whole_single_private_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/repl_history");
        let mut history = History::open(Some(path.clone()));
        for entry in ["1 + 1", "for i = 1, 2 do\n  print('a\\n')\nend", "1 + 1", " secret", ""] {
            history.add(entry).unwrap();
        }
        let expected = ["for i = 1, 2 do\n  print('a\\n')\nend", "1 + 1"];
        assert_eq!(history.entries(), expected);
        let mut other = History::open(Some(path.clone()));
        assert_eq!(other.entries(), expected);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for number in 0..MOST {
            other.add(&number.to_string()).unwrap();
        }
        history.add("last").unwrap();
        assert_eq!(history.entries().len(), MOST);
        assert_eq!(history.entries()[0], "1");
        assert_eq!(folder.path().join("state").read_dir().unwrap().count(), 1);
    }
}
