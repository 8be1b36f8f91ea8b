//! Settings of a mail target: what an operator may write, checked and compiled.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lettre::message::Mailbox as ParsedMailbox;
use lettre::transport::smtp::client::Certificate;
use serde::Deserialize;
use url::{Host, Url};

use crate::document::node::At;
use crate::domain::mail::{MailServer, Mailbox, Security};
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::contract::{Built, Workshop};
use crate::target::email::{Email, WORDINGS};
use crate::template::escape::Escape;

/// More are a mailing list's business, and each costs a round trip.
const RECIPIENTS_MAX: usize = 100;

const SMTP_CURE: &str = "write smtps://mail.example.com (port 465) or smtp://mail.example.com (port 587)";

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    smtp: Text,
    starttls: Text,
    ca: Text,
    hello: Text,
    username: Text,
    password: Option<At<Secret>>,
    from: Text,
    to: Vec<At<String>>,
    cc: Vec<At<String>>,
    reply_to: Text,
    subject: Text,
    text: Text,
    html: Text,
    text_only: bool,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Email>) };
    let server = server(&mut bench, &settings);
    let credentials = credentials(&mut bench, &settings);
    if let Some(server) = &server {
        plain_text(&mut bench, &settings, server);
    }
    if settings.from.is_none() {
        bench.missing("from", "`from` is missing", "add `from: Relay <relay@example.com>`");
    }
    let from = settings.from.as_ref().and_then(|at| mailbox(&mut bench, "from", at));
    let to = mailboxes(&mut bench, "to", &settings.to);
    let cc = mailboxes(&mut bench, "cc", &settings.cc);
    if settings.to.is_empty() {
        bench.missing("to", "nobody gets the mails", "add `to: [ops@example.com]`");
    }
    if let Some(at) = settings.cc.last().or(settings.to.last())
        && to.len() + cc.len() > RECIPIENTS_MAX
    {
        let what = format!("a mail goes to at most {RECIPIENTS_MAX} addresses");
        bench.wrong("to", at, &what, "write to a mailing list");
    }
    let reply_to = settings.reply_to.as_ref().and_then(|at| mailbox(&mut bench, "reply_to", at));
    let subject = bench.wording("subject", settings.subject.as_ref(), Escape::None);
    let text = bench.wording("text", settings.text.as_ref(), Escape::None);
    let html = bench.wording("html", settings.html.as_ref(), Escape::Html);
    if let (true, Some(at)) = (settings.text_only, &settings.html) {
        bench.wrong("html", at, "with `text_only: true` no HTML is sent", "leave out one of the two");
    }
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let target = (|| {
        Some(Email {
            server: server?,
            credentials,
            from: from?,
            to,
            cc,
            reply_to,
            subject: subject?,
            text: text?,
            html: html.filter(|_| !settings.text_only),
            secrets,
            redactor,
        })
    })();
    bench.finish(target)
}

fn server(bench: &mut Bench<'_>, settings: &Settings) -> Option<MailServer> {
    let ca = settings.ca.as_ref().map(|at| {
        let is_read =
            at.value.contains("BEGIN CERTIFICATE") && Certificate::from_pem(at.value.as_bytes()).is_ok();
        if !is_read {
            let cure = "write ca: \"${file:/etc/ssl/our-ca.pem}\"";
            bench.wrong("ca", at, "this is no certificate in PEM form", cure);
        }
        at.value.clone()
    });
    let hello = hello(bench, settings);
    let Some(at) = &settings.smtp else {
        bench.missing("smtp", "the mail server is missing", SMTP_CURE);
        return None;
    };
    let Some((is_tls, host, port)) = parts(at.value.trim()) else {
        match at.value.contains('@') {
            true => {
                let what = "credentials do not belong into an address";
                bench.wrong("smtp", at, what, "use `username` and `password`");
            }
            false => bench.wrong("smtp", at, "this is no address of a mail server", SMTP_CURE),
        }
        return None;
    };
    let starttls = settings.starttls.as_ref().map(|at| (at.value.as_str(), at));
    let security = match (is_tls, starttls) {
        (true, None) => Security::Tls,
        (true, Some((_, at))) => {
            let what = "smtps:// is encrypted from the first byte, there is no STARTTLS in it";
            bench.wrong("starttls", at, what, "leave out `starttls`, or write smtp://");
            Security::Tls
        }
        (false, None | Some(("required", _))) => Security::StartTls,
        (false, Some(("opportunistic", _))) => Security::Opportunistic,
        (false, Some(("none", _))) => Security::Plain,
        (false, Some((other, at))) => {
            let what = format!("there is no {other:?} for STARTTLS");
            bench.wrong("starttls", at, &what, "write required, opportunistic or none");
            Security::StartTls
        }
    };
    Some(MailServer { host, port, security, ca, hello })
}

