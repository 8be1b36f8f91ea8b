//! `alert-relay import`: realistic alertmanager.yml in `tests/import/`, each with the relay.yaml that
//! comes of it and what is told (`UPDATE_GOLDEN=1` writes those anew: read them). Debian's `amtool` is
//! the judge of what must stay the same: where alerts go, and what templates say.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is asked of the environment")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use alert_relay::assemble::assemble;
use alert_relay::cli::import::go::{Defines, handlebars};
use alert_relay::config::secrets::{Lenient, World};
use alert_relay::domain::problem::Severity;
use alert_relay::rulebook::Rulebook;
use serde_json::json;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/import");
const INSTALL: &str = "this test needs Debian's amtool: ./test installs it, or, as root: \
                       apt-get install -y --no-install-recommends prometheus-alertmanager";

/// A machine on which nothing is set.
struct Bare;

impl World for Bare {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn beside(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() >= 4);
    cases
}

fn relay(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alert-relay"));
    command.args(words).current_dir(folder).env_clear().output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn book(text: &str) -> Rulebook {
    let assembled = assemble(text, &Lenient(&Bare));
    let told: Vec<String> = assembled.problems.iter().map(ToString::to_string).collect();
    assembled.ready.unwrap_or_else(|| panic!("{}\n{text}", told.join("\n"))).0
}

#[test]
fn every_configuration_becomes_the_expected_one() {
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases() {
        let output = relay(&["import", "alertmanager.yml"], &case);
        for (file, stream) in [("relay.yaml", &output.stdout), ("told.txt", &output.stderr)] {
            let (path, told) = (case.join(file), text(stream));
            if update {
                fs::write(&path, &told).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != told {
                wrong.push(format!("{}:\n{told}", path.display()));
            }
        }
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_comes_out_passes_the_check_of_a_machine_without_secrets() {
    for case in cases() {
        let imported = text(&relay(&["import", "alertmanager.yml"], &case).stdout);
        let problems = assemble(&imported, &Lenient(&Bare)).problems;
        let errors: Vec<String> = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{}", case.display());
    }
}

#[test]
fn no_secret_is_copied_and_every_variable_is_told() {
    let secrets = [
        "aaaabbbbccccddddeeeeffff00001111",
        "11112222333344445555666677778888",
        "abcdefghijklmnopqrstuvwx",
        "444455556666",
        "telegram-token-secret",
        "mail-secret",
        "wechat-app-secret",
        "secret-of-the-robot",
        "xoxb-1234-secret",
        "jira-api-token-secret",
        "url-secret",
        "office.com/secret",
    ];
    let yaml = regex::Regex::new(r"\$\{([A-Z_0-9]+)\}").unwrap();
    let mut seen = 0;
    for case in cases() {
        let original = fs::read_to_string(case.join("alertmanager.yml")).unwrap();
        for json in [false, true] {
            let words: &[&str] = if json {
                &["import", "--json", "alertmanager.yml"]
            } else {
                &["import", "alertmanager.yml"]
            };
            let output = relay(words, &case);
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            for secret in secrets.iter().filter(|secret| original.contains(**secret)) {
                seen += 1;
                assert!(!out.contains(secret) && !err.contains(secret), "{secret}: {out}{err}");
            }
            for variable in yaml.captures_iter(&out) {
                let told = if json { &out } else { &err };
                assert!(told.contains(&variable[1]), "{} is not told", &variable[1]);
            }
        }
    }
    assert!(seen >= 2 * secrets.len(), "only {seen} were looked for");
}

/// Receivers of a label set by Alertmanager's own tool.
fn by_amtool(case: &Path, labels: &[&str]) -> Vec<String> {
    let output = Command::new("amtool")
        .args(["config", "routes", "test", "--config.file=alertmanager.yml"])
        .args(labels)
        .current_dir(case)
        .output()
        .expect(INSTALL);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().split(',').map(str::to_owned).collect()
}

#[test]
fn alerts_reach_the_same_receivers_as_before() {
    let mut compared = 0;
    for case in cases() {
        let Ok(label_sets) = fs::read_to_string(case.join("labels.txt")) else { continue };
        let book = book(&text(&relay(&["import", "alertmanager.yml"], &case).stdout));
        for line in label_sets.lines() {
            let labels: BTreeMap<String, String> = line
                .split(' ')
                .map(|pair| pair.split_once('=').unwrap())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let steps = book.tree.explain(&labels);
            let ours: Vec<String> = steps
                .iter()
                .filter(|step| step.result)
                .map(|step| book.tree.route(step.route).receiver.to_string())
                .collect();
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(ours, by_amtool(&case, &words), "{}: {line}", case.display());
            compared += 1;
        }
    }
    assert!(compared >= 25, "only {compared} label sets were compared");
}

/// What a template says of `payload.json` here.
fn by_relay(template: &str, folder: &Path) -> String {
    let config = json!({
        "sources": [{ "name": "am", "kind": "alertmanager", "auth": "none" }],
        "route": { "receiver": "r" },
        "receivers": [{ "name": "r", "targets": ["screen"] }],
        "targets": [{ "name": "screen", "console": { "text": template } }],
    });
    let file = folder.join("relay.yaml");
    fs::write(&file, config.to_string()).unwrap();
    let payload = format!("{FOLDER}/payload.json");
    let words = ["explain", "--config", "relay.yaml", "--source", "am", "--json", &payload];
    let output = relay(&words, folder);
    assert!(output.status.success(), "{template}: {}", text(&output.stderr));
    let explained: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let delivery = &explained["deliveries"][0];
    assert_eq!(delivery["faults"], json!([]), "{template}");
    delivery["request"]["print"].as_str().unwrap().to_owned()
}

#[test]
fn templates_say_the_same_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for go in fs::read_to_string(format!("{FOLDER}/templates.txt")).unwrap().lines() {
        if go.starts_with('#') {
            continue;
        }
        let output = Command::new("amtool")
            .args(["template", "render", "--template.glob=/nowhere/*.tmpl", "--template.text", go])
            .arg(format!("--template.data={FOLDER}/payload.json"))
            .output()
            .expect(INSTALL);
        assert!(output.status.success(), "{go}: {}", text(&output.stderr));
        let translated =
            handlebars(go, &Defines::default()).unwrap_or_else(|why| panic!("{go} {why}")).unwrap();
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let ours = by_relay(&translated, folder.path());
        assert_eq!(plain(&ours), plain(&text(&output.stdout)), "{go}\n{translated}");
        compared += 1;
    }
    assert!(compared >= 30, "only {compared} templates were compared");
}

#[test]
fn what_has_no_counterpart_is_said() {
    for line in fs::read_to_string(format!("{FOLDER}/refused.txt")).unwrap().lines() {
        if line.starts_with('#') {
            continue;
        }
        let (go, why) = line.rsplit_once(" => ").unwrap();
        assert_eq!(handlebars(go, &Defines::default()), Err(why.to_owned()), "{go}");
    }
}

#[test]
fn default_wording_is_left_to_ours_and_plain_text_is_itself() {
    let none = Defines::default();
    assert_eq!(handlebars(r#"{{ template "slack.default.title" . }}"#, &none), Ok(None));
    assert_eq!(handlebars("plain } text {", &none), Ok(Some("plain } text {".to_owned())));
    let title = handlebars(r#"{{ template "__subject" . }} in {{ .CommonLabels.dc }}"#, &none);
    assert_eq!(title, Ok(Some(r#"{{title}} in {{get commonLabels "dc"}}"#.to_owned())));
}

#[test]
fn a_file_that_is_there_is_not_overwritten_unless_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let original = format!("{FOLDER}/classic/alertmanager.yml");
    let write = |more: &[&str]| {
        let words = [&["import", &original, "--output", "relay.yaml"], more].concat();
        relay(&words, folder.path())
    };
    assert_eq!(write(&[]).status.code(), Some(0));
    let again = write(&[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("relay.yaml is there already"), "{}", text(&again.stderr));
    assert_eq!(write(&["--force"]).status.code(), Some(0));
    let check = relay(&["check", "--config", "relay.yaml", "--no-secrets"], folder.path());
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stdout));
}

#[test]
fn what_is_no_alertmanager_configuration_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (config, said) in [
        ("route: [", "am.yml:"),
        ("a: b", "has no `route`"),
        ("", "has no `route`"),
        ("route: 5", "has no `route`"),
    ] {
        fs::write(folder.path().join("am.yml"), config).unwrap();
        let output = relay(&["import", "am.yml"], folder.path());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    // Odd, and still read: nothing of it may stop the rest.
    let odd = "route: { receiver: a, routes: 5 }\nreceivers: [{ name: a, slack_configs: 5 }, 7, { email_configs: [{}, 3] }]\ninhibit_rules: x\n";
    fs::write(folder.path().join("am.yml"), odd).unwrap();
    let output = relay(&["import", "am.yml"], folder.path());
    assert!(!text(&output.stdout).is_empty(), "{}", text(&output.stderr));
}
