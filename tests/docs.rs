//! What stands in `docs/` is tried: a reader copies it as it stands. The word behind the language of
//! a code block says how it is meant:
//!
//! - ```` ```yaml relay ````: a relay.yaml, or a part of one (only `sources:`, only `targets:` …). The
//!   rest is added, variables get placeholders, and it must assemble without a problem.
//! - ```` ```json source=datadog says=firing ```` (or `text`): a body that a source of this kind reads,
//!   of the part of relay.yaml above it if there is one. `says`: `firing`, `resolved` or `nothing`.
//! - ```` ```json template ````: what is pasted at the vendor. Its keys are those of the next body.
//! - ```` ```yaml elsewhere ````, ```` ```json elsewhere ````: for another program; not looked at.
//!
//! - `file=…`, `run`, `output`: for `tests/papers.rs`, which walks the tutorial.
//!
//! YAML and JSON without a mark are refused, so that none is forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use alert_relay::assemble::assemble;
use alert_relay::config::secrets::World;
use alert_relay::domain::signal::Event;
use alert_relay::rulebook::Rulebook;
use alert_relay::source::contract::{Arrival, Reading, Unreadable};
use alert_relay::source::{SOURCES, find};
use alert_relay::target::KINDS;
use regex::Regex;
use serde_json::Value;

/// A code block.
struct Block {
    /// File and line.
    at: String,
    /// Blanks before it, where it stands in a list; they are no part of it.
    indent: usize,
    language: String,
    marks: Vec<String>,
    text: String,
}

impl Block {
    fn has(&self, mark: &str) -> bool {
        self.marks.iter().any(|have| have == mark)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.marks.iter().find_map(|mark| mark.strip_prefix(name)?.strip_prefix('='))
    }
}

fn files() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn blocks(file: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(file).unwrap();
    let shown = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(info), None) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                open = Some(Block {
                    at: format!("{shown}:{}", number + 1),
                    indent: line.len() - line.trim_start().len(),
                    language: words.next().unwrap_or_default(),
                    marks: words.collect(),
                    text: String::new(),
                });
            }
            (None, Some(mut block)) => {
                block.text.push_str(line.get(block.indent..).unwrap_or_default());
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{shown}: a code block is not closed");
    blocks
}

/// A certificate and its key.
static CERTIFICATE: LazyLock<(String, String)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["relay.example.com".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
});

/// A machine on which every variable has a value of the form that its name promises.
struct Placeholders;

impl World for Placeholders {
    fn env(&self, name: &str) -> Option<String> {
        let forms = [
            ("_URL", "https://relay.example.com/placeholder"),
            ("_EMAIL", "relay@example.com"),
            ("_SID", "AC0123456789abcdef0123456789abcdef"),
        ];
        let form = forms.iter().find(|(ending, _)| name.ends_with(ending));
        // Nobody's is that of another.
        let own = name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        Some(form.map_or_else(|| format!("0123456789abcdef{own:016x}"), |(_, form)| (*form).to_owned()))
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let (cert, key) = &*CERTIFICATE;
        Ok(match path.extension().and_then(|extension| extension.to_str()) {
            Some("pem") => cert.clone(),
            Some("key") => key.clone(),
            _ => "0123456789abcdef0123456789abcdef".to_owned(),
        })
    }

