//! docs/cli.md is made of the words of the command line: one section a command, and `--help` says the
//! same. `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write as _;
use std::fs;

use alert_relay::cli::args::Cli;
use clap::{Arg, Command, CommandFactory as _};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");

const HEAD: &str = "\
# The command line

Made of `--help`, and kept true by tests/cli.rs. Shells complete it (`alert-relay completions`), and
`alert-relay man` prints it as a manual page. Colours are for terminals only, and go with `NO_COLOR`,
`TERM=dumb` or `--no-color`; `--json` is for programs.

| exit code | means |
|---|---|
| 0 | good |
| 1 | problems were found, or it could not be done; what and why has been told |
| 2 | the command line itself is wrong |
| 3 | `replay-diff` only: something would change |
";

fn page() -> String {
    let mut whole = Cli::command();
    whole.build();
    let mut page = HEAD.to_owned();
    page.push_str("\n| command | does |\n|---|---|\n");
    for command in commands(&whole) {
        let name = name_of(command);
        let anchor = name.replace(' ', "-");
        writeln!(page, "| [`{name}`](#{anchor}) | {} |", about(command)).unwrap();
    }
    for command in commands(&whole) {
        section(command, &mut page);
    }
    page
}

/// Every command that can be given, with those below it behind it.
fn commands(of: &Command) -> Vec<&Command> {
    let below = of.get_subcommands().filter(|command| command.get_name() != "help");
    below.flat_map(|command| std::iter::once(command).chain(commands(command))).collect()
}

/// `alert-relay queue list`
fn name_of(command: &Command) -> String {
    command.get_bin_name().unwrap().to_owned()
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default().replace('|', "\\|")
}

fn section(command: &Command, page: &mut String) {
    let usage = command.clone().render_usage().to_string();
    let long = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    write!(page, "\n## {}\n\n", name_of(command)).unwrap();
    write!(
        page,
        "{}\n\n```text\n{}\n```\n",
        long.trim().replace('<', "\\<"),
        usage.trim_start_matches("Usage: ")
    )
    .unwrap();
    let arguments: Vec<&Arg> =
        command.get_arguments().filter(|argument| argument.get_id() != "help").collect();
    if !arguments.is_empty() {
        page.push_str("\n| option | |\n|---|---|\n");
    }
    for argument in arguments {
        writeln!(page, "| `{}` | {} |", spelled(argument), help(argument)).unwrap();
    }
    if let Some(examples) = command.get_after_long_help() {
        write!(page, "\n```text\n{}\n```\n", examples.to_string().trim()).unwrap();
    }
}

fn spelled(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    let takes = argument.get_action().takes_values() && !value.is_empty();
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    match (long, takes) {
        (Some(long), true) => format!("{short}{long} {value}"),
        (Some(long), false) => format!("{short}{long}"),
        (None, _) => value,
    }
}

fn help(argument: &Arg) -> String {
    let mut help =
        argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let shows = argument.get_action().takes_values() && !defaults.concat().is_empty();
    let words: Vec<String> = match argument.get_action().takes_values() {
        true => {
            argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect()
        }
        false => Vec::new(),
    };
    if !words.is_empty() {
        write!(help, ". One of {}", words.join(", ")).unwrap();
    }
    if shows {
        write!(help, " (default: `{}`)", defaults.join(", ")).unwrap();
    }
    if let Some(variable) = argument.get_env() {
        write!(help, " (or the environment variable `{}`)", variable.to_string_lossy()).unwrap();
    }
    help.replace("\n\n", ". ").replace('\n', " ").replace("  ", " ").replace('|', "\\|").replace('<', "\\<")
}

#[test]
fn the_page_of_the_command_line_is_that_of_its_words() {
    let page = page();
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(FILE, page).unwrap();
        return;
    }
    assert!(fs::read_to_string(FILE).unwrap_or_default() == page, "run this test with UPDATE_GOLDEN=1");
}

#[test]
fn every_command_says_what_its_exit_codes_mean_and_every_option_what_it_does() {
    let mut whole = Cli::command();
    whole.build();
    for command in commands(&whole) {
        let name = name_of(command);
        let help = command.clone().render_long_help().to_string();
        let is_below = name.split(' ').count() > 2;
        assert!(is_below || help.contains("Exit codes:"), "{name}: {help}");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {} has no help", argument.get_id());
        }
    }
}

#[test]
fn manual_pages_and_completions_name_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_alert-relay")).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // The folder need not be there.
    let folder = folder.path().join("share/man1");
    run(&["man", "--output", folder.to_str().unwrap()]);
    let of_list = fs::read_to_string(folder.join("alert-relay-queue-list.1")).unwrap();
    assert!(of_list.contains("ALERT_RELAY_URL") && of_list.contains("ALERT_RELAY_TOKEN"), "{of_list}");
    let mut whole = Cli::command();
    whole.build();
    for command in commands(&whole) {
        let file = folder.join(format!("{}.1", name_of(command).replace(' ', "-")));
        let page = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{} is missing", file.display()));
        assert!(page.contains(".SH SYNOPSIS") && !page.contains(".SH EXTRA"), "{page}");
    }
    assert!(run(&["man"]).contains(".TH alert-relay 1"));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        for command in whole.get_subcommands() {
            assert!(script.contains(command.get_name()), "{shell} does not know {}", command.get_name());
        }
    }
}
