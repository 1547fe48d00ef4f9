//! What a script and its modules do to globals and modules, anywhere: it counts everywhere.

use std::collections::BTreeSet;

use super::catalog::Catalog;
use super::known;
use super::reading::{How, Init, Reading, Target};
use super::text;

/// Functions that make globals, or may.
const OPENERS: [&str; 7] = ["_G", "_ENV", "load", "loadfile", "dofile", "loadstring", "setfenv"];

/// Fields of `package` through which a script changes what others are.
const LOADERS: [&str; 3] = ["loaded", "preload", "searchers"];

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are facts")]
pub(super) struct Facts {
    /// Globals that are assigned.
    pub assigned: BTreeSet<String>,
    /// Globals and fields of modules that are asked for before they are used: `agent.get`.
    pub tested: BTreeSet<String>,
    /// Fields of modules that are assigned.
    pub replaced: BTreeSet<String>,
    /// Modules that are passed on whole, and may get further fields.
    pub loose: BTreeSet<String>,
    /// Whether globals may come from where nobody sees.
    pub open: bool,
    /// Whether agentlua's own may be others.
    pub mocked: bool,
    /// Whether errors are caught somewhere.
    pub catches: bool,
    /// Whether it asks which Lua it runs in.
    pub versions: bool,
}

impl Facts {
    /// Notes those of a file.
    pub fn note(&mut self, reading: &Reading<'_>, catalog: &Catalog) {
        let aliases: BTreeSet<usize> = reading
            .locals
            .iter()
            .filter_map(|local| match local.init {
                Init::Value(_, first) => first,
                _ => None,
            })
            .collect();
        let mut writes_raw = false;
        let mut names_table = reading.locals.iter().any(|local| local.name == "_ENV");
        self.mocked |= names_table;
        for (index, named) in reading.uses.iter().enumerate() {
            let name = text::name(named.name);
            let tests = named.how == How::Tested;
            if named.target == Target::Global {
                match (named.how, named.path.as_slice()) {
                    (How::Assigned, []) => drop(self.assigned.insert(name.to_owned())),
                    (How::Tested, []) => drop(self.tested.insert(name.to_owned())),
                    _ => {}
                }
                self.open |= OPENERS.contains(&name);
                names_table |= name == "_G";
                writes_raw |= name == "rawset";
                self.mocked |= name == "_ENV";
                self.catches |= ["pcall", "xpcall", "coroutine"].contains(&name);
                self.versions |= name == "_VERSION";
                if name == "package" {
                    let loads = named.path.first().is_none_or(|(name, _)| LOADERS.contains(name));
                    self.mocked |= loads;
                    self.open |= loads;
                }
            }
            self.catches |= named.how == How::Called
                && named.path.last().is_some_and(|(name, _)| *name == "error");
            let Some(path) = catalog.path(reading, index) else { continue };
            if path.fields.is_empty() {
                if matches!(named.how, How::Passed | How::Given) && !aliases.contains(&index) {
                    self.loose.insert(path.module.to_owned());
                }
                continue;
            }
            if named.how == How::Assigned {
                self.replaced.insert(path.text());
            } else if tests {
                self.tested.insert(path.text());
            }
        }
        self.open |= reading.locals.iter().any(|local| local.name == "_ENV");
        self.mocked |= names_table && writes_raw;
        self.loose.extend(
            self.assigned
                .iter()
                .filter(|name| known::is_global(name) && !known::is_module(name))
                .cloned(),
        );
    }
}
