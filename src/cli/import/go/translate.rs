//! Follows a Go template through its blocks, with the dot and the variables as they are there.

use std::collections::BTreeMap;

use crate::cli::import::go::function::{call, formatted, moved};
use crate::cli::import::go::pieces::{Piece, Word};
use crate::cli::import::go::value::{Kind, Val};

/// Templates within templates.
const DEPTH_MAX: usize = 16;

/// A translation under way.
pub struct Translation<'a> {
    defines: &'a BTreeMap<String, Vec<Piece>>,
    out: String,
    dot: Val,
    variables: BTreeMap<String, Variable>,
    blocks: Vec<Block>,
    /// How many blocks around have a dot of their own.
    moved: usize,
    depth: usize,
}

#[derive(Clone)]
struct Variable {
    val: Val,
    /// [`Translation::moved`] where its path begins; `None`: it holds everywhere.
    moved: Option<usize>,
}

struct Block {
    closing: &'static str,
    dot: Val,
    variables: BTreeMap<String, Variable>,
    moved: usize,
}

impl<'a> Translation<'a> {
    /// At the top, where the dot is all that a message has.
    pub fn new(defines: &'a BTreeMap<String, Vec<Piece>>) -> Translation<'a> {
        Translation {
            defines,
            out: String::new(),
            dot: Val::plain("", Kind::Root),
            variables: BTreeMap::new(),
            blocks: Vec::new(),
            moved: 0,
            depth: 0,
        }
    }

    /// The whole.
    ///
    /// # Errors
    /// A block is not closed.
    pub fn finish(self) -> Result<String, String> {
        match self.blocks.is_empty() {
            true => Ok(self.out),
            false => Err("has a block that is not closed".to_owned()),
        }
    }

    /// Goes on with these.
    ///
    /// # Errors
    /// What has no counterpart.
    pub fn pieces(&mut self, pieces: &[Piece]) -> Result<(), String> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.text(text)?,
                Piece::Action(words) => self.action(words)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        if text.contains("{{") || text.ends_with('\\') {
            return Err("holds braces or a backslash where handlebars would read them".to_owned());
        }
        self.out.push_str(text);
        Ok(())
    }

    fn action(&mut self, words: &[Word]) -> Result<(), String> {
        match (words.first().and_then(Word::name), words) {
            (Some("if"), [_, rest @ ..]) => {
                let condition = self.value(rest)?;
                self.open("if", "{{/if}}", &condition.argument(), None, self.dot.clone());
                Ok(())
            }
            (Some("else"), [_]) => self.otherwise(),
            (Some("else"), [_, Word::Name(chained), rest @ ..]) if chained == "if" => {
                let condition = self.value(rest)?.argument();
                match self.blocks.last() {
                    Some(block) if block.closing == "{{/if}}" => {
                        self.out.push_str(&format!("{{{{else if {condition}}}}}"));
                        Ok(())
                    }
                    _ => Err("has an `else if` of a block that is no `if`".to_owned()),
                }
            }
            (Some("end"), [_]) => {
                let block = self.blocks.pop().ok_or("has an `end` too many")?;
                self.out.push_str(block.closing);
                (self.dot, self.variables, self.moved) = (block.dot, block.variables, block.moved);
                Ok(())
            }
            (Some("range"), [_, rest @ ..]) => self.range(rest),
            (Some("with"), [_, rest @ ..]) => {
                let val = self.value(rest)?;
                self.open("with", "{{/with}}", &val.argument(), None, Val::plain("", val.kind));
                self.moved += 1;
                Ok(())
            }
            (Some("template"), [_, Word::Text(name), rest @ ..]) => self.template(name, rest),
            (Some(word @ ("define" | "block" | "template" | "break" | "continue")), _) => {
                Err(format!("uses `{word}`, which has no counterpart here"))
            }
            (_, [Word::Variable(name, fields), Word::Declare, rest @ ..]) if fields.is_empty() => {
                let val = self.value(rest)?;
                let moved = (!holds_everywhere(&val)).then_some(self.moved);
                self.variables.insert(name.clone(), Variable { val, moved });
                Ok(())
            }
            _ => self.say(words),
        }
    }

