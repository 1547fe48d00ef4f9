//! The Lua state: made once, with the prelude, the count hook and a memory limit.
//!
//! The standard library is whole, save for what cannot work here: C modules (the interpreter is
//! linked statically) and the parts of `debug` that would unhinge the bridge.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use mlua::prelude::*;
use mlua::{HookTriggers, LuaOptions, StdLib, VmState};

use super::callback::Callbacks;
use super::error::Uncaught;
use super::task::Task;
use super::{bridge, error, slice};
use crate::error::{Error, Kind, Result};
use crate::suggest::nearest;

/// The most memory that Lua values of a run may take.
const MEMORY_LIMIT: usize = 1 << 30;
/// How often the hook looks whether a loop has to stop.
const HOOK_EVERY: u32 = 10_000;
/// How often a task looks whether a module that another one loads is there.
const REST: Duration = Duration::from_millis(5);
/// mlua keeps this many finished coroutines for the next calls.
const COROUTINE_POOL: usize = 256;

const PRELUDE: &str = include_str!("../../lua/prelude.lua");
const INSPECT: &str = include_str!("../../lua/inspect.lua");
/// Frames of ours carry this name and are left out of tracebacks.
pub(super) const OURS: &str = "=[agentlua]";

/// Takes what a script prints.
pub type Write = Rc<dyn Fn(&[u8])>;

/// Is told when a script begins to read standard input, and when it has.
pub type Reading = Rc<dyn Fn(bool)>;

/// What a runtime is made with.
pub struct Setup {
    /// Takes what the script prints.
    pub write: Write,
    /// Takes what the script writes to standard error.
    pub complain: Write,
    /// Nothing where nobody wants to know.
    pub reading: Option<Reading>,
    /// Where `require` looks first.
    pub script_dir: PathBuf,
    /// Returns the fields that a kind of result may have.
    pub result_fields: fn(&str) -> &'static [&'static str],
}

/// The Lua state and what runs on it.
pub struct Runtime {
    lua: Lua,
    main: LuaFunction,
    kit: LuaTable,
    inspect: LuaFunction,
    callbacks: Rc<Callbacks>,
    root: Rc<Task>,
    exit: Rc<Cell<Option<i32>>>,
}

impl Runtime {
    /// Makes the state. `root` is the task that everything else descends from. Must be called
    /// inside the Lua thread's `LocalSet`.
    ///
    /// # Errors
    /// Internal: a fault of ours, or no memory.
    pub fn new(setup: &Setup, root: Rc<Task>) -> Result<Self> {
        Self::build(setup, root)
            .map_err(|fault| Error::internal(format!("cannot start Lua: {fault}")))
    }

