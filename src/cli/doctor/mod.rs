//! `agentlua doctor`: what this machine and this repository allow, what does not work, and what to type
//! about it.
//!
//! It looks and changes nothing: no journal, no folder, no worktree is made. Keys are never shown. A thing
//! that cannot be found out is a line of the report, and never the end of it.

mod machine;
mod models;
mod place;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use self::report::Report;
use super::terminal::{Stdout, stdout_styles};
use super::{Flags, session, terminal};
use crate::config::{self, Settings};
use crate::error::{Kind, Result, ResultExt};
use crate::event::Events;
use crate::host::{Host, Sources, repository_around};
use crate::journal::NewRun;

#[derive(Args)]
#[command(
    after_help = "Nothing is changed, nothing is sent, and keys are not shown. A problem keeps agents \
                  from working; a warning does not, and is good to know of.\n\n\
                  Exit codes: 0 agents can work, 1 there is a problem."
)]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Repository to look at [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

/// What is looked at.
struct Place {
    environment: BTreeMap<String, String>,
    /// Where agents would work.
    dir: PathBuf,
    /// The top of the repository around it.
    top: Option<PathBuf>,
    host: Arc<Host>,
}

/// Looks, prints what there is to say, and returns the exit code.
pub(super) fn main(doctor: &Doctor) -> Result<i32> {
    let workers = session::workers()?;
    let mut report = Report::default();
    let place = Place::of(doctor, &workers, &mut report)?;
    workers.block_on(async {
        machine::look(&place, &mut report).await;
        place::look(&place, &mut report).await;
        models::look(&place, &mut report);
        place.host.close().await;
    });
    workers.shutdown_background();
    let stdout = Stdout::default();
    let text = if doctor.json {
        let text = serde_json::to_string_pretty(&report.json());
        text.or_kind(Kind::Internal, || "cannot write JSON")? + "\n"
    } else {
        report.text(&stdout_styles(), terminal::size().map(|(columns, _)| columns))
    };
    stdout.write(text.as_bytes());
    let code = i32::from(report.has_problems());
    Ok(if stdout.is_closed() { 141 } else { code })
}

impl Place {
    fn of(doctor: &Doctor, workers: &tokio::runtime::Runtime, report: &mut Report) -> Result<Self> {
        let environment = session::environment();
        let cwd = session::working_directory()?;
        let flags = Flags { repo: doctor.repo.clone(), ..Flags::default() };
        let make = |sources: Sources| {
            let (run, events) = (NewRun::new("", ""), Events::new(Vec::new()));
            session::host(sources, run, None, environment.clone(), events, workers)
        };
        let host = match session::sources(&flags, &environment, &cwd).and_then(make) {
            Ok(host) => host,
            Err(error) => {
                report.section("settings").error("settings", &error);
                // What else there is to say is said of the defaults.
                let flags = Settings { repo: doctor.repo.clone(), ..Settings::default() };
                make(Sources { flags, ..Sources::default() })?
            }
        };
        let dir = host.default_dir();
        let top = repository_around(&dir);
        Ok(Self { environment, dir, top, host })
    }

    /// Returns a variable that is set, and not to nothing.
    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns the files of settings that count here: the repository's, and the user's.
    fn settings_files(&self) -> Vec<PathBuf> {
        let user = config::config_dir(|name| self.variable(name)).ok();
        let repository = self.top.as_ref().map(|top| top.join("agentlua.toml"));
        repository.into_iter().chain(user.map(|dir| dir.join("config.toml"))).collect()
    }

    /// Returns a path as people write it: from their home.
    fn shown(&self, path: &Path) -> String {
        match self
            .variable("HOME")
            .and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned))
        {
            Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
            Some(rest) => format!("~/{}", rest.display()),
            None => path.display().to_string(),
        }
    }
}
