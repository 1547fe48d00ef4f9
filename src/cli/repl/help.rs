//! `:help`: what the stubs say, for a screen.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::command::{COMMANDS, names};
use super::complete::Live;
use crate::cli::terminal::Styles;
use crate::error::{Error, Result};
use crate::manual::{Alias, Class, Field, Function, Manual};
use crate::suggest::nearest;

/// Text is not made wider than this: nobody reads long lines.
const WIDEST: usize = 88;
/// Longer names do not widen a list for the others.
const LONGEST_NAME: usize = 22;
/// The modules that are no globals.
const REQUIRED: [&str; 2] = ["patterns", "test"];

const OVERVIEW: &str = "Lua 5.4, line by line, with the globals of a script. An expression shows its \
    value. A call that waits, such as `agent.query`, is awaited, and Ctrl-C ends it. Agents and \
    tasks that were started with `agent.spawn` go on while you type.";
const MANNERS: [(&str, &str); 5] = [
    ("_", "is the last result."),
    ("local x = 1", "makes a variable of the session; one with `<close>` ends with its line."),
    ("Tab", "completes names, fields, methods, options, what options take, and branches."),
    ("Ctrl-C", "ends what runs, or clears the line."),
    ("Ctrl-D", "leaves, as `:quit` does."),
];

/// Writes pages of the manual.
pub(super) struct Help<'a> {
    /// What there is.
    pub manual: &'a Manual,
    /// What only the session knows.
    pub live: &'a dyn Live,
    /// How it looks.
    pub style: Styles,
    /// How wide the screen is.
    pub columns: usize,
}

