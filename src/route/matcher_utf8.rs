//! The UTF-8 matcher grammar (Alertmanager since 0.27, `matcher/parse`): strict, any name.
//!
//! Names and values stand bare or in double quotes with Go's escapes; braces pair or are absent; a
//! value is never left out. Text in, raw matchers out.

use crate::route::written::{MatcherError, Op, Raw, is_reserved};

/// Reads a list of matchers.
pub fn parse(text: &str) -> Result<Vec<Raw>, MatcherError> {
    let mut reader = Reader { rest: text, column: 0 };
    let braced = reader.eat("{");
    let mut matchers = Vec::new();
    loop {
        let done = if braced { reader.peek() == Some('}') } else { reader.peek().is_none() };
        if done {
            break;
        }
        matchers.push(reader.matcher()?);
        if !reader.eat(",") {
            break;
        }
    }
    if braced && !reader.eat("}") {
        return Err(reader.unexpected("a comma or a closing brace", "close what { opens, with }"));
    }
    match reader.peek() {
        None => Ok(matchers),
        Some('}') => Err(reader.unexpected("the end", "take away the } or put { at the beginning")),
        Some(_) if braced => Err(reader.unexpected("the end", "take away what follows the closing brace")),
        Some(_) => Err(reader.unexpected(
            "a comma or the end",
            "put a comma between matchers, and double quotes around a value with blanks or signs in it",
        )),
    }
}

struct Reader<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Reader<'a> {
    fn matcher(&mut self) -> Result<Raw, MatcherError> {
        let (name, _) = self.word("a label name", "write a matcher as name=\"value\"")?;
        let Some(op) = self.operator() else {
            return Err(
                self.unexpected("an operator", "put one of = != =~ !~ between the name and the value")
            );
        };
        let cure = "write the value in double quotes; \"\" is the empty one";
        let (value, at) = self.word("a value", cure)?;
        Ok(Raw { name, op, value, at })
    }

    /// A name or a value, and the column where it begins.
    fn word(&mut self, expected: &str, cure: &str) -> Result<(String, usize), MatcherError> {
        match self.peek() {
            Some('"') => self.quoted(),
            Some(c) if !is_reserved(c) => {
                let at = self.column;
                let end = self.rest.find(is_reserved).unwrap_or(self.rest.len());
                Ok((self.take(end).to_owned(), at))
            }
            _ => Err(self.unexpected(expected, cure)),
        }
    }

    fn quoted(&mut self) -> Result<(String, usize), MatcherError> {
        let at = self.column;
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let closing = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closing
        });
        let Some((end, _)) = end else {
            return Err(MatcherError {
                column: at,
                what: "this double quote is never closed".into(),
                cure: "put \" at the end of the value, and write a quote inside it as \\\"".into(),
            });
        };
        let body = &self.take(end + 1)[1..end];
        match unquote(body) {
            Ok(text) => Ok((text, at)),
            Err((before, what)) => Err(MatcherError {
                column: at + 1 + body[..before].chars().count(),
                what: what.into(),
                cure: "write a backslash as \\\\ and a line break as \\n".into(),
            }),
        }
    }

    fn operator(&mut self) -> Option<Op> {
        let signs = [("=~", Op::Matches), ("=", Op::Equal), ("!=", Op::NotEqual), ("!~", Op::NotMatches)];
        signs.into_iter().find(|(sign, _)| self.eat(sign)).map(|(_, op)| op)
    }

    fn peek(&mut self) -> Option<char> {
        let blanks = self.rest.len() - self.rest.trim_start().len();
        self.take(blanks);
        self.rest.chars().next()
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.peek();
        let found = self.rest.starts_with(sign);
        if found {
            self.take(sign.len());
        }
        found
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.column += taken.chars().count();
        self.rest = rest;
        taken
    }

    fn unexpected(&mut self, expected: &str, cure: &str) -> MatcherError {
        let what = match self.peek() {
            Some(c) => format!("{expected} is expected here, not {c:?}"),
            None => format!("{expected} is expected here, not the end"),
        };
        MatcherError { column: self.column, what, cure: cure.into() }
    }
}

/// Go's `strconv.Unquote` of what stands between double quotes. The error has its byte offset.
fn unquote(body: &str) -> Result<String, (usize, &'static str)> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        let at = body.len() - rest.len();
        let used = match c {
            '\n' => return Err((at, "a line break cannot stand in double quotes")),
            '\\' => 1 + escape(&rest[1..], &mut bytes).ok_or((at, "this escape sequence does not exist"))?,
            c => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                c.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    String::from_utf8(bytes).map_err(|_| (0, "the escaped bytes of this value are not UTF-8"))
}

/// Decodes one escape sequence (without its backslash); gives its length.
fn escape(code: &str, out: &mut Vec<u8>) -> Option<usize> {
    let number = |from: usize, digits: usize, radix: u32| {
        let digits = code.get(from..from + digits)?;
        digits.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let mut character = |digits: usize| {
        let c = char::from_u32(number(1, digits, 16)?)?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Some(1 + digits)
    };
    let byte = match code.bytes().next()? {
        b'u' => return character(4),
        b'U' => return character(8),
        b'x' => {
            out.push(u8::try_from(number(1, 2, 16)?).ok()?);
            return Some(3);
        }
        b'0'..=b'7' => {
            out.push(u8::try_from(number(0, 3, 8)?).ok()?);
            return Some(3);
        }
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        same @ (b'\\' | b'"') => same,
        _ => return None,
    };
    out.push(byte);
    Some(1)
}
