//! relay.schema.json, which `alert-relay schema` prints: made of what the reader accepts
//! (`schema/probe.rs`) and of what code and pages say about it (`schema/words.rs`).
//! `UPDATE_GOLDEN=1` writes it anew. It must let everything through that the documentation shows, and
//! stop what a hand mistypes.
#![expect(clippy::disallowed_methods, reason = "UPDATE_GOLDEN is asked of the environment")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

#[path = "schema/draft.rs"]
mod draft;
#[path = "schema/probe.rs"]
mod probe;
#[path = "schema/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use alert_relay::target::KINDS;
use boon::{Compiler, SchemaIndex, Schemas};
use draft::Draft;
use probe::{Bed, Shape, Step};
use serde_json::{Value, json};
use words::Words;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/relay.schema.json");

fn steps(path: &[&str]) -> Vec<Step> {
    let step = |step: &&str| if *step == "[]" { Step::First } else { Step::Key((*step).to_owned()) };
    path.iter().map(step).collect()
}

/// What the reader accepts: the file as a whole, and the settings of every kind.
fn shapes() -> (Shape, BTreeMap<&'static str, Shape>) {
    let places: Vec<(&str, Vec<Step>)> = KINDS
        .iter()
        .map(|kind| (kind.name, steps(&["targets", "[]", kind.name])))
        .chain([("", Vec::new()), ("json", steps(&["sources", "[]", "json"]))])
        .collect();
    let next = std::sync::Mutex::new(places.into_iter());
    let found = std::sync::Mutex::new(BTreeMap::new());
    // One place after the other, as many at once as there are processors.
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((name, at)) = { next.lock().unwrap().next() } {
                    let bed = match name {
                        "" => Bed::with("alertmanager", "console"),
                        "json" => Bed::with("json", "console"),
                        kind => Bed::with("alertmanager", kind),
                    };
                    let shape = bed.shape(&at, &mut Vec::new());
                    found.lock().unwrap().insert(name, shape);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    (found.remove("").unwrap(), found)
}

fn made() -> (Value, Vec<String>) {
    let (mut whole, mut kinds) = shapes();
    without_kinds(&mut whole);
    let json = kinds.remove("json").unwrap();
    let words = Words::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut draft = Draft { words: &words, optional: other_ways(&whole, &kinds), silent: Vec::new() };
    let mut schema = draft.of(&whole, "", "");
    schema["properties"]["sources"]["items"]["properties"]["json"] =
        draft.of(&json, "json", "sources[].json");
    let target = &mut schema["properties"]["targets"]["items"];
    let mut exactly_one = Vec::new();
    for kind in KINDS {
        let mut settings = draft.of(&kinds[kind.name], kind.name, &format!("targets[].{}", kind.name));
        settings["description"] = format!("{}.", kind.about.trim_end_matches('.')).into();
        target["properties"][kind.name] = settings;
        exactly_one.push(json!({ "required": [kind.name] }));
    }
    target["oneOf"] = exactly_one.into();
    // A route holds routes, of which only the outermost must name a receiver.
    let mut route = schema["properties"]["route"].take();
    let required = route.as_object_mut().unwrap().remove("required");
    let description = route.as_object_mut().unwrap().remove("description");
    schema["properties"]["route"] = json!({
        "description": description,
        "allOf": [{ "$ref": "#/definitions/route" }],
        "required": required,
    });
    let mut head = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "relay.yaml, the configuration of alert-relay",
        "definitions": draft::definitions(),
    });
    head["definitions"]["route"] = route;
    head.as_object_mut().unwrap().extend(schema.as_object().unwrap().clone());
    (head, draft.silent)
}

/// The keys of kinds are asked for one by one.
fn without_kinds(whole: &mut Shape) {
    let Shape::Struct(keys, _) = whole else { panic!("a map of keys") };
    let Some(Shape::List(target)) = keys.get_mut("targets") else { panic!("a list of targets") };
    let Shape::Struct(keys, _) = &mut **target else { panic!("a map of keys") };
    keys.retain(|key, _| !KINDS.iter().any(|kind| kind.name == key));
}

