//! URLs, taken apart once for many calls. Takes the text of one, gives what is called.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::Url;

use crate::client::address::{DENIED, Rules};
use crate::client::wrong;
use crate::domain::exchange::SendError;
use crate::domain::secret::Secret;

/// How many are remembered. A target has a few; those that name a ticket come and go.
const KNOWN_MAX: usize = 512;

/// Those that have been called, and may be.
#[derive(Default)]
pub(super) struct Urls(Mutex<HashMap<Secret, Url>>);

impl Urls {
    /// The URL of this text. The rules are the same at every call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(&self, text: &Secret, rules: &Rules) -> Result<Url, SendError> {
        if let Some(url) = self.known().get(text) {
            return Ok(url.clone());
        }
        let url = Url::parse(text.expose()).map_err(|_| wrong("the URL is not valid"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("the URL is neither http nor https"));
        }
        // A literal address is never asked of the resolver, so the guard there would not see it.
        if rules.denies(&url) {
            return Err(wrong(DENIED));
        }
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            // Those in use are soon here again.
            known.clear();
        }
        known.insert(text.clone(), url.clone());
        Ok(url)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Secret, Url>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// They may hold secrets.
impl fmt::Debug for Urls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Urls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_comes_again_is_the_same_and_they_do_not_pile_up() {
        let (urls, rules) = (Urls::default(), Rules::default());
        for number in 0..3 * KNOWN_MAX {
            let text = Secret::new(format!("https://desk.example/tickets/{number}"));
            for _ in 0..2 {
                assert_eq!(urls.of(&text, &rules).unwrap().as_str(), text.expose());
            }
            assert!(urls.known().len() <= KNOWN_MAX);
        }
        assert_eq!(format!("{urls:?}"), "Urls");
    }

    #[test]
    fn what_may_not_be_called_is_refused_each_time() {
        let urls = Urls::default();
        let rules = Rules::new(&["10.0.0.0/8".parse().unwrap()], &[]);
        for text in ["10.0.0.1", "http://10.0.0.1/", "ftp://desk.example/"] {
            let text = Secret::new(text);
            assert_eq!(urls.of(&text, &rules), urls.of(&text, &rules));
            assert!(urls.of(&text, &rules).is_err());
        }
    }
}
