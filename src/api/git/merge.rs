//! `git.merge` and `git.conflicts`.

pub(in crate::api) mod script;

use std::collections::HashMap;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use mlua::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{options, repo};
use crate::api::revision::{self, Revision};
use crate::api::{result, team};
use crate::error::{Kind, Result};
use crate::git::{self, Merge, Strategy};
use crate::host::Host;
use crate::host::merge::{Gate, OnConflict, Team, Train, Verify};
use crate::host::plan::{self, Plan};
use crate::host::steps::{Before, Place};
use crate::vm::bridge::Returned;
use crate::vm::{Args, Options, Raised, Runtime, Shape, Task};
use script::{Call, Outlet, Script};

pub(in crate::api) const MERGE: Shape = Shape {
    function: "git.merge",
    known: &[
        "branch",
        "branches",
        "into",
        "strategy",
        "message",
        "verify",
        "on_conflict",
        "all",
        "repo",
    ],

    instead: &[("squash", "use `strategy = \"squash\"`"), ("ff", "use `strategy = \"ff\"`")],
};

pub(in crate::api) const CONFLICTS: Shape =
    Shape { function: "git.conflicts", known: &["repo"], instead: &[] };

/// What to merge, as the script said it.
enum Job {
    One(Merge),
    Train(Train),
}

/// A call of `git.merge`.
struct Asked {
    job: Job,
    verify: Option<LuaValue>,
    on_conflict: Option<Asking>,
    repo: Arc<git::Repo>,
}

/// Who resolves conflicts, as the script said it.
pub(in crate::api) enum Asking {
    Function(LuaFunction),
    Agents(Box<Team>),
}

/// Merges a branch or several.
pub async fn merge(runtime: Rc<Runtime>, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let lua = runtime.lua().clone();
    let task = Task::current()?;
    let path = task.next_path("merge");
    let script = Script::new(task, runtime.main().clone(), path.clone());
    let asked = read(&runtime, &host, &script.task, &mut args.any()).await?;
    if let Some(plan) = host.plan() {
        return planned(&lua, &host, plan, asked).await;
    }
    let Asked { job, verify, on_conflict, repo } = asked;
    host.recover(&repo).await;
    let place = Place::at(path, "merge", &job.question(&host, &repo).await?);
    let merging = match host.merged_before(&repo, place, &job.revs()).await? {
        Before::Landed(result) => return told(&lua, result),
        Before::Open(merging) => merging,
    };
    let outlet = Outlet::default();
    let call = |function: LuaFunction| Call::new(&lua, &script, function, &outlet);
    let (command, verifier) = match verify {
        Some(LuaValue::Function(function)) => (None, Some(call(function))),
        Some(LuaValue::String(command)) => (Some(command.to_string_lossy()), None),
        _ => (None, None),
    };
    let (resolver, team) = match on_conflict {
        Some(Asking::Function(function)) => (Some(call(function)), None),
        Some(Asking::Agents(team)) => (None, Some(team)),
        None => (None, None),
    };
    let verify = match (command, &verifier) {
        (Some(command), _) => Some(Verify::Command(command)),
        (None, verifier) => verifier.as_ref().map(|call| Verify::Call(call)),
    };
    let cancel = CancellationToken::new();
    let on_conflict = match (&resolver, &team) {
        (Some(call), _) => Some(OnConflict::Call(call)),
        (None, team) => team.as_deref().map(OnConflict::Ask),
    };
    let gate = Gate {
        verify,
        setup: host.config().worktree.setup.clone(),
        on_conflict,
        cancel: cancel.clone(),
        merging: Some(merging),
        ..Gate::default()
    };
    let mut work = pin!(run(&host, &repo, &job, &gate));
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        // What has begun to land is landed; everything before ends at once.
        () = script.task.stopped() => {
            cancel.cancel();
            work.await
        }
    };
    match done {
        Ok(result) => told(&lua, result),
        Err(error) if error.kind == Kind::Cancelled && script.task.must_stop() => {
            Err(Raised::Value(script.task.tell(&lua)?))
        }
        // A value that the script raised comes out as it went in.
        Err(error) => Err(outlet.take().map_or_else(|| error.into(), Raised::Value)),
    }
}

