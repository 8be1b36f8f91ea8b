//! Prose in the ways that several ticket systems take: plain text, CommonMark, HTML. What only one
//! of them takes (Atlassian's documents, wiki markup) is written by its kind.

use crate::target::desk::prose::{Block, Inline, Line, Prose};
use crate::template::escape::Escape;

/// Plain text: blocks apart by an empty line, links as `text: address`.
pub fn plain(prose: &Prose) -> String {
    let line = |line: &Line| -> String {
        let shown = line.iter().map(|inline| match inline {
            Inline::Text(text) | Inline::Bold(text) | Inline::Code(text) => text.clone(),
            Inline::Link { text, url } if text == url => url.clone(),
            Inline::Link { text, url } => format!("{text}: {url}"),
        });
        shown.collect()
    };
    let lines = |lines: &[Line], between: &str| -> String {
        lines.iter().map(&line).collect::<Vec<_>>().join(between)
    };
    let blocks = prose.blocks.iter().map(|block| match block {
        Block::Heading(title) => line(title),
        Block::Paragraph(paragraph) => lines(paragraph, "\n"),
        Block::List(points) => {
            let points = points.iter().map(|point| format!("- {}", lines(point, "\n  ")));
            points.collect::<Vec<_>>().join("\n")
        }
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

/// CommonMark (<https://spec.commonmark.org/0.31.2/>); lines end with two blanks where they stay
/// lines.
pub fn markdown(prose: &Prose) -> String {
    let line = |line: &Line| -> String {
        let shown = line.iter().enumerate().map(|(place, inline)| match inline {
            Inline::Text(text) => marked_down(text, place == 0),
            Inline::Bold(text) => format!("**{}**", marked_down(text.trim(), false)),
            Inline::Code(text) => {
                // A fence one longer than any run of backticks inside it.
                let fence = "`".repeat(1 + longest_run(text, '`'));
                let pad = if text.contains('`') { " " } else { "" };
                format!("{fence}{pad}{text}{pad}{fence}")
            }
            Inline::Link { text, url } if text == url => format!("<{url}>"),
            Inline::Link { text, url } => {
                let url = url.replace('(', "%28").replace(')', "%29").replace('<', "%3C").replace('>', "%3E");
                format!("[{}]({url})", marked_down(text, false))
            }
        });
        shown.collect()
    };
    let lines = |lines: &[Line], between: &str| -> String {
        lines.iter().map(&line).collect::<Vec<_>>().join(between)
    };
    let blocks = prose.blocks.iter().map(|block| match block {
        Block::Heading(title) => format!("## {}", line(title)),
        Block::Paragraph(paragraph) => lines(paragraph, "  \n"),
        Block::List(points) => {
            let points = points.iter().map(|point| format!("- {}", lines(point, "  \n  ")));
            points.collect::<Vec<_>>().join("\n")
        }
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

fn longest_run(text: &str, mark: char) -> usize {
    text.split(|c| c != mark).map(str::len).max().unwrap_or_default()
}

/// Text as CommonMark shows it unchanged. An underscore inside of a word needs no backslash, so
/// that names stay readable where nobody renders them.
fn marked_down(text: &str, begins_line: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut before: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inside_word = before.is_some_and(char::is_alphanumeric)
            && rest.peek().is_some_and(|next| next.is_alphanumeric());
        let at_start = begins_line && out.is_empty();
        let after_number = begins_line && !out.is_empty() && out.chars().all(|c| c.is_ascii_digit());
        let is_special = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '~' | '|' => true,
            '_' => !inside_word,
            '&' => rest.peek().is_some_and(|next| next.is_alphanumeric() || *next == '#'),
            '#' | '-' | '+' | '=' | '>' => at_start,
            '.' | ')' => after_number,
            _ => false,
        };
        if is_special {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    out
}

/// HTML of a few harmless elements.
pub fn html(prose: &Prose) -> String {
    let line = |line: &Line| -> String {
        let shown = line.iter().map(|inline| match inline {
            Inline::Text(text) => Escape::Xml.apply(text).into_owned(),
            Inline::Bold(text) => format!("<strong>{}</strong>", Escape::Xml.apply(text)),
            Inline::Code(text) => format!("<code>{}</code>", Escape::Xml.apply(text)),
            Inline::Link { text, url } => {
                let (text, url) = (Escape::Xml.apply(text), Escape::Xml.apply(url));
                format!("<a href=\"{url}\" rel=\"noreferrer\">{text}</a>")
            }
        });
        shown.collect()
    };
    let lines = |lines: &[Line]| -> String { lines.iter().map(&line).collect::<Vec<_>>().join("<br>") };
    let blocks = prose.blocks.iter().map(|block| match block {
        Block::Heading(title) => format!("<h3>{}</h3>", line(title)),
        Block::Paragraph(paragraph) => format!("<p>{}</p>", lines(paragraph)),
        Block::List(points) => {
            let points: String = points.iter().map(|point| format!("<li>{}</li>", lines(point))).collect();
            format!("<ul>{points}</ul>")
        }
    });
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "## a_b\n**x** on `y`\n\\# z <b>&lt; snake_case _so_\n\n- one\n  1. two\n- [t](https://e.example/(1))\n";

    #[test]
    fn one_text_in_three_spellings() {
        let prose = Prose::read(SOURCE);
        assert_eq!(
            plain(&prose),
            "a_b\n\nx on y\n# z <b>&lt; snake_case _so_\n\n- one\n  1. two\n- t: https://e.example/(1)"
        );
        assert_eq!(
            markdown(&prose),
            "## a_b\n\n**x** on `y`  \n\\# z \\<b>\\&lt; snake_case \\_so\\_\n\n- one  \n  1\\. two\n- \
             [t](https://e.example/%281))"
        );
        assert_eq!(
            html(&prose),
            "<h3>a_b</h3><p><strong>x</strong> on <code>y</code><br># z &lt;b&gt;&amp;lt; snake_case _so_</p>\
             <ul><li>one<br>1. two</li><li><a href=\"https://e.example/(1\" rel=\"noreferrer\">t</a>)</li></ul>"
        );
    }
}