    fn say(&mut self, words: &[Word]) -> Result<(), String> {
        let val = self.value(words)?;
        if let Some(text) = val.as_literal() {
            return self.text(&text);
        }
        if !val.call && (val.text.parse::<f64>().is_ok() || matches!(val.text.as_str(), "true" | "false")) {
            return self.text(&val.text);
        }
        let shown = match val.kind {
            Kind::Labels => format!("inOneLine {}", val.argument()),
            Kind::Plain | Kind::Time | Kind::Unknown => val.head(),
            _ => return Err("prints something whole that is made of parts".to_owned()),
        };
        self.out.push_str(&format!("{{{{{shown}}}}}"));
        Ok(())
    }

    fn open(&mut self, helper: &str, closing: &'static str, head: &str, names: Option<String>, dot: Val) {
        let names = names.map(|names| format!(" as |{names}|")).unwrap_or_default();
        self.out.push_str(&format!("{{{{#{helper} {head}{names}}}}}"));
        let outer = std::mem::replace(&mut self.dot, dot);
        let variables = self.variables.clone();
        self.blocks.push(Block { closing, dot: outer, variables, moved: self.moved });
    }

    fn otherwise(&mut self) -> Result<(), String> {
        let block = self.blocks.last().ok_or("has an `else` too many")?;
        self.out.push_str("{{else}}");
        // What a loop or `with` had for its dot is not there.
        (self.dot, self.variables, self.moved) = (block.dot.clone(), block.variables.clone(), block.moved);
        Ok(())
    }

    /// `range X`, `range $element := X`, `range $index, $element := X`
    fn range(&mut self, words: &[Word]) -> Result<(), String> {
        let at = words.iter().position(|word| *word == Word::Declare);
        let (names, of) = at.map_or((&words[..0], words), |at| (&words[..at], &words[at + 1..]));
        let mut named = names.iter().filter_map(|word| match word {
            Word::Variable(name, _) => Some(name.clone()),
            _ => None,
        });
        let (index, element) = match (named.next(), named.next()) {
            (Some(index), Some(element)) => (Some(index), Some(element)),
            (element, _) => (None, element),
        };
        let of = self.value(of)?;
        let kind = of.element().ok_or("loops over something that is no list")?;
        let block_names = match (&element, &index) {
            (Some(element), Some(index)) => Some(format!("{} {}", param(element), param(index))),
            (Some(element), None) => Some(param(element)),
            _ => None,
        };
        self.open("each", "{{/each}}", &of.argument(), block_names, Val::plain("", kind));
        self.moved += 1;
        for (name, kind) in [(element, kind), (index, Kind::Plain)] {
            if let Some(name) = name {
                let val = Val::plain(param(&name), kind);
                self.variables.insert(name, Variable { val, moved: None });
            }
        }
        Ok(())
    }

