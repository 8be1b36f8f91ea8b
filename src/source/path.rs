//! Paths into a body, as users write them: `a.b.0`, `a.b[0]`, `$.a.b`, or a JSON Pointer `/a/b/0`.
//!
//! A path that begins with `$` starts at the body, any other at the alert. No wildcards, filters
//! or expressions: one path names one value.

use std::fmt;

use serde_json::Value;

/// A path, parsed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    written: String,
    from_body: bool,
    steps: Vec<String>,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write instead.
    pub fn parse(written: &str) -> Result<Path, String> {
        let text = written.trim();
        let from_body = text.starts_with('$');
        let steps = match text.strip_prefix('$') {
            _ if text.is_empty() => return Err("the path is empty; write a.b.0 or /a/b/0".to_owned()),
            Some("") => Vec::new(),
            Some(rest) => dotted(rest.strip_prefix('.').unwrap_or(rest))?,
            None => match text.strip_prefix('/') {
                Some(rest) => pointer(rest)?,
                None => dotted(text)?,
            },
        };
        Ok(Path { written: text.to_owned(), from_body, steps })
    }

    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The value this path names; null is absent.
    pub fn find<'v>(&self, body: &'v Value, alert: &'v Value) -> Option<&'v Value> {
        let start = if self.from_body { body } else { alert };
        let step = |value: &'v Value, step: &String| match value {
            Value::Object(map) => map.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        };
        self.steps.iter().try_fold(start, step).filter(|value| !value.is_null())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// RFC 6901: `~1` is a slash, `~0` a tilde.
fn pointer(rest: &str) -> Result<Vec<String>, String> {
    let step = |step: &str| {
        let plain = step.replace("~1", "/").replace("~0", "~");
        let strays = step.replace("~1", "").replace("~0", "");
        if strays.contains('~') { Err("a ~ in a JSON Pointer is written ~0".to_owned()) } else { Ok(plain) }
    };
    rest.split('/').map(step).collect()
}

/// Names between dots, indices between dots or in brackets.
fn dotted(text: &str) -> Result<Vec<String>, String> {
    let mut steps = Vec::new();
    for (index, part) in text.split('.').enumerate() {
        let mut pieces = part.split('[');
        let name = pieces.next().unwrap_or_default();
        let bracket_first = name.is_empty() && part.starts_with('[') && index == 0;
        if name.is_empty() && !bracket_first {
            return Err("a name between two dots is empty; names that hold dots need a JSON Pointer: /a.b/c"
                .to_owned());
        }
        steps.extend((!name.is_empty()).then(|| name.to_owned()));
        for piece in pieces {
            let digits = piece.strip_suffix(']').filter(|digits| digits.parse::<usize>().is_ok());
            steps.push(digits.ok_or("the brackets hold no whole number; write them as in a[0]")?.to_owned());
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_way_to_write_a_path_leads_to_the_same_value() {
        let body = json!({"a": {"b": [10, {"c": 42}]}});
        for written in ["a.b.1.c", "a.b[1].c", "/a/b/1/c", "$.a.b.1.c", "$.a.b[1].c", " a.b.1.c "] {
            let path = Path::parse(written).unwrap();
            assert_eq!(path.find(&body, &body), Some(&json!(42)), "{written}");
        }
    }

    #[test]
    fn a_dollar_starts_at_the_body_and_all_else_at_the_alert() {
        let body = json!({"org": "x", "alerts": [{"org": "y"}]});
        let alert = &body["alerts"][0];
        assert_eq!(Path::parse("$.org").unwrap().find(&body, alert), Some(&json!("x")));
        assert_eq!(Path::parse("org").unwrap().find(&body, alert), Some(&json!("y")));
        assert_eq!(Path::parse("/org").unwrap().find(&body, alert), Some(&json!("y")));
        assert_eq!(Path::parse("$").unwrap().find(&body, alert), Some(&body));
        assert_eq!(Path::parse("$[0]").unwrap().find(&json!([7]), alert), Some(&json!(7)));
    }

    #[test]
    fn pointers_reach_names_that_hold_dots_slashes_and_tildes() {
        let body = json!({"a.b": {"c/d": {"e~f": 1}}});
        assert_eq!(Path::parse("/a.b/c~1d/e~0f").unwrap().find(&body, &body), Some(&json!(1)));
    }

    #[test]
    fn a_number_is_an_index_of_a_list_and_a_name_of_an_object() {
        let body = json!({"0": "name", "list": ["index"]});
        assert_eq!(Path::parse("0").unwrap().find(&body, &body), Some(&json!("name")));
        assert_eq!(Path::parse("list.0").unwrap().find(&body, &body), Some(&json!("index")));
        assert_eq!(Path::parse("list.1").unwrap().find(&body, &body), None);
        assert_eq!(Path::parse("list.x").unwrap().find(&body, &body), None);
    }

    #[test]
    fn null_is_absent() {
        let body = json!({"a": null});
        assert_eq!(Path::parse("a").unwrap().find(&body, &body), None);
    }

    #[test]
    fn what_is_no_path_is_refused_with_a_cure() {
        for bad in ["", "  ", "a..b", ".a", "a.", "a[", "a[x]", "a[0", "a.[0]", "/a/~2", "$..a"] {
            let why = Path::parse(bad).expect_err(bad);
            assert!(
                why.contains("write")
                    || why.contains("written")
                    || why.contains("need")
                    || why.contains("hold")
            );
        }
    }
}