impl Help<'_> {
    /// Returns the page of `name`, or the first one.
    ///
    /// # Errors
    /// Usage, for a name of nothing; the nearest one is named.
    pub fn page(&self, name: Option<&str>) -> Result<String> {
        let Some(name) = name else { return Ok(self.overview()) };
        let name = name.trim_matches(['`', '"']).trim_end_matches("()").replace(':', ".");
        self.of(&name).or_else(|| self.of_live(&name)).or_else(|| self.of_short(&name)).ok_or_else(
            || {
                let names = names(self.manual);
                let near = nearest(&name, names.iter().map(String::as_str));
                let hint = match near {
                    Some(near) => format!(":help {near}"),
                    None => ":help".to_owned(),
                };
                Error::usage(format!("nothing is called `{name}`")).hint(hint)
            },
        )
    }

    fn overview(&self) -> String {
        let mut text = self.wrapped(OVERVIEW, "");
        text.push('\n');
        let manners = MANNERS.map(|(name, what)| (name.to_owned(), what.to_owned()));
        text.push_str(&self.list(manners));
        text.push_str(&self.heading("commands"));
        text.push_str(&self.list(COMMANDS.map(|(name, rest, what)| {
            (format!("{name} {rest}").trim().to_owned(), what.to_owned())
        })));
        text.push_str(&self.heading("globals"));
        let modules = self.manual.pages.iter().filter_map(|page| {
            let module = self.manual.module(page.name)?;
            (module.variable.as_deref() == Some(page.name))
                .then(|| (page.name.to_owned(), first_sentence(&module.doc)))
        });
        let (required, global): (Vec<_>, Vec<_>) =
            modules.partition(|(name, _)| REQUIRED.contains(&name.as_str()));
        text.push_str(&self.list(global));
        let required =
            required.into_iter().map(|(name, what)| (format!("require \"agentlua.{name}\""), what));
        text.push_str(&self.section("modules", required));
        text.push('\n');
        text.push_str(&self.wrapped(
            "`:help agent`, `:help agent.query`, `:help agent.query.base`: more of one.",
            "",
        ));
        text
    }

    /// Returns the page of a full name.
    fn of(&self, name: &str) -> Option<String> {
        if let Some(module) = self.manual.module(name) {
            return Some(self.class(module, name));
        } else if let Some(function) = self.manual.function(name) {
            return Some(self.function(function));
        } else if let Some(class) = self.manual.class(name) {
            return Some(self.class(class, name));
        } else if let Some(alias) = self.manual.alias(name) {
            return Some(self.alias(alias));
        }
        let (owner, field) = name.rsplit_once('.')?;
        let fields = match (self.manual.function(owner), self.manual.class(owner)) {
            (Some(function), _) => self.options(function),
            (None, Some(class)) => self.manual.fields(class).into_values().collect(),
            (None, None) => return None,
        };
        let field = fields.into_iter().find(|known| known.name == field)?;
        Some(self.field(owner, &field))
    }

    /// Returns the page of what a variable of the session is, or of a method or field of it.
    fn of_live(&self, name: &str) -> Option<String> {
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        if let Some(class) = self.live.seen(&path).and_then(|seen| seen.class) {
            return self.of(class);
        }
        let (last, owner) = path.split_last()?;
        let class = self.live.seen(owner).filter(|_| !owner.is_empty())?.class?;
        let variable = self.manual.class(class)?.variable.as_ref();
        let method = variable.and_then(|variable| self.of(&format!("{variable}.{last}")));
        method.or_else(|| self.of(&format!("{class}.{last}")))
    }

    /// Returns the page of a name whose module was left out, or a list of those that it may mean.
    fn of_short(&self, name: &str) -> Option<String> {
        let all = names(self.manual);
        let last = |full: &str| full.rsplit(['.', ':']).next().map(str::to_owned);
        let mut meant: Vec<&String> =
            all.iter().filter(|full| last(full).is_some_and(|last| last == name)).collect();
        if meant.is_empty() {
            let is_meant = |last: String| last.eq_ignore_ascii_case(name);
            meant = all.iter().filter(|full| last(full).is_some_and(is_meant)).collect();
        }
        match meant[..] {
            [] => None,
            [one] => self.of(&one.replace(':', ".")),
            ref several => {
                let several = several.iter().map(|name| (format!(":help {name}"), String::new()));
                Some(format!("`{name}` is one of several\n{}", self.list(several)))
            }
        }
    }

    fn function(&self, function: &Function) -> String {
        let Styles { bold, reset, .. } = self.style;
        let returns: Vec<String> =
            function.returns.iter().map(|value| value.ty.to_string()).collect();
        let mut text = format!("{bold}{}{reset}", function.signature());
        if !returns.is_empty() {
            let _ = write!(text, " → {}", returns.join(", "));
        }
        text.push('\n');
        text.push_str(&self.wrapped(&function.doc, "  "));
        text.push_str(&example(&function.example));
        let params = function.params.iter().map(|param| {
            let doc = if param.doc.is_empty() { String::new() } else { format!(": {}", param.doc) };
            (param.name.clone(), format!("{}{doc}", param.ty))
        });
        text.push_str(&self.section("takes", params));
        let options = self.options(function);
        text.push_str(&self.section("options", options.iter().map(option)));
        if let Some(field) = options.first() {
            let name = function.name.replace(':', ".");
            let more = format!("`:help {name}.{}`: more of one.", field.name);
            text.push('\n');
            text.push_str(&self.wrapped(&more, ""));
        }
        if let Some(twin) = function.twin_of() {
            text.push('\n');
            text.push_str(&self.wrapped(&format!("`:help {twin}`: what it does."), ""));
        }
        if function.waits {
            text.push('\n');
            text.push_str(&self.wrapped("It waits, and other tasks go on meanwhile.", ""));
        }
        text
    }

    fn class(&self, class: &Class, name: &str) -> String {
        let Styles { bold, reset, .. } = self.style;
        let mut text = format!("{bold}{name}{reset}\n");
        text.push_str(&self.wrapped(&class.doc, "  "));
        text.push_str(&example(&class.example));
        let fields = self.manual.fields(class);
        let own = class.fields.iter().map(|field| &field.name);
        let inherited = fields.keys().filter(|name| class.fields.iter().all(|f| f.name != **name));
        let fields = own.chain(inherited).filter_map(|name| fields.get(name));
        let fields = fields.map(described);
        text.push_str(&self.section("fields", fields));
        let members = class.variable.iter().flat_map(|variable| self.manual.members(variable));
        let members = members.filter(|function| function.twin_of().is_none());
        let members =
            members.map(|function| (function.name.clone(), first_sentence(&function.doc)));
        text.push_str(&self.section("functions", members));
        text
    }

    fn alias(&self, alias: &Alias) -> String {
        let Styles { bold, reset, .. } = self.style;
        let mut text = format!("{bold}{}{reset}\n", alias.name);
        text.push_str(&self.wrapped(&alias.doc, "  "));
        if alias.meanings.is_empty() {
            text.push_str(&self.wrapped(&alias.ty.to_string(), "  "));
        }
        text.push_str(&self.section("one of", alias.meanings.iter().cloned()));
        text
    }

    fn field(&self, owner: &str, field: &Field) -> String {
        let Styles { bold, dim, reset, .. } = self.style;
        let ty = field.ty.to_string();
        let head = format!("{bold}{owner}.{}{reset}: {dim}{ty}{reset}\n", field.name);
        let mut text = head + &self.wrapped(&field.doc, "  ");
        let classes = self.manual.tables(&field.ty).into_iter();
        let of_tables = classes.filter(|class| class.name != "agent.Outcome");
        let of_tables = of_tables.flat_map(|class| class.fields.iter().map(described));
        text.push_str(&self.section("its fields", of_tables));
        let aliases = field.ty.names().into_iter().filter_map(|name| self.manual.alias(name));
        let meanings = aliases.flat_map(|alias| alias.meanings.iter().cloned());
        text.push_str(&self.section("one of", meanings));
        text
    }

    /// Returns the fields of the tables that a function takes.
    fn options(&self, function: &Function) -> Vec<Field> {
        let types = function.params.iter().map(|param| &param.ty);
        let classes = types.flat_map(|ty| self.manual.tables(ty)).filter(|class| {
            class.variable.is_none() && !matches!(class.name.as_str(), "agent.Outcome")
        });
        let mut fields = Vec::new();
        for class in classes {
            let all = self.manual.fields(class);
            let own = class.fields.iter().map(|field| field.name.clone());
            let inherited = all.keys().filter(|name| class.fields.iter().all(|f| f.name != **name));
            let order: Vec<String> = own.chain(inherited.cloned()).collect();
            fields.extend(order.iter().filter_map(|name| all.get(name).cloned()));
        }
        fields
    }

    fn heading(&self, name: &str) -> String {
        format!("\n{}{name}{}\n", self.style.dim, self.style.reset)
    }

    fn section(&self, name: &str, lines: impl IntoIterator<Item = (String, String)>) -> String {
        let text = self.list(lines);
        if text.is_empty() { text } else { self.heading(name) + &text }
    }

    /// Returns names with what is said of them beside.
    fn list(&self, lines: impl IntoIterator<Item = (String, String)>) -> String {
        let lines: Vec<(String, String)> = lines.into_iter().collect();
        let lengths = lines.iter().map(|(name, _)| name.width());
        let wide = lengths.filter(|length| *length <= LONGEST_NAME).max().unwrap_or(LONGEST_NAME);
        let mut text = String::new();
        for (name, what) in lines {
            let Styles { bold, reset, .. } = self.style;
            let indent = " ".repeat(wide + 4);
            let body = self.wrapped(&what, &indent);
            let pad = wide.saturating_sub(name.width());
            let first = body.strip_prefix(&indent).unwrap_or("\n");
            if name.width() > wide && !what.is_empty() {
                let _ = write!(text, "  {bold}{name}{reset}\n{body}");
            } else {
                let line = format!("  {bold}{name}{reset}{}  {first}", " ".repeat(pad));
                text.push_str(&if what.is_empty() {
                    line.trim_end().to_owned() + "\n"
                } else {
                    line
                });
            }
        }
        text
    }

    /// Returns a text in lines that fit, each after `indent`.
    fn wrapped(&self, text: &str, indent: &str) -> String {
        let width = self.columns.saturating_sub(1).clamp(40, WIDEST);
        let mut wrapped = String::new();
        for (number, paragraph) in text.split("\n\n").enumerate() {
            if number > 0 {
                wrapped.push('\n');
            }
            let mut line = indent.to_owned();
            for word in paragraph.split_whitespace() {
                if line.width() + word.width() + 1 > width && line.len() > indent.len() {
                    wrapped.push_str(line.trim_end());
                    wrapped.push('\n');
                    indent.clone_into(&mut line);
                }
                line.push_str(word);
                line.push(' ');
            }
            if line.len() > indent.len() {
                wrapped.push_str(line.trim_end());
                wrapped.push('\n');
            }
        }
        wrapped
    }
}

