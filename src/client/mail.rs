//! Hands a mail to its server by SMTP. Takes a `MailRequest`, gives the reply that ended the talk, or
//! a `SendError` that says whether the server can have the mail. MIME, TLS and the protocol are
//! lettre's; a connection carries one mail.
//!
//! Recipients that are refused do not keep the mail from the others: the reply's headers name them
//! (`domain/mail.rs`). What a code means is not judged here.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as WireMailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::client::address::{DENIED, Denied, look_up};
use crate::client::fault::{broken_talk, nobody, perhaps};
use crate::client::{Client, wrong};
use crate::domain::exchange::{Reply, SendError};
use crate::domain::mail::{
    DEFERRED, Letter, MailRequest, MailServer, Mailbox, REFUSED, STAGE, Security, Stage,
};

/// For `QUIT`, when everything else is done.
const GOODBYE: Duration = Duration::from_millis(500);

/// "Service not available, closing transmission channel" (RFC 5321, 4.2.2).
const CLOSING: u16 = 421;

/// See [`crate::client::Client::send_mail`].
pub(super) async fn send(request: &MailRequest, client: &Client) -> Result<Reply, SendError> {
    let mail = wire_form(&request.letter)?;
    let whole = client.limits.whole;
    let mut line = None;
    let ended = timeout(whole, talk(request, &mail, client, &mut line)).await;
    if let Some(mut connection) = line {
        // Whether the server hears it changes nothing.
        let _heard = timeout(GOODBYE, connection.quit()).await;
    }
    // All before the mail itself has a shorter limit of its own.
    ended.unwrap_or_else(|_| Err(perhaps(format!("the mail was sent and not acknowledged within {whole:?}"))))
}

/// A reply that ends the talk, or what broke it off.
enum End {
    Answered(Reply),
    Broken(SendError),
}

impl End {
    /// What the library's error is at this stage.
    fn of(error: &Error, stage: Stage, sending: bool) -> End {
        match error.status() {
            Some(code) => End::Answered(reply(code.into(), stage, &said(error))),
            None => End::Broken(broken_talk(error, sending)),
        }
    }
}

