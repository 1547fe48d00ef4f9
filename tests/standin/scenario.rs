//! The scripted model: what it says next, from a directive and the conversation alone.
//!
//! It knows no wire format and keeps no state. When a result is not what it needs its final text
//! starts with `SCENARIO FAILED:`, so that a test that looks at the text sees it.

use serde_json::{Value, json};

use super::directive::Directive;
use super::edit;
use super::talk::{Call, Outcome, Part, Reply, Step, Stop, Talk, UNKNOWN_TOOL};

/// The start of the text of a scenario that cannot go on.
pub const FAILED: &str = "SCENARIO FAILED:";
const OVER: &str = "Nothing more to do.";

/// Why there is no next reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stray {
    /// A result is not what the scenario needs: the model says so.
    Failed(String),
    /// The client did what it must never do: the request is refused.
    Violation(String),
}

type Next = Result<Reply, Stray>;

fn failed<T>(why: impl Into<String>) -> Result<T, Stray> {
    Err(Stray::Failed(why.into()))
}

/// Where a conversation stands.
pub struct Turn<'a> {
    directive: Directive,
    steps: &'a [Step],
    /// From 1, counted from the message with the directive.
    pub number: u32,
    /// The same was asked, and answered in full, before.
    again: bool,
}

impl<'a> Turn<'a> {
    /// Finds the newest directive of the user, if there is one.
    pub fn find(talk: &'a Talk, again: bool) -> Result<Option<Self>, String> {
        for (index, step) in talk.steps.iter().enumerate().rev() {
            let Step::User { text, .. } = step else { continue };
            let Some(directive) = Directive::find(text) else { continue };
            let steps = &talk.steps[index..];
            let replies = steps.iter().filter(|step| matches!(step, Step::Assistant { .. }));
            let number = u32::try_from(replies.count()).unwrap_or(u32::MAX).saturating_add(1);
            return directive.map(|directive| Some(Self { directive, steps, number, again }));
        }
        Ok(None)
    }

