//! What an agent begins with: nothing, or the conversation of one that ended.

/// The conversation that an agent takes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Past {
    /// None.
    #[default]
    New,
    /// That of this agent, in its worktree and on its branch.
    Resumed(String),
    /// That of this agent, on a new branch.
    Forked(String),
}
