//! Landing: the ref moves by compare-and-swap, and the checkouts of the target follow, in one step
//! that is written down before it begins.

use serde::{Deserialize, Serialize};

use super::checkout::{Checkout, Held};
use super::proposal::trouble;
use super::recover::Step;
use super::target::Target;
use super::{Lane, Proposal, refused};
use crate::crash;
use crate::error::{Error, Kind, Result};
use crate::git::ledger::Pledge;
use crate::git::repo::Repo;
use crate::git::to_the_end;

/// The kind of intent of everything that a merge does.
pub(in crate::git) const KIND: &str = "merge";

/// What is written down about a landing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Landing {
    /// The full name of the target.
    pub into: String,
    /// The commit it is moved from.
    pub old: String,
    /// The commit it is moved to.
    pub new: String,
    /// Where it is checked out.
    pub checkouts: Vec<Checkout>,
}

/// How a landing ended.
enum End {
    Landed,
    /// The target had moved before: nothing was done.
    Moved,
    /// Nothing was done, or all of it was undone.
    Refused(Error),
    /// It could not be undone: the next start has to see to it.
    Stuck(Error),
}

impl Lane {
    /// Refuses what could not land because of the target's checkouts as they are now.
    ///
    /// # Errors
    /// [`Kind::Git`], with the detail `merge`: `status` is `refused`, `reason` says why.
    pub async fn require_room(&self, proposal: &Proposal) -> Result<()> {
        let trouble = trouble(&proposal.name, self.branch());
        let target = Target::find(&self.repo, self.branch()).await?;
        target.require_settled(&trouble)?;
        target.require_clean(&self.repo, &trouble, (&proposal.old, &proposal.commit)).await
    }

    /// Moves the target to the proposed commit and brings its checkouts along. Returns false, with
    /// nothing done, when the target is not where it was when the commit was made.
    ///
    /// # Errors
    /// As [`Lane::require_room`]; nothing has changed then.
    pub async fn land(&self, proposal: &Proposal) -> Result<bool> {
        let repo = self.repo.clone();
        let (into, full_name) = (self.branch().to_owned(), self.full_name());
        let proposal = proposal.clone();
        let step = async move {
            let _lock = repo.lock().await?;
            let trouble = trouble(&proposal.name, &into);
            let target = Target::find(&repo, &into).await?;
            target.require_settled(&trouble)?;
            if proposal.is_up_to_date() {
                return Ok(true);
            }
            let landing = Landing {
                into: full_name,
                old: proposal.old,
                new: proposal.commit,
                checkouts: target.checkouts,
            };
            crash::point("merge.begun");
            let pledge = repo.intend(KIND, &into, &Step::Land(landing.clone())).await?;
            crash::point("merge.intended");
            let job =
                Job { repo: &repo, name: &proposal.name, trouble: &trouble, landing: &landing };
            let end = job.run(&pledge).await;
            let outcome = match &end {
                End::Landed => "done",
                End::Moved => "moved",
                End::Refused(_) => "refused",
                End::Stuck(_) => "",
            };
            if !outcome.is_empty() {
                pledge.settle(outcome).await;
                crash::point("merge.settled");
            }
            match end {
                End::Landed => Ok(true),
                End::Moved => Ok(false),
                End::Refused(error) | End::Stuck(error) => Err(error),
            }
        };
        to_the_end(step, |_| async {}).await
    }
}

/// A landing under way.
struct Job<'r> {
    repo: &'r Repo,
    name: &'r str,
    trouble: &'r str,
    landing: &'r Landing,
}

impl Job<'_> {
    async fn run(&self, pledge: &Pledge) -> End {
        let Landing { into, old, new, .. } = self.landing;
        let mut held = match self.hold(pledge).await {
            Ok(held) => held,
            Err(error) => return End::Refused(error),
        };
        crash::point("merge.ready");
        let reason = format!("merge {}: by agentlua", self.name);
        if let Err(error) = self.repo.move_ref(into, new, Some(old), &reason).await {
            return match self.repo.tip(into).await {
                Ok(now) if now.as_ref() != Some(old) => End::Moved,
                _ => End::Refused(Error::new(Kind::Git, self.trouble.to_owned()).because(error)),
            };
        }
        crash::point("merge.moved");
        for at in 0..held.len() {
            if let Err(error) = held[at].advance(old, new).await {
                let shown = held[at].checkout.work_tree.display();
                let why = format!("{}: `{shown}` cannot follow: {error:#}", self.trouble);
                return self.undo(&held[..=at], why).await;
            }
        }
        End::Landed
    }

    /// Takes the indexes of all checkouts, and refuses what is in the way.
    async fn hold(&self, pledge: &Pledge) -> Result<Vec<Held<'_>>> {
        let Landing { old, new, checkouts, .. } = self.landing;
        let mut held = Vec::new();
        for (nth, checkout) in checkouts.iter().enumerate() {
            let taken = Held::take(self.repo, checkout.clone(), pledge.id(), nth).await;
            let taken = taken
                .map_err(|error| refused("parked", format!("{}: {error:#}", self.trouble), &[]))?;
            crash::point("merge.locked");
            taken.require_clean(self.repo, self.trouble, (old, new)).await?;
            held.push(taken);
        }
        Ok(held)
    }

    /// Takes back what was done when a checkout could not follow, such as on a full disk.
    async fn undo(&self, held: &[Held<'_>], why: String) -> End {
        let Landing { into, old, new, .. } = self.landing;
        let back = self.repo.move_ref(into, old, Some(new), "agentlua: merge undone").await;
        crash::point("merge.undone");
        if let Err(error) = back {
            return End::Stuck(Error::new(Kind::Git, why).because(error));
        }
        for checkout in held {
            match checkout.mend(self.repo, self.landing, old).await {
                Ok(left) if left.is_empty() => {}
                Ok(left) => {
                    let why = format!("{why}; left as they are: {}", super::listed(&left));
                    return End::Refused(refused("failed", why, &left));
                }
                Err(error) => return End::Stuck(Error::new(Kind::Git, why).because(error)),
            }
        }
        End::Refused(refused("failed", why, &[]))
    }
}
