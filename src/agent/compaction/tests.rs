//! Conversations of any shape, summed up at any time, written down and taken up again.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::agent::standing::Standing;
use crate::agent::transcript::{Entry, restored, since_anew};
use crate::event::Usage;
use crate::model::rate::RateLimits;
use crate::model::{ToolCall, ToolResult};

/// One step of a conversation.
#[derive(Clone, Debug)]
enum Step {
    /// A reply with calls, each with the size of its result.
    Calls(Vec<usize>),
    /// A reply without calls, and what it is told.
    Text,
    /// Words of the user.
    Said(usize),
    /// Room is made; what is kept has this share of the whole, in hundredths.
    SumUp(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(0..4_000_usize, 1..4).prop_map(Step::Calls),
        1 => Just(Step::Text),
        1 => prop_oneof![1..50_usize, 30_000..40_000_usize].prop_map(Step::Said),
        1 => (0..60_usize).prop_map(Step::SumUp),
    ];
    prop::collection::vec(step, 0..40)
}

fn reply(turn: usize, calls: usize) -> Arc<Reply> {
    let ids = (0..calls).map(|index| format!("call_{turn}_{index}"));
    let calls: Vec<_> =
        ids.map(|id| ToolCall { id, name: "T".into(), input: Ok(json!({})) }).collect();
    Arc::new(Reply {
        text: format!("reply {turn}"),
        wire: json!([{ "type": "thinking", "signature": turn }]),
        wire_format: "test",
        stop: StopReason::ToolUse,
        usage: Usage::default(),
        limits: RateLimits::default(),
        calls,
    })
}

/// A conversation as it is held: the history, what was written of it, the words of the user.
struct Held {
    history: History,
    written: Vec<Value>,
    words: Vec<String>,
    turn: usize,
}

impl Held {
    fn new() -> Self {
        let texts = vec!["the task".to_owned(), "<environment>".to_owned()];
        let written = vec![json!({ "type": "opening", "texts": texts })];
        Self { history: History::new(texts), written, words: Vec::new(), turn: 0 }
    }

    fn write(&mut self, entry: &Entry<'_>) {
        self.written.push(serde_json::to_value(entry).unwrap());
    }

    fn say(&mut self, calls: usize) -> Arc<Reply> {
        self.turn += 1;
        let reply = reply(self.turn, calls);
        self.history.push_reply(Arc::clone(&reply)).unwrap();
        self.write(&Entry::reply(&reply, "model", Standing::default()));
        reply
    }

    fn answer(&mut self, results: Vec<ToolResult>, texts: Vec<String>) {
        self.write(&Entry::answer(&results, &texts, Standing::default()));
        self.history.push_answer(results, texts).unwrap();
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Calls(sizes) => {
                let reply = self.say(sizes.len());
                let result = |(call, size): (&ToolCall, &usize)| ToolResult {
                    id: call.id.clone(),
                    name: "T".into(),
                    content: "é".repeat(*size),
                    media: vec![],
                    is_error: false,
                };
                self.answer(reply.calls.iter().zip(sizes).map(result).collect(), vec![]);
            }
            Step::Text => {
                self.say(0);
                self.answer(vec![], vec!["go on".to_owned()]);
            }
            Step::Said(size) => {
                let word = format!("{}{}", self.words.len(), "w".repeat(*size));
                self.words.push(word.clone());
                self.write(&Entry::Said { texts: (&[word.clone()][..]).into(), sent: false });
                self.history.add_said(vec![word]).unwrap();
            }
            Step::SumUp(percent) => {
                let before = weight_of(self.history.messages());
                let (from, longest) = cut(self.history.messages(), before * percent / 100);
                let summary = framed(&format!("up to {}", self.turn));
                self.history.sum_up(&summary, from, longest).unwrap();
                self.write(&Entry::SummedUp { summary: summary.into(), from, longest });
            }
        }
    }
}

/// Fails unless a provider would take it.
fn assert_sound(messages: &[Message]) {
    let mut ids = HashSet::new();
    for (at, message) in messages.iter().enumerate() {
        match message {
            Message::Assistant(reply) => {
                assert!(at % 2 == 1, "roles alternate");
                let Message::User { results, .. } = &messages[at + 1] else { panic!("no answer") };
                let called = reply.calls.iter().map(|call| &call.id);
                assert!(
                    called.eq(results.iter().map(|result| &result.id)),
                    "a result for each call"
                );
                assert!(reply.calls.iter().all(|call| ids.insert(&call.id)), "an id twice");
            }
            Message::User { results, texts } => {
                assert!(at % 2 == 0, "roles alternate");
                assert!(!results.is_empty() || !texts.is_empty(), "an empty message");
                assert!(at > 0 || results.is_empty(), "a result without a call");
            }
        }
    }
    assert!(matches!(messages.last(), Some(Message::User { .. })), "it is the model's turn");
}

