//! Which routing key a message goes to, and which one it went to.
//!
//! PagerDuty folds events by key and dedup key: a resolve sent with another key than its trigger is
//! accepted and does nothing. So the key of the trigger is remembered, by its fingerprint: the key
//! itself must never be stored.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::domain::message::{Message, RemoteRef};
use crate::domain::secret::Secret;
use crate::template::library::{Fault, Template};

/// Comes before the fingerprint in a remote ref.
const PREFIX: &str = "key:";

/// A routing key and its name for the record.
#[derive(Debug)]
pub struct Key {
    /// The key itself.
    pub secret: Secret,
    /// `key:` and the beginning of its SHA-256; says nothing about a key of 32 random characters.
    pub print: String,
}

impl Key {
    /// Takes a key in.
    pub fn new(secret: Secret) -> Key {
        let hash = Sha256::digest(secret.expose().as_bytes());
        let print = hash.iter().take(8).fold(PREFIX.to_owned(), |text, byte| text + &format!("{byte:02x}"));
        Key { secret, print }
    }

    /// What is to be remembered of it.
    pub fn remote(&self) -> RemoteRef {
        RemoteRef(self.print.clone())
    }
}

/// All keys of a target.
#[derive(Debug)]
pub struct Keys {
    /// `routing_key`: the one for everything that asks for no other.
    pub current: Key,
    /// `routing_keys`: chosen by name.
    pub named: BTreeMap<String, Key>,
    /// `retired_routing_keys`: still good for what was opened with them.
    pub retired: Vec<Key>,
    /// `routing_key_name`: says which of the named.
    pub name: Option<Template>,
}

/// The key to use, and what is odd about the choice.
#[derive(Debug)]
pub struct Choice<'a> {
    /// The key.
    pub key: &'a Key,
    /// Why it is perhaps not the right one.
    pub fault: Option<Fault>,
}

impl Keys {
    /// Chooses. What was opened with a key goes on with it, as long as it is configured at all;
    /// `name` renders the template that names a key, and is called only when it matters.
    pub fn choose(
        &self,
        message: &Message,
        name: impl FnOnce(&Template) -> Result<String, Fault>,
    ) -> Choice<'_> {
        let remembered = message.remote.as_ref().map(|remote| &remote.0);
        if let Some(key) = remembered.and_then(|print| self.all().find(|key| key.print == *print)) {
            return Choice { key, fault: None };
        }
        let mut choice = self.by_name(name);
        if let (Some(print), None) = (remembered, &choice.fault) {
            let what = format!(
                "this problem was opened with a routing key ({print}) that is no longer configured; the present one \
                 cannot change it. Keep replaced keys under `retired_routing_keys`"
            );
            choice.fault = Some(Fault { field: "routing_key".into(), what });
        }
        choice
    }

    fn by_name(&self, name: impl FnOnce(&Template) -> Result<String, Fault>) -> Choice<'_> {
        let Some(template) = &self.name else { return Choice { key: &self.current, fault: None } };
        let fault = match name(template) {
            Ok(name) => match self.named.get(name.trim()) {
                Some(key) => return Choice { key, fault: None },
                None if name.trim().is_empty() => None,
                None => Some(
                    template.fault(format!("`routing_keys` has no {:?}, `routing_key` is used", name.trim())),
                ),
            },
            Err(fault) => Some(fault),
        };
        Choice { key: &self.current, fault }
    }

    /// Every key.
    pub fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(self.named.values()).chain(&self.retired)
    }
}
