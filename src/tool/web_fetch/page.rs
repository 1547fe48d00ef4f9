//! HTML as Markdown, in one pass over its tags: no tree, so that no page takes the stack or more than
//! its length in time.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use reqwest::Url;

/// The deepest list that is shown as deeper than the one around it.
const INDENT_MAX: usize = 8;

/// Returns a page as Markdown: headings, paragraphs, lists, links, code, and tables line by line.
/// Links are resolved against `base`.
pub(super) fn markdown(html: &str, base: &Url) -> String {
    let writer = Writer::new(base);
    let tokenizer = Tokenizer::new(Sink(RefCell::new(writer)), TokenizerOpts::default());
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from(html));
    // The sink never asks for a pause.
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    tokenizer.sink.0.into_inner().finished()
}

struct Sink(RefCell<Writer>);

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut writer = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => writer.text(&text),
            Token::TagToken(tag) => return writer.tag(&tag),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// What stands between two pieces of text, from the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

/// A link that is not closed yet.
struct Link {
    target: String,
    /// Where its text begins.
    start: usize,
}

struct Writer {
    base: Url,
    out: String,
    gap: Gap,
    /// What the next text begins with, such as `- `.
    mark: String,
    /// The element whose content is left out, and how often it is open.
    hidden: Option<(String, usize)>,
    pre: usize,
    lists: usize,
    link: Option<Link>,
}

impl Writer {
    fn new(base: &Url) -> Self {
        Self {
            base: base.clone(),
            out: String::new(),
            gap: Gap::None,
            mark: String::new(),
            hidden: None,
            pre: 0,
            lists: 0,
            link: None,
        }
    }

    fn finished(mut self) -> String {
        self.end_link();
        self.out
    }

