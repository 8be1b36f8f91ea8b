//! `alert-relay import`: an Alertmanager configuration in, a relay.yaml out, with a list of what could
//! not be carried over. Reads files, decides nothing about alerts: the same tree routes them.
//!
//! `tree.rs` carries over what is alike, `receivers.rs` and the kinds beside it what is not, `go/`
//! translates templates, `sheet.rs` writes YAML.

mod draft;
pub mod go;
mod jira;
mod mail;
mod notes;
mod pagers;
mod receivers;
mod sheet;
mod slack;
mod tree;
mod webhook;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::assemble::assemble;
use crate::cli::Answer;
use crate::cli::args::tools::ImportArgs;
use crate::cli::import::go::Defines;
use crate::cli::import::notes::{LeftOut, Notes, Variable, list_of, text_of};
use crate::cli::import::sheet::{Out, write_list, write_map};
use crate::config::secrets::{Lenient, ThisMachine};
use crate::document::node::Value;
use crate::document::parse::parse;
use crate::domain::problem::Severity;

/// What an import gives.
#[derive(Debug)]
pub struct Imported {
    /// A relay.yaml.
    pub text: String,
    /// In the order of the original.
    pub left_out: Vec<LeftOut>,
    /// To be set before it can run.
    pub variables: Vec<Variable>,
}

/// Imports.
pub fn run(args: &ImportArgs) -> Answer {
    done(args).unwrap_or_else(|why| Answer::refused_in(args.json, &why))
}

fn done(args: &ImportArgs) -> Result<Answer, String> {
    let (name, text) = read(&args.file)?;
    let folder = args.file.parent().unwrap_or(Path::new(""));
    let imported = imported(&name, &text, &|pattern| template_files(folder, pattern))?;
    let mut answer = Answer::default();
    if args.json {
        let whole = json!({
            "config": imported.text,
            "not_carried_over": imported.left_out,
            "environment": imported.variables,
        });
        answer.out = format!("{whole:#}\n");
    } else {
        answer.err = told(&name, &imported);
    }
    let problems = assemble(&imported.text, &Lenient(&ThisMachine::new(&args.file))).problems;
    for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
        answer.err.push_str(&format!("to be mended by hand, in the result: {problem}\n"));
        answer.code = 1;
    }
    match &args.output {
        None if !args.json => answer.out = imported.text,
        None => {}
        Some(file) => {
            write(file, &imported.text, args.force)?;
            answer.err.push_str(&format!(
                "{} is written; next: alert-relay check --config {} --no-secrets\n",
                file.display(),
                file.display()
            ));
        }
    }
    Ok(answer)
}

fn read(file: &Path) -> Result<(String, String), String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
        return Ok(("standard input".to_owned(), text));
    }
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{name} does not exist; name the alertmanager.yml"),
        _ => format!("{name} cannot be read: {error}"),
    })?;
    Ok((name, text))
}

fn write(file: &Path, text: &str, force: bool) -> Result<(), String> {
    let name = file.display();
    let mut options = std::fs::OpenOptions::new();
    let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
    let written =
        options.write(true).open(file).and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{name} is there already; write elsewhere, or say --force"),
        _ => format!("{name} cannot be written: {error}"),
    })
}

/// Files of a pattern such as `templates/*.tmpl`: a star in the last part only.
fn template_files(folder: &Path, pattern: &str) -> Vec<String> {
    let pattern = folder.join(pattern);
    let (parent, last) = (pattern.parent().unwrap_or(folder), pattern.file_name().unwrap_or_default());
    let last = last.to_string_lossy();
    let fits = |name: &str| match last.split_once('*') {
        Some((start, end)) => name.len() + 1 >= last.len() && name.starts_with(start) && name.ends_with(end),
        None => name == last,
    };
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| fits(&name.to_string_lossy())))
        .collect();
    files.sort();
    files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
}

