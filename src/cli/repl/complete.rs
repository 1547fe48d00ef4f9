//! What Tab offers: commands, globals and fields of what is there, options, and what options take.

use rustyline::completion::Pair;

use super::command;
use super::lexer::{KEYWORDS, Kind, Token, tokens};
use super::place::{Text, Wanted, chain, fields_set, innermost};
use crate::api::peek::Seen;
use crate::manual::{Manual, STUBS, Type};

/// What only the session knows.
pub(super) trait Live {
    /// Looks at what a path leads to; an empty one is what can be named at all.
    fn seen(&self, path: &[String]) -> Option<Seen>;
    /// Returns the branches of the repository.
    fn branches(&self) -> Vec<String>;
    /// Returns the ids of its agents.
    fn agents(&self) -> Vec<String>;
}

/// Returns where what is completed starts, and what it may become. `text` ends at the cursor, `after`
/// starts there.
pub(super) fn complete(
    manual: &Manual,
    live: &dyn Live,
    text: &str,
    after: &str,
) -> (usize, Vec<Pair>) {
    if let Some((start, words)) = command::completions(manual, text) {
        return (start, words.into_iter().map(plain).collect());
    }
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    if last_line.len() < text.len() && last_line.trim().is_empty() {
        // At the start of a further line Tab is for the eye.
        return (text.len(), vec![plain("  ".to_owned())]);
    }
    let mut all = tokens(text);
    let last = all.last().copied();
    if last.is_some_and(|last| last.kind == Kind::Comment { open: true }) {
        return (text.len(), Vec::new());
    }
    let ends_here = last.is_some_and(|last| last.end() == text.len());
    let typed = last.filter(|last| match last.kind {
        Kind::Name | Kind::Keyword => ends_here,
        Kind::Text { open, .. } => open,
        _ => false,
    });
    if typed.is_some() {
        all.pop();
    }
    all.retain(|token| !matches!(token.kind, Kind::Comment { .. }));
    let offer = Offer { manual, live, before: &all, after };
    match typed {
        Some(Token { kind: Kind::Text { content, .. }, text: token, .. }) => {
            let quote = token.chars().next().filter(|quote| *quote != '[');
            (content, offer.in_string(&text[content..], quote))
        }
        Some(word) => (word.start, offer.at_word(word.text)),
        None if ends_here && last.is_some_and(|last| last.kind == Kind::Number) => {
            (text.len(), Vec::new())
        }
        None => (text.len(), offer.at_word("")),
    }
}

/// What is around the cursor.
struct Offer<'a> {
    manual: &'a Manual,
    live: &'a dyn Live,
    before: &'a [Token<'a>],
    after: &'a str,
}

