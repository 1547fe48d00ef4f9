//! The pages in `docs/`: what they show runs, what they list is what the code has, what they link to is
//! there, and those in `docs/reference` are what the stubs say (`UPDATE_DOCS=1` writes them).
//!
//! A section, from one heading to the next, is one example in a fresh repository. Its blocks:
//!
//! - `lua`: a script. With a first line `-- name.lua` it is that file, else `main.lua`. Unless the section
//!   has a console block, every script of it runs and has to end well.
//! - `console`: lines that begin with `$ ` are typed into a shell, the others are what comes out, where `…`
//!   stands for anything, on a line of its own for any lines.
//! - `toml`, `json`, `sh`: files, named by a first line `# name`; nothing in them is left unread, for
//!   the section has to use them.
//! - `text`: nothing to run.
//!
//! Every agent is played by `tests/docs/model.lua`. Comments, which readers do not see, say what else
//! there is: `setup: COMMAND` (before the first commit), `model` and the text of another one, `exit: N` (of
//! what follows).

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
mod home;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/play.rs"]
mod play;
#[path = "docs/reference.rs"]
mod reference;
#[path = "docs/settings.rs"]
mod settings;
#[path = "docs/truth.rs"]
mod truth;

use std::path::{Path, PathBuf};

use page::Page;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Returns the page of that name, from `docs/`.
fn page(name: &str) -> Page {
    Page::read(&docs().join(name))
}

/// Runs the sections of a page, several at once.
#[track_caller]
fn plays(name: &str) {
    let page = page(name);
    let failed = play::all(&page);
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn the_cookbook_runs() {
    plays("cookbook.md");
}

#[test]
fn the_other_pages_run() {
    let names = truth::pages().into_iter().filter(|name| name != "cookbook.md");
    for name in names.filter(|name| !name.starts_with("reference/")) {
        plays(&name);
    }
}
