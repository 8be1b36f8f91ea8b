//! The only outward socket. Takes an `HttpRequest` or a mail, gives the `Reply` or a `SendError` that
//! says whether the target can have it.
//!
//! Deliberately not here: retries (reqwest's own are switched off: attempts are counted by the
//! queue), redirects (a 3xx is a reply like any other), proxies of the environment, judgement of
//! what a status means. No text that leaves this room holds the URL or a header value.

mod address;
mod fault;
mod mail;
pub mod outbound;
mod urls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, NoProxy, Proxy, Url, redirect, retry};

use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reached, Reply, SendError};
use crate::domain::mail::MailRequest;
use crate::domain::secret::Secret;

use self::address::{Guard, Rules};
use self::urls::Urls;

/// How calls are made. `..Default::default()` fits the public services.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientSettings {
    /// From the first look-up of the name to the last byte of the reply.
    pub timeout: Duration,
    /// Name, TCP and TLS together. Shortened to three quarters of the other two limits, so that
    /// running into those surely means that the request was begun.
    pub connect_timeout: Duration,
    /// From the start to the reply's headers; `None`: only `timeout` counts.
    pub first_byte: Option<Duration>,
    /// `User-Agent` where the request brings none.
    pub user_agent: String,
    /// Bytes of a reply's body that are read; the rest is left on the wire.
    pub reply_bytes_max: usize,
    /// Connections per host that are kept open between calls.
    pub idle_connections_max: usize,
    /// How long such a connection is kept. Shorter than what services grant, because a request
    /// sent into a connection that is just being closed has an unknown outcome.
    pub idle_timeout: Duration,
    /// Certificates (PEM, one or several) that are trusted besides those of the machine.
    pub extra_roots: Option<String>,
    /// Addresses that are never called, checked after the name is resolved. Not asked of a proxy:
    /// it resolves names by itself.
    pub denied_addresses: Vec<IpNet>,
    /// Addresses that are called although they are denied.
    pub allowed_addresses: Vec<IpNet>,
    /// URL of the HTTP proxy that calls go through, perhaps with a login in it. Mail does not.
    pub proxy: Option<Secret>,
    /// What is called without it, as in the variable `NO_PROXY`: hosts, domains, networks.
    pub no_proxy: Vec<String>,
    /// Names whose addresses are not asked of the resolver, as in a hosts file.
    pub hosts: Vec<(String, SocketAddr)>,
}

