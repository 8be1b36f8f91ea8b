//! Words in, exit code out.

use std::process::ExitCode;
use std::sync::Arc;

use alert_relay::cli::args::{Cli, Command, ServeArgs};
use alert_relay::cli::{
    Answer, Surroundings, check, explain, freeze, gate, import, incident, manual, queue, replay_diff, report,
    schema, send, serve, test,
};
use alert_relay::daemon;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let surroundings = Surroundings::of_this_process();
    let answer = match &cli.command {
        Command::Serve(args) => run_daemon(args, &surroundings),
        Command::Check(args) => check::run(args, &surroundings),
        Command::Explain(args) => explain::run(args, &surroundings),
        Command::Test(args) => test::run(args, &surroundings),
        Command::Send(args) => send::run(args, &surroundings),
        Command::Queue(args) => queue::run(args),
        Command::Incident(args) => incident::run(args),
        Command::Gate(args) => gate::run(args),
        Command::Freeze(args) => freeze::run(args),
        Command::Report(args) => report::run(args),
        Command::ReplayDiff(args) => replay_diff::run(args),
        Command::Import(args) => import::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => manual::completions(args),
        Command::Man(args) => manual::man(args),
    };
    match answer.write() {
        Ok(()) => ExitCode::from(answer.code),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs until it is told to stop.
fn run_daemon(args: &ServeArgs, surroundings: &Surroundings) -> Answer {
    serve::start_log(args, surroundings);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Answer::refused(&format!("threads cannot be started: {error}")),
    };
    let served = daemon::serve(&args.config.config, args.shadow.as_deref(), Arc::new(serve::print));
    match runtime.block_on(served) {
        Ok(()) => Answer::default(),
        Err(failed) => Answer::refused(&failed.to_string()),
    }
}
