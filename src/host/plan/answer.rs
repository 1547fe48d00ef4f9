//! What a planned agent is taken to have done: an answer that fits its schema, and one file that it changed,
//! so that what a script does with both is planned too.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Plan;
use super::again::Ground;
use crate::agent::fleet::Order;
use crate::agent::query::{Commit, Site};
use crate::agent::verify::{Check, Verification};
use crate::agent::{Outcome, Subtype};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::schema::sample::Shape;

/// How often a script may ask at one place before answers begin to change.
const PATIENT: u64 = 10;

/// What an agent is taken to have changed.
#[derive(Default)]
pub(super) struct Work {
    pub(super) head: Option<String>,
    pub(super) files: Vec<String>,
}

/// Returns a commit id that no commit has, of so many digits.
fn made_up(id: &str, digits: usize) -> String {
    let hash = Sha256::digest(id.as_bytes());
    hash.iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
        .chars()
        .take(digits)
        .collect()
}

/// Returns the shape of an answer: it changes where a script asks in a loop, so that loops end.
fn shape(call_path: &str) -> Shape {
    let number = call_path.rsplit('#').next().and_then(|number| number.parse::<u64>().ok());
    match number {
        Some(number) if number > PATIENT && number % 2 == 1 => Shape::Bare,
        _ => Shape::Full,
    }
}

impl Host {
    /// Makes up what an agent changed: one file that there is, so that what a script does with changes is
    /// planned too. The commit is one that every repository handle takes for the base.
    pub(super) async fn work(
        &self,
        plan: &Plan,
        order: &Order,
        id: &str,
        ground: Option<&Ground>,
    ) -> Result<Work> {
        let (Some(ground), Site::Worktree(site)) = (ground, &order.query.site) else {
            return Ok(Work::default());
        };
        let base = ground.tip.clone();
        if order.query.read_only {
            return Ok(Work { head: Some(base), files: Vec::new() });
        }
        let scope = site.scope.clone();
        let written = scope.as_ref().map(|scope| scope.written().to_vec());
        if written.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Work { head: Some(base), files: Vec::new() });
        }
        let key = (base.clone(), written.clone());
        let known = plan.state().paths.get(&key).cloned();
        let path = if let Some(path) = known {
            path
        } else {
            let (repo, commit) = (Arc::clone(&ground.repo), base.clone());
            let looked = async move { repo.first_path(&commit, scope.as_deref()).await };
            let found = self.beside(looked).await??;
            let path = found.or_else(|| written?.into_iter().next());
            let path = path.unwrap_or_else(|| "planned".to_owned());
            plan.state().paths.insert(key, path.clone());
            path
        };
        let files = vec![path];
        if site.commit == Commit::No {
            return Ok(Work { head: Some(base), files });
        }
        let head = made_up(id, base.len());
        ground.repo.pretend(&head, &base);
        plan.state().changed.insert(ground.branch.clone());
        Ok(Work { head: Some(head), files })
    }

    /// Answers for an agent: it was done.
    pub(super) fn answer(
        &self,
        order: &Order,
        id: String,
        ground: Option<&Ground>,
        work: Work,
    ) -> Result<Outcome> {
        let query = &order.query;
        let structured_output = match &query.schema {
            None => None,
            Some(schema) => Some(schema.sample(shape(&query.call_path)).ok_or_else(|| {
                let why =
                    format!("no data that fits the schema of `{}` could be made up", query.label);
                Error::new(Kind::Model, why).hint(
                    "the dry run needs some: simplify the schema, or try it with --model FILE.lua",
                )
            })?),
        };
        Ok(Outcome {
            result: structured_output
                .as_ref()
                .map_or_else(|| format!("(planned) {}", query.label), ToString::to_string),
            session_id: order
                .ancestor
                .as_ref()
                .and_then(|ancestor| ancestor.session.clone())
                .unwrap_or_else(|| format!("{}/{id}", self.fleet.run_id())),
            branch: ground.map(|ground| ground.branch.clone()),
            worktree_path: ground.map(|ground| ground.path.clone()),
            base_commit: ground.map(|ground| ground.base.clone()),
            head_commit: work.head,
            files_changed: work.files,
            stop_reason: Some("end_turn".to_owned()),
            structured_output,
            verify: query.verify.as_ref().map(|verify| Verification {
                ok: Some(true),
                attempts: 1,
                baseline: matches!(verify.by, Check::Command(_)).then_some("passed"),
                output: None,
            }),
            ..Outcome::without_work(id, &query.label, Subtype::Success)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_change_where_a_script_goes_in_circles() {
        let bare = |path: &str| shape(path) == Shape::Bare;
        assert!(!bare("/query#1") && !bare("/query#9") && !bare("/all#1[40]/query#1"));
        assert!(bare("/query#11") && !bare("/query#12") && bare("/query#13"));
    }
}
