//! The small Markdown in which descriptions and comments are written, read into blocks that each
//! kind writes in its service's own way.
//!
//! Known are `# headings`, `- bullets` (lines below belong to them), paragraphs whose lines stay
//! lines, `**bold**`, `` `code` ``, `[text](address)` and bare addresses. A backslash takes the
//! meaning from what follows; values of alerts come with backslashes (`Escape::Prose`), so they are
//! text whatever they hold. Everything else is text, HTML included.

use crate::template::headline::is_web;
use crate::template::text::{ELLIPSIS, cut};

/// A text with a simple structure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prose {
    /// In order.
    pub blocks: Vec<Block>,
}

/// A part that stands by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A title above what follows.
    Heading(Line),
    /// Lines.
    Paragraph(Vec<Line>),
    /// Points, each of one line or more.
    List(Vec<Vec<Line>>),
}

/// One line.
pub type Line = Vec<Inline>;

/// A stretch of text in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Plain.
    Text(String),
    /// Emphasised.
    Bold(String),
    /// As a machine wrote it.
    Code(String),
    /// Leads to an absolute http or https address.
    Link {
        /// What is shown.
        text: String,
        /// Where it leads.
        url: String,
    },
}

impl Prose {
    /// Reads a text. Never fails: what has no meaning is text.
    pub fn read(text: &str) -> Prose {
        let mut blocks: Vec<Block> = Vec::new();
        let mut is_open = false;
        for line in whole_lines(text) {
            let heading = line.strip_prefix('#').map(|rest| rest.trim_start_matches('#'));
            let (heading, point) = (heading.and_then(|rest| rest.strip_prefix(' ')), line.strip_prefix("- "));
            match (line.is_empty(), heading, point, blocks.last_mut()) {
                (true, ..) => is_open = false,
                (_, Some(title), ..) => {
                    blocks.push(Block::Heading(lines(title).concat()));
                    is_open = false;
                }
                (_, _, Some(point), Some(Block::List(points))) => {
                    points.push(lines(point));
                    is_open = true;
                }
                (_, _, Some(point), _) => {
                    blocks.push(Block::List(vec![lines(point)]));
                    is_open = true;
                }
                (_, _, _, Some(Block::List(points))) if is_open => {
                    points.last_mut().into_iter().for_each(|point| point.extend(lines(line)));
                }
                (_, _, _, Some(Block::Paragraph(paragraph))) if is_open => paragraph.extend(lines(line)),
                _ => {
                    blocks.push(Block::Paragraph(lines(line)));
                    is_open = true;
                }
            }
        }
        Prose { blocks }
    }

    /// Nothing to say.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// With one more paragraph of plain text.
    pub fn push(&mut self, text: &str) {
        self.blocks.push(Block::Paragraph(vec![vec![Inline::Text(text.to_owned())]]));
    }

    /// The text as `write` writes it, within `limit` by `measure`: the end gives way, and an
    /// ellipsis says so.
    pub fn fitted<T>(&self, limit: usize, measure: impl Fn(&T) -> usize, write: impl Fn(&Prose) -> T) -> T {
        // No spelling is shorter than the text itself.
        let mut written = write(&self.cut(limit + 1));
        let mut chars = limit;
        while measure(&written) > limit && chars > 0 {
            chars = chars * 3 / 4;
            written = write(&self.cut(chars));
        }
        written
    }

    /// The beginning, of about so many characters.
    fn cut(&self, chars: usize) -> Prose {
        let mut left = chars;
        let mut blocks = Vec::new();
        for block in &self.blocks {
            let block = match block {
                Block::Heading(line) => cut_line(line, &mut left).map(Block::Heading),
                Block::Paragraph(lines) => cut_lines(lines, &mut left).map(Block::Paragraph),
                Block::List(points) => {
                    let kept: Vec<Vec<Line>> =
                        points.iter().map_while(|lines| cut_lines(lines, &mut left)).collect();
                    (!kept.is_empty()).then_some(Block::List(kept))
                }
            };
            blocks.extend(block);
            if left == 0 {
                break;
            }
        }
        Prose { blocks }
    }
}

fn cut_lines(lines: &[Line], left: &mut usize) -> Option<Vec<Line>> {
    let kept: Vec<Line> = lines.iter().map_while(|line| cut_line(line, left)).collect();
    (!kept.is_empty()).then_some(kept)
}

