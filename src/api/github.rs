//! The global `github`.

mod call;
pub(super) mod create;
pub(super) mod review;

use std::sync::Arc;

use mlua::prelude::*;

use super::git::diff::diff_table;
use super::result;
use crate::error::{Error, Result};
use crate::git::Diff;
use crate::github::{Github, Issue, IssueQuery, Pages, Pull, PullQuery, Slug, Write};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Options, Shape, Task};

pub(super) const PULLS: Shape = Shape {
    function: "github.pulls",
    known: &["state", "base", "head", "limit", "repo"],

    instead: &[("per_page", "all pages are followed; `limit` asks for fewer")],
};

pub(super) const ISSUES: Shape = Shape {
    function: "github.issues",
    known: &["state", "labels", "assignee", "limit", "repo"],

    instead: &[("per_page", "all pages are followed; `limit` asks for fewer")],
};

pub(super) const PULL: Shape = Shape { function: "github.pull", known: &["repo"], instead: &[] };
pub(super) const DIFF: Shape = Shape { function: "github.diff", known: &["repo"], instead: &[] };
pub(super) const COMMENT: Shape =
    Shape { function: "github.comment", known: &["repo"], instead: &[] };

const STATES: [&str; 3] = ["open", "closed", "all"];

/// Makes the module.
pub fn module(lua: &Lua, host: &Arc<Host>) -> LuaResult<LuaTable> {
    let module = Module::new(lua, "github")?
        .waiting("pulls", with(host, pulls))?
        .waiting("pull", with(host, pull))?
        .waiting("issues", with(host, issues))?
        .waiting("diff", with(host, diff))?
        .waiting("comment", with(host, comment))?
        .waiting("review", with(host, review::review))?
        .waiting("create_pull", with(host, create::create_pull))?
        .waiting("api", with(host, call::api))?;
    Ok(module.build())
}

/// Gives a function the host.
fn with<Out, F, Fut>(host: &Arc<Host>, body: F) -> impl Fn(Lua, Args) -> Fut + 'static
where
    F: Fn(Lua, Arc<Host>, Args) -> Fut + 'static,
    Fut: Future<Output = Returned<Out>> + 'static,
{
    let host = Arc::clone(host);
    move |lua, args| body(lua, Arc::clone(&host), args)
}

/// A pull request or issue that a script names: by its number, or by what a function here returned.
struct Named {
    number: u64,
    repo: Option<Slug>,
    /// The commit that a pull request was seen at.
    commit: Option<String>,
}

impl Named {
    fn read(args: &mut Args) -> Returned<Self> {
        let value = args.any();
        let (number, repo, commit) = match &value {
            LuaValue::Table(table) => (
                table.raw_get::<LuaValue>("number")?,
                table.raw_get::<Option<String>>("repo")?,
                table.raw_get::<Option<String>>("head_sha")?,
            ),
            other => (other.clone(), None, None),
        };
        let whole = match &number {
            LuaValue::Integer(number) => Some(*number),
            // `10 / 2` is a float in Lua.
            #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^53")]
            LuaValue::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Some(*number as i64)
            }
            _ => None,
        };
        match whole.map(u64::try_from) {
            Some(Ok(number @ 1..)) => {
                let repo = repo.map(|repo| slug(args.function(), &repo)).transpose()?;
                Ok(Self { number, repo, commit })
            }
            Some(_) => {
                let why =
                    format!("`{}`: there is no number {}", args.function(), number.to_string()?);
                Err(Error::usage(why).into())
            }
            None => Err(args.wrong("n", "a number or a pull request", &value).into()),
        }
    }

    /// Returns the repository that is meant: the option's, that of the pull request, or `origin`'s.
    async fn repo(&mut self, host: &Arc<Host>, options: &mut Options) -> Result<Slug> {
        repo(host, options, self.repo.take()).await
    }
}

fn slug(function: &str, text: &str) -> Result<Slug> {
    text.parse().map_err(|why| Error::usage(format!("`{function}`: option `repo` {why}")))
}