    /// Puts the body of another template here, with its own dot.
    fn template(&mut self, name: &str, given: &[Word]) -> Result<(), String> {
        let Some(body) = self.defines.get(name) else {
            let is_title =
                ["subject", "title", "description", "message"].iter().any(|word| name.ends_with(word));
            if is_title && (name.contains(".default.") || name.starts_with("__")) {
                self.out.push_str("{{title}}");
                return Ok(());
            }
            return Err(format!("uses the template {name:?}, which is not in a file that could be read"));
        };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("uses the template {name:?} within itself"));
        }
        let dot = if given.is_empty() { Val::plain("", Kind::Unknown) } else { self.value(given)? };
        let body = body.clone();
        let blocks = std::mem::take(&mut self.blocks);
        let outer = (std::mem::replace(&mut self.dot, dot), std::mem::take(&mut self.variables));
        self.pieces(&body)?;
        if !self.blocks.is_empty() {
            return Err(format!("uses the template {name:?}, in which a block is not closed"));
        }
        (self.dot, self.variables) = outer;
        self.blocks = blocks;
        self.depth -= 1;
        Ok(())
    }

    /// A pipeline.
    fn value(&self, words: &[Word]) -> Result<Val, String> {
        let mut level = 0_usize;
        let mut commands: Vec<Vec<Word>> = vec![Vec::new()];
        for word in words {
            match word {
                Word::Open => level += 1,
                Word::Close(_) => level = level.saturating_sub(1),
                Word::Pipe if level == 0 => {
                    commands.push(Vec::new());
                    continue;
                }
                _ => {}
            }
            if let Some(command) = commands.last_mut() {
                command.push(word.clone());
            }
        }
        let mut so_far = None;
        for command in &commands {
            so_far = Some(self.command(command, so_far)?);
        }
        so_far.ok_or_else(|| "has an empty action".to_owned())
    }

    fn command(&self, words: &[Word], piped: Option<Val>) -> Result<Val, String> {
        let (first, rest) = words.split_first().ok_or("has an empty action")?;
        let operands = |words: &[Word]| -> Result<Vec<Val>, String> {
            Ok(self.operands(words)?.into_iter().chain(piped.clone()).collect())
        };
        match first {
            Word::Name(name) => call(name, &operands(rest)?),
            Word::Field(names) | Word::Variable(_, names) if !rest.is_empty() || piped.is_some() => {
                let from = match first {
                    Word::Variable(name, _) => self.variable(name)?,
                    _ => self.dot.clone(),
                };
                self.method(from, names, &operands(rest)?)
            }
            Word::Open => {
                let end = closing(rest).ok_or("has a parenthesis that is not closed")?;
                let (inner, after) = (self.value(&rest[..end])?, &rest[end + 1..]);
                match rest.get(end) {
                    Some(Word::Close(names)) if !after.is_empty() => {
                        self.method(inner, names, &operands(after)?)
                    }
                    Some(Word::Close(names)) => self.path(inner, names),
                    _ => Err("has a parenthesis that is not closed".to_owned()),
                }
            }
            _ => match self.operands(words)?.as_slice() {
                [only] => Ok(only.clone()),
                _ => Err("calls something that is no function".to_owned()),
            },
        }
    }

    /// A call of what the last of these names names.
    fn method(&self, from: Val, names: &[String], given: &[Val]) -> Result<Val, String> {
        let (method, of) = names.split_last().ok_or("calls something that is no function")?;
        let of = self.path(from, of)?;
        match (method.as_str(), given) {
            ("Format", [layout]) => formatted(layout, &of),
            ("Add", [span]) => moved(&of, span),
            ("Remove", [names]) if of.kind == Kind::Labels => {
                Ok(Val::call(format!("remove {} {}", of.argument(), names.argument()), Kind::Labels))
            }
            _ => Err(format!("calls `.{method}`, which has no counterpart here")),
        }
    }

    fn operands(&self, words: &[Word]) -> Result<Vec<Val>, String> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            found.push(match word {
                Word::Field(names) => self.path(self.dot.clone(), names)?,
                Word::Variable(name, names) => self.path(self.variable(name)?, names)?,
                Word::Text(text) => Val::literal(text),
                Word::Number(number) => Val::plain(number.clone(), Kind::Plain),
                Word::Name(name) => call(name, &[])?,
                Word::Open => {
                    let end = closing(&words[at..]).ok_or("has a parenthesis that is not closed")?;
                    let inner = self.value(&words[at..at + end])?;
                    let Some(Word::Close(names)) = words.get(at + end) else {
                        return Err("has a parenthesis that is not closed".to_owned());
                    };
                    at += end + 1;
                    self.path(inner, names)?
                }
                _ => return Err("holds a sign where a value should be".to_owned()),
            });
        }
        Ok(found)
    }

    fn path(&self, from: Val, names: &[String]) -> Result<Val, String> {
        names.iter().try_fold(from, |val, name| val.member(name))
    }

    fn variable(&self, name: &str) -> Result<Val, String> {
        if name.is_empty() {
            return Ok(Val::plain(if self.moved == 0 { "" } else { "@root" }, Kind::Root));
        }
        let variable = self.variables.get(name).ok_or_else(|| format!("uses `${name}`, which is not set"))?;
        match variable.moved {
            Some(moved) if moved != self.moved => {
                Err(format!("uses `${name}` inside of a block where it cannot be reached"))
            }
            _ => Ok(variable.val.clone()),
        }
    }
}

/// A block parameter may not have the name of a helper or of what a message has.
fn param(name: &str) -> String {
    format!("go_{name}")
}

/// A literal, or a path from the top.
fn holds_everywhere(val: &Val) -> bool {
    !val.call && (val.text.starts_with('"') || val.text.starts_with("@root"))
}

/// How many words stand before the parenthesis that closes.
fn closing(words: &[Word]) -> Option<usize> {
    let mut level = 0_usize;
    words.iter().position(|word| match word {
        Word::Open => {
            level += 1;
            false
        }
        Word::Close(_) if level == 0 => true,
        Word::Close(_) => {
            level -= 1;
            false
        }
        _ => false,
    })
}
