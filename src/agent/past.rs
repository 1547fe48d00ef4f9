//! What an agent begins with: nothing, or the conversation of one that ended.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use super::fleet::Order;
use super::history::History;
use super::inbox::Source;
use super::standing::Standing;
use super::transcript::{Entry, Kept, Transcript, load};
use crate::error::{Error, Result};

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

impl Past {
    /// Returns what was said of the agent that it names: an id, the start of one, or a `session_id`.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::New => None,
            Self::Resumed(name) | Self::Forked(name) => Some(name),
        }
    }
}

/// The agent whose conversation another takes up, as it was found in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Its id.
    pub id: String,
    /// What the call was known by that asked it.
    pub key: Option<String>,
    /// The conversation that is gone on with; absent for a fork, which begins one of its own.
    pub session: Option<String>,
    /// Whether its work is gone on with where it stands, so that it is made good by who succeeds.
    pub is_in_place: bool,
    /// The commit that its work ended at.
    pub head_commit: Option<String>,
}

impl Ancestor {
    /// Returns what the model is told in front of its new task; `now` is the commit that its worktree
    /// is at.
    pub(super) fn note(&self, now: Option<&str>) -> String {
        let mut note =
            "<resumed>\nThis conversation goes on after a break. Files may have changed \
                        since: read them again before you edit them."
                .to_owned();
        if let (Some(then), Some(now)) = (&self.head_commit, now)
            && then != now
        {
            // Writing to a string cannot fail.
            let _ = write!(
                note,
                " The branch was at {then} when you ended and is at {now} now; \
                 `git diff {then} {now}` shows what was changed."
            );
        }
        note.push_str("\n</resumed>");
        note
    }
}

/// Where a conversation begins, and who writes it down.
pub(super) struct Beginning {
    pub(super) history: History,
    pub(super) transcript: Transcript,
    /// What an earlier life of the agent itself has come to, where it goes on from there.
    pub(super) earlier: Option<Earlier>,
}

/// What an earlier life of an agent has come to.
#[derive(Default)]
pub(super) struct Earlier {
    pub(super) standing: Standing,
    /// What the script has said to it.
    pub(super) heard: Vec<String>,
}

/// Begins the conversation of the agent `id` with `texts`, behind what its ancestor said, if it has
/// one, and before what was said to it while it was queued. One that was cut off goes on where it was.
///
/// # Errors
/// Usage, when nothing was said there; io, when it cannot be read.
pub(super) async fn begin(order: &Order, id: &str, texts: Vec<String>) -> Result<Beginning> {
    let (store, model) = (&order.store, &*order.query.model);
    let mut transcript = Transcript::new(Arc::clone(store), id, order.events.clone());
    if order.again.is_some() {
        let own = store.said(id).await?.len();
        transcript = transcript.after(u32::try_from(own).unwrap_or(u32::MAX));
        if let Some(Kept { history, standing: Some(standing), sent, .. }) =
            load(store, id, model).await?
        {
            let earlier = Some(Earlier { standing, heard: sent });
            return Ok(Beginning { history, transcript, earlier });
        }
        // Nobody has answered what was said: it is said again, as it is today.
        if own > 0 {
            transcript.add(&Entry::Anew).await;
        }
    }
    let mut history = match &order.ancestor {
        None => {
            transcript.add(&Entry::Opening { texts: Cow::Borrowed(&texts) }).await;
            History::new(texts)
        }
        Some(Ancestor { id: past, .. }) => {
            let Some(Kept { mut history, entries, .. }) = load(store, past, model).await? else {
                return Err(Error::usage(format!(
                    "nothing is kept of what `{past}` said: it cannot go on"
                ))
                .hint("it may have ended before it began, or too long ago: ask a new agent"));
            };
            transcript.add(&Entry::Past { agent: Cow::Borrowed(past), entries }).await;
            transcript.add(&Entry::Said { texts: Cow::Borrowed(&texts), sent: false }).await;
            history.mend()?;
            history.add_said(texts)?;
            history
        }
    };
    for word in order.live.inbox.take() {
        let (texts, sent) = (vec![word.text], word.source == Source::Script);
        transcript.add(&Entry::Said { texts: Cow::Borrowed(&texts), sent }).await;
        history.add_said(texts)?;
    }
    Ok(Beginning { history, transcript, earlier: None })
}
