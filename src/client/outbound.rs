//! What holds for all calls that leave the relay, as the operator wants it: which addresses are never
//! called, by which proxy, and whom to trust besides the machine's own authorities.

use ipnet::IpNet;

use crate::client::ClientSettings;
use crate::domain::secret::Secret;

/// Settings of all calls out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outbound {
    /// Networks that are never called.
    pub denied: Vec<IpNet>,
    /// Networks that are called although they are denied.
    pub allowed: Vec<IpNet>,
    /// URL of the HTTP proxy, perhaps with a login in it.
    pub proxy: Option<Secret>,
    /// What is called without it, as in the variable `NO_PROXY`: hosts, domains, networks.
    pub no_proxy: Vec<String>,
    /// Certificates (PEM) that are trusted besides those of the machine.
    pub extra_roots: Option<String>,
}

impl Outbound {
    /// Puts them over other settings.
    pub fn over(&self, settings: ClientSettings) -> ClientSettings {
        let roots = [settings.extra_roots, self.extra_roots.clone()];
        let roots: Vec<String> = roots.into_iter().flatten().collect();
        ClientSettings {
            denied_addresses: [settings.denied_addresses, self.denied.clone()].concat(),
            allowed_addresses: [settings.allowed_addresses, self.allowed.clone()].concat(),
            proxy: self.proxy.clone().or(settings.proxy),
            no_proxy: self.no_proxy.clone(),
            extra_roots: (!roots.is_empty()).then(|| roots.join("\n")),
            ..settings
        }
    }
}
