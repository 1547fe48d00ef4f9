//! Which tools are offered and which calls run: `allowed_tools`, `disallowed_tools`, `read_only`.
//!
//! A call is denied if a rule of `disallowed_tools` covers it, or could: a refusal comes before every
//! allowance, however exact that is. It is allowed if a rule of `allowed_tools` covers it for certain.
//! Every other call is open: `can_use_tool` is asked, and where there is none, or it says nothing, a
//! call runs if its tool was offered whole and not by a rule about some of its calls.
//!
//! A Bash command is taken apart first, and is allowed only if all of its parts are: by a rule, or,
//! beside one that is, because they only look at what the rules for files let the agent read, such as
//! the `tail` in `npm test | tail`. What it redirects to is edited, what it redirects from is read.

mod bash;
mod files;
mod path;
mod pattern;
mod program;
mod readonly;
mod rule;
mod shell;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::Value;

use crate::error::Result;
use crate::tool::registry::Registry;
use files::Dirs;
use rule::{Access, Rule};
use shell::{Part, Script};

/// The tools that change nothing, offered without a worktree.
pub const READING: [&str; 3] = ["Read", "Glob", "Grep"];
/// The built-in tools that write, and cannot be told to only look.
const WRITING: [&str; 2] = ["Write", "Edit"];

/// What the rules say of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A rule lets it run.
    Allowed,
    /// A rule, or the confinement, refuses it: for this reason.
    Denied(String),
    /// No rule decides; left alone it runs, or is refused for this reason.
    Open(std::result::Result<(), String>),
}

/// Reports whether a name, which may have `*` in it, covers a tool.
pub(super) fn covers_name(name: &str, tool: &str) -> bool {
    pattern::Pattern::new(name).covers(&pattern::plain(tool))
}

/// Reports whether a command, as far as can be told from its text, only looks: it writes no file, reaches no
/// network, and starts nothing that may.
pub fn only_looks(command: &str) -> bool {
    readonly::objection(command).is_none()
}

/// Returns the programs that a command names, `None` for one whose name only the shell will know;
/// nothing, when the command cannot be taken apart.
pub fn programs(command: &str) -> Option<Vec<Option<String>>> {
    let script = shell::parse(command).ok()?;
    Some(
        script.parts.iter().filter_map(|part| part.words.first().map(shell::Word::value)).collect(),
    )
}

/// The rules of one agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What is offered and runs; `None` where nothing was said.
    allowed: Option<Vec<Rule>>,
    denied: Vec<Rule>,
    /// Without rules only these are offered.
    defaults: Option<Vec<String>>,
    read_only: bool,
}

