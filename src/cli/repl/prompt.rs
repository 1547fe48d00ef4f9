//! The line that somebody types: when it is whole, what Tab offers, what was typed before, and the
//! commands that Lua never sees.
//!
//! Reading blocks, so all of this is on a thread of its own. What only Lua knows it asks Lua's thread,
//! and goes without an answer when that one is busy.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::time::Duration;

use rustyline::completion::{Completer, Pair};
use rustyline::config::{BellStyle, ColorMode, CompletionType};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter, MatchingBracketHighlighter};
use rustyline::hint::Hinter;
use rustyline::history::{History as _, MemHistory};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Behavior, Config, Context, Editor, Helper};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::command::{self, Command};
use super::complete::{self, Live};
use super::help::Help;
use super::history::History;
use super::piped;
use crate::api::peek::Seen;
use crate::cli::printer::Printer;
use crate::cli::terminal::{self, Styles, stdout_styles};
use crate::cli::{agents, diagnostic};
use crate::error::{Kind, Result};
use crate::host::Host;
use crate::journal;
use crate::manual::Manual;
use crate::vm::chunk;

const PROMPT: &str = "lua> ";
const BANNER: &str = concat!(
    "agentlua ",
    env!("CARGO_PKG_VERSION"),
    ", Lua 5.4: `:help` tells more, Tab completes, Ctrl-D leaves\n"
);
/// How long Tab waits for Lua, git or the journal.
const PATIENCE: Duration = Duration::from_millis(200);
/// More are not offered.
const MOST: usize = 500;

/// What the reading thread sends.
pub(super) enum Request {
    /// A line to evaluate; the other end waits to hear whether it succeeded.
    Line(String, blocking::Sender<bool>),
    /// What does this path lead to?
    Look(Vec<String>, blocking::SyncSender<Option<Seen>>),
    /// The end of the input, and whether a line failed that nobody typed.
    End { failed: bool },
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Done,
    Failed,
    /// There is no other after it.
    Last,
}

/// What the reading thread works with.
pub(super) struct Reader {
    /// Leads to Lua.
    pub requests: mpsc::Sender<Request>,
    /// Takes what is said.
    pub printer: Printer,
    /// Where what was typed is kept.
    pub history: Option<PathBuf>,
    /// Whether somebody types now.
    pub typing: Arc<AtomicBool>,
    /// The services.
    pub host: Arc<Host>,
    /// The runtime of git and the journal.
    pub workers: Handle,
}

impl Reader {
    /// Reads lines to the end of the input.
    pub fn read(self) {
        if !std::io::stdin().is_terminal() {
            return self.read_piped();
        }
        let stdout = std::io::stdout().is_terminal();
        let mut history = History::open(self.history.clone());
        let config = config(!stdout);
        let kept = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, kept).ok();
        let manual = Rc::new(Manual::load());
        let Some(editor) = &mut editor else { return self.end(false) };
        editor.set_helper(Some(Prompt {
            syntax: chunk::Syntax::new(),
            manual: Rc::clone(&manual),
            live: self.lookup(),
            brackets: MatchingBracketHighlighter::new(),
            is_plain: stdout_styles().reset.is_empty(),
            is_empty: Cell::new(true),
        }));
        remember(editor, &history);
        // Without a terminal there is no line to print above, and text goes out as it is.
        if stdout && let Ok(above) = editor.create_external_printer() {
            self.printer.print_above(above);
        }
        self.printer.say(BANNER);
        self.printer.flush();
        let mut interrupts = 0;
        loop {
            self.typing.store(true, Ordering::Relaxed);
            let read = editor.readline(PROMPT);
            self.typing.store(false, Ordering::Relaxed);
            match read {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => {
                    interrupts = 0;
                    if history.add(&line).is_ok() {
                        remember(editor, &history);
                    }
                    if self.take(line, &manual) == Taken::Last {
                        return self.end(false);
                    }
                }
                Err(ReadlineError::Interrupted) => {
                    let is_empty = editor.helper().is_some_and(|prompt| prompt.is_empty.get());
                    interrupts = if is_empty { interrupts + 1 } else { 0 };
                    if interrupts > 1 {
                        self.printer.say("`:quit` or Ctrl-D leaves\n");
                    }
                }
                Err(_) => return self.end(false),
            }
        }
    }

    /// Takes what a pipe or a file holds. A failure is told, and the lines after it are taken all the same.
    fn read_piped(&self) {
        let (manual, syntax) = (Manual::load(), chunk::Syntax::new());
        let mut input = piped::input();
        let mut failed = false;
        loop {
            match piped::chunk(&mut input, |text| is_whole(&syntax, text)) {
                Ok(None) => break,
                Ok(Some(text)) if text.trim().is_empty() => {}
                Ok(Some(text)) => match self.take(text, &manual) {
                    Taken::Done => {}
                    Taken::Failed => failed = true,
                    Taken::Last => break,
                },
                Err(error) => {
                    failed = true;
                    self.printer.say(&diagnostic::text(&error));
                    self.printer.flush();
                    if error.kind == Kind::Io {
                        break;
                    }
                }
            }
        }
        self.end(failed);
    }

    fn end(&self, failed: bool) {
        let _ = self.requests.blocking_send(Request::End { failed });
    }

    fn lookup(&self) -> Lookup {
        Lookup {
            requests: self.requests.clone(),
            host: Arc::clone(&self.host),
            workers: self.workers.clone(),
        }
    }

    /// Does what a line says.
    fn take(&self, line: String, manual: &Manual) -> Taken {
        let shown = match command::parse(&line) {
            None => return self.evaluate(line),
            Some(Ok(Command::Quit)) => return Taken::Last,
            Some(Ok(Command::Help(name))) => self.help(manual, name.as_deref()),
            Some(Ok(Command::Agents { all, wide })) => self.agents(all, wide),
            Some(Err(error)) => Err(error),
        };
        let taken = match shown {
            Ok(text) => {
                self.printer.print(&text);
                Taken::Done
            }
            Err(error) => {
                self.printer.say(&diagnostic::text(&error));
                Taken::Failed
            }
        };
        self.printer.flush();
        taken
    }

    fn evaluate(&self, line: String) -> Taken {
        // What people type in other places; Lua would say nil.
        let word = line.trim().to_owned();
        if matches!(word.as_str(), "help" | "quit" | "exit")
            && self.lookup().seen(std::slice::from_ref(&word)).is_none()
        {
            let command = if word == "help" { ":help" } else { ":quit" };
            self.printer.say(&format!("commands start with a colon: `{command}`\n"));
            self.printer.flush();
            return Taken::Failed;
        }
        let (done, wait) = blocking::channel();
        match self.requests.blocking_send(Request::Line(line, done)).map(|()| wait.recv()) {
            Ok(Ok(true)) => Taken::Done,
            Ok(Ok(false)) => Taken::Failed,
            // The session has ended meanwhile.
            Ok(Err(_)) | Err(_) => Taken::Last,
        }
    }

    fn help(&self, manual: &Manual, name: Option<&str>) -> Result<String> {
        let columns = terminal::size().map_or(80, |(columns, _)| columns);
        Help { manual, live: &self.lookup(), style: stdout_styles(), columns }.page(name)
    }

    fn agents(&self, all: bool, wide: bool) -> Result<String> {
        let rows = self.workers.block_on(self.host.agents(all))?;
        Ok(agents::table(&rows, wide, journal::now()))
    }
}

