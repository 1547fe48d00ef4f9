//! What an agent may do: `allowed_tools`, `disallowed_tools`, `read_only`, `can_use_tool`.

use std::rc::Rc;
use std::sync::Arc;

use crate::agent::permission::Rules;
use crate::agent::query::Site;
use crate::agent::{Function, Role};
use crate::error::Result;
use crate::host::repository_around;
use crate::tool::Tool;
use crate::tool::registry::Registry;
use crate::vm::{Options, Runtime, Task};

/// Reads whether the agent may only look.
pub(super) fn read_only(options: &mut Options) -> Result<bool> {
    let read_only = options.flag("read_only")?.unwrap_or(false);
    if read_only && options.has("commit") && !options.is_flag("commit") {
        return Err(options.bad("commit", "is a message, and `read_only` commits nothing"));
    }
    Ok(read_only)
}

/// Reads the rules of an agent that works at `site` and has these tools of the script.
pub(super) fn rules(
    options: &mut Options,
    site: &Site,
    custom: &[Arc<dyn Tool>],
    read_only: bool,
) -> Result<Rules> {
    let allowed = options.strings("allowed_tools")?;
    let denied = options.strings("disallowed_tools")?.unwrap_or_default();
    let names: Vec<String> =
        Registry::builtin_names().chain(custom.iter().map(|tool| tool.name().to_owned())).collect();
    let rules = Rules::parse(allowed.as_deref(), &denied, &names).map_err(|mut error| {
        error.message = format!("`agent.query`: {}", error.message);
        error
    })?;
    let rules = if read_only { rules.read_only() } else { rules };
    if let (Some(name), true) = (rules.writing(), read_only) {
        let why = format_args!("lists `{name}`, which writes, beside `read_only`");
        return Err(options.bad("allowed_tools", why));
    }
    let Site::Directory(dir) = site else { return Ok(rules) };
    if let (Some(name), Some(top)) = (rules.writing(), repository_around(dir)) {
        return Err(options
            .bad(
                "allowed_tools",
                format_args!(
                    "lists `{name}`, which writes, and the agent would work in the checkout `{}`",
                    top.display()
                ),
            )
            .hint(
                "add `worktree = true` or `read_only = true`, or a `cwd` outside every repository",
            ));
    }
    Ok(rules.reading_by_default())
}

/// Reads who is asked about calls that the rules leave open.
pub(super) fn decider(
    runtime: &Runtime,
    task: &Rc<Task>,
    options: &mut Options,
) -> Result<Option<Arc<dyn Function>>> {
    let function = options.callable("can_use_tool")?;
    Ok(function.map(|function| {
        Arc::new(runtime.callbacks().register(function, Rc::clone(task), Role::Permission))
            as Arc<dyn Function>
    }))
}
