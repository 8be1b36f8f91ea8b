//! Rules that an operator sets for the life of tickets: when they are closed, opened again and
//! commented.

use std::time::Duration;

use crate::config::units;
use crate::document::node::At;
use crate::target::bench::Bench;

/// How long after its end a ticket is opened again where the operator says nothing.
const REOPEN: Duration = Duration::from_secs(24 * 3600);

/// What happens to a ticket when all is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResolve {
    /// It is closed, with a comment.
    Close,
    /// A comment says so; people close it.
    Comment,
    /// Nothing.
    None,
}

/// The rules of a target.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// When all is over.
    pub on_resolve: OnResolve,
    /// Whether a ticket is told that somebody has taken the problem.
    pub on_acknowledge: bool,
    /// How long after its end a ticket is opened again by the same problem; `None`: never, there is
    /// a new one each time.
    pub reopen: Option<Duration>,
    /// Whether the priority is raised when it gets worse. It is never lowered.
    pub update_priority: bool,
}

/// As the operator writes them.
#[derive(Debug, Clone, Copy)]
pub struct RulesFile<'s> {
    /// `on_resolve`
    pub on_resolve: Option<&'s At<String>>,
    /// `on_acknowledge`
    pub on_acknowledge: Option<&'s At<String>>,
    /// `reopen`
    pub reopen: Option<&'s At<String>>,
    /// `update_priority`
    pub update_priority: Option<bool>,
}

impl Rules {
    /// Reads them; what is wrong goes to the bench.
    pub fn read(bench: &mut Bench<'_>, file: RulesFile<'_>) -> Rules {
        let on_resolve = match file.on_resolve.map(|at| (at.value.as_str(), at)) {
            None | Some(("close", _)) => OnResolve::Close,
            Some(("comment", _)) => OnResolve::Comment,
            Some(("none", _)) => OnResolve::None,
            Some((other, at)) => {
                let what = format!("there is no rule {other:?}");
                bench.wrong("on_resolve", at, &what, "write `close`, `comment` or `none`");
                OnResolve::Close
            }
        };
        let on_acknowledge = match file.on_acknowledge.map(|at| (at.value.as_str(), at)) {
            None | Some(("comment", _)) => true,
            Some(("none", _)) => false,
            Some((other, at)) => {
                let what = format!("there is no rule {other:?}");
                bench.wrong("on_acknowledge", at, &what, "write `comment` or `none`");
                true
            }
        };
        let reopen = match file.reopen {
            None => Some(REOPEN),
            Some(at) => match at.value.trim().strip_prefix("within ").unwrap_or(&at.value).trim() {
                "never" => None,
                text => match text.parse::<units::Duration>() {
                    Ok(time) => Some(time.0).filter(|time| !time.is_zero()),
                    Err(_) => {
                        let what = format!("{text:?} is no time");
                        bench.wrong("reopen", at, &what, "write a time such as 24h or 7d, or `never`");
                        None
                    }
                },
            },
        };
        let update_priority = file.update_priority.unwrap_or(true);
        Rules { on_resolve, on_acknowledge, reopen, update_priority }
    }
}
