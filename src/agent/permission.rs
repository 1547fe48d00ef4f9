//! Which tools are offered and which calls run: `allowed_tools` and `disallowed_tools`.
//!
//! A rule is a tool's name, or for Bash `Bash(git diff *)` and `Bash(npm run test:*)`, which allow
//! commands that begin with those words, and `Bash(make)`, which allows exactly that. Until
//! compound commands can be taken apart, a scoped rule allows none with a character that joins,
//! redirects or substitutes; and where a scoped rule forbids, such a command is refused, because
//! nobody can say what it runs, and so is one that hides its first word or runs another. Denials are told to the model and recorded; nobody is ever asked.

use crate::error::{Error, Result};
use crate::suggest::nearest;

/// Characters with which a command can be more than one.
const JOINTS: [char; 11] = [';', '&', '|', '<', '>', '$', '(', ')', '`', '\n', '\r'];

/// Commands that run what stands behind them.
const WRAPPERS: &str = " bash builtin command doas env eval exec find ionice nice nohup parallel \
                        setsid sh stdbuf sudo time timeout watch xargs zsh ";

/// The tools that change nothing, offered without a worktree.
pub const READING: [&str; 3] = ["Read", "Glob", "Grep"];

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    /// Every call of a tool.
    Tool(String),
    /// Bash commands that begin with these words.
    Prefix(String),
    /// This Bash command.
    Exact(String),
    /// `WebFetch` of this host.
    Domain(String),
}

impl Rule {
    fn parse(text: &str, tools: &[String]) -> Result<Self> {
        let bad = |why: &str| Error::usage(format!("the rule `{text}` {why}"));
        let Some((name, rest)) = text.split_once('(') else {
            if text.starts_with("mcp__") || text.contains('*') {
                return Err(bad("is not built yet: use the names of tools"));
            }
            if tools.iter().any(|tool| tool == text) {
                return Ok(Self::Tool(text.to_owned()));
            }
            let near = nearest(text, tools.iter().map(String::as_str));
            return Err(bad("names no tool").hint(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", tools.join(", ")),
            }));
        };
        let Some(pattern) = rest.strip_suffix(')') else {
            return Err(bad("lacks its closing parenthesis"));
        };
        if name == "WebFetch"
            && let Some(host) = pattern.strip_prefix("domain:").map(str::trim)
            && !host.is_empty()
        {
            return Ok(Self::Domain(host.to_owned()));
        }
        if name != "Bash" {
            return Err(bad("is not built yet: only Bash takes a pattern"));
        }
        let prefix = pattern.strip_suffix(":*").or_else(|| pattern.strip_suffix(" *"));
        let words = prefix.unwrap_or(pattern).trim();
        if pattern.trim() == "*" {
            return Ok(Self::Tool("Bash".to_owned()));
        }
        if words.is_empty() {
            return Err(bad("names no command"));
        }
        if words.contains('*') {
            return Err(bad(
                "is not built yet: `*` stands only at the end, after a space or as `:*`",
            ));
        }
        Ok(match prefix {
            Some(_) => Self::Prefix(words.to_owned()),
            None => Self::Exact(words.to_owned()),
        })
    }

    fn tool(&self) -> &str {
        match self {
            Self::Tool(name) => name,
            Self::Prefix(_) | Self::Exact(_) => "Bash",
            Self::Domain(_) => "WebFetch",
        }
    }

    /// Reports whether a simple command falls under the rule.
    fn covers(&self, command: &str) -> bool {
        let command = command.trim();
        match self {
            Self::Tool(name) => name == "Bash",
            Self::Exact(words) => command == words,
            Self::Domain(_) => false,
            Self::Prefix(words) => command
                .strip_prefix(words.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)),
        }
    }
}

/// The rules of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What is offered and runs; `None` where nothing was said.
    allowed: Option<Vec<Rule>>,
    denied: Vec<Rule>,
    /// Without rules only these are offered.
    defaults: Option<Vec<String>>,
}

