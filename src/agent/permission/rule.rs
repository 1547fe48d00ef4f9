//! One rule of `allowed_tools` or `disallowed_tools`, as the Agent SDK writes them.

use serde_json::Value;

use super::bash::BashRule;
use super::path::PathRule;
use super::pattern::{Pattern, plain};
use crate::error::{Error, Result};
use crate::suggest::nearest;
use crate::tool::registry::Registry;

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Every call of a tool.
    Tool(String),
    /// Some tools of MCP servers: `mcp__server`, `mcp__server__*`, `mcp__server__tool`.
    Mcp { text: String, pattern: Pattern },
    /// Some commands.
    Bash(BashRule),
    /// Calls about some files: of `Read`, `Grep` and `Glob`, or of `Edit` and `Write`.
    Files { access: Access, tool: String, rule: PathRule },
    /// Pages of some hosts.
    Domain(String),
    /// A sub-agent.
    Agent(String),
}

/// What is done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Edit,
}

impl Rule {
    /// Reads a rule. `tools` are the names that there are.
    pub(super) fn parse(text: &str, tools: &[String]) -> Result<Self> {
        let bad = |why: &str| Error::usage(format!("the rule `{text}` {why}"));
        let Some((name, rest)) = text.split_once('(') else {
            return Self::name(text, tools);
        };
        let Self::Tool(name) = Self::name(name.trim_end(), tools)? else {
            return Err(bad("has parentheses, and tools of servers take none"));
        };
        let Some(inside) = rest.trim_end().strip_suffix(')').map(str::trim) else {
            return Err(bad("lacks its closing parenthesis"));
        };
        if inside.is_empty() {
            return Err(bad("says nothing in its parentheses"));
        }
        if inside == "*" {
            return Ok(Self::Tool(name));
        }
        let access = match &*name {
            "Bash" if inside == ":*" => return Err(bad("names no command")),
            "Bash" => return Ok(Self::Bash(BashRule::parse(inside))),
            "WebFetch" => {
                let host = inside.strip_prefix("domain:").map(str::trim);
                let host = host.filter(|host| !host.is_empty() && !host.contains(['/', ':', ' ']));
                return match host {
                    Some(host) => Ok(Self::Domain(host.to_ascii_lowercase())),
                    None => Err(bad("names no host").hint("as in `WebFetch(domain:example.com)`")),
                };
            }
            "Agent" => return Ok(Self::Agent(inside.to_owned())),
            "Read" | "Grep" | "Glob" => Access::Read,
            "Edit" | "Write" => Access::Edit,
            _ => return Err(bad(&format!("has parentheses, and `{name}` takes none"))),
        };
        let rule = PathRule::parse(inside).map_err(|why| bad(&why))?;
        Ok(Self::Files { access, tool: name, rule })
    }

    fn name(text: &str, tools: &[String]) -> Result<Self> {
        let known = tools.iter().map(String::as_str).chain(Registry::optional());
        if known.clone().any(|tool| tool == text) {
            return Ok(Self::Tool(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("mcp__") {
            let fits = |c: char| c.is_ascii_alphanumeric() || "_-.*".contains(c);
            if rest.is_empty() || rest.starts_with(['_', '*']) || !rest.chars().all(fits) {
                return Err(Error::usage(format!("the rule `{text}` names no server"))
                    .hint("as in `mcp__server`, `mcp__server__*` or `mcp__server__tool`"));
            }
            let whole = !rest.contains("__") && !rest.ends_with('*');
            let pattern = if whole { format!("{text}__*") } else { text.to_owned() };
            return Ok(Self::Mcp { text: text.to_owned(), pattern: Pattern::new(&pattern) });
        }
        let unknown = Error::usage(format!("the rule `{text}` names no tool"));
        Err(match nearest(text, known.clone()) {
            Some(near) => unknown.hint(format!("did you mean `{near}`?")),
            None => unknown.hint(format!("there are {}", known.collect::<Vec<_>>().join(", "))),
        })
    }

    /// Returns the tool that it is about, for the built-in ones and the script's.
    pub(super) fn tool(&self) -> &str {
        match self {
            Self::Tool(name) => name,
            Self::Mcp { text, .. } => text,
            Self::Bash(_) => "Bash",
            Self::Files { tool, .. } => tool,
            Self::Domain(_) => "WebFetch",
            Self::Agent(_) => "Agent",
        }
    }

    /// Reports whether it is about calls of a tool, be it all or some of them.
    pub(super) fn concerns(&self, name: &str) -> bool {
        match self {
            Self::Mcp { pattern, .. } => pattern.covers(&plain(name)),
            // A rule about what may be edited is one for all tools that edit.
            Self::Files { access: Access::Edit, .. } => matches!(name, "Edit" | "Write"),
            other => other.tool() == name,
        }
    }

    /// Reports whether it is about every call of a tool.
    pub(super) fn is_whole(&self, name: &str) -> bool {
        matches!(self, Self::Tool(_) | Self::Mcp { .. }) && self.concerns(name)
    }

    /// Reports whether it covers a call that is about neither files nor commands.
    pub(super) fn covers(&self, name: &str, input: &Value) -> bool {
        let field = |name: &str| input.get(name).and_then(Value::as_str);
        match self {
            Self::Domain(host) => {
                name == "WebFetch" && field("url").is_some_and(|url| is_host(url, host))
            }
            Self::Agent(agent) => {
                name == "Agent"
                    && ["subagent_type", "agent", "name"]
                        .iter()
                        .any(|key| field(key) == Some(agent))
            }
            other => other.is_whole(name),
        }
    }

    /// Returns it as people read it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Tool(name) | Self::Mcp { text: name, .. } | Self::Agent(name) => {
                format!("`{name}`")
            }
            Self::Bash(rule) => rule.shown(),
            Self::Files { rule, .. } => rule.shown(),
            Self::Domain(host) => format!("`{host}`"),
        }
    }
}

/// Reports whether a page is on a host: `example.com` is that host, `*.example.com` all below it.
fn is_host(url: &str, host: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let Some(actual) = url.host_str() else { return false };
    match host.strip_prefix("*.") {
        Some(parent) => actual.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
        None => actual == host,
    }
}
