//! Scenarios that do what an agent does: read, search, edit, write, run commands.

use serde_json::json;

use super::edit;
use super::scenario::{Next, OVER, Stray, Turn, failed, probe, read, replace, shell};
use super::talk::{Part, Reply, Step, Stop};

/// Reads, errs, sees the test fail, mends, sees it pass, looks again: seven turns.
pub fn fix(turn: &Turn<'_>) -> Next {
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
pub fn edit_once(turn: &Turn<'_>) -> Next {
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
pub fn write(turn: &Turn<'_>) -> Next {
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

/// Writes `files` files into `dir`, one a turn, and does again what was interrupted.
pub fn steady(turn: &Turn<'_>) -> Reply {
    let (dir, files) = (turn.text("dir").unwrap_or("d"), turn.parameter("files").unwrap_or(3));
    let word = turn.text("word").unwrap_or("written");
    let (mut done, mut failed) = (0, false);
    for number in 1..turn.number {
        failed = turn.outcomes(number).iter().any(|(_, outcome)| outcome.failed);
        done += u64::from(!failed);
    }
    if done >= files {
        return Reply::text(format!("Wrote {files} files to {dir}."));
    }
    let file = format!("{dir}/{done}.txt");
    // What may be there already can only be written by the file tools after it was read.
    if failed || done % 2 == 1 {
        let command = format!("mkdir -p {dir} && echo '{word} {done}' > {file}");
        return Reply::calls("By a command.", [shell(&command)]);
    }
    let input = json!({"file_path": file, "content": format!("{word} {done}\n")});
    Reply::calls("I write it.", [("Write", input)])
}

/// Looks in every turn but the last: a Read and a command side by side.
pub fn look(turn: &Turn<'_>) -> Next {
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

/// Runs a command in each of many steps, which are counted in what it sees alone: a summary will do.
/// `sum` is how a question for one is recognised.
pub fn long(turn: &Turn<'_>) -> Next {
    let (steps, sum) = (turn.parameter("steps").unwrap_or(10), turn.need("sum")?);
    let bytes = turn.parameter("bytes").unwrap_or(100);
    let texts = turn.steps.iter().flat_map(|step| match step {
        Step::User { results, text } => {
            results.iter().map(|result| &result.text).chain([text]).collect()
        }
        Step::Assistant { text, .. } => vec![text],
    });
    let numbers = texts
        .flat_map(|text| text.split("step ").skip(1))
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
    let done = numbers.max().unwrap_or(0);
    // The directive itself has the words too.
    let asks = |text: &str| text.rsplit("]]").next().is_some_and(|text| text.contains(sum));
    if matches!(turn.steps.last(), Some(Step::User { text, .. }) if asks(text)) {
        return Ok(Reply::text(format!("Done up to step {done}.")));
    }
    if done >= steps {
        return Ok(Reply::text(format!("All {done} steps.")));
    }
    let (next, log) = (done + 1, turn.text("log").unwrap_or("/dev/null"));
    let command = format!("echo step {next} | tee -a {log}; printf '%0{bytes}d' 0");
    Ok(Reply::calls("On I go.", [shell(&command)]))
}

/// Runs the commands one after the other; the text is what it saw.
pub fn bash(turn: &Turn<'_>) -> Next {
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
pub fn call(turn: &Turn<'_>) -> Next {
    let (tools, inputs) = (turn.directive.list("tool"), turn.directive.list("input"));
    one_by_one(turn, tools.len(), |index| {
        let input = serde_json::from_str(inputs.get(index).copied().unwrap_or("{}"))
            .map_err(|error| Stray::Failed(format!("`input` is no JSON: {error}")))?;
        Ok(Part::Call { name: tools[index].into(), input })
    })
}

pub fn one_by_one(
    turn: &Turn<'_>,
    count: usize,
    call: impl Fn(usize) -> Result<Part, Stray>,
) -> Next {
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
pub fn many(turn: &Turn<'_>) -> Next {
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