/// TLS from the first byte or not, host without brackets, port.
fn parts(text: &str) -> Option<(bool, String, u16)> {
    let url = Url::parse(text).ok()?;
    let (is_tls, usual) = match url.scheme() {
        "smtps" => (true, 465),
        "smtp" => (false, 587),
        _ => return None,
    };
    let host = match url.host()? {
        Host::Ipv6(address) => address.to_string(),
        Host::Ipv4(address) => address.to_string(),
        Host::Domain(name) => name.to_owned(),
    };
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let is_name = !host.is_empty() && host.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._:".contains(&c));
    (is_bare && is_name).then(|| (is_tls, host, url.port().unwrap_or(usual)))
}

/// Servers check that it looks like a name; the relay's own is the best there is.
fn hello(bench: &mut Bench<'_>, settings: &Settings) -> String {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-.[]:".contains(&c))
    };
    match &settings.hello {
        Some(at) => {
            if !is_name(&at.value) {
                bench.wrong("hello", at, "this is no host name", "write one, as in relay.example.com");
            }
            at.value.clone()
        }
        None => {
            let own = Url::parse(bench.workshop.external_url).ok();
            let name = own.as_ref().and_then(Url::domain).filter(|name| is_name(name));
            name.unwrap_or("localhost").to_owned()
        }
    }
}

fn credentials(bench: &mut Bench<'_>, settings: &Settings) -> Option<(String, Secret)> {
    match (&settings.username, &settings.password) {
        (None, None) => None,
        (Some(at), None) => {
            bench.wrong(
                "username",
                at,
                "a username without a password",
                "add `password: \"${SMTP_PASSWORD}\"`",
            );
            None
        }
        (None, Some(at)) => {
            bench.wrong("password", at, "a password without a username", "add `username`");
            None
        }
        (Some(username), Some(password)) => {
            if username.value.is_empty() {
                bench.wrong("username", username, "`username` is empty", "write the name to log in with");
            }
            if password.value.is_empty() {
                bench.wrong("password", password, "`password` is empty", "write the password to log in with");
            }
            bench.remember(password.value.clone());
            // As it goes over the wire (RFC 4616), which a server may quote.
            let line = format!("\0{}\0{}", username.value, password.value.expose());
            bench.remember(Secret::new(BASE64.encode(line)));
            Some((username.value.clone(), password.value.clone()))
        }
    }
}

/// What goes unencrypted over a network can be read there, and the password with it.
fn plain_text(bench: &mut Bench<'_>, settings: &Settings, server: &MailServer) {
    let is_here = server.host == "localhost"
        || server.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let Some(at) = &settings.starttls else { return };
    if is_here || !matches!(server.security, Security::Plain | Security::Opportunistic) {
        return;
    }
    if settings.password.is_some() {
        let what = format!("with `starttls: {}` the password can be read on the way", at.value);
        bench.wrong("starttls", at, &what, "leave out `starttls`, or write smtps://");
    } else if server.security == Security::Plain {
        let what = "mails go unencrypted over the network";
        bench.doubtful("starttls", at, what, "leave out `starttls` if the server can encrypt");
    }
}

fn mailboxes(bench: &mut Bench<'_>, field: &str, list: &[At<String>]) -> Vec<Mailbox> {
    let each = list.iter().enumerate();
    each.filter_map(|(index, at)| mailbox(bench, &format!("{field}[{index}]"), at)).collect()
}

fn mailbox(bench: &mut Bench<'_>, field: &str, at: &At<String>) -> Option<Mailbox> {
    let text = at.value.trim();
    let parsed = text.parse::<ParsedMailbox>().ok().map(|parsed| {
        let name = parsed.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Mailbox { name, address: parsed.email.to_string() }
    });
    // The parser passes over what follows an address.
    let whole = parsed.filter(|parsed| {
        let address = &parsed.address;
        let ends = text.ends_with(address.as_str()) || text.ends_with(&format!("{address}>"));
        ends && address.is_ascii() && !text.contains(char::is_control)
    });
    if whole.is_none() {
        let what = format!("{text:?} is no mail address");
        bench.wrong(field, at, &what, "write ops@example.com or Ops <ops@example.com>, one address each");
    }
    whole
}
