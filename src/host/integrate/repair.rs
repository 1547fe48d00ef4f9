//! A result that only its verification sees to be bad: the merge from which on it is so is found, and an
//! agent makes the parts fit together.

use std::sync::Arc;

use super::Work;
use crate::agent::past::Past;
use crate::error::Result;
use crate::git::{self, Footing, Proposal, Trial};
use crate::host::merge::{
    Account, Explained, Failure, Job, ROUNDS, Team, dropped_prompt, repair_prompt,
};

impl Work<'_> {
    /// Verifies the result, and has it repaired until it is good.
    pub(super) async fn make_good(&mut self) -> Result<()> {
        if self.steps.is_empty() || self.gate.verify.is_none() {
            return Ok(());
        }
        let (mut attempt, mut culprit) = (1, None);
        while let Some(failure) = self.verified(&self.tip).await? {
            let Some(team) = self.team.filter(|_| attempt < self.wanted.verify_attempts) else {
                return Err(failure.error(&self.tip.name, &self.branch));
            };
            if attempt == 1 {
                culprit = Some(self.culprit().await?);
            }
            let culprit = culprit.map(|which: usize| &*self.wanted.sources[which].rev);
            let Some(repaired) = self.repaired(team, &failure, culprit).await? else {
                return Err(failure.error(&self.tip.name, &self.branch));
            };
            self.tip = repaired;
            attempt += 1;
        }
        Ok(())
    }

    async fn verified(&self, proposal: &Proposal) -> Result<Option<Failure>> {
        self.host.verified(self.repo, proposal, self.gate).await
    }

    /// Returns the first branch with which the result is bad.
    async fn culprit(&self) -> Result<usize> {
        let base = Proposal { commit: self.base.clone(), ..self.tip.clone() };
        if let Some(failure) = self.verified(&base).await? {
            // No merge is to blame, and no agent could tell what is.
            let base = &self.base[..self.base.len().min(10)];
            return Err(failure.error_of_base(base));
        }
        let (mut good, mut bad) = (0, self.steps.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            let commit = self.steps[middle - 1].proposal.commit.clone();
            let proposal = Proposal { commit, ..self.tip.clone() };
            match self.verified(&proposal).await? {
                None => good = middle,
                Some(_) => bad = middle,
            }
        }
        Ok(self.steps[bad - 1].which)
    }

    /// Has an agent change the merged files; `None` when it gave up or lost something on the way.
    async fn repaired(
        &self,
        team: &Team,
        failure: &Failure,
        culprit: Option<&str>,
    ) -> Result<Option<Proposal>> {
        let (root, repo, tip) =
            (self.host.worktree_root()?, Arc::clone(self.repo), self.tip.clone());
        let make = async move { Trial::of(&repo, &tip, &root, Footing::Branch).await };
        let trial = Arc::new(self.host.beside(make).await??);
        let tree = self.repaired_in(&trial, team, failure, culprit).await;
        self.host.close_trial(trial).await;
        let Some(tree) = tree? else { return Ok(None) };
        let message = match culprit {
            Some(name) => format!("Make the merge of '{name}' work with the others\n"),
            None => "Make the merged branches work together\n".to_owned(),
        };
        let (repo, tip) = (Arc::clone(self.repo), self.tip.clone());
        let commit = async move { git::committed(&repo, &tip, &tree, &message).await };
        self.host.beside(commit).await?.map(Some)
    }

    async fn repaired_in(
        &self,
        trial: &Arc<Trial>,
        team: &Team,
        failure: &Failure,
        culprit: Option<&str>,
    ) -> Result<Option<String>> {
        let merged: Vec<String> =
            self.steps.iter().map(|step| self.wanted.sources[step.which].rev.clone()).collect();
        let shown = (&*failure.what, &*failure.output);
        let asked = repair_prompt(&merged, culprit, shown, team.instructions.as_deref());
        let explained = Explained::default();
        let (mut prompt, mut past) = (asked.clone(), Past::New);
        for _ in 0..ROUNDS {
            self.gate.require_going()?;
            let label = format!("repair {}", self.branch);
            let job = Job { prompt, label, trial, past, explained: &explained };
            let outcome = team.ask(self.host, job, &self.gate.cancel).await?;
            self.host.let_go(trial, &outcome).await;
            self.gate.require_going()?;
            if !outcome.ok() {
                return Ok(None);
            }
            let (looked, tip) = (Arc::clone(trial), self.tip.clone());
            let (tree, dropped) =
                self.host.beside(async move { looked.repaired(&tip).await }).await??;
            let account = Account { dropped, reasons: explained.reasons(), ..Account::default() };
            let Some(why) = dropped_prompt(&account) else { return Ok(Some(tree)) };
            past = Past::Resumed(outcome.id.clone());
            prompt = format!(
                "You have repaired what is told below, but not all is well.\n\n{why}\n\n{asked}"
            );
        }
        Ok(None)
    }
}
