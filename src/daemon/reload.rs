//! Reading the configuration again: all of it counts or nothing does, and whatever surprises is told.
//!
//! Who asks (a signal, the admin interface, a file that changed) makes no difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::assemble::{Base, reading};
use crate::config::noting::Noting;
use crate::config::server::RemovedTargets;
use crate::daemon::notify::Supervisor;
use crate::daemon::opening::log_warnings;
use crate::daemon::tls::Certificates;
use crate::deliver::fleet::Fleet;
use crate::domain::problem::{Place, Problem};
use crate::domain::secret::{Redactor, Secret};
use crate::metrics::Metrics;
use crate::pace::clock::Clock;
use crate::rulebook::{Former, Rulebook};
use crate::server::shadow::Shadow;
use crate::store::handle::Store;
use crate::store::records::Owed;

/// Reads the configuration again.
pub struct Reloader {
    /// Where it is.
    pub config: PathBuf,
    /// What was true at the start and stays so.
    pub base: Base,
    /// Whose rules are replaced.
    pub fleet: Fleet,
    /// What is owed to targets.
    pub store: Store,
    /// Counts.
    pub metrics: Metrics,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who is told when it begins and ends.
    pub supervisor: Supervisor,
    /// What the listeners show.
    pub certificates: Certificates,
    /// The candidate, which is read again with a good reload, or when it has changed itself.
    pub shadow: Option<Shadow>,
    /// What was read last, sound or not. Held during a reload: one at a time.
    pub noted: Mutex<Noting>,
    /// For questions to the store.
    pub runtime: tokio::runtime::Handle,
}

impl Reloader {
    /// Does it, and gives what surprises, or every problem with the old configuration kept. Blocks;
    /// `why` goes to the log.
    ///
    /// # Errors
    /// All problems of the file, warnings among them. The old configuration stays in force.
    pub fn reload(&self, why: &str) -> Result<Vec<Problem>, Vec<Problem>> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        self.supervisor.reloading();
        let done = self.read(&mut noted);
        match &done {
            Ok(warnings) => {
                log_warnings(warnings);
                self.metrics.config_loaded(self.clock.now());
                tracing::info!(why, "the configuration was reloaded");
                self.supervisor.ready(&self.in_force());
            }
            Err(problems) => {
                for problem in problems {
                    tracing::error!("{problem}");
                }
                self.metrics.config_refused();
                tracing::error!(why, "the configuration was not reloaded; the old one stays in force");
                let count = problems.len();
                self.supervisor.ready(&format!(
                    "the new configuration was refused ({count} problems, see the log); the old one is in force"
                ));
            }
        }
        // It begins to count anew then, which a refused file must not bring about.
        if let Some(shadow) = self.shadow.as_ref().filter(|shadow| done.is_ok() || shadow.has_changed()) {
            shadow.read_again(self.clock.now());
        }
        done
    }

    /// The first file that has changed since it was read, with a mark of all as they are now.
    pub fn changed(&self) -> Option<(u64, PathBuf)> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let (mark, path) = noted.look_again();
        let of_candidate = || self.shadow.as_ref().map(Shadow::look_again).unwrap_or_default();
        let (mark, path) = if path.is_some() { (mark, path) } else { of_candidate() };
        path.map(|path| (mark, path))
    }

    /// Whether files are to be watched, by the configuration in force.
    pub fn watches(&self) -> bool {
        self.fleet.books().current().watch
    }

    /// One line for people who ask the service manager.
    pub fn in_force(&self) -> String {
        let book = self.fleet.books().current();
        let since = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let counts = (book.sources.len(), book.targets.len());
        format!("{} sources, {} targets; configuration in force since {since}", counts.0, counts.1)
    }

    fn read(&self, noted: &mut Noting) -> Result<Vec<Problem>, Vec<Problem>> {
        let read = match reading::read(&self.config) {
            Ok(read) => read,
            Err((seen, error)) => {
                *noted = seen;
                return Err(vec![unreadable(&self.config, &error)]);
            }
        };
        *noted = read.noted;
        let Some((mut rulebook, base)) = read.assembled.ready else { return Err(read.assembled.problems) };
        let mut warnings = read.assembled.problems;
        warnings.extend(kept_until_restart(&self.base, &base));
        let old = self.fleet.books().current();
        let formers = formers(&old, &rulebook);
        // What is still said by old settings is cleaned of their secrets.
        let rules = formers.values().filter(|former| former.drains).filter_map(|former| former.rule.as_ref());
        let secrets: Vec<&Secret> = rules.flat_map(|rule| rule.target.secrets()).collect();
        rulebook.redactor = rulebook.redactor.and(Redactor::new(secrets));
        rulebook.former.replace(formers);
        self.certificates.follow(&base);
        let _inside = self.runtime.enter();
        self.fleet.books().replace(rulebook);
        self.fleet.ensure_loops();
        let new = self.fleet.books().current();
        match self.runtime.block_on(self.store.read(|reader| reader.owed())) {
            Ok(owed) => {
                warnings.extend(told_of_formers(&new, &owed));
                warnings.extend(other_credentials(&old, &new, &owed));
            }
            Err(error) => tracing::warn!(%error, "what removed targets are owed is not known"),
        }
        Ok(warnings)
    }
}

fn unreadable(config: &Path, error: &std::io::Error) -> Problem {
    let what = format!("{} cannot be read: {error}", config.display());
    Problem::error("", Place::default(), what, "")
}

