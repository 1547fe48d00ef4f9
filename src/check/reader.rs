//! Reads a file: goes through the tree once, with the scopes of Lua.

use full_moon::ast::{
    Assignment, BinOp, Block, Call as Suffixed, Expression, Field, FunctionArgs, FunctionBody,
    FunctionCall, Index, LastStmt, LocalAssignment, Parameter, Prefix, Stmt, Suffix, UnOp, Var,
};
use full_moon::tokenizer::TokenReference;

use super::known;
use super::reading::{Call, Chain, Function, Guard, How, Init, Local, Reading, Target, Use};
use super::text;

/// Goes through a file.
pub(super) struct Reader<'a> {
    reading: Reading<'a>,
    /// The locals of each block, innermost last.
    scopes: Vec<Vec<usize>>,
    function: usize,
}

/// Reads the statements of a file.
pub(super) fn read(block: &Block) -> Reading<'_> {
    let mut reader = Reader { reading: Reading::default(), scopes: Vec::new(), function: 0 };
    reader.reading.functions.push(Function { parent: None, name: None, guard: Guard::None });
    reader.block(block);
    reader.reading
}

impl<'a> Reader<'a> {
    fn block(&mut self, block: &'a Block) {
        self.scopes.push(Vec::new());
        self.statements(block);
        self.scopes.pop();
    }