/// Carries an Alertmanager configuration over. `name` is that of the file; `templates` gives the texts
/// of the files of a pattern.
///
/// # Errors
/// It is no Alertmanager configuration.
pub fn imported(name: &str, text: &str, templates: &dyn Fn(&str) -> Vec<String>) -> Result<Imported, String> {
    let root = parse(text).map_err(|problem| format!("{name}:{problem}"))?;
    let Some(route) = root.get("route").filter(|route| matches!(route.value, Value::Map(_))) else {
        return Err(format!("{name} has no `route`; name an Alertmanager configuration"));
    };
    if root.get("targets").is_some() && root.get("sources").is_some() {
        return Err(format!("{name} is a relay.yaml already; name an Alertmanager configuration"));
    }
    let mut notes = Notes::default();
    let mut defines = Defines::default();
    for pattern in list_of(root.get("templates")) {
        let files = templates(&text_of(pattern).unwrap_or_default());
        if files.is_empty() {
            notes.leave(pattern.place.line, "no template file is there to be read");
        }
        files.iter().for_each(|file| defines.add(file));
    }
    let tree = tree::route(route, &mut notes);
    let receivers = receivers::receivers(&root, &defines, &mut notes);
    let inhibition = tree::inhibition(&root, &mut notes);
    let intervals = tree::intervals(&root);
    for (key, line) in notes::keys_of(&root) {
        if matches!(key, "tracing" | "event_recorder") {
            notes.leave(line, format!("`{key}` has no counterpart"));
        }
    }
    if let Some(http) = root.get("global").and_then(|global| global.get("http_config")) {
        notes.leave(http.place.line, "`http_config` of global is not carried over");
    }
    let mut variables = notes.variables;
    variables.insert(
        0,
        Variable {
            name: "ALERTMANAGER_TOKEN".to_owned(),
            line: 0,
            what: "any long random word; Alertmanager shows it".to_owned(),
        },
    );
    let mut left_out = notes.left_out;
    left_out.sort();
    let mut sheet = head(name, &left_out, &variables, &tree::grouping(route));
    sheet.push_str("\nsources:\n  - name: alertmanager\n    kind: alertmanager\n    auth: { bearer: [\"${ALERTMANAGER_TOKEN}\"] }\n");
    let parts = [
        ("route", tree),
        ("receivers", Out::List(receivers.receivers)),
        ("targets", Out::List(receivers.targets)),
        ("time_intervals", Out::List(intervals)),
        ("inhibit_rules", Out::List(inhibition)),
    ];
    for (key, part) in parts {
        match &part {
            Out::List(list) if list.is_empty() => {}
            Out::List(list) => {
                sheet.push_str(&format!("\n{key}:\n"));
                write_list(&mut sheet, list, 1);
            }
            _ => {
                sheet.push('\n');
                write_map(&mut sheet, &[(key.to_owned(), part)], 0);
            }
        }
    }
    Ok(Imported { text: sheet, left_out, variables })
}

fn head(name: &str, left_out: &[LeftOut], variables: &[Variable], grouping: &[(String, u32)]) -> String {
    let mut lines: Vec<String> = vec![
        format!("Made by `alert-relay import` of {name}."),
        String::new(),
        "Grouping and silences stay in Alertmanager. There one receiver is enough, with the grouping of its"
            .into(),
        "root route, and no routes below:".into(),
        "  receivers:".into(),
        "    - name: relay".into(),
        "      webhook_configs:".into(),
        "        - url: http://127.0.0.1:9095/hooks/alertmanager".into(),
        "          http_config: { authorization: { credentials: the ALERTMANAGER_TOKEN } }".into(),
    ];
    if !grouping.is_empty() {
        lines.extend([String::new(), "Grouping was:".to_owned()]);
        lines.extend(grouping.iter().map(|(what, line)| format!("  line {line}: {what}")));
    }
    lines.extend([String::new(), "Variables to set:".to_owned()]);
    lines.extend(variables.iter().map(|variable| format!("  {}", variable_line(variable))));
    if !left_out.is_empty() {
        lines.extend([String::new(), "Not carried over:".to_owned()]);
        lines.extend(left_out.iter().map(|left| format!("  line {}: {}", left.line, left.what)));
    }
    lines.iter().map(|line| format!("# {}", printable(line)).trim_end().to_owned() + "\n").collect()
}

fn variable_line(variable: &Variable) -> String {
    match variable.line {
        0 => format!("{}: {}", variable.name, variable.what),
        line => format!("{}: {}, line {line}", variable.name, variable.what),
    }
}

/// For people, on standard error.
fn told(name: &str, imported: &Imported) -> String {
    let mut told = String::new();
    if !imported.left_out.is_empty() {
        told.push_str("not carried over:\n");
        for left in &imported.left_out {
            told.push_str(&format!("  {}:{}: {}\n", printable(name), left.line, printable(&left.what)));
        }
    }
    told.push_str("variables to set:\n");
    for variable in &imported.variables {
        told.push_str(&format!("  {}\n", printable(&variable_line(variable))));
    }
    told
}

/// Names of receivers are anybody's; a line of them stays a line, and commands no terminal.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "\u{fffd}")
}
