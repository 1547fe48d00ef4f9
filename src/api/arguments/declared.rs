//! What a script declares: read strictly, and so that the parser below finds nothing against it.

use mlua::prelude::*;

use super::{listed, wrong};
use crate::error::Result;
use crate::suggest::nearest;
use crate::vm::args::type_of;
use crate::vm::{Options, Shape};

/// The names that stand beside the arguments.
pub const DECLARATION: Shape = Shape { function: "agent.args", known: &["about"], instead: &[] };

/// The names that an argument may have.
pub const ARGUMENT: Shape = Shape {
    function: "agent.args: argument",
    known: &["default", "required", "many", "help", "metavar"],
    instead: &[("choices", WORDS), ("values", WORDS), ("enum", WORDS), ("type", TYPE)],
};

/// What other argument parsers have names for is a type here.
const WORDS: &str = "the words that it takes are its type: `{ \"--kind\", { \"a\", \"b\" } }`";
const TYPE: &str = "the type stands after the name: `{ \"--limit\", \"integer\" }`";

/// The words for types.
pub const TYPES: [&str; 6] = ["string", "integer", "number", "boolean", "file", "directory"];

/// What a script says of its arguments.
#[derive(Debug)]
pub(super) struct Declared {
    /// What the script does.
    pub about: Option<String>,
    /// In their order.
    pub arguments: Vec<Argument>,
}

/// An argument.
#[derive(Debug)]
pub(super) struct Argument {
    /// The name of its field.
    pub name: String,
    /// How it is typed; both are nothing for one that goes by its place.
    pub long: Option<String>,
    pub short: Option<char>,
    pub ty: Type,
    pub many: bool,
    pub required: bool,
    pub help: Option<String>,
    pub metavar: Option<String>,
    /// As it would be typed; of a flag, `true`.
    pub default: Vec<String>,
}

/// What an argument takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Integer,
    Number,
    Boolean,
    File,
    Directory,
    /// One of these.
    Words(Vec<String>),
}

impl Declared {
    /// Reads the table that a script gives.
    ///
    /// # Errors
    /// Usage, for what cannot be declared.
    pub fn read(lua: &Lua, table: &LuaTable) -> Result<Self> {
        let (list, named) = halves(lua, table)?;
        let about = Options::read(lua, &named, &DECLARATION)?.text("about")?;
        let mut arguments: Vec<Argument> = Vec::new();
        for (index, entry) in list.into_iter().enumerate() {
            let LuaValue::Table(entry) = &entry else {
                let why = format!("argument {} is a {}", index + 1, type_of(&entry));
                return Err(
                    wrong(why).hint("an argument is a table: `{ \"--limit\", \"integer\" }`")
                );
            };
            let argument = Argument::read(lua, entry, index + 1)?;
            argument.require_place_after(&arguments)?;
            arguments.push(argument);
        }
        Ok(Self { about, arguments })
    }
}

/// Splits a table into its list and what has names.
fn halves(lua: &Lua, table: &LuaTable) -> Result<(Vec<LuaValue>, LuaTable)> {
    let split = || -> LuaResult<_> {
        let list: Vec<LuaValue> = table.sequence_values().collect::<LuaResult<_>>()?;
        let named = lua.create_table()?;
        for pair in table.pairs::<LuaValue, LuaValue>() {
            let (key, value) = pair?;
            let place = key.as_i64().and_then(|key| usize::try_from(key).ok());
            let is_listed = place.is_some_and(|place| (1..=list.len()).contains(&place));
            if !is_listed {
                named.raw_set(key, value)?;
            }
        }
        Ok((list, named))
    };
    split().map_err(|fault| crate::error::Error::internal(fault.to_string()))
}

impl Argument {
    fn read(lua: &Lua, table: &LuaTable, number: usize) -> Result<Self> {
        let (list, options) = halves(lua, table)?;
        let (names, ty) = Self::head(lua, list, number)?;
        let shown = names.last().cloned().unwrap_or_default();
        let mut argument = Self::named(&names, ty)?;
        let default = argument.describe(lua, &options).map_err(|mut fault| {
            // Which of the arguments it is.
            let (function, own) = (format!("`{}`", ARGUMENT.function), &mut fault.message);
            let subject = format!("`{}`: `{shown}`", DECLARATION.function);
            *own = own.replacen(&function, &subject, 1);
            fault
        })?;
        if let Some(default) = default {
            argument.default = argument
                .defaults(&default)
                .map_err(|why| wrong(format!("the default of `{shown}` {why}")))?;
        }
        argument.require_sense(&shown)?;
        Ok(argument)
    }

