//! Prints messages on the daemon's standard output: for a first run, and to look at wording.
//!
//! Takes a message, gives text to print. Who prints is the client; nothing can be refused.

use std::time::Duration;

use serde::Deserialize;

use crate::document::node::At;
use crate::document::read::read;
use crate::domain::exchange::{Reply, Request};
use crate::domain::message::Message;
use crate::domain::outcome::Outcome;
use crate::domain::problem::Problem;
use crate::domain::reminders::Reminders;
use crate::domain::secret::Secret;
use crate::target::contract::{Built, Defaults, Kind, Made, Repeat, Target, Unsayable, Worded, Workshop};
use crate::target::verdict::by_status;
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Wording, builtin};
use crate::template::view::View;

static WORDINGS: [Builtin; 1] = [builtin!("console", "text")];

/// The row of the table of kinds.
pub static KIND: Kind = Kind {
    name: "console",
    about: "the daemon's standard output, for a first run",
    wordings: &WORDINGS,
    defaults: Defaults {
        repeat: Repeat::Tolerated,
        rate: None,
        digest: Some(false),
        reminders: Reminders::Every,
        retry_cap: Duration::from_secs(60),
        give_up_after: Duration::from_secs(24 * 3600),
    },
    build,
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    text: Option<At<String>>,
}

fn build(workshop: &Workshop<'_>) -> Built {
    let read = read::<Settings>(workshop.settings, workshop.path);
    let mut problems = read.problems;
    let Some(settings) = read.value else { return Err(problems) };
    match workshop.templates.wording(&WORDINGS[0], settings.text.as_ref(), Escape::None) {
        Ok(text) if problems.is_empty() => {
            Ok(Made { target: Box::new(Console { text }), warnings: Vec::new() })
        }
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(Problem { path: format!("{}.text", workshop.path), ..problem });
            Err(problems)
        }
    }
}

/// A configured target.
#[derive(Debug)]
struct Console {
    text: Wording,
}

impl Target for Console {
    fn request(&self, _message: &Message, view: &View) -> Result<Worded, Unsayable> {
        let said = self.text.say(view);
        // A terminal obeys control characters; alert text must not command it.
        let text = said.text.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "\u{fffd}");
        Ok(Worded { request: Request::Print(text), faults: said.fault.into_iter().collect() })
    }

    fn judge(&self, _message: &Message, reply: &Reply) -> Outcome {
        by_status(reply)
    }

    fn talks(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<&Secret> {
        Vec::new()
    }
}
