//! Every file `tests/config/<case>.yaml` is checked as `alert-relay check` does it, and what an
//! operator reads must be `tests/config/<case>.expected.txt`. `UPDATE_GOLDEN=1` writes those anew:
//! then read them, because what is written is what is, not what is right.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is asked of the environment")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use alert_relay::assemble::assemble;
use alert_relay::config::load::load;
use alert_relay::config::pacing::TimeoutFile;
use alert_relay::config::secrets::{Lenient, ThisMachine, World};
use alert_relay::config::show::show;
use alert_relay::document::parse::parse;
use alert_relay::domain::problem::Problem;
use proptest::prelude::*;

/// A machine on which every variable is set but those that are called MISSING, and one file exists.
struct Paper;

impl World for Paper {
    fn env(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        (!name.contains("missing")).then(|| match name.as_str() {
            name if name.ends_with("_url") => format!("https://example.com/secret-{name}"),
            name if name.ends_with("routing_key") => format!("{name:x<32}").replace('_', "x"),
            name => format!("secret-{name}"),
        })
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("token") => Ok("secret-of-a-file\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn beside(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("services.csv") => Ok("service,team\ncart,shop\n".to_owned()),
            Some("broken.csv") => Ok("service,team\ncart,shop\ncheckout\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

const KINDS: [&str; 14] = [
    "pagerduty",
    "slack",
    "twilio",
    "opsgenie",
    "jira",
    "zendesk",
    "servicenow",
    "ticket",
    "job",
    "rundeck",
    "email",
    "webhook",
    "console",
    "awx",
];

/// All that is wrong with a configuration, of form and of meaning.
fn problems(text: &str) -> Vec<Problem> {
    assemble(text, &Paper).problems
}

#[test]
fn every_case_reads_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let update = std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1");
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            cases.insert(path.file_name().unwrap().to_string_lossy().into_owned(), path);
        }
    }
    assert!(cases.len() >= 15, "the cases are gone: {cases:?}");
    let mut wrong = Vec::new();
    for (name, path) in cases {
        let text = fs::read_to_string(&path).unwrap();
        let shown = show(&problems(&text), &name, &text, false);
        let expected = path.with_extension("expected.txt");
        if update {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name} reads:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_whole_shape_loads_and_every_key_arrives() {
    let text = include_str!("fixtures/whole-shape.yaml");
    let loaded = load(text, &KINDS, &Paper);
    assert_eq!(loaded.problems, []);
    let file = loaded.file.unwrap();
    assert_eq!((file.sources.len(), file.receivers.len(), file.targets.len()), (2, 3, 12));
    assert_eq!(file.server.admin.unwrap().tokens[0].value.token.expose(), "secret-admin_token");
    assert_eq!(file.route.value.routes[1].value.active_time_intervals[0].value, "work-hours");
    assert_eq!(file.time_intervals[0].spans()[0].weekdays[0].value, "monday:friday");
    assert_eq!(file.retention.disk_limit.to_string(), "10GiB");
    let pagerduty = &file.targets[0];
    assert_eq!(
        (pagerduty.kind.value.as_str(), pagerduty.common.name.value.as_str()),
        ("pagerduty", "pagerduty-core")
    );
    assert_eq!(pagerduty.common.rate.as_ref().unwrap().limit.to_string(), "120/min");
    assert_eq!(pagerduty.common.fallback.as_ref().unwrap().attempts.as_ref().unwrap().value, 5);
    assert_eq!(file.targets[2].common.quota.as_ref().unwrap().value.to_string(), "20/day");
}

#[test]
fn the_smallest_file_has_a_default_for_everything_else() {
    let text = "sources: [{name: am, kind: alertmanager}]\nroute: {receiver: r}\n\
                receivers: [{name: r, targets: [t]}]\ntargets: [{name: t, console: }]\n";
    let loaded = load(text, &KINDS, &Paper);
    assert_eq!(loaded.problems, []);
    let file = loaded.file.unwrap();
    assert_eq!(file.server.listen.value.to_string(), "127.0.0.1:9095");
    assert_eq!(file.server.body_limit.to_string(), "4MiB");
    assert_eq!(file.store.folder(), Path::new("/var/lib/alert-relay"));
    assert_eq!(file.targets[0].common.timeout.value, TimeoutFile::default(), "no limit but the usual");
    assert!(file.targets[0].common.send_resolved);
}

#[test]
fn no_secret_is_in_a_problem_or_a_debug_print() {
    let text = "server: {listen: \"${LISTEN}\", admin: {tokens: \"${TOKENS}\"}}\nstore: {postgres: \"${DB}\"}\n\
                sources: [{name: am, kind: alertmanager, auth: {path_token: \"${PATH_TOKEN}\"}}]\n\
                route: {receiver: r, continue: \"${YES}\"}\nreceivers: []\n\
                targets: [{name: t, slack: {bot_token: \"${file:token}\"}, timeout: \"${T}\", per: \"${P}\"}]\n";
    let loaded = load(text, &KINDS, &Paper);
    assert!(loaded.problems.len() >= 5, "{:?}", loaded.problems);
    let shown = format!("{:?}\n{}", loaded, show(&loaded.problems, "relay.yaml", text, true));
    assert!(!shown.contains("secret-"), "{shown}");
}

#[test]
fn ten_thousand_routes_load() {
    let mut text = "sources: []\nreceivers: []\ntargets: []\nroute:\n  receiver: r\n  routes:\n".to_owned();
    for number in 0..10_000 {
        text.push_str(&format!("    - {{matchers: ['service = \"s{number}\"'], receiver: r{number}}}\n"));
    }
    let loaded = load(&text, &KINDS, &Paper);
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.file.unwrap().route.value.routes.len(), 10_000);
}

#[test]
fn a_file_of_this_machine_is_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "secret-of-a-disk\n").unwrap();
    let machine = ThisMachine::new(&folder.path().join("relay.yaml"));
    let text =
        "server: {external_url: \"${file:token}\"}\nsources: []\nroute: {}\nreceivers: []\ntargets: []";
    let loaded = load(text, &KINDS, &machine);
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.file.unwrap().server.external_url.value, "secret-of-a-disk");
}

