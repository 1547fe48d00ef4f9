//! What a repository tells agents: `AGENTS.md` and `CLAUDE.md`, from its top down to where the agent
//! works, with what they import by `@path`.
//!
//! They are files that somebody else wrote: they are read through a workspace, so nothing outside the
//! checkout is ever read, and they come to the model as words of the user's, before the task. The same
//! text is not told twice, whether one file links to, imports or copies the other.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::workspace::disk::Disk;
use crate::workspace::{WorkPath, Workspace};

/// The files, in the order in which a directory's are read.
const NAMES: [&str; 3] = ["AGENTS.md", "CLAUDE.md", ".claude/CLAUDE.md"];
/// How many bytes they may have in all.
const MOST: usize = 64 * 1024;
/// How far an import may import.
const DEPTH: u32 = 5;

/// Returns what the repository around `directory` tells agents; nothing if there is nothing. `top` is
/// the directory of the repository's checkout. Blocks.
pub(super) fn load(top: &Path, directory: &Path) -> Option<String> {
    // What cannot be opened is told by the tools that will want it.
    let disk = Disk::open(top).ok()?;
    let top = top.canonicalize().ok()?;
    let below = directory.canonicalize().ok()?.strip_prefix(&top).ok()?.to_owned();
    let mut reading =
        Reading { disk: &disk, told: HashSet::new(), text: String::new(), left: MOST };
    let mut folders: Vec<PathBuf> = below.ancestors().map(Path::to_owned).collect();
    folders.reverse();
    for folder in folders {
        for name in NAMES {
            if let Ok(path) = WorkPath::new(folder.join(name)) {
                reading.file(&path, 0);
            }
        }
    }
    let text = reading.text;
    (!text.is_empty()).then(|| {
        format!(
            "This repository has instructions for agents. Follow them, unless the task says \
             otherwise.\n{text}"
        )
    })
}

/// What was read so far.
struct Reading<'a> {
    disk: &'a Disk,
    /// The contents that were told.
    told: HashSet<String>,
    text: String,
    /// How many bytes may still come.
    left: usize,
}

impl Reading<'_> {
    /// Adds a file and what it imports. What is no file, or no text, is passed over.
    fn file(&mut self, path: &WorkPath, depth: u32) {
        let Some((content, cut)) = self.content(path) else { return };
        if content.trim().is_empty() || !self.told.insert(content.clone()) {
            return;
        }
        let shown = &content[..content.floor_char_boundary(self.left)];
        self.left -= shown.len();
        let note = if cut || shown.len() < content.len() {
            format!("\n[cut here: read `{path}` for the rest]")
        } else {
            String::new()
        };
        let (shown, end) = (shown.trim_end(), "</instructions>");
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "<instructions file=\"{path}\">\n{shown}{note}\n{end}");
        if depth < DEPTH {
            for import in imports(&content) {
                let near = path.parent().unwrap_or_default().as_path().join(&import);
                // An absolute path, which takes the place of the rest, must lead in as well.
                if let Ok(path) = self.disk.path(&near.to_string_lossy()) {
                    self.file(&path, depth + 1);
                }
            }
        }
    }

    /// Returns the text of a file, and whether it has more.
    fn content(&self, path: &WorkPath) -> Option<(String, bool)> {
        if self.left == 0 {
            return None;
        }
        let mut bytes = Vec::new();
        let file = self.disk.open(path).ok()?;
        file.take(MOST as u64 + 1).read_to_end(&mut bytes).ok()?;
        let cut = bytes.len() > MOST;
        let whole = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            // Cut within a letter.
            Err(error) if cut && error.error_len().is_none() => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        (!whole.contains('\0')).then(|| (whole.to_owned(), cut))
    }
}

/// Returns the paths that a text imports: words that begin with `@`, outside of code.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    for line in text.lines() {
        let start = line.trim_start();
        let mark = start.chars().next().filter(|c| ['`', '~'].contains(c));
        let length = mark.map_or(0, |mark| start.chars().take_while(|c| *c == mark).count());
        match (fence, mark) {
            (None, Some(mark)) if length >= 3 => fence = Some((mark, length)),
            (Some((open, least)), Some(mark)) if mark == open && length >= least => fence = None,
            (None, _) => found.extend(imports_of_line(line)),
            (Some(_), _) => {}
        }
    }
    found
}

