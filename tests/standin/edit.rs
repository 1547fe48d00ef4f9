//! What the scripted model makes of tool results: lines of a Read, edits from them, red or green.

use super::talk::Outcome;

/// Returns the lines of a Read result: `     1\tline` (or an arrow for the tab).
fn lines(seen: &str) -> Vec<&str> {
    let line = |line: &'_ str| {
        let line = line.trim_start_matches(' ');
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let rest = &line[digits..];
        let text = rest.strip_prefix('\t').or_else(|| rest.strip_prefix('→'));
        text.filter(|_| digits > 0).map(str::len)
    };
    seen.lines()
        .filter_map(|whole| line(whole).map(|length| &whole[whole.len() - length..]))
        .collect()
}

/// Derives old and new text: the whole line that holds `from`, and as many before it as make it unique.
pub fn derived(seen: &str, from: &str, to: &str) -> Result<(String, String), String> {
    let lines = lines(seen);
    let place = lines
        .iter()
        .position(|line| line.contains(from))
        .ok_or_else(|| format!("no line of the Read result has `{from}`: {seen}"))?;
    let whole = lines.join("\n");
    let new_line = lines[place].replacen(from, to, 1);
    for start in (0..=place).rev() {
        let old = lines[start..=place].join("\n");
        if whole.matches(&old).count() == 1 {
            let mut new = lines[start..place].to_vec();
            new.push(&new_line);
            return Ok((old, new.join("\n")));
        }
    }
    Err(format!("the line with `{from}` cannot be told from others"))
}

/// Derives an edit that counts the first number of the file up, or says that it has seen the first line.
pub fn counted_up(seen: &str) -> Result<(String, String), String> {
    let lines = lines(seen);
    for line in &lines {
        let Some(start) = line.find(|c: char| c.is_ascii_digit()) else { continue };
        let digits: String = line[start..].chars().take_while(char::is_ascii_digit).collect();
        let Ok(number) = digits.parse::<u64>() else { continue };
        let new = format!("{}{}{}", &line[..start], number + 1, &line[start + digits.len()..]);
        return derived(seen, line, &new);
    }
    let first = lines.iter().find(|line| !line.trim().is_empty());
    let first = first.ok_or_else(|| format!("the Read result has no line: {seen}"))?;
    derived(seen, first, &format!("{first} (seen)"))
}

/// Reports whether a command failed, by its flag or by the exit code that its text names.
pub fn is_red(outcome: &Outcome) -> bool {
    let text = outcome.text.to_lowercase();
    let named = ["exit code", "exit status", "exited with"].iter().any(|word| {
        text.split(word).skip(1).any(|after| {
            let after = after.trim_start_matches(|c: char| !c.is_ascii_digit() && c != '\n');
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().is_ok_and(|code| code != 0)
        })
    });
    outcome.failed || named
}

/// Escapes text for a regular expression.
pub fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Quotes text for a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