/// Keys that were asked for and that a target in the documentation does without: there is another way.
fn other_ways(whole: &Shape, kinds: &BTreeMap<&'static str, Shape>) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (_, block) in documented() {
        done_without(whole, &block, "", &mut found);
        for target in block["targets"].as_array().into_iter().flatten() {
            for (kind, shape) in kinds {
                if let Some(settings) = target.get(*kind) {
                    done_without(shape, settings, &format!("targets[].{kind}"), &mut found);
                }
            }
        }
    }
    // Parts of a file lack whole sections, and are completed before they are read.
    found.retain(|(path, _)| !path.is_empty());
    found
}

fn done_without(shape: &Shape, value: &Value, path: &str, found: &mut BTreeSet<(String, String)>) {
    match (shape, value) {
        (Shape::Struct(keys, required), Value::Object(given)) => {
            let missing = required.iter().filter(|key| !given.contains_key(*key));
            found.extend(missing.map(|key| (path.to_owned(), key.clone())));
            for (key, shape) in keys {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                given.get(key).into_iter().for_each(|value| done_without(shape, value, &inner, found));
            }
        }
        (Shape::List(shape), Value::Array(elements)) => {
            let inner = format!("{path}[]");
            elements.iter().for_each(|value| done_without(shape, value, &inner, found));
        }
        _ => {}
    }
}

/// Every part of a relay.yaml that the documentation shows, with its place.
fn documented() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md")];
    pages(&root.join("docs"), &mut files);
    let mut blocks = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, block) in text.split("\n```yaml relay").skip(1).enumerate() {
            // More may be said of it in the line that opens it.
            let (_, block) = block.split("\n```").next().unwrap().split_once('\n').unwrap();
            let name = format!("{}, part {}", file.strip_prefix(root).unwrap().display(), number + 1);
            blocks.push((name, serde_yaml::from_str(block).unwrap()));
        }
    }
    let example = fs::read_to_string(root.join("relay.example.yaml")).unwrap();
    blocks.push(("relay.example.yaml".to_owned(), serde_yaml::from_str(&example).unwrap()));
    blocks
}

fn pages(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

#[test]
fn the_schema_says_what_the_reader_accepts_and_every_key_is_described() {
    let (schema, silent) = made();
    let text = format!("{schema:#}\n");
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
        fs::write(FILE, &text).unwrap();
    } else {
        assert!(fs::read_to_string(FILE).unwrap() == text, "run this test with UPDATE_GOLDEN=1");
    }
    // Of the settings of kinds that nobody has described the schema names the page.
    let silent: Vec<&String> = silent.iter().filter(|path| !of_a_kind(path)).collect();
    assert_eq!(silent, Vec::<&String>::new(), "nothing is said about these");
}

fn of_a_kind(path: &str) -> bool {
    KINDS.iter().any(|kind| path.starts_with(&format!("targets[].{}.", kind.name)))
}

/// The schema, ready to judge.
struct Judge(Schemas, SchemaIndex);

impl Judge {
    /// `whole`: with the keys that every relay.yaml must have.
    fn new(whole: bool) -> Judge {
        let mut schema: Value = serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap();
        if !whole {
            schema.as_object_mut().unwrap().remove("required");
        }
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("relay.json", schema).unwrap();
        let index = compiler.compile("relay.json", &mut schemas).unwrap();
        Judge(schemas, index)
    }

    fn refusal(&self, value: &Value) -> Option<String> {
        self.0.validate(value, self.1).err().map(|error| format!("{error:#}"))
    }
}

#[test]
fn everything_that_the_documentation_shows_passes() {
    let (judge, blocks) = (Judge::new(false), documented());
    let refused: Vec<String> = blocks
        .iter()
        .filter_map(|(name, block)| Some(format!("{name}: {}", judge.refusal(block)?)))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(blocks.len() > 50, "only {} parts were found", blocks.len());
    let example = blocks.last().unwrap();
    assert_eq!(Judge::new(true).refusal(&example.1), None);
}

const SOUND: &str = r#"
sources: [{ name: a, kind: alertmanager, auth: none }]
route: { receiver: r, routes: [{ matchers: ['a = "b"'], receiver: r }] }
receivers: [{ name: r, targets: [t] }]
targets: [{ name: t, timeout: 5s, rate: { limit: 1/s }, pagerduty: { routing_key: k } }]
"#;