fn config(is_on_terminal: bool) -> Config {
    let Styles { reset, .. } = stdout_styles();
    // With standard output elsewhere, the prompt still belongs on the terminal.
    let behavior = if is_on_terminal { Behavior::PreferTerm } else { Behavior::Stdio };
    Config::builder()
        .behavior(behavior)
        .bell_style(BellStyle::None)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .color_mode(if reset.is_empty() { ColorMode::Disabled } else { ColorMode::Enabled })
        .build()
}

/// Puts what was typed where the arrows find it.
fn remember(editor: &mut Editor<Prompt, MemHistory>, history: &History) {
    let _ = editor.clear_history();
    for entry in history.entries() {
        let _ = editor.history_mut().add(entry);
    }
}

/// Asks those who know, and not for long.
struct Lookup {
    requests: mpsc::Sender<Request>,
    host: Arc<Host>,
    workers: Handle,
}

impl Lookup {
    fn ask<T>(&self, question: impl Future<Output = Result<T>>) -> Option<T> {
        let answer = async { tokio::time::timeout(PATIENCE, question).await };
        self.workers.block_on(answer).ok()?.ok()
    }
}

impl Live for Lookup {
    fn seen(&self, path: &[String]) -> Option<Seen> {
        let (answer, wait) = blocking::sync_channel(1);
        self.requests.try_send(Request::Look(path.to_vec(), answer)).ok()?;
        wait.recv_timeout(PATIENCE).ok()?
    }

    fn branches(&self) -> Vec<String> {
        let branches = self.ask(async {
            match self.host.roster().await?.repo {
                Some(repo) => repo.branches().await,
                None => Ok(Vec::new()),
            }
        });
        branches.into_iter().flatten().map(|branch| branch.name).collect()
    }

    fn agents(&self) -> Vec<String> {
        let rows = self.ask(self.host.agents(true));
        rows.into_iter().flatten().map(|row| row.id).collect()
    }
}

/// What rustyline asks while somebody types.
struct Prompt {
    /// Compiles in a small Lua state of its own.
    syntax: chunk::Syntax,
    manual: Rc<Manual>,
    live: Lookup,
    brackets: MatchingBracketHighlighter,
    is_plain: bool,
    /// Whether nothing is typed yet.
    is_empty: Cell<bool>,
}

impl Helper for Prompt {}

impl Highlighter for Prompt {
    fn highlight<'l>(&self, line: &'l str, at: usize) -> Cow<'l, str> {
        if self.is_plain { Cow::Borrowed(line) } else { self.brackets.highlight(line, at) }
    }

    fn highlight_char(&self, line: &str, at: usize, kind: CmdKind) -> bool {
        !self.is_plain && self.brackets.highlight_char(line, at, kind)
    }
}

impl Hinter for Prompt {
    type Hint = String;

    /// Hints at nothing; it is told of every change of the line.
    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        self.is_empty.set(line.is_empty());
        None
    }
}

impl Completer for Prompt {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (text, after) = line.split_at(at);
        let (start, mut pairs) = complete::complete(&self.manual, &self.live, text, after);
        pairs.truncate(MOST);
        Ok((start, pairs))
    }
}

impl Validator for Prompt {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_whole = is_whole(&self.syntax, context.input());
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Reports whether nothing has to follow.
fn is_whole(syntax: &chunk::Syntax, text: &str) -> bool {
    command::parse(text).is_some() || !syntax.is_incomplete(text)
}
