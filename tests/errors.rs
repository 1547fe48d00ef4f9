//! Errors as people, programs and scripts read them, through the binary: the message, the place with
//! its caret, the way, the hint.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/home.rs"]
mod home;

#[path = "errors/agents.rs"]
mod agents;
#[path = "errors/fan_outs.rs"]
mod fan_outs;
#[path = "errors/forms.rs"]
mod forms;
#[path = "errors/host.rs"]
mod host;
#[path = "errors/options.rs"]
mod options;
#[path = "errors/providers.rs"]
mod providers;
#[path = "errors/run_time.rs"]
mod run_time;
#[path = "errors/stage.rs"]
mod stage;
#[path = "errors/syntax.rs"]
mod syntax;
#[path = "errors/typed.rs"]
mod typed;
#[path = "errors/work.rs"]
mod work;
