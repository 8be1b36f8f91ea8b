//! How a ticket stands, asked of its service: one read that changes nothing, the same for all systems
//! but for the address and the words.

use crate::domain::exchange::{Reply, Request};
use crate::domain::message::RemoteRef;
use crate::domain::outcome::Outcome;
use crate::domain::signal::Event;
use crate::target::contract::{Found, Inquiry, Turn};
use crate::target::desk::course::{Desk, Phase, Told, meant};
use crate::target::desk::memory::Memory;
use crate::target::desk::talk::heed;
use crate::target::verdict::{cleaned, sentence};

/// What to ask about the ticket of this remote ref, or what the answer says.
pub fn inquiry(desk: &dyn Desk, remote: &RemoteRef, replies: &[Reply]) -> Inquiry {
    let Some(memory) = Memory::read(remote) else { return Inquiry::Untold };
    let Some(reply) = replies.last() else {
        return Inquiry::Call(Box::new(Request::Http(desk.ask(&memory.id))));
    };
    let reply = &*cleaned(reply, desk.redactor());
    if let Err(Turn::Over(outcome)) = heed(reply) {
        return Inquiry::Failed(outcome);
    }
    match (reply.status, desk.told(reply)) {
        (200..=299, Some(told)) if told.ticket.id == memory.id => Inquiry::Known(found(told)),
        // Not the same as closed: a service says so too when the account may not see it any more.
        (404 | 410, _) => Inquiry::Failed(Outcome::Rejected {
            reason: sentence(reply, "it is gone, or the account may not see it any more"),
        }),
        _ => Inquiry::Failed(meant(desk, reply)),
    }
}

fn found(told: Told) -> Found {
    let event = match told.ticket.phase {
        Phase::Open => Event::TicketMoved,
        Phase::Closed | Phase::Sealed => Event::TicketClosed,
    };
    Found { event, state: told.ticket.state, who: told.assignee, output: String::new() }
}
