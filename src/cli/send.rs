//! `agentlua send ID TEXT`: an agent at work is told something, from any shell.

use std::io::Read;

use super::terminal::Stdout;
use super::{Send, session};
use crate::error::{Error, Kind, Result, ResultExt};
use crate::journal::Status;

/// Tells an agent something and returns the exit code.
pub(super) fn main(send: &Send) -> Result<i32> {
    let text = if send.text == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.or_kind(Kind::Usage, || "cannot read the text from standard input")?;
        text
    } else {
        send.text.clone()
    };
    if text.trim().is_empty() {
        return Err(Error::usage("the text is empty").hint("agentlua send ID TEXT"));
    }
    let visit = session::Visit::of(send.repo.as_deref())?;
    let told = visit.wait(visit.host.tell_agent(&send.id, &text))?;
    let when = match told.status {
        Status::Queued => "when it starts",
        _ => "after the turn that it is in",
    };
    let stdout = Stdout::default();
    stdout.write(format!("{} hears it {when}\n", told.id).as_bytes());
    visit.leave();
    Ok(if stdout.is_closed() { 141 } else { 0 })
}
