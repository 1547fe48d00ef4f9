//! Finds what a message talks about in the source: the option or the value that it names, else the call.
//!
//! Lua knows lines and no columns, so this reads the line and the call that begins in it. Where the
//! words are not found nothing is marked: a caret in the wrong place is worse than none.

use std::ops::Range;

use super::text::{Call, Text};
use crate::error::Error;
use crate::suggest::snake_case;
use crate::vm::chunk::Syntax;

type Place = Range<usize>;

/// The modules that scripts call; a call of one is likelier meant than one of something else.
const MODULES: [&str; 7] = ["agent", "git", "github", "sh", "fs", "json", "log"];
/// Of the standard library, what raises what the script says.
const RAISERS: [&str; 3] = ["error", "assert", "require"];
/// Words of messages about the value that an option has.
const OF_VALUES: [&str; 6] =
    ["must be", "is empty", "is not", "is no ", "names no", "already exists"];

/// Returns what an error at `line` is about.
/// `is_ours` tells whether a function of ours has raised it, and not Lua or the script.
pub fn marks(text: &Text<'_>, line: usize, error: &Error, is_ours: bool) -> Vec<Place> {
    let message = error.message.as_str();
    if is_ours && is_syntax(message) {
        return of_syntax(text, line, message);
    }
    // A callback's error has the name of the callback in front.
    let lua = ["attempt to ", "bad argument #", "bad 'for' "].iter().find_map(|sign| {
        let start = message.find(sign)?;
        Some(&message[start..])
    });
    let of_lua = lua.and_then(|message| of_lua(text, line, message));
    let hint = error.hint.as_deref().unwrap_or_default();
    // What a model's own function raises has the model in front, which says nothing about the line.
    if let Some((_, raised)) =
        message.strip_prefix("model `").and_then(|rest| rest.split_once("`: "))
        && text.calls(line).iter().any(|call| RAISERS.contains(&call.path.as_str()))
    {
        return of_lua.or_else(|| of_call(text, line, (raised, ""), false)).into_iter().collect();
    }
    of_lua.or_else(|| of_call(text, line, (message, hint), is_ours)).into_iter().collect()
}