    fn want(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Writes what is due before text.
    fn begin(&mut self) {
        if !self.out.is_empty() {
            self.out.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        self.out.push_str(&std::mem::take(&mut self.mark));
    }

    fn text(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        if self.pre > 0 {
            if !text.is_empty() {
                self.begin();
                self.out.push_str(text);
            }
            return;
        }
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.want(Gap::Space);
        }
        for word in text.split_ascii_whitespace() {
            self.begin();
            self.out.push_str(word);
            self.want(Gap::Space);
        }
        if !text.ends_with(|c: char| c.is_ascii_whitespace()) && self.gap == Gap::Space {
            self.gap = Gap::None;
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        let opens = tag.kind == TagKind::StartTag;
        if let Some((hidden, depth)) = &mut self.hidden {
            if hidden == name {
                *depth = if opens { *depth + 1 } else { *depth - 1 };
                if *depth == 0 {
                    self.hidden = None;
                }
            }
        } else if opens
            && ["script", "style", "template", "svg", "iframe", "select"].contains(&name)
        {
            self.hidden = (!tag.self_closing).then(|| (name.to_owned(), 1));
        } else if opens {
            self.open(name, tag);
        } else {
            self.close(name);
        }
        match name {
            "script" if opens => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "iframe" | "xmp" if opens => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" if opens => TokenSinkResult::RawData(RawKind::Rcdata),
            _ => TokenSinkResult::Continue,
        }
    }

    fn open(&mut self, name: &str, tag: &Tag) {
        match name {
            "a" => self.begin_link(tag),
            "br" if self.pre > 0 => self.out.push('\n'),
            "br" => self.want(Gap::Line),
            "hr" => self.rule(),
            "img" => {
                if let Some(alt) = attribute(tag, "alt").filter(|alt| !alt.trim().is_empty()) {
                    self.text(&format!("[picture: {}]", alt.trim()));
                }
            }
            "li" => {
                self.want(Gap::Line);
                self.mark =
                    format!("{}- ", "  ".repeat(self.lists.saturating_sub(1).min(INDENT_MAX)));
            }
            "ul" | "ol" => {
                self.want(if self.lists == 0 { Gap::Paragraph } else { Gap::Line });
                self.lists += 1;
            }
            "td" | "th" => {
                if self.gap < Gap::Line && !self.out.is_empty() {
                    self.text(" | ");
                }
            }
            "pre" => {
                self.want(Gap::Paragraph);
                self.begin();
                self.out.push_str("```\n");
                self.pre += 1;
            }
            "code" if self.pre == 0 => {
                self.begin();
                self.out.push('`');
            }
            _ => self.boundary(name, true),
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "a" => self.end_link(),
            "ul" | "ol" => {
                self.lists = self.lists.saturating_sub(1);
                self.want(if self.lists == 0 { Gap::Paragraph } else { Gap::Line });
            }
            "pre" if self.pre > 0 => {
                self.pre -= 1;
                let line = if self.out.ends_with('\n') { "```" } else { "\n```" };
                self.out.push_str(line);
                self.want(Gap::Paragraph);
            }
            "code" if self.pre == 0 => self.out.push('`'),
            _ => self.boundary(name, false),
        }
    }

    /// Keeps apart what blocks keep apart.
    fn boundary(&mut self, name: &str, opens: bool) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.want(Gap::Paragraph);
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.mark = if opens { format!("{} ", "#".repeat(level)) } else { String::new() };
            }
            "title" | "p" | "blockquote" | "table" | "section" | "article" | "figure" | "dl" => {
                self.want(Gap::Paragraph);
            }
            "div" | "tr" | "dt" | "dd" | "header" | "footer" | "main" | "nav" | "aside"
            | "form" | "option" | "figcaption" | "details" | "summary" | "address" | "fieldset"
            | "li" | "thead" | "tbody" | "caption" | "textarea" => self.want(Gap::Line),
            _ => {}
        }
    }

    fn rule(&mut self) {
        self.want(Gap::Paragraph);
        self.text("---");
        self.want(Gap::Paragraph);
    }

    fn begin_link(&mut self, tag: &Tag) {
        self.end_link();
        let Some(target) = attribute(tag, "href").filter(|href| !href.starts_with('#')) else {
            return;
        };
        let Ok(target) = self.base.join(target.trim()) else { return };
        if !matches!(target.scheme(), "http" | "https" | "mailto") {
            return;
        }
        self.begin();
        self.out.push('[');
        self.link = Some(Link { target: target.into(), start: self.out.len() });
    }

    fn end_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        if self.out.len() == link.start {
            self.out.pop();
        } else {
            self.out.extend(["](", &link.target, ")"]);
        }
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|found| &*found.value)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shown(html: &str) -> String {
        markdown(html, &Url::parse("https://example.com/docs/page").unwrap())
    }

    #[test]
    fn a_page_is_markdown() {
        let html = "<!doctype html><html><head><title>The &amp; title</title><style>p { }</style>\
            <script>if (a < b) alert('</p>')</script></head><body><nav><a href='#top'>top</a></nav>\
            <h1>Head <b>line</b></h1>\n<p>One\n  two <a href=\"../x?a=1&amp;b\">link</a>, three.</p>\
            <ul><li>first<ul><li>inner</ul><li>second <code>x  = 1</code></ul>\
            <pre>a  b\n  &lt;c&gt;</pre><table><tr><th>A<th>B</tr><tr><td>1<td>2</table>\
            <img alt='a cat' src=c.png><img src=d.png><a href='javascript:x()'>run</a><hr>\
            <svg><text>no</text></svg>end<br>of it</body></html>";
        assert_eq!(
            shown(html),
            "The & title\n\ntop\n\n# Head line\n\nOne two [link](https://example.com/x?a=1&b), \
             three.\n\n- first\n  - inner\n- second `x = 1`\n\n```\na  b\n  <c>\n```\n\n\
             A | B\n1 | 2\n\n[picture: a cat]run\n\n---\n\nend\nof it"
        );
    }

    #[test]
    fn what_is_broken_or_hostile_is_text_too() {
        assert_eq!(shown(""), "");
        assert_eq!(shown("just < text & more"), "just < text & more");
        assert_eq!(shown("</a></pre></ul><a href=x>open"), "[open](https://example.com/docs/x)");
        assert_eq!(shown("<a href=x></a>y"), "y");
        for tag in ["<div>", "<ul><li>", "<table><tr><td>", "<a href=x>", "<svg>", "<pre>"] {
            let html = format!("{}x", tag.repeat(100_000));
            assert!(shown(&html).len() < 5_000_000, "{tag}");
        }
    }
}