/// Plans the merge in the place of making it.
async fn planned(lua: &Lua, host: &Arc<Host>, plan: &Plan, asked: Asked) -> Returned<LuaTable> {
    let wanted = plan::Wanted {
        verify: asked.verify.as_ref().map(shown_verify),
        resolves: asked.on_conflict.is_some(),
    };
    let (asked_for, is_train) = match asked.job {
        Job::One(merge) => (vec![merge], false),
        Job::Train(train) => {
            let into = |merge| Merge { into: train.into.clone(), ..merge };
            (train.merges.into_iter().map(into).collect(), true)
        }
    };
    let (merged, fates) = host.plan_merge(plan, &asked.repo, &asked_for, &wanted).await?;
    let fields = json!({ "status": merged.status, "commit": merged.commit, "into": merged.into });
    let table = result::table(lua, "merge", &fields)?;
    if is_train {
        table.raw_set("merges", result::list(lua, "merge of a branch", fates)?)?;
    }
    Ok(table)
}

/// Returns how a merge is verified, for a plan.
pub(in crate::api) fn shown_verify(verify: &LuaValue) -> String {
    match verify {
        LuaValue::String(command) => format!("`{}`", command.to_string_lossy()),
        _ => "a function".to_owned(),
    }
}

/// Runs the merge; returns its result.
async fn run(host: &Arc<Host>, repo: &Arc<git::Repo>, job: &Job, gate: &Gate<'_>) -> Result<Value> {
    match job {
        Job::One(merge) => Ok(host.merge(repo, merge.clone(), gate).await?.to_json()),
        Job::Train(train) => Ok(host.merge_train(repo, train, gate).await?.to_json()),
    }
}

/// Returns the result of a merge for the script.
fn told(lua: &Lua, mut result: Value) -> Returned<LuaTable> {
    let merges = result.as_object_mut().and_then(|fields| fields.shift_remove("merges"));
    let table = result::table(lua, "merge", &result)?;
    if let Some(Value::Array(merges)) = merges {
        table.raw_set("merges", result::list(lua, "merge of a branch", merges)?)?;
    }
    Ok(table)
}

impl Job {
    fn merges(&self) -> &[Merge] {
        match self {
            Self::One(merge) => std::slice::from_ref(merge),
            Self::Train(train) => &train.merges,
        }
    }

    /// Returns what is merged, in the order in which it was named.
    fn revs(&self) -> Vec<String> {
        self.merges().iter().map(|merge| merge.branch.clone()).collect()
    }

    /// Returns what tells this merge from another at its place. Not who verifies it or resolves its
    /// conflicts, nor its message: once it has landed these cannot matter any more.
    async fn question(&self, host: &Arc<Host>, repo: &Arc<git::Repo>) -> Result<Value> {
        let first = self.merges().first();
        let into = if let Some(into) = first.and_then(|merge| merge.into.clone()) {
            Some(into)
        } else {
            let repo = Arc::clone(repo);
            host.beside(async move { repo.head().await }).await??.branch
        };
        let all = match self {
            Self::One(_) => None,
            Self::Train(train) => Some(train.all),
        };
        Ok(json!({
            "repo": repo.top(),
            "branches": self.revs(),
            "into": into.map(|into| into.trim_start_matches("refs/heads/").to_owned()),
            "strategy": first.map(|merge| format!("{:?}", merge.strategy)),
            "all": all,
        }))
    }
}

async fn read(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    task: &Rc<Task>,
    first: &mut LuaValue,
) -> Returned<Asked> {
    let is_table_of_options = matches!(&first, LuaValue::Table(table)
        if table.metatable().is_none()
            && !revision::is_pull(table)
            && table.raw_get::<LuaValue>("base_commit")?.is_nil());
    let LuaValue::Table(table) = &first else { return plain(host, first).await };
    if !is_table_of_options {
        return plain(host, first).await;
    }
    let mut options = Options::read(runtime.lua(), table, &MERGE)?;
    let strategy = strategy(&mut options)?;
    let message = options.text("message")?;
    let into = match options.any("into") {
        Some(into) => Some(revision::read(&into, "`git.merge`: option `into`")?.rev),
        None => None,
    };
    let verify = verify(&mut options)?;
    let setup = host.config().worktree.setup.clone();
    let on_conflict = on_conflict(runtime, host, task, &mut options, setup)?;
    if on_conflict.is_some() && matches!(strategy, Strategy::Rebase | Strategy::FastForward) {
        let why = "goes with the strategies `merge` and `squash`";
        return Err(options.bad("on_conflict", why).into());
    }
    let all = options.flag("all")?;
    let one = |branch: LuaValue, place: &str| -> Returned<Merge> {
        Ok(merge_of(revision::read(&branch, place)?, into.clone(), strategy, message.clone())?)
    };
    let job = match (options.any("branch"), options.any("branches")) {
        (Some(_), Some(_)) => {
            return Err(options.bad("branches", "is given beside `branch`").into());
        }
        (branch, None) => {
            if all.is_some() {
                return Err(options.bad("all", "goes with `branches`").into());
            }
            let branch = options.required("branch", branch)?;
            Job::One(one(branch, "`git.merge`: option `branch`")?)
        }
        (None, Some(LuaValue::Table(list))) if list.metatable().is_none() || list.raw_len() > 0 => {
            let mut merges = Vec::new();
            for (index, branch) in list.sequence_values::<LuaValue>().enumerate() {
                let place = format!("`git.merge`: option `branches`, item {}", index + 1);
                merges.push(one(branch?, &place)?);
            }
            if strategy == Strategy::FastForward {
                return Err(options.bad("strategy", "`ff` is for one branch").into());
            }
            Job::Train(Train { merges, into: into.clone(), all: all.unwrap_or(false) })
        }
        (None, Some(other)) => {
            return Err(options.wrong("branches", "a list of branches", &other).into());
        }
    };
    let repo = repo(host, Some(&mut options)).await?;
    Ok(Asked { job, verify, on_conflict, repo })
}

