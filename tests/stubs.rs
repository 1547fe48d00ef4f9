//! The stubs in `lua/types` say what Lua has: compared with the real one, both ways.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use agentlua::api::{result, shapes};
use agentlua::cli::session;
use agentlua::event::Events;
use agentlua::host::{Host, Sources, Surroundings};
use agentlua::journal::NewRun;
use agentlua::manual::{self, Entry, Manual};
use agentlua::vm::{Task, chunk};
use mlua::prelude::*;
use regex::Regex;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// Classes of options, and the functions that take them.
const OPTIONS: [(&str, &[&str]); 35] = [
    ("agent.ArgsOptions", &["agent.args"]),
    ("agent.Argument", &["agent.args: argument"]),
    ("agent.Query", &["agent.query"]),
    ("agent.GroupOptions", &["agent.all", "agent.map", "agent.pipeline"]),
    ("agent.ModelOptions", &["agent.model"]),
    ("agent.ToolOptions", &["agent.tool"]),
    ("agent.Hooks", &["agent.query: hooks"]),
    ("agent.HookMatcher", &["agent.query: hooks: matcher"]),
    ("agent.ListOptions", &["agent.list"]),
    ("agent.IntegrateOptions", &["agent.integrate"]),
    ("agent.ConfigOptions", &["agent.config"]),
    ("agent.WorktreeDefaults", &["agent.config: worktree"]),
    ("agent.WorktreeOptions", &["agent.query: worktree"]),
    ("agent.RemoveOptions", &["agent.remove"]),
    ("fs.RemoveOptions", &["fs.remove"]),
    ("git.CommitOptions", &["git.commit"]),
    ("git.DiffOptions", &["git.diff"]),
    ("git.FetchOptions", &["git.fetch"]),
    ("git.LogOptions", &["git.log"]),
    ("git.MergeOptions", &["git.merge"]),
    ("git.PushOptions", &["git.push"]),
    (
        "git.RepoOptions",
        &["git.branches", "git.conflicts", "git.head", "git.root", "git.show", "git.worktrees"],
    ),
    ("git.StatusOptions", &["git.status"]),
    ("git.WorktreeOptions", &["git.worktree"]),
    ("github.CreatePullOptions", &["github.create_pull"]),
    ("github.IssuesOptions", &["github.issues"]),
    ("github.PullsOptions", &["github.pulls"]),
    ("github.RepoOptions", &["github.comment", "github.diff", "github.pull"]),
    ("github.ReviewComment", &["github.review: comments"]),
    ("github.ReviewOptions", &["github.review"]),
    ("json.EncodeOptions", &["json.encode"]),
    ("sh.Options", &["sh"]),
    ("sh.Program", &["sh.run"]),
    ("test.RunOptions", &["t.run"]),
    ("test.ShellOptions", &["repo:sh"]),
];

/// Twins that the stubs leave out: the function fails by misuse only, which a twin raises too.
const IDLE_TWINS: [&str; 22] = [
    "agent.try_all_settled",
    "agent.try_args",
    "agent.try_iter",
    "agent.try_map_settled",
    "agent.try_model",
    "agent.try_phase",
    "agent.try_sleep",
    "agent.try_text",
    "agent.try_tool",
    "fs.try_exists",
    "fs.try_glob",
    "json.try_array",
    "json.try_encode",
    "log.try_debug",
    "log.try_error",
    "log.try_info",
    "log.try_warn",
    "task.try_cancel",
    "task.try_events",
    "task.try_send",
    "task.try_status",
    "worktree.try_keep",
];

#[derive(Deserialize)]
struct Function {
    waits: bool,
}

/// What Lua has.
#[derive(Deserialize)]
struct Vm {
    functions: BTreeMap<String, Function>,
    values: BTreeSet<String>,
    options: BTreeMap<String, BTreeSet<String>>,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Vm {
    fn probe() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workers = session::workers().unwrap();
        let host = Host::new(Surroundings {
            sources: Sources::default(),
            environment: [("HOME".to_owned(), folder.path().display().to_string())].into(),
            cwd: folder.path().to_owned(),
            events: Events::new(Vec::new()),
            runtime: workers.handle().clone(),
            run: NewRun::new("", "probe.lua"),
            resumed: None,
            program: PathBuf::from(env!("CARGO_BIN_EXE_agentlua")),
        })
        .unwrap();
        let answer = session::on_lua_thread(Self::ask(&host, folder.path())).unwrap();
        workers.shutdown_background();
        serde_json::from_str(&answer).unwrap()
    }

    async fn ask(host: &Arc<Host>, dir: &Path) -> String {
        let root = Task::root(CancellationToken::new());
        let write = Rc::new(|_: &[u8]| {});
        let runtime = session::lua(host, Rc::clone(&root), dir.to_owned(), write).unwrap();
        let lua = runtime.lua();
        // Methods are behind `__index` and cannot be listed by a script.
        let methods = ["agentlua.task methods", "agentlua.worktree methods"];
        let methods = methods.map(|name| lua.named_registry_value::<LuaValue>(name).unwrap());
        let probe = chunk::compile(lua, include_bytes!("stubs/probe.lua"), "probe.lua").unwrap();
        let args = LuaMultiValue::from_vec(methods.into());
        let answer = runtime.run(&root, probe, args).await.unwrap();
        host.close().await;
        answer[0].to_string().unwrap()
    }
}

/// What the stubs say.
struct Stubs {
    manual: Manual,
    /// Whether each function is marked as one that waits.
    functions: BTreeMap<String, bool>,
}

