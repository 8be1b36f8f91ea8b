//! Calls of the relay's admin interface: takes a path and a body, gives the JSON that came back, or
//! a sentence with the cure.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use crate::cli::queue::args::ReachArgs;
use crate::client::{Client, ClientSettings};
use crate::domain::exchange::{HeaderText, HttpRequest, Method, Reply};
use crate::server::app::OTHER_LISTENER;

/// A piece of a replay takes some seconds.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is read.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A relay that can be asked.
pub struct Relay<'a> {
    reach: &'a ReachArgs,
    client: Client,
    runtime: Runtime,
}

impl<'a> Relay<'a> {
    /// Gets ready; calls nobody yet.
    pub fn at(reach: &'a ReachArgs) -> Result<Relay<'a>, String> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path);
            text.map_err(|error| format!("--ca-file {}: {error}", path.display()))
        };
        let extra_roots = reach.ca_file.as_ref().map(read).transpose()?;
        let settings = ClientSettings {
            timeout: TIMEOUT,
            reply_bytes_max: ANSWER_BYTES,
            extra_roots,
            ..Default::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("the call cannot be made: {error}"))?;
        let _inside = runtime.enter();
        let client = Client::new(settings).map_err(|error| error.to_string())?;
        drop(_inside);
        Ok(Relay { reach, client, runtime })
    }

    /// `GET`, with these pairs behind the question mark.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        self.call(Method::Get, &format!("{path}?{}", pairs.finish()), Vec::new())
            .and_then(|reply| self.understood(&reply))
    }

    /// `GET` of something that is no JSON when all is well.
    pub fn text(&self, path: &str, query: &[(&str, &str)]) -> Result<String, String> {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        let reply = self.call(Method::Get, &format!("{path}?{}", pairs.finish()), Vec::new())?;
        if (200..300).contains(&reply.status) {
            return Ok(String::from_utf8_lossy(&reply.body).into_owned());
        }
        self.understood(&reply).map(|answer| answer.to_string())
    }

    /// `POST`.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.call(Method::Post, path, body.to_string().into_bytes()).and_then(|reply| self.understood(&reply))
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> Result<Value, String> {
        self.call(Method::Delete, path, Vec::new()).and_then(|reply| self.understood(&reply))
    }

    fn call(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, String> {
        let base = self.reach.url.trim_end_matches('/');
        let mut headers = Vec::new();
        if let Some(token) = &self.reach.token {
            headers.push(("Authorization".to_owned(), HeaderText::Hidden(format!("Bearer {token}").into())));
        }
        if let Some(actor) = self.reach.actor.as_ref().filter(|name| name.bytes().all(|byte| byte >= b' ')) {
            headers.push(("X-Actor".to_owned(), HeaderText::Plain(actor.clone())));
        }
        let request = HttpRequest { method, url: format!("{base}{path}").into(), headers, body };
        match self.runtime.block_on(self.client.send(&request)) {
            Ok(reply) => Ok(reply),
            Err(error) if error.misconfigured && is_not_trusted(&error.reason) => Err(format!(
                "{}; name the authority that signed it with --ca-file, or mend --url",
                error.reason
            )),
            Err(error) if error.misconfigured => Err(format!("{}; mend --url", error.reason)),
            Err(error) => Err(format!(
                "the relay at {base} cannot be reached: {}; is it running? say where it listens with --url",
                error.reason
            )),
        }
    }

    fn understood(&self, reply: &Reply) -> Result<Value, String> {
        let value: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let detail = value.as_ref().and_then(|value| value["detail"].as_str()).unwrap_or_default();
        match (reply.status, value.as_ref()) {
            (200..300, Some(value)) => Ok(value.clone()),
            (401, _) => Err(
                "the relay wants a token: give one of server.admin.tokens with --token or in ALERT_RELAY_TOKEN"
                    .to_owned(),
            ),
            (status, _) if detail.is_empty() => {
                Err(format!("what answered there ({status}) is no alert-relay; say where it listens with --url"))
            }
            (404, _) if detail == OTHER_LISTENER => {
                Err(format!("{detail}; say server.admin.listen with --url or in ALERT_RELAY_URL"))
            }
            (404, _) if detail.starts_with("no such path") => Err(match path_of(&self.reach.url) {
                Some(path) => format!(
                    "the relay there has nothing below {path}; leave that out of --url, unless a proxy in between takes it off"
                ),
                None => "the relay there is older than this command; use its own alert-relay binary".to_owned(),
            }),
            _ => Err(detail.to_owned()),
        }
    }
}

/// The path of an address, if it has one.
fn path_of(url: &str) -> Option<String> {
    let path = Url::parse(url).ok()?.path().trim_end_matches('/').to_owned();
    (!path.is_empty()).then_some(path)
}

/// The certificate may be a good one of an authority that is not known here.
fn is_not_trusted(reason: &str) -> bool {
    reason.contains("certificate of the host is not")
}
