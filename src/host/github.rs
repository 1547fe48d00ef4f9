//! GitHub for a run: which repository is meant, and what is changed there as steps, which a resumed run
//! does not take twice.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Host;
use super::steps::{Known, Place};
use crate::crash;
use crate::error::{Error, Kind, Result};
use crate::git::{Remote, Repo};
use crate::github::{Github, Slug, Write, stamp};
use crate::journal::Step;

/// Clocks differ: what was done after a step began may bear an earlier time.
const SLACK: Duration = Duration::from_mins(5);

impl Host {
    /// Returns the GitHub that the environment names. Opens nothing.
    ///
    /// # Errors
    /// Usage, for variables that cannot be.
    pub fn github(&self) -> Result<Arc<Github>> {
        if let Some(github) = self.github.get() {
            return Ok(Arc::clone(github));
        }
        let github = Github::new(|name| self.variable(name), self.events.clone())?;
        Ok(Arc::clone(self.github.get_or_init(|| Arc::new(github))))
    }

    /// Returns the repository at GitHub that is meant when none is named: where `origin` leads.
    ///
    /// # Errors
    /// Git, when there is no repository here, no such remote, or it is not at this GitHub.
    pub async fn github_repo(&self) -> Result<Slug> {
        let (github, repo) = (self.github()?, self.repo(&self.default_dir()).await?);
        let remotes = self.beside(async move { repo.remotes().await }).await??;
        let only = remotes.first().filter(|_| remotes.len() == 1);
        let origin = remotes.iter().find(|remote| remote.name == "origin").or(only);
        let Some(origin) = origin else {
            let why = if remotes.is_empty() {
                "the repository has no remote that says which one at GitHub it is"
            } else {
                "the repository has no remote `origin` that says which one at GitHub it is"
            };
            return Err(Error::new(Kind::Git, why).hint("say it: `repo = \"owner/name\"`"));
        };
        slug_of(origin, &github)
    }

    /// Returns the remote that leads to a repository at GitHub, if one does.
    ///
    /// # Errors
    /// Git, when the remotes cannot be read.
    pub async fn remote_to(&self, repo: &Arc<Repo>, slug: &Slug) -> Result<Option<String>> {
        let (own, path) = (Arc::clone(repo), slug.to_string());
        let remotes = self.beside(async move { own.remotes().await }).await??;
        let leads = |remote: &Remote| remote.address.as_ref().is_some_and(|at| at.leads_to(&path));
        Ok(remotes.into_iter().find(leads).map(|remote| remote.name))
    }

    /// Returns the repository at GitHub that a remote leads to.
    ///
    /// # Errors
    /// Git, when it leads elsewhere.
    pub async fn github_at(&self, repo: &Arc<Repo>, remote: &str) -> Result<Slug> {
        let (github, own) = (self.github()?, Arc::clone(repo));
        let remotes = self.beside(async move { own.remotes().await }).await??;
        match remotes.iter().find(|known| known.name == remote) {
            Some(remote) => slug_of(remote, &github),
            None => Err(Error::new(Kind::Git, format!("there is no remote `{remote}`"))),
        }
    }

    /// Changes something at GitHub, unless this step has done so before. In a dry run it is noted.
    ///
    /// # Errors
    /// As [`Github::write`]; when the journal cannot be read or written, and then nothing is changed.
    pub async fn write_github(self: &Arc<Self>, call_path: String, write: Write) -> Result<Value> {
        let github = self.github()?;
        let place = Place::at(call_path, "github", &write.question());
        let known = self.known_step(&place).await?;
        if let Some(Known { done: true, value }) = known {
            return Ok(value);
        }
        if let Some(plan) = self.plan() {
            plan.step("github", write.describe());
            return Ok(write.planned());
        }
        if let Some(Known { value, .. }) = known {
            let since = value["since"].as_str().unwrap_or_default().to_owned();
            if let Some(done) = self.find_written(&place, &write, since).await? {
                return Ok(done);
            }
            if matches!(write, Write::Api { .. }) {
                let what = write.describe();
                self.events.warn(format!(
                    "an earlier life of the run was cut off while it was to {what}: that is done again"
                ));
            }
        }
        // What cannot be taken back is written down for good, also before the first agent.
        self.begin_home().await?;
        let since = stamp(SystemTime::now().checked_sub(SLACK).unwrap_or(SystemTime::UNIX_EPOCH));
        self.begin_step(&place, &json!({ "since": since })).await?;
        let done = self.beside(async move { github.write(&write).await }).await??;
        crash::point("github.unkept");
        self.keep_happened(&place, &done).await;
        Ok(done)
    }

    /// Looks whether an earlier life of the run has changed something, and keeps what it came to.
    async fn find_written(
        self: &Arc<Self>,
        place: &Place,
        write: &Write,
        since: String,
    ) -> Result<Option<Value>> {
        // One after the other: of two that say the same, each finds its own.
        let _turn = self.finding.lock().await;
        let (github, store) = (self.github()?, self.begin_home().await?);
        let (run, asked) = (self.fleet.run_id().to_owned(), write.clone());
        let kind = place.kind;
        let found = async move {
            let done = move |step: Step| {
                let counts = step.done && step.kind == kind;
                counts.then(|| serde_json::from_str(&step.value).ok()).flatten()
            };
            let taken: Vec<Option<Value>> = store.steps_as(&run, done).await?;
            let taken: Vec<Value> = taken.into_iter().flatten().collect();
            github.written(&asked, &since, &taken).await
        };
        let found = self.beside(found).await??;
        if let Some(done) = &found {
            self.keep_happened(place, done).await;
        }
        Ok(found)
    }
}

fn slug_of(remote: &Remote, github: &Github) -> Result<Slug> {
    let (name, host) = (&remote.name, github.host());
    let hint = "name the repository: `repo = \"owner/name\"`";
    let elsewhere = |where_: &str| {
        let why = format!("the remote `{name}` leads to {where_}, and not to `{host}`");
        let error = Error::new(Kind::Git, why);
        match host {
            "github.com" => {
                error.hint(format!("{hint}; of an Enterprise host, set GITHUB_API_URL"))
            }
            _ => error.hint(format!("{hint}; GITHUB_API_URL says which GitHub is asked")),
        }
    };
    let Some(address) = &remote.address else { return Err(elsewhere("a folder of this machine")) };
    let at = address.host.trim_start_matches("ssh.").trim_start_matches("www.");
    if at != host {
        return Err(elsewhere(&format!("`{}`", address.host)));
    }
    address.path.parse().map_err(|_| {
        let why =
            format!("the remote `{name}` leads to `{}`, which is no `owner/name`", address.path);
        Error::new(Kind::Git, why).hint(hint)
    })
}
