//! What Lua has, as the stubs in `lua/types` say it: one text for editors, `:help`, completion,
//! `agentlua check` and the pages in `docs/`.
//!
//! The stubs are ours, so this reads the part of `LuaCATS` that they use and nothing more; a line
//! that it does not know is an error, which `tests/stubs.rs` would show. It knows nothing of Lua
//! the language, of a terminal, or of what is done with it.

mod stub;
mod ty;

use std::collections::BTreeMap;

pub use ty::Type;

/// Every stub by its name, in the order of the manual.
pub const STUBS: [(&str, &str); 12] = [
    ("agent", include_str!("../../lua/types/agent.lua")),
    ("task", include_str!("../../lua/types/task.lua")),
    ("git", include_str!("../../lua/types/git.lua")),
    ("worktree", include_str!("../../lua/types/worktree.lua")),
    ("github", include_str!("../../lua/types/github.lua")),
    ("sh", include_str!("../../lua/types/sh.lua")),
    ("fs", include_str!("../../lua/types/fs.lua")),
    ("json", include_str!("../../lua/types/json.lua")),
    ("log", include_str!("../../lua/types/log.lua")),
    ("patterns", include_str!("../../lua/types/patterns.lua")),
    ("error", include_str!("../../lua/types/error.lua")),
    ("test", include_str!("../../lua/types/test.lua")),
];

/// One stub.
#[derive(Debug, Default)]
pub struct Page {
    /// Its file's name without the end, such as `git`.
    pub name: &'static str,
    /// What is to be `require`d for it, or the global: `agentlua.git`; nothing for a stub of types
    /// alone.
    pub module: Option<String>,
    /// What it declares, in its order.
    pub entries: Vec<Entry>,
}

/// A thing that a stub declares.
#[derive(Debug)]
pub enum Entry {
    /// A function or method.
    Function(Function),
    /// A class: an options table, a result, a handle, or a module.
    Class(Class),
    /// A type with a name.
    Alias(Alias),
}

/// A function or method.
#[derive(Debug, Default)]
pub struct Function {
    /// As it is called: `agent.query`, `task:await`.
    pub name: String,
    /// What it does; paragraphs are separated by an empty line, other lines belong together.
    pub doc: String,
    /// How it is used, as lines of Lua; empty without an example.
    pub example: String,
    /// Its parameters.
    pub params: Vec<Param>,
    /// What it returns.
    pub returns: Vec<Return>,
    /// Other ways to call it, as function types.
    pub overloads: Vec<String>,
    /// Whether it may wait.
    pub waits: bool,
}

/// A parameter of a function.
#[derive(Debug)]
pub struct Param {
    /// Its name; `...` for the rest.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it takes.
    pub ty: Type,
    /// What it is; often empty.
    pub doc: String,
}

/// A value that a function returns.
#[derive(Debug)]
pub struct Return {
    /// What it is.
    pub ty: Type,
    /// Its name; often empty, `...` for any number.
    pub name: String,
}

/// A table with known fields.
#[derive(Debug, Default)]
pub struct Class {
    /// Its name, such as `agent.Query`.
    pub name: String,
    /// Classes whose fields it has too.
    pub parents: Vec<String>,
    /// What it is.
    pub doc: String,
    /// How it is used, as lines of Lua; empty without an example.
    pub example: String,
    /// Its own fields, in their order.
    pub fields: Vec<Field>,
    /// How it is called, if it can be.
    pub overloads: Vec<String>,
    /// What functions of it are declared on: `task` for `agent.Task`, `git` for the module.
    pub variable: Option<String>,
}

/// A field of a class.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// What it holds.
    pub ty: Type,
    /// What it is.
    pub doc: String,
}

/// A type with a name.
#[derive(Debug)]
pub struct Alias {
    /// Its name, such as `git.Revision`.
    pub name: String,
    /// What it is.
    pub doc: String,
    /// What it stands for.
    pub ty: Type,
    /// What each value of a list means; empty when nothing is said.
    pub meanings: Vec<(String, String)>,
}

/// All stubs.
#[derive(Debug)]
pub struct Manual {
    /// In the order of [`STUBS`].
    pub pages: Vec<Page>,
}

impl Manual {
    /// Reads the stubs that this binary holds.
    ///
    /// # Panics
    /// Never in a build whose tests passed: they read every stub.
    #[expect(clippy::expect_used, reason = "the stubs are part of the binary, and tested")]
    pub fn load() -> Self {
        let pages = STUBS.iter().map(|(name, text)| stub::page(name, text));
        Self { pages: pages.collect::<anyhow::Result<_>>().expect("the stubs can be read") }
    }

