//! `alert-relay completions` and `alert-relay man`: made of the same words as `--help`.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Answer;
use crate::cli::args::Cli;
use crate::cli::args::tools::{CompletionsArgs, ManArgs};

/// Prints the script of a shell.
pub fn completions(args: &CompletionsArgs) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "alert-relay", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Answer::good(if args.shell == Shell::Bash { with_labels_of_its_words(&script) } else { script })
}

/// clap_complete 4.6 spells a program with a dash in two ways: the words typed so far become
/// `alert__relay__subcmd__queue`, and the label of the case that should take them is
/// `alert__subcmd__relay__subcmd__queue)`. Nothing behind the first word would be completed.
fn with_labels_of_its_words(script: &str) -> String {
    script.replace("alert__subcmd__relay", "alert__relay")
}

/// Prints the page of the whole, or writes one page for each command.
pub fn man(args: &ManArgs) -> Answer {
    let mut whole = Cli::command().disable_help_subcommand(true);
    let Some(folder) = &args.output else {
        return match page(&Man::new(whole)) {
            Ok(page) => Answer::good(page),
            Err(error) => Answer::refused(&format!("the page cannot be made: {error}")),
        };
    };
    whole.build();
    match std::fs::create_dir_all(folder).and_then(|()| write_pages(&whole, folder)) {
        Ok(()) => {
            Answer::good(format!("alert-relay.1 and a page for each command are in {}\n", folder.display()))
        }
        Err(error) => Answer::refused(&format!("{} cannot be written to: {error}", folder.display())),
    }
}

/// The page of a command, and of all below it.
fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below, folder)?;
    }
    let man = Man::new(command.clone());
    std::fs::write(folder.join(man.get_filename()), page(&man)?)
}

fn page(man: &Man) -> io::Result<String> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    // Examples and exit codes: man-pages(7) knows no section EXTRA.
    Ok(String::from_utf8_lossy(&page).replace(".SH EXTRA", ".SH NOTES"))
}