    /// Reads what is said of an argument by names, and returns its default.
    fn describe(&mut self, lua: &Lua, options: &LuaTable) -> Result<Option<LuaValue>> {
        let mut options = Options::read(lua, options, &ARGUMENT)?;
        self.many = options.flag("many")?.unwrap_or(false);
        self.required = options.flag("required")?.unwrap_or(false);
        self.help = options.text("help")?;
        self.metavar = options.text("metavar")?;
        Ok(options.any("default"))
    }

    /// Reads what stands in an argument by its place: names, then a type.
    fn head(lua: &Lua, list: Vec<LuaValue>, number: usize) -> Result<(Vec<String>, Type)> {
        let mut list = list.into_iter().peekable();
        let mut names: Vec<String> = Vec::new();
        while let Some(LuaValue::String(text)) = list.peek() {
            let text = text.to_string_lossy();
            // Only dashes may have a second name.
            if !names.is_empty() && !text.starts_with('-') {
                break;
            }
            names.push(text);
            list.next();
        }
        let Some(first) = names.first() else {
            let why = format!("argument {number} has no name");
            return Err(wrong(why).hint("its name comes first: `{ \"--limit\", \"integer\" }`"));
        };
        let first = first.clone();
        let ty = list.next().map_or(Ok(Type::String), |ty| Type::read(lua, &ty, &first))?;
        match list.next() {
            Some(_) => Err(wrong(format!("`{first}` has more than names and a type"))
                .hint("what else is said of it has a name: `default = 10`, `help = \"…\"`")),
            None => Ok((names, ty)),
        }
    }

    /// Makes an argument with names as they are typed.
    fn named(names: &[String], ty: Type) -> Result<Self> {
        let (mut long, mut short, mut place) = (None, None, None);
        for name in names {
            let bare = name.trim_start_matches('-');
            let is_word = bare.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            let dashes = name.len() - bare.len();
            let slot = match (is_word, dashes, bare.len()) {
                (true, 0, _) => &mut place,
                (true, 1, 1) => &mut short,
                (true, 2, _) => &mut long,
                _ => {
                    let why = format!("`{name}` is no name of an argument");
                    return Err(wrong(why).hint("names are `file`, `--file` and `-f`"));
                }
            };
            if slot.replace(bare.to_owned()).is_some() {
                return Err(wrong(format!("`{name}` is a second name of the same kind"))
                    .hint("an option has one long name and one letter"));
            }
            if matches!(name.as_str(), "--help" | "-h") {
                return Err(wrong(format!("`{name}` is there already: it prints the help")));
            }
        }
        if let (Some(place), true) = (&place, names.len() > 1) {
            return Err(wrong(format!("`{place}` goes by its place and can have no other name")));
        }
        let name = long.as_ref().or(place.as_ref()).or(short.as_ref()).cloned();
        let name = name.unwrap_or_default().replace('-', "_");
        let short = short.and_then(|letter| letter.chars().next());
        Ok(Self {
            name,
            long,
            short,
            ty,
            many: false,
            required: false,
            help: None,
            metavar: None,
            default: Vec::new(),
        })
    }

    /// Reports whether it goes by its place.
    pub fn is_positional(&self) -> bool {
        self.long.is_none() && self.short.is_none()
    }

    /// Reports whether it is there or not, and has no value.
    pub fn is_flag(&self) -> bool {
        self.ty == Type::Boolean
    }

    /// Returns the long name that turns off a flag which is on unless something is typed.
    pub fn off(&self) -> Option<String> {
        let is_on = self.is_flag() && !self.default.is_empty();
        self.long.as_ref().filter(|_| is_on).map(|long| format!("no-{long}"))
    }

    /// Returns a default as it would be typed.
    fn defaults(&self, value: &LuaValue) -> std::result::Result<Vec<String>, String> {
        if !self.many {
            return self.one_default(value).map(|text| text.into_iter().collect());
        }
        let LuaValue::Table(list) = value else {
            return Err(format!("must be a list, not a {}", type_of(value)));
        };
        let mut texts = Vec::new();
        for value in list.sequence_values::<LuaValue>() {
            texts.extend(self.one_default(&value.map_err(|fault| fault.to_string())?)?);
        }
        Ok(texts)
    }