impl Offer<'_> {
    fn with_text<T>(&self, ask: impl FnOnce(&Text<'_>) -> T) -> T {
        let class_of = |path: &[String]| self.live.seen(path)?.class;
        ask(&Text { tokens: self.before, manual: self.manual, class_of: &class_of })
    }

    fn at_word(&self, typed: &str) -> Vec<Pair> {
        match self.before.split_last() {
            Some((link, path)) if link.is(".") || link.is(":") => {
                let Some(path) = chain(path) else { return Vec::new() };
                return only(
                    typed,
                    self.members(&path, link.is(":"), typed).into_iter().map(plain),
                );
            }
            _ => {}
        }
        let options = self.options(typed);
        if !options.is_empty() {
            return options;
        }
        let values = self.with_text(|text| text.wanted(self.before.len()));
        let is_value = self.before.last().is_some_and(|last| last.is("=") || last.is("("));
        let mut offered = match values {
            Some(wanted) if is_value => only(typed, literals(&wanted).into_iter().map(plain)),
            _ => Vec::new(),
        };
        if typed.is_empty() {
            if self.before.is_empty() {
                let modules = STUBS.iter().filter(|(name, _)| self.manual.module(name).is_some());
                return modules.map(|(name, _)| plain((*name).to_owned())).collect();
            }
            return offered;
        }
        let seen = self.live.seen(&[]).unwrap_or_default();
        let mut names: Vec<String> = seen.members.into_iter().map(|member| member.name).collect();
        // Lua may be too busy to answer.
        names.extend(STUBS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| {
            self.manual.module(name).is_some_and(|class| class.variable.as_ref() == Some(name))
        }));
        names.extend(KEYWORDS.iter().map(|keyword| (*keyword).to_owned()));
        names.sort();
        names.dedup();
        offered.extend(only(typed, names.into_iter().map(plain)));
        offered
    }

    /// Returns the names after `path.` or `path:`.
    fn members(&self, path: &[String], is_method: bool, typed: &str) -> Vec<String> {
        let mut names = Vec::new();
        let seen = self.live.seen(path);
        let module = path.join(".");
        if let Some(seen) = &seen {
            let members = seen.members.iter().filter(|member| !is_method || member.is_function);
            names.extend(members.map(|member| member.name.clone()));
        } else if !is_method {
            names.extend(self.manual.members(&module).map(|f| f.short_name().to_owned()));
        }
        if let Some(class) =
            seen.and_then(|seen| seen.class).and_then(|name| self.manual.class(name))
        {
            if let Some(variable) = class.variable.as_deref().filter(|_| is_method) {
                names.extend(self.manual.members(variable).map(|f| f.short_name().to_owned()));
            }
            if !is_method {
                names.extend(self.manual.fields(class).into_keys());
            }
        }
        // Twins only get in the way of whoever looks around.
        names.retain(|name| typed.starts_with('t') || !name.starts_with("try_"));
        names.sort();
        names.dedup();
        names
    }

    /// Returns the options that can be named here and are not yet.
    fn options(&self, typed: &str) -> Vec<Pair> {
        let Some(open) = innermost(self.before) else { return Vec::new() };
        let last = &self.before[self.before.len() - 1];
        let starts = last.is("{") || last.is(",") || last.is(";");
        if !self.before[open].is("{") || !starts {
            return Vec::new();
        }
        let later = tokens(self.after);
        let given = [fields_set(&self.before[open + 1..]), fields_set(&later)].concat();
        let options = self.with_text(|text| text.options(open));
        let names = options.into_iter().map(|field| field.name);
        only(
            typed,
            names
                .filter(|name| !given.contains(&name.as_str()))
                .map(|name| Pair { replacement: format!("{name} = "), display: name }),
        )
    }

    fn in_string(&self, typed: &str, quote: Option<char>) -> Vec<Pair> {
        let close = quote.filter(|quote| !self.after.starts_with(*quote));
        let close = close.map(String::from).unwrap_or_default();
        let words = self.texts();
        only(
            typed,
            words
                .into_iter()
                .map(|word| Pair { replacement: format!("{word}{close}"), display: word }),
        )
    }

    /// Returns the strings that make sense here.
    fn texts(&self) -> Vec<String> {
        if let Some((open, path)) = self.before.split_last()
            && open.is("[")
            && let Some(path) = chain(path)
        {
            let seen = self.live.seen(&path).unwrap_or_default();
            return seen.members.into_iter().map(|member| member.name).collect();
        }
        let callee = match self.before.split_last() {
            Some((open, path)) if open.is("(") => chain(path),
            _ => chain(self.before),
        };
        if callee.is_some_and(|callee| callee == ["require"]) {
            return self.manual.pages.iter().filter_map(|page| page.module.clone()).collect();
        }
        let Some(wanted) = self.with_text(|text| text.wanted(self.before.len())) else {
            return Vec::new();
        };
        let is = |name: &str| wanted.types.contains(&Type::Name(name.to_owned()));
        let mut texts: Vec<String> = literals(&wanted)
            .into_iter()
            .filter_map(|literal| Some(literal.strip_prefix('"')?.strip_suffix('"')?.to_owned()))
            .collect();
        let named = |names: &[&str]| names.contains(&wanted.name.as_str());
        if is("git.Revision") || (is("string") && named(&["into", "base", "rev", "from", "to"])) {
            texts.extend(self.live.branches());
        }
        if named(&["resume", "fork", "agent", "id"]) {
            let mut ids = self.live.agents();
            ids.sort();
            texts.extend(ids);
        }
        texts
    }
}

/// Returns the values that are written out in what is wanted.
fn literals(wanted: &Wanted) -> Vec<String> {
    let mut literals = Vec::new();
    for ty in &wanted.types {
        match ty {
            Type::Literal(text) => literals.push(text.clone()),
            Type::Name(name) if name == "boolean" => {
                literals.extend(["true", "false"].map(str::to_owned));
            }
            _ => {}
        }
    }
    literals
}

fn only(typed: &str, pairs: impl Iterator<Item = Pair>) -> Vec<Pair> {
    pairs.filter(|pair| pair.display.starts_with(typed)).collect()
}

