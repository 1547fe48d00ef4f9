//! How hard the model thinks: `effort`.

use crate::error::Result;
use crate::host::Host;
use crate::model::{Effort, Model};
use crate::vm::Options;

/// Reads the effort of an agent that asks `model`, and says so once when that model cannot be told.
pub(super) fn effort(
    options: &mut Options,
    host: &Host,
    model: &dyn Model,
) -> Result<Option<Effort>> {
    let Some(word) = options.text("effort")? else { return Ok(None) };
    let Some(effort) = Effort::parse(&word) else {
        let words = Effort::WORDS.map(|word| format!("`{word}`")).join(", ");
        return Err(options.bad("effort", format_args!("must be one of {words}, not `{word}`")));
    };
    // A model written in Lua stands in for any.
    if model.wire() != crate::api::model::WIRE && !model.capabilities().effort {
        host.warn_once(&format!(
            "`{}` cannot be told how hard to think; `effort` is left out",
            model.name()
        ));
    }
    Ok(Some(effort))
}
