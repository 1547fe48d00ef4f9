//! What was typed, against what was declared: clap parses and writes the help; what it has against the
//! arguments is said in our words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use clap::builder::{
    OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser,
};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::declared::{Argument, Declared, Type};
use super::listed;
use crate::error::{Error, Result};

const HELP: &str = "--help";

/// What stands before words that are values although they begin with a dash. Nobody can type it.
const MARK: u8 = 0;

/// What was typed.
#[derive(Debug, Default)]
pub(super) struct Typed {
    /// The script, as it was typed; empty where there is none.
    pub script: String,
    /// What follows it.
    pub args: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    /// The help was asked for.
    Help(String),
    /// The arguments that have a value, by the names of their fields.
    Values(Vec<(String, Value)>),
}

/// The value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Vec<u8>),
    Integer(i64),
    Number(f64),
    Flag(bool),
    List(Vec<Value>),
}

/// Parses what was typed.
///
/// # Errors
/// Usage, for what the declaration does not allow.
pub(super) fn parse(declared: &Declared, typed: &Typed) -> Result<Answer> {
    let mut command = command(declared, typed);
    let args = typed.args.iter().map(|arg| OsString::from_vec(marked(arg)));
    let mut matches = match command.try_get_matches_from_mut(args) {
        Ok(matches) => matches,
        Err(fault) if fault.kind() == ErrorKind::DisplayHelp => {
            let text = fault.to_string();
            let lines: Vec<_> = text.trim_end().lines().map(str::trim_end).collect();
            return Ok(Answer::Help(lines.join("\n") + "\n"));
        }
        Err(fault) => return Err(complaint(&fault, declared, typed)),
    };
    let value = |argument: &Argument| Some((argument.name.clone(), taken(&mut matches, argument)?));
    Ok(Answer::Values(declared.arguments.iter().filter_map(value).collect()))
}

impl Typed {
    /// Returns what is typed to run the script.
    fn command(&self) -> String {
        match self.script.as_str() {
            // What standard input is called.
            "stdin" => "agentlua run -".to_owned(),
            script => format!("agentlua run {script}"),
        }
    }

    /// Returns what the script is called in a sentence.
    fn name(&self) -> String {
        if self.script.is_empty() { "the script".to_owned() } else { format!("`{}`", self.script) }
    }
}

fn command(declared: &Declared, typed: &Typed) -> Command {
    let mut command = Command::new(typed.name())
        .bin_name(typed.command())
        .no_binary_name(true)
        .disable_version_flag(true)
        .disable_help_flag(true);
    if let Some(about) = &declared.about {
        command = command.about(about.clone());
    }
    for argument in &declared.arguments {
        command = command.arg(arg(argument));
        if let Some(off) = argument.off() {
            let mirror = Arg::new(off.clone()).long(off).action(ArgAction::SetTrue);
            command = command.arg(mirror.hide(true).overrides_with(argument.name.clone()));
        }
    }
    // With an id that no argument can have.
    let help = Arg::new(HELP).short('h').long("help").action(ArgAction::Help);
    command.arg(help.help("Print help"))
}

fn arg(argument: &Argument) -> Arg {
    let mut arg = Arg::new(argument.name.clone()).required(argument.required);
    if let Some(long) = &argument.long {
        arg = arg.long(long.clone());
    }
    if let Some(short) = argument.short {
        arg = arg.short(short);
    }
    let mut help = argument.help.clone().unwrap_or_default();
    if argument.is_flag() {
        if let Some(off) = argument.off() {
            let space = if help.is_empty() { "" } else { " " };
            help = format!("{help}{space}[default: on; --{off} turns it off]");
            arg = arg.overrides_with(off);
        }
        return arg.action(ArgAction::SetTrue).help(help);
    }
    let metavar = argument.metavar.clone().unwrap_or_else(|| argument.name.to_uppercase());
    arg = arg.value_name(metavar).value_parser(parser(&argument.ty)).help(help);
    arg = arg.action(match (argument.many, argument.is_positional()) {
        (true, _) => ArgAction::Append,
        (false, _) => ArgAction::Set,
    });
    if argument.many && argument.is_positional() {
        arg = arg.num_args(1..);
    }
    // `[default: ]` says nothing.
    let is_shown = argument.default.iter().any(|default| !default.is_empty());
    arg.default_values(&argument.default).hide_default_value(!is_shown)
}

/// Marks a number below zero. No option is a number, so it is always a value; clap knows only some ways
/// to write one, and takes `-.5` and `-1e-3` for options.
fn marked(word: &[u8]) -> Vec<u8> {
    let is_number = matches!(word, [b'-', b'.' | b'0'..=b'9', ..])
        && str::from_utf8(word).is_ok_and(|word| word.parse::<f64>().is_ok());
    let mark = is_number.then_some(MARK);
    mark.into_iter().chain(word.iter().copied()).collect()
}

