//! One configuration that recorded events are put before, one after the other. Pure: what inhibits is
//! learnt from the events themselves, and the time is theirs.

use std::sync::Arc;

use crate::plan::difference::{Example, Sight};
use crate::plan::{enriched, learn, plan};
use crate::route::inhibit::Active;
use crate::rulebook::Rulebook;
use crate::source::contract::{Arrival, Reading};
use crate::store::orders::Recording;

/// A configuration, and the alerts that inhibit others by its rules.
#[derive(Debug)]
pub struct Side {
    book: Arc<Rulebook>,
    active: Active,
}

impl Side {
    /// Begins with these alerts firing.
    pub fn new(book: Arc<Rulebook>, active: Active) -> Side {
        Side { book, active }
    }

    /// Its rules.
    pub fn book(&self) -> &Rulebook {
        &self.book
    }

    /// What it makes of an event, which must come in order of time.
    pub fn look(&mut self, event: &Recording) -> Sight {
        match read_again(&self.book, event) {
            Ok(reading) => {
                let groups = enriched(&self.book, reading.groups);
                learn(&self.book, &groups, &mut self.active);
                let plan = plan(&self.book, groups, &self.active, event.received_at);
                Sight::of(&self.book, &plan)
            }
            Err(why) => Sight::Unread(self.book.redactor.clean(&why)),
        }
    }
}

/// Names an event for a summary.
pub fn example(event: &Recording) -> Example {
    Example {
        event: event.uid.to_string(),
        source: event.source.clone(),
        received_at: event.received_at,
        alert: String::new(),
        note: String::new(),
    }
}

/// Reads the body of a recorded event by these rules.
///
/// # Errors
/// Its source is gone, or its body is none of it: a sentence.
pub fn read_again(book: &Rulebook, event: &Recording) -> Result<Reading, String> {
    let Some(rule) = book.sources.get(&event.source) else {
        return Err(format!("its source {} is not in the configuration any more", event.source));
    };
    // Headers are not recorded: the one that some dialects look at is tried both ways.
    let text = [("content-type".to_owned(), "text/plain".to_owned())];
    let read = |headers: &[(String, String)]| {
        rule.source.read(&Arrival {
            source: &event.source,
            headers,
            body: &event.body,
            at: event.received_at,
        })
    };
    read(&[]).or_else(|why| read(&text).map_err(|_| why)).map_err(|why| why.to_string())
}
