//! The repository, the journal beside it, where worktrees go, and what editors know.

use std::sync::Arc;

use super::Place;
use super::report::{Report, Section};
use crate::cli::init::stubs;
use crate::config;
use crate::error::Result;
use crate::git::{self, Repo, StatusQuery, size, worktree};
use crate::journal::RunRow;

/// Less than this may be too little for a few worktrees.
const ROOM: u64 = 1_000_000_000;

/// Looks at it.
pub(super) async fn look(place: &Place, report: &mut Report) {
    let mut section = report.section("repository");
    if place.top.is_none() {
        let text = format!("none around {}", place.shown(&place.dir));
        section.warning(
            "repository",
            text + ": agents can only look, and nothing is committed",
            "git init && git add . && git commit -m start",
        );
    } else {
        match place.host.repo(&place.dir).await {
            Ok(repo) => repository(place, &repo, &mut section).await,
            Err(error) => section.error("repository", &error),
        }
    }
    journal(place, &mut section).await;
    worktrees(place, &mut report.section("worktrees"));
    editor(place, &mut report.section("editor"));
}

async fn repository(place: &Place, repo: &Arc<Repo>, section: &mut Section<'_>) {
    let about = match repo.about().await {
        Ok(about) => about,
        Err(error) => return section.error("repository", &error),
    };
    let traits = match &about.traits[..] {
        [] => String::new(),
        traits => format!(" ({})", traits.join(", ")),
    };
    section.ok("repository", place.shown(repo.top()) + &traits);
    if let Err(error) = checkout(repo, section).await {
        section.error("checkout", &error);
    }
    match &about.author {
        Some(author) => section.ok("author", author),
        None => section.note(
            "author",
            "not set: commits of agents are by agentlua <agentlua@localhost>",
            Some("git config --global user.name NAME, and user.email"),
        ),
    }
}

/// Says what stands in the checkout, and whether agents have something to begin from.
async fn checkout(repo: &Arc<Repo>, section: &mut Section<'_>) -> Result<()> {
    let head = repo.head().await?;
    let Some(commit) = head.commit else {
        let hint = "git add . && git commit -m start";
        section.problem("head", "no commit yet, and agents start from one", hint);
        return Ok(());
    };
    let short: String = commit.chars().take(10).collect();
    match &head.branch {
        Some(branch) => section.ok("head", format!("{branch} at {short}")),
        None => section.warning(
            "head",
            format!("detached at {short}: there is no current branch to merge into"),
            "git switch BRANCH, or say `into` when you merge",
        ),
    }
    if repo.is_bare() {
        return Ok(());
    }
    let status = repo.status(StatusQuery::default()).await?;
    if let Some(operation) = status.operation {
        let operation = operation.replace('_', "-");
        section.warning(
            "checkout",
            format!("a {operation} waits for you: nothing merges into this branch until it ends"),
            &format!("git {operation} --continue, or --abort"),
        );
    }
    match status.files.len() {
        0 => section.ok("checkout", "clean"),
        count => {
            let (files, stay) = if count == 1 { ("file", "stays") } else { ("files", "stay") };
            let text =
                format!("{count} uncommitted {files} {stay} with you: agents start from HEAD");
            section.note("checkout", text, Some("`dirty = \"copy\"` gives them to an agent"));
        }
    }
    Ok(())
}

async fn journal(place: &Place, section: &mut Section<'_>) {
    let roster = match place.host.roster().await {
        Ok(roster) => roster,
        // Without a repository that can be opened there is no journal, which was said.
        Err(_) if place.top.is_some() && place.host.repo(&place.dir).await.is_err() => return,
        Err(error) => return section.error("journal", &error),
    };
    let dir = roster.store.dir();
    if !git::may_write(dir) {
        let text = format!("{} cannot be written", place.shown(dir));
        return section.problem("journal", text, "see who owns it, or work in a copy");
    }
    let bytes = folder_bytes(dir);
    if bytes == 0 {
        return section.ok("journal", format!("none yet, in {}", place.shown(dir)));
    }
    let (runs, agents) = (roster.runs.len(), roster.agents.len());
    let text = format!("{runs} runs and {agents} agents, {}", size::shown(bytes));
    section.ok("journal", text + ", in " + &place.shown(dir));
    let is_cut_off = |run: &&RunRow| {
        let has_script = run.command.as_ref().is_some_and(|command| command.script.is_some());
        run.status.is_none() && !run.alive && has_script
    };
    let cut_off: Vec<&RunRow> = roster.runs.iter().filter(is_cut_off).collect();
    if let Some(last) = cut_off.last() {
        let text = match cut_off.len() {
            1 => "one was cut off and can be gone on with".to_owned(),
            count => format!("{count} were cut off and can be gone on with"),
        };
        section.note("runs", text, Some(&format!("agentlua resume {}", last.id)));
    }
}

fn folder_bytes(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

fn worktrees(place: &Place, section: &mut Section<'_>) {
    let root = match place.host.worktree_root() {
        Ok(root) => root,
        Err(error) => return section.error("folder", &error),
    };
    let shown = place.shown(&root);
    if !git::may_write(&root) {
        let hint = "set `worktree_root` in config.toml, or AGENTLUA_WORKTREE_ROOT";
        return section.problem("folder", format!("{shown} cannot be written"), hint);
    }
    if worktree::is_volatile(&root) {
        let hint = "set `worktree_root` to a folder that does";
        section.warning("folder", format!("{shown}, which does not survive a restart"), hint);
    } else {
        section.ok("folder", shown);
    }
    match size::free(&root) {
        Some(free) if free < ROOM => {
            let hint = "agentlua gc removes what is merged or empty";
            section.warning("room", format!("{} left", size::shown(free)), hint);
        }
        Some(free) => section.ok("room", format!("{} left", size::shown(free))),
        None => {}
    }
    if root.is_dir() {
        match worktree::shares_blocks(&root) {
            Ok(true) => section.ok("copies", "share their blocks until they are changed"),
            Ok(false) => {
                section.note("copies", "are whole: this file system shares no blocks", None);
            }
            Err(fault) => section.problem(
                "copies",
                format!("nothing can be written: {fault}"),
                "see who owns the folder, and whether there is room",
            ),
        }
    }
    if let Err(error) = config::state_dir(|name| place.variable(name)) {
        section.error("state", &error);
    }
}

/// Says whether editors know what agentlua has.
fn editor(place: &Place, section: &mut Section<'_>) {
    let top = place.top.clone().unwrap_or_else(|| place.dir.clone());
    let project = if stubs::state(&place.dir).is_some() { &place.dir } else { &top };
    match stubs::state(project) {
        Some(true) => section.ok("types", format!("{}, of this version", stubs::FOLDER)),
        Some(false) => {
            let text = format!("{} is of another version", stubs::FOLDER);
            section.warning("types", text, "agentlua init");
        }
        None => {
            let text = "none: editors do not know agentlua here";
            section.note("types", text, Some("agentlua init"));
        }
    }
}
