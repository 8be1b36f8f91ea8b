//! The Atlassian Document Format, version 1, in which Jira Cloud (REST v3) takes descriptions and
//! comments: <https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/>.
//!
//! Takes prose, gives a document of headings, paragraphs, bullet lists and links. Text is text there:
//! nothing in it can become a mention or a macro.

use serde_json::{Value, json};

use crate::target::desk::prose::{Block, Inline, Line, Prose};

/// The prose as a document.
pub fn document(prose: &Prose) -> Value {
    let content: Vec<Value> = prose.blocks.iter().map(block).collect();
    json!({ "type": "doc", "version": 1, "content": content })
}

fn block(block: &Block) -> Value {
    match block {
        Block::Heading(title) => {
            json!({ "type": "heading", "attrs": { "level": 3 }, "content": inlines(std::slice::from_ref(title)) })
        }
        Block::Paragraph(lines) => paragraph(lines),
        Block::List(points) => {
            let item = |lines: &Vec<Line>| json!({ "type": "listItem", "content": [paragraph(lines)] });
            json!({ "type": "bulletList", "content": points.iter().map(item).collect::<Vec<_>>() })
        }
    }
}

fn paragraph(lines: &[Line]) -> Value {
    json!({ "type": "paragraph", "content": inlines(lines) })
}

/// Lines with breaks between them.
fn inlines(lines: &[Line]) -> Vec<Value> {
    let mut nodes = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            nodes.push(json!({ "type": "hardBreak" }));
        }
        // An empty text node makes Jira refuse the whole document.
        nodes.extend(line.iter().filter_map(inline));
    }
    nodes
}

fn inline(inline: &Inline) -> Option<Value> {
    let (text, mark) = match inline {
        Inline::Text(text) => (text, None),
        Inline::Bold(text) => (text, Some(json!({ "type": "strong" }))),
        Inline::Code(text) => (text, Some(json!({ "type": "code" }))),
        Inline::Link { text, url } => (text, Some(json!({ "type": "link", "attrs": { "href": url } }))),
    };
    let node = match mark {
        None => json!({ "type": "text", "text": text }),
        Some(mark) => json!({ "type": "text", "text": text, "marks": [mark] }),
    };
    (!text.is_empty()).then_some(node)
}