    fn build(setup: &Setup, root: Rc<Task>) -> LuaResult<Self> {
        let options = LuaOptions::new().catch_rust_panics(true).thread_pool_size(COROUTINE_POOL);
        #[expect(
            unsafe_code,
            reason = "`debug` is needed for positions; the prelude takes away it and C modules \
                      before a script runs"
        )]
        let lua = unsafe { Lua::unsafe_new_with(StdLib::ALL, options) };
        lua.set_memory_limit(MEMORY_LIMIT)?;
        install_hook(&lua)?;
        set_package_path(&lua, &setup.script_dir)?;
        let exit = Rc::new(Cell::new(None));
        let raw = raw(&lua, setup, &root, &exit)?;
        let kit: LuaTable = lua.load(PRELUDE).set_name(OURS).call(raw)?;
        let main: LuaFunction = kit.get("main")?;
        error::install(&lua, &kit.get("Error")?, &kit.get("result")?)?;
        bridge::install(&lua, kit.get("define")?)?;
        let inspect: LuaFunction = lua.load(INSPECT).set_name(OURS).call(())?;
        error::install_inspector(&lua, &inspect)?;
        let callbacks = Callbacks::serve(&lua, &kit, main.clone());
        Ok(Self { lua, main, kit, inspect, callbacks, root, exit })
    }

    /// Returns the state.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Returns the prelude's protected call, which every task starts with.
    pub fn main(&self) -> &LuaFunction {
        &self.main
    }

    /// Returns what the prelude made, for our own Lua.
    pub fn kit(&self) -> &LuaTable {
        &self.kit
    }

    /// Returns the functions that agents may call.
    pub fn callbacks(&self) -> &Rc<Callbacks> {
        &self.callbacks
    }

    /// Returns the root of the task tree.
    pub fn root(&self) -> &Rc<Task> {
        &self.root
    }

    /// Returns the code that the script passed to `os.exit`.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit.get()
    }

    /// Sets `arg` as stock Lua does, and returns what the main chunk finds in `...`.
    ///
    /// # Errors
    /// Internal: no memory.
    pub fn set_arguments<'a>(
        &self,
        script: &str,
        args: impl Iterator<Item = &'a [u8]>,
    ) -> Result<LuaMultiValue> {
        let build = || -> LuaResult<LuaMultiValue> {
            let table = self.lua.create_table()?;
            table.raw_set(0, script)?;
            let mut values = LuaMultiValue::new();
            for (index, arg) in args.enumerate() {
                let text = LuaValue::String(self.lua.create_string(arg)?);
                table.raw_set(index + 1, &text)?;
                values.push_back(text);
            }
            self.lua.globals().raw_set("arg", table)?;
            Ok(values)
        };
        build().map_err(|fault| Error::internal(fault.to_string()))
    }

    /// Makes `name` a protected global and a module of `require`.
    pub fn publish(&self, name: &str, value: impl IntoLua) -> LuaResult<()> {
        self.kit.get::<LuaFunction>("publish")?.call((name, value))
    }

    /// Loads a file of our own `lua/` folder and calls it with `args`.
    pub fn load_own<T: FromLuaMulti>(&self, source: &str, args: impl IntoLuaMulti) -> LuaResult<T> {
        self.lua.load(source).set_name(OURS).call(args)
    }

    /// Returns the function that shows values as text.
    pub fn inspector(&self) -> &LuaFunction {
        &self.inspect
    }

    /// Runs `function` as `task`, to its end and that of everything it started.
    ///
    /// # Errors
    /// What nobody caught.
    pub async fn run(
        &self,
        task: &Rc<Task>,
        function: LuaFunction,
        args: LuaMultiValue,
    ) -> Result<LuaMultiValue, Box<Uncaught>> {
        task.start(&self.lua, &self.main, function, args);
        task.join().await.map_err(|raised| Box::new(Uncaught::new(&self.lua, task, &raised)))
    }
}

fn install_hook(lua: &Lua) -> LuaResult<()> {
    let triggers = HookTriggers::new().every_nth_instruction(HOOK_EVERY);
    lua.set_global_hook(triggers, |_, _| {
        if Task::current().is_ok_and(|task| task.must_stop()) {
            // The prelude replaces it by the task's own reason.
            return Err(LuaError::runtime("cancelled"));
        }
        if slice::used_up() {
            slice::preempt();
            return Ok(VmState::Yield);
        }
        Ok(VmState::Continue)
    })
}

/// Modules beside the script, those that `LuaRocks` installed there, for the user, for the machine.
/// The working directory is not among them: agents write there.
fn set_package_path(lua: &Lua, script_dir: &Path) -> LuaResult<()> {
    // Positions show what people would type: `lib/x.lua`, not `./lib/x.lua`.
    let here = match script_dir.display().to_string() {
        dir if dir == "." => String::new(),
        dir => format!("{dir}/"),
    };
    let home = std::env::var("HOME").unwrap_or_default();
    let path = [
        format!("{here}?.lua"),
        format!("{here}?/init.lua"),
        format!("{here}lua_modules/share/lua/5.4/?.lua"),
        format!("{here}lua_modules/share/lua/5.4/?/init.lua"),
        format!("{home}/.luarocks/share/lua/5.4/?.lua"),
        format!("{home}/.luarocks/share/lua/5.4/?/init.lua"),
        "/usr/local/share/lua/5.4/?.lua".to_owned(),
        "/usr/local/share/lua/5.4/?/init.lua".to_owned(),
        "/usr/share/lua/5.4/?.lua".to_owned(),
        "/usr/share/lua/5.4/?/init.lua".to_owned(),
    ]
    .join(";");
    lua.globals().get::<LuaTable>("package")?.set("path", path)
}