/// What is mistyped in [`SOUND`], and how.
const SLIPS: &[(&str, &str)] = &[
    ("sources:", "source:"),
    ("route:", "rout:"),
    ("kind: alertmanager", "kind: alertmanger"),
    ("kind: alertmanager, ", ""),
    ("auth: none", "auth: nobody"),
    ("auth: none", "auth: { bearer: token }"),
    ("auth: none", "auth: { hmac: { header: X-Signature } }"),
    ("matchers: [", "matcher: ["),
    ("matchers: ['a = \"b\"']", "matchers: { a: b }"),
    ("targets: [t]", "targets: t"),
    ("timeout: 5s", "timeout: 5"),
    ("timeout: 5s", "timeout: soon"),
    ("timeout: 5s", "timeout: { whole: 5 parsecs }"),
    ("timeout: 5s", "timeout: 5s, per: alerts"),
    ("timeout: 5s", "timeout: 5s, concurrency: many"),
    ("timeout: 5s", "timeout: 5s, send_resolved: maybe"),
    ("limit: 1/s", "limit: 0/s"),
    ("limit: 1/s", "limit: 1/fortnight"),
    ("rate: { limit: 1/s }", "rate: 1/s"),
    (", pagerduty: { routing_key: k }", ""),
    ("pagerduty:", "pager_duty:"),
    ("routing_key: k", "routing_keey: k"),
    ("{ routing_key: k }", "{}"),
    ("{ routing_key: k }", "{ routing_key: k, mode: alarm }"),
    ("{ routing_key: k }", "{ routing_key: k, links: [{ text: a }] }"),
    ("{ routing_key: k }", "{ routing_key: k }, console: {}"),
    ("sources:", "server: { listen: here }\nsources:"),
    ("sources:", "server: { body_limit: 4 }\nsources:"),
    ("sources:", "retention: { events: 30 }\nsources:"),
    ("sources:", "enrich: [{ lookup: { file: f, key: k }, severity: { from: s, map: {} } }]\nsources:"),
    ("sources:", "heartbeats: [{ name: h, matchers: [], every: 5m }]\nsources:"),
    ("sources:", "time_intervals: [{ weekdays: ['monday'] }]\nsources:"),
];

#[test]
fn what_a_hand_mistypes_is_stopped() {
    let judge = Judge::new(true);
    let read = |text: &str| serde_yaml::from_str::<Value>(text).unwrap();
    assert_eq!(judge.refusal(&read(SOUND)), None);
    let passed: Vec<&str> = SLIPS
        .iter()
        .filter(|(right, wrong)| {
            assert!(SOUND.contains(right), "{right} is not there to be mistyped");
            judge.refusal(&read(&SOUND.replacen(right, wrong, 1))).is_none()
        })
        .map(|(_, wrong)| *wrong)
        .collect();
    assert_eq!(passed, Vec::<&str>::new());
}

#[test]
fn what_may_be_put_in_from_outside_passes_and_so_does_a_form_in_all_its_spellings() {
    let judge = Judge::new(true);
    for (right, other) in [
        ("timeout: 5s", "timeout: 1h 30m"),
        ("timeout: 5s", "timeout: 500ms"),
        ("timeout: 5s", "timeout: \"${TIMEOUT:-5s}\""),
        ("timeout: 5s", "timeout: { connect: 3s, whole: 10s }, reminders: 4h"),
        ("timeout: 5s", "timeout: 5s, reminders: never, quota: 20/day"),
        ("limit: 1/s", "limit: 120 / min"),
        ("limit: 1/s", "limit: 1/s, burst: 5"),
        ("routing_key: k", "routing_key: \"${KEY}\""),
        ("routing_key: k", "routing_key: 12345678901234567890123456789012"),
        ("sources:", "retention: { events: 0, disk_limit: 10 GiB }\nsources:"),
        ("sources:", "server: { listen: \"[::]:9095\", admin: { tokens: [\"${T}\"] } }\nsources:"),
        ("sources:", "time_intervals:\nsources:"),
    ] {
        assert!(SOUND.contains(right));
        let text = SOUND.replacen(right, other, 1);
        assert_eq!(judge.refusal(&serde_yaml::from_str(&text).unwrap()), None, "{other}");
    }
}