    /// Returns the value of a parameter.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.directive.text(key)
    }

    /// Returns the value of a parameter as a number.
    pub fn parameter(&self, key: &str) -> Option<u64> {
        self.directive.number(key)
    }

    fn need(&self, key: &str) -> Result<&str, Stray> {
        let name = &self.directive.name;
        self.text(key).ok_or_else(|| Stray::Failed(format!("`{name}` needs `{key}=`")))
    }

    /// Returns the calls of a turn with their results.
    fn outcomes(&self, turn: u32) -> Vec<(&Call, &Outcome)> {
        let mut replies = self.steps.iter().enumerate().filter_map(|(index, step)| match step {
            Step::Assistant { calls, .. } => Some((index, calls)),
            Step::User { .. } => None,
        });
        let Some((index, calls)) = replies.nth(turn.saturating_sub(1) as usize) else {
            return Vec::new();
        };
        let Some(Step::User { results, .. }) = self.steps.get(index + 1) else { return Vec::new() };
        let paired = |call| results.iter().find(|result: &&Outcome| Call::id(call) == result.id);
        calls.iter().filter_map(|call| Some((call, paired(call)?))).collect()
    }

    /// Returns the results of the turn before.
    fn last(&self) -> Vec<(&Call, &Outcome)> {
        self.outcomes(self.number - 1)
    }

    /// Returns the text of the result `index` of a turn, which must have succeeded.
    fn good(&self, turn: u32, index: usize) -> Result<&str, Stray> {
        let outcomes = self.outcomes(turn);
        let Some((call, outcome)) = outcomes.get(index) else {
            return failed(format!("turn {turn} has no result {index}"));
        };
        if outcome.failed {
            return failed(format!("{} failed: {}", call.name, outcome.text));
        }
        Ok(&outcome.text)
    }

    /// Fails unless every result of the turn before is good.
    fn all_good(&self) -> Result<(), Stray> {
        match self.last().iter().find(|(_, outcome)| outcome.failed) {
            Some((call, outcome)) => failed(format!("{} failed: {}", call.name, outcome.text)),
            None => Ok(()),
        }
    }

    /// Returns the texts of the turn before's results, joined.
    fn seen(&self) -> String {
        self.last().iter().map(|(_, outcome)| outcome.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

impl Call {
    fn id(call: &Self) -> &str {
        &call.id
    }
}

/// Returns what the model says; a talk without a directive has nothing for it to do.
pub fn next(turn: Option<&Turn<'_>>) -> Next {
    let Some(turn) = turn else { return Ok(Reply::text("Nothing to do.")) };
    let reply = match turn.directive.name.as_str() {
        "text" => one_text(turn),
        "slow" => slow(turn),
        "fix" => fix(turn),
        "edit" | "peers" => edit_once(turn),
        "write" | "commit" => write(turn),
        "look" => look(turn),
        "bash" => bash(turn),
        "call" => call(turn),
        "loop" => Ok(Reply::calls("", [probe(turn, 0)])),
        "many" => many(turn),
        "unknown_tool" => unknown_tool(turn),
        "bad_arguments" => bad_arguments(turn),
        "empty" => empty(turn),
        "refusal" => Ok(refusal(turn)),
        "max_tokens" => max_tokens(turn),
        "thinking" => thinking(turn),
        other => failed(format!("there is no scenario `{other}`")),
    };
    match reply {
        Err(Stray::Failed(why)) => Ok(Reply::text(format!("{FAILED} {why}"))),
        other => other.map(without_empty_text),
    }
}

fn without_empty_text(mut reply: Reply) -> Reply {
    reply.parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
    reply
}

fn read(path: &str) -> (&'static str, Value) {
    ("Read", json!({"file_path": path}))
}

fn shell(command: &str) -> (&'static str, Value) {
    ("Bash", json!({"command": command}))
}

fn replace(path: &str, old: &str, new: &str) -> (&'static str, Value) {
    ("Edit", json!({"file_path": path, "old_string": old, "new_string": new}))
}

/// Returns a call that only looks: a Read where there is a `file`, else a command.
fn probe(turn: &Turn<'_>, index: u64) -> (&'static str, Value) {
    match (turn.text("file"), turn.text("command")) {
        (Some(file), _) => read(file),
        (None, Some(command)) => shell(command),
        (None, None) => shell(&format!("echo {index}")),
    }
}

fn one_text(turn: &Turn<'_>) -> Next {
    Ok(Reply::text(if turn.number == 1 { turn.text("say").unwrap_or("Done.") } else { OVER }))
}

fn slow(turn: &Turn<'_>) -> Next {
    let pace_ms = turn.parameter("ms").unwrap_or(1000);
    let text = turn.text("say").unwrap_or("This text comes slowly, a piece at a time.");
    Ok(Reply { pace_ms, ..Reply::text(text) })
}

/// Reads, errs, sees the test fail, mends, sees it pass, looks again: seven turns.
fn fix(turn: &Turn<'_>) -> Next {
    let (file, test) = (turn.need("file")?, turn.need("test")?);
    let (from, to) = (turn.need("from")?, turn.need("to")?);
    let name = file.rsplit('/').next().unwrap_or(file);
    Ok(match turn.number {
        1 => {
            let extras = turn.text("extra").unwrap_or_default().split(',');
            let files = std::iter::once(file).chain(extras.filter(|extra| !extra.is_empty()));
            let looks = [
                ("Glob", json!({"pattern": format!("**/{name}")})),
                ("Grep", json!({"pattern": edit::escaped(from), "output_mode": "content"})),
            ];
            Reply::calls("I look at the files first.", files.map(read).chain(looks))
        }
        2 => {
            turn.all_good()?;
            let outcomes = turn.last();
            let shows = |tool: &str, word: &str| {
                outcomes
                    .iter()
                    .any(|(call, outcome)| call.name == tool && outcome.text.contains(word))
            };
            if !shows("Glob", name) {
                return failed(format!("Glob did not list `{name}`: {}", turn.seen()));
            }
            if !shows("Grep", from) {
                return failed(format!("Grep did not show `{from}`: {}", turn.seen()));
            }
            let wrong = format!("{from} (this is not in the file)");
            Reply::calls("This should mend it.", [replace(file, &wrong, to)])
        }
        3 => match turn.last().first() {
            Some((_, outcome)) if outcome.failed => {
                Reply::calls("That text is not there; is the test red?", [shell(test)])
            }
            _ => return failed(format!("a wrong `old_string` was accepted: {}", turn.seen())),
        },
        4 => {
            if !edit::is_red(turn.last()[0].1) {
                return failed(format!("the test is green before the fix: {}", turn.seen()));
            }
            let (old, new) = edit::derived(turn.good(1, 0)?, from, to).map_err(Stray::Failed)?;
            Reply::calls("Now the line as it stands.", [replace(file, &old, &new)])
        }
        5 => {
            turn.all_good()?;
            Reply::calls("", [shell(test)])
        }
        6 => {
            if edit::is_red(turn.last()[0].1) {
                return failed(format!("the test is red after the fix: {}", turn.seen()));
            }
            Reply::calls("Green. I look once more.", [read(file)])
        }
        7 => {
            if !turn.good(6, 0)?.contains(to) {
                return failed(format!("`{to}` is not in the file: {}", turn.seen()));
            }
            Reply::text(format!("Fixed {file}."))
        }
        _ => Reply::text(OVER),
    })
}

/// Reads, edits, runs a command, answers: four turns.
fn edit_once(turn: &Turn<'_>) -> Next {
    let file = turn.need("file")?;
    Ok(match turn.number {
        1 => Reply::calls("I read the file.", [read(file)]),
        2 => {
            let seen = turn.good(1, 0)?;
            let derived = match (turn.text("from"), turn.text("to")) {
                (Some(from), Some(to)) => edit::derived(seen, from, to),
                _ => edit::counted_up(seen),
            };
            let (old, new) = derived.map_err(Stray::Failed)?;
            Reply::calls("I edit it.", [replace(file, &old, &new)])
        }
        3 => {
            turn.all_good()?;
            Reply::calls("I run the command.", [shell(turn.text("command").unwrap_or("true"))])
        }
        4 => {
            if edit::is_red(turn.last()[0].1) {
                return failed(format!("the command failed: {}", turn.seen()));
            }
            Reply::text(format!("Edited {file}."))
        }
        _ => Reply::text(OVER),
    })
}

/// Writes a new file; `commit` also commits it itself.
fn write(turn: &Turn<'_>) -> Next {
    let file = turn.need("file")?;
    let content = turn.text("content").unwrap_or("written by the stand-in\n");
    let commits = turn.directive.name == "commit";
    if turn.number > 1 {
        turn.all_good()?;
    }
    Ok(match turn.number {
        1 => {
            let input = json!({"file_path": file, "content": content});
            Reply::calls("I write the file.", [("Write", input)])
        }
        2 if commits => {
            let message = turn.text("message").unwrap_or("x");
            let commit = format!("git add -A && git commit -m {}", edit::quoted(message));
            Reply::calls("I commit it.", [shell(&commit)])
        }
        3 if commits && edit::is_red(turn.last()[0].1) => {
            return failed(format!("the commit failed: {}", turn.seen()));
        }
        2 | 3 => Reply::text(format!("Wrote {file}.")),
        _ => Reply::text(OVER),
    })
}

/// Looks in every turn but the last: a Read and a command side by side.
fn look(turn: &Turn<'_>) -> Next {
    let turns = turn.parameter("turns").unwrap_or(4);
    if turn.number > 1 {
        turn.all_good()?;
    }
    if u64::from(turn.number) >= turns {
        return Ok(Reply::text(format!("Looked {} times.", turns.saturating_sub(1))));
    }
    let command = shell(turn.text("command").unwrap_or("true"));
    let file = turn.text("file").map(read);
    Ok(Reply::calls("I look.", file.into_iter().chain([command])))
}

/// Runs the commands one after the other; the text is what it saw.
fn bash(turn: &Turn<'_>) -> Next {
    let commands = turn.directive.list("command");
    let timeout = turn.parameter("timeout");
    one_by_one(turn, commands.len(), |index| {
        let (tool, mut input) = shell(commands[index]);
        if let Some(timeout) = timeout {
            input["timeout"] = json!(timeout);
        }
        Ok(Part::Call { name: tool.into(), input })
    })
}

/// Calls any tools one after the other; the text is what it saw.
fn call(turn: &Turn<'_>) -> Next {
    let (tools, inputs) = (turn.directive.list("tool"), turn.directive.list("input"));
    one_by_one(turn, tools.len(), |index| {
        let input = serde_json::from_str(inputs.get(index).copied().unwrap_or("{}"))
            .map_err(|error| Stray::Failed(format!("`input` is no JSON: {error}")))?;
        Ok(Part::Call { name: tools[index].into(), input })
    })
}

fn one_by_one(turn: &Turn<'_>, count: usize, call: impl Fn(usize) -> Result<Part, Stray>) -> Next {
    let done = turn.number as usize - 1;
    if done < count {
        return Ok(Reply { parts: vec![call(done)?], stop: Stop::ToolUse, pace_ms: 0 });
    }
    if done > count {
        return Ok(Reply::text(OVER));
    }
    let seen = (1..turn.number).flat_map(|turn_number| turn.outcomes(turn_number));
    let seen: Vec<&str> = seen.map(|(_, outcome)| outcome.text.as_str()).collect();
    let seen = seen.join("\n");
    Ok(Reply::text(if seen.trim().is_empty() { "(no output)" } else { &seen }))
}

/// Calls many tools in one turn; their results must come back in order.
fn many(turn: &Turn<'_>) -> Next {
    let count = turn.parameter("n").unwrap_or(50);
    match turn.number {
        1 => Ok(Reply::calls("", (0..count).map(|index| probe(turn, index)))),
        2 => {
            turn.all_good()?;
            let Some(Step::User { results, .. }) = turn.steps.get(2) else {
                return failed("there are no results");
            };
            let calls: Vec<&str> = turn.last().iter().map(|(call, _)| call.id.as_str()).collect();
            let order: Vec<&str> = results.iter().map(|result| result.id.as_str()).collect();
            if calls != order {
                return failed("the results are not in the order of the calls");
            }
            Ok(Reply::text(format!("{} results.", order.len())))
        }
        _ => Ok(Reply::text(OVER)),
    }
}

fn unknown_tool(turn: &Turn<'_>) -> Next {
    match turn.number {
        1 => Ok(Reply::calls("", [(UNKNOWN_TOOL, json!({"a": 1}))])),
        2 if turn.last().iter().any(|(_, outcome)| outcome.failed) => {
            Ok(Reply::text("The unknown tool was refused."))
        }
        2 => failed(format!("an unknown tool did not fail: {}", turn.seen())),
        _ => Ok(Reply::text(OVER)),
    }
}

fn bad_arguments(turn: &Turn<'_>) -> Next {
    let tool = turn.text("tool").unwrap_or("Bash");
    match turn.number {
        1 => {
            let text = turn.text("arguments").unwrap_or("{\"command\": \"touch bad_arg");
            let broken = Part::Broken { name: tool.into(), text: text.into() };
            Ok(Reply { parts: vec![broken], stop: Stop::ToolUse, pace_ms: 0 })
        }
        2 if turn.last().iter().any(|(_, outcome)| outcome.failed) => {
            Ok(Reply::text("The bad arguments were refused."))
        }
        2 => Err(Stray::Violation("a call whose arguments are no JSON was run".into())),
        _ => Ok(Reply::text(OVER)),
    }
}

/// Ends its turn with nothing, once.
fn empty(turn: &Turn<'_>) -> Next {
    if turn.number == 1 && !turn.again {
        return Ok(Reply { parts: Vec::new(), stop: Stop::EndTurn, pace_ms: 0 });
    }
    Ok(Reply::text(turn.text("say").unwrap_or("Here is the text after all.")))
}

fn refusal(turn: &Turn<'_>) -> Reply {
    let text = turn.text("say").unwrap_or("I cannot help with that.");
    // Without text it is what OpenAI calls `content_filter`.
    let part = (!text.is_empty()).then(|| Part::Refusal(text.into()));
    Reply { parts: part.into_iter().collect(), stop: Stop::Refusal, pace_ms: 0 }
}

/// Is cut in the middle of a call, once. The call must never run.
fn max_tokens(turn: &Turn<'_>) -> Next {
    match turn.number {
        1 if !turn.again => {
            let text = "{\"command\": \"touch max_tokens_ra".to_owned();
            let broken = Part::Broken { name: "Bash".into(), text };
            let parts = vec![Part::Text("I run".into()), broken];
            Ok(Reply { parts, stop: Stop::MaxTokens, pace_ms: 0 })
        }
        2 if turn.last().iter().any(|(_, outcome)| !outcome.failed) => {
            Err(Stray::Violation("a tool call cut by `max_tokens` was run".into()))
        }
        1 | 2 => Ok(Reply::text("Done after the cut.")),
        _ => Ok(Reply::text(OVER)),
    }
}

/// Thinks, with blocks that must come back as they are, then calls.
fn thinking(turn: &Turn<'_>) -> Next {
    match turn.number {
        1 => {
            let thought = Part::Thinking {
                text: "The user wants a look; \"quotes\", ünïcode and\nlines must survive.".into(),
                signature: "c3RhbmRpbi1zaWduYXR1cmU+/w==".into(),
            };
            let redacted = json!({"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="});
            let foreign = json!({"type": "standin_block", "data": {"kept": [1, null, "x"]}});
            let (tool, input) = probe(turn, 1);
            let parts = vec![
                thought,
                Part::Block(redacted),
                Part::Block(foreign),
                Part::Text("I look after thinking.".into()),
                Part::Call { name: tool.into(), input },
            ];
            Ok(Reply { parts, stop: Stop::ToolUse, pace_ms: 0 })
        }
        2 => {
            turn.all_good()?;
            Ok(Reply::text("Thought and looked."))
        }
        _ => Ok(Reply::text(OVER)),
    }
}
