//! Calls that nothing in the journal is certain to be: what they are named, and the branch that they ask
//! for by name where an earlier life's agent has made it, whose call was changed and moved at once.

use std::sync::Arc;

use super::book::Book;
use super::fit::{Fit, is_certain};
use super::told::{asked_anew, changed};
use super::{Earlier, Found, Host, Recall};
use crate::agent::fleet::Order;
use crate::agent::key;
use crate::agent::query::{Site, Start};
use crate::error::Result;
use crate::event::{Event, Level};
use crate::git::Taken;

impl Host {
    /// Lets a call that is found nowhere take the place of the one that it was before it was changed, if it
    /// is certain which that is: the one at its path, or the one whose branch it asks for.
    pub(super) async fn claim(
        self: &Arc<Self>,
        recall: &Recall,
        order: &mut Order,
        book: &mut Book,
        free: bool,
        earlier: Earlier,
    ) -> Result<Found> {
        let there = book.at(&order.query.call_path);
        let certain = there.filter(|at| !free || is_certain(order, &book.call(*at).row));
        if let Some(at) = certain.or_else(|| book.maker(new_branch(order)?)) {
            let why = self.difference(order, book, at, earlier).await?;
            return self.take(order, book, at, Fit::Not(why)).await;
        }
        let Some(at) = there else {
            self.clear_way(order, book).await?;
            return Ok(Found::Nothing);
        };
        let (row, label) = (&book.call(at).row, &order.query.label);
        let mut found = Found::Nothing;
        if let names @ [_] = &differing(order, book, at)[..] {
            let why = changed(names);
            recall.told.again(asked_anew(label, &row.id, &row.label, &why));
            found = Found::Instead(why);
        } else {
            // Hardly an edit of the one that stood there.
            recall.told.now();
            let text = format!("`{label}` is new");
            self.events().emit(Event::Message { level: Level::Info, text });
        }
        recall.queue.forget(row.place);
        book.displace(at);
        self.clear_way(order, book).await?;
        Ok(found)
    }

    /// Says why a call that takes the place of another is not that one.
    async fn difference(
        self: &Arc<Self>,
        order: &Order,
        book: &Book,
        at: usize,
        earlier: Earlier,
    ) -> Result<String> {
        if book.call(at).row.key.as_ref() == Some(&order.key.hash)
            && let Fit::Not(why) = self.fit(order, book, at, earlier).await?
        {
            return Ok(why);
        }
        Ok(changed(&differing(order, book, at)))
    }
}

fn differing(order: &Order, book: &Book, at: usize) -> Vec<String> {
    let before = book.call(at).row.inputs.as_deref().unwrap_or_default();
    key::changed(before, &order.key.inputs)
}

/// Returns the branch that an order wants and that must not be there yet.
fn new_branch(order: &Order) -> Option<&str> {
    let Site::Worktree(plan) = &order.query.site else { return None };
    match &plan.start {
        Start::Fresh { branch, taken: Taken::Refuse, .. }
        | Start::Past { branch, taken: Taken::Refuse } => branch.as_deref(),
        _ => None,
    }
}
