//! What secures the wire: TLS of the listeners, who may use the admin interface, and how the relay
//! calls out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::auth::admin::{Admin, Role, Token};
use crate::auth::certificate::{Fault, Identity, Part, Pem, has_certificates};
use crate::client::outbound::Outbound;
use crate::config::admin::{AdminFile, RoleFile};
use crate::config::file::File;
use crate::config::network::{ClientAuthFile, OutboundFile, TlsFile};
use crate::config::secrets::{World, is_placeholder};
use crate::config::server::ServerFile;
use crate::config::sources::Network;
use crate::document::node::At;
use crate::domain::problem::Problem;
use crate::domain::secret::{Redactor, Secret};

/// Never called unless `outbound.allow` lists them: the machine's own link, where clouds give their
/// credentials away (169.254.169.254, fd00:ec2::254; Alibaba Cloud: 100.100.100.200).
const NEVER: [&str; 4] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32"];
/// What `outbound.deny_private` means (IANA's special-purpose registries; RFC 1918, 4193, 6598, 6890).
const PRIVATE: [&str; 12] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "::/128",
    "::1/128",
    "fc00::/7",
    "fec0::/10",
];

/// The files of a listener's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with its chain.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of clients.
    pub client_ca: Option<PathBuf>,
    /// Whether every client must show a certificate.
    pub client_required: bool,
}

/// The texts of those files.
#[derive(PartialEq)]
pub struct TlsTexts {
    cert: String,
    key: Secret,
    client_ca: Option<String>,
    client_required: bool,
}

impl TlsFiles {
    fn of(file: &TlsFile) -> TlsFiles {
        TlsFiles {
            cert: file.cert.value.clone(),
            key: file.key.value.clone(),
            client_ca: file.client_ca.as_ref().map(|ca| ca.value.clone()),
            client_required: file.client_auth == ClientAuthFile::Required,
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// [`Fault`] when one cannot be read.
    pub fn texts(&self, world: &dyn World) -> Result<TlsTexts, Fault> {
        let text = |part: Part, path: &Path| {
            world.file(path).map_err(|error| {
                let cure =
                    "a relative path begins in $CREDENTIALS_DIRECTORY, or else beside the configuration file";
                Fault { part, what: unread(path, &error), cure }
            })
        };
        Ok(TlsTexts {
            cert: text(Part::Cert, &self.cert)?,
            key: text(Part::Key, &self.key)?.into(),
            client_ca: self.client_ca.as_ref().map(|path| text(Part::ClientCa, path)).transpose()?,
            client_required: self.client_required,
        })
    }
}

fn unread(path: &Path, error: &std::io::Error) -> String {
    let why = match error.kind() {
        ErrorKind::NotFound => "does not exist",
        ErrorKind::PermissionDenied => "may not be read by this user",
        ErrorKind::InvalidData => "is not text, so it is not PEM",
        _ => "cannot be read",
    };
    format!("names the file {}, which {why}", shown(path))
}

/// A path for people; who writes the key itself into the configuration does not see it again.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.contains("-----BEGIN") || text.len() > 300 {
        true => "(a text instead of a path)".to_owned(),
        false => format!("`{text}`"),
    }
}

impl TlsTexts {
    /// What they say.
    ///
    /// # Errors
    /// [`Fault`] when one of them is wrong.
    pub fn identity(&self) -> Result<Identity, Fault> {
        Identity::read(&Pem {
            cert: &self.cert,
            key: self.key.expose(),
            client_ca: self.client_ca.as_deref(),
            client_required: self.client_required,
        })
    }

    /// One of them is only a stand-in, on a machine that must not know it.
    fn is_made_up(&self) -> bool {
        let texts = [Some(self.cert.as_str()), Some(self.key.expose()), self.client_ca.as_deref()];
        texts.into_iter().flatten().any(is_placeholder)
    }
}

/// TLS of the senders' listener and of the admins' own.
pub(super) fn listeners(
    server: &ServerFile,
    world: &dyn World,
    problems: &mut Vec<Problem>,
) -> (Option<TlsFiles>, Option<TlsFiles>) {
    let senders = server.tls.as_ref().map(|file| tls(file, "server.tls", world, problems));
    let Some(AdminFile { listen, tls: own, .. }) = &server.admin else { return (senders, None) };
    let admin = own.as_ref().map(|file| tls(file, "server.admin.tls", world, problems));
    match (listen, own) {
        (None, Some(file)) => {
            let what = "is TLS of a listener of its own, and the admin interface has none";
            let cure = "add server.admin.listen, or use server.tls";
            problems.push(Problem::error("server.admin.tls", file.place, what, cure));
        }
        (Some(listen), None) if senders.is_some() && !listen.value.0.ip().is_loopback() => {
            let what = "is open to the network in clear text, so tokens can be read on the way";
            let cure = "add server.admin.tls";
            problems.push(Problem::warning("server.admin.listen", listen.place, what, cure));
        }
        _ => {}
    }
    (senders, admin)
}

