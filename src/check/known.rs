//! What every script has: the standard library, and agentlua's globals.

/// Globals of Lua that are not libraries.
const PLAIN: [&str; 28] = [
    "_G",
    "_VERSION",
    "arg",
    "assert",
    "collectgarbage",
    "dofile",
    "error",
    "getmetatable",
    "ipairs",
    "load",
    "loadfile",
    "next",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "require",
    "select",
    "setmetatable",
    "tonumber",
    "tostring",
    "type",
    "warn",
    "xpcall",
    // No global, but the table of them.
    "_ENV",
];

/// Globals of Lua that are tables, and what is in them.
pub(super) const LIBRARIES: [(&str, &str); 9] = [
    ("coroutine", "close create isyieldable resume running status wrap yield"),
    ("debug", "getinfo traceback"),
    ("io", "close flush input lines open output popen read stderr stdin stdout tmpfile type write"),
    (
        "math",
        "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max \
         maxinteger min mininteger modf pi pow rad random randomseed sin sinh sqrt tan tanh \
         tointeger type ult",
    ),
    ("os", "clock date difftime execute exit getenv remove rename setlocale time tmpname"),
    ("package", "config cpath loaded path preload searchers searchpath"),
    (
        "string",
        "byte char dump find format gmatch gsub len lower match pack packsize rep reverse sub unpack \
         upper",
    ),
    ("table", "concat insert move pack remove sort unpack"),
    ("utf8", "char charpattern codepoint codes len offset"),
];

/// agentlua's globals.
pub(super) const MODULES: [&str; 7] = ["agent", "git", "github", "sh", "fs", "json", "log"];

/// Globals of other Lua versions, with what to use instead. Code that is written for several versions
/// names them, and looks first where it is.
const OLD: [(&str, &str); 9] = [
    ("unpack", "use `table.unpack`"),
    ("loadstring", "use `load`"),
    ("setfenv", "use the fourth argument of `load`"),
    ("getfenv", "use `_ENV`"),
    ("module", "return a table from the file"),
    ("bit32", "use the operators `&`, `|`, `~`, `<<` and `>>`"),
    ("bit", "use the operators `&`, `|`, `~`, `<<` and `>>`"),
    ("jit", "this is Lua 5.4"),
    ("ffi", "this is Lua 5.4"),
];

/// Names that people bring from other languages.
const FOREIGN: [(&str, &str); 9] = [
    ("null", "Lua says `nil`"),
    ("None", "Lua says `nil`"),
    ("undefined", "Lua says `nil`"),
    ("True", "Lua says `true`"),
    ("False", "Lua says `false`"),
    ("console", "use `print`, or `log.info`"),
    ("this", "Lua says `self`, in a method"),
    ("len", "use `#`"),
    ("printf", "use `print(string.format(…))`"),
];

/// Reports whether a global is there before any script.
pub(super) fn is_global(name: &str) -> bool {
    is_module(name)
        || PLAIN.contains(&name)
        || LIBRARIES.iter().any(|(library, _)| *library == name)
}

/// Returns the globals that are there before any script.
pub(super) fn globals() -> impl Iterator<Item = &'static str> {
    let libraries = LIBRARIES.iter().map(|(library, _)| *library);
    PLAIN.into_iter().chain(MODULES).chain(libraries)
}

/// Returns the globals of Lua, and their fields, as they are typed.
pub(super) fn names() -> impl Iterator<Item = String> {
    let fields = LIBRARIES
        .iter()
        .flat_map(|(library, names)| names.split(' ').map(move |name| format!("{library}.{name}")));
    let libraries = LIBRARIES.iter().map(|(library, _)| *library);
    PLAIN.into_iter().chain(libraries).map(str::to_owned).chain(fields)
}

/// Reports whether a global is agentlua's.
pub(super) fn is_module(name: &str) -> bool {
    MODULES.contains(&name)
}

/// Returns what to use in the place of a global of another Lua version.
pub(super) fn old(name: &str) -> Option<&'static str> {
    OLD.iter().find(|(old, _)| *old == name).map(|(_, hint)| *hint)
}

/// Returns what to use in the place of a word of another language.
pub(super) fn foreign(name: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(word, _)| *word == name).map(|(_, hint)| *hint)
}
