//! `agentlua logs ID`: what was said and what happened, of an agent or of all agents of a run, from
//! whatever process and while it goes on.

mod brief;
mod events;
mod output;
mod page;
mod text;
mod turns;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use super::look::{self, Look};
use super::terminal::say;
use crate::error::Result;
use crate::host::onlooker::{News, Onlooker, Sight, Standing};
use crate::host::roster::Named;
use crate::journal::{AgentRow, Status};

/// How often to look again.
const POLL: Duration = Duration::from_millis(200);
/// How long the last word of an agent that has ended is waited for.
const LAST_WORD: Duration = Duration::from_secs(2);

#[derive(Args)]
#[command(
    after_help = "Of an agent: what it was asked, what it said, what it called and what came of it, long\n\
                  results shortened. Of a run: a line for each turn of its agents and whatever else\n\
                  happened, or, of one in the background, what it has written. With --json nothing is\n\
                  left out: the objects of `run --output-format stream-json`, in the order of time."
)]
pub(super) struct Logs {
    /// The id of an agent or of a run, or the start of it
    id: String,
    /// Go on until it has ended
    #[arg(short, long)]
    follow: bool,
    /// One line for each turn: its tools, tokens, cost and time
    #[arg(long)]
    turns: bool,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Repository of the agent [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

/// What makes text of what is read.
trait View {
    /// Returns the text of one thing: nothing, or whole lines.
    fn show(&mut self, news: &News) -> String;

    /// Returns what there is beside that, since the last time.
    fn beside(&mut self) -> String {
        String::new()
    }

    /// Returns what is left to say at the end, with the agents as they are then.
    fn end(&mut self, _agents: &[AgentRow]) -> String {
        String::new()
    }
}

/// What programs read: an object for each thing.
struct Objects;

impl View for Objects {
    fn show(&mut self, news: &News) -> String {
        news.object().map(|object| format!("{object}\n")).unwrap_or_default()
    }
}

/// Shows what was kept and returns the exit code.
pub(super) fn main(logs: &Logs) -> Result<i32> {
    look::with(logs.repo.as_deref(), async |look| {
        let roster = look.host.roster().await?;
        let (sight, agents, mut view): (_, _, Box<dyn View>) = match roster.named(&logs.id)? {
            Named::Agent(row) => {
                let view: Box<dyn View> = match (logs.turns, logs.json) {
                    (true, json) => Box::new(turns::Turns::new(look, json, false)),
                    (false, true) => Box::new(Objects),
                    (false, false) => Box::new(page::Page::new(row)),
                };
                (Sight::Agent(row.id.clone()), vec![row.clone()], view)
            }
            Named::Run(run) => {
                let kept = output::Kept::of(&roster.store, &run.id);
                let view: Box<dyn View> = match (logs.turns, logs.json) {
                    (true, json) => Box::new(turns::Turns::new(look, json, true)),
                    (false, true) => Box::new(Objects),
                    (false, false) if kept.is_there() => Box::new(kept),
                    (false, false) => Box::new(brief::Brief::default()),
                };
                (Sight::Run(run.id.clone()), Vec::new(), view)
            }
        };
        if let ([row], true) = (&agents[..], logs.follow)
            && row.status == Status::Queued
        {
            say(&format!("{} is queued: it waits for a place\n", row.id));
        }
        let mut onlooker = Onlooker::new(roster.store.clone(), sight);
        read(look, &mut onlooker, &mut *view, logs.follow).await?;
        if let Sight::Run(id) = onlooker.sight()
            && let Some(run) = roster.store.runs().await?.iter().find(|run| run.id == *id)
            && !run.alive
            && run.status.is_none()
        {
            // Nobody was left to write it there.
            say(&format!("{id} was cut off\nagentlua resume {id} goes on with it\n"));
        }
        Ok(0)
    })
}

/// Shows what there is, and with `follow` what comes until the end.
async fn read(
    look: &Look,
    onlooker: &mut Onlooker,
    view: &mut dyn View,
    follow: bool,
) -> Result<()> {
    let interrupted = if follow { Some(look.interrupted()?) } else { None };
    let mut last_is_end = false;
    let mut ended_at: Option<Instant> = None;
    loop {
        // Before the news, so that what came before the end is among them.
        let standing = onlooker.standing().await?;
        let news = onlooker.news().await?;
        let mut text = String::new();
        for one in &news {
            text.push_str(&view.show(one));
            last_is_end = one.is_end();
        }
        text.push_str(&view.beside());
        if !text.is_empty() && !look.print(&text) {
            return Ok(());
        }
        let is_over = match &standing {
            Standing::Ended { tells: true } if !last_is_end => {
                ended_at.get_or_insert_with(Instant::now).elapsed() > LAST_WORD
            }
            standing => matches!(standing, Standing::Ended { .. }),
        };
        let Some(interrupted) = interrupted.as_ref().filter(|_| !is_over) else { break };
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            () = sleep(POLL) => {}
        }
    }
    let agents = onlooker.agents().await?;
    look.print(&view.end(&agents));
    Ok(())
}
