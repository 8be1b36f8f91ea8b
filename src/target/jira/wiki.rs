//! Jira's wiki markup, in which Data Center and Server (REST v2) take descriptions and comments.
//!
//! Takes prose, gives text in which nothing that came from an alert has a meaning: no mention
//! (`[~name]`), no macro (`{color}`), no table, no heading.

use crate::target::desk::prose::{Block, Inline, Line, Prose};

/// The prose as wiki text.
pub fn text(prose: &Prose) -> String {
    let blocks = prose.blocks.iter().map(|block| match block {
        Block::Heading(title) => format!("h3. {}", line(title, false)),
        Block::Paragraph(lines) => joined(lines, "\n", true),
        Block::List(points) => {
            let points = points.iter().map(|lines| format!("* {}", joined(lines, " \\\\ ", false)));
            points.collect::<Vec<_>>().join("\n")
        }
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

fn joined(lines: &[Line], between: &str, each_begins: bool) -> String {
    lines.iter().map(|one| line(one, each_begins)).collect::<Vec<_>>().join(between)
}

fn line(line: &Line, begins: bool) -> String {
    let shown = line.iter().enumerate().map(|(place, inline)| match inline {
        Inline::Text(text) => plain(text, begins && place == 0),
        Inline::Bold(text) => format!("*{}*", plain(text.trim(), false)),
        Inline::Code(text) => format!("{{{{{}}}}}", plain(text, false)),
        Inline::Link { text, url } => {
            let url = url.replace('|', "%7C").replace('[', "%5B").replace(']', "%5D");
            let url = url.replace('{', "%7B").replace('}', "%7D").replace('\\', "%5C");
            if text == &url { format!("[{url}]") } else { format!("[{}|{url}]", plain(text, false)) }
        }
    });
    shown.collect()
}

/// Text without a meaning. Marks inside of words mean nothing to Jira and stay as they are, so that
/// names of hosts remain readable in mails, where nobody renders them.
fn plain(text: &str, begins_line: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let heads = ["h1.", "h2.", "h3.", "h4.", "h5.", "h6.", "bq."];
    if begins_line && heads.iter().any(|head| text.trim_start().starts_with(head)) {
        // There is no backslash for these; a space of no width keeps them from the line's beginning.
        out.push('\u{200b}');
    }
    let mut before: Option<char> = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek();
        let inside_word =
            before.is_some_and(char::is_alphanumeric) && next.is_some_and(|next| next.is_alphanumeric());
        match c {
            // Two backslashes are a line break, and one takes the meaning from what follows.
            '\\' => out.push_str("&#92;"),
            '{' | '}' | '[' | ']' | '|' => out.extend(['\\', c]),
            '*' | '_' | '-' | '+' | '^' | '~' | '?' | '!' if !inside_word => out.extend(['\\', c]),
            '#' if begins_line && before.is_none() => out.extend(['\\', c]),
            '&' if next.is_some_and(|next| next.is_alphanumeric() || *next == '#') => out.push_str("&amp;"),
            _ => out.push(c),
        }
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_written_and_what_an_alert_says_means_nothing() {
        let prose = Prose::read(
            "## T\n**b** `c` [x](https://e.example/|a)\nh1. no\n\n- one\n  two\n\nhttps://e.example",
        );
        assert_eq!(
            text(&prose),
            "h3. T\n\n*b* {{c}} [x|https://e.example/%7Ca]\n\u{200b}h1. no\n\n* one \\\\ two\n\n[https://e.example]"
        );
        for (said, written) in [
            ("[~admin] {color:red}", "\\[\\~admin\\] \\{color:red\\}"),
            ("db-1_a *b* -c- C:\\x", "db-1_a \\*b\\* \\-c\\- C:&#92;x"),
            ("# a || b &lt;", "\\# a \\|\\| b &amp;lt;"),
            ("---- !pic.png!", "\\-\\-\\-\\- \\!pic.png\\!"),
        ] {
            assert_eq!(plain(said, true), written);
        }
    }
}
