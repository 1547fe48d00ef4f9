//! What a request asks: what is new in it since the last answer, and what it asks beside that. Compared
//! with what was recorded, after both were made [`normal`].
//!
//! System prompt, tools and texts have to be the same; what tools say may differ, and whatever follows
//! [`OUTPUT`] in a text is that too.

use std::collections::HashMap;

use serde_json::Value;

use super::OUTPUT;
use super::line::{Answer, Resulted, Said};
use super::mask::Mask;
use super::normal::{normal, normal_output};
use crate::model::{Message, Request};

/// A question with everything hidden in it that has to be.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The system prompt.
    pub system: Value,
    /// The tools.
    pub tools: Value,
    /// What calls came to since the last answer.
    pub results: Vec<Resulted>,
    /// What was said since.
    pub texts: Vec<String>,
}

/// What of a question has to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The texts.
    Texts,
    /// The system prompt.
    System,
    /// The tools.
    Tools,
}

impl Part {
    /// All of them, what people change most first.
    pub const ALL: [Self; 3] = [Self::Texts, Self::System, Self::Tools];

    /// Returns its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Texts => "text",
            Self::System => "system prompt",
            Self::Tools => "tools",
        }
    }
}

impl Question {
    /// Reads a request.
    pub fn of(request: &Request, mask: &Mask) -> Self {
        let caller = &request.caller;
        let answered = request.messages.iter().rposition(|m| matches!(m, Message::Assistant(_)));
        let news = &request.messages[answered.map_or(0, |at| at + 1)..];
        let mut question = Self {
            system: Value::String(mask.hide(&request.system, caller).into_owned()),
            // A tool is as it was told; a value that cannot be written is none.
            tools: serde_json::to_value(&*request.tools).unwrap_or_default(),
            ..Self::default()
        };
        mask.hide_in(&mut question.tools, caller);
        for message in news {
            let Message::User { results, texts } = message else { continue };
            question.results.extend(results.iter().map(|result| {
                let mut kept = Resulted::from(result);
                kept.content = mask.hide(&kept.content, caller).into_owned();
                kept
            }));
            let texts = texts.iter().map(|text| mask.hide(text, caller).into_owned());
            question.texts.extend(texts);
        }
        question
    }

    /// Returns a question as it was recorded. `kept` has the values that it names.
    pub fn recorded(answer: &Answer, kept: &HashMap<String, Value>) -> Self {
        let value = |hash: &String| kept.get(hash).cloned().unwrap_or_default();
        let text = |said: &Said| match said {
            Said::Text(text) => text.clone(),
            Said::Kept { kept } => value(kept).as_str().unwrap_or_default().to_owned(),
        };
        Self {
            system: value(&answer.system),
            tools: value(&answer.tools),
            results: answer.results.clone(),
            texts: answer.texts.iter().map(text).collect(),
        }
    }

    /// Returns a part as it is compared.
    pub fn part(&self, part: Part) -> String {
        match part {
            Part::Texts => {
                let asked = |text: &String| match text.split_once(OUTPUT) {
                    Some((asked, _)) => normal(asked) + OUTPUT,
                    None => normal(text),
                };
                self.texts.iter().map(asked).collect::<Vec<_>>().join("\n\n")
            }
            Part::System => normal(self.system.as_str().unwrap_or_default()),
            Part::Tools => normal(&format!("{:#}", self.tools)),
        }
    }

    /// Returns the parts in which it is not the same as `other`.
    pub fn differences(&self, other: &Self) -> Vec<Part> {
        let is_same = |part: &Part| match part {
            Part::Texts => self.texts == other.texts,
            Part::System => self.system == other.system,
            Part::Tools => self.tools == other.tools,
        };
        let differs = |part: &Part| !is_same(part) && self.part(*part) != other.part(*part);
        Part::ALL.into_iter().filter(differs).collect()
    }

    /// Returns the results that are not what they were, with what they were: both as they are compared.
    pub fn changed_results<'a>(&'a self, recorded: &Self) -> Vec<(&'a str, String, String)> {
        let mut changed = Vec::new();
        for now in &self.results {
            let Some(then) = recorded.results.iter().find(|then| then.id == now.id) else {
                continue;
            };
            if now.content == then.content && now.is_error == then.is_error {
                continue;
            }
            let (before, after) = (compared(then), compared(now));
            if before != after {
                changed.push((now.name.as_str(), before, after));
            }
        }
        changed
    }
}

fn compared(result: &Resulted) -> String {
    let content = normal_output(&result.content);
    if result.is_error { format!("[failed] {content}") } else { content }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scripted::{request, result, user};

    fn asked(text: &str) -> Question {
        Question::of(&request(text), &Mask::default())
    }

    #[test]
    fn what_is_new_is_what_follows_the_last_answer() {
        let mut request = request("first");
        request.messages.push(crate::model::scripted::called("a"));
        request.messages.push(Message::User {
            results: vec![result("a", "said", false)],
            texts: vec!["then".to_owned()],
        });
        let question = Question::of(&request, &Mask::default());
        assert_eq!(question.texts, ["then"]);
        assert_eq!(question.results[0].content, "said");
        request.messages.push(user("unheard"));
        assert_eq!(Question::of(&request, &Mask::default()).texts, ["then", "unheard"]);
    }

    #[test]
    fn texts_count_and_what_commands_say_in_them_does_not() {
        assert!(asked("on 2026-01-01").differences(&asked("on 2026-02-02")).is_empty());
        assert_eq!(asked("fix a").differences(&asked("fix b")), [Part::Texts]);
        let red = |output: &str| asked(&format!("not good: x. {OUTPUT}{output}"));
        assert!(red("1 failed").differences(&red("2 failed")).is_empty());
        assert_eq!(asked(&format!("y. {OUTPUT}1")).differences(&red("1")), [Part::Texts]);
        let mut other = request("fix a");
        other.system = "other".into();
        other.tools = [crate::model::scripted::tool("x")].into();
        let other = Question::of(&other, &Mask::default());
        assert_eq!(asked("fix a").differences(&other), [Part::System, Part::Tools]);
    }

    #[test]
    fn results_differ_by_what_they_say_and_not_by_how_long_it_took() {
        let with = |content: &str, is_error| Question {
            results: vec![Resulted::from(&result("a", content, is_error))],
            ..Question::default()
        };
        assert!(with("ok in 1 s", false).changed_results(&with("ok in 2 s", false)).is_empty());
        assert_eq!(with("ok", false).changed_results(&with("no", false)).len(), 1);
        assert_eq!(with("ok", true).changed_results(&with("ok", false)).len(), 1);
        assert!(with("ok", true).changed_results(&Question::default()).is_empty());
    }
}