/// Returns the repository that is meant: the option's, one that is known already, or `origin`'s.
async fn repo(host: &Arc<Host>, options: &mut Options, known: Option<Slug>) -> Result<Slug> {
    match (options.text("repo")?, known) {
        (Some(named), _) => slug(options.function(), &named),
        (None, Some(known)) => Ok(known),
        (None, None) => host.github_repo().await,
    }
}

/// Reads the options that come last.
fn options(lua: &Lua, args: &mut Args, shape: &Shape) -> Result<Options> {
    let table = args.optional_table("options")?;
    let table = table.map_or_else(|| lua.create_table(), Ok);
    Options::read(lua, &table.map_err(|fault| Error::internal(fault.to_string()))?, shape)
}

fn state(options: &mut Options) -> Result<Option<String>> {
    let state = options.text("state")?;
    match state.as_deref() {
        Some(other) if !STATES.contains(&other) => {
            let why = format!("must be `open`, `closed` or `all`, not `{other}`");
            Err(options.bad("state", why))
        }
        _ => Ok(state),
    }
}

fn pages(options: &mut Options) -> Result<Pages> {
    let limit = options.integer("limit", 1, 1_000_000)?;
    Ok(limit.and_then(|limit| usize::try_from(limit).ok()).map_or(Pages::All, Pages::First))
}

/// Asks beside Lua.
async fn ask<T, F, Fut>(host: &Arc<Host>, question: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(Arc<Github>) -> Fut,
    Fut: Future<Output = Result<T>> + Send + 'static,
{
    host.beside(question(host.github()?)).await?
}

async fn pulls(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut options = options(&lua, &mut args, &PULLS)?;
    let mut query = PullQuery {
        state: state(&mut options)?,
        base: options.text("base")?,
        head: options.text("head")?,
        pages: pages(&mut options)?,
    };
    let repo = repo(&host, &mut options, None).await?;
    // The API takes no head without its owner, and would list all.
    let own =
        |head: String| if head.contains(':') { head } else { format!("{}:{head}", repo.owner()) };
    query.head = query.head.map(own);
    let pulls = ask(&host, |github| async move { github.pulls(&repo, query).await }).await?;
    tell_of_fetching(&host);
    Ok(result::list(&lua, "pull", pulls.iter().map(Pull::to_json))?)
}

async fn pull(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut named = Named::read(&mut args)?;
    let mut options = options(&lua, &mut args, &PULL)?;
    let repo = named.repo(&host, &mut options).await?;
    let pull = ask(&host, |github| async move { github.pull(&repo, named.number).await }).await?;
    tell_of_fetching(&host);
    Ok(result::table(&lua, "pull", &pull.to_json())?)
}

/// Notes in a dry run what its pull requests are.
fn tell_of_fetching(host: &Host) {
    if let Some(plan) = host.plan() {
        plan.note(
            "pull requests are not fetched in a dry run: HEAD stands for those that are not here",
        );
    }
}

async fn issues(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut options = options(&lua, &mut args, &ISSUES)?;
    let query = IssueQuery {
        state: state(&mut options)?,
        labels: options.strings("labels")?.unwrap_or_default(),
        assignee: options.text("assignee")?,
        pages: pages(&mut options)?,
    };
    let repo = repo(&host, &mut options, None).await?;
    let issues = ask(&host, |github| async move { github.issues(&repo, query).await }).await?;
    Ok(result::list(&lua, "issue", issues.iter().map(Issue::to_json))?)
}

async fn diff(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut named = Named::read(&mut args)?;
    let mut options = options(&lua, &mut args, &DIFF)?;
    let repo = named.repo(&host, &mut options).await?;
    let patch = ask(&host, |github| async move { github.patch(&repo, named.number).await }).await?;
    diff_table(&lua, &Diff::of_patch(patch)?)
}

async fn comment(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let mut named = Named::read(&mut args)?;
    let body = args.string("body")?;
    if body.trim().is_empty() {
        return Err(Error::usage("`github.comment`: argument 2 (`body`) is empty").into());
    }
    let mut options = options(&lua, &mut args, &COMMENT)?;
    let call_path = Task::current()?.next_path("comment");
    let repo = named.repo(&host, &mut options).await?;
    let write = Write::Comment { repo, number: named.number, body };
    let done = host.write_github(call_path, write).await?;
    Ok(result::table(&lua, "comment", &done)?)
}
