//! What becomes of a message at a job platform, the same for all of them: a problem starts one run,
//! changes of it start none, and its end leaves the run alone or cancels it.
//!
//! A [`Platform`] words the calls; [`Runs`] makes a target of it. What may have been started and was
//! never heard of is looked up by its marker, if the operator has declared one, and is otherwise
//! refused, for a person to look at.

use std::fmt;
use std::time::Duration;

use crate::domain::exchange::{HttpRequest, Reply, Request};
use crate::domain::message::{Action, Message, RemoteRef};
use crate::domain::outcome::Outcome;
use crate::domain::reminders::Reminders;
use crate::domain::secret::{Redactor, Secret};
use crate::domain::signal::Signal;
use crate::target::contract::{
    Answer, Callback, Defaults, Heard, Inquiry, Refusal, Repeat, Step, Target, Turn, Unsayable, Worded,
};
use crate::target::run::callback::Proof;
use crate::target::run::reply;
use crate::target::verdict::cleaned;
use crate::template::view::View;

/// Policies of all job platforms. A repair that starts hours late may do harm, so what could not be
/// started within a quarter of an hour is a dead letter, for a person to order again.
pub const DEFAULTS: Defaults = Defaults {
    repeat: Repeat::Forbidden,
    rate: None,
    digest: None,
    // What starts nothing need not be told; and a reminder hours later must not start what could
    // not be started in time.
    reminders: Reminders::Never,
    retry_cap: Duration::from_secs(60),
    give_up_after: Duration::from_secs(15 * 60),
};

/// A run that is not found is looked for once more after this time: a platform may answer
/// questions while the start before them is still under way.
pub const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// What to do with the run of a problem that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResolve {
    /// It runs to its end.
    LeaveAlone,
    /// It is cancelled, if it still runs.
    Cancel,
}

/// What the operator wants of any platform.
#[derive(Debug)]
pub struct Habits {
    /// When the problem is over.
    pub on_resolve: OnResolve,
    /// The parameter that carries the id of the delivery, by which a run can be found again.
    pub marker: Option<String>,
    /// Of callbacks.
    pub proof: Proof,
}

/// What a kind knows of its platform. Replies come cleaned of secrets.
pub trait Platform: Send + Sync + fmt::Debug {
    /// What the operator wants.
    fn habits(&self) -> &Habits;

    /// Everything that may go over the wire and must not be seen.
    fn secrets(&self) -> &[Secret];

    /// Stars them.
    fn redactor(&self) -> &Redactor;

    /// Whether a run can be found by its marker.
    fn looks_up(&self) -> bool {
        self.habits().marker.is_some()
    }