fn plain(word: String) -> Pair {
    Pair { display: word.clone(), replacement: word }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::api::peek::Member;

    /// A session with a task `a`, a table `jobs` and a text `name`.
    pub struct Session;

    impl Live for Session {
        fn seen(&self, path: &[String]) -> Option<Seen> {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let members = |names: &[(&str, bool)]| {
                let members = names.iter().map(|(name, is_function)| Member {
                    name: (*name).to_owned(),
                    is_function: *is_function,
                });
                Some(Seen { class: None, members: members.collect() })
            };
            match path[..] {
                [] => members(&[("a", false), ("jobs", false), ("name", false), ("print", true)]),
                ["a"] => Some(Seen { class: Some("agent.Task"), members: Vec::new() }),
                ["jobs"] => members(&[("auth", false), ("billing", false), ("run", true)]),
                _ => None,
            }
        }

        fn branches(&self) -> Vec<String> {
            ["main", "migrate/auth", "migrate/billing"].map(str::to_owned).to_vec()
        }

        fn agents(&self) -> Vec<String> {
            ["agent-f1c0", "agent-a3f2"].map(str::to_owned).to_vec()
        }
    }

    /// Returns what is offered at `|`, with where it starts.
    fn offered(line: &str) -> (usize, Vec<String>) {
        let (text, after) = line.split_once('|').unwrap_or((line, ""));
        let (start, pairs) = complete(&Manual::load(), &Session, text, after);
        (start, pairs.into_iter().map(|pair| pair.replacement).collect())
    }

    fn words(line: &str) -> String {
        offered(line).1.join(" ")
    }

    #[test]
    fn names_fields_and_methods() {
        assert_eq!(offered("x = pri|"), (4, vec!["print".to_owned()]));
        assert_eq!(words("whi|"), "while");
        assert_eq!(words("|"), "agent git github sh fs json log patterns test");
        assert_eq!(words("jobs.|"), "auth billing run");
        assert_eq!(words("x = 1 + jobs:r|"), "run");
        assert_eq!(words("jobs['b|"), "billing'");
        assert_eq!(words("a:s|"), "send status");
        assert_eq!(words("a.|"), "branch id");
        assert_eq!(words("git.con|"), "conflicts");
        assert_eq!(words("git.try_con|"), "try_conflicts");
        assert_eq!(words("-- pri|"), "");
        assert_eq!(offered("for i = 1, 2 do\n|"), (16, vec!["  ".to_owned()]));
        assert_eq!(words("f().x|"), "");
        assert_eq!(words("1|"), "");
    }

    #[test]
    fn options_are_those_of_the_call_that_is_open() {
        assert_eq!(words("agent.query { pro|"), "prompt = ");
        assert_eq!(
            words("agent.query{ prompt = 'x', base = f(1, { prompt = 2 }), append|"),
            "append_system_prompt = "
        );
        let rest = words("agent.query { branch = 'x', | , prompt = 'y' }");
        assert!(rest.contains("base = ") && !rest.contains("prompt = system"), "{rest}");
        assert!(!rest.split(" = ").any(|name| name.trim() == "branch" || name.trim() == "prompt"));
        assert_eq!(words("a = agent.spawn { worktree = { sp|"), "sparse = ");
        assert_eq!(words("agent.all { { pro|"), "prompt = ");
        assert_eq!(words("agent.all({ auth = { pro|"), "");
        assert_eq!(words("git.merge { branch = a, on_conflict = { pro|"), "prompt = ");
        assert_eq!(words("agent.all({}, { li|"), "limit = ");
        assert_eq!(words("sh('x', { cw|"), "cwd = ");
        assert_eq!(words("git.merge { branch = a, all = |"), "true false");
    }

    #[test]
    fn strings_are_what_the_option_takes() {
        assert_eq!(words("git.merge { strategy = \"|"), "merge\" squash\" ff\" rebase\"");
        assert_eq!(words("git.merge { strategy = \"s|\" }"), "squash");
        assert_eq!(words("git.merge { branch = 'mig|"), "migrate/auth' migrate/billing'");
        assert_eq!(words("git.merge { branches = { 'main', 'migrate/b|"), "migrate/billing'");
        assert_eq!(words("git.diff('ma|"), "main'");
        assert_eq!(words("git.diff \"ma|"), "main\"");
        assert_eq!(words("git.diff('main', 'migrate/a|"), "migrate/auth'");
        assert_eq!(words("git.conflicts { \"ma|"), "main\"");
        assert_eq!(words("agent.query { prompt = 'x', resume = 'a|"), "agent-a3f2' agent-f1c0'");
        assert_eq!(words("agent.remove('|"), "agent-a3f2' agent-f1c0'");
        assert_eq!(words("require 'agentlua.g|"), "agentlua.git' agentlua.github'");
        assert_eq!(words("print('mai|"), "");
    }

    #[test]
    fn commands() {
        assert_eq!(words(":|"), ":agents :help :quit");
        assert_eq!(offered(":help git.conf|"), (6, vec!["git.conflicts".to_owned()]));
        assert_eq!(words(":agents --|"), "--all --wide");
        assert_eq!(words("::|"), "");
    }
}
