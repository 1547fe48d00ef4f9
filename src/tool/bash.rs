//! Bash: a command in the workspace.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Context, Tool, ToolError, ToolOutput, input};
use crate::process::{Captured, Ended, Finished, Invocation, Limits, What};

/// The time limit unless told, and the longest one, in milliseconds.
const TIMEOUT: u64 = 120_000;
const TIMEOUT_MAX: u64 = 600_000;
/// How many bytes of output are shown, half from its start and half from its end.
const SHOWN: usize = 30_000;
/// How many bytes of longer output are kept in a file.
const SPILL_MAX: u64 = 64 * 1024 * 1024;

/// The tool Bash.
pub struct Bash;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    command: String,
    timeout: Option<u64>,
    #[serde(rename = "description")]
    _description: Option<String>,
    run_in_background: Option<bool>,
}

impl Tool for Bash {
    fn name(&self) -> &'static str {
        "Bash"
    }

    fn description(&self) -> &'static str {
        "Runs a command with bash in the root of the workspace and answers its output (stdout and \
         stderr, 30,000 characters; the rest goes to a file that is named). Each call is a new \
         process: `cd` and variables do not last, and what it leaves running is ended. There is no \
         standard input. Prefer Read, Grep and Glob for looking at files."
    }

    fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "command": { "type": "string" },
                "timeout": {
                    "type": "integer", "minimum": 1, "maximum": TIMEOUT_MAX,
                    "description": "milliseconds, default 120000",
                },
                "description": { "type": "string", "description": "what it does, in a few words" },
            },
            "required": ["command"],
            "additionalProperties": false,
        })
    }

    fn read_only(&self) -> bool {
        false
    }

    fn summary(&self, input: &Value) -> String {
        input::text(input, "command")
    }

    fn call<'a>(&'a self, input: Value, context: &'a Context) -> BoxFuture<'a, ToolOutput> {
        Box::pin(async move {
            let input: Input = input::parse(self.name(), input)?;
            if input.run_in_background == Some(true) {
                return Err(ToolError::reply(
                    "run_in_background is not offered: what a command leaves running is ended with it",
                ));
            }
            let timeout = input.timeout.unwrap_or(TIMEOUT);
            if !(1..=TIMEOUT_MAX).contains(&timeout) {
                return Err(ToolError::reply(format!(
                    "timeout is in milliseconds, from 1 to {TIMEOUT_MAX}"
                )));
            }
            if input.command.contains('\0') {
                return Err(ToolError::reply("the command contains a NUL byte"));
            }
            let invocation = Invocation {
                what: What::Shell(input.command),
                cwd: context.workspace.root().to_owned(),
                env: context.env.clone(),
                stdin: Vec::new(),
                merge_stderr: true,
            };
            let limits = Limits {
                timeout: Duration::from_millis(timeout),
                head: SHOWN / 2,
                tail: SHOWN / 2,
                spill: Some(context.spill_dir.join(spill_name())),
                spill_max: SPILL_MAX,
            };
            let finished = context.processes.run(invocation, limits, &context.cancel).await;
            answer(&finished.map_err(|error| ToolError::reply(error.to_string()))?)
        })
    }
}

/// Returns a file name that no other call has.
fn spill_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("bash-{}.txt", now.as_nanos())
}

fn answer(finished: &Finished) -> ToolOutput {
    let output = shown(&finished.stdout);
    let seconds = finished.duration.as_secs_f32();
    let ending = match (finished.ended, finished.code, finished.signal) {
        (Ended::Exited, Some(0), _) => return Ok(output.into()),
        (Ended::Exited, Some(code), _) => format!("exit code {code}"),
        (Ended::Exited, None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
        (Ended::TimedOut, ..) => format!("timed out: ended after {seconds:.1} s"),
        (Ended::Cancelled, ..) => format!("cancelled: ended after {seconds:.1} s"),
    };
    Err(ToolError::Reply(format!("{ending}\n{output}")))
}

fn shown(output: &Captured) -> String {
    if output.total == 0 {
        return "[no output]".to_owned();
    }
    let mut text = output.text();
    if let Some(spill) = &output.spill {
        let path = |path: &Path| path.display().to_string();
        let (file, total) = (path(&spill.path), output.total);
        // Writing to a string cannot fail.
        let _ = match &spill.failure {
            Some(why) => write!(text, "\n[the output of {total} bytes could not be kept: {why}]"),
            None if spill.bytes < total => {
                write!(text, "\n[the first {} of {total} bytes are in {file}]", spill.bytes)
            }
            None => write!(text, "\n[all {total} bytes are in {file}: use Bash to look at parts]"),
        };
    }
    text
}