    /// Returns every entry.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.pages.iter().flat_map(|page| &page.entries)
    }

    /// Returns every function.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.entries().filter_map(|entry| match entry {
            Entry::Function(function) => Some(function),
            _ => None,
        })
    }

    /// Returns every class.
    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.entries().filter_map(|entry| match entry {
            Entry::Class(class) => Some(class),
            _ => None,
        })
    }

    /// Returns the function that is called so; `.` and `:` are the same.
    pub fn function(&self, name: &str) -> Option<&Function> {
        let name = name.replace(':', ".");
        self.functions().find(|function| function.name.replace(':', ".") == name)
    }

    /// Returns the class of a name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes().find(|class| class.name == name)
    }

    /// Returns the alias of a name.
    pub fn alias(&self, name: &str) -> Option<&Alias> {
        self.entries().find_map(|entry| match entry {
            Entry::Alias(alias) if alias.name == name => Some(alias),
            _ => None,
        })
    }

    /// Returns the class of a module's table, such as that of `git`.
    pub fn module(&self, name: &str) -> Option<&Class> {
        self.class(&format!("{name}lib"))
    }

    /// Returns the fields of a class by name, those of its parents too.
    pub fn fields(&self, class: &Class) -> BTreeMap<String, Field> {
        let parents = class.parents.iter().filter_map(|parent| self.class(parent));
        let mut fields: BTreeMap<String, Field> =
            parents.flat_map(|parent| self.fields(parent)).collect();
        let own = class.fields.iter().cloned();
        fields.extend(own.map(|field| (field.name.clone(), field)));
        fields
    }

    /// Returns the functions that are declared on a variable: `git` or `task`.
    pub fn members<'a>(&'a self, variable: &'a str) -> impl Iterator<Item = &'a Function> {
        self.functions().filter(move |function| {
            function.name.split(['.', ':']).next().is_some_and(|owner| owner == variable)
        })
    }

    /// Returns the classes of tables that a type takes, through aliases, lists left out: of
    /// `agent.Query|string` the class `agent.Query`.
    pub fn tables(&self, ty: &Type) -> Vec<&Class> {
        match ty {
            Type::Union(types) => types.iter().flat_map(|ty| self.tables(ty)).collect(),
            Type::Name(name) => match (self.class(name), self.alias(name)) {
                (Some(class), _) => vec![class],
                (None, Some(alias)) => self.tables(&alias.ty),
                (None, None) => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

impl Function {
    /// Returns its name without what it is declared on.
    pub fn short_name(&self) -> &str {
        self.name.rsplit(['.', ':']).next().unwrap_or_default()
    }

    /// Returns the function that this one is the twin of: `git.merge` for `git.try_merge`.
    pub fn twin_of(&self) -> Option<String> {
        let short = self.short_name().strip_prefix("try_")?;
        let owner = self.name.len() - self.short_name().len();
        Some(format!("{}{short}", &self.name[..owner]))
    }

    /// Returns how it is called: `git.show(rev, path, options?)`.
    pub fn signature(&self) -> String {
        let params: Vec<String> = self
            .params
            .iter()
            .map(|param| format!("{}{}", param.name, if param.optional { "?" } else { "" }))
            .collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_stubs_are_what_is_in_their_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/lua/types");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut names: Vec<String> = STUBS.iter().map(|(name, _)| format!("{name}.lua")).collect();
        names.sort();
        assert_eq!(files, names);
    }

    #[test]
    fn functions_have_signatures_twins_and_options() {
        let manual = Manual::load();
        let merge = manual.function("git.merge").unwrap();
        assert_eq!(merge.signature(), "git.merge(x)");
        assert!(merge.waits && merge.doc.starts_with("Merges a branch"));
        assert_eq!(manual.function("git.try_merge").unwrap().twin_of().unwrap(), "git.merge");
        let tables = manual.tables(&merge.params[0].ty);
        assert!(tables.iter().any(|class| class.name == "git.MergeOptions"), "{tables:?}");
        let options = manual.fields(manual.class("git.MergeOptions").unwrap());
        assert!(options.contains_key("repo") && options.contains_key("strategy"));
        let all = manual.function("agent.all").unwrap();
        assert!(!all.doc.contains("```") && all.doc.ends_with("have unwound."), "{}", all.doc);
        assert!(
            all.example.starts_with("local outcomes = agent.all {\n  api = {"),
            "{}",
            all.example
        );
        assert!(all.example.ends_with("docs.branch)"), "{}", all.example);
        assert!(manual.class("shlib").unwrap().example.contains("sh(\"npm test\""));
        assert_eq!(manual.function("task.await").unwrap().name, "task:await");
        assert_eq!(manual.class("agent.Task").unwrap().variable.as_deref(), Some("task"));
        assert!(manual.members("log").count() >= 4);
    }

    #[test]
    fn every_name_in_a_type_is_declared() {
        let manual = Manual::load();
        let known = |name: &str| {
            let plain = "any nil boolean string integer number table function lightuserdata";
            plain.split(' ').any(|plain| plain == name)
                || name.len() == 1
                || manual.class(name).is_some()
                || manual.alias(name).is_some()
        };
        let mut seen = 0;
        for entry in manual.entries() {
            let types: Vec<&Type> = match entry {
                Entry::Function(function) => {
                    let params = function.params.iter().map(|param| &param.ty);
                    params.chain(function.returns.iter().map(|value| &value.ty)).collect()
                }
                Entry::Class(class) => class.fields.iter().map(|field| &field.ty).collect(),
                Entry::Alias(alias) => vec![&alias.ty],
            };
            for name in types.iter().flat_map(|ty| ty.names()) {
                assert!(known(name), "`{name}` is declared nowhere");
                seen += 1;
            }
        }
        assert!(seen > 400, "{seen} names are not all of them");
    }
}
