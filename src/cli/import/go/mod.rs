//! Go templates in, handlebars out, or one sentence that says why not. Pure.
//!
//! What Alertmanager's data and functions are called is in `value.rs` and `function.rs`; how text is
//! cut into pieces in `pieces.rs`; blocks and expressions are followed in `translate.rs`. White space
//! around blocks may come out with a line break less: handlebars swallows the line of a block that
//! stands alone.

mod function;
mod layout;
mod pieces;
mod translate;
mod value;

use std::collections::BTreeMap;

use crate::cli::import::go::pieces::{Piece, Word, pieces};
use crate::cli::import::go::translate::Translation;

/// Templates by the name that `{{ define "…" }}` gave them.
#[derive(Debug, Default)]
pub struct Defines(BTreeMap<String, Vec<Piece>>);

impl Defines {
    /// Adds those of a template file. What cannot be read is passed over: a template that needs it
    /// says so.
    pub fn add(&mut self, text: &str) {
        let _rest = pieces(text).map(|pieces| self.take(pieces));
    }

    /// Takes the definitions out of pieces.
    fn take(&mut self, from: Vec<Piece>) -> Vec<Piece> {
        let (mut rest, mut inside, mut depth) = (Vec::new(), None::<(String, Vec<Piece>)>, 0);
        for piece in from {
            let word = match &piece {
                Piece::Action(words) => words.first().and_then(Word::name).unwrap_or_default().to_owned(),
                Piece::Text(_) => String::new(),
            };
            match (&mut inside, word.as_str(), &piece) {
                (None, "define", Piece::Action(words)) => {
                    let name = match words.get(1) {
                        Some(Word::Text(name)) => name.clone(),
                        _ => String::new(),
                    };
                    inside = Some((name, Vec::new()));
                }
                (None, ..) => rest.push(piece),
                (Some(_), "end", _) if depth == 0 => {
                    self.0.extend(inside.take());
                }
                (Some((_, body)), word, _) => {
                    depth += usize::from(matches!(word, "if" | "range" | "with" | "block"));
                    depth -= usize::from(word == "end");
                    body.push(piece);
                }
            }
        }
        rest
    }
}

/// Translates. `None`: it is Alertmanager's default wording and nothing else, so ours takes its place.
///
/// # Errors
/// What cannot be translated, as the end of a sentence that begins with the field.
pub fn handlebars(text: &str, defines: &Defines) -> Result<Option<String>, String> {
    if !text.contains("{{") {
        return Ok(Some(text.to_owned()));
    }
    let mut own = Defines(defines.0.clone());
    let pieces = pieces(text)?;
    let pieces = own.take(pieces);
    if let [Piece::Action(words)] = pieces.as_slice()
        && let Some(name) = default_name(words)
        && !own.0.contains_key(name)
    {
        return Ok(None);
    }
    let mut translation = Translation::new(&own.0);
    translation.pieces(&pieces)?;
    translation.finish().map(Some)
}

/// The name, if this is Alertmanager's default wording of something: `{{ template "slack.default.title" . }}`.
fn default_name(words: &[Word]) -> Option<&str> {
    match words {
        [Word::Name(call), Word::Text(name), ..] if call == "template" && name.contains(".default.") => {
            Some(name)
        }
        _ => None,
    }
}