/// Reads the option `verify`: a command or a function.
pub(in crate::api) fn verify(options: &mut Options) -> Result<Option<LuaValue>> {
    match options.any("verify") {
        Some(LuaValue::String(text)) if text.to_string_lossy().trim().is_empty() => {
            Err(options.bad("verify", "is empty"))
        }
        value @ (None | Some(LuaValue::Function(_) | LuaValue::String(_))) => Ok(value),
        Some(other) => Err(options.wrong("verify", "a command or a function", &other)),
    }
}

/// Reads the option `on_conflict`: a function, or the query of agents.
pub(in crate::api) fn on_conflict(
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
    task: &Rc<Task>,
    options: &mut Options,
    setup: Option<String>,
) -> Result<Option<Asking>> {
    match options.any("on_conflict") {
        None => Ok(None),
        Some(LuaValue::Function(function)) => Ok(Some(Asking::Function(function))),
        Some(LuaValue::Table(table)) => {
            let place = format!("`{}`: option `on_conflict`", options.function());
            let team = team::read(runtime, host, task, &table, &place, setup)?;
            Ok(Some(Asking::Agents(Box::new(team))))
        }
        Some(other) => Err(options.wrong("on_conflict", "a function or a query", &other)),
    }
}

/// Reads a call with nothing but a branch.
async fn plain(host: &Arc<Host>, value: &LuaValue) -> Returned<Asked> {
    let branch = revision::read(value, "`git.merge`: argument 1")?;
    let job = Job::One(merge_of(branch, None, Strategy::Merge, None)?);
    Ok(Asked { job, verify: None, on_conflict: None, repo: repo(host, None).await? })
}

fn merge_of(
    revision: Revision,
    into: Option<String>,
    strategy: Strategy,
    message: Option<String>,
) -> Result<Merge> {
    let own = revision.pull.as_ref().map(|pull| match strategy {
        Strategy::Squash => pull.squashed.clone(),
        _ => pull.merged.clone(),
    });
    let name = revision.name();
    let branch = revision.to_merge()?;
    Ok(Merge { branch, name, into, strategy, message: message.or(own) })
}

fn strategy(options: &mut Options) -> Result<Strategy> {
    match options.text("strategy")?.as_deref() {
        None | Some("merge") => Ok(Strategy::Merge),
        Some("squash") => Ok(Strategy::Squash),
        Some("ff") => Ok(Strategy::FastForward),
        Some("rebase") => Ok(Strategy::Rebase),
        Some(other) => {
            let why = format!("must be `merge`, `squash`, `ff` or `rebase`, not `{other}`");
            Err(options.bad("strategy", why))
        }
    }
}

/// Looks for the pairs of branches that would conflict.
pub async fn conflicts(lua: Lua, host: Arc<Host>, mut args: Args) -> Returned<LuaTable> {
    let list = args.table("branches")?;
    let mut given = options(&lua, &mut args, &CONFLICTS)?;
    let (mut revs, mut names) = (Vec::new(), HashMap::new());
    for (index, value) in list.sequence_values::<LuaValue>().enumerate() {
        let place = format!("`git.conflicts`: item {}", index + 1);
        let revision = revision::read(&value?, &place)?;
        names.insert(revision.rev.clone(), revision.name());
        revs.push(revision.rev);
    }
    let repo = repo(&host, given.as_mut()).await?;
    let clashes = host.beside(async move { git::conflicts(&repo, &revs).await }).await??;
    let name = |rev: &String| names.get(rev).unwrap_or(rev).clone();
    let clashes = clashes
        .iter()
        .map(|clash| json!({ "a": name(&clash.a), "b": name(&clash.b), "paths": clash.paths }));
    Ok(result::list(&lua, "clash", clashes)?)
}