/// Returns the texts in backticks.
fn named(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// Returns what stands between `before` and `after`.
fn between<'a>(message: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

/// Finds a variable, a field or an argument that Lua's own message names.
fn of_lua(text: &Text<'_>, line: usize, message: &str) -> Option<Place> {
    if let Some(rest) = message.strip_prefix("bad argument #") {
        let number: usize = rest.split(' ').next()?.parse().ok()?;
        let function = between(rest, "to '", "'")?;
        let calls = text.calls(line).into_iter();
        let call = only(calls.filter(|call| last_part(&call.path) == function))?;
        return argument(text, &call, number).or(Some(call.callee));
    }
    if message.starts_with("bad 'for' ") {
        return text.words_of(line).find(|index| text.word(*index) == "for").and_then(|index| {
            let limit = text.words_of(line).end;
            let end = (index..limit).find(|index| text.word(*index) == "do").unwrap_or(limit);
            text.place(index..end)
        });
    }
    if message.starts_with("attempt to compare ") {
        let mut words = text.words_of(line);
        let index = words.find(|index| matches!(text.word(*index), "<" | ">"))?;
        let second = usize::from(text.word(index + 1) == "=");
        return text.place(index..index + 1 + second);
    }
    let rest = message.strip_prefix("attempt to ")?;
    let Some((_, what)) = rest.rsplit_once(" (") else { return operator(text, line, rest) };
    let (sort, name) = what.trim_end_matches(')').split_once(' ')?;
    let name = name.trim_matches('\'');
    let is_it = |index: usize| {
        let (before, after) = (text.word(index.wrapping_sub(1)), text.word(index + 1));
        let is_text = text.said(index) == Some(name);
        // `..` is two words.
        let is_field = before == "." && text.word(index.wrapping_sub(2)) != ".";
        let sort_fits = match sort {
            "method" => before == ":",
            "field" => is_field || (before == "[" && is_text),
            "constant" => is_text,
            _ => !is_field && before != ":",
        };
        let after = if is_text && after == "]" { text.word(index + 2) } else { after };
        let opens = || matches!(after, "(" | "{") || after.starts_with(['"', '\'', '[']);
        let operates = |word: &str| matches!(word, "." | "+" | "-" | "*" | "/" | "%" | "^" | "#");
        let use_fits = if rest.starts_with("call") {
            opens()
        } else if rest.starts_with("index") {
            matches!(after, "." | "[" | ":")
        } else {
            operates(after) || operates(before)
        };
        (text.word(index) == name || is_text) && sort_fits && use_fits
    };
    text.words_of(line).find(|index| is_it(*index)).and_then(|index| text.place(index..index + 1))
}

/// Returns the one that there is; of several none is known to be meant.
fn only<T>(mut found: impl Iterator<Item = T>) -> Option<T> {
    found.next().filter(|_| found.next().is_none())
}

/// Finds the only operator in a line that can be meant.
fn operator(text: &Text<'_>, line: usize, rest: &str) -> Option<Place> {
    let is_it = |index: usize| match rest {
        _ if rest.starts_with("concatenate") => {
            text.word(index) == "." && text.word(index + 1) == "."
        }
        _ if rest.starts_with("perform arithmetic") || rest.starts_with("add") => {
            matches!(text.word(index), "+" | "-" | "*" | "/" | "%" | "^")
        }
        _ => false,
    };
    let index = only(text.words_of(line).filter(|index| is_it(*index)))?;
    text.place(index..index + if rest.starts_with("concatenate") { 2 } else { 1 })
}

fn last_part(path: &str) -> &str {
    path.rsplit(['.', ':']).next().unwrap_or(path)
}

/// Returns the place of an argument of a call, from 1; nothing when it has fewer.
fn argument(text: &Text<'_>, call: &Call, number: usize) -> Option<Place> {
    let arguments = call.arguments.clone();
    if text.word(arguments.start) != "(" {
        return text.place(arguments).filter(|_| number == 1);
    }
    let element = text.elements(arguments).into_iter().nth(number.checked_sub(1)?)?;
    text.place(element.value)
}

/// Finds what one of our messages names in the call that it is about, else the call.
fn of_call(
    text: &Text<'_>,
    line: usize,
    (message, hint): (&str, &str),
    is_ours: bool,
) -> Option<Place> {
    let Some(call) = call_of(text, line, (message, hint), is_ours) else {
        return word_on(text, line, message);
    };
    if !is_ours {
        let told = named(message).find_map(|name| {
            let mut words = call.arguments.clone();
            let index = words.find(|index| text.said(*index) == Some(name))?;
            text.place(index..index + 1)
        });
        return told.or(Some(call.callee));
    }
    let mut within = call.arguments.clone();
    let mut item = None;
    if let Some(number) = between(message, "argument ", " ").and_then(|word| word.parse().ok())
        && let Some(place) = argument(text, &call, number)
    {
        return Some(place);
    }
    if let Some(words) = item_of(text, &call, message) {
        // Of a call what is called; a table whole.
        let opens = |index: &usize| matches!(text.word(*index), "(" | "{");
        let callee = words.clone().take_while(|index| !opens(index)).count();
        let shown = if callee == 0 { words.clone() } else { words.start..words.start + callee };
        item = text.place(shown);
        within = words;
    }
    let is_function = |word: &str| last_part(word) == untried(last_part(&call.path));
    // What a hint says to change comes last: `raise max_turns`.
    for word in named(message).chain(named(hint)).filter(|word| !is_function(word)) {
        if let Some(place) = within_call(text, within.clone(), word, message) {
            return Some(place);
        }
    }
    item.or_else(|| word_on(text, line, message)).or(Some(call.callee))
}

/// Returns the name without the mark of a twin.
fn untried(name: &str) -> &str {
    name.strip_prefix("try_").unwrap_or(name)
}

/// Returns the call at a line that a message is about. Where several of one function begin there, it is the
/// one that has what the message names.
fn call_of(
    text: &Text<'_>,
    line: usize,
    (message, hint): (&str, &str),
    is_ours: bool,
) -> Option<Call> {
    let mut calls = text.calls(line);
    let is_named = |call: &Call, name: &str| {
        let is_same = untried(last_part(name)) == untried(last_part(&call.path));
        let is_method = name.contains(':') && call.path.contains(':');
        is_same && (is_method || call.path == name || name.contains('.') && call.path.contains('.'))
    };
    let root = |call: &Call| call.path.split(['.', ':']).next().unwrap_or_default().to_owned();
    let is_module = |call: &Call| MODULES.contains(&root(call).as_str());
    let is_raiser = |call: &Call| RAISERS.contains(&call.path.as_str());
    let named =
        || named(message).find_map(|name| calls.iter().position(|call| is_named(call, name)));
    let index = if is_ours {
        named()
            .or_else(|| calls.iter().position(is_module))
            .or_else(|| calls.iter().position(|call| call.path.contains(':')))
    } else {
        calls.iter().position(is_raiser)
    };
    let call = calls.swap_remove(index.or_else(|| (calls.len() == 1).then_some(0))?);
    if calls.iter().all(|other| other.path != call.path) {
        return Some(call);
    }
    calls.push(call);
    let path = calls.last()?.path.clone();
    let has_it = |call: &Call| {
        let mut words = self::named(message).chain(self::named(hint));
        words.any(|word| within_call(text, call.arguments.clone(), word, message).is_some())
    };
    only(calls.into_iter().filter(|call| call.path == path && has_it(call)))
}

/// Returns the words of the item of a fan-out that a message names.
fn item_of(text: &Text<'_>, call: &Call, message: &str) -> Option<Range<usize>> {
    let named = between(message, ": item ", " ").or_else(|| between(message, ": item ", ":"))?;
    let name = named.trim_matches([':', '`']);
    let mut table = call.arguments.clone();
    if text.word(table.start) == "(" {
        table = text.elements(table).into_iter().next()?.value;
    }
    let elements = text.elements(table);
    let element = match name.parse::<usize>() {
        Ok(number) => elements.into_iter().filter(|item| item.key.is_none()).nth(number - 1),
        Err(_) => {
            elements.into_iter().find(|item| item.key.as_ref().is_some_and(|(key, _)| key == name))
        }
    };
    element.map(|element| element.value)
}

/// Finds an option, or a string, in the words of a call.
fn within_call(text: &Text<'_>, words: Range<usize>, name: &str, message: &str) -> Option<Place> {
    let last = last_part(name);
    let is_key = |index: usize| {
        let word = text.said(index).unwrap_or_else(|| text.word(index));
        let close = usize::from(text.word(index + 1) == "]");
        let assigned = text.word(index + 1 + close) == "=" && text.word(index + 2 + close) != "=";
        assigned && (word == name || word == last || snake_case(word) == last)
    };
    if let Some(index) = words.clone().find(|index| is_key(*index)) {
        let is_value = OF_VALUES.iter().any(|sign| message.contains(sign));
        let value = is_value.then(|| value_of(text, index, words.end)).flatten();
        return value.or_else(|| text.place(index..index + 1));
    }
    let index = words.clone().find(|index| text.said(*index) == Some(name))?;
    text.place(index..index + 1)
}

/// Returns the place of the value that a key is given, as far as one can see in one line.
fn value_of(text: &Text<'_>, key: usize, end: usize) -> Option<Place> {
    let equals = (key + 1..end).find(|index| text.word(*index) == "=")?;
    // The elements from here on: the first one is the value.
    let value = text.elements(equals..end).into_iter().next()?.value;
    text.place(value)
}

/// Finds a name of the message in the line.
fn word_on(text: &Text<'_>, line: usize, message: &str) -> Option<Place> {
    named(message).find_map(|name| {
        let is_it = |index: &usize| {
            text.said(*index) == Some(name) || (text.is_name(*index) && text.word(*index) == name)
        };
        let index = only(text.words_of(line).filter(is_it))?;
        text.place(index..index + 1)
    })
}

/// Reports whether a message is Lua's about a text that is no Lua.
pub fn is_syntax(message: &str) -> bool {
    (message.contains(" near ") && message.ends_with(['\'', '>']))
        || message.starts_with("attempt to assign to const variable")
        || message.ends_with(" for `goto`")
        || message.starts_with("break outside ")
}

/// Finds the word that the compiler stumbled over, and the one that it wants closed.
fn of_syntax(text: &Text<'_>, line: usize, message: &str) -> Vec<Place> {
    let mut marks = Vec::new();
    if let Some((word, rest)) =
        between(message, "(to close ", ")").and_then(|t| t.split_once(" at line "))
        && let Ok(line) = rest.parse()
    {
        marks.extend(last_on(text, line, word.trim_matches('\'')));
    }
    let started = between(message, "(starting at line ", ")").and_then(|line| line.parse().ok());
    if let Some(line) = started {
        let open = text.words_of(line).find(|index| text.class(*index) == text.class(usize::MAX));
        let last = text.words_of(line).last();
        marks.extend(open.or(last).and_then(|index| text.place(index..index + 1)));
        return marks;
    }
    if message.ends_with("<eof>") {
        // Behind the last word that there is.
        let end =
            text.line(text.last_line()).map(|line| line.start + text.at(line).trim_end().len());
        marks.extend(end.map(|end| end..end));
        return marks;
    }
    if message.starts_with("unfinished string") {
        let open = text.words_of(line).last();
        marks.extend(open.and_then(|index| text.place(index..index + 1)));
        return marks;
    }
    let quoted = between(message, " variable '", "'").or_else(|| between(message, " label '", "'"));
    let quoted = quoted.or(message.starts_with("break outside ").then_some("break"));
    if let Some(name) = quoted {
        let mut words = text.words_of(line);
        let found = words.find(|index| text.word(*index) == name && text.word(index + 1) == "=");
        let found = found.or_else(|| text.words_of(line).find(|index| text.word(*index) == name));
        marks.extend(found.and_then(|index| text.place(index..index + 1)));
        return marks;
    }
    // The first word that makes the text before it wrong, and not only unfinished.
    let syntax = Syntax::new();
    let is_wrong = |index: &usize| {
        let Some(place) = text.place(*index..index + 1) else { return false };
        let before = text.at(0..place.end).as_bytes();
        syntax.check(before, "text").is_err_and(|error| !error.message.ends_with("<eof>"))
    };
    let found = text.words_of(line).find(is_wrong);
    marks.extend(found.and_then(|index| text.place(index..index + 1)));
    marks
}

/// Returns the last such word of a line that nothing in the line closes.
fn last_on(text: &Text<'_>, line: usize, word: &str) -> Option<Place> {
    let closing = match word {
        "(" => ")",
        "{" => "}",
        "[" => "]",
        _ => "end",
    };
    let mut closed = 0_usize;
    for index in text.words_of(line).rev() {
        match text.word(index) {
            found if found == closing => closed += 1,
            found if found == word && closed == 0 => return text.place(index..index + 1),
            found if found == word => closed -= 1,
            _ => {}
        }
    }
    None
}
