//! "Did you mean": the name that is nearest to what was typed.

/// Returns from 0 to 1 how alike two names are.
pub fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

/// Returns the name in `names` that is nearest to `word`, if one is near.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = snake_case(word);
    names
        .into_iter()
        .map(|name| (likeness(&word, &snake_case(name)), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Turns `maxTurns` into `max_turns`.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["worktree_path", "prompt", "Read"];
        assert_eq!(nearest("worktreePath", names), Some("worktree_path"));
        assert_eq!(nearest("promt", names), Some("prompt"));
        assert_eq!(nearest("Raed", names), Some("Read"));
        assert_eq!(nearest("zzz", names), None);
    }
}
