//! `agent.once`, `agent.now` and `agent.random`: results of the script itself that a resumed run has again.
//!
//! What they return has crossed JSON in the first life too, so that it is the same in every one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use mlua::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::crash;
use crate::error::{Error, Kind, Result, ResultExt};
use crate::host::Host;
use crate::host::steps::Place;
use crate::vm::bridge::Returned;
use crate::vm::{Args, Module, Raised, Runtime, Task, value};

/// The functions that run for an id, and who waits for one of them.
#[derive(Default)]
struct Onces {
    running: RefCell<HashMap<String, Running>>,
    waiting: RefCell<Vec<(Rc<Task>, String)>>,
}

#[derive(Clone)]
struct Running {
    task: Rc<Task>,
    done: CancellationToken,
}

/// Adds the functions to the module.
pub fn install<'lua>(
    module: Module<'lua>,
    runtime: &Rc<Runtime>,
    host: &Arc<Host>,
) -> LuaResult<Module<'lua>> {
    let onces = Rc::new(Onces::default());
    let module = {
        let (runtime, host) = (Rc::clone(runtime), Arc::clone(host));
        module.joining("once", move |lua, task, args| {
            let (runtime, host, onces) =
                (Rc::clone(&runtime), Arc::clone(&host), Rc::clone(&onces));
            async move {
                if task.must_stop() {
                    return Err(Raised::Value(task.tell(&lua)?));
                }
                once(&runtime, &host, &onces, &task, args).await
            }
        })?
    };
    let module = {
        let host = Arc::clone(host);
        module.waiting("now", move |lua, _| {
            let host = Arc::clone(&host);
            async move {
                number(&lua, &host, "now", &Value::Null, || {
                    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                    json!(since.unwrap_or_default().as_secs_f64())
                })
                .await
            }
        })?
    };
    let host = Arc::clone(host);
    module.waiting("random", move |lua, mut args| {
        let host = Arc::clone(&host);
        async move {
            let wanted = Interval::read(&mut args)?;
            number(&lua, &host, "random", &json!(wanted.bounds()), || wanted.draw()).await
        }
    })
}

/// Returns a number that is the same whenever this call of the run is made.
async fn number(
    lua: &Lua,
    host: &Host,
    kind: &'static str,
    question: &Value,
    draw: impl FnOnce() -> Value,
) -> Returned<LuaValue> {
    let place = Place::at(Task::current()?.next_path(kind), kind, question);
    if let Some(known) = host.known_step(&place).await? {
        host.note_draw(&place, &known.value);
        return Ok(value::to_lua(lua, &known.value)?);
    }
    let drawn = host.played_draw(&place).unwrap_or_else(draw);
    host.note_draw(&place, &drawn);
    host.keep_step(&place, &drawn).await?;
    Ok(value::to_lua(lua, &read_back(&drawn)?)?)
}

/// Runs a function once in a run, and returns what it returned.
async fn once(
    runtime: &Runtime,
    host: &Host,
    onces: &Rc<Onces>,
    task: &Rc<Task>,
    mut args: Args,
) -> Returned<LuaMultiValue> {
    let lua = runtime.lua();
    let id = args.string("id")?;
    if id.trim().is_empty() {
        return Err(Error::usage("`agent.once`: argument 1 (`id`) is empty").into());
    }
    let function = args.callable("fn")?;
    let place = Place::named(&id, "once", &Value::Null);
    loop {
        if let Some(known) = host.known_step(&place).await? {
            return restored(lua, &known.value);
        }
        let Some(running) = onces.running.borrow().get(&id).cloned() else { break };
        if onces.waits_for(&running.task, task) {
            let why = format!("`agent.once`: `{id}` would wait for itself");
            return Err(Error::usage(why)
                .hint(
                    "its function calls `agent.once` with the same id, or waits for one that does",
                )
                .into());
        }
        let _waiting = onces.wait(task, &id);
        tokio::select! {
            biased;
            () = task.stopped() => return Err(Raised::Value(task.tell(lua)?)),
            () = running.done.cancelled() => {}
        }
    }
    // Beneath the id and not the caller: whoever of several comes first, what it asks is at one place.
    let child = task.child(format!("/once[{id}]"));
    child.excuse();
    let _running = onces.run(&id, &child);
    child.start(lua, runtime.main(), function, LuaMultiValue::new());
    let returned = match child.join().await {
        Ok(returned) => returned,
        Err(_) if child.was_told() && task.must_stop() => {
            return Err(Raised::Value(task.tell(lua)?));
        }
        Err(raised) => {
            task.inherit_trail(&child, &raised, None);
            return Err(Raised::Value(raised));
        }
    };
    let path = format!("`agent.once`: what `{id}` returned");
    let values: Result<Vec<Value>> =
        returned.iter().map(|value| value::to_json(lua, value, &path)).collect();
    let values = Value::Array(values?);
    crash::point("step.once_ran");
    host.keep_step(&place, &values).await?;
    crash::point("step.once_kept");
    restored(lua, &read_back(&values)?)
}

fn restored(lua: &Lua, values: &Value) -> Returned<LuaMultiValue> {
    let restored = values.as_array().into_iter().flatten().map(|value| match value {
        Value::Null => Ok(LuaValue::Nil),
        value => value::to_lua(lua, value),
    });
    Ok(restored.collect::<LuaResult<_>>()?)
}