#[test]
fn without_secrets_the_rest_of_a_file_can_still_be_checked() {
    struct Nothing;
    impl World for Nothing {
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
    let text = include_str!("fixtures/whole-shape.yaml");
    assert!(load(text, &KINDS, &Nothing).problems.len() >= 14);
    assert_eq!(load(text, &KINDS, &Lenient(&Nothing)).problems, []);
}

#[test]
fn routes_within_routes_load_and_are_refused_before_the_stack_ends() {
    let nested = |levels: usize| {
        let open = "{receiver: r, routes: [".repeat(levels);
        let text = format!("sources: []\nreceivers: []\ntargets: []\nroute: {open}{}", "]}".repeat(levels));
        load(&text, &KINDS, &Paper).problems
    };
    assert_eq!(nested(20), []);
    assert!(nested(40)[0].what.contains("too deeply"));
}

/// Texts that look enough like a configuration to get past the first character.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-z]{1,5}: ",
        "[-?!&*|>%@`'\"{}\\[\\],#:~ \t\n]{1,4}",
        "(server|targets|route|routes|name|slack|rate|sources|auth|hmac): ",
        "\\$\\{[A-Z:file-]{0,6}\\}?",
        "(\n|\n  |\n- |\n  - )",
        "[0-9]{1,3}(s|d|/min|MiB|)",
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in yaml_like(), any in "\\PC{0,60}") {
        for text in [text, any] {
            let found = problems(&text);
            prop_assert_eq!(parse(&text).is_err() && found.is_empty(), false);
            show(&found, "relay.yaml", &text, false);
        }
    }

    #[test]
    fn a_broken_copy_of_the_shape_never_panics(at in 0usize..6_000, insert in "[ \t\n{}\\[\\]\"':&*$#-]{1,3}") {
        let mut text = include_str!("fixtures/whole-shape.yaml").to_owned();
        let at = text.floor_char_boundary(at.min(text.len()));
        text.insert_str(at, &insert);
        let found = problems(&text);
        show(&found, "relay.yaml", &text, false);
    }
}
