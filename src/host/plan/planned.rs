//! What a plan says of an agent, and in which order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Cost;
use crate::agent::query::{Dirty, Query, Site, Start};
use crate::agent::verify::{Check, Verify};
use crate::tool::registry::Registry;

/// An agent that would start.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the plan")]
pub struct Planned {
    /// The place of the call in the script.
    pub call_path: String,
    /// The name that people see.
    pub label: String,
    /// Its branch, with a worktree. One that is named after the agent has another name in a real run.
    pub branch: Option<String>,
    /// Whether that name is the script's.
    pub branch_named: bool,
    /// The commit that it starts from.
    pub base_commit: Option<String>,
    /// The revision of that which was asked for.
    pub base: Option<String>,
    /// The model.
    pub model: String,
    /// Who is asked when that cannot answer.
    pub fallbacks: Vec<String>,
    /// The built-in tools that are offered, and those of the script.
    pub tools: Vec<String>,
    /// The servers that offer more.
    pub mcp_servers: Vec<String>,
    /// Whether it may only look.
    pub read_only: bool,
    /// What it may write, if not everything.
    pub scope: Option<Vec<String>>,
    /// The command that prepares its worktree.
    pub setup: Option<String>,
    /// How its work is verified: the command, or `a function`.
    pub verify: Option<String>,
    /// Whether its answer has to fit a schema.
    pub schema: bool,
    /// What an earlier life of the run had of it, in a plan of a run that is resumed.
    pub before: Option<String>,
    /// Whether nothing is asked: the outcome that an earlier life had is given back.
    pub from_journal: bool,
    /// The agent that it goes on with.
    pub resumes: Option<String>,
    /// Model round trips.
    pub max_turns: u32,
    /// Seconds that it may take.
    pub timeout: Option<f64>,
    /// Its own budget, in USD.
    pub max_budget_usd: Option<f64>,
    /// Of its models, those whose price or whose context is not known.
    pub cost_unknown: Vec<String>,
    /// What one turn may cost, and of what.
    #[serde(flatten)]
    pub cost: Option<Cost>,
    /// The most that it may cost, in USD; absent when that is unknown.
    pub worst_case_usd: Option<f64>,
    /// What keeps it from starting.
    pub error: Option<String>,
}

/// Returns the agents with those of one outermost call together, as these calls were made, and within each
/// as their paths say: which of several is asked first is chance.
pub(super) fn sorted(agents: &[Planned]) -> Vec<Planned> {
    let outermost = |agent: &Planned| {
        let path = agent.call_path.trim_start_matches('/');
        path.split(['/', '[']).next().unwrap_or_default().to_owned()
    };
    let mut places = BTreeMap::new();
    for (place, agent) in agents.iter().enumerate() {
        places.entry(outermost(agent)).or_insert(place);
    }
    let mut sorted = agents.to_vec();
    sorted.sort_by(|a, b| {
        let by_place = places.get(&outermost(a)).cmp(&places.get(&outermost(b)));
        by_place.then_with(|| order(&a.call_path, &b.call_path))
    });
    sorted
}

/// Compares two call paths as the calls stand in the script: numbers by value.
fn order(a: &str, b: &str) -> Ordering {
    let parts = |path: &str| -> Vec<(String, u64)> {
        let mut parts = Vec::new();
        for part in path.split(['/', '[', ']', '#']).filter(|part| !part.is_empty()) {
            parts.push((
                part.trim_matches(|c: char| c.is_ascii_digit()).to_owned(),
                part.parse().unwrap_or(0),
            ));
        }
        parts
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

impl Planned {
    /// Reports whether a model would be asked.
    pub fn is_asked(&self) -> bool {
        self.error.is_none() && !self.from_journal
    }

    pub(super) fn of(query: &Query) -> Self {
        let plan = match &query.site {
            Site::Worktree(plan) => Some(plan),
            Site::Directory(_) => None,
        };
        let (named, base) = match plan.map(|plan| &plan.start) {
            Some(Start::Fresh { branch, base, dirty, .. }) => {
                let copied =
                    (*dirty == Dirty::Copy).then(|| "HEAD and uncommitted changes".to_owned());
                (branch.is_some(), copied.or_else(|| base.clone()))
            }
            Some(Start::There { .. }) => (true, None),
            Some(Start::Past { branch, .. }) => (branch.is_some(), None),
            None => (false, None),
        };
        let cost = Cost::of(query);
        Self {
            call_path: query.call_path.clone(),
            label: query.label.clone(),
            branch_named: named,
            base,
            model: query.model.name().to_owned(),
            fallbacks: query.fallbacks.iter().map(|f| f.model.name().to_owned()).collect(),
            tools: tools(query),
            mcp_servers: query.servers.iter().map(|server| server.name.clone()).collect(),
            read_only: query.read_only,
            scope: plan.and_then(|plan| plan.scope.as_ref()).map(|scope| scope.written().to_vec()),
            setup: query.setup().map(str::to_owned),
            verify: query.verify.as_ref().map(verified),
            schema: query.schema.is_some(),
            resumes: query.past.name().map(str::to_owned),
            max_turns: query.limits.max_turns,
            timeout: query.limits.timeout.map(|limit| limit.as_secs_f64()),
            max_budget_usd: query.purse.total(),
            worst_case_usd: Cost::worst_case(query, cost),
            cost,
            cost_unknown: Cost::unknown(query),
            ..Self::default()
        }
    }
}

fn verified(verify: &Verify) -> String {
    match &verify.by {
        Check::Command(command) => format!("`{command}`"),
        Check::Function(_) => "a function".to_owned(),
    }
}

/// Returns the tools that an agent is offered.
fn tools(query: &Query) -> Vec<String> {
    let offered = Registry::builtin_names().filter(|name| query.rules.offers(name));
    let own = query.tools.iter().map(|tool| tool.name().to_owned());
    offered.chain(own.filter(|name| query.rules.offers_custom(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_sorted_as_they_were_asked() {
        let planned = |path: &&str| Planned { call_path: (*path).to_owned(), ..Planned::default() };
        let asked = ["/race#1[b]/query#1", "/race#1[a]/query#1", "/query#1"];
        let asked: Vec<Planned> = asked.iter().map(planned).collect();
        let paths: Vec<String> = sorted(&asked).into_iter().map(|one| one.call_path).collect();
        assert_eq!(paths, ["/race#1[a]/query#1", "/race#1[b]/query#1", "/query#1"]);
    }

    #[test]
    fn numbers_in_paths_are_compared_as_such() {
        let mut paths = [
            "/query#10",
            "/all#2[b]/query#1",
            "/query#2",
            "/all#2[10]/query#1",
            "/all#2[9]/query#1",
        ];
        paths.sort_by(|a, b| order(a, b));
        assert_eq!(
            paths,
            [
                "/all#2[9]/query#1",
                "/all#2[10]/query#1",
                "/all#2[b]/query#1",
                "/query#2",
                "/query#10"
            ]
        );
    }
}
