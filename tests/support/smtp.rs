//! A mail server for tests: SMTP on 127.0.0.1 with STARTTLS, TLS from the first byte or neither,
//! that checks what a real one checks and keeps what it took. A script may answer in its place.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The one who may log in.
pub const USER: &str = "relay";
/// With this.
pub const PASSWORD: &str = "hunter2-hunter2 ";

/// How the server speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Tls,
    StartTls,
    Plain,
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
    pub encrypted: bool,
}

/// Answers a line in the server's place; `.` is the end of a mail. The number counts the lines with
/// this first word, from 1.
type Script = dyn Fn(&str, usize) -> Option<&'static str> + Send + Sync;

struct Inner {
    way: Way,
    script: Box<Script>,
    acceptor: TlsAcceptor,
    lines: Mutex<Vec<String>>,
    taken: Mutex<Vec<Taken>>,
}

/// A running server; it ends with the test.
pub struct Mta {
    inner: Arc<Inner>,
    pub port: u16,
    /// Its certificate, which is made out to `localhost`.
    pub pem: String,
}

impl Mta {
    pub async fn start(
        way: Way,
        script: impl Fn(&str, usize) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Mta {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let pem = issued.cert.pem();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(issued.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.unwrap().with_no_client_auth().with_single_cert(vec![issued.cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(tls.unwrap()));
        let (lines, taken) = Default::default();
        let inner = Arc::new(Inner { way, script: Box::new(script), acceptor, lines, taken });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let inner = Arc::clone(&serving);
                tokio::spawn(async move { inner.serve(socket).await });
            }
        });
        Mta { inner, port, pem }
    }

    /// What it was told, without the words of mails and of logins.
    pub fn lines(&self) -> Vec<String> {
        self.inner.lines.lock().unwrap().clone()
    }