    fn beside(&self, path: &Path) -> io::Result<String> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => Ok("service,team\ncheckout,shop\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The names under `key` in a list of maps.
fn names(part: &Value, list: &str, key: &str) -> Vec<String> {
    let items = part[list].as_array().cloned().unwrap_or_default();
    let values = items.iter().flat_map(|item| match &item[key] {
        Value::Array(values) => values.clone(),
        value => vec![value.clone()],
    });
    let names: BTreeSet<String> = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
    names.into_iter().collect()
}

/// Every receiver that a route or one of its children names.
fn receivers_of(route: &Value) -> Vec<String> {
    let own = route["receiver"].as_str().map(str::to_owned);
    let children = route["routes"].as_array().cloned().unwrap_or_default();
    own.into_iter().chain(children.iter().flat_map(receivers_of)).collect()
}

/// The part with as little added as makes a whole of it.
fn completed(part: &str) -> String {
    let read: Value = serde_yaml::from_str(part).unwrap_or_default();
    let lacks = |key: &str| read.get(key).is_none();
    let or = |names: Vec<String>, else_: &str| if names.is_empty() { vec![else_.to_owned()] } else { names };
    let mut whole = part.to_owned();
    let mut add = |text: String| whole.push_str(&format!("\n{text}\n"));
    if lacks("server") {
        add("server: { external_url: \"https://relay.example.com\" }".to_owned());
    }
    if lacks("sources") {
        add("sources: [{ name: any, kind: alertmanager, auth: { bearer: [\"${TOKEN}\"] } }]".to_owned());
    }
    let targets = or(
        names(
            &read,
            if lacks("targets") { "receivers" } else { "targets" },
            if lacks("targets") { "targets" } else { "name" },
        ),
        "screen",
    );
    if lacks("targets") {
        let consoles = targets.iter().map(|name| format!("{{ name: {name}, console: {{}} }}"));
        add(format!("targets: [{}]", consoles.collect::<Vec<_>>().join(", ")));
    }
    let receivers = match lacks("receivers") {
        true => {
            let beats = read["heartbeats"].as_array().into_iter().flatten().flat_map(receivers_of);
            or(receivers_of(&read["route"]).into_iter().chain(beats).collect(), "everybody")
        }
        false => names(&read, "receivers", "name"),
    };
    if lacks("receivers") {
        let lists = receivers.iter().collect::<BTreeSet<_>>();
        let lists = lists.iter().map(|name| format!("{{ name: {name}, targets: [{}] }}", targets.join(", ")));
        add(format!("receivers: [{}]", lists.collect::<Vec<_>>().join(", ")));
    }
    if lacks("route") {
        let children = receivers.iter().skip(1);
        let children =
            children.map(|name| format!("{{ matchers: ['team = \"{name}\"'], receiver: {name} }}"));
        let children = children.collect::<Vec<_>>().join(", ");
        add(format!("route: {{ receiver: {}, routes: [{children}] }}", receivers[0]));
    }
    whole
}

/// The rulebook of a part, or its problems.
fn loaded(part: &str) -> Result<Rulebook, String> {
    let assembled = assemble(&completed(part), &Placeholders);
    let told: Vec<String> = assembled.problems.iter().map(ToString::to_string).collect();
    match assembled.ready {
        Some((book, _)) if told.is_empty() => Ok(book),
        _ => Err(told.join("\n  ")),
    }
}

fn read(kind: &str, book: Option<&Rulebook>, body: &str) -> Result<Reading, Unreadable> {
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    let arrival = Arrival { source: "docs", headers: &[], body: body.as_bytes(), at };
    match book.and_then(|book| book.sources.values().find(|rule| rule.kind == kind)) {
        Some(rule) => rule.source.read(&arrival),
        None => (find(kind).unwrap_or_else(|| panic!("no kind {kind} here or above")).build)().read(&arrival),
    }
}

fn says(read: &Result<Reading, Unreadable>) -> String {
    match read {
        Err(unreadable) => format!("unreadable ({unreadable})"),
        Ok(reading) => {
            reading.groups.first().map_or("nothing".to_owned(), |group| group.status().to_string())
        }
    }
}

#[test]
fn what_is_marked_as_a_part_of_relay_yaml_loads_and_every_body_is_read() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for file in files() {
        let mut book = None;
        for block in blocks(&file) {
            let at = &block.at;
            let known = |mark: &String| {
                let words = ["relay", "template", "elsewhere", "run", "fails", "background", "output"];
                words.contains(&mark.as_str())
                    || ["source=", "says=", "file="].iter().any(|name| mark.starts_with(name))
            };
            if let Some(mark) = block.marks.iter().find(|mark| !known(mark)) {
                wrong.push(format!("{at}: the mark `{mark}` is not known"));
            }
            if ["yaml", "json"].contains(&block.language.as_str()) && block.marks.is_empty() {
                wrong.push(format!("{at}: says neither relay nor source=… nor template nor elsewhere"));
            }
            if block.has("relay") {
                tried += 1;
                match loaded(&block.text) {
                    Ok(loaded) => book = Some(loaded),
                    Err(problems) => wrong.push(format!("{at}: has problems\n  {problems}")),
                }
            }
            if let Some(kind) = block.value("source") {
                tried += 1;
                let said = says(&read(kind, book.as_ref(), &block.text));
                if Some(said.as_str()) != block.value("says") {
                    wrong.push(format!("{at}: source={kind} says={said}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried >= 30, "only {tried} blocks were tried");
}

#[test]
fn what_is_pasted_at_a_vendor_has_the_keys_that_then_arrive() {
    let filled_in = Regex::new(r#""?\{\{[^}]*\}\}"?"#).unwrap();
    let keys = |text: &str, at: &str| -> BTreeSet<String> {
        let plain = filled_in.replace_all(text, "null");
        let value: Value = serde_json::from_str(&plain).unwrap_or_else(|why| panic!("{at}: no JSON: {why}"));
        value.as_object().expect(at).keys().cloned().collect()
    };
    let mut compared = 0;
    for file in files() {
        let blocks = blocks(&file);
        for (index, template) in blocks.iter().enumerate().filter(|(_, block)| block.has("template")) {
            let arrives = blocks[index..].iter().find(|block| block.value("source").is_some());
            let arrives = arrives.unwrap_or_else(|| panic!("{}: no body follows", template.at));
            assert_eq!(
                keys(&template.text, &template.at),
                keys(&arrives.text, &arrives.at),
                "{}",
                template.at
            );
            compared += 1;
        }
    }
    assert!(compared >= 2, "only {compared} templates were compared");
}

#[test]
fn every_kind_of_source_is_described_with_what_fires_and_what_resolves() {
    for kind in SOURCES.iter().map(|row| row.name).chain(["json"]) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/sources/{kind}.md"));
        assert!(file.exists(), "docs/sources/{kind}.md is missing");
        let blocks = blocks(&file);
        let configures = |block: &Block| block.has("relay") && block.text.contains(&format!("kind: {kind}"));
        assert!(blocks.iter().any(configures), "{kind}: no part of relay.yaml");
        for said in ["firing", "resolved"] {
            let shown =
                |block: &Block| block.value("source") == Some(kind) && block.value("says") == Some(said);
            assert!(blocks.iter().any(shown), "{kind}: no body that says {said}");
        }
    }
}

/// The keys of a kind, as `check` lists them when it meets one that it does not know.
fn keys_of(kind: &str) -> Vec<String> {
    let part = format!("targets: [{{ name: it, {kind}: {{ zzz: 1 }} }}]");
    let problems = assemble(&completed(&part), &Placeholders).problems;
    let list = problems.iter().find(|problem| problem.path.ends_with("zzz")).expect("a problem with zzz");
    list.cure.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_kind_of_target_is_described_with_each_of_its_settings() {
    let mut missing = Vec::new();
    for kind in KINDS.iter().map(|row| row.name) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/targets/{kind}.md"));
        if !file.exists() {
            missing.push(format!("docs/targets/{kind}.md"));
            continue;
        }
        let configures = |block: &Block| block.has("relay") && block.text.contains(&format!("{kind}:"));
        if !blocks(&file).iter().any(configures) {
            missing.push(format!("{kind}: a part of relay.yaml"));
        }
        let page = std::fs::read_to_string(&file).unwrap();
        for key in keys_of(kind) {
            if !Regex::new(&format!(r"\b{key}\b")).unwrap().is_match(&page) {
                missing.push(format!("{kind}: the setting `{key}`"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Whether the examples load is seen above.
#[test]
fn every_kind_of_target_is_described_with_two_examples_what_becomes_of_a_message_and_limits() {
    let mut missing = Vec::new();
    for kind in KINDS.iter().map(|row| row.name) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/targets/{kind}.md"));
        let configures = |block: &&Block| block.has("relay") && block.text.contains(&format!("{kind}:"));
        let examples = blocks(&file).iter().filter(configures).count();
        if examples < 2 {
            missing.push(format!("{kind}: {examples} examples"));
        }
        let page = std::fs::read_to_string(&file).unwrap();
        for said in ["trigger|fires", "resolve", "acknowledge", "limits"] {
            if !Regex::new(&format!(r"(?i)\b({said})")).unwrap().is_match(&page) {
                missing.push(format!("{kind}: nothing about {said}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_event_that_may_be_told_by_a_webhook_is_listed() {
    let page = std::fs::read_to_string("docs/targets/webhook.md").unwrap();
    let missing = Event::ALL.map(Event::as_str).into_iter().filter(|word| !page.contains(word));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_part_is_made_whole_whatever_is_missing() {
    for part in [
        "",
        "sources: [{ name: a, kind: guance, auth: { path_token: \"${A_TOKEN}\" } }]",
        "targets: [{ name: b, console: {} }, { name: c, webhook: { url: \"${C_URL}\" } }]",
        "receivers: [{ name: d, targets: [e, f] }, { name: g, targets: [e] }]",
        "route: { receiver: h, routes: [{ matchers: ['x = \"y\"'], receiver: i }] }",
        "enrich: [{ lookup: { file: services.csv, key: service } }]",
        "targets: [{ name: b, pagerduty: { routing_key: \"${KEY}\" } }]\nreceivers: [{ name: d, targets: [b] }]",
    ] {
        if let Err(problems) = loaded(part) {
            panic!("{part}\n  {problems}");
        }
    }
    assert!(loaded("sources: [{ name: a, kind: guanze, auth: none }]").is_err());
    assert!(loaded("targets: [{ name: b, consol: {} }]").is_err());
}