impl Default for ClientSettings {
    fn default() -> ClientSettings {
        ClientSettings {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            first_byte: None,
            user_agent: concat!("alert-relay/", env!("CARGO_PKG_VERSION")).to_owned(),
            reply_bytes_max: 64 * 1024,
            // As many as a target may call at once: with fewer, calls under load would open and close.
            idle_connections_max: 256,
            idle_timeout: Duration::from_secs(20),
            extra_roots: None,
            denied_addresses: Vec::new(),
            allowed_addresses: Vec::new(),
            proxy: None,
            no_proxy: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

impl TimeLimits {
    /// Only the whole call has a limit of its own.
    pub fn whole(whole: Duration) -> TimeLimits {
        TimeLimits { whole, connect: None, first_byte: None }
    }
}

/// Time limits of a call that differ from target to target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// From the first look-up of the name to the last byte of the reply.
    pub whole: Duration,
    /// Name, TCP and TLS together; `None`: as the client's settings say.
    pub connect: Option<Duration>,
    /// From the start to the reply's headers; `None`: only `whole` counts.
    pub first_byte: Option<Duration>,
}

/// Time limits that fit each other.
#[derive(Debug, Clone, Copy)]
struct Limits {
    whole: Duration,
    connect: Duration,
    first_byte: Option<Duration>,
}

impl Limits {
    /// Shortens the time to connect where it is too long for the other two limits.
    fn fitted(limits: TimeLimits, connect: Duration) -> Limits {
        let TimeLimits { whole, first_byte, .. } = limits;
        let shortest = first_byte.map_or(whole, |limit| limit.min(whole));
        Limits { whole, connect: connect.min(shortest * 3 / 4), first_byte }
    }

    /// The limit for the reply's headers: the whole, or a shorter one of their own.
    fn of_headers(&self) -> Duration {
        self.first_byte.map_or(self.whole, |limit| limit.min(self.whole))
    }
}

const H2_PING_EVERY: Duration = Duration::from_secs(5);
const H2_PONG_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no client: one sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClientError(String);

/// Makes calls over a pool of connections. A clone shares the pool.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    limits: Limits,
    shared: Arc<Shared>,
}

/// What clients have in common that differ in nothing but time limits.
#[derive(Debug)]
struct Shared {
    settings: ClientSettings,
    rules: Rules,
    urls: Urls,
    /// Those with another time to connect, which a pool has for all its calls. They differ only in
    /// that.
    pools: Mutex<BTreeMap<Duration, reqwest::Client>>,
}

impl Client {
    /// A client with a pool of its own. Reads the machine's root certificates, which costs some
    /// milliseconds and memory: targets that differ in nothing but time limits should share one
    /// through [`Client::with_limits`].
    ///
    /// # Errors
    /// [`ClientError`] when the extra certificates cannot be read or TLS cannot be set up.
    pub fn new(settings: ClientSettings) -> Result<Client, ClientError> {
        let limits = TimeLimits { whole: settings.timeout, connect: None, first_byte: settings.first_byte };
        let limits = Limits::fitted(limits, settings.connect_timeout);
        let rules = Rules::new(&settings.denied_addresses, &settings.allowed_addresses);
        let http = pool(&settings, &rules, limits.connect)?;
        let shared = Shared { settings, rules, urls: Urls::default(), pools: Mutex::default() };
        Ok(Client { http, limits, shared: Arc::new(shared) })
    }

    /// The same client with other time limits. Shares the pool and the certificates unless the time
    /// to connect differs; then all that ask for the same share one.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_limits(&self, limits: TimeLimits) -> Result<Client, ClientError> {
        let Shared { settings, rules, pools, .. } = &*self.shared;
        let limits = Limits::fitted(limits, limits.connect.unwrap_or(self.limits.connect));
        let connect = limits.connect;
        let http = if connect == self.limits.connect {
            self.http.clone()
        } else {
            let mut pools = pools.lock().unwrap_or_else(PoisonError::into_inner);
            match pools.get(&connect) {
                Some(http) => http.clone(),
                None => pools.entry(connect).insert_entry(pool(settings, rules, connect)?).get().clone(),
            }
        };
        Ok(Client { http, limits, shared: Arc::clone(&self.shared) })
    }

    /// Makes one call. Whatever status comes back is a reply, even when the body after it breaks
    /// off or never ends: then the reply holds what came.
    ///
    /// # Errors
    /// [`SendError`] when no status came; `reached` says whether the target may have the request.
    pub async fn send(&self, request: &HttpRequest) -> Result<Reply, SendError> {
        let Limits { whole, .. } = self.limits;
        let to_headers = self.limits.of_headers();
        let call = self.http.execute(self.wire_form(request)?);
        // One alarm for all of the call, and none of reqwest's own: theirs is kept in a map for each.
        let mut alarm = pin!(tokio::time::sleep(to_headers));
        let answered = tokio::select! {
            biased;
            answered = call => answered.map_err(|error| fault::classify(&error, &self.limits)),
            () = &mut alarm => Err(fault::no_answer_in(to_headers, &self.limits)),
        };
        let mut response = answered?;
        if to_headers < whole {
            let end = alarm.deadline() + (whole - to_headers);
            alarm.as_mut().reset(end);
        }
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        tokio::select! {
            biased;
            () = read_bounded(&mut response, &mut body, self.shared.settings.reply_bytes_max) => {}
            () = alarm => {}
        }
        Ok(Reply { status, headers, body })
    }

    /// Hands a mail to its server, over a connection of its own. The reply is the one that ended the
    /// talk; its headers are those of `domain/mail.rs`.
    ///
    /// # Errors
    /// [`SendError`] when the talk broke off; `reached` says whether the server may have the mail.
    pub async fn send_mail(&self, request: &MailRequest) -> Result<Reply, SendError> {
        mail::send(request, self).await
    }

