//! The runner of jobs reaches platforms as deliveries do: two rooms that do not know each other meet
//! here.

use crate::deliver::attempt::Courier;
use crate::deliver::inquiry::Told;
use crate::domain::job::{OUTPUT_BYTES, end_of};
use crate::domain::message::RemoteRef;
use crate::domain::outcome::Outcome;
use crate::domain::signal::Event;
use crate::incident::jobs::Platforms;
use crate::rulebook::{Rulebook, TargetRule};
use crate::store::jobs::Asked;

/// The way out.
pub(super) struct ByCourier(pub(super) Courier);

impl Platforms for ByCourier {
    async fn ask(&self, book: &Rulebook, rule: &TargetRule, remote: &RemoteRef) -> Asked {
        match self.0.inquire(book, rule, remote).await {
            Told::Known(found) => Asked {
                ended_well: match found.event {
                    Event::JobSucceeded => Some(true),
                    Event::JobFailed => Some(false),
                    _ => None,
                },
                word: found.state,
                output: end_of(&found.output, OUTPUT_BYTES).to_owned(),
                ..Asked::default()
            },
            Told::Untold => {
                let trouble = "the platform cannot be asked, so its callbacks are waited for".to_owned();
                Asked { trouble, ..Asked::default() }
            }
            Told::NotBefore(time) => Asked { not_before: Some(time), ..Asked::default() },
            Told::Failed(outcome) => Asked {
                trouble: format!("the platform did not say how it stands: {}", outcome.reason()),
                ..Asked::default()
            },
        }
    }

    async fn cancel(&self, book: &Rulebook, rule: &TargetRule, remote: &RemoteRef) -> Result<(), String> {
        match self.0.cancel(book, rule, remote).await {
            None => Err("this target ends nothing early".to_owned()),
            Some(Outcome::Delivered { .. }) => Ok(()),
            Some(outcome) => Err(outcome.reason().to_owned()),
        }
    }
}
