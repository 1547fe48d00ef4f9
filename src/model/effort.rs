//! How hard a model thinks, in the Agent SDK's words.

/// From quick to thorough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Quick.
    Low,
    /// Balanced.
    Medium,
    /// Thorough.
    High,
    /// More than that.
    Xhigh,
    /// All it has.
    Max,
}

impl Effort {
    /// The words, from quick to thorough.
    pub const WORDS: [&'static str; 5] = ["low", "medium", "high", "xhigh", "max"];

    /// Reads a word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];
        all.into_iter().find(|effort| effort.as_str() == word)
    }

    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}