    fn statements(&mut self, block: &'a Block) {
        for statement in block.stmts() {
            self.statement(statement);
        }
        if let Some(LastStmt::Return(returned)) = block.last_stmt() {
            self.all(returned.returns().iter());
        }
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assignment(assignment) => self.assignment(assignment),
            Stmt::LocalAssignment(locals) => self.locals(locals),
            Stmt::Do(block) => self.block(block.block()),
            Stmt::FunctionCall(call) => self.call(call),
            Stmt::FunctionDeclaration(declared) => {
                let names = declared.name().names();
                let fields = names.iter().skip(1).chain(declared.name().method_name());
                let path: Vec<_> = fields.map(|field| (text::name(field), field)).collect();
                let Some(first) = names.iter().next() else { return };
                let name = path.last().map_or(text::name(first), |(name, _)| *name);
                self.mention(first, path, How::Assigned);
                let is_method = declared.name().method_name().is_some();
                self.body(declared.body(), Some(name), Guard::None, is_method);
            }
            Stmt::LocalFunction(declared) => {
                self.declare(declared.name(), Init::Unknown);
                let name = text::name(declared.name());
                self.body(declared.body(), Some(name), Guard::None, false);
            }
            Stmt::GenericFor(each) => {
                self.all(each.expressions().iter());
                self.scopes.push(Vec::new());
                let counts = each.expressions().iter().next().and_then(root) == Some("ipairs")
                    && self.find("ipairs") == Target::Global;
                for (index, name) in each.names().iter().enumerate() {
                    let counted = counts && index == 0;
                    self.declare(name, if counted { Init::Counted } else { Init::Item });
                }
                self.statements(each.block());
                self.scopes.pop();
            }
            Stmt::NumericFor(each) => {
                for bound in [each.start(), each.end()].into_iter().chain(each.step()) {
                    self.value(bound, How::Operand);
                }
                self.scopes.push(Vec::new());
                self.declare(each.index_variable(), Init::Counted);
                self.statements(each.block());
                self.scopes.pop();
            }
            Stmt::If(choice) => {
                self.value(choice.condition(), How::Tested);
                self.block(choice.block());
                for other in choice.else_if().into_iter().flatten() {
                    self.value(other.condition(), How::Tested);
                    self.block(other.block());
                }
                if let Some(block) = choice.else_block() {
                    self.block(block);
                }
            }
            Stmt::While(each) => {
                self.value(each.condition(), How::Tested);
                self.block(each.block());
            }
            Stmt::Repeat(each) => {
                // Its condition sees the locals of its block.
                self.scopes.push(Vec::new());
                self.statements(each.block());
                self.value(each.until(), How::Tested);
                self.scopes.pop();
            }
            _ => {}
        }
    }

    fn assignment(&mut self, assignment: &'a Assignment) {
        let values: Vec<_> = assignment.expressions().iter().collect();
        for (index, value) in values.iter().enumerate() {
            self.named_value(value, assignment.variables().iter().nth(index).and_then(name_of));
        }
        for variable in assignment.variables() {
            match variable {
                Var::Name(name) => self.mention(name, Vec::new(), How::Assigned),
                Var::Expression(chain) => {
                    let suffixes: Vec<_> = chain.suffixes().collect();
                    self.chain(chain.prefix(), &suffixes, How::Assigned);
                }
                _ => {}
            }
        }
    }

    fn locals(&mut self, locals: &'a LocalAssignment) {
        let values: Vec<_> = locals.expressions().iter().collect();
        let mut inits = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            let named = root(value).map(|_| self.reading.uses.len());
            inits.push(Init::Value(value, named));
            self.named_value(value, locals.names().iter().nth(index).map(text::name));
        }
        // What follows may be further results of the last value.
        let inits = inits.into_iter().chain(std::iter::repeat(Init::Unknown));
        for (name, init) in locals.names().iter().zip(inits) {
            self.declare(name, init);
        }
    }

    fn declare(&mut self, name: &'a TokenReference, init: Init<'a>) {
        self.declare_as(text::name(name), name, init);
    }

    fn declare_as(&mut self, name: &'a str, at: &'a TokenReference, init: Init<'a>) {
        self.reading.locals.push(Local { name, at, init, changes: false });
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(self.reading.locals.len() - 1);
        }
    }

    fn find(&self, name: &str) -> Target {
        let visible = self.scopes.iter().rev().flat_map(|scope| scope.iter().rev());
        let mut same = visible.filter(|local| self.reading.locals[**local].name == name);
        same.next().map_or(Target::Global, |local| Target::Local(*local))
    }

    /// Goes through a function: `name` is what it is called in the script.
    fn body(&mut self, body: &'a FunctionBody, name: Option<&'a str>, guard: Guard, method: bool) {
        let parent = std::mem::replace(&mut self.function, self.reading.functions.len());
        self.reading.functions.push(Function { parent: Some(parent), name, guard });
        self.scopes.push(Vec::new());
        for parameter in body.parameters() {
            if let Parameter::Name(name) = parameter {
                self.declare(name, Init::Unknown);
            }
        }
        if method {
            // Nowhere does it stand as a name.
            self.declare_as("self", body.end_token(), Init::Unknown);
        }
        self.statements(body.block());
        self.scopes.pop();
        self.function = parent;
    }

    fn all(&mut self, values: impl Iterator<Item = &'a Expression>) {
        values.for_each(|value| self.value(value, How::Passed));
    }

    fn named_value(&mut self, value: &'a Expression, name: Option<&'a str>) {
        match value {
            Expression::Function(function) => {
                self.body(function.body(), name, Guard::None, false);
            }
            other => self.value(other, How::Passed),
        }
    }

    fn value(&mut self, value: &'a Expression, how: How<'a>) {
        match value {
            Expression::BinaryOperator { lhs, binop, rhs } => {
                let (left, right) = match binop {
                    BinOp::And(_) | BinOp::Or(_) if how == How::Tested => (how, how),
                    BinOp::And(_) | BinOp::Or(_) => (How::Tested, How::Passed),
                    BinOp::TwoEqual(_) | BinOp::TildeEqual(_) => (How::Tested, How::Tested),
                    _ => (How::Operand, How::Operand),
                };
                self.value(lhs, left);
                self.value(rhs, right);
            }
            Expression::UnaryOperator { unop, expression } => {
                let how = if let UnOp::Not(_) = unop { How::Tested } else { How::Operand };
                self.value(expression, how);
            }
            Expression::Parentheses { expression, .. } => self.value(expression, how),
            Expression::Function(function) => {
                self.body(function.body(), None, Guard::None, false);
            }
            Expression::FunctionCall(call) => self.call(call),
            Expression::TableConstructor(table) => self.fields(table.fields().iter()),
            Expression::Var(Var::Name(name)) => self.mention(name, Vec::new(), how),
            Expression::Var(Var::Expression(chain)) => {
                let suffixes: Vec<_> = chain.suffixes().collect();
                self.chain(chain.prefix(), &suffixes, how);
            }
            _ => {}
        }
    }

    fn fields(&mut self, fields: impl Iterator<Item = &'a Field>) {
        for field in fields {
            match field {
                Field::NameKey { key, value, .. } => {
                    self.named_value(value, Some(text::name(key)));
                }
                Field::ExpressionKey { key, value, .. } => {
                    self.value(key, How::Passed);
                    self.value(value, How::Passed);
                }
                Field::NoKey(value) => self.value(value, How::Passed),
                _ => {}
            }
        }
    }

    fn call(&mut self, call: &'a FunctionCall) {
        let suffixes: Vec<_> = call.suffixes().collect();
        self.chain(call.prefix(), &suffixes, How::Passed);
    }

    /// Goes through a name or another value, and what follows it; `how` is for the last of that.
    fn chain(&mut self, prefix: &'a Prefix, suffixes: &[&'a Suffix], how: How<'a>) {
        let mut rest = suffixes;
        let mut callee = None;
        match prefix {
            Prefix::Name(name) => {
                let mut path = Vec::new();
                while let [Suffix::Index(index), after @ ..] = rest {
                    let Some(field) = field(index) else { break };
                    path.push(field);
                    rest = after;
                }
                let how = match rest {
                    [] => how,
                    [Suffix::Call(Suffixed::AnonymousCall(_)), ..] => How::Called,
                    [Suffix::Call(Suffixed::MethodCall(method)), ..] => How::Method(method.name()),
                    _ => How::Indexed,
                };
                callee = Some(self.reading.uses.len());
                self.mention(name, path, how);
            }
            Prefix::Expression(value) => {
                let how = if let [Suffix::Call(_), ..] = rest { How::Called } else { How::Indexed };
                self.value(value, how);
            }
            _ => {}
        }
        for (index, suffix) in rest.iter().enumerate() {
            match suffix {
                Suffix::Call(Suffixed::AnonymousCall(args)) => {
                    if let Some(callee) = callee {
                        self.reading.calls.push(Call { callee, args });
                        let after = &rest[index + 1..];
                        let is_set = how == How::Assigned && after.len() == 1;
                        let chain = after.first().filter(|_| !is_set);
                        self.reading
                            .chains
                            .extend(chain.and_then(|suffix| chained(suffix, callee)));
                    }
                    self.args(args, callee);
                }
                Suffix::Call(Suffixed::MethodCall(method)) => self.args(method.args(), None),
                Suffix::Index(Index::Brackets { expression, .. }) => {
                    self.value(expression, How::Passed);
                }
                _ => {}
            }
            callee = None;
        }
    }

    fn args(&mut self, args: &'a FunctionArgs, callee: Option<usize>) {
        let guard = callee.map_or(Guard::Perhaps, |callee| self.catches(callee));
        let how = match callee.map(|callee| &self.reading.uses[callee]) {
            Some(named) if guard == Guard::None => given_to(named),
            _ => How::Passed,
        };
        match args {
            FunctionArgs::Parentheses { arguments, .. } => {
                for argument in arguments {
                    if let Expression::Function(function) = argument {
                        self.body(function.body(), None, guard, false);
                        continue;
                    }
                    if let (Expression::Var(variable), true) = (argument, guard > Guard::None)
                        && let Some(name) = name_of(variable)
                    {
                        let before = self.reading.caught.entry(name).or_default();
                        *before = guard.max(*before);
                    }
                    self.value(argument, how);
                }
            }
            FunctionArgs::TableConstructor(table) => self.fields(table.fields().iter()),
            _ => {}
        }
    }

    /// Reports whether what a use names may catch the errors of functions that it is given.
    fn catches(&self, callee: usize) -> Guard {
        let named = &self.reading.uses[callee];
        let name = match named.target {
            Target::Global => text::name(named.name),
            Target::Local(local) => {
                match self.reading.constant(local).and_then(|(value, _)| root(value)) {
                    // A name for a function of agentlua's, such as `local all = agent.all`.
                    Some(name) if known::is_module(name) || name == "require" => {
                        return Guard::None;
                    }
                    _ => return Guard::Perhaps,
                }
            }
        };
        match name {
            "pcall" | "xpcall" => Guard::Surely,
            "coroutine" => Guard::Perhaps,
            name if known::is_global(name) => Guard::None,
            _ => Guard::Perhaps,
        }
    }

    fn mention(
        &mut self,
        name: &'a TokenReference,
        path: Vec<(&'a str, &'a TokenReference)>,
        how: How<'a>,
    ) {
        let target = self.find(text::name(name));
        let mut visible = Vec::new();
        match target {
            Target::Local(local) => {
                let changes = how == How::Assigned && path.is_empty();
                self.reading.locals[local].changes |= changes;
            }
            Target::Global if !known::is_global(text::name(name)) => {
                visible = self.scopes.iter().flatten().copied().collect();
            }
            Target::Global => {}
        }
        let within = self.function;
        self.reading.uses.push(Use { name, target, path, how, within, visible });
    }
}

