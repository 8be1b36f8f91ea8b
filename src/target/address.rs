//! Checks of the addresses in settings, when the config is loaded.
//!
//! Takes the text of a setting, gives an address that is safe to put a path behind, or a problem
//! with place and cure. No name is resolved here; which networks may be called is the client's.

use url::Url;

use crate::document::node::At;
use crate::domain::problem::Problem;
use crate::domain::secret::Secret;

/// A `base_url`: scheme, host, optional port and path prefix. Comes back without a slash at the
/// end, so that a path can follow.
///
/// # Errors
/// A problem at `path` when it is none.
pub fn base(at: &At<String>, path: &str) -> Result<String, Problem> {
    let text = at.value.trim();
    let url = web(text).and_then(|url| match () {
        () if url.query().is_some() || url.fragment().is_some() => {
            Err(("a base_url ends with its path", "leave out what follows `?` or `#`"))
        }
        () => Ok(url),
    });
    match url {
        Ok(_) => Ok(text.trim_end_matches('/').to_owned()),
        Err((what, cure)) => Err(Problem::error(path, at.place, what, cure)),
    }
}

/// A whole address, query included, which may hold a token: no problem quotes it.
///
/// # Errors
/// A problem at `path` when it is none.
pub fn endpoint(at: &At<Secret>, path: &str) -> Result<Secret, Problem> {
    let text = at.value.expose().trim();
    match web(text) {
        Ok(_) => Ok(Secret::new(text)),
        Err((what, cure)) => Err(Problem::error(path, at.place, what, cure)),
    }
}

/// What in an address may be a token by itself: values of its query, and long parts of its path. A
/// service may quote them alone.
pub fn tokens(url: &Secret) -> Vec<Secret> {
    const LONG: usize = 16;
    let Ok(url) = Url::parse(url.expose()) else { return Vec::new() };
    let values = url.query_pairs().map(|(_, value)| Secret::new(value));
    let parts = url.path_segments().into_iter().flatten().filter(|part| part.len() >= LONG).map(Secret::from);
    values.chain(parts).filter(|token| !token.is_empty()).collect()
}

fn web(text: &str) -> Result<Url, (&'static str, &'static str)> {
    if text.is_empty() {
        return Err(("an address is missing", "write one, as in https://example.com/path"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) || text.contains("{{") {
        return Err(("an address holds no blank and no template", "write it out, with blanks as %20"));
    }
    let Ok(url) = Url::parse(text) else {
        return Err(("this is no address", "write scheme and host, as in https://example.com/path"));
    };
    match () {
        () if !matches!(url.scheme(), "http" | "https") => {
            Err(("only http and https can be called", "begin the address with https://"))
        }
        () if url.host_str().is_none_or(str::is_empty) => {
            Err(("the address names no host", "write https://host/path"))
        }
        () if !url.username().is_empty() || url.password().is_some() => {
            Err(("credentials do not belong into an address", "use the settings made for them"))
        }
        () => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> At<String> {
        At { value: text.into(), ..At::default() }
    }

    #[test]
    fn a_base_url_comes_back_ready_for_a_path() {
        for (text, expected) in [
            ("https://events.pagerduty.com", "https://events.pagerduty.com"),
            ("https://events.pagerduty.com/", "https://events.pagerduty.com"),
            ("http://127.0.0.1:9000/prefix//", "http://127.0.0.1:9000/prefix"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(base(&at(text), "p").as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_with_a_cure() {
        for text in [
            "",
            "events.pagerduty.com",
            "ftp://example.com",
            "https://",
            "https://user:pass@example.com",
            "https://example.com/?x=1",
            "https://example.com/#x",
            "https://exa mple.com",
            "https://example.com/{{target}}",
            "https://example.com\r\nX: y",
        ] {
            let problem = base(&at(text), "targets[0].x.base_url").expect_err(text);
            assert!(!problem.cure.is_empty() && problem.path == "targets[0].x.base_url", "{problem}");
        }
    }

    #[test]
    fn tokens_in_an_address_are_known_by_themselves() {
        let url = Secret::new("https://hooks.example.com/services/T0000000000000001/x?token=a%20b&v=&n=1");
        let tokens = tokens(&url);
        let shown: Vec<&str> = tokens.iter().map(Secret::expose).collect();
        assert_eq!(shown, ["a b", "1", "T0000000000000001"]);
    }

    #[test]
    fn a_refused_endpoint_is_not_quoted() {
        let at = At { value: Secret::new("https://bob:hunter2-hunter2@example.com"), ..At::default() };
        let problem = endpoint(&at, "p").expect_err("userinfo");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
}