    fn one_default(&self, value: &LuaValue) -> std::result::Result<Option<String>, String> {
        let text = match (&self.ty, value) {
            (Type::Boolean, LuaValue::Boolean(flag)) => return Ok(flag.then(|| "true".to_owned())),
            (Type::Integer | Type::Number, LuaValue::Integer(integer)) => Some(integer.to_string()),
            (Type::Number, LuaValue::Number(number)) if number.is_finite() => {
                Some(number.to_string())
            }
            (Type::String | Type::File | Type::Directory, LuaValue::String(text)) => {
                text.to_str().ok().map(|text| text.to_owned())
            }
            (Type::Words(words), LuaValue::String(text)) => {
                let text = text.to_string_lossy();
                words.contains(&text).then_some(text)
            }
            _ => None,
        };
        text.map(Some).ok_or_else(|| {
            let given = match value {
                LuaValue::String(text) => match &self.ty {
                    Type::Words(_) => format!("`{}`", text.to_string_lossy()),
                    _ => format!("the string `{}`", text.to_string_lossy()),
                },
                LuaValue::Number(number) => format!("{number:?}"),
                other => format!("a {}", type_of(other)),
            };
            format!("must be {}, not {given}", self.ty.described())
        })
    }

    /// Refuses what contradicts itself.
    fn require_sense(&self, shown: &str) -> Result<()> {
        let why = if self.is_flag() && self.is_positional() {
            "is a boolean and goes by its place: give it dashes"
        } else if self.is_flag() && (self.many || self.required || self.metavar.is_some()) {
            "is a boolean: it is there or not, and takes only `default` and `help`"
        } else if self.is_flag() && !self.default.is_empty() && self.long.is_none() {
            "is on by default: without a long name nothing could turn it off"
        } else if self.required && !self.default.is_empty() {
            "is required, and its default would never be used"
        } else if self.metavar.as_ref().is_some_and(|name| name.contains(char::is_whitespace)) {
            "has a `metavar` of several words"
        } else {
            return Ok(());
        };
        Err(wrong(format!("`{shown}` {why}")))
    }

    /// Refuses one that cannot stand after those before it.
    fn require_place_after(&self, before: &[Self]) -> Result<()> {
        for other in before {
            let typed = |argument: &Self| {
                let long = [argument.long.clone(), argument.off()].into_iter().flatten();
                long.chain(argument.short.map(String::from)).collect::<Vec<_>>()
            };
            let own = typed(self);
            if other.name == self.name {
                return Err(wrong(format!("`{}` is declared twice", self.name)));
            }
            if let Some(name) = typed(other).into_iter().find(|name| own.contains(name)) {
                let dashes = if name.len() == 1 { "-" } else { "--" };
                return Err(wrong(format!("`{dashes}{name}` is declared twice")));
            }
        }
        let Some(last) = before.iter().rfind(|other| other.is_positional()) else { return Ok(()) };
        if !self.is_positional() {
            return Ok(());
        }
        let (name, before) = (&self.name, &last.name);
        if last.many {
            return Err(wrong(format!(
                "`{name}` stands after `{before}`, which takes all there is"
            )));
        }
        if self.required && !last.required {
            let why = format!("`{name}` is required and stands after `{before}`, which is not");
            return Err(wrong(why));
        }
        Ok(())
    }
}

impl Type {
    fn read(lua: &Lua, value: &LuaValue, name: &str) -> Result<Self> {
        match value {
            LuaValue::String(text) => {
                let text = text.to_string_lossy();
                Self::of_word(&text).ok_or_else(|| {
                    let unknown = wrong(format!("`{text}`, said of `{name}`, is no type"));
                    match nearest(&text, TYPES) {
                        Some(near) => unknown.hint(format!("did you mean `{near}`?")),
                        None => unknown.hint(format!(
                            "types are {}; a list of words allows those",
                            listed(&TYPES.map(str::to_owned), "and")
                        )),
                    }
                })
            }
            LuaValue::Table(table) => {
                let (list, named) = halves(lua, table)?;
                let words: Option<Vec<String>> = list
                    .iter()
                    .map(|word| word.as_string().map(LuaString::to_string_lossy))
                    .collect();
                words
                    .filter(|words| !words.is_empty() && named.is_empty())
                    .filter(|words| words.iter().all(|word| !word.is_empty()))
                    .map(Self::Words)
                    .ok_or_else(|| {
                        wrong(format!("the words that `{name}` allows must be a list of strings"))
                    })
            }
            other => Err(wrong(format!(
                "the type of `{name}` must be a word or a list of words, not a {}",
                type_of(other)
            ))),
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "file" => Self::File,
            "directory" => Self::Directory,
            _ => return None,
        })
    }

    /// Returns what it takes, for messages.
    pub fn described(&self) -> String {
        match self {
            Self::String => "a string".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Directory => "the path of a directory".to_owned(),
            Self::Words(words) => listed(words, "or"),
        }
    }
}