impl Rules {
    /// Reads the two lists. `tools` are the names that there are.
    ///
    /// # Errors
    /// Usage, for a rule that names nothing or that this version cannot apply.
    pub fn parse(allowed: Option<&[String]>, denied: &[String], tools: &[String]) -> Result<Self> {
        let parse = |rules: &[String]| {
            rules.iter().map(|rule| Rule::parse(rule, tools)).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            allowed: allowed.map(parse).transpose()?,
            denied: parse(denied)?,
            defaults: None,
        })
    }

    /// Offers only tools that read, unless `allowed_tools` says otherwise.
    #[must_use]
    pub fn reading_by_default(mut self) -> Self {
        self.defaults = Some(READING.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Returns the allowed tools by name, if any were listed.
    pub fn listed(&self) -> Option<Vec<&str>> {
        self.allowed.as_ref().map(|rules| rules.iter().map(Rule::tool).collect())
    }

    /// Returns the hosts that `WebFetch(domain:…)` names in the allowed rules.
    pub fn domains(&self) -> Vec<String> {
        let rules = self.allowed.iter().flatten();
        let host = |rule: &Rule| match rule {
            Rule::Domain(host) => Some(host.clone()),
            _ => None,
        };
        rules.filter_map(host).collect()
    }

    /// Reports whether the built-in tool `name` is offered.
    pub fn offers(&self, name: &str) -> bool {
        if self.denied.contains(&Rule::Tool(name.to_owned())) {
            return false;
        }
        match (&self.allowed, &self.defaults) {
            (Some(rules), _) => rules.iter().any(|rule| rule.tool() == name),
            (None, Some(defaults)) => defaults.iter().any(|default| default == name),
            (None, None) => true,
        }
    }

    /// Reports whether a tool of the script's own is offered: unless it is denied.
    pub fn offers_custom(&self, name: &str) -> bool {
        !self.denied.contains(&Rule::Tool(name.to_owned()))
    }

    /// Says no to a Bash command, with the reason for the model.
    pub fn refusal(&self, command: &str) -> Option<String> {
        let compound = command.trim().contains(JOINTS);
        let scoped = |rule: &&Rule| rule.tool() == "Bash" && !matches!(rule, Rule::Tool(_));
        let unclear = compound || hides_its_program(command);
        if let Some(rule) =
            self.denied.iter().filter(scoped).find(|rule| unclear || rule.covers(command))
        {
            return Some(if unclear {
                "commands that join, wrap or disguise others cannot be checked against the rules of \
                 this agent; run simple commands one at a time"
                    .to_owned()
            } else {
                format!("the rules of this agent forbid commands like {}", shown(rule))
            });
        }
        let rules = self.allowed.as_ref()?;
        let allowed = rules.iter().any(|rule| {
            *rule == Rule::Tool("Bash".to_owned()) || (!compound && rule.covers(command))
        });
        if allowed {
            return None;
        }
        let list: Vec<_> = rules.iter().filter(scoped).map(shown).collect();
        Some(format!(
            "the rules of this agent allow only simple commands like {}; no `;`, `|`, `&`, redirection or substitution",
            list.join(", ")
        ))
    }
}

/// Reports whether the first word does not say which program runs: a path, a quoted or assigned word,
/// or a program that runs another.
fn hides_its_program(command: &str) -> bool {
    let word = command.split_whitespace().next().unwrap_or_default();
    word.contains(['/', '=', '\'', '"', '\\', '*', '?', '[', '{', '~', '!'])
        || WRAPPERS.contains(&format!(" {word} "))
}

fn shown(rule: &Rule) -> String {
    match rule {
        Rule::Tool(name) => format!("`{name}`"),
        Rule::Prefix(words) => format!("`{words} …`"),
        Rule::Exact(words) => format!("`{words}`"),
        Rule::Domain(host) => format!("`{host}`"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tools() -> Vec<String> {
        ["Read", "Write", "Edit", "Bash", "Glob", "Grep", "lookup"].map(str::to_owned).to_vec()
    }

    fn rules(allowed: &[&str], denied: &[&str]) -> Rules {
        let owned = |list: &[&str]| list.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>();
        Rules::parse(Some(&owned(allowed)), &owned(denied), &tools()).unwrap()
    }

    #[test]
    fn prefixes_end_at_words_and_never_cover_compounds() {
        let rules = rules(&["Bash(git diff *)", "Bash(npm run test:*)", "Bash(make)"], &[]);
        for command in [
            "git diff",
            "git diff HEAD~1 -- a",
            " git diff ",
            "npm run test",
            "npm run test x",
            "make",
        ] {
            assert_eq!(rules.refusal(command), None, "{command}");
        }
        for command in [
            "git difftool",
            "git",
            "make all",
            "npm run testing",
            "git diff; rm -rf x",
            "git diff && x",
            "git diff | sh",
            "git diff > f",
            "git diff < f",
            "git diff $(x)",
            "git diff `x`",
            "git diff\nrm x",
            "git diff $HOME",
            "(git diff)",
            "git diff &",
        ] {
            assert!(rules.refusal(command).is_some(), "{command}");
        }
    }

    #[test]
    fn denial_comes_before_allowance() {
        let rules = rules(&["Bash", "Read"], &["Bash(rm *)", "Read"]);
        assert!(!rules.offers("Read") && rules.offers("Bash") && !rules.offers("Write"));
        assert_eq!(rules.refusal("ls -l"), None);
        assert!(rules.refusal("rm x").is_some());
        for disguised in ["ls; rm x", "/bin/rm x", "env rm x", "\"rm\" x", "r\\m x", "A=1 rm x"] {
            assert!(rules.refusal(disguised).is_some(), "{disguised}");
        }
    }

    #[test]
    fn names_are_checked() {
        let parse = |rule: &str| Rules::parse(Some(&[rule.to_owned()]), &[], &tools()).unwrap_err();
        assert_eq!(parse("Raed").hint.unwrap(), "did you mean `Read`?");
        for rule in ["Read(src/*)", "mcp__x__*", "Bash(git * x)", "Bash(git", "Bash()"] {
            assert_eq!(parse(rule).kind, crate::error::Kind::Usage, "{rule}");
        }
        assert!(rules(&["Bash(*)"], &[]).refusal("a; b").is_none());
    }

    #[test]
    fn reading_is_the_default_without_a_worktree() {
        let rules = Rules::parse(None, &[], &tools()).unwrap().reading_by_default();
        assert!(rules.offers("Grep") && !rules.offers("Bash") && !rules.offers("Edit"));
        assert!(Rules::parse(None, &[], &tools()).unwrap().offers("Bash"));
    }
}
