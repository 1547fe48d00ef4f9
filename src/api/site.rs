//! Where an agent or a script works: the options about worktrees, checked.

use std::sync::Arc;

use mlua::prelude::*;

use super::{revision, task, worktree};
use crate::agent::query::{Commit, Dirty, Plan, Site, Start};
use crate::config::{Included, WorktreeSettings};
use crate::error::{Error, Result};
use crate::git::worktree::{Cone, Furnish, Include};
use crate::git::{Scope, Taken};
use crate::host::Host;
use crate::vm::bridge::Returned;
use crate::vm::{Options, Raised, Shape};

/// Options of a query that only make sense with a worktree, and so ask for one.
pub const OF_WORKTREES: [&str; 5] = ["branch", "base", "scope", "dirty", "commit"];

/// What the table `worktree` of a query takes.
pub(super) const TABLE: Shape = Shape {
    function: "agent.query: worktree",
    known: &["sparse", "include", "setup", "submodules", "virtual"],

    instead: &[
        ("branch", "put it beside `worktree`"),
        ("base", "put it beside `worktree`"),
        ("scope", "put it beside `worktree`"),
    ],
};

/// What the table `worktree` of the settings takes.
pub(super) const DEFAULTS: Shape = Shape {
    function: "agent.config: worktree",
    known: &["include", "setup"],

    instead: &[
        ("sparse", "use it in the `worktree` of a query"),
        ("submodules", "use it in the `worktree` of a query"),
    ],
};

/// What the option `worktree` of a query says.
enum Asked {
    /// Nothing, or only yes.
    Plain,
    /// How a new one is furnished.
    Furnished(Furnish, Option<String>),
    /// To go on in one that is there.
    There(Start),
}

/// Returns where an agent works, and the branch that was asked for.
pub fn read(lua: &Lua, host: &Arc<Host>, options: &mut Options) -> Result<(Site, Option<String>)> {
    let implied = OF_WORKTREES.into_iter().find(|name| options.has(name));
    let asked = match options.any("worktree") {
        None => implied.map(|_| Asked::Plain),
        Some(LuaValue::Boolean(true)) => Some(Asked::Plain),
        Some(LuaValue::Boolean(false)) => match implied {
            Some(name) => {
                return Err(
                    options.bad("worktree", format_args!("is false, but `{name}` is given"))
                );
            }
            None => None,
        },
        Some(value @ LuaValue::UserData(_)) => Some(Asked::There(there(options, &value)?)),
        Some(LuaValue::Table(table)) if is_outcome(&table)? || revision::is_pull(&table) => {
            Some(Asked::There(there(options, &LuaValue::Table(table))?))
        }
        Some(LuaValue::Table(table)) => {
            let mut given = Options::read(lua, &table, &TABLE)?;
            let (furnish, setup) = furnish(host, &mut given)?;
            Some(Asked::Furnished(furnish, setup))
        }
        Some(other) => {
            let expected = "true, false, a table, an outcome, a task or a worktree";
            return Err(options.wrong("worktree", expected, &other));
        }
    };
    let cwd = options.text("cwd")?.map(|cwd| host.cwd().join(cwd));
    if let Some(cwd) = &cwd
        && !cwd.is_dir()
    {
        return Err(options.bad("cwd", format_args!("names no directory: `{}`", cwd.display())));
    }
    let repo = options.text("repo")?.map(|repo| host.cwd().join(repo));
    let dir = cwd.clone().or(repo).unwrap_or_else(|| host.default_dir());
    let Some(asked) = asked else {
        if options.has("if_exists") {
            return Err(options.bad("if_exists", "needs the option `branch`"));
        }
        return Ok((Site::Directory(dir), None));
    };
    if cwd.is_some() {
        return Err(options
            .bad("cwd", "cannot stand beside a worktree: the agent works at its top")
            .hint("use `repo` to name the repository"));
    }
    let scope = options.strings("scope")?.map(|paths| Scope::parse(&paths)).transpose()?;
    let commit = commit(options)?;
    let branch = match &asked {
        Asked::There(Start::There { branch, .. }) => Some(branch.clone()),
        _ => None,
    };
    let (start, furnish, setup) = plan(host, options, asked)?;
    let branch = branch.or(match &start {
        Start::Fresh { branch, .. } => branch.clone(),
        Start::Past { .. } | Start::There { .. } => None,
    });
    let scope = scope.map(Arc::new);
    let plan = Plan { repo: dir, start, furnish, setup, scope, commit };
    Ok((Site::Worktree(Box::new(plan)), branch))
}