    fn wire_form(&self, request: &HttpRequest) -> Result<reqwest::Request, SendError> {
        let url = self.shared.urls.of(&request.url, &self.shared.rules)?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut call = reqwest::Request::new(method, url);
        *call.headers_mut() = wire_headers(&request.headers)?;
        if !request.body.is_empty() || !matches!(request.method, Method::Get | Method::Delete) {
            *call.body_mut() = Some(request.body.clone().into());
        }
        Ok(call)
    }
}

/// A pool of connections. Reads the machine's root certificates.
fn pool(settings: &ClientSettings, rules: &Rules, connect: Duration) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        // `never` alone would copy each request, only to find afterwards that it is not needed.
        .retry(retry::never().max_retries_per_request(0))
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(connect)
        // A dead HTTP/2 connection is shared by all calls and would fail each of them for as
        // long as TCP has patience; a dead HTTP/1 connection goes with its one call.
        .http2_keep_alive_interval(H2_PING_EVERY)
        .http2_keep_alive_timeout(H2_PONG_WITHIN)
        .pool_idle_timeout(settings.idle_timeout)
        .pool_max_idle_per_host(settings.idle_connections_max)
        .user_agent(&settings.user_agent);
    if let Some(pem) = &settings.extra_roots {
        let roots = Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|_| ClientError("the extra root certificates are not valid PEM".into()))?;
        if roots.is_empty() {
            return Err(ClientError("the extra root certificates hold no certificate".into()));
        }
        builder = builder.tls_certs_merge(roots);
    }
    if let Some(url) = &settings.proxy {
        let wrong = |_| ClientError("the URL of the proxy is not valid".into());
        let proxy = Proxy::all(url.expose()).map_err(wrong)?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&settings.no_proxy.join(","))));
    }
    if !settings.denied_addresses.is_empty() {
        let proxy = settings.proxy.as_ref().and_then(|url| Url::parse(url.expose()).ok());
        let proxy = proxy.and_then(|url| url.host_str().map(str::to_owned));
        builder = builder.dns_resolver(Guard::new(rules.clone(), proxy));
    }
    for (name, address) in &settings.hosts {
        builder = builder.resolve(name, *address);
    }
    builder.build().map_err(|error| {
        let error = error.without_url();
        let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        ClientError(format!(
            "the HTTP client cannot be set up: {why}; \
             if this machine has no root certificates, install them (package ca-certificates)"
        ))
    })
}

/// Headers that frame a request on the wire; a template must not write them.
const FRAMING: [&str; 8] =
    ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

fn wire_headers(headers: &[(String, HeaderText)]) -> Result<HeaderMap, SendError> {
    let mut map = HeaderMap::with_capacity(headers.len() + 2);
    for (name, text) in headers {
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("the name of a header holds a character that may not stand there"))?;
        if FRAMING.contains(&key.as_str()) {
            return Err(wrong(&format!("the header {key} frames the request and cannot be set")));
        }
        let mut value = HeaderValue::from_bytes(text.expose().as_bytes()).map_err(|_| {
            wrong(&format!("the value of the header {key} holds a line break or another control character"))
        })?;
        value.set_sensitive(matches!(text, HeaderText::Hidden(_)));
        map.append(key, value);
    }
    Ok(map)
}

/// Reads until the end, the limit or a break, whichever comes first. Dropped before that, it leaves
/// what it has read.
async fn read_bounded(response: &mut reqwest::Response, body: &mut Vec<u8>, limit: usize) {
    let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    body.reserve_exact(announced.min(limit));
    while body.len() < limit {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]),
            // The status is known, and that is what most targets are judged by.
            Ok(None) | Err(_) => break,
        }
    }
}

/// Nothing was sent, and only a person can mend it.
fn wrong(reason: &str) -> SendError {
    SendError { reached: Reached::Nobody, reason: reason.to_owned(), misconfigured: true }
}
