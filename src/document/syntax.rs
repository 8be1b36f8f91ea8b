//! Broken YAML in our words. The library's own messages name the productions of the grammar; an
//! operator wants to hear what is wrong with the line and what to write instead.

use serde_yaml::budget::BudgetBreach;
use serde_yaml::{Error, Location};

use crate::domain::problem::{Place, Problem};

/// What the library says (a part of it), what is wrong, what to do. The first that fits counts.
const WORDS: &[(&str, &str, &str)] = &[
    ("a tab", "a tab stands where spaces belong", "indent with spaces"),
    ("tabs disallowed", "a tab stands where spaces belong", "indent with spaces"),
    ("tab cannot", "a tab stands where spaces belong", "indent with spaces"),
    (
        "expected ',' or '}'",
        "a map in braces does not go on like this",
        "close it with `}`, or put a text that holds any of { } [ ] , in quotes",
    ),
    (
        "expected ',' or ']'",
        "a list in brackets does not go on like this",
        "close it with `]`, or put a text that holds any of { } [ ] , in quotes",
    ),
    ("unexpected character", "a text cannot begin with this character", "put the whole text in quotes"),
    (
        "mapping values are not allowed",
        "a colon stands where no key can be",
        "indent the key like its neighbours, or put a text that holds a colon in quotes",
    ),
    (
        "illegal placement of ':'",
        "a colon stands where no key can be",
        "close the brackets above, or put a text that holds a colon in quotes",
    ),
    (
        "expected '-' indicator",
        "this line is neither a part of the list above nor outside of it",
        "begin it with `- `, or indent it like the keys it belongs to",
    ),
    (
        "did not find expected key",
        "the indentation of this line fits no line above",
        "indent it exactly like the keys or elements it belongs to",
    ),
    ("unclosed quote", "a quote is opened and never closed", "close it at the end of the text"),
    ("multiline quoted", "a quoted text runs on into this line", "close the quote on the line above"),
    (
        "after single-quoted",
        "something follows the closing quote",
        "put the whole text in the quotes; a quote inside is written ''",
    ),
    (
        "after double-quoted",
        "something follows the closing quote",
        "put the whole text in the quotes; a quote inside is written \\\"",
    ),
    (
        "parsing a quoted scalar",
        "a backslash in double quotes begins no escape that YAML knows",
        "write \\\\ for a backslash, or use single quotes",
    ),
    ("misplaced bracket", "this bracket closes nothing", "remove it, or put the whole text in quotes"),
    ("mismatched bracket", "this bracket closes one of another kind", "close `{` with `}` and `[` with `]`"),
    ("unclosed bracket", "this bracket is never closed", "close it, or put the whole text in quotes"),
    (
        "block sequence entries are not allowed",
        "a list cannot begin behind its key on the same line",
        "begin it on the next line, or write it as `[a, b]`",
    ),
    (
        "block scalar",
        "a text begun with `|` or `>` is not laid out as YAML wants it",
        "write nothing behind `|` or `>` and indent every line of the text alike",
    ),
    ("invalid indentation", "this line is indented less than what it belongs to", "indent it further"),
    ("simple key", "a key and a colon are expected here", "write it as `key: value`"),
    ("anchor or alias", "`&` or `*` is followed by no name", "put a text that begins with & or * in quotes"),
    ("EOF", "the file ends in the middle of a value", "close what was opened"),
    ("eof", "the file ends in the middle of a value", "close what was opened"),
    ("recursion limit", DEEP.0, DEEP.1),
    ("directive", "a line that begins with `%` is no YAML directive", "remove it, or put the text in quotes"),
    ("a tag", "`!` begins no tag that YAML knows", "put a text that begins with ! in quotes"),
    ("the handle", "`!` begins no tag that YAML knows", "put a text that begins with ! in quotes"),
    ("comment", "a comment stands inside a text", "put a text that holds # in quotes"),
];

const DEEP: (&str, &str) = ("the file is nested too deeply", "nest lists, maps and aliases less deep");
const UNKNOWN: (&str, &str) = ("this is no YAML", "look for a missing quote, colon or indentation here");

/// What is wrong, where, and what to do.
pub(super) fn problem(error: &Error, text: &str) -> Problem {
    let error = error.without_snippet();
    let place = error.location().map_or_else(Place::default, |location| place(&location));
    let place = clamped(place, text);
    if let Error::DuplicateMappingKey { key, .. } = error {
        let key = key.clone().unwrap_or_default();
        let length = u32::try_from(key.chars().count()).unwrap_or(0);
        let what = format!("the key `{key}` stands twice in this map");
        return Problem::error("", Place { length, ..place }, what, "keep one of the two");
    }
    let (what, cure) = words(error);
    Problem::error("", place, what, cure)
}

fn words(error: &Error) -> (&'static str, &'static str) {
    match error {
        Error::AliasError { error, .. } => words(error),
        Error::Message { msg, .. } if msg.contains(TOO_DEEP) => DEEP,
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => DEEP,
        Error::ExternalMessage { msg, .. } => WORDS
            .iter()
            .find(|(part, _, _)| msg.contains(part))
            .map_or(UNKNOWN, |(_, what, cure)| (what, cure)),
        Error::MultipleDocuments { .. } => {
            ("a second document begins here", "keep one document in a file: remove the line `---` above")
        }
        Error::UnknownAnchor { .. } => (
            "no anchor of this name stands above",
            "set it with `&name`, or put a text that begins with * in quotes",
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            ("an alias stands inside of its own anchor", "write the value out")
        }
        Error::Unexpected { .. } | Error::NullIntoString { .. } => {
            ("a key must be a text", "put a text that begins with { or [ in quotes, as in `\"{{name}}\"`")
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            ("`<<` takes a map or a list of maps", "give it an alias of a map, as in `<<: *name`")
        }
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "the file, or what its aliases unfold to, is too large",
            "use fewer values and fewer nested aliases",
        ),
        Error::InvalidScalar { .. }
        | Error::InvalidBooleanStrict { .. }
        | Error::InvalidBinaryBase64 { .. }
        | Error::BinaryNotUtf8 { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            ("the value is not what its tag says", "remove the tag that begins with `!`")
        }
        _ => UNKNOWN,
    }
}

/// What the library is told when the depth limit of `parse` is reached.
pub(super) const TOO_DEEP: &str = "nested too deeply";

/// The library places an error at the end of the file one line behind it: show the last line.
fn clamped(place: Place, text: &str) -> Place {
    let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
    if place.line <= lines || lines == 0 {
        return place;
    }
    let last = text.lines().last().unwrap_or_default().chars().count();
    Place { line: lines, column: u32::try_from(last).unwrap_or(0).saturating_add(1), length: 0 }
}

/// Line and column of a location of the library.
pub(super) fn place(location: &Location) -> Place {
    let count = |from: u64| u32::try_from(from).unwrap_or(u32::MAX);
    Place { line: count(location.line()), column: count(location.column()), length: 0 }
}