/// Returns where an agent works that takes up another's past, and the branch that was asked for.
pub fn inherited(host: &Host, options: &mut Options) -> Result<(Site, Option<String>)> {
    let cwd = options.text("cwd")?;
    let dir = cwd.or(options.text("repo")?).map(|dir| host.cwd().join(dir));
    let scope = options.strings("scope")?.map(|paths| Scope::parse(&paths)).transpose()?;
    let commit = commit(options)?;
    let Start::Fresh { branch, taken, .. } = fresh(options)? else {
        return Err(Error::internal("a branch that was there before"));
    };
    if taken == Taken::Continue {
        return Err(
            options.bad("if_exists", "cannot be `continue` beside `fork`: it is a new branch")
        );
    }
    let (furnish, setup) = defaults_of(host)?;
    let start = Start::Past { branch: branch.clone(), taken };
    let (repo, scope) = (dir.unwrap_or_else(|| host.default_dir()), scope.map(Arc::new));
    let plan = Plan { repo, start, furnish, setup, scope, commit };
    Ok((Site::Worktree(Box::new(plan)), branch))
}

fn plan(
    host: &Host,
    options: &mut Options,
    asked: Asked,
) -> Result<(Start, Furnish, Option<String>)> {
    let (furnish, setup) = match asked {
        Asked::There(start) => {
            for name in ["branch", "base", "dirty", "if_exists"] {
                if options.has(name) {
                    return Err(options
                        .bad(name, "cannot stand beside a worktree that is there")
                        .hint("`base` alone starts a new branch from it"));
                }
            }
            return Ok((start, Furnish::default(), host.config().worktree.setup.clone()));
        }
        Asked::Furnished(furnish, setup) => (furnish, setup),
        Asked::Plain => defaults_of(host)?,
    };
    Ok((fresh(options)?, furnish, setup))
}

/// Reads how a new worktree comes by its branch: `branch`, `if_exists`, `base`, `dirty`.
pub fn fresh(options: &mut Options) -> Result<Start> {
    let branch = options.text("branch")?;
    let taken = match options.text("if_exists")?.as_deref() {
        None | Some("error") => Taken::Refuse,
        Some("number") => Taken::Number,
        Some("continue") => Taken::Continue,
        Some(other) => {
            return Err(options.bad(
                "if_exists",
                format_args!("must be `error`, `number` or `continue`, not `{other}`"),
            ));
        }
    };
    if branch.is_none() && taken != Taken::Refuse {
        return Err(options.bad("if_exists", "needs the option `branch`"));
    }
    let dirty = match options.text("dirty")?.as_deref() {
        None | Some("ignore") => Dirty::Ignore,
        Some("fail") => Dirty::Fail,
        Some("copy") => Dirty::Copy,
        Some(other) => {
            return Err(options
                .bad("dirty", format_args!("must be `ignore`, `fail` or `copy`, not `{other}`")));
        }
    };
    let base = match options.any("base") {
        Some(base) => Some(start_of(options, &base)?),
        None => None,
    };
    if taken == Taken::Continue && (base.is_some() || dirty == Dirty::Copy) {
        let name = if base.is_some() { "base" } else { "dirty" };
        return Err(options.bad(
            name,
            "cannot stand beside `if_exists = \"continue\"`: the branch's head is the base",
        ));
    }
    if dirty == Dirty::Copy && base.as_deref().is_some_and(|base| base != "HEAD") {
        return Err(options.bad(
            "dirty",
            "is `copy`, which is for the base `HEAD`: uncommitted changes are changes of it",
        ));
    }
    Ok(Start::Fresh { branch, taken, base, dirty })
}

/// Reads the revision that a worktree starts from.
fn start_of(options: &Options, value: &LuaValue) -> Result<String> {
    let place = format!("`{}`: option `base`", options.function());
    let revision = plainly(revision::read(value, &place))?;
    if revision.uncommitted {
        return Err(options
            .bad("base", format_args!("is `{}`, whose work is not committed", revision.rev))
            .hint("commit it, or go on in it with `worktree = outcome`"));
    }
    Ok(revision.rev)
}