impl Stubs {
    fn load() -> Self {
        let manual = Manual::load();
        let named = |function: &agentlua::manual::Function| {
            (function.name.replace(':', "."), function.waits)
        };
        let functions: BTreeMap<_, _> = manual.functions().map(named).collect();
        assert_eq!(functions.len(), manual.functions().count(), "a function is there twice");
        let classes: BTreeSet<&str> = manual.classes().map(|class| class.name.as_str()).collect();
        assert_eq!(classes.len(), manual.classes().count(), "a class is there twice");
        Self { manual, functions }
    }

    /// Returns the fields of a class with those of its parents, and whether each may be absent.
    fn fields(&self, class: &str) -> BTreeMap<String, bool> {
        let class = self.manual.class(class).unwrap_or_else(|| panic!("no class {class}"));
        let fields = self.manual.fields(class).into_iter();
        fields.map(|(name, field)| (name, field.optional)).collect()
    }

    fn names(&self, classes: &[&str]) -> BTreeSet<String> {
        classes.iter().flat_map(|class| self.fields(class).into_keys()).collect()
    }
}

/// Returns what `pattern` finds in the Rust sources of the API.
fn in_sources(pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            found.extend(pattern.captures_iter(&text).map(|found| found[1].to_owned()));
        }
    }
    found
}

#[test]
fn every_function_is_in_both() {
    let (vm, stubs) = (Vm::probe(), Stubs::load());
    for (name, waits) in &stubs.functions {
        let Some(function) = vm.functions.get(name) else { panic!("Lua has no `{name}`") };
        // Those written in Lua look at their arguments before they wait.
        let own = "all all_settled race iter map map_settled pipeline timeout";
        let name = name.replace("try_", "");
        let combinator = own.split(' ').any(|own| name.strip_prefix("agent.") == Some(own));
        let module = name.split('.').next().unwrap_or_default();
        if ["patterns", "test", "t", "repo"].contains(&module) {
            continue;
        }
        assert!(*waits == (function.waits || combinator), "`{name}` waits: {}", function.waits);
    }
    for (name, function) in &vm.functions {
        let idle = IDLE_TWINS.contains(&name.as_str());
        let stub = stubs.functions.contains_key(name);
        assert!(stub != idle, "`{name}` (waits: {}) in the stubs: {stub}", function.waits);
    }
    for twin in IDLE_TWINS {
        assert!(vm.functions.contains_key(twin), "`{twin}` is gone");
    }
}

#[test]
fn values_of_modules_are_fields() {
    let (vm, stubs) = (Vm::probe(), Stubs::load());
    let mut fields = BTreeSet::new();
    for module in ["agent", "fs", "git", "github", "json", "log", "sh"] {
        let class = stubs.fields(&format!("{module}lib"));
        fields.extend(class.into_keys().map(|field| format!("{module}.{field}")));
    }
    assert_eq!(vm.values, fields);
}

#[test]
fn options_are_those_that_are_taken() {
    let (vm, stubs) = (Vm::probe(), Stubs::load());
    let mut compared = BTreeSet::new();
    for (class, functions) in OPTIONS {
        for function in functions {
            assert_eq!(stubs.names(&[class]), vm.options[*function], "{class} of {function}");
            compared.insert((*function).to_owned());
        }
    }
    assert_eq!(compared, vm.options.keys().cloned().collect());
    let shapes = shapes::all();
    let limited = ["agent.all", "agent.map", "agent.pipeline"];
    for function in compared.iter().filter(|function| !limited.contains(&function.as_str())) {
        assert!(shapes.contains_key(function.as_str()), "`shapes` lacks {function}");
    }
    let known = in_sources(r#"function: "([\w.: ]+)""#);
    assert!(known.is_subset(&compared), "new options: {:?}", known.difference(&compared));
}

#[test]
fn results_have_the_fields_that_may_be_read() {
    let stubs = Stubs::load();
    for kind in &result::KINDS {
        // The merge of an error has what a merge has, and more.
        let failed = (kind.name == "merge").then_some("git.FailedMerge");
        let classes: Vec<&str> = [kind.class].into_iter().chain(failed).collect();
        let fields = kind.fields.iter().map(|field| (*field).to_owned()).collect();
        assert_eq!(stubs.names(&classes), fields, "{}", kind.name);
    }
}

#[test]
fn other_tables_are_as_they_are_seen() {
    let (vm, stubs) = (Vm::probe(), Stubs::load());
    for (class, seen) in &vm.seen {
        let fields = stubs.fields(class);
        for name in seen {
            assert!(fields.contains_key(name), "{class} lacks `{name}`");
        }
        for (name, optional) in fields {
            assert!(optional || seen.contains(&name), "{class} has no `{name}`");
        }
    }
    assert_eq!(vm.seen.len(), 9);
}

#[test]
fn everything_that_is_declared_is_described() {
    let stubs = Stubs::load();
    for entry in stubs.manual.entries() {
        let (name, doc) = match entry {
            Entry::Function(function) => (&function.name, &function.doc),
            Entry::Class(class) => (&class.name, &class.doc),
            Entry::Alias(alias) => (&alias.name, &alias.doc),
        };
        assert!(doc.trim_end().ends_with(['.', '`']) || doc.ends_with(':'), "{name}: {doc:?}");
    }
    let is_shown = |function: &&manual::Function| !function.example.is_empty();
    assert!(stubs.manual.functions().filter(is_shown).count() >= 25, "examples are gone");
}

#[test]
fn every_field_is_described_and_optional_options_say_their_default() {
    let stubs = Stubs::load();
    for class in stubs.manual.classes() {
        let is_options = OPTIONS.iter().any(|(options, _)| *options == class.name);
        for field in &class.fields {
            let (name, doc) = (format!("{}: {}", class.name, field.name), &field.doc);
            assert!(!doc.is_empty(), "{name} is not described");
            if is_options {
                assert_eq!(field.optional, doc.contains("(default: "), "{name}: {doc}");
            }
        }
    }
}
