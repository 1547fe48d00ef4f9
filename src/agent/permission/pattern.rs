//! Patterns with `*`, for commands and names. Both sides may have gaps: the pattern for what it
//! leaves open, the text for what only the shell will know.

/// One place of a pattern or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// This character.
    Char(char),
    /// A character that is data: blank within a word. Only a gap of a pattern covers it.
    Data,
    /// Any characters, or none.
    Gap,
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Mark>);

impl Pattern {
    /// Reads a pattern; blanks count as one.
    pub fn new(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mark = |c| if c == '*' { Mark::Gap } else { Mark::Char(c) };
        Self(words.join(" ").chars().map(mark).collect())
    }

    /// Reports whether it covers a text, whatever stands in the text's gaps. ` *` at the end of a
    /// pattern covers nothing too: `git diff *` is `git diff` and `git diff x`, not `git difftool`.
    pub fn covers(&self, text: &[Mark]) -> bool {
        self.forms().any(|form| fits(form, text, false))
    }

    /// Reports whether it could cover a text, for something in the text's gaps.
    pub fn could_cover(&self, text: &[Mark]) -> bool {
        self.forms().any(|form| fits(form, text, true))
    }

    fn forms(&self) -> impl Iterator<Item = &[Mark]> {
        let short = self.0.strip_suffix(&[Mark::Char(' '), Mark::Gap]);
        std::iter::once(&*self.0).chain(short)
    }
}

/// Turns a text without gaps into marks.
pub fn plain(text: &str) -> Vec<Mark> {
    text.chars().map(Mark::Char).collect()
}

/// Holds a pattern against a text. With `loose` it is enough that the gaps of the text can be filled so
/// that it fits; else it must fit whatever they are.
fn fits(pattern: &[Mark], text: &[Mark], loose: bool) -> bool {
    // reached[j]: the pattern so far fits the first j places of the text.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    if loose {
        leap(&mut reached, text);
    }
    for mark in pattern {
        let mut next = vec![false; text.len() + 1];
        if *mark == Mark::Gap {
            let mut any = false;
            for (to, from) in next.iter_mut().zip(&reached) {
                any |= from;
                *to = any;
            }
        } else {
            for (at, here) in text.iter().enumerate() {
                let same =
                    here == mark || (loose && *here == Mark::Data && *mark == Mark::Char(' '));
                if reached[at] && same {
                    next[at + 1] = true;
                }
                // A gap of the text takes the character in and stays open.
                if loose && *here == Mark::Gap && reached[at] {
                    next[at] = true;
                }
            }
        }
        if loose {
            leap(&mut next, text);
        }
        reached = next;
    }
    reached[text.len()]
}

/// Gaps of the text may be empty.
fn leap(reached: &mut [bool], text: &[Mark]) {
    for (at, mark) in text.iter().enumerate() {
        if *mark == Mark::Gap && reached[at] {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(text: &str) -> Vec<Mark> {
        text.chars().map(|c| if c == '$' { Mark::Gap } else { Mark::Char(c) }).collect()
    }

    #[test]
    fn stars_stand_anywhere_and_words_end_at_words() {
        for (pattern, text, expected) in [
            ("git diff *", "git diff", true),
            ("git diff *", "git diff a b", true),
            ("git diff *", "git difftool", false),
            ("git diff*", "git difftool", true),
            ("git * main", "git checkout main", true),
            ("git * main", "git checkout maine", false),
            ("* --version", "node --version", true),
            ("*", "", true),
            ("npm  run  *", "npm run x", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("git *", "git $", true),
            ("git push *", "git $", false),
            ("git diff *", "git diff $x$", true),
        ] {
            assert_eq!(Pattern::new(pattern).covers(&marks(text)), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn gaps_of_a_text_may_be_anything() {
        for (pattern, text, expected) in [
            ("rm *", "$ x", true),
            ("rm *", "echo $", false),
            ("git push *", "git $", true),
            ("git push *", "git$ push", true),
            ("git push", "git st$", false),
            ("git push", "git p$", true),
            ("rm", "$", true),
        ] {
            assert_eq!(
                Pattern::new(pattern).could_cover(&marks(text)),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
