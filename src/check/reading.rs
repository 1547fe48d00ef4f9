//! What a file says, as far as the rules ask: its names, its calls, its functions.

use std::collections::HashMap;

use full_moon::ast::{Expression, FunctionArgs};
use full_moon::tokenizer::TokenReference;

/// A file, read.
#[derive(Default)]
pub(super) struct Reading<'a> {
    pub locals: Vec<Local<'a>>,
    pub uses: Vec<Use<'a>>,
    pub calls: Vec<Call<'a>>,
    pub chains: Vec<Chain<'a>>,
    /// The first is the file itself.
    pub functions: Vec<Function<'a>>,
    /// Names of functions that others may call and catch the errors of.
    pub caught: HashMap<&'a str, Guard>,
}

/// A local variable.
pub(super) struct Local<'a> {
    pub name: &'a str,
    pub at: &'a TokenReference,
    pub init: Init<'a>,
    /// Whether it is assigned later.
    pub changes: bool,
}

/// What a local is at first.
#[derive(Clone, Copy)]
pub(super) enum Init<'a> {
    /// This, and the use that it begins with, if it begins with a name.
    Value(&'a Expression, Option<usize>),
    /// A number that a loop counts.
    Counted,
    /// Another variable of a loop.
    Item,
    /// A parameter, one of several results.
    Unknown,
}

/// Which variable a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// By its index.
    Local(usize),
    Global,
}

/// What is done with the value that a name, and the fields behind it, stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How<'a> {
    Called,
    /// A method of it is called.
    Method(&'a TokenReference),
    /// A field of it that is not known is read or written.
    Indexed,
    /// It is added, joined, compared by size.
    Operand,
    /// It is only asked whether it is there.
    Tested,
    Assigned,
    /// It is given to a function of Lua's or of agentlua's.
    Given,
    /// Anything else: returned, kept, given to the script's own functions.
    Passed,
}

/// A place where a variable is named.
pub(super) struct Use<'a> {
    pub name: &'a TokenReference,
    pub target: Target,
    /// Names of fields behind it: `b` and `c` in `a.b.c`.
    pub path: Vec<(&'a str, &'a TokenReference)>,
    pub how: How<'a>,
    /// The function that it is in.
    pub within: usize,
    /// The locals that could be named there; only for globals.
    pub visible: Vec<usize>,
}

/// A call of what a [`Use`] names.
pub(super) struct Call<'a> {
    /// The index of the use.
    pub callee: usize,
    pub args: &'a FunctionArgs,
}

/// A field that is read, or a method that is called, of what a call returns.
pub(super) struct Chain<'a> {
    /// The index of the use that is called.
    pub callee: usize,
    pub name: &'a str,
    pub token: &'a TokenReference,
    pub is_method: bool,
}

/// A function.
pub(super) struct Function<'a> {
    pub parent: Option<usize>,
    pub name: Option<&'a str>,
    pub guard: Guard,
}

/// Whether an error in a function would be caught.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Guard {
    /// As far as one sees, by nobody.
    #[default]
    None,
    /// Perhaps: it is passed to a function of the script's own.
    Perhaps,
    /// By `pcall`.
    Surely,
}

impl<'a> Reading<'a> {
    /// Returns how errors in a function, by its index, are caught.
    pub fn guard(&self, function: usize) -> Guard {
        let mut guard = Guard::None;
        let mut next = Some(function);
        while let Some(function) = next.map(|index| &self.functions[index]) {
            let named = function.name.and_then(|name| self.caught.get(name)).copied();
            guard = guard.max(function.guard).max(named.unwrap_or_default());
            next = function.parent;
        }
        guard
    }

    /// Returns what a local is for good: what it was made with, if it never changes.
    pub fn constant(&self, local: usize) -> Option<(&'a Expression, Option<usize>)> {
        match self.locals[local] {
            Local { changes: false, init: Init::Value(value, named), .. } => Some((value, named)),
            _ => None,
        }
    }
}
