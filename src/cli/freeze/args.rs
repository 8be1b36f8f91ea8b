//! The words of `alert-relay freeze`, and the help that explains them.

use clap::{Args, Subcommand};

use crate::cli::queue::args::ReachArgs;

/// For `freeze` as a whole.
pub const EXAMPLES: &str = "\
Examples:
  alert-relay freeze add --until 6h --reason 'the database moves'
  alert-relay freeze add --service 'checkout*' --environment prod \\
      --from 2026-12-30T00:00:00Z --until 2027-01-02T00:00:00Z --reason 'year-end close'
  alert-relay freeze list                                 # those that stand, and those to come
  alert-relay freeze end 3                                # before its time

Exit codes:
  0  done
  1  it could not be done; why has been told
  2  the command line itself is wrong";

/// `freeze`
#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FreezeCommand,
}

/// The commands of `freeze`.
#[derive(Debug, Subcommand)]
pub enum FreezeCommand {
    /// Set one: `gate` denies until it ends, and says who set it and why
    Add(AddArgs),

    /// List those that stand or are to come, the next to end first
    List(ListArgs),

    /// End one before its time
    End(EndArgs),
}

impl FreezeCommand {
    /// Which relay, and how the answer is wanted.
    pub fn reach(&self) -> &ReachArgs {
        match self {
            FreezeCommand::Add(args) => &args.reach,
            FreezeCommand::List(args) => &args.reach,
            FreezeCommand::End(args) => &args.reach,
        }
    }
}

/// `freeze add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Of which services, with * and ?; of all when left out
    #[arg(long, value_name = "NAMES", default_value = "", hide_default_value = true)]
    pub service: String,

    /// In which environments, with * and ?; in all when left out
    #[arg(long, value_name = "NAMES", default_value = "", hide_default_value = true)]
    pub environment: String,

    /// From when on: a time, or how long from now; now when left out
    #[arg(long, value_name = "TIME", default_value = "", hide_default_value = true)]
    pub from: String,

    /// Until when: a time, or how long it lasts, as in 6h
    #[arg(long, value_name = "TIME")]
    pub until: String,

    /// Why: whoever is held up will ask
    #[arg(long, value_name = "TEXT")]
    pub reason: String,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `freeze list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}

/// `freeze end`
#[derive(Debug, Args)]
pub struct EndArgs {
    /// Its number, as the list shows it
    #[arg(value_name = "NUMBER")]
    pub id: i64,

    /// Which relay.
    #[command(flatten)]
    pub reach: ReachArgs,
}
