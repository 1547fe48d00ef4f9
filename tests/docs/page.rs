//! A page as its readers have it: headings, blocks of code, and comments that only tests see.

use std::path::Path;

/// A page.
pub struct Page {
    /// Its path from `docs/`.
    pub name: String,
    /// Its whole text.
    pub text: String,
    /// From each heading to the next.
    pub sections: Vec<Section>,
}

/// What stands between two headings.
#[derive(Default)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What it says, blocks of code and comments left out.
    pub prose: String,
    /// Comments that say how it is tested, `key: value`, and the number of blocks before each.
    pub notes: Vec<Note>,
    /// Its blocks of code.
    pub blocks: Vec<Block>,
}

/// A comment for the test.
pub struct Note {
    /// Its first word.
    pub key: String,
    /// The rest of it.
    pub value: String,
    /// How many blocks stand before it.
    pub before: usize,
}

/// A block of code.
pub struct Block {
    /// What it is written in.
    pub language: String,
    /// What it says.
    pub text: String,
    /// The line of the page that it begins on.
    pub line: usize,
}

impl Page {
    /// Reads a page.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", path.display()));
        let name = path.strip_prefix(super::docs()).unwrap_or(path).display().to_string();
        let mut sections = vec![Section::default()];
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let section = sections.last_mut().unwrap();
            if let Some(language) = line.strip_prefix("```") {
                let text: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| *line != "```")
                    .collect();
                let text = text.join("\n") + "\n";
                section.blocks.push(Block { language: language.to_owned(), text, line: index + 2 });
            } else if let Some(comment) = line.strip_prefix("<!--") {
                let mut comment = comment.to_owned();
                while !comment.ends_with("-->") {
                    let (_, line) = lines.next().unwrap_or_else(|| panic!("{name}: `-->`"));
                    comment = comment + "\n" + line;
                }
                let comment = comment.trim_end_matches("-->").trim();
                let (key, value) = comment.split_once([':', '\n']).unwrap_or((comment, ""));
                let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
                section.notes.push(Note { key, value, before: section.blocks.len() });
            } else if line.starts_with('#') {
                let title = line.trim_start_matches('#').trim().to_owned();
                sections.push(Section { title, ..Section::default() });
            } else {
                section.prose.push_str(line);
                section.prose.push('\n');
            }
        }
        Self { name, text, sections }
    }

    /// Returns the anchors of its headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        let titles = self.sections.iter().skip(1).map(|section| slug(&section.title));
        let mut anchors = Vec::new();
        for base in titles {
            let before = seen.iter().filter(|known| **known == base).count();
            anchors.push(if before == 0 { base.clone() } else { format!("{base}-{before}") });
            seen.push(base);
        }
        anchors
    }
}

impl Section {
    /// Returns the values of comments with that key.
    pub fn noted<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Note> {
        self.notes.iter().filter(move |note| note.key == key)
    }
}

impl Block {
    /// Returns the file that its first line names: `-- x.lua`, `# x.toml`.
    pub fn file(&self) -> Option<&str> {
        let first = self.text.lines().find(|line| !line.starts_with("#!"))?;
        let name = first.strip_prefix("-- ").or_else(|| first.strip_prefix("# "))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-/~".contains(c);
        (name.contains('.') && !name.ends_with('.') && name.chars().all(is_name)).then_some(name)
    }
}

/// Returns the anchor that GitHub makes of a heading.
pub fn slug(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}