fn shown(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|message| format!("{message:?}")).collect()
}

fn texts(messages: &[Message]) -> Vec<&str> {
    let texts = messages.iter().flat_map(|message| match message {
        Message::User { texts, .. } => texts.as_slice(),
        Message::Assistant(_) => &[],
    });
    texts.map(String::as_str).collect()
}

proptest! {
    #[test]
    fn whatever_is_summed_up_stays_a_conversation(steps in steps()) {
        let mut held = Held::new();
        for step in &steps {
            let before = held.history.messages().to_vec();
            held.take(step);
            let now = held.history.messages();
            assert_sound(now);
            let all = texts(now);
            prop_assert_eq!(&all[..2], &["the task", "<environment>"]);
            // What the user said in so many words is there once, as it was.
            for word in held.words.iter().filter(|word| word.len() <= 32 * 1024) {
                prop_assert_eq!(all.iter().filter(|text| *text == word).count(), 1);
            }
            prop_assert!(all.iter().filter(|text| text.starts_with("<summary>")).count() <= 1);
            if let Step::SumUp(percent) = step {
                let said: usize = held.words.iter().map(String::len).sum();
                // The notes on what is missing, the summary and the user's words come on top.
                let most = weight_of(&before) * percent / 100 + said + 2_000;
                prop_assert!(weight_of(now) <= most, "{} of {most}", weight_of(now));
                // Kept turns are the very ones.
                let kept = now.iter().rev().zip(before.iter().rev());
                for (now, before) in kept.take(now.len() - 1) {
                    match (now, before) {
                        (Message::Assistant(now), Message::Assistant(before)) => {
                            prop_assert!(Arc::ptr_eq(now, before));
                        }
                        (Message::User { .. }, Message::User { .. }) => {}
                        _ => prop_assert!(false, "a turn came apart"),
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_written_is_what_was_said(steps in steps(), open in prop::bool::ANY) {
        let mut held = Held::new();
        for step in &steps {
            held.take(step);
        }
        if open {
            // It was cut off in the middle of its calls.
            held.say(2);
        }
        let texts = held.written.iter().map(Value::to_string).collect();
        let entries = since_anew(texts).unwrap();
        let mut restored = restored(entries, "model", "test").unwrap().unwrap();
        prop_assert_eq!(shown(restored.messages()), shown(held.history.messages()));
        restored.mend().unwrap();
        restored.add_said(vec!["go on".into()]).unwrap();
        assert_sound(restored.messages());
        // And it can be made shorter as before.
        let (from, longest) = cut(restored.messages(), 1_000);
        restored.sum_up("all", from, longest).unwrap();
        assert_sound(restored.messages());
    }

    #[test]
    fn another_model_is_told_the_same_without_signatures(steps in steps()) {
        let mut held = Held::new();
        for step in &steps {
            held.take(step);
        }
        let texts: Vec<String> = held.written.iter().map(Value::to_string).collect();
        for (model, wire) in [("another", "test"), ("model", "another")] {
            let entries = since_anew(texts.clone()).unwrap();
            let restored = restored(entries, model, wire).unwrap().unwrap();
            assert_sound(restored.messages());
            for message in restored.messages() {
                if let Message::Assistant(reply) = message {
                    prop_assert!(reply.wire.is_null() && reply.text.starts_with("reply "));
                }
            }
        }
    }
}

#[test]
fn the_last_turn_is_cut_rather_than_lost() {
    let mut held = Held::new();
    for _ in 0..4 {
        held.take(&Step::Calls(vec![3_000, 10]));
    }
    let messages = held.history.messages();
    let (from, longest) = cut(messages, 2_000);
    assert_eq!(from, messages.len() - 2);
    assert!((900..1_000).contains(&longest), "{longest}");
    assert_eq!(cut(messages, 100), (messages.len(), usize::MAX), "not even that");
    held.history.sum_up("s", from, longest).unwrap();
    let Some(Message::User { results, .. }) = held.history.messages().last() else { panic!() };
    assert!(results[0].content.contains("bytes left out]") && results[0].content.len() < 1_100);
    assert_eq!(results[1].content.len(), 20);
}

#[test]
fn a_turn_does_not_come_apart() {
    let mut held = Held::new();
    held.take(&Step::Calls(vec![1]));
    for wrong in [0, 2, 4] {
        assert!(held.history.clone().sum_up("s", wrong, usize::MAX).is_err(), "{wrong}");
    }
    held.say(1);
    assert!(held.history.sum_up("s", 3, usize::MAX).is_err(), "its calls are open");
}