impl Rules {
    /// Reads the two lists. `tools` are the names that there are.
    ///
    /// # Errors
    /// Usage, for a rule that names nothing or cannot be read.
    pub fn parse(allowed: Option<&[String]>, denied: &[String], tools: &[String]) -> Result<Self> {
        let parse = |rules: &[String]| {
            rules.iter().map(|rule| Rule::parse(rule.trim(), tools)).collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            allowed: allowed.map(parse).transpose()?,
            denied: parse(denied)?,
            ..Self::default()
        })
    }

    /// Offers only tools that read, unless `allowed_tools` says otherwise.
    #[must_use]
    pub fn reading_by_default(mut self) -> Self {
        let reading = READING.into_iter().chain(self.read_only.then_some("Bash"));
        self.defaults = Some(reading.map(str::to_owned).collect());
        self
    }

    /// Lets the agent only look, whatever else is allowed.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
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

    /// Returns the first listed built-in tool that writes in the agent's directory, if there is one.
    pub fn writing(&self) -> Option<&str> {
        let writes = |name: &&str| WRITING.contains(name) || (*name == "Bash" && !self.read_only);
        self.allowed.iter().flatten().map(Rule::tool).find(writes)
    }

    /// Reports whether the tool `name`, built in or of a server, is offered.
    pub fn offers(&self, name: &str) -> bool {
        if self.denied.iter().any(|rule| rule.is_whole(name)) {
            return false;
        }
        let listed = self.allowed.iter().flatten().any(|rule| rule.concerns(name));
        if self.read_only && (WRITING.contains(&name) || (name.starts_with("mcp__") && !listed)) {
            return false;
        }
        match (&self.allowed, &self.defaults) {
            (Some(_), _) => listed,
            _ if Registry::optional().contains(&name) => false,
            (None, Some(defaults)) => {
                name.starts_with("mcp__") || defaults.iter().any(|default| default == name)
            }
            (None, None) => true,
        }
    }

    /// Reports whether a tool of the script's own is offered: unless it is denied. The script knows
    /// what it does, also in an agent that may only look.
    pub fn offers_custom(&self, name: &str) -> bool {
        !self.denied.iter().any(|rule| rule.is_whole(name))
    }

    /// Weighs a call of an offered tool in the workspace at `root`.
    pub fn weigh(&self, tool: &str, input: &Value, root: &Path) -> Verdict {
        let field = |name: &str| input.get(name).and_then(Value::as_str);
        match tool {
            "Bash" => match field("command") {
                Some(command) => self.weigh_command(command, root),
                None => Verdict::Open(Ok(())), // The tool itself refuses it.
            },
            "Read" | "Edit" | "Write" => self.weigh_file(tool, field("file_path"), root),
            "Grep" | "Glob" => self.weigh_file(tool, field("path"), root),
            _ => self.weigh_other(tool, input),
        }
    }

    fn weigh_other(&self, tool: &str, input: &Value) -> Verdict {
        if let Some(rule) = self.denied.iter().find(|rule| rule.covers(tool, input)) {
            return Verdict::Denied(format!("the rules of this agent forbid {}", rule.shown()));
        }
        let Some(rules) = &self.allowed else { return Verdict::Open(Ok(())) };
        if rules.iter().any(|rule| rule.covers(tool, input)) {
            return Verdict::Allowed;
        }
        Verdict::Open(match self.listed(tool) {
            list if list.is_empty() => Ok(()), // A tool of the script's own.
            list => {
                Err(format!("the rules of this agent allow {tool} only for {}", list.join(", ")))
            }
        })
    }

    /// Returns what the listed rules about a tool say.
    fn listed(&self, tool: &str) -> Vec<String> {
        let about = self.allowed.iter().flatten().filter(|rule| rule.concerns(tool));
        about.map(Rule::shown).collect()
    }

    fn weigh_command(&self, command: &str, root: &Path) -> Verdict {
        if self.read_only
            && let Some(why) = readonly::objection(command)
        {
            return Verdict::Denied(format!("this agent may only run commands that read: {why}"));
        }
        let script = shell::parse(command);
        if let Some(why) = self.forbidden(command, &script, root) {
            return Verdict::Denied(why);
        }
        let Some(rules) = &self.allowed else { return Verdict::Open(Ok(())) };
        let whole = |rule: &Rule| match rule {
            Rule::Bash(rule) => rule.is(command),
            other => other.is_whole("Bash"),
        };
        if rules.iter().any(whole) {
            return Verdict::Allowed;
        }
        match script.map_err(str::to_owned).and_then(|script| self.allowed_script(&script, root)) {
            Ok(()) => Verdict::Allowed,
            Err(why) => Verdict::Open(Err(format!(
                "the rules of this agent allow only commands like {}: {why}",
                self.listed("Bash").join(", ")
            ))),
        }
    }

    /// Says which rule could forbid a command.
    fn forbidden(
        &self,
        command: &str,
        script: &std::result::Result<Script, shell::Unreadable>,
        root: &Path,
    ) -> Option<String> {
        let scoped = |rule: &&Rule| matches!(rule, Rule::Bash(_) | Rule::Files { .. });
        self.denied.iter().find(scoped)?;
        for rule in &self.denied {
            if let Rule::Bash(bash) = rule
                && (bash.is(command)
                    || script.as_ref().is_ok_and(|s| s.parts.iter().any(|part| bash.forbids(part))))
            {
                return Some(format!(
                    "the rules of this agent forbid commands like {}",
                    rule.shown()
                ));
            }
        }
        let script = match script {
            Ok(script) => script,
            Err(why) => {
                return Some(format!(
                    "the command cannot be checked against the rules of this agent, because {why}; run \
                     simple commands one at a time"
                ));
            }
        };
        files::named(script, root).find_map(|(access, place)| self.forbidden_file(access, &place))
    }

    /// Checks that every part of a command is allowed, and one of them by a rule.
    fn allowed_script(&self, script: &Script, root: &Path) -> std::result::Result<(), String> {
        if let Some(why) = script.unclear {
            return Err(why.to_owned());
        }
        let mut dirs = Dirs::new(root);
        let mut by_rule = false;
        for part in &script.parts {
            let ruled = self.allowed.iter().flatten().any(|rule| match rule {
                Rule::Bash(rule) => rule.allows(part),
                _ => false,
            });
            by_rule |= ruled;
            if let Some(name) = bash::unsafely_set(part) {
                return Err(format!("setting `{name}` is not covered"));
            }
            if !(ruled || self.allows_aside(part, &dirs)) {
                return Err(match part.shown() {
                    line if line.is_empty() => "an assignment is not covered".to_owned(),
                    line => format!("`{line}` is not covered"),
                });
            }
            for redirect in &part.redirects {
                self.allowed_redirect(redirect, &dirs)?;
            }
            if !dirs.follow(part) {
                return Err("where `cd` leads cannot be told".to_owned());
            }
        }
        if by_rule { Ok(()) } else { Err("it runs none of them".to_owned()) }
    }

    /// Reports whether a part may run beside what a rule allows: it only looks, and at nothing that the
    /// agent could not read anyhow.
    fn allows_aside(&self, part: &Part, dirs: &Dirs) -> bool {
        let words_look = part.words.is_empty()
            || readonly::only_looks(&Part { redirects: Vec::new(), ..part.clone() });
        words_look
            && (readonly::only_filters(part) || self.lists_whole("Read"))
            && dirs.operands(part).is_some_and(|places| {
                let goes = program::name(&part.words).as_deref() == Some("cd");
                let may = |place| goes || self.allows_file(Access::Read, place);
                places.iter().all(|place| place.is_inside() && may(place))
            })
    }

    fn allowed_redirect(
        &self,
        redirect: &shell::Redirect,
        dirs: &Dirs,
    ) -> std::result::Result<(), String> {
        let known = redirect.target.value();
        if known.as_deref().is_some_and(readonly::is_sink) {
            return Ok(());
        }
        let access = if redirect.writes { Access::Edit } else { Access::Read };
        let may = known.filter(|target| !files::is_tilde(target)).is_some_and(|target| {
            dirs.places(&target)
                .iter()
                .all(|place| place.is_inside() && self.allows_file(access, place))
        });
        let done = if redirect.writes { "writing" } else { "reading" };
        if may { Ok(()) } else { Err(format!("{done} `{}` is not covered", redirect.target.raw())) }
    }

    fn lists_whole(&self, tool: &str) -> bool {
        self.allowed.iter().flatten().any(|rule| rule.is_whole(tool))
    }
}
