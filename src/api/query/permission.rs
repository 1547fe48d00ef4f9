//! What an agent may do: `allowed_tools` and `disallowed_tools`.

use std::sync::Arc;

use crate::agent::permission::{READING, Rules};
use crate::agent::query::Site;
use crate::error::Result;
use crate::host::repository_around;
use crate::tool::Tool;
use crate::tool::registry::Registry;
use crate::vm::Options;

/// Reads the rules of an agent that works at `site` and has these tools of the script.
pub(super) fn rules(options: &mut Options, site: &Site, custom: &[Arc<dyn Tool>]) -> Result<Rules> {
    let allowed = options.strings("allowed_tools")?;
    let denied = options.strings("disallowed_tools")?.unwrap_or_default();
    let names: Vec<String> = Registry::builtin_names()
        .chain(Registry::optional().map(str::to_owned))
        .chain(custom.iter().map(|tool| tool.name().to_owned()))
        .collect();
    let rules = Rules::parse(allowed.as_deref(), &denied, &names).map_err(|mut error| {
        error.message = format!("`agent.query`: {}", error.message);
        error
    })?;
    let Site::Directory(dir) = site else { return Ok(rules) };
    let writing = rules.listed().into_iter().flatten().find(|name| {
        Registry::builtin_names().any(|builtin| builtin == *name) && !READING.contains(name)
    });
    if let (Some(name), Some(top)) = (writing, repository_around(dir)) {
        return Err(options
            .bad(
                "allowed_tools",
                format_args!(
                    "lists `{name}`, which writes, and the agent would work in the checkout `{}`",
                    top.display()
                ),
            )
            .hint("add `worktree = true`, or a `cwd` outside every repository"));
    }
    Ok(rules.reading_by_default())
}