/// What the server said with its code.
fn said(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

fn reply(status: u16, stage: Stage, text: &str) -> Reply {
    let headers = vec![(STAGE.to_owned(), stage.as_str().to_owned())];
    Reply { status, headers, body: text.as_bytes().to_vec() }
}

async fn talk(
    request: &MailRequest,
    mail: &[u8],
    client: &Client,
    line: &mut Option<AsyncSmtpConnection>,
) -> Result<Reply, SendError> {
    let limit = client.limits.whole * 3 / 4;
    let begun = timeout(limit, begin(request, client, line)).await.unwrap_or_else(|_| {
        *line = None;
        let why = format!("the mail server was not ready to take the mail within {limit:?}");
        Err(End::Broken(nobody(why, false)))
    });
    let others = match (begun, line.as_mut()) {
        (Err(End::Answered(reply)), _) => return Ok(reply),
        (Err(End::Broken(error)), _) => {
            *line = None;
            return Err(error);
        }
        (Ok(others), Some(connection)) => match connection.message(mail).await {
            Ok(answer) => {
                let text = answer.message().collect::<Vec<_>>().join(" ");
                return Ok(others.told(reply(answer.code().into(), Stage::Message, &text)));
            }
            Err(error) => End::of(&error, Stage::Message, true),
        },
        (Ok(_), None) => End::Broken(nobody("there is no connection to the mail server".into(), false)),
    };
    match others {
        End::Answered(reply) => Ok(reply),
        End::Broken(error) => {
            *line = None;
            Err(error)
        }
    }
}

/// All up to the server's "go ahead".
async fn begin(
    request: &MailRequest,
    client: &Client,
    line: &mut Option<AsyncSmtpConnection>,
) -> Result<Others, End> {
    let connection = line.insert(connected(&request.server, client).await?);
    if let Some((username, password)) = &request.credentials {
        let credentials = Credentials::new(username.clone(), password.expose().to_owned());
        connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(|error| {
            if error.is_client() {
                let what = "the mail server offers no login by PLAIN or LOGIN on this connection";
                return End::Broken(wrong(what));
            }
            End::of(&error, Stage::Login, false)
        })?;
    }
    let sender = address(&request.letter.from.address).map_err(End::Broken)?;
    let from = Mail::new(Some(sender), vec![]);
    connection.command(from).await.map_err(|error| End::of(&error, Stage::Sender, false))?;
    let others = recipients(connection, &request.recipients).await?;
    connection.command(Data).await.map_err(|error| End::of(&error, Stage::Message, false))?;
    Ok(others)
}

/// Connected, greeted, and encrypted as the settings want it.
async fn connected(server: &MailServer, client: &Client) -> Result<AsyncSmtpConnection, End> {
    let broken = |why: &str, misconfigured| End::Broken(nobody(why.to_owned(), misconfigured));
    let found = look_up(&server.host, server.port, &client.shared.rules).await.map_err(|error| {
        if error.is::<Denied>() {
            return broken(DENIED, true);
        }
        broken("the name of the mail server could not be resolved", false)
    })?;
    let hello = ClientId::Domain(server.hello.clone());
    let limit = Some(client.limits.connect);
    let around = (server.security == Security::Tls).then(|| tls(server, client)).transpose();
    let around = around.map_err(End::Broken)?;
    let opened = AsyncSmtpConnection::connect_tokio1(&found[..], limit, &hello, around, None).await;
    let mut connection = opened.map_err(|error| End::of(&error, Stage::Greeting, false))?;
    if matches!(server.security, Security::StartTls | Security::Opportunistic) {
        if connection.can_starttls() {
            let inside = tls(server, client).map_err(End::Broken)?;
            let agreed = connection.starttls(inside, &hello).await;
            agreed.map_err(|error| End::of(&error, Stage::Greeting, false))?;
        } else if server.security == Security::StartTls {
            return Err(broken("the mail server does not offer STARTTLS, so nothing was said to it", true));
        }
    }
    Ok(connection)
}

/// Reads the machine's root certificates, as every mail does anew; mails are few.
fn tls(server: &MailServer, client: &Client) -> Result<TlsParameters, SendError> {
    let mut builder = TlsParameters::builder(server.host.clone());
    for pem in [&server.ca, &client.shared.settings.extra_roots].into_iter().flatten() {
        let roots = Certificate::from_pem(pem.as_bytes())
            .map_err(|_| wrong("the certificates under `ca` cannot be read"))?;
        builder = builder.add_root_certificate(roots);
    }
    builder.build().map_err(|_| wrong("TLS cannot be set up with the certificates of this machine"))
}

/// Recipients that the server did not take, while it took others.
#[derive(Default)]
struct Others {
    refused: Vec<String>,
    deferred: Vec<String>,
}

impl Others {
    fn told(self, mut reply: Reply) -> Reply {
        for (name, list, between) in [(REFUSED, self.refused, "; "), (DEFERRED, self.deferred, " ")] {
            if !list.is_empty() {
                reply.headers.push((name.to_owned(), list.join(between)));
            }
        }
        reply
    }
}

/// Names all recipients. When none is taken, the reply is one of the kindest code: what may pass
/// later is tried again.
async fn recipients(connection: &mut AsyncSmtpConnection, addresses: &[String]) -> Result<Others, End> {
    let mut others = Others::default();
    let mut noes: Vec<(u16, String)> = Vec::new();
    for text in addresses {
        let to = Rcpt::new(address(text).map_err(End::Broken)?, vec![]);
        let Err(error) = connection.command(to).await else { continue };
        let Some(code) = error.status().map(u16::from).filter(|code| *code != CLOSING) else {
            return Err(End::of(&error, Stage::Recipients, false));
        };
        let why = format!("{text}: {code} {}", said(&error));
        if code < 500 {
            others.deferred.push(text.clone())
        } else {
            others.refused.push(why.clone())
        }
        noes.push((code, why));
    }
    if noes.len() == addresses.len() {
        let code = noes.iter().map(|(code, _)| *code).min().unwrap_or(CLOSING);
        let whys: Vec<String> = noes.into_iter().map(|(_, why)| why).collect();
        return Err(End::Answered(reply(code, Stage::Recipients, &whys.join("; "))));
    }
    Ok(others)
}

/// The mail as bytes (RFC 5322, MIME): ASCII only, every line short.
fn wire_form(letter: &Letter) -> Result<Vec<u8>, SendError> {
    let mut builder = Message::builder()
        .from(mailbox(&letter.from)?)
        .subject(letter.subject.as_str())
        .date(SystemTime::from(letter.date));
    for to in &letter.to {
        builder = builder.to(mailbox(to)?);
    }
    for cc in &letter.cc {
        builder = builder.cc(mailbox(cc)?);
    }
    if let Some(reply_to) = &letter.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    for (name, value) in letter.head() {
        builder =
            builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()));
    }
    let text = SinglePart::plain(letter.text.clone());
    let made = match &letter.html {
        None => builder.singlepart(text),
        Some(html) => {
            let both = MultiPart::alternative().boundary(boundary(letter, html));
            builder.multipart(both.singlepart(text).singlepart(SinglePart::html(html.clone())))
        }
    };
    made.map(|mail| mail.formatted()).map_err(|_| wrong("the mail cannot be put on the wire"))
}

/// Between the parts. A hash of what they say cannot stand in them.
fn boundary(letter: &Letter, html: &str) -> String {
    let mut hash = Sha256::new();
    for text in [&letter.message_id, &letter.text, html] {
        hash.update(text.as_bytes());
    }
    hash.finalize().iter().take(16).fold("relay-".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn address(text: &str) -> Result<Address, SendError> {
    text.parse().map_err(|_| wrong("an address of the mail is not valid"))
}

fn mailbox(mailbox: &Mailbox) -> Result<WireMailbox, SendError> {
    Ok(WireMailbox::new(mailbox.name.clone(), address(&mailbox.address)?))
}
