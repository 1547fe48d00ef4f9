//! How many tokens there is room for in a reply, by the numbers in a refusal that had none.
//!
//! Providers say it in prose only; the sentences are those of Anthropic, `OpenAI`, `vLLM` and
//! `OpenRouter`.

/// Less room than this is none: a reply would be cut in its first call.
const LEAST: u64 = 1024;

/// The room for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// What the conversation leaves of the window.
    Left(u32),
    /// What the model can say at all.
    OfModel(u32),
}

/// Reads a refusal, in lower case. There is nothing to read in most, and in those whose
/// conversation leaves no room worth the name.
pub(super) fn left(words: &str) -> Option<Room> {
    let words: Vec<&str> =
        words.split_whitespace().map(|word| word.trim_matches(PUNCTUATION)).collect();
    if let Some(most) = of_model(&words) {
        return u32::try_from(most).ok().filter(|most| *most > 0).map(Room::OfModel);
    }
    let room =
        from_sum(&words).or_else(|| from_difference(&words)).or_else(|| from_parts(&words))?;
    u32::try_from(room).ok().filter(|_| room >= LEAST).map(Room::Left)
}

const PUNCTUATION: [char; 9] = ['(', ')', ',', '.', ':', ';', '`', '\'', '"'];

fn number(word: &str) -> Option<u64> {
    word.parse().ok()
}

/// "`max_tokens`: 40000 > 8192, which is the maximum allowed number of output tokens for …", or "this
/// model supports at most 16384 completion tokens".
fn of_model(words: &[&str]) -> Option<u64> {
    words.windows(4).find_map(|four| match four {
        [_, ">", most, "which"] if words.contains(&"output") => number(most),
        ["at", "most", most, "completion" | "output"] => number(most),
        _ => None,
    })
}

/// "188240 + 21333 > 200000": input, asked for, window.
fn from_sum(words: &[&str]) -> Option<u64> {
    words.windows(5).find_map(|five| match five {
        [input, "+", _, ">", window] => number(window)?.checked_sub(number(input)?),
        _ => None,
    })
}

/// "8000 > 4096 - 100": asked for, window, input.
fn from_difference(words: &[&str]) -> Option<u64> {
    words.windows(5).find_map(|five| match five {
        [_, ">", window, "-", input] => number(window)?.checked_sub(number(input)?),
        _ => None,
    })
}

/// "maximum context length is 4096 tokens. However, you requested 5000 tokens (3000 in the messages,
/// 2000 in the completion)", or "(3000 of text input, 500 of tool input, 2000 in the output)".
fn from_parts(words: &[&str]) -> Option<u64> {
    let window = words.windows(4).find_map(|four| match four {
        ["context", "length", "is", window] => number(window),
        _ => None,
    })?;
    let inputs = words.windows(4).filter_map(|four| match four {
        [input, "in", "the", "messages" | "prompt"] | [input, "of", _, "input"] => number(input),
        _ => None,
    });
    let input: u64 = inputs.reduce(u64::saturating_add)?;
    window.checked_sub(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_found_in_every_dialect() {
        for (words, room) in [
            (
                "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, \
                 decrease input length or `max_tokens` and try again",
                Some(Room::Left(11_760)),
            ),
            (
                "max_tokens: 40000 > 8192, which is the maximum allowed number of output tokens \
                 for claude-3-5-sonnet",
                Some(Room::OfModel(8192)),
            ),
            (
                "max_tokens is too large: 200000. this model supports at most 16384 completion \
                 tokens, whereas you provided 200000.",
                Some(Room::OfModel(16_384)),
            ),
            (
                "this model's maximum context length is 8192 tokens. however, you requested 9000 \
                 tokens (3000 in the messages, 6000 in the completion). please reduce the length",
                Some(Room::Left(5192)),
            ),
            (
                "this endpoint's maximum context length is 131072 tokens. however, you requested \
                 about 200500 tokens (400 of text input, 100 of tool input, 200000 in the output).",
                Some(Room::Left(130_572)),
            ),
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 8000. this model's maximum \
                 context length is 4096 tokens and your request has 100 input tokens (8000 > 4096 \
                 - 100).",
                Some(Room::Left(3996)),
            ),
            ("exceed context limit: 199999 + 21333 > 200000", None),
            ("exceed context limit: 213462 + 21333 > 200000", None),
            ("prompt is too long: 213462 tokens > 200000 maximum", None),
            ("this model's maximum context length is 8192 tokens.", None),
            ("", None),
        ] {
            assert_eq!(left(words), room, "{words}");
        }
    }
}
