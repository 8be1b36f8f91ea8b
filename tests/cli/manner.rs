//! Manners at a terminal: completion by a real shell, colours where there are some to see, and words of
//! templates that nobody reads.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const BINARY: &str = env!("CARGO_BIN_EXE_alert-relay");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What bash would offer behind these words.
fn completed(script: &Path, words: &str) -> String {
    let ask = "source \"$0\"; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
               _alert__relay alert-relay \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[*]}\"";
    let ended = Command::new("bash").args(["-c", ask]).arg(script).arg(words).output().unwrap();
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    text(&ended.stdout).trim().to_owned()
}

#[test]
fn bash_completes_every_word_of_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("alert-relay.bash");
    let made = Command::new(BINARY).args(["completions", "bash"]).output().unwrap();
    fs::write(&script, made.stdout).unwrap();
    for (words, offered) in [
        ("alert-relay rep", "report replay-diff"),
        ("alert-relay queue re", "retry resolve replay"),
        ("alert-relay replay-diff --ag", "--against"),
        ("alert-relay incident on", "on-call"),
        ("alert-relay incident on-call --at", "--at"),
        ("alert-relay queue list --state de", "delivered dead"),
        ("alert-relay queue retry --st", "--state"),
    ] {
        assert_eq!(completed(&script, words), offered, "{words}");
    }
}

/// `check` of something wrong, at a terminal, with these variables.
fn at_a_terminal(variables: &[(&str, &str)]) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let command = format!("{BINARY} check --config bad.yaml");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(folder);
    script.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    let Ok(Output { stdout, .. }) = script.output() else {
        eprintln!("`script` is not there, so no terminal could be played");
        return None;
    };
    Some(text(&stdout))
}

#[test]
fn a_terminal_gets_colours_unless_it_has_none_or_nobody_wants_them() {
    let Some(coloured) = at_a_terminal(&[]) else { return };
    assert!(coloured.contains("\u{1b}[") && coloured.contains("bad.yaml"), "{coloured}");
    for variable in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let plain = at_a_terminal(&[variable]).unwrap();
        assert!(!plain.contains('\u{1b}') && plain.contains("bad.yaml"), "{variable:?}: {plain}");
    }
}

#[test]
fn templates_that_do_nothing_are_told_with_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let put = |file: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{{title}}").unwrap();
    };
    for file in ["words/console/txet.hbs", "words/slakc/text.hbs", "words/text.hbs", "words/slack/text.hbs"] {
        put(file);
    }
    // What an editor or git leaves there, and what is no wording.
    put("words/.git/text.hbs");
    put("words/slack/README.md");
    put("words/slack/.text.hbs.swp");
    let check = |templates: &str| {
        let config = format!(
            "templates: {{ path: {templates} }}\nsources: [{{ name: a, kind: alertmanager, auth: none }}]\n\
             route: {{ receiver: r }}\nreceivers: [{{ name: r, targets: [screen] }}]\n\
             targets: [{{ name: screen, console: {{}} }}]\n"
        );
        fs::write(folder.path().join("relay.yaml"), config).unwrap();
        let mut command = Command::new(BINARY);
        let ended = command.args(["check", "--config", "relay.yaml"]).current_dir(folder.path()).output();
        let ended = ended.unwrap();
        (ended.status.code(), text(&ended.stdout))
    };
    let (code, said) = check("nodir");
    assert!(code == Some(0) && said.contains("nodir does not exist"), "{said}");
    let (code, said) = check("words");
    assert!(code == Some(0) && said.matches("does nothing").count() == 3, "{said}");
    for told in [
        "console/txet.hbs in it does nothing: there is no such field",
        "did you mean `text.hbs`",
        "the folder slakc/ in it does nothing: there is no such kind",
        "did you mean `slack`",
        "text.hbs in it does nothing",
    ] {
        assert!(said.contains(told), "{told} in\n{said}");
    }
    let (code, said) = check("relay.yaml");
    assert!(code == Some(0) && said.contains("is no folder"), "{said}");
}