/// `None` when there is no room left; a line that is cut takes what room there is.
fn cut_line(line: &Line, left: &mut usize) -> Option<Line> {
    if *left == 0 {
        return None;
    }
    let mut kept = Line::new();
    for inline in line {
        let (Inline::Text(text) | Inline::Bold(text) | Inline::Code(text) | Inline::Link { text, .. }) =
            inline;
        let chars = text.chars().count();
        if chars < *left {
            *left -= chars;
            kept.push(inline.clone());
            continue;
        }
        let text = cut(text, *left).into_owned();
        // A last character that fits all the same is followed by more that does not.
        let text = if text.ends_with(ELLIPSIS) { text } else { format!("{text}{ELLIPSIS}") };
        *left = 0;
        kept.push(match inline {
            Inline::Text(_) => Inline::Text(text),
            Inline::Bold(_) => Inline::Bold(text),
            Inline::Code(_) => Inline::Code(text),
            Inline::Link { url, .. } => Inline::Link { text, url: url.clone() },
        });
        return Some(kept);
    }
    // A line break is a character too.
    *left -= 1;
    Some(kept)
}

/// Lines as they are written: one that ends with a backslash goes on.
fn whole_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let whole = rest?;
        let is_end = |place: &usize| {
            let before = &whole[..*place];
            (before.len() - before.trim_end_matches('\\').len()) % 2 == 0
        };
        let end = whole.match_indices('\n').map(|(place, _)| place).find(is_end);
        rest = end.map(|end| &whole[end + 1..]);
        Some(whole[..end.unwrap_or(whole.len())].trim())
    })
}

/// A line as it is written, in the lines that it shows as.
fn lines(written: &str) -> Vec<Line> {
    let mut shown = vec![Line::new()];
    for inline in inlines(written) {
        let Inline::Text(text) = inline else {
            shown.last_mut().into_iter().for_each(|line| line.push(inline.clone()));
            continue;
        };
        for (place, part) in text.split('\n').enumerate() {
            if place > 0 {
                shown.push(Line::new());
            }
            if !part.is_empty() {
                shown.last_mut().into_iter().for_each(|line| line.push(Inline::Text(part.to_owned())));
            }
        }
    }
    shown
}

/// The stretches of a line; a line break is left in plain text only.
fn inlines(line: &str) -> Line {
    let mut read = Line::new();
    let mut plain = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let marked = match c {
            '*' => {
                rest.strip_prefix("**").and_then(|rest| until(rest, "**")).map(|(t, r)| (Inline::Bold(t), r))
            }
            '`' => until(&rest[1..], "`").map(|(text, rest)| (Inline::Code(text), rest)),
            '[' => link(&rest[1..]),
            _ => None,
        };
        if let Some((inline, after)) = marked {
            push_plain(&mut read, &mut plain);
            read.push(inline);
            rest = after;
            continue;
        }
        let (text, after) = unescaped(rest, c);
        plain.push(text);
        rest = after;
    }
    push_plain(&mut read, &mut plain);
    read
}

/// The next character, its backslash taken away, and what follows it.
fn unescaped(rest: &str, c: char) -> (char, &str) {
    let after = &rest[c.len_utf8()..];
    match after.chars().next() {
        Some(next) if c == '\\' && (next.is_ascii_punctuation() || next == '\n') => {
            (next, &after[next.len_utf8()..])
        }
        _ => (c, after),
    }
}

/// The text up to an end mark that is not taken back by a backslash; there has to be some.
fn until<'t>(mut rest: &'t str, end: &str) -> Option<(String, &'t str)> {
    let mut text = String::new();
    loop {
        if let Some(after) = rest.strip_prefix(end) {
            return (!text.is_empty()).then_some((text, after));
        }
        let (c, after) = unescaped(rest, rest.chars().next()?);
        text.push(if c == '\n' { ' ' } else { c });
        rest = after;
    }
}

fn link(rest: &str) -> Option<(Inline, &str)> {
    let (text, rest) = until(rest, "]")?;
    let (url, rest) = until(rest.strip_prefix('(')?, ")")?;
    let inline = if is_web(&url) { Inline::Link { text, url } } else { Inline::Text(text) };
    Some((inline, rest))
}

