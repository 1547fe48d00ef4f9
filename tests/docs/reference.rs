//! The pages in `docs/reference`, made from the stubs: what an editor shows is what people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use agentlua::manual::{Alias, Class, Entry, Field, Function, Manual, Page as Stub, Type};

use super::page::{Page, slug};
use super::{docs, truth};

/// Stubs that are shown on the page of another.
const WITH: [(&str, &str); 2] = [("task", "agent"), ("worktree", "git")];

/// Examples that a function is shown with at most.
const EXAMPLES: usize = 3;

const HEAD: &str = "<!-- Made of lua/types: `UPDATE_DOCS=1 cargo test --test docs`. -->\n";

/// All pages by their names, and what is needed to link between them.
struct Reference {
    manual: Manual,
    /// The page and the anchor of each class, alias and function.
    places: BTreeMap<String, (String, String)>,
    /// Where a function is used: links from `docs/reference`.
    uses: BTreeMap<String, Vec<String>>,
}

/// Returns the page that a stub is shown on.
fn page_of(stub: &str) -> &str {
    WITH.iter().find(|(name, _)| *name == stub).map_or(stub, |(_, page)| *page)
}

/// Returns the stubs of a page, its own first.
fn stubs_of<'a>(manual: &'a Manual, page: &'a str) -> impl Iterator<Item = &'a Stub> {
    manual.pages.iter().filter(move |stub| page_of(stub.name) == page)
}

/// Returns the names of the pages, in the order of the manual.
fn page_names(manual: &Manual) -> Vec<&str> {
    manual.pages.iter().map(|stub| stub.name).filter(|name| page_of(name) == *name).collect()
}

/// Returns the heading of a function.
fn heading(function: &Function) -> String {
    function.signature()
}

fn is_module(class: &Class) -> bool {
    class.name.ends_with("lib")
}

impl Reference {
    fn load() -> Self {
        let manual = Manual::load();
        let mut reference = Self { manual, places: BTreeMap::new(), uses: uses() };
        for name in page_names(&reference.manual) {
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for (title, what) in reference.headings(name) {
                let anchor = slug(&title);
                let before = seen.entry(anchor.clone()).or_default();
                let own = if *before == 0 { anchor } else { format!("{anchor}-{before}") };
                *before += 1;
                if let Some(what) = what {
                    reference.places.insert(what, (name.to_owned(), own));
                }
            }
        }
        reference
    }

    /// Returns the headings of a page in their order, each with what it describes.
    fn headings(&self, page: &str) -> Vec<(String, Option<String>)> {
        let mut headings = vec![(title_of(page), None)];
        for function in self.functions(page) {
            headings.push((heading(function), Some(function.name.clone())));
        }
        if self.types(page).next().is_some() {
            headings.push(("Types".to_owned(), None));
        }
        for entry in self.types(page) {
            let name = match entry {
                Entry::Class(class) => &class.name,
                Entry::Alias(alias) => &alias.name,
                Entry::Function(_) => continue,
            };
            headings.push((name.clone(), Some(name.clone())));
        }
        headings
    }

    /// Returns the functions of a page, methods last; twins are told with their own.
    fn functions<'a>(&'a self, page: &'a str) -> impl Iterator<Item = &'a Function> {
        let entries = || stubs_of(&self.manual, page).flat_map(|stub| &stub.entries);
        let functions = move |methods: bool| {
            entries().filter_map(move |entry| match entry {
                Entry::Function(function) => Some(function).filter(|function| {
                    function.name.contains(':') == methods && self.original(function).is_none()
                }),
                _ => None,
            })
        };
        functions(false).chain(functions(true))
    }

    /// Returns what a twin is the twin of.
    fn original(&self, function: &Function) -> Option<&Function> {
        self.manual.function(&function.twin_of()?)
    }

    fn twin(&self, function: &Function) -> Option<&Function> {
        let owner = function.name.len() - function.short_name().len();
        let (owner, short) = function.name.split_at(owner);
        self.manual.function(&format!("{owner}try_{short}"))
    }