    /// Waits until it took so many mails.
    pub async fn has_taken(&self, count: usize) -> Vec<Taken> {
        for _ in 0..1500 {
            let taken = self.inner.taken.lock().unwrap().clone();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{count} mails were awaited; it was told {:#?}", self.lines());
    }

    /// Waits until it was told so many lines that begin so.
    pub async fn was_told(&self, start: &str, count: usize) {
        for _ in 0..1500 {
            if self.lines().iter().filter(|line| line.starts_with(start)).count() >= count {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{count} of {start} were awaited; it was told {:#?}", self.lines());
    }
}

impl Inner {
    async fn serve(&self, socket: TcpStream) {
        match self.way {
            Way::Plain => drop(self.session(socket, false, true).await),
            Way::Tls => {
                let Ok(stream) = self.acceptor.accept(socket).await else { return };
                self.session(stream, true, true).await;
            }
            Way::StartTls => {
                let Some(socket) = self.session(socket, false, true).await else { return };
                let Ok(stream) = self.acceptor.accept(socket).await else { return };
                self.session(stream, true, false).await;
            }
        }
    }

    /// Speaks until the end, or gives the stream back for STARTTLS.
    async fn session<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        encrypted: bool,
        greet: bool,
    ) -> Option<S> {
        let mut stream = BufReader::new(stream);
        if greet {
            stream.write_all(b"220 mx.example.com ESMTP\r\n").await.ok()?;
        }
        let mut talk = Talk { encrypted, ..Talk::default() };
        loop {
            let line = read_line(&mut stream).await?;
            let scripted = self.heard(&line);
            let answer = match scripted {
                Some("cut") => return None,
                Some(answer) => answer.to_owned(),
                None => self.answer(&mut talk, &line),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            if answer.starts_with("354") {
                talk.data = read_mail(&mut stream).await?;
                let answer = match self.heard(".") {
                    Some("cut") => return None,
                    Some(answer) => answer.to_owned(),
                    None => self.take(&mut talk),
                };
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            }
            if answer.starts_with("221") || answer.starts_with("421") {
                return None;
            }
            if line == "STARTTLS" && answer.starts_with("220") {
                return Some(stream.into_inner());
            }
        }
    }

    fn heard(&self, line: &str) -> Option<&'static str> {
        let mut lines = self.lines.lock().unwrap();
        let verb = line.split([' ', ':']).next().unwrap().to_owned();
        lines.push(if verb == "AUTH" { "AUTH".to_owned() } else { line.to_owned() });
        let nth = lines.iter().filter(|line| line.split([' ', ':']).next() == Some(&verb)).count();
        (self.script)(line, nth)
    }

    fn answer(&self, talk: &mut Talk, line: &str) -> String {
        let may_log_in = talk.encrypted || self.way == Way::Plain;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let path = rest.split_once(":<").and_then(|(_, path)| path.split_once('>')).map(|(path, _)| path);
        match (verb, path) {
            ("EHLO", _) if rest.is_empty() => "501 who is there".into(),
            ("EHLO", _) => {
                talk.greeted = true;
                let more = if may_log_in { "250-AUTH PLAIN LOGIN\r\n" } else { "250-STARTTLS\r\n" };
                format!("250-mx.example.com\r\n{more}250 HELP")
            }
            ("STARTTLS", _) if self.way == Way::StartTls && !talk.encrypted => "220 go on".into(),
            ("AUTH", _) if !may_log_in => "538 5.7.11 encrypt first".into(),
            ("AUTH", _) => {
                let good = format!("PLAIN {}", BASE64.encode(format!("\0{USER}\0{PASSWORD}")));
                talk.logged_in = rest == good;
                if talk.logged_in { "235 welcome".into() } else { format!("535 5.7.8 no such login: {rest}") }
            }
            ("MAIL", _) if !talk.greeted => "503 5.5.1 EHLO first".into(),
            ("MAIL", _) if !talk.logged_in && self.way != Way::Plain => "530 5.7.0 log in first".into(),
            ("MAIL", Some(path)) => {
                (talk.from, talk.to) = (Some(path.to_owned()), Vec::new());
                "250 2.1.0 sender ok".into()
            }
            ("RCPT", Some(_)) if talk.from.is_none() => "503 5.5.1 MAIL first".into(),
            ("RCPT", Some(path)) if !path.ends_with("@example.com") => "550 5.1.1 no such user".into(),
            ("RCPT", Some(path)) => {
                talk.to.push(path.to_owned());
                "250 2.1.5 ok".into()
            }
            ("DATA", _) if talk.to.is_empty() => "503 5.5.1 RCPT first".into(),
            ("DATA", _) => "354 go on".into(),
            ("QUIT", _) => "221 bye".into(),
            ("NOOP" | "RSET", _) => "250 ok".into(),
            _ => "500 5.5.2 what?".into(),
        }
    }

    fn take(&self, talk: &mut Talk) -> String {
        let data = std::mem::take(&mut talk.data);
        if let Some(fault) = fault(&data) {
            return format!("554 5.6.0 {fault}");
        }
        let from = talk.from.take().unwrap();
        let to = std::mem::take(&mut talk.to);
        self.taken.lock().unwrap().push(Taken { from, to, data, encrypted: talk.encrypted });
        "250 2.0.0 queued as 4F3A".into()
    }
}

/// What a mail must keep to (RFC 5322, RFC 5321, 4.5.3.1.6).
fn fault(data: &str) -> Option<String> {
    let head = data.split("\r\n\r\n").next().unwrap();
    let count = |name: &str| {
        head.split("\r\n").filter(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:"))).count()
    };
    let once = ["from", "to", "date", "subject", "message-id", "mime-version", "content-type"];
    if let Some(name) = once.iter().find(|name| count(name) != 1) {
        return Some(format!("{} of {name}", count(name)));
    }
    let is_bare = |line: &str| line.contains(['\r', '\n']);
    let bad = data.split("\r\n").find(|line| line.len() > 998 || !line.is_ascii() || is_bare(line));
    bad.map(|line| format!("a bad line: {line:?}"))
}

#[derive(Default)]
struct Talk {
    encrypted: bool,
    greeted: bool,
    logged_in: bool,
    from: Option<String>,
    to: Vec<String>,
    data: String,
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.strip_suffix("\r\n").expect("a line ends with CRLF").to_owned())
}

/// Up to the dot, stuffing undone.
async fn read_mail<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut mail = String::new();
    loop {
        let line = read_line(stream).await?;
        if line == "." {
            return Some(mail);
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
        mail.push_str("\r\n");
    }
}
