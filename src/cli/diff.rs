//! `agentlua diff ID`: what an agent has brought so far, what is not committed included.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::look;
use super::terminal::{Styles, printable, stdout_styles};
use crate::error::Result;

#[derive(Args)]
#[command(
    after_help = "From the commit that the agent started from to the end of its branch and whatever its\n\
                  worktree has on top, also while it works. In a pipe it is a patch for `git apply`."
)]
pub(super) struct Diff {
    /// The agent's id, or the start of it
    id: String,
    /// One line for each file, and the totals
    #[arg(long)]
    stat: bool,
    /// Print JSON: files with their counts, and the patch
    #[arg(long)]
    json: bool,
    /// Repository of the agent [default: the one here]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    repo: Option<PathBuf>,
}

/// Shows what an agent brought and returns the exit code.
pub(super) fn main(diff: &Diff) -> Result<i32> {
    look::with(diff.repo.as_deref(), async |look| {
        let found = Arc::clone(&look.host).diff_of_agent(&diff.id).await?;
        if diff.json {
            look.print_json(&found.to_json())?;
        } else if diff.stat {
            look.print(&found.summary());
        } else if std::io::stdout().is_terminal() {
            look.print(&shown(&found.patch_text(), &stdout_styles()));
        } else {
            look.print_bytes(&found.patch);
        }
        Ok(0)
    })
}

/// Returns a patch for a terminal: coloured, with nothing in it that steers it.
pub(super) fn shown(patch: &str, style: &Styles) -> String {
    let Styles { red, green, bold, dim, reset, .. } = style;
    let mut in_head = true;
    let coloured = patch.lines().map(|line| {
        in_head = line.starts_with("diff ") || in_head && !line.starts_with("@@");
        let colour = match line.as_bytes().first() {
            _ if in_head => bold,
            Some(b'@') => dim,
            Some(b'+') => green,
            Some(b'-') => red,
            _ => "",
        };
        let line = printable(&line.replace('\t', "    "));
        if colour.is_empty() { line + "\n" } else { format!("{colour}{line}{reset}\n") }
    });
    coloured.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_coloured_and_cannot_steer_the_terminal() {
        let style =
            Styles { red: "<r>", yellow: "", green: "<g>", bold: "<b>", dim: "<d>", reset: "</>" };
        let patch =
            "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n \tsame\n-old\n+new\x1b[2J\n";
        insta::assert_snapshot!(shown(patch, &style), @r"
        <b>diff --git a/x b/x</>
        <b>--- a/x</>
        <b>+++ b/x</>
        <d>@@ -1,2 +1,2 @@</>
             same
        <r>-old</>
        <g>+new [2J</>
        ");
    }
}