    /// Returns the classes and aliases of a page, its modules left out.
    fn types<'a>(&'a self, page: &'a str) -> impl Iterator<Item = &'a Entry> {
        stubs_of(&self.manual, page).flat_map(|stub| &stub.entries).filter(|entry| match entry {
            Entry::Class(class) => !is_module(class),
            Entry::Alias(_) => true,
            Entry::Function(_) => false,
        })
    }

    fn page(&self, page: &str) -> String {
        let mut text = format!("{HEAD}# {}\n\n", title_of(page));
        for stub in stubs_of(&self.manual, page) {
            for entry in &stub.entries {
                if let Entry::Class(class) = entry
                    && is_module(class)
                {
                    self.module(&mut text, class, stub, page);
                }
            }
        }
        let _ = writeln!(text, "[All pages](../README.md)\n");
        let functions: Vec<&Function> = self.functions(page).collect();
        if functions.len() > 4 {
            text.push_str("| function | |\n|---|---|\n");
            for function in &functions {
                let (_, anchor) = &self.places[&function.name];
                let first = cell(&first_sentence(&function.doc));
                let _ = writeln!(text, "| [`{}`](#{anchor}) | {first} |", function.name);
            }
            text.push('\n');
        }
        for function in functions {
            self.function(&mut text, function, page);
        }
        for (index, entry) in self.types(page).enumerate() {
            if index == 0 {
                text.push_str("## Types\n\n");
            }
            match entry {
                Entry::Class(class) => self.class(&mut text, class, page),
                Entry::Alias(alias) => self.alias(&mut text, alias, page),
                Entry::Function(_) => {}
            }
        }
        text.trim_end().to_owned() + "\n"
    }

    fn module(&self, text: &mut String, class: &Class, stub: &Stub, page: &str) {
        if !class.doc.is_empty() {
            let _ = writeln!(text, "{}\n", class.doc);
        }
        example(text, &class.example);
        let global = class.variable.as_deref().unwrap_or(stub.name);
        if let Some(module) = &stub.module {
            let is_global = stub.name != "test" && stub.name != "patterns";
            let both = if is_global { format!("The global `{global}`; ") } else { String::new() };
            let _ = writeln!(text, "{both}`local {global} = require \"{module}\"`.\n");
        }
        for overload in &class.overloads {
            let _ = writeln!(text, "It is called, too: `{}`.\n", called(global, overload));
        }
        if !class.fields.is_empty() {
            self.fields(text, &class.fields, page);
        }
    }

    fn function(&self, text: &mut String, function: &Function, page: &str) {
        let _ = writeln!(text, "## {}\n\n{}\n", heading(function), function.doc);
        example(text, &function.example);
        for param in &function.params {
            let optional = if param.optional { ", may be left out" } else { "" };
            let doc = if param.doc.is_empty() { String::new() } else { format!(": {}", param.doc) };
            let ty = self.ty(&param.ty, page);
            let _ = writeln!(text, "- `{}`: {ty}{optional}{doc}", param.name);
        }
        let returned: Vec<String> = function
            .returns
            .iter()
            .map(|value| match value.name.as_str() {
                "" => self.ty(&value.ty, page),
                name => format!("`{name}` ({})", self.ty(&value.ty, page)),
            })
            .collect();
        if !returned.is_empty() {
            let _ = writeln!(text, "- returns {}", returned.join(", "));
        }
        for overload in &function.overloads {
            let _ = writeln!(text, "- also `{}`", called(&function.name, overload));
        }
        if self.twin(function).is_some() {
            let short = function.short_name();
            let _ = writeln!(text, "- `try_{short}` returns `nil, e` in place of raising");
        }
        if function.waits {
            text.push_str("- waits; other tasks go on meanwhile\n");
        }
        if let Some(uses) = self.uses.get(&function.name) {
            let _ = writeln!(text, "- used in {}", uses.join(", "));
        }
        if !text.ends_with("\n\n") {
            text.push('\n');
        }
    }

