//! The words of `alert-relay queue`, and the help that explains them.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use crate::domain::delivery::State;

/// Where a relay answers when nothing is said.
pub const URL: &str = "http://127.0.0.1:9095";

/// What waits for targets that are not configured any more; no state of a delivery.
const PARKED: &str = "parked";
/// States that something can be tried again from, whole targets at a time.
const RETRIED: [State; 3] = [State::Waiting, State::Held, State::Dead];

fn states() -> PossibleValuesParser {
    State::ALL.map(State::as_str).into_iter().chain([PARKED]).into()
}

fn retried() -> PossibleValuesParser {
    RETRIED.map(State::as_str).into()
}

/// For `queue` as a whole.
pub const EXAMPLES: &str = "\
Examples:
  alert-relay queue list --state dead --since 24h         # what was given up
  alert-relay queue show 4711                             # every attempt, with the answer it got
  alert-relay queue retry 4711 4712                       # once more, at the end of their lanes
  alert-relay queue retry --target chat                   # it is mended: all that waits for it, now
  alert-relay queue retry --target chat --state dead      # what was given up there, once more
  alert-relay queue drop 4713 --reason 'maintenance'      # will never be sent
  alert-relay queue list --state parked                   # what waits for targets that were taken out
  alert-relay queue orphans                               # open at a target for ever
  alert-relay queue resolve 88                            # close one of them
  alert-relay queue replay --since 2h --source alertmanager --dry-run
  alert-relay queue audit                                 # who changed what

Exit codes:
  0  done
  1  it could not be done, at least not for all; what and why has been told
  2  the command line itself is wrong";

/// `queue`
#[derive(Debug, Args)]
pub struct QueueArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: QueueCommand,
}

/// The commands of `queue`.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// List deliveries, newest first
    ///
    /// All filters must be met. A delivery is one promise to tell one target one thing; its number
    /// is what the other commands take.
    List(ListArgs),

    /// Show one delivery with all of its attempts: when, how long, what was answered
    Show(ShowArgs),

    /// Try again: now if it waits, once more if it was given up or dropped
    ///
    /// What waits or is held is tried as soon as the target's pace allows. What is dead or was
    /// dropped becomes a new delivery at the end of its lane, so that order holds and its time to
    /// give up counts anew. What is over by now, or was followed by later news, is refused: nobody
    /// is paged for history. With --target it is all that waits for a target, or was given up there.
    Retry(RetryArgs),

    /// Never send what waits
    ///
    /// The delivery ends as expired, with your reason. The same alert is told again when its source
    /// repeats it.
    Drop(DropArgs),

    /// List incidents that are open at a target and that nothing is going to close
    ///
    /// Either all their alerts are over and the resolve never got through, or nobody has spoken of
    /// them for long: their route, group or source has changed meanwhile.
    Orphans(OrphansArgs),

    /// Close orphans: send a resolve at the end of their lanes
    Resolve(ResolveArgs),

    /// Send recorded events through today's routing again
    ///
    /// Each event becomes a new one, noted as `replay of …`; dedup keys stay, so no second incident
    /// is opened for one that is open. What a lane has heard a moment ago, or knows to be over (it
    /// remembers that for a day), is recorded and not sent: choose the time accordingly. A dry run
    /// says what each event asks for: that is the most that would be sent.
    Replay(ReplayArgs),

    /// Show what services told us by callbacks, newest first: who acknowledged what, and where
    Signals(SignalsArgs),

    /// Show what people changed, newest first
    Audit(AuditArgs),
}

impl QueueCommand {
    /// Which relay, and how the answer is wanted.
    pub fn reach(&self) -> &ReachArgs {
        match self {
            QueueCommand::List(args) => &args.reach,
            QueueCommand::Show(args) => &args.reach,
            QueueCommand::Retry(args) => &args.reach,
            QueueCommand::Drop(args) => &args.reach,
            QueueCommand::Orphans(args) => &args.reach,
            QueueCommand::Resolve(args) => &args.reach,
            QueueCommand::Replay(args) => &args.reach,
            QueueCommand::Signals(args) => &args.reach,
            QueueCommand::Audit(args) => &args.reach,
        }
    }
}

/// Which relay, and who asks.
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// Where the relay's admin interface answers
    #[arg(long, value_name = "URL", default_value = URL, env = "ALERT_RELAY_URL", help_heading = "Relay")]
    pub url: String,

    /// One of server.admin.tokens; not needed on the relay's own machine when none is configured
    #[arg(
        long,
        value_name = "TOKEN",
        env = "ALERT_RELAY_TOKEN",
        hide_env_values = true,
        help_heading = "Relay"
    )]
    pub token: Option<String>,

    /// Certificates (PEM) to trust besides those of this machine, for a relay that speaks TLS
    #[arg(long, value_name = "FILE", help_heading = "Relay")]
    pub ca_file: Option<std::path::PathBuf>,

    /// Your name, for the audit
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, help_heading = "Relay")]
    pub actor: Option<String>,

    /// Write JSON, for programs
    #[arg(long)]
    pub json: bool,
}

/// `queue list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Of this target
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,

    /// In one of these states; parked is what waits for targets that are not configured any more
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = states())]
    pub state: Vec<String>,

    /// Of this dedup key, or of those that begin so
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,

    /// Accepted at this time or later: 2026-08-01T03:00:00Z, or 24h for that long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Accepted before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Made for this event, by the id that its sender was answered
    #[arg(long, value_name = "ID")]
    pub event: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Number of the delivery
    #[arg(value_name = "DELIVERY")]
    pub id: i64,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue retry`
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Numbers of deliveries
    #[arg(value_name = "DELIVERY", required_unless_present = "target")]
    pub ids: Vec<i64>,

    /// All that waits for this target, or is held: when it is mended, and nobody wants to wait
    #[arg(long, value_name = "NAME", conflicts_with = "ids")]
    pub target: Option<String>,

    /// With --target: what is in one of these states
    #[arg(
        long,
        value_name = "STATE",
        value_delimiter = ',',
        default_values = ["waiting", "held"],
        value_parser = retried(),
        requires = "target"
    )]
    pub state: Vec<String>,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue drop`
#[derive(Debug, Args)]
pub struct DropArgs {
    /// Numbers of deliveries
    #[arg(value_name = "DELIVERY", required_unless_present = "target")]
    pub ids: Vec<i64>,

    /// All that waits for this target, also for one that is not configured any more
    #[arg(long, value_name = "NAME", conflicts_with = "ids")]
    pub target: Option<String>,

    /// Why, for those who look later
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,

    /// Do not ask
    #[arg(long)]
    pub yes: bool,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue orphans`
#[derive(Debug, Args)]
pub struct OrphansArgs {
    /// What still fires counts as an orphan when nothing has happened to it for so long
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub silent_for: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue resolve`
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// Numbers of lanes, as `queue orphans` shows them
    #[arg(value_name = "LANE", required = true)]
    pub lanes: Vec<i64>,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Ids of events, as their senders were answered
    #[arg(value_name = "EVENT", required_unless_present = "since")]
    pub events: Vec<String>,

    /// Received at this time or later: 2026-08-01T03:00:00Z, or 2h for that long ago
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Received before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// Of this source
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,

    /// Say what each event asks for, and send nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Events a second
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub rate: f64,

    /// Do not ask
    #[arg(long)]
    pub yes: bool,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue signals`
#[derive(Debug, Args)]
pub struct SignalsArgs {
    /// From this target
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,

    /// About this dedup key
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `queue audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}
