//! Words in, exit code out.

use std::process::ExitCode;

use alert_relay::cli::args::{Cli, Command};
use alert_relay::cli::{Surroundings, check, explain};
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let surroundings = Surroundings::of_this_process();
    let answer = match &cli.command {
        Command::Check(args) => check::run(args, &surroundings),
        Command::Explain(args) => explain::run(args, &surroundings),
    };
    match answer.write() {
        Ok(()) => ExitCode::from(answer.code),
        Err(_) => ExitCode::FAILURE,
    }
}