    fn class(&self, text: &mut String, class: &Class, page: &str) {
        let _ = writeln!(text, "### {}\n", class.name);
        if !class.doc.is_empty() {
            let _ = writeln!(text, "{}\n", class.doc);
        }
        example(text, &class.example);
        let parents: Vec<String> =
            class.parents.iter().map(|name| self.named(name, page)).collect();
        if !parents.is_empty() {
            let _ = writeln!(text, "Has everything of {}, and:\n", parents.join(" and "));
        }
        self.fields(text, &class.fields, page);
        let owner = class.variable.as_deref().unwrap_or_default();
        let methods = self.manual.members(owner).filter(|method| self.original(method).is_none());
        let methods: Vec<String> = methods
            .filter(|_| !owner.is_empty())
            .map(|method| self.named(&method.name, page))
            .collect();
        if !methods.is_empty() {
            let _ = writeln!(text, "Methods: {}.\n", methods.join(", "));
        }
    }

    fn fields(&self, text: &mut String, fields: &[Field], page: &str) {
        if fields.is_empty() {
            return;
        }
        let split: Vec<(&Field, (String, String))> =
            fields.iter().map(|field| (field, default_of(&field.doc))).collect();
        let have_defaults = split.iter().any(|(_, (_, default))| !default.is_empty());
        let head = if have_defaults {
            "| option | type | default | meaning |\n|---|---|---|---|\n"
        } else {
            "| field | type | meaning |\n|---|---|---|\n"
        };
        text.push_str(head);
        for (field, (meaning, default)) in split {
            let ty = cell(&self.ty(&field.ty, page));
            let meaning = cell(&meaning);
            let name = &field.name;
            if have_defaults {
                let default = match (default.as_str(), field.optional) {
                    ("", false) => "required".to_owned(),
                    (default, _) => cell(default),
                };
                let _ = writeln!(text, "| `{name}` | {ty} | {default} | {meaning} |");
            } else {
                let absent = if field.optional { " or nil" } else { "" };
                let _ = writeln!(text, "| `{name}` | {ty}{absent} | {meaning} |");
            }
        }
        text.push('\n');
    }

    fn alias(&self, text: &mut String, alias: &Alias, page: &str) {
        let _ = writeln!(text, "### {}\n", alias.name);
        if !alias.doc.is_empty() {
            let _ = writeln!(text, "{}\n", alias.doc);
        }
        if alias.meanings.iter().any(|(_, meaning)| !meaning.is_empty()) {
            text.push_str("| value | meaning |\n|---|---|\n");
            for (value, meaning) in &alias.meanings {
                let _ = writeln!(text, "| `{value}` | {} |", cell(meaning));
            }
            text.push('\n');
        } else {
            let _ = writeln!(text, "{}\n", self.ty(&alias.ty, page));
        }
    }

    /// Returns a type in words, with links.
    fn ty(&self, ty: &Type, page: &str) -> String {
        match ty {
            Type::Name(name) => self.named(name, page),
            Type::Literal(text) => format!("`{text}`"),
            Type::List(inner) if matches!(**inner, Type::Union(_)) => {
                format!("list of ({})", self.ty(inner, page))
            }
            Type::List(inner) => format!("list of {}", self.ty(inner, page)),
            Type::Map(key, value) if **key == Type::Name("string".to_owned()) => {
                format!("{} by name", self.ty(value, page))
            }
            Type::Map(_, value) => format!("table of ({})", self.ty(value, page)),
            Type::Function(text) => format!("`{}`", text.replace("async ", "")),
            Type::Union(types) => {
                let words: Vec<String> = types.iter().map(|ty| self.ty(ty, page)).collect();
                words.join(" or ")
            }
        }
    }

    /// Returns a name, linked to where it is described.
    fn named(&self, name: &str, page: &str) -> String {
        match self.places.get(name) {
            Some((its, anchor)) if its == page => format!("[`{name}`](#{anchor})"),
            Some((its, anchor)) => format!("[`{name}`]({its}.md#{anchor})"),
            None if name.len() == 1 => "any".to_owned(),
            None => name.to_owned(),
        }
    }
}

