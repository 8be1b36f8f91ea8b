//! Sources and enrichment: who may send, and what is added to what they say.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use crate::assemble::{Names, parted};
use crate::auth::check::Auth;
use crate::auth::signature::Hmac;
use crate::auth::sns::Sns;
use crate::config::secrets::World;
use crate::config::sources::{AuthFile, EnrichFile, LookupFile, SourceFile};
use crate::document::nearest;
use crate::document::node::{At, Value};
use crate::document::parse::parse;
use crate::document::read::read;
use crate::domain::aws::is_topic;
use crate::domain::own_alerts;
use crate::domain::problem::{Place, Problem};
use crate::domain::secret::{Redactor, Secret};
use crate::route::enrich::{Enrichment, Lookup, TableFault};
use crate::rulebook::SourceRule;
use crate::source::contract::Source;
use crate::source::json::{JsonPaths, JsonSource};
use crate::source::{SOURCES, find};

const JSON: &str = "json";
const SNS: &str = "sns";

pub(super) fn sources(files: &[SourceFile], problems: &mut Vec<Problem>) -> BTreeMap<String, SourceRule> {
    let mut names = Names::new("source");
    let mut rules = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        let path = format!("sources[{index}]");
        names.add(&file.name, &format!("{path}.name"), problems);
        let fits_a_path = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !file.name.value.chars().all(fits_a_path) {
            let what = "is part of the path /hooks/{name} and holds a character that does not belong there";
            let cure = "use letters, digits, `-`, `_` and `.`";
            problems.push(Problem::error(format!("{path}.name"), file.name.place, what, cure));
        }
        if file.name.value == own_alerts::SOURCE {
            let what = "is the name under which the relay tells of itself; it is never posted to";
            let cure = "choose another name";
            problems.push(Problem::error(format!("{path}.name"), file.name.place, what, cure));
        }
        let auth = auth(file, &path, problems);
        if let Some((kind, source)) = source(file, &path, problems) {
            rules.insert(file.name.value.clone(), SourceRule { kind, source, auth });
        }
    }
    rules
}