    /// The first call of a start.
    ///
    /// # Errors
    /// A parameter that is missing or not allowed.
    fn start(&self, start: &Start<'_>) -> Result<Worded, Unsayable>;

    /// Judges the reply to the call that starts.
    fn started(&self, reply: &Reply) -> Outcome;

    /// What the replies since the first call of a start lead to.
    fn after_start(&self, _start: &Start<'_>, replies: &[Reply]) -> Turn {
        Turn::Over(replies.last().map_or_else(nothing_came, |reply| self.started(reply)))
    }

    /// The questions that find a run, in order; each is asked.
    fn look_up(&self, _message: &Message, _marker: &str, _view: &View) -> Vec<HttpRequest> {
        Vec::new()
    }

    /// The run with this marker in the reply to the question of this number, if it is there.
    ///
    /// # Errors
    /// What it means that the question was not answered.
    fn find(&self, _question: usize, _marker: &str, reply: &Reply) -> Result<Option<String>, Outcome> {
        Err(reply::unanswered(reply))
    }

    /// How a run stands, as far as these replies tell, or what to ask next. What it has written is
    /// asked for once it is over.
    fn ask(&self, run: &str, replies: &[Reply]) -> Inquiry;

    /// What comes next in cancelling a run, after these replies; without any, the first call.
    fn cancel(&self, run: &str, replies: &[Reply]) -> Turn;

    /// Reads a callback that is proven.
    ///
    /// # Errors
    /// It cannot be read.
    fn hear(&self, call: &Callback<'_>) -> Result<Vec<Signal>, Refusal>;
}

/// A start: what is told, and the marker that the run carries.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The message.
    pub message: &'a Message,
    /// For templates.
    pub view: &'a View<'a>,
    /// Id of the delivery that first tried.
    pub marker: &'a str,
}

/// A target that starts runs on a platform.
#[derive(Debug)]
pub struct Runs<P>(pub P);

/// What is to be done about a message.
#[derive(Debug, PartialEq, Eq)]
enum Course<'a> {
    Start,
    /// One may have been started under this marker.
    LookUp(&'a str),
    Cancel(&'a str),
    /// Nothing, for this reason.
    Nothing(String),
}

impl<P: Platform> Runs<P> {
    fn cleaned(&self, replies: &[Reply]) -> Vec<Reply> {
        replies.iter().map(|reply| cleaned(reply, self.0.redactor()).into_owned()).collect()
    }

    fn course<'a>(&self, message: &'a Message) -> Result<Course<'a>, Unsayable> {
        let run = message.remote.as_ref().and_then(|RemoteRef(text)| text.split(' ').next());
        let looks_up = self.0.looks_up();
        Ok(match (message.action, run, message.begun.as_deref()) {
            (Action::Acknowledge, ..) => {
                return Err(Unsayable("a job platform has no word for an acknowledgement".into()));
            }
            (Action::Trigger, Some(run), _) => {
                Course::Nothing(format!("already started as run {run}; a change of the alert starts nothing"))
            }
            (Action::Trigger, None, Some(begun)) if looks_up => Course::LookUp(begun),
            (Action::Trigger, None, Some(begun)) => {
                return Err(Unsayable(format!(
                    "may have been started already by delivery {begun}, of which nobody knows how it ended; look at the platform, then `queue retry` this one to start it after all"
                )));
            }
            (Action::Trigger, None, None) => Course::Start,
            (Action::Resolve, ..) if self.0.habits().on_resolve == OnResolve::LeaveAlone => {
                Course::Nothing("it is over, and its run is left alone (on_resolve: none)".into())
            }
            (Action::Resolve, Some(run), _) => Course::Cancel(run),
            (Action::Resolve, None, Some(begun)) if looks_up => Course::LookUp(begun),
            (Action::Resolve, None, Some(begun)) => Course::Nothing(format!(
                "it is over; whether delivery {begun} started a run is not known, so none is cancelled"
            )),
            (Action::Resolve, None, None) => {
                Course::Nothing("it is over, and no run of it was started".into())
            }
        })
    }

    /// The first round of questions, and for a start a second one; then what follows from them.
    fn looked_up(&self, message: &Message, view: &View, marker: &str, replies: &[Reply]) -> Turn {
        let questions = self.0.look_up(message, marker, view);
        let starts = message.action == Action::Trigger;
        let asked_in_all = if starts { 2 * questions.len() } else { questions.len() };
        for (nth, reply) in replies.iter().take(asked_in_all).enumerate() {
            match self.0.find(nth % questions.len(), marker, reply) {
                Ok(None) => {}
                Ok(Some(run)) if starts => return Turn::Over(reply::started(&run)),
                Ok(Some(run)) => return self.0.cancel(&run, &replies[nth + 1..]),
                Err(outcome) => return Turn::Over(unanswered(outcome)),
            }
        }
        let start = Start { message, view, marker };
        match replies.len() {
            asked if asked < asked_in_all => {
                let again = asked == questions.len();
                let request = questions.into_iter().cycle().nth(asked);
                let wait = if again { LOOK_AGAIN } else { Duration::ZERO };
                request.map_or_else(|| Turn::Over(nothing_came()), |request| call(request, None, wait))
            }
            _ if !starts => Turn::Over(Outcome::delivered()),
            asked if asked == asked_in_all => match self.0.start(&start) {
                Ok(worded) => Turn::call(worded),
                Err(Unsayable(reason)) => Turn::Over(Outcome::Rejected { reason }),
            },
            _ => self.0.after_start(&start, &replies[asked_in_all..]),
        }
    }
}

