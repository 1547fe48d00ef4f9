//! Who hears of an agent's steps while it works: `on_event`.

use std::rc::Rc;
use std::sync::Arc;

use crate::agent::{Function, Role};
use crate::error::Result;
use crate::vm::{Options, Runtime, Task};

/// Reads the option `on_event`; calls are children of `task`.
pub(super) fn function(
    runtime: &Rc<Runtime>,
    task: &Rc<Task>,
    options: &mut Options,
) -> Result<Option<Arc<dyn Function>>> {
    let function = options.callable("on_event")?;
    let register =
        |function| runtime.callbacks().register(function, Rc::clone(task), Role::Listener);
    Ok(function.map(|function| Arc::new(register(function)) as Arc<dyn Function>))
}