fn imports_of_line(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let words = rest.find('`').map_or(rest, |at| &rest[..at]);
        for word in words.split_whitespace() {
            let path = word.trim_start_matches(['(', '[', '"', '\'']);
            let path = path.trim_end_matches([')', ']', '"', '\'', ',', ';', ':', '!', '?', '.']);
            found.extend(path.strip_prefix('@').filter(|path| !path.is_empty()).map(str::to_owned));
        }
        rest = &rest[words.len()..];
        // A span of code ends with as many backticks as it began with; else these are only backticks.
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let (mark, after) = rest.split_at(ticks);
        rest = match after.match_indices('`').find(|(at, _)| closes(after, *at, mark)) {
            Some((at, _)) => &after[at + ticks..],
            None => after,
        };
    }
    found
}

/// Reports whether exactly the backticks of `mark` stand at `at`.
fn closes(text: &str, at: usize, mark: &str) -> bool {
    text[at..].starts_with(mark)
        && !text[at + mark.len()..].starts_with('`')
        && !text[..at].ends_with('`')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    /// Returns the files that are told, in order, and the whole text.
    fn told(folder: &tempfile::TempDir, below: &str) -> (Vec<String>, String) {
        let text = load(folder.path(), &folder.path().join(below)).unwrap_or_default();
        let names = text.lines().filter_map(|line| line.strip_prefix("<instructions file=\""));
        (names.map(|name| name.trim_end_matches("\">").to_owned()).collect(), text)
    }

    #[test]
    fn imports_stand_outside_of_code() {
        let text = "See @docs/a.md, (@b.md) and @c.\n`@no` ``x ` @no`` @d\n```sh\n@no\n~~~\n@no\n```\n\
                    ~~~~\n@no\n~~~\n@no\n~~~~\nme@no.org @ ` @e";
        assert_eq!(imports(text), ["docs/a.md", "b.md", "c", "d", "e"]);
    }

    #[test]
    fn from_the_top_down_and_nothing_twice() {
        let folder = folder(&[
            ("AGENTS.md", "top rules; not @user"),
            ("CLAUDE.md", "@AGENTS.md and @docs/style.md"),
            ("docs/style.md", "style, as in @../CLAUDE.md and @deeper.md"),
            ("docs/deeper.md", "deeper"),
            ("sub/CLAUDE.md", "sub rules"),
            ("sub/AGENTS.md", "sub rules"),
            ("other/AGENTS.md", "other rules"),
        ]);
        let (names, text) = told(&folder, "sub");
        let all = ["AGENTS.md", "CLAUDE.md", "docs/style.md", "docs/deeper.md", "sub/AGENTS.md"];
        assert_eq!(names, all);
        assert_eq!(text.matches("top rules").count(), 1);
        assert_eq!(told(&folder, "").0, &all[..4]);
    }

    #[test]
    fn nothing_outside_is_read() {
        let outside = folder(&[("secret.md", "the secret"), ("AGENTS.md", "not ours")]);
        let secret = outside.path().join("secret.md").display().to_string();
        let text = format!("@{secret} @../secret.md @~/x @/etc/passwd @link.md @.git/config");
        let inside = folder(&[("AGENTS.md", &text), (".git/config", "the secret")]);
        std::os::unix::fs::symlink(&secret, inside.path().join("link.md")).unwrap();
        std::os::unix::fs::symlink(&secret, inside.path().join("CLAUDE.md")).unwrap();
        let (names, text) = told(&inside, "");
        assert_eq!(names, ["AGENTS.md"]);
        assert!(!text.contains("the secret") && !text.contains("root:"), "{text}");
        assert_eq!(load(inside.path(), outside.path()), None);
    }

    #[test]
    fn what_is_no_text_or_too_much_is_left_out() {
        let long = "é".repeat(MOST);
        let folder = folder(&[("AGENTS.md", "@big.md @late.md"), ("big.md", &long)]);
        std::fs::write(folder.path().join("CLAUDE.md"), b"\xff\xfe").unwrap();
        std::fs::write(folder.path().join("late.md"), "late").unwrap();
        std::fs::create_dir_all(folder.path().join(".claude/CLAUDE.md")).unwrap();
        let (names, text) = told(&folder, "");
        assert_eq!(names, ["AGENTS.md", "big.md"]);
        assert!(
            text.len() < MOST + 500 && text.contains("[cut here: read `big.md`"),
            "{}",
            text.len()
        );
        let chain: Vec<_> =
            (0..9).map(|n| (format!("{n}.md"), format!("@{}.md {n}", n + 1))).collect();
        for (name, text) in &chain {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::write(folder.path().join("AGENTS.md"), "@0.md").unwrap();
        assert_eq!(told(&folder, "").0, ["AGENTS.md", "0.md", "1.md", "2.md", "3.md", "4.md"]);
    }
}