/// Returns a line for an option.
fn option(field: &Field) -> (String, String) {
    let needed = if field.optional { "" } else { " Needed." };
    (field.name.clone(), first_sentence(&field.doc) + needed)
}

/// Returns a line for a field.
fn described(field: &Field) -> (String, String) {
    (field.name.clone(), first_sentence(&field.doc))
}

/// Returns the lines of an example, as code.
fn example(code: &str) -> String {
    if code.is_empty() {
        return String::new();
    }
    let lines: Vec<String> =
        code.lines().map(|line| format!("    {line}").trim_end().to_owned()).collect();
    format!("\n{}\n", lines.join("\n"))
}

/// Returns the first sentence, with the default that follows in parentheses.
fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    let end = paragraph.match_indices(". ").map(|(at, _)| at + 1).find(|end| {
        // `e.g. x` and `1. x` end nothing.
        paragraph[end + 1..].starts_with(|c: char| c.is_uppercase() || c == '`')
    });
    paragraph[..end.unwrap_or(paragraph.len())].to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::peek::Seen;
    use crate::cli::repl::complete::tests::Session;
    use crate::cli::terminal::PLAIN;

    fn page(name: &str) -> Result<String> {
        let manual = Manual::load();
        Help { manual: &manual, live: &Session, style: PLAIN, columns: 80 }.page(Some(name))
    }

    #[test]
    fn everything_has_a_page_that_fits() {
        let manual = Manual::load();
        let examples = manual.functions().map(|function| &function.example);
        let examples = examples.chain(manual.classes().map(|class| &class.example));
        let code: BTreeSet<&str> = examples.flat_map(|example| example.lines()).collect();
        for name in names(&manual) {
            let text = page(&name).unwrap();
            // Code stays as it is.
            let prose = text
                .lines()
                .filter(|line| !code.contains(line.strip_prefix("    ").unwrap_or(line)));
            let mut prose = prose.filter(|line| line.width() > 80 && line.contains("  "));
            let long = prose.next();
            // A type may be longer than a line.
            assert!(long.is_none_or(|line| !line.trim().contains(' ')), "{name}: {long:?}\n{text}");
        }
    }

    #[test]
    fn names_are_found_short_live_and_nearly() {
        assert!(page("query").unwrap().starts_with("agent.query(query)"));
        assert!(page("outcome").unwrap().starts_with("agent.Outcome\n"));
        assert!(page("await").unwrap().starts_with("task:await()"));
        assert!(page("diff").unwrap().contains("  :help git.diff\n"));
        // `a` is a task in that session.
        assert!(page("a").unwrap().starts_with("agent.Task\n"));
        assert!(page("a:send").unwrap().starts_with("task:send(text)"));
        assert!(page("agent.query.strategy").is_err());
        assert_eq!(page("agent.qurey").unwrap_err().hint.as_deref(), Some(":help agent.query"));
        assert_eq!(Session.seen(&["nothing".to_owned()]).map(|seen: Seen| seen.class), None);
    }

    #[test]
    fn pages_read_well() {
        insta::assert_snapshot!(page("git.merge.strategy").unwrap(), @r##"
        git.merge.strategy: "merge"|"squash"|"ff"|"rebase"
          How; `"rebase"` replays the branch's own commits on the target, as `git
          rebase` does: without merge commits, and without those that change nothing
          there (default: `"merge"`).
        "##);
        insta::assert_snapshot!(page("agent.try_timeout").unwrap(), @r##"
        agent.try_timeout(seconds, fn, ...) → any
          Is `agent.timeout`, and returns `nil, e` for a failure.

        takes
          seconds  number
          fn       async fun(...): ...
          ...      any

        `:help agent.timeout`: what it does.

        It waits, and other tasks go on meanwhile.
        "##);
        insta::assert_snapshot!(page("git.Flag").unwrap(), @r##"
        git.Flag
          Why a reviewer must look at a file.

        one of
          "hook"        A git hook, or what configures a program that runs them.
          "ci"          What a server runs for a push.
          "symlink"     A symlink that is new or points elsewhere than before.
          "outside"     A symlink whose target, as it is written, lies outside the
                        tree or in `.git`.
          "executable"  A file that became a program.
          "submodule"   A repository within the repository.
          "attributes"  What makes git run filters, drivers and downloads.
          "autorun"     What an editor, a shell or an agent runs or obeys when the
                        folder is opened.
        "##);
        insta::assert_snapshot!(page("agent.remove").unwrap(), @r##"
        agent.remove(agent, options?)
          Removes the worktree of an agent that has ended, and its branch if it is
          merged or empty. Raises when something would be lost, unless `force` is
          given.

        takes
          agent    string|agent.Outcome|agent.Task: an id or the start of one, an
                   outcome, a task
          options  agent.RemoveOptions

        options
          force  Whether to remove what nothing else holds, too: unmerged commits and
                 files that no commit has.

        `:help agent.remove.force`: more of one.

        It waits, and other tasks go on meanwhile.
        "##);
    }
}
