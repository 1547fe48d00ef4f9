//! What a call is known by when its run is resumed: everything that changes its answer, by name and as
//! hashes.
//!
//! What only bounds or names an agent is not in it: label, limits on turns, time and money, who listens.
//! The commit that it starts from is compared by itself, as it may differ and have the same files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::fleet::Key;
use super::past::Past;
use super::query::{Commit, Dirty, Plan, Query, Site, Start};
use super::verify::Check;
use crate::digest::{digest, digest_of};
use crate::git::Taken;
use crate::model::Model;
use crate::tool::Tool;
use crate::tool::mcp::Server;

/// Hex digits of the hash of one input, by which it can be told what has changed.
const SHORT: usize = 8;

/// What is asked, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs(BTreeMap<&'static str, Value>);

impl Inputs {
    /// Collects what is asked by a query whose past was not looked up yet.
    pub fn of(query: &Query) -> Self {
        let mut inputs = Self::default();
        inputs.add("prompt", json!(query.prompt));
        inputs.add("model", model(&*query.model));
        let fallbacks = query.fallbacks.iter().map(|fallback| model(&*fallback.model));
        inputs.add("fallback_model", fallbacks.collect());
        inputs.add("effort", json!(query.effort.map(crate::model::Effort::as_str)));
        inputs.add("system_prompt", json!(query.system_prompt));
        inputs.add("append_system_prompt", json!(query.append_system_prompt));
        inputs.add("max_output_tokens", json!(query.limits.max_output_tokens));
        inputs.add("env", json!(query.env));
        inputs.add("add_dirs", json!(query.add_dirs));
        inputs.add_site(&query.site);
        inputs.add_tools(query);
        inputs.add_end(query);
        inputs
    }

    /// Adds whose conversation is taken up: the agent that spoke last in it, and what that one is known by.
    pub fn take_up(&mut self, past: &Past, agent: &str, key: Option<&str>) {
        let how = match past {
            Past::New => return,
            Past::Resumed(_) => "resume",
            Past::Forked(_) => "fork",
        };
        self.add(how, json!([agent, key]));
    }

    /// Returns the hashes.
    pub fn key(&self) -> Key {
        let hashes = self.0.iter().map(|(name, value)| (*name, digest_of(value)));
        let (mut all, mut short) = (String::new(), Map::new());
        for (name, hash) in hashes {
            all.push_str(name);
            all.push('=');
            all.push_str(&hash);
            all.push('\n');
            short.insert(name.to_owned(), hash[..SHORT].into());
        }
        Key { hash: digest(all.as_bytes()), inputs: Value::Object(short).to_string() }
    }

    /// Adds an input. What was not said is left out, so that an option that there is only later changes
    /// nothing.
    fn add(&mut self, name: &'static str, value: Value) {
        let said = match &value {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => true,
        };
        if said {
            self.0.insert(name, value);
        }
    }

    fn add_site(&mut self, site: &Site) {
        let plan = match site {
            Site::Worktree(plan) => plan,
            Site::Directory(dir) => {
                self.add("cwd", json!(dir));
                return;
            }
        };
        let Plan { repo: _, start, furnish, setup, scope, commit } = &**plan;
        self.add("worktree", json!(format!("{furnish:?}")));
        self.add("setup", json!(setup));
        self.add("scope", json!(scope.as_ref().map(|scope| scope.written())));
        self.add(
            "commit",
            match commit {
                Commit::Yes(subject) => json!(["yes", subject]),
                Commit::No => json!(["no"]),
            },
        );
        let (branch, taken) = match start {
            Start::Fresh { branch, taken, dirty, base: _ } => {
                self.add("dirty", json!(*dirty == Dirty::Copy));
                (branch, *taken)
            }
            Start::Past { branch, taken } => (branch, *taken),
            // That of a lent worktree is made up anew each time.
            Start::There { branch, path: _, lender } => {
                let branch = lender.is_none().then_some(branch);
                self.add("branch", json!(branch));
                return;
            }
        };
        let taken = match taken {
            Taken::Refuse => "error",
            Taken::Number => "number",
            Taken::Continue => "continue",
        };
        self.add("branch", json!(branch.as_ref().map(|branch| [branch, taken])));
    }

    fn add_tools(&mut self, query: &Query) {
        self.add("allowed_tools", json!(format!("{:?}", query.rules)));
        self.add("read_only", json!(query.read_only));
        self.add("tools", query.tools.iter().map(|custom| tool(&**custom)).collect());
        self.add("mcp_servers", query.servers.iter().map(Server::described).collect());
        self.add(
            "can_use_tool",
            json!(query.can_use_tool.as_ref().map(|function| function.code())),
        );
        let hooks = query.hooks.iter();
        let hooks =
            hooks.map(|hook| json!([hook.point.option(), hook.tools, hook.function.code()]));
        self.add("hooks", hooks.collect());
    }

    fn add_end(&mut self, query: &Query) {
        self.add(
            "schema",
            query.schema.as_ref().map_or(Value::Null, |schema| (**schema.wire()).clone()),
        );
        let Some(verify) = &query.verify else { return };
        self.add(
            "verify",
            match &verify.by {
                Check::Command(command) => json!(["command", command]),
                Check::Function(function) => json!(["function", function.code()]),
            },
        );
        self.add("verify_attempts", json!(verify.attempts));
    }
}

fn model(model: &dyn Model) -> Value {
    json!([model.name(), model.code()])
}

fn tool(tool: &dyn Tool) -> Value {
    json!([tool.name(), tool.description(), tool.input_schema(), tool.read_only(), tool.code()])
}

/// Returns what differs between the inputs of two keys, by name.
pub fn changed(before: &str, now: &str) -> Vec<String> {
    let read =
        |text: &str| serde_json::from_str::<BTreeMap<String, Value>>(text).unwrap_or_default();
    let (before, now) = (read(before), read(now));
    let mut names: Vec<String> = before
        .keys()
        .chain(now.keys().filter(|name| !before.contains_key(*name)))
        .filter(|name| before.get(*name) != now.get(*name))
        .cloned()
        .collect();
    // What people change most comes first.
    names.sort_by_key(|name| (name != "prompt", name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(inputs: &[(&'static str, Value)]) -> Key {
        let mut all = Inputs::default();
        for (name, value) in inputs {
            all.add(name, value.clone());
        }
        all.key()
    }

    #[test]
    fn what_has_changed_is_told_by_name() {
        let before =
            key(&[("prompt", json!("a")), ("effort", json!("low")), ("model", json!("m"))]);
        let now =
            key(&[("prompt", json!("b")), ("model", json!("m")), ("env", json!({ "A": "1" }))]);
        assert_ne!(before.hash, now.hash);
        assert_eq!(changed(&before.inputs, &now.inputs), ["prompt", "effort", "env"]);
        assert!(changed(&now.inputs, &now.inputs).is_empty());
        assert!(!now.inputs.contains("\"b\""), "{}: hashes only", now.inputs);
    }

    #[test]
    fn what_was_not_said_is_not_in_the_key() {
        let plain = key(&[("prompt", json!("a"))]);
        let said = [("tools", json!([])), ("env", json!({})), ("setup", Value::Null)];
        let more = [("read_only", json!(false)), ("prompt", json!("a"))];
        assert_eq!(key(&[&said[..], &more[..]].concat()), plain);
        assert_ne!(key(&[("prompt", json!("a")), ("commit", json!(["no"]))]).hash, plain.hash);
    }
}
