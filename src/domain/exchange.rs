//! A call to a target as plain data: what is to be sent, what came back, what went wrong between.

use std::fmt;

use crate::domain::mail::MailRequest;
use crate::domain::secret::Secret;

/// Something to send. A kind makes it, `client.rs` carries it out.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// An HTTP call.
    Http(HttpRequest),
    /// A mail.
    Mail(Box<MailRequest>),
    /// Text for the daemon's standard output (kind `console`).
    Print(String),
    /// No call: the service has all that this message is about, or is not to hear of it. The
    /// delivery counts as made, and the record keeps this remark.
    Nothing(String),
}

/// Request methods in use; `webhook` may choose any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the methods of RFC 9110")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Request {
    /// Asking twice does no harm, because nothing is changed by it.
    pub fn is_question(&self) -> bool {
        matches!(self, Request::Http(request) if request.method == Method::Get)
    }

    /// The whole of it as text, for `explain`, dry runs and golden cases; secrets that are not known
    /// as such here are starred by the redactor the caller applies.
    pub fn to_text(&self) -> String {
        match self {
            Request::Http(request) => request.to_text(),
            Request::Mail(request) => request.to_text(),
            Request::Print(text) => text.clone(),
            Request::Nothing(remark) => format!("nothing: {remark}"),
        }
    }
}

impl Method {
    /// Reads `POST` or `post`.
    pub fn parse(text: &str) -> Option<Method> {
        Some(match text.to_ascii_uppercase().as_str() {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => return None,
        })
    }

    /// The token of RFC 9110.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// The value of a request header; a secret one prints as stars.
#[derive(Clone, PartialEq)]
pub enum HeaderText {
    /// May be shown.
    Plain(String),
    /// Must not be shown.
    Hidden(Secret),
}

impl HeaderText {
    /// The real value, for the wire only.
    pub fn expose(&self) -> &str {
        match self {
            HeaderText::Plain(text) => text,
            HeaderText::Hidden(secret) => secret.expose(),
        }
    }
}

impl fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderText::Plain(text) => fmt::Debug::fmt(text, f),
            HeaderText::Hidden(_) => f.write_str("***"),
        }
    }
}

/// An HTTP request with its whole body. The URL and the body may hold secrets (a Slack webhook
/// URL, a routing key): show them only through a `Redactor`.
#[derive(Clone, PartialEq)]
pub struct HttpRequest {
    /// How.
    pub method: Method,
    /// Where: absolute, already checked when the config was loaded.
    pub url: Secret,
    /// Names in canonical spelling, in the order they are sent.
    pub headers: Vec<(String, HeaderText)>,
    /// What.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A request with nothing in it yet.
    pub fn new(method: Method, url: impl Into<Secret>) -> HttpRequest {
        HttpRequest { method, url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: HeaderText) -> HttpRequest {
        self.headers.push((name.to_owned(), value));
        self
    }

    /// With a JSON value as its body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> HttpRequest {
        self.typed("application/json", body.to_string().into_bytes())
    }

    /// With a form as its body (`application/x-www-form-urlencoded`).
    #[must_use]
    pub fn form<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HttpRequest {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.typed("application/x-www-form-urlencoded", body.into_bytes())
    }

    /// With these bytes as its body.
    #[must_use]
    pub fn typed(mut self, content_type: &str, body: Vec<u8>) -> HttpRequest {
        self.headers.push(("Content-Type".into(), HeaderText::Plain(content_type.into())));
        self.body = body;
        self
    }

    /// The request as text, one line a header, for `explain` and golden cases. Secret headers are
    /// starred here; secrets in URL and body are starred by the redactor the caller applies.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} {}\n", self.method.as_str(), self.url.expose());
        for (name, value) in &self.headers {
            let shown = match value {
                HeaderText::Plain(text) => text.as_str(),
                HeaderText::Hidden(_) => "***",
            };
            text.push_str(&format!("{name}: {shown}\n"));
        }
        text.push('\n');
        let pretty = serde_json::from_slice::<serde_json::Value>(&self.body)
            .and_then(|value| serde_json::to_string_pretty(&value));
        text.push_str(&pretty.unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into_owned()));
        text
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &"***")
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// What came back, bounded in size.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// HTTP status code, or the reply code of SMTP (RFC 5321, 4.2).
    pub status: u16,
    /// Header names in lower case. SMTP has none; `domain/mail.rs` says what stands here for it.
    pub headers: Vec<(String, String)>,
    /// At most the client's limit of bytes; the rest was not read.
    pub body: Vec<u8>,
}

impl Reply {
    /// First value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The start of the body for logs and the attempts table: one line, at most `chars` characters.
    pub fn excerpt(&self, chars: usize) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(chars) {
            Some((cut, _)) => format!("{}…", &line[..cut]),
            None => line,
        }
    }
}

/// How far a call got that brought no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Nothing was sent: name, connection or TLS failed. The target cannot have it.
    Nobody,
    /// It was sent, wholly or in part, and no complete answer came. The target may have it.
    Perhaps,
}

/// A call that brought no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// How far it got.
    pub reached: Reached,
    /// One sentence; holds no secret, no URL.
    pub reason: String,
    /// The certificate or the name is wrong rather than the network down: a person must act.
    pub misconfigured: bool,
}