fn example(text: &mut String, example: &str) {
    if !example.is_empty() {
        let _ = writeln!(text, "```lua\n{example}\n```\n");
    }
}

fn title_of(page: &str) -> String {
    if page == "error" { "Errors, as values".to_owned() } else { page.to_owned() }
}

/// Returns an overload as a call: `fun(prompt: string): X` of `agent.query` is `agent.query(prompt)`.
fn called(name: &str, overload: &str) -> String {
    let params = overload.split_once('(').map_or("", |(_, rest)| rest);
    let params = params.split_once(')').map_or(params, |(params, _)| params);
    let names: Vec<&str> = params.split(", ").filter_map(|param| param.split(':').next()).collect();
    format!("{name}({})", names.join(", "))
}

/// Parts a field's text from the default at its end.
fn default_of(doc: &str) -> (String, String) {
    match doc.rsplit_once(" (default: ") {
        Some((meaning, default)) => {
            let default = default.strip_suffix(").").unwrap_or(default);
            (format!("{}.", meaning.trim_end_matches('.')), default.to_owned())
        }
        None => (doc.to_owned(), String::new()),
    }
}

fn first_sentence(doc: &str) -> String {
    let first = doc.split_once(". ").map_or(doc, |(first, _)| first);
    let first = first.lines().next().unwrap_or_default();
    first.trim_end_matches('.').to_owned()
}

fn cell(text: &str) -> String {
    text.replace("\n\n", "<br>").replace('|', "\\|")
}

/// Finds which functions the scripts of the hand-written pages use.
fn uses() -> BTreeMap<String, Vec<String>> {
    let name =
        regex::Regex::new(r"\b(?:agent|git|github|fs|json|log|sh|test|patterns)\.[a-z_]+").unwrap();
    let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let page = Page::read(&docs().join("cookbook.md"));
    for (section, anchor) in page.sections.iter().skip(1).zip(page.anchors()) {
        for block in section.blocks.iter().filter(|block| block.language == "lua") {
            for found in name.find_iter(&block.text) {
                let function = found.as_str().replace(".try_", ".");
                let links = uses.entry(function).or_default();
                let link = format!("[{}](../cookbook.md#{anchor})", section.title);
                if links.len() < EXAMPLES && !links.contains(&link) {
                    links.push(link);
                }
            }
        }
    }
    uses
}

#[test]
fn the_reference_is_what_the_stubs_say() {
    let (reference, folder) = (Reference::load(), docs().join("reference"));
    let names = page_names(&reference.manual);
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    for name in &names {
        let (path, text) = (folder.join(format!("{name}.md")), reference.page(name));
        if update {
            std::fs::write(&path, &text).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(known == text, "{}: UPDATE_DOCS=1 cargo test --test docs", path.display());
    }
    let written = truth::pages().into_iter().filter(|page| page.starts_with("reference/"));
    let expected = names.iter().map(|name| format!("reference/{name}.md"));
    let (mut written, mut expected) = (written.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    written.sort();
    expected.sort();
    assert_eq!(written, expected);
}

#[test]
fn every_function_and_option_is_in_the_reference() {
    let manual = Manual::load();
    let all: String = truth::pages()
        .into_iter()
        .filter(|page| page.starts_with("reference/"))
        .map(|page| std::fs::read_to_string(docs().join(Path::new(&page))).unwrap())
        .collect();
    for function in manual.functions() {
        let name = function.twin_of().filter(|name| manual.function(name).is_some());
        let name = name.unwrap_or_else(|| function.name.clone());
        assert!(all.contains(&format!("## {name}(")), "{name}");
    }
    for class in manual.classes().filter(|class| !is_module(class)) {
        for field in &class.fields {
            assert!(
                all.contains(&format!("| `{}` |", field.name)),
                "{}.{}",
                class.name,
                field.name
            );
        }
    }
}