/// Reads words as they were typed.
#[derive(Clone)]
struct Unmarked<P>(P);

impl<P: TypedValueParser> TypedValueParser for Unmarked<P> {
    type Value = P::Value;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        word: &OsStr,
    ) -> std::result::Result<P::Value, clap::Error> {
        let word = word.as_bytes();
        let typed = word.strip_prefix(&[MARK]).unwrap_or(word);
        self.0.parse_ref(command, arg, OsStr::from_bytes(typed))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        self.0.possible_values()
    }
}

fn parser(ty: &Type) -> ValueParser {
    match ty.clone() {
        Type::Words(words) => {
            let words = PossibleValuesParser::new(words);
            Unmarked(words.map(|word| Value::Text(word.into_bytes()))).into()
        }
        ty => Unmarked(OsStringValueParser::new().try_map(move |text| read(&ty, &text))).into(),
    }
}

/// Reads a value, or says what its argument takes.
fn read(ty: &Type, text: &OsStr) -> std::result::Result<Value, String> {
    let shown = text.to_string_lossy();
    let no = || format!("takes {}, not `{shown}`", ty.described());
    let known = Path::new(text);
    match ty {
        Type::Integer => shown.parse().map(Value::Integer).map_err(|_| no()),
        Type::Number => match shown.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Number(number)),
            _ => Err(no()),
        },
        Type::File if known.is_dir() => Err(format!("takes a file, and `{shown}` is a directory")),
        Type::Directory if known.exists() && !known.is_dir() => {
            Err(format!("takes a directory, and `{shown}` is a file"))
        }
        Type::File | Type::Directory if !known.exists() => {
            let what = if *ty == Type::File { "file" } else { "directory" };
            Err(format!("takes a {what}, and there is no `{shown}`"))
        }
        _ => Ok(Value::Text(text.as_bytes().to_vec())),
    }
}

fn taken(matches: &mut ArgMatches, argument: &Argument) -> Option<Value> {
    let name = argument.name.as_str();
    if argument.is_flag() {
        return Some(Value::Flag(match argument.off() {
            Some(off) => !matches.get_flag(&off),
            None => matches.get_flag(name),
        }));
    }
    let mut values = matches.remove_many::<Value>(name).into_iter().flatten();
    if argument.many { Some(Value::List(values.collect())) } else { values.next() }
}

/// Says in our words what clap has against what was typed.
fn complaint(fault: &clap::Error, declared: &Declared, typed: &Typed) -> Error {
    let texts = |kind| match fault.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    };
    let text = |kind| texts(kind).into_iter().next().unwrap_or_default();
    // Options come with what they take, places in brackets.
    let bare = |shown: &String| {
        let first = shown.split(' ').next().unwrap_or_default();
        first.trim_matches(['<', '>', '[', ']', '.']).to_owned()
    };
    let (script, value) = (typed.name(), text(ContextKind::InvalidValue));
    let argument = bare(&text(ContextKind::InvalidArg));
    let choices = texts(ContextKind::ValidValue);
    let message = match fault.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            format!("{script} has no option `{argument}`")
        }
        ErrorKind::UnknownArgument => {
            let has_places = declared.arguments.iter().any(Argument::is_positional);
            let some = match (has_places, declared.arguments.is_empty()) {
                (true, _) => "no more arguments",
                (false, true) => "no arguments",
                (false, false) => "no arguments but options",
            };
            let typed = text(ContextKind::InvalidArg);
            let typed = typed.trim_start_matches(char::from(MARK));
            format!("{script} takes {some}: `{typed}` is too many")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            match choices.as_slice() {
                [] => format!("`{argument}` needs a value"),
                words => format!("`{argument}` needs a value: {}", listed(words, "or")),
            }
        }
        ErrorKind::InvalidValue => {
            format!("`{argument}` takes {}, not `{value}`", listed(&choices, "or"))
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(fault).map(ToString::to_string);
            format!("`{argument}` {}", why.unwrap_or_else(|| format!("cannot be `{value}`")))
        }
        ErrorKind::TooManyValues => format!("`{argument}` takes no value, and `{value}` is one"),
        ErrorKind::ArgumentConflict => format!("`{argument}` is given twice"),
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<_> = texts(ContextKind::InvalidArg).iter().map(bare).collect();
            format!("{script} needs {}", listed(&missing, "and"))
        }
        _ => {
            let whole = fault.to_string();
            let first = whole.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    };
    let near =
        texts(ContextKind::SuggestedArg).into_iter().chain(texts(ContextKind::SuggestedValue));
    let hint = match near.map(|near| bare(&near)).next() {
        Some(near) => format!("did you mean `{near}`?"),
        None if typed.script.is_empty() => return Error::usage(message),
        None => format!("{} --help", typed.command()),
    };
    Error::usage(message).hint(hint)
}
