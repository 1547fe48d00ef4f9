//! The ids that pair tool calls with their results: unique within a conversation, whatever the
//! server sent.

use std::collections::HashSet;

use super::{Message, Request};

/// The ids of a conversation; gives out those of the next reply.
#[derive(Debug)]
pub struct CallIds {
    turn: u32,
    taken: HashSet<String>,
}

impl CallIds {
    /// Collects the ids of the conversation so far.
    pub fn of(request: &Request) -> Self {
        let replies = request.messages.iter().filter_map(|message| match message {
            Message::Assistant(reply) => Some(reply),
            Message::User { .. } => None,
        });
        let taken = replies.flat_map(|reply| &reply.calls).map(|call| call.id.clone()).collect();
        Self { turn: request.turn, taken }
    }

    /// Returns `proposed` if it is an id that nobody has, else one made from the turn, so that the
    /// same answers give the same ids.
    pub fn claim(&mut self, proposed: &str) -> String {
        let mut id = proposed.to_owned();
        let mut number = 0;
        while id.is_empty() || self.taken.contains(&id) {
            number += 1;
            id = format!("call_{}_{number}", self.turn);
        }
        self.taken.insert(id.clone());
        id
    }
}