/// Plain text; addresses in it become links.
fn push_plain(read: &mut Line, plain: &mut String) {
    let text = std::mem::take(plain);
    let mut rest = text.as_str();
    let mut before = String::new();
    while let Some(start) = rest.find("http") {
        let is_word = rest[..start].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
        let long = rest[start..].find(|c: char| c.is_whitespace() || "<>\"'`|".contains(c));
        let url = &rest[start..long.map_or(rest.len(), |end| start + end)];
        let url = url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '。', '，', '；', '）']);
        let has_host = url.split_once("://").is_some_and(|(_, host)| !host.is_empty());
        if is_word && has_host && is_web(url) {
            before.push_str(&rest[..start]);
            if !before.is_empty() {
                read.push(Inline::Text(std::mem::take(&mut before)));
            }
            read.push(Inline::Link { text: url.to_owned(), url: url.to_owned() });
            rest = &rest[start + url.len()..];
        } else {
            before.push_str(&rest[..start + 4]);
            rest = &rest[start + 4..];
        }
    }
    before.push_str(rest);
    if !before.is_empty() {
        read.push(Inline::Text(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::escape::Escape;
    use proptest::prelude::*;

    fn text(text: &str) -> Inline {
        Inline::Text(text.into())
    }

    fn link(text: &str, url: &str) -> Inline {
        Inline::Link { text: text.into(), url: url.into() }
    }

    #[test]
    fn the_marks_that_are_known_are_read() {
        let prose = Prose::read(
            "## What\n**CRITICAL** on `db-1`\nsince noon\n\n- one\n  more\n- [a](https://a.example/b_c)\n\nend **",
        );
        let expected = vec![
            Block::Heading(vec![text("What")]),
            Block::Paragraph(vec![
                vec![Inline::Bold("CRITICAL".into()), text(" on "), Inline::Code("db-1".into())],
                vec![text("since noon")],
            ]),
            Block::List(vec![
                vec![vec![text("one")], vec![text("more")]],
                vec![vec![link("a", "https://a.example/b_c")]],
            ]),
            Block::Paragraph(vec![vec![text("end **")]]),
        ];
        assert_eq!(prose.blocks, expected);
    }

    #[test]
    fn bare_addresses_become_links_and_others_do_not() {
        let line = |source: &str| inlines(source);
        assert_eq!(
            line("see https://a.example/x?y=1, ok"),
            [text("see "), link("https://a.example/x?y=1", "https://a.example/x?y=1"), text(", ok")]
        );
        assert_eq!(line("http:// xhttps://a"), [text("http:// xhttps://a")]);
        assert_eq!(line("[click](javascript:alert(1)) x"), [text("click"), text(") x")]);
    }

    #[test]
    fn a_value_of_several_lines_stays_where_it_stands() {
        let value = Escape::Prose.apply("one\n\n- two");
        let bold = Prose::read(&format!("- **{value}**\n  {value} x")).blocks;
        let point = vec![vec![Inline::Bold("one - two".into())], vec![text("one")], vec![text("- two x")]];
        assert_eq!(bold, [Block::List(vec![point])]);
    }

    #[test]
    fn a_cut_text_ends_with_an_ellipsis() {
        let prose = Prose::read("one two three\n- four\n- five");
        let shown = |chars: usize| prose.cut(chars).blocks;
        assert_eq!(shown(8), [Block::Paragraph(vec![vec![text("one two…")]])]);
        assert_eq!(shown(100), prose.blocks);
    }

    proptest! {
        #[test]
        fn a_value_stays_text_wherever_it_stands(value in "[-# *`\\[\\]()a\\\\\n<>_!]{0,40}") {
            let escaped = Escape::Prose.apply(&value);
            for around in ["VALUE", "- VALUE", "before VALUE after", "## VALUE", "- **x VALUE**"] {
                let plain = Prose::read(&around.replace("VALUE", "x")).blocks;
                let blocks = Prose::read(&around.replace("VALUE", &escaped)).blocks;
                prop_assert!(blocks.len() <= 1, "{:?}", blocks);
                let marks = |blocks: &[Block]| format!("{blocks:?}").matches("Bold(").count();
                prop_assert_eq!(marks(&blocks), marks(&plain));
                let shown = format!("{blocks:?}");
                let is_marked = shown.contains("Code(") || shown.contains("Link");
                prop_assert!(!is_marked, "{}", shown);
            }
        }
    }
}