impl<P: Platform> Target for Runs<P> {
    fn request(&self, message: &Message, view: &View) -> Result<Worded, Unsayable> {
        let first = |turn| match turn {
            Turn::Call(step) => Ok(step.worded),
            Turn::Over(outcome) => Err(Unsayable(outcome.reason().to_owned())),
        };
        match self.course(message)? {
            Course::Start => self.0.start(&Start { message, view, marker: &message.id }),
            Course::LookUp(marker) => first(self.looked_up(message, view, marker, &[])),
            Course::Cancel(run) => first(self.0.cancel(run, &[])),
            Course::Nothing(remark) => Ok(Worded { request: Request::Nothing(remark), faults: Vec::new() }),
        }
    }

    fn judge(&self, message: &Message, reply: &Reply) -> Outcome {
        let reply = &cleaned(reply, self.0.redactor());
        match message.action {
            Action::Trigger => self.0.started(reply),
            Action::Acknowledge | Action::Resolve => reply::cancelled(reply),
        }
    }

    fn follow(&self, message: &Message, view: &View, replies: &[Reply]) -> Turn {
        let replies = self.cleaned(replies);
        match self.course(message) {
            Err(Unsayable(reason)) => Turn::Over(Outcome::Rejected { reason }),
            Ok(Course::Nothing(_)) => Turn::Over(Outcome::delivered()),
            Ok(Course::Start) => self.0.after_start(&Start { message, view, marker: &message.id }, &replies),
            Ok(Course::LookUp(marker)) => self.looked_up(message, view, marker, &replies),
            Ok(Course::Cancel(run)) => self.0.cancel(run, &replies),
        }
    }

    fn says(&self, action: Action) -> bool {
        action != Action::Acknowledge
    }

    fn inquire(&self, remote: &RemoteRef, replies: &[Reply]) -> Inquiry {
        match name(remote) {
            "" => Inquiry::Untold,
            run => self.0.ask(run, &self.cleaned(replies)),
        }
    }

    fn cancel(&self, remote: &RemoteRef, replies: &[Reply]) -> Option<Turn> {
        let run = name(remote);
        (!run.is_empty()).then(|| self.0.cancel(run, &self.cleaned(replies)))
    }

    fn repeat(&self, usual: Repeat) -> Repeat {
        if self.0.looks_up() { Repeat::LookedUp } else { usual }
    }

    fn callback(&self, call: &Callback<'_>) -> Result<Heard, Refusal> {
        self.0.habits().proof.check(call)?;
        Ok(Heard { signals: self.0.hear(call)?, answer: Answer::default() })
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.0.secrets().iter().collect()
    }
}

/// What the platform calls it.
fn name(RemoteRef(text): &RemoteRef) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// One more question.
pub fn asks(request: HttpRequest) -> Inquiry {
    Inquiry::Call(Box::new(Request::Http(request)))
}

/// One more call.
pub fn call(request: HttpRequest, keep: Option<RemoteRef>, wait: Duration) -> Turn {
    let worded = Worded { request: Request::Http(request), faults: Vec::new() };
    Turn::Call(Box::new(Step { worded, keep, wait }))
}

/// A question has changed nothing, so it may be asked again.
fn unanswered(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Unknown { reason } => Outcome::Retry { reason, after: None, whole_target: false },
        outcome => outcome,
    }
}

fn nothing_came() -> Outcome {
    Outcome::Unknown { reason: "nothing came back".into() }
}
