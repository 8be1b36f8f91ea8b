//! Which call follows which. A try begins with a post or, where a message stands already, with a
//! change of it (harmless to repeat); a reply in the thread comes last.
//!
//! Pure: the answer and what it would come to go in, the next call or the outcome comes out. Ways
//! round: a channel that is not there gives way to the default channel, blocks that are not taken
//! to plain text, a message that was deleted to a new one, one that may not be edited to its thread.

use crate::domain::outcome::Outcome;
use crate::target::slack::answer::Said;

/// One call of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A new message.
    Post {
        /// Where.
        place: Place,
        /// Dressed how.
        form: Form,
    },
    /// The message that stands there, changed.
    Update {
        /// Dressed how.
        form: Form,
    },
    /// A line in its thread.
    Reply {
        /// The message itself shows the news as well.
        is_shown: bool,
        /// The channel sees it too.
        is_loud: bool,
    },
}

impl Call {
    /// What a new problem begins with.
    pub const POST: Call = Call::Post { place: Place::Chosen, form: Form::Blocks };
    const UPDATE: Call = Call::Update { form: Form::Blocks };
}

/// Which channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `channel`.
    Chosen,
    /// `default_channel`.
    Default,
}

/// How a message is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Block Kit.
    Blocks,
    /// Text alone.
    Plain,
}

/// What a target does with a message that stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Change it in place.
    pub update: bool,
    /// Tell changes in its thread.
    pub thread: bool,
}

/// What this message leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Something has changed that is worth a line in the thread.
    pub is_news: bool,
    /// The channel was chosen by a template, and the default channel is another.
    pub has_default_channel: bool,
}

/// What comes after a call.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// The try is over.
    Over(Outcome),
    /// It is over, and what matters has been said, although the last call came to nothing.
    Enough,
    /// One more call.
    Call(Call),
}

/// The first call of a try. `stands`: there is a message to change.
pub fn first(manner: Manner, stands: bool) -> Call {
    match (stands, manner) {
        (true, Manner { update: true, .. }) => Call::UPDATE,
        (true, Manner { thread: true, .. }) => Call::Reply { is_shown: false, is_loud: false },
        _ => Call::POST,
    }
}

/// The call after `call`, whose answer is `said` and would come to `outcome`.
pub fn next(manner: Manner, call: Call, reach: &Reach, said: &Said, outcome: Outcome) -> Next {
    let is_done = matches!(outcome, Outcome::Delivered { .. });
    // What will pass later needs no way round.
    let is_final = matches!(outcome, Outcome::Hold { .. } | Outcome::Rejected { .. });
    match call {
        Call::Post { place: Place::Chosen, form }
            if is_final && said.no_channel() && reach.has_default_channel =>
        {
            Next::Call(Call::Post { place: Place::Default, form })
        }
        Call::Post { place, form: Form::Blocks } if is_final && said.no_blocks() => {
            Next::Call(Call::Post { place, form: Form::Plain })
        }
        Call::Post { .. } => Next::Over(outcome),
        Call::Update { .. } if is_done && manner.thread && reach.is_news => {
            Next::Call(Call::Reply { is_shown: true, is_loud: false })
        }
        Call::Update { form: Form::Blocks } if is_final && said.no_blocks() => {
            Next::Call(Call::Update { form: Form::Plain })
        }
        Call::Update { .. } if is_final && said.frozen() && !reach.is_news => Next::Enough,
        Call::Update { .. } if is_final && said.frozen() && manner.thread => {
            Next::Call(Call::Reply { is_shown: false, is_loud: true })
        }
        Call::Update { .. } if is_final && (said.gone() || said.frozen()) => Next::Call(Call::POST),
        Call::Update { .. } => Next::Over(outcome),
        // The message shows it: a locked thread must not keep the delivery from settling.
        Call::Reply { is_shown: true, .. } if is_final => Next::Enough,
        Call::Reply { is_shown: false, .. } if is_final && said.gone() => Next::Call(Call::POST),
        Call::Reply { .. } => Next::Over(outcome),
    }
}