/// Finds what an earlier run left behind: targets that are owed something and are not configured. To
/// be called once, after the start; tells what people should know.
pub async fn left_behind(fleet: Fleet, store: Store) {
    let owed = match store.read(|reader| reader.owed()).await {
        Ok(owed) => owed,
        Err(error) => {
            tracing::warn!(%error, "what removed targets are owed is not known");
            return;
        }
    };
    let book = fleet.books().current();
    let mut known = (*book.former.current()).clone();
    for name in owed.keys().filter(|name| !book.targets.contains_key(name.as_str())) {
        known.entry(name.as_str().into()).or_insert(Former { rule: None, drains: false });
    }
    book.former.replace(known);
    log_warnings(&told_of_formers(&book, &owed));
}

/// The targets that the new rules do not have: with what they were, as far as this process knows.
fn formers(old: &Rulebook, new: &Rulebook) -> BTreeMap<Arc<str>, Former> {
    let drains = new.removed_targets == RemovedTargets::Drain;
    let mut formers = (*old.former.current()).clone();
    for (name, rule) in &old.targets {
        formers.insert(Arc::clone(name), Former { rule: Some(Arc::clone(rule)), drains: false });
    }
    formers.retain(|name, _| !new.targets.contains_key(name));
    formers.values_mut().for_each(|former| former.drains = drains && former.rule.is_some());
    formers
}

/// What is owed to targets that are not configured: never silently.
fn told_of_formers(book: &Rulebook, owed: &BTreeMap<String, Owed>) -> Vec<Problem> {
    let formers = book.former.current();
    let gone = owed.iter().filter_map(|(name, owed)| {
        let former = formers.get(name.as_str()).filter(|_| !book.targets.contains_key(name.as_str()))?;
        let what = format!("target {name} is no longer configured, and {}", in_words(*owed)?);
        let cure = match former.drains {
            true => {
                "its old settings go on working until this process ends; put it back to keep it".to_owned()
            }
            false => format!(
                "they are kept: put it back, or drop what waits with `alert-relay queue drop --target {name}`"
            ),
        };
        Some(Problem::warning("targets", Place::default(), what, cure))
    });
    gone.collect()
}

/// `1 delivery waits for it, 2 incidents may be open there`: what there is of both.
fn in_words(Owed { waiting, open }: Owed) -> Option<String> {
    let deliveries = match waiting {
        0 => None,
        1 => Some("1 delivery waits for it".to_owned()),
        _ => Some(format!("{waiting} deliveries wait for it")),
    };
    let incidents = match open {
        0 => None,
        1 => Some("1 incident may be open there".to_owned()),
        _ => Some(format!("{open} incidents may be open there")),
    };
    let words = [deliveries, incidents].into_iter().flatten().collect::<Vec<_>>();
    (!words.is_empty()).then(|| words.join(", "))
}

/// A resolve goes out with the credentials of its time: where those have changed and something is
/// open, a person should know.
fn other_credentials(old: &Rulebook, new: &Rulebook, owed: &BTreeMap<String, Owed>) -> Vec<Problem> {
    let changed = new.targets.iter().filter_map(|(name, rule)| {
        let open = owed.get(&**name).map(|owed| owed.open).filter(|open| *open > 0)?;
        let before = old.targets.get(name).filter(|before| before.target.secrets() != rule.target.secrets())?;
        let what = format!(
            "target {} has other credentials than before, and incidents that are open there ({open}) will be resolved with the new ones",
            before.name
        );
        let cure = "if they lead elsewhere, give the new ones a target of another name and set server.removed_targets: drain";
        Some(Problem::warning("targets", Place::default(), what, cure))
    });
    changed.collect()
}

/// What the new file says differently and only a restart would bring about. Every field of [`Base`] is
/// named here, so that a new one is not forgotten.
fn kept_until_restart(old: &Base, new: &Base) -> Vec<Problem> {
    let Base {
        listen,
        admin_listen,
        tls,
        admin_tls,
        outbound,
        store,
        keep_free,
        store_wait,
        body_budget,
        connections,
        drain,
        header_timeout,
        body_timeout,
        collector,
    } = old;
    let compared = [
        ("server.listen", *listen == new.listen),
        ("server.admin.listen", *admin_listen == new.admin_listen),
        // Its files are exchanged; whether there are any is not.
        ("server.tls", tls.is_some() == new.tls.is_some()),
        ("server.admin.tls", admin_tls.is_some() == new.admin_tls.is_some()),
        ("outbound", *outbound == new.outbound),
        ("store.path", *store == new.store),
        ("store.keep_free", *keep_free == new.keep_free),
        ("server.store_wait", *store_wait == new.store_wait),
        ("server.body_budget", *body_budget == new.body_budget),
        ("server.connections", *connections == new.connections),
        ("server.drain", *drain == new.drain),
        ("server.header_timeout", *header_timeout == new.header_timeout),
        ("server.body_timeout", *body_timeout == new.body_timeout),
        ("tracing", *collector == new.collector),
    ];
    let what = "is not what the relay was started with, and a reload does not change it";
    let changed = compared.into_iter().filter(|(_, same)| !same);
    changed
        .map(|(key, _)| {
            Problem::warning(key, Place::default(), what, "restart the relay to put it into effect")
        })
        .collect()
}
