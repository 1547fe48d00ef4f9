//! Tracebacks as people want them: script frames only. Frames of C, of mlua's poller and of the
//! prelude say nothing to the author of a script.

/// How Lua names a text that a script has loaded: `[string "x = 1..."]`.
pub const LOADED: &str = "[string \"";

/// What stands before the count where Lua has left out frames of a deep stack: `… 199980 more calls`.
pub const LEFT_OUT: &str = "… ";

/// Returns the frames of scripts in a Lua traceback, innermost first, as
/// `function 'review' (review.lua:12)`.
pub fn frames(traceback: &str) -> Vec<String> {
    let mut frames = Vec::new();
    for line in traceback.lines().map(str::trim) {
        if let Some(count) = line.strip_prefix("...\t(skipping ") {
            let count = count.trim_end_matches(" levels)");
            frames.push(format!("{LEFT_OUT}{count} more calls"));
            continue;
        }
        // A text that a script has loaded may have anything in its name.
        let split = if line.starts_with(LOADED) {
            line.rsplit_once(": in ")
        } else {
            line.split_once(": in ")
        };
        let Some((place, what)) = split else { continue };
        let is_ours = place.starts_with('[') && !place.starts_with(LOADED);
        if is_ours || place.starts_with("__mlua") {
            continue;
        }
        let what = what.trim_start_matches("upvalue ").trim_start_matches("local ");
        let what = match what {
            "main chunk" => "main chunk".to_owned(),
            // `function <review.lua:3>` names no function, only where it begins.
            unnamed if unnamed.starts_with("function <") => "function".to_owned(),
            named if named.starts_with("function ") || named.starts_with("method ") => {
                named.to_owned()
            }
            name => format!("function {name}"),
        };
        frames.push(format!("{what} ({place})"));
    }
    frames
}

/// Returns the position in a frame that [`frames`] made.
pub fn position(frame: &str) -> Option<String> {
    // No name of a function has a bracket in it; the name of a loaded text may.
    let (_, place) = frame.split_once(" (")?;
    Some(place.strip_suffix(')')?.to_owned())
}

/// Splits `file.lua:12: message` into position and message.
pub fn split_position(message: &str) -> (Option<String>, String) {
    let mut rest = 0;
    while let Some(colon) = message[rest..].find(':').map(|i| i + rest) {
        let digits = message[colon + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let after = colon + 1 + digits;
        if digits > 0
            && message[after..].starts_with(": ")
            && colon > 0
            && !message[..colon].contains('\n')
            && (!message.starts_with(LOADED) || message[..colon].ends_with("\"]"))
        {
            return (Some(message[..after].to_owned()), message[after + 2..].to_owned());
        }
        rest = colon + 1;
    }
    (None, message.to_owned())
}

/// Splits the position that `error` put in front of a message from it. A text that only looks like
/// one (`localhost:80: refused`) is left alone; a path that Lua cut at the front becomes whole when a
/// frame has it.
pub fn claimed_position(message: &str, frames: &[String]) -> (Option<String>, String) {
    let (Some(at), rest) = split_position(message) else { return (None, message.to_owned()) };
    let file = at.rsplit_once(':').map_or(at.as_str(), |(file, _)| file);
    let tail = file.strip_prefix("...");
    for whole in frames.iter().filter_map(|frame| position(frame)) {
        let (whole_file, _) = whole.rsplit_once(':').unwrap_or((&whole, ""));
        if whole_file == file {
            return (Some(at), rest);
        }
        if let Some(tail) = tail.filter(|tail| whole_file.ends_with(tail)) {
            return (Some(at.replace(&format!("...{tail}"), whole_file)), rest);
        }
    }
    if !file.contains(char::is_whitespace) && crate::config::is_lua_file(file) {
        return (Some(at), rest);
    }
    (None, message.to_owned())
}

/// Returns the first line of a text that mlua may have appended tracebacks to.
pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_start_matches("runtime error: ").to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_script_frames_remain() {
        let text = "\nstack traceback:\n\t[C]: in function 'error'\n\treview.lua:12: in upvalue 'deep'\n\
                    \t[agentlua]:9: in function <[agentlua]:3>\n\tlib/x.lua:3: in function 'lib.x.run'\n\
                    \treview.lua:31: in function <review.lua:30>\n\t[C]: in local 'poll'\n\
                    \t__mlua_async_poll:29: in function <__mlua_async_poll:1>\n\treview.lua:40: in main chunk";
        assert_eq!(
            frames(text),
            [
                "function 'deep' (review.lua:12)",
                "function 'lib.x.run' (lib/x.lua:3)",
                "function (review.lua:31)",
                "main chunk (review.lua:40)"
            ]
        );
        assert_eq!(position("function 'deep' (review.lua:12)").as_deref(), Some("review.lua:12"));
    }

    #[test]
    fn only_a_position_that_can_be_one_is_taken() {
        let frames = ["function 'f' (a/very/long/way/to/main:3)".to_owned()];
        let claimed = |message| claimed_position(message, &frames);
        assert_eq!(claimed("localhost:80: refused").0, None);
        assert_eq!(claimed("...long/way/to/main:3: x").0.unwrap(), "a/very/long/way/to/main:3");
        assert_eq!(claimed("...long/way/to/main:9: x").0.unwrap(), "a/very/long/way/to/main:9");
        assert_eq!(claimed("a/very/long/way/to/main:3: x").1, "x");
        assert_eq!(claimed("lib/x.lua:3: x").0.unwrap(), "lib/x.lua:3");
        assert_eq!(claimed("cannot read x.lua:3: y").0, None);
    }

    #[test]
    fn positions_split_from_messages() {
        assert_eq!(
            split_position("a.lua:3: boom: 4: x"),
            (Some("a.lua:3".into()), "boom: 4: x".into())
        );
        assert_eq!(split_position("boom"), (None, "boom".into()));
        assert_eq!(split_position("a:b.lua:7: x"), (Some("a:b.lua:7".into()), "x".into()));
    }
}