/// Adds what connects the script with the standard streams.
fn streams(lua: &Lua, setup: &Setup, raw: &LuaTable) -> LuaResult<()> {
    for (name, way) in [("write", &setup.write), ("complain", &setup.complain)] {
        let way = Rc::clone(way);
        let write = move |_: &Lua, text: LuaString| {
            way(&text.as_bytes());
            Ok(())
        };
        raw.set(name, lua.create_function(write)?)?;
    }
    if let Some(reading) = setup.reading.clone() {
        let tell = move |_: &Lua, begins: bool| {
            reading(begins);
            Ok(())
        };
        raw.set("reading", lua.create_function(tell)?)?;
    }
    Ok(())
}

/// What the prelude is given.
fn raw(
    lua: &Lua,
    setup: &Setup,
    root: &Rc<Task>,
    exit: &Rc<Cell<Option<i32>>>,
) -> LuaResult<LuaTable> {
    let raw = lua.create_table()?;
    raw.set("pending", Lua::poll_pending())?;
    raw.set(
        "cancelled",
        lua.create_function(|_, ()| Ok(Task::current().is_ok_and(|task| task.is_cancelled())))?,
    )?;
    raw.set(
        "told",
        lua.create_function(|_, ()| Ok(Task::current().is_ok_and(|task| task.was_told())))?,
    )?;
    raw.set(
        "must_stop",
        lua.create_function(|_, ()| Ok(Task::current().is_ok_and(|task| task.must_stop())))?,
    )?;
    raw.set(
        "is_cancellation",
        lua.create_function(|_, value: LuaValue| {
            Ok(Task::current().is_ok_and(|task| task.was_told_with(&value)))
        })?,
    )?;
    raw.set(
        "is_fault",
        lua.create_function(|_, value: LuaValue| Ok(matches!(value, LuaValue::Error(_))))?,
    )?;
    raw.set(
        "own",
        lua.create_function(|lua, value: LuaValue| match value {
            LuaValue::Error(fault) => Ok(error::from_fault(lua, &fault)),
            own => Ok(own),
        })?,
    )?;
    raw.set(
        "cancel_error",
        lua.create_function(|lua, ()| match Task::current() {
            Ok(task) => task.tell(lua),
            Err(error) => error::to_lua(lua, &error),
        })?,
    )?;
    raw.set(
        "yield",
        lua.create_async_function(|_, ()| async {
            tokio::task::yield_now().await;
            Ok(())
        })?,
    )?;
    raw.set(
        "rest",
        lua.create_async_function(|_, ()| async {
            tokio::time::sleep(REST).await;
            Ok(())
        })?,
    )?;
    raw.set(
        "within",
        lua.create_function(|_, id: u64| Ok(Task::current().is_ok_and(|task| task.is_within(id))))?,
    )?;
    raw.set(
        "note",
        lua.create_function(|_, told| {
            note(told);
            Ok(())
        })?,
    )?;
    raw.set(
        "task_id",
        lua.create_function(|_, ()| Ok(Task::current().map_or(0, |task| task.id())))?,
    )?;
    streams(lua, setup, &raw)?;
    let (stopper, exit) = (root.stopper().clone(), Rc::clone(exit));
    raw.set(
        "exit",
        lua.create_function(move |_, code: i32| {
            if exit.get().is_none() {
                exit.set(Some(code));
            }
            stopper.stop(Error::new(Kind::Cancelled, "the script called `os.exit`"));
            Ok(())
        })?,
    )?;
    raw.set(
        "nearest",
        lua.create_function(|_, (word, names): (String, Vec<String>)| {
            Ok(nearest(&word, names.iter().map(String::as_str)).map(ToOwned::to_owned))
        })?,
    )?;
    let fields = setup.result_fields;
    raw.set(
        "result_fields",
        lua.create_function(move |_, kind: String| Ok(fields(&kind).to_vec()))?,
    )?;
    Ok(raw)
}

/// Notes where an error was raised, and in which text, if that was loaded from a string.
fn note((value, traceback, text): (LuaValue, LuaString, Option<LuaString>)) {
    if let Ok(task) = Task::current() {
        task.note(&value, traceback.to_string_lossy(), text);
    }
}