/// Reads a worktree that is there: an outcome, an ended task, or a handle.
fn there(options: &Options, value: &LuaValue) -> Result<Start> {
    if let Some(handle) = worktree::of(value) {
        return Ok(Start::There {
            branch: handle.branch().to_owned(),
            path: Some(handle.path().to_owned()),
            lender: Some(handle.id().to_owned()),
        });
    }
    if task::named(value).is_some_and(|task| task.works) {
        return Err(options
            .bad("worktree", "is a task that has not ended")
            .hint("wait for it with `task:await()`"));
    }
    let place = format!("`{}`: option `worktree`", options.function());
    let revision = plainly(revision::read(value, &place))?;
    if let Some(pull) = &revision.pull {
        let why = format_args!("is the pull request `{}`, which has no worktree", pull.name);
        return Err(options.bad("worktree", why).hint("start from it: `base = pull`"));
    }
    Ok(Start::There { branch: revision.rev, path: revision.worktree_path, lender: None })
}

/// Tells an outcome from a table of options.
fn is_outcome(table: &LuaTable) -> Result<bool> {
    let has = |name: &str| table.raw_get::<LuaValue>(name).map(|value| !value.is_nil());
    let both = has("subtype").and_then(|one| Ok(one && has("session_id")?));
    both.map_err(|fault| Error::internal(fault.to_string()))
}

fn plainly<T>(returned: Returned<T>) -> Result<T> {
    returned.map_err(|raised| match raised {
        Raised::Error(error) => *error,
        Raised::Fault(fault) => Error::internal(fault.to_string()),
        Raised::Value(_) => Error::internal("a revision raised a value"),
    })
}

fn commit(options: &mut Options) -> Result<Commit> {
    match options.any("commit") {
        None | Some(LuaValue::Boolean(true)) => Ok(Commit::Yes(None)),
        Some(LuaValue::Boolean(false)) => Ok(Commit::No),
        Some(LuaValue::String(subject)) if !subject.as_bytes().is_empty() => {
            Ok(Commit::Yes(Some(subject.to_string_lossy())))
        }
        Some(other) => Err(options.wrong("commit", "true, false or a message", &other)),
    }
}

/// Reads how a new worktree is furnished, and the command that prepares it; what is not said is as in
/// the settings.
pub fn furnish(host: &Host, options: &mut Options) -> Result<(Furnish, Option<String>)> {
    let (mut furnish, default_setup) = defaults_of(host)?;
    furnish.sparse =
        options.strings("sparse")?.map(|directories| Cone::parse(&directories)).transpose()?;
    furnish.submodules = options.flag("submodules")?.unwrap_or(false);
    if options.flag("virtual")? == Some(true) {
        return Err(Error::not_built(format_args!("`{}`: `virtual = true`", options.function())));
    }
    if let Some(include) = included(options)? {
        furnish.include = include_of(include)?;
    }
    let setup = match options.any("setup") {
        None => default_setup,
        Some(LuaValue::Boolean(false)) => None,
        Some(value) => Some(command(options, &value)?),
    };
    Ok((furnish, setup))
}

/// Reads the defaults of every worktree.
pub fn defaults(lua: &Lua, table: &LuaTable) -> Result<WorktreeSettings> {
    let mut options = Options::read(lua, table, &DEFAULTS)?;
    let include = included(&mut options)?;
    if let Some(include) = include.clone() {
        include_of(include)?;
    }
    let setup = match options.any("setup") {
        None => None,
        Some(value) => Some(command(&options, &value)?),
    };
    Ok(WorktreeSettings { setup, include })
}

fn defaults_of(host: &Host) -> Result<(Furnish, Option<String>)> {
    let settings = host.config().worktree.clone();
    let include = settings.include.map(include_of).transpose()?.unwrap_or_default();
    Ok((Furnish { include, ..Furnish::default() }, settings.setup))
}

fn command(options: &Options, value: &LuaValue) -> Result<String> {
    match value {
        LuaValue::String(text) if text.as_bytes().iter().all(u8::is_ascii_whitespace) => {
            Err(options.bad("setup", "is empty"))
        }
        LuaValue::String(text) => Ok(text.to_string_lossy()),
        other => Err(options.wrong("setup", "a command", other)),
    }
}

fn included(options: &mut Options) -> Result<Option<Included>> {
    if options.is_flag("include") {
        return Ok(options.flag("include")?.map(Included::File));
    }
    Ok(options.strings("include")?.map(Included::Patterns))
}

fn include_of(include: Included) -> Result<Include> {
    match include {
        Included::File(true) => Ok(Include::File),
        Included::File(false) => Ok(Include::None),
        Included::Patterns(patterns) => Include::patterns(patterns),
    }
}