/// Returns a value as it will be read in another life.
fn read_back(value: &Value) -> Result<Value> {
    serde_json::from_str(&value.to_string())
        .or_kind(Kind::Internal, || "a result cannot be read back")
}

impl Onces {
    /// Notes who runs the function of an id, until what is returned is dropped.
    fn run(self: &Rc<Self>, id: &str, task: &Rc<Task>) -> impl Drop + use<> {
        let done = CancellationToken::new();
        let running = Running { task: Rc::clone(task), done: done.clone() };
        self.running.borrow_mut().insert(id.to_owned(), running);
        let (onces, id) = (Rc::clone(self), id.to_owned());
        Ending(Some(Box::new(move || {
            onces.running.borrow_mut().remove(&id);
            done.cancel();
        })))
    }

    /// Notes that a task waits for the function of an id, until what is returned is dropped.
    fn wait(self: &Rc<Self>, task: &Rc<Task>, id: &str) -> impl Drop + use<> {
        self.waiting.borrow_mut().push((Rc::clone(task), id.to_owned()));
        let (onces, task, id) = (Rc::clone(self), task.id(), id.to_owned());
        Ending(Some(Box::new(move || {
            let mut waiting = onces.waiting.borrow_mut();
            let at = waiting.iter().position(|(other, of)| other.id() == task && *of == id);
            at.map(|at| waiting.swap_remove(at));
        })))
    }

    /// Tells whether a running function cannot end before `task` does: that is in it, or in one that it
    /// waits for.
    fn waits_for(&self, running: &Rc<Task>, task: &Rc<Task>) -> bool {
        let (mut open, mut seen) = (vec![Rc::clone(running)], Vec::new());
        while let Some(next) = open.pop() {
            if next.contains(task) {
                return true;
            }
            if seen.contains(&next.id()) {
                continue;
            }
            seen.push(next.id());
            let waiting = self.waiting.borrow();
            let within = waiting.iter().filter(|(waiter, _)| next.contains(waiter));
            let running = self.running.borrow();
            open.extend(within.filter_map(|(_, id)| Some(Rc::clone(&running.get(id)?.task))));
        }
        false
    }
}

/// Does something when it is dropped.
struct Ending(Option<Box<dyn FnOnce()>>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// What `agent.random` draws from, as `math.random` does.
enum Interval {
    /// From 0 up to 1.
    Unit,
    /// Any integer.
    All,
    /// The whole numbers from one to another.
    Whole(i64, i64),
}

impl Interval {
    fn read(args: &mut Args) -> Result<Self> {
        let Some(first) = whole(args, "m")? else { return Ok(Self::Unit) };
        let (least, most) = match whole(args, "n")? {
            Some(second) => (first, second),
            None if first == 0 => return Ok(Self::All),
            None => (1, first),
        };
        if least > most {
            let why = format!("`agent.random`: there is no number from {least} to {most}");
            return Err(Error::usage(why));
        }
        Ok(Self::Whole(least, most))
    }

    fn bounds(&self) -> Vec<i64> {
        match self {
            Self::Unit => Vec::new(),
            Self::All => vec![0],
            Self::Whole(least, most) => vec![*least, *most],
        }
    }

    fn draw(&self) -> Value {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
            Self::Unit => json!((bits() >> 11) as f64 / (1u64 << 53) as f64),
            Self::All => json!(bits().cast_signed()),
            Self::Whole(least, most) => {
                let span = most.wrapping_sub(*least).cast_unsigned();
                json!(least.wrapping_add(below_or_at(span).cast_signed()))
            }
        }
    }
}

/// Takes a whole number or nothing.
fn whole(args: &mut Args, name: &str) -> Result<Option<i64>> {
    let value = args.any();
    match &value {
        LuaValue::Nil => Ok(None),
        LuaValue::Integer(integer) => Ok(Some(*integer)),
        #[expect(clippy::cast_possible_truncation, reason = "whole and far below 2^53")]
        LuaValue::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            Ok(Some(*number as i64))
        }
        other => Err(args.wrong(name, "a whole number", other)),
    }
}

/// Returns a number from 0 to `most`, each as likely as another.
fn below_or_at(most: u64) -> u64 {
    let mask = u64::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
    loop {
        let drawn = bits() & mask;
        if drawn <= most {
            return drawn;
        }
    }
}

/// Returns 64 random bits: the standard library keys each hasher anew.
fn bits() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_an_interval_is_drawn_and_no_other() {
        let mut seen = [0u32; 6];
        for _ in 0..6000 {
            let drawn =
                Interval::Whole(-2, 3).draw().as_i64().and_then(|n| usize::try_from(n + 2).ok());
            seen[drawn.unwrap_or(usize::MAX)] += 1;
        }
        // 1000 each, and 6 standard deviations.
        assert!(seen.iter().all(|count| (820..1180).contains(count)), "{seen:?}");
        assert_eq!(Interval::Whole(7, 7).draw(), json!(7));
        assert!(Interval::Whole(i64::MIN, i64::MAX).draw().is_i64());
        let unit = Interval::Unit.draw().as_f64();
        assert!(unit.is_some_and(|unit| (0.0..1.0).contains(&unit)), "{unit:?}");
    }
}
