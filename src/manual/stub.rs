//! A stub, line by line.

use anyhow::{Context, Result, bail};

use super::{Alias, Class, Entry, Field, Function, Page, Param, Return, Type};

/// What the lines of a block have said so far.
#[derive(Default)]
struct Block {
    prose: Vec<String>,
    /// The lines of an example, and whether more are to come.
    example: Vec<String>,
    in_example: bool,
    class: Option<Class>,
    alias: Option<Alias>,
    function: Function,
}

/// Reads a stub.
///
/// # Errors
/// For a line that is none of a stub.
pub(super) fn page(name: &'static str, text: &str) -> Result<Page> {
    let mut page = Page { name, ..Page::default() };
    let mut block = Block::default();
    for (index, line) in text.lines().enumerate() {
        block
            .take(line, &mut page)
            .with_context(|| format!("lua/types/{name}.lua:{}: `{line}`", index + 1))?;
    }
    block.end(&mut page);
    Ok(page)
}

impl Block {
    fn take(&mut self, line: &str, page: &mut Page) -> Result<()> {
        if self.in_example {
            let Some(code) = line.strip_prefix("---") else { bail!("the example does not end") };
            self.in_example = code != "```";
            if self.in_example {
                self.example.push(code.to_owned());
            }
            Ok(())
        } else if line == "---```lua" {
            self.in_example = true;
            Ok(())
        } else if let Some(tag) = line.strip_prefix("---@") {
            let (tag, rest) = tag.split_once(' ').unwrap_or((tag, ""));
            self.tag(tag, rest, page)
        } else if let Some(value) = line.strip_prefix("---| ") {
            self.value(value)
        } else if let Some(prose) = line.strip_prefix("---") {
            self.prose.push(prose.trim().to_owned());
            Ok(())
        } else if let Some(declared) = line.strip_prefix("function ") {
            let Some((name, _)) = declared.split_once('(') else { bail!("no parameters") };
            let mut function = std::mem::take(&mut self.function);
            name.clone_into(&mut function.name);
            function.doc = self.prose();
            function.example = self.example();
            page.entries.push(Entry::Function(function));
            Ok(())
        } else if let Some((variable, "{}")) = line.split_once(" = ") {
            let variable = variable.trim_start_matches("local ");
            let Some(class) = &mut self.class else { bail!("a table of no class") };
            class.variable = Some(variable.to_owned());
            self.end(page);
            Ok(())
        } else if line.is_empty() || line.starts_with("return ") {
            self.end(page);
            Ok(())
        } else {
            bail!("this is no line of a stub")
        }
    }

    fn tag(&mut self, tag: &str, rest: &str, page: &mut Page) -> Result<()> {
        match tag {
            "meta" => page.module = (!rest.is_empty()).then(|| rest.to_owned()),
            "class" => {
                let (name, parents) = rest.split_once(": ").unwrap_or((rest, ""));
                let parents = parents.split(", ").filter(|parent| !parent.is_empty());
                self.class = Some(Class {
                    name: name.to_owned(),
                    parents: parents.map(str::to_owned).collect(),
                    doc: self.prose(),
                    example: self.example(),
                    ..Class::default()
                });
            }
            "field" | "alias" if !self.example.is_empty() => {
                bail!("examples stand with functions and classes")
            }
            "field" => {
                // What a list holds is for editors; here it is told by the prose of the class.
                if rest.starts_with('[') {
                    self.prose.clear();
                    return Ok(());
                }
                let (name, ty) = rest.split_once(' ').context("a field without a type")?;
                let (name, optional) = optional(name);
                let field = Field { name, optional, ty: whole(ty)?, doc: self.prose() };
                self.class.as_mut().context("a field of no class")?.fields.push(field);
            }
            "alias" => {
                let (name, ty) = rest.split_once(' ').unwrap_or((rest, ""));
                let ty = if ty.is_empty() { Type::Union(Vec::new()) } else { whole(ty)? };
                let (name, doc) = (name.to_owned(), self.prose());
                self.alias = Some(Alias { name, doc, ty, meanings: Vec::new() });
            }
            "param" => {
                let (name, rest) = rest.split_once(' ').context("a parameter without a type")?;
                let ((name, optional), (ty, doc)) = (optional(name), Type::read(rest)?);
                let doc = doc.trim().to_owned();
                self.function.params.push(Param { name, optional, ty, doc });
            }
            "return" => {
                let (ty, name) = Type::read(rest)?;
                self.function.returns.push(Return { ty, name: name.trim().to_owned() });
            }
            "overload" => match &mut self.class {
                Some(class) => class.overloads.push(rest.to_owned()),
                None => self.function.overloads.push(rest.to_owned()),
            },
            "async" => self.function.waits = true,
            "generic" | "nodiscard" => {}
            _ => bail!("the tag is not known"),
        }
        Ok(())
    }

    /// Reads a value of an alias, with what it means.
    fn value(&mut self, text: &str) -> Result<()> {
        let alias = self.alias.as_mut().context("a value of no alias")?;
        let (ty, meaning) = Type::read(text)?;
        let Type::Union(values) = &mut alias.ty else { bail!("the alias has a type already") };
        alias.meanings.push((ty.to_string(), meaning.trim().to_owned()));
        values.push(ty);
        Ok(())
    }

    fn end(&mut self, page: &mut Page) {
        page.entries.extend(self.class.take().map(Entry::Class));
        page.entries.extend(self.alias.take().map(Entry::Alias));
        self.prose.clear();
    }

    /// Returns the example so far, as it is.
    fn example(&mut self) -> String {
        std::mem::take(&mut self.example).join("\n")
    }

    /// Returns the prose so far: lines of a paragraph become one.
    fn prose(&mut self) -> String {
        let mut text = String::new();
        for line in self.prose.drain(..) {
            match (line.is_empty(), text.is_empty() || text.ends_with('\n')) {
                (true, true) => {}
                (true, false) => text.push_str("\n\n"),
                (false, true) => text.push_str(&line),
                (false, false) => {
                    text.push(' ');
                    text.push_str(&line);
                }
            }
        }
        text
    }
}

fn optional(name: &str) -> (String, bool) {
    match name.strip_suffix('?') {
        Some(name) => (name.to_owned(), true),
        None => (name.to_owned(), false),
    }
}

fn whole(text: &str) -> Result<Type> {
    match Type::read(text)? {
        (ty, "") => Ok(ty),
        (_, rest) => bail!("`{rest}` follows the type"),
    }
}
