//! `alert-relay completions` and `alert-relay man`: made of the same words as `--help`.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Answer;
use crate::cli::args::Cli;
use crate::cli::args::tools::{CompletionsArgs, ManArgs};

/// Prints the script of a shell.
pub fn completions(args: &CompletionsArgs) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "alert-relay", &mut script);
    Answer::good(String::from_utf8_lossy(&script).into_owned())
}

/// Prints the page of the whole, or writes one page for each command.
pub fn man(args: &ManArgs) -> Answer {
    let whole = Cli::command().disable_help_subcommand(true);
    let Some(folder) = &args.output else {
        let mut page = Vec::new();
        return match Man::new(whole).render(&mut page) {
            Ok(()) => Answer::good(String::from_utf8_lossy(&page).into_owned()),
            Err(error) => Answer::refused(&format!("the page cannot be made: {error}")),
        };
    };
    match clap_mangen::generate_to(whole, folder) {
        Ok(()) => {
            Answer::good(format!("alert-relay.1 and a page for each command are in {}\n", folder.display()))
        }
        Err(error) => Answer::refused(&format!("{} cannot be written to: {error}", folder.display())),
    }
}