/// Returns what giving a value to a function of Lua's or of agentlua's does with it.
fn given_to<'a>(named: &Use<'_>) -> How<'a> {
    match (named.target, text::name(named.name)) {
        // It asks, and does no more.
        (Target::Global, "type") => How::Tested,
        // These change what they are given.
        (Target::Global, "rawset" | "setmetatable" | "table") => How::Passed,
        _ => How::Given,
    }
}

/// Returns the field that an index names.
fn field(index: &Index) -> Option<(&str, &TokenReference)> {
    match index {
        Index::Dot { name, .. } => Some((text::name(name), name)),
        Index::Brackets { expression, .. } => match &**expression {
            Expression::String(token) => text::string(token).map(|name| (name, token)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns what is asked of the result of a call.
fn chained(suffix: &Suffix, callee: usize) -> Option<Chain<'_>> {
    let ((name, token), is_method) = match suffix {
        Suffix::Index(index) => (field(index)?, false),
        Suffix::Call(Suffixed::MethodCall(call)) => ((text::name(call.name()), call.name()), true),
        _ => return None,
    };
    Some(Chain { callee, name, token, is_method })
}

/// Returns the last name of a variable or field.
fn name_of(variable: &Var) -> Option<&str> {
    match variable {
        Var::Name(name) => Some(text::name(name)),
        Var::Expression(chain) => match chain.suffixes().last() {
            Some(Suffix::Index(index)) => field(index).map(|(name, _)| name),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the name that a value begins with.
fn root(value: &Expression) -> Option<&str> {
    let prefix = match value {
        Expression::Var(Var::Name(name)) => return Some(text::name(name)),
        Expression::Var(Var::Expression(chain)) => chain.prefix(),
        Expression::FunctionCall(call) => call.prefix(),
        _ => return None,
    };
    match prefix {
        Prefix::Name(name) => Some(text::name(name)),
        _ => None,
    }
}