fn tls(file: &At<TlsFile>, path: &str, world: &dyn World, problems: &mut Vec<Problem>) -> TlsFiles {
    let files = TlsFiles::of(&file.value);
    if file.value.client_ca.is_none() && file.value.client_auth == ClientAuthFile::Optional {
        let what = "lets clients show certificates, and no authority of theirs is known";
        let cure = "add client_ca, or remove it";
        problems.push(Problem::error(format!("{path}.client_auth"), file.place, what, cure));
    }
    let place = |part: Part| match part {
        Part::Cert => file.value.cert.place,
        Part::Key => file.value.key.place,
        Part::ClientCa => file.value.client_ca.as_ref().map_or(file.place, |ca| ca.place),
    };
    let read = files.texts(world).and_then(|texts| match texts.is_made_up() {
        true => Ok(None),
        false => texts.identity().map(Some),
    });
    match read {
        Ok(Some(identity)) => {
            if let Some(what) = world.now().and_then(|now| identity.age_fault(now)) {
                let cure = "replace it; the relay takes the new one by itself";
                problems.push(Problem::warning(format!("{path}.cert"), file.value.cert.place, what, cure));
            }
        }
        Ok(None) => {}
        Err(fault) => {
            let at = format!("{path}.{}", fault.part.as_str());
            problems.push(Problem::error(at, place(fault.part), fault.what, fault.cure));
        }
    }
    files
}

/// Sources that ask for a certificate which no listener asks for.
pub(super) fn client_certificates(file: &File, problems: &mut Vec<Problem>) {
    let asks = file.server.tls.as_ref().is_some_and(|tls| tls.value.client_ca.is_some());
    for (index, source) in file.sources.iter().enumerate() {
        let Some(auth) = &source.auth else { continue };
        let Some(names) = &auth.value.ways.client_cert else { continue };
        let path = format!("sources[{index}].auth.client_cert");
        if names.is_empty() {
            let cure = "write the names that certificates are made out to: client_cert: [am-1.example.com]";
            problems.push(Problem::error(&path, auth.place, "names nobody", cure));
        } else if !asks {
            let what = "asks for a certificate, and the listener asks nobody for one";
            let cure = "add server.tls with client_ca, the authority of the senders' certificates";
            problems.push(Problem::error(&path, auth.place, what, cure));
        }
    }
}

/// Who may use the admin interface.
pub(super) fn admin(server: &ServerFile, problems: &mut Vec<Problem>) -> Admin {
    let Some(file) = &server.admin else { return Admin::default() };
    let mut tokens: Vec<Token> = Vec::new();
    for (index, At { value, place }) in file.tokens.iter().enumerate() {
        let path = format!("server.admin.tokens[{index}]");
        if value.token.expose().chars().count() < Redactor::CHARS_MIN {
            let what = "is shorter than 6 characters: easily guessed, and too short to be starred in logs";
            let cure = "use a long random one: openssl rand -hex 20";
            problems.push(Problem::warning(&path, *place, what, cure));
        }
        if let Some(first) = tokens.iter().position(|token| token.secret == value.token) {
            let what = format!("is the same token as the one of element {first}");
            problems.push(Problem::error(&path, *place, what, "give everybody a token of his own"));
        }
        let role = match value.role {
            RoleFile::Read => Role::Read,
            RoleFile::Operate => Role::Operate,
        };
        let name = value.name.split_whitespace().collect::<Vec<_>>().join(" ");
        tokens.push(Token { secret: value.token.clone(), role, name });
    }
    let addresses = networks(&file.addresses);
    let listen = file.listen.as_ref().map(|listen| (listen.value.0.ip(), listen.place));
    if let (true, Some((ip, place))) = (tokens.is_empty(), listen)
        && !ip.is_loopback()
    {
        let what = "holds none, and the admin interface is open to the network";
        let cure = "add one: tokens: [\"${ADMIN_TOKEN}\"]";
        problems.push(Problem::error("server.admin.tokens", place, what, cure));
    }
    Admin { tokens, addresses }
}

/// How the relay calls out, and the secrets in that.
pub(super) fn outbound(file: &OutboundFile, world: &dyn World, problems: &mut Vec<Problem>) -> Outbound {
    let fixed = |texts: &[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<IpNet>>();
    let mut denied = [fixed(&NEVER), networks(&file.deny)].concat();
    if file.deny_private {
        denied.extend(fixed(&PRIVATE));
    }
    if let Some(url) = &file.proxy {
        let is_web = ["http://", "https://"].iter().any(|scheme| url.value.expose().starts_with(scheme));
        if !is_web || url::Url::parse(url.value.expose()).is_err() {
            let cure = "write it with its scheme: http://proxy.example.com:3128";
            problems.push(Problem::error("outbound.proxy", url.place, "is not the URL of a proxy", cure));
        }
    }
    Outbound {
        denied,
        allowed: networks(&file.allow),
        proxy: file.proxy.as_ref().map(|url| url.value.clone()),
        no_proxy: file.no_proxy.clone(),
        extra_roots: file.ca_file.as_ref().and_then(|path| roots(path, world, problems)),
    }
}

fn roots(path: &At<PathBuf>, world: &dyn World, problems: &mut Vec<Problem>) -> Option<String> {
    let mut fault =
        |what: String, cure: &str| problems.push(Problem::error("outbound.ca_file", path.place, what, cure));
    match world.beside(&path.value) {
        Ok(text) if has_certificates(&text) => return Some(text),
        Ok(_) => {
            let cure = "give a file in PEM, with -----BEGIN CERTIFICATE-----";
            fault("holds no certificate in PEM that can be read".to_owned(), cure);
        }
        Err(error) => {
            fault(unread(&path.value, &error), "a relative path begins beside the configuration file");
        }
    }
    None
}

/// The secrets of the URL of a proxy: its password.
pub(super) fn proxy_password(outbound: &Outbound) -> Option<Secret> {
    let url = url::Url::parse(outbound.proxy.as_ref()?.expose()).ok()?;
    let plain = percent_encoding::percent_decode_str(url.password()?).decode_utf8_lossy().into_owned();
    Some(plain.into())
}

/// The networks as such.
pub(super) fn networks(files: &[At<Network>]) -> Vec<IpNet> {
    files.iter().map(|network| network.value.0).collect()
}