fn source(
    file: &SourceFile,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<(&'static str, Box<dyn Source>)> {
    let kind = file.kind.value.as_str();
    if let (Some(settings), true) = (&file.json, kind != JSON) {
        let what =
            format!("says where things stand in a body of any form, and this source is of kind `{kind}`");
        let cure = "write `kind: json`, or remove it";
        problems.push(Problem::error(format!("{path}.json"), settings.place, what, cure));
    }
    if kind == JSON {
        return json_source(file, path, problems).map(|source| (JSON, source));
    }
    let row = find(kind);
    if row.is_none() && !kind.is_empty() {
        let what = format!("there is no kind of source named `{kind}`");
        let known = SOURCES.iter().map(|row| row.name).chain([JSON]);
        problems.push(Problem::error(
            format!("{path}.kind"),
            file.kind.place,
            what,
            nearest::cure(kind, known),
        ));
    }
    row.map(|row| (row.name, (row.build)()))
}

fn json_source(file: &SourceFile, path: &str, problems: &mut Vec<Problem>) -> Option<Box<dyn Source>> {
    let Some(settings) = &file.json else {
        let what = "the kind `json` needs to know where things stand in the body";
        let cure = "add json: { key: id, status: state, title: name, labels: { host: host.name } }";
        problems.push(Problem::error(format!("{path}.json"), file.kind.place, what, cure));
        return None;
    };
    let path = format!("{path}.json");
    let paths = read::<JsonPaths>(settings, &path);
    let has_typos = !paths.problems.is_empty();
    problems.extend(paths.problems);
    match JsonSource::new(&paths.value?) {
        Ok(source) => Some(Box::new(source)),
        Err(faults) => {
            // A path that seems to be missing may be the one that was mistyped.
            for fault in faults {
                let written = fault.setting.split('.').try_fold(settings, |node, key| node.get(key));
                if written.is_none() && has_typos {
                    continue;
                }
                let at = format!("{path}.{}", fault.setting);
                let place = written.map_or(settings.place, |node| node.place);
                let (what, cure) = parted(&fault.why);
                problems.push(Problem::error(at, place, what, cure));
            }
            None
        }
    }
}

fn auth(file: &SourceFile, path: &str, problems: &mut Vec<Problem>) -> Auth {
    let Some(At { value, place }) = &file.auth else {
        let what = "is left out, so everybody who reaches the port may post alerts";
        let cure = "add auth: { bearer: [\"${TOKEN}\"] }, or auth: none when that is meant";
        problems.push(Problem::warning(format!("{path}.auth"), file.name.place, what, cure));
        return Auth::default();
    };
    let path = format!("{path}.auth");
    let auth = auth_of(value);
    if auth.is_open() && !value.none {
        let what = "names no way to prove anything, so everybody may post";
        let cure = "add bearer, basic, path_token, hmac, addresses, client_cert or sns, or write auth: none";
        problems.push(Problem::error(&path, *place, what, cure));
    }
    topics(file, &path, *place, problems);
    for secret in auth.secrets() {
        if secret.expose().chars().count() < Redactor::CHARS_MIN {
            let what = format!(
                "holds a secret of fewer than {} characters: easily guessed, and too short to be starred in logs",
                Redactor::CHARS_MIN
            );
            problems.push(Problem::warning(
                &path,
                *place,
                what,
                "use a long random one: openssl rand -hex 20",
            ));
        }
    }
    auth
}

/// Whether the topics of SNS are topics, and the source is one of SNS.
fn topics(file: &SourceFile, path: &str, place: Place, problems: &mut Vec<Problem>) {
    let Some(sns) = file.auth.as_ref().and_then(|auth| auth.value.ways.sns.as_ref()) else { return };
    let path = format!("{path}.sns");
    let kind = file.kind.value.as_str();
    if kind != SNS && find(kind).is_some() {
        let what = format!("is the signature of AWS SNS, which no sender of kind `{kind}` has");
        problems.push(Problem::error(&path, place, what, "write `kind: sns`, or remove it"));
    }
    if sns.topics.is_empty() {
        let cure = "name the ARN of each topic: topics: [\"arn:aws:sns:eu-west-1:123456789012:alarms\"]";
        problems.push(Problem::error(
            format!("{path}.topics"),
            place,
            "holds none, so nobody may send",
            cure,
        ));
    }
    for (index, topic) in sns.topics.iter().enumerate().filter(|(_, topic)| !is_topic(&topic.value)) {
        let what = "is not the ARN of a topic";
        let cure = "copy it from the console: arn:aws:sns:<region>:<account>:<name>";
        problems.push(Problem::error(format!("{path}.topics[{index}]"), topic.place, what, cure));
    }
}

fn auth_of(file: &AuthFile) -> Auth {
    let ways = &file.ways;
    let bearer =
        ways.bearer.iter().flatten().map(|token| token.value.clone()).filter(|token| !token.is_empty());
    Auth {
        bearer: bearer.collect(),
        basic: ways.basic.as_ref().map(|basic| (basic.username.clone(), basic.password.value.clone())),
        path_token: ways.path_token.as_ref().map(|token| token.value.clone()),
        hmac: ways.hmac.as_ref().map(|hmac| Hmac {
            timestamp_header: hmac.timestamp_header.as_ref().map(|header| header.value.clone()),
            ..Hmac::hex(hmac.header.value.clone(), Secret::clone(&hmac.secret.value))
        }),
        sns: ways
            .sns
            .as_ref()
            .map(|sns| Sns { topics: sns.topics.iter().map(|topic| topic.value.clone()).collect() }),
        addresses: ways.addresses.iter().flatten().map(|network| network.value.0).collect(),
        client_cert: ways.client_cert.iter().flatten().map(|name| name.value.clone()).collect(),
    }
}

pub(super) fn enrichment(
    files: &[EnrichFile],
    world: &dyn World,
    problems: &mut Vec<Problem>,
) -> Vec<Enrichment> {
    let mut steps = Vec::new();
    for (index, file) in files.iter().enumerate() {
        match file {
            EnrichFile::Severity(severity) => {
                steps.push(Enrichment::Severity {
                    from: severity.from.value.clone(),
                    map: severity.map.clone(),
                });
            }
            EnrichFile::Lookup(lookup) => match table(lookup, world) {
                Ok(table) => steps.push(Enrichment::Lookup(table)),
                Err(sentence) => {
                    let path = format!("enrich[{index}].lookup.file");
                    let (what, cure) = parted(&sentence);
                    problems.push(Problem::error(path, lookup.file.place, what, cure));
                }
            },
        }
    }
    steps
}

fn table(lookup: &LookupFile, world: &dyn World) -> Result<Lookup, String> {
    let file: &Path = &lookup.file.value;
    let text = world.beside(file).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::NotFound => "does not exist".to_owned(),
            ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
            ErrorKind::InvalidData => "is not UTF-8 text".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        format!("the table {} {why}; a relative path begins beside the configuration file", file.display())
    })?;
    let key = &lookup.key.value;
    let fault = |(row, what): TableFault| format!("{}, row {row}: {what}", file.display());
    if file.extension().is_some_and(|extension| extension == "csv") {
        return Lookup::from_csv(&text, key).map_err(fault);
    }
    let root = parse(&text).map_err(|problem| format!("{}: {problem}", file.display()))?;
    if !matches!(root.value, Value::List(_)) {
        return Err(format!("{} must hold a list of rows", file.display()));
    }
    let rows = read::<Vec<BTreeMap<String, String>>>(&root, "");
    match (rows.problems.first(), rows.value) {
        (None, Some(rows)) => Lookup::from_rows(rows, key).map_err(fault),
        (problem, _) => {
            Err(format!("{}: {}", file.display(), problem.map(ToString::to_string).unwrap_or_default()))
        }
    }
}
