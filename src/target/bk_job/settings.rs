//! Settings of a BlueKing Job target: what an operator may write, checked and compiled.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::document::node::{At, Node};
use crate::domain::exchange::HeaderText;
use crate::domain::secret::Secret;
use crate::target::bench::Bench;
use crate::target::bk_job::api::{Api, Door};
use crate::target::bk_job::{BkJob, Hosts, WORDINGS, What};
use crate::target::contract::{Built, Workshop};
use crate::target::run::parameters;
use crate::target::run::platform::Runs;
use crate::target::run::settings::{habits, one_of};
use crate::template::escape::Escape;

/// Languages of scripts, in the order of their numbers, from 1.
const LANGUAGES: [&str; 5] = ["shell", "bat", "perl", "python", "powershell"];
/// Seconds that a script may take.
const TIMEOUT_MAX: u32 = 86_400;
/// Seconds that it may take where the operator says nothing: the platform's own default, sent along
/// because some of its versions refuse a call without it.
const TIMEOUT: u32 = 7_200;
/// An address of a host, version 4 or 6.
const IP: &str = r"[0-9A-Fa-f][0-9A-Fa-f.:]*";

type Text = Option<At<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    base_url: Text,
    bk_app_code: Text,
    bk_app_secret: Option<At<Secret>>,
    bk_username: Text,
    access_token: Option<At<Secret>>,
    esb: bool,
    bk_scope_type: Text,
    bk_scope_id: Text,
    script_id: Text,
    script_version_id: Option<At<u64>>,
    script_content: Text,
    script_language: Text,
    script_args: Vec<Node>,
    account_alias: Text,
    account_id: Option<At<u64>>,
    timeout: Option<At<u32>>,
    host_ids: Option<At<Vec<u64>>>,
    ips: Vec<Node>,
    bk_cloud_id: u64,
    dynamic_groups: Vec<String>,
    job_plan_id: Option<At<u64>>,
    global_vars: BTreeMap<String, Node>,
    task_name: Text,
    on_resolve: Text,
    callback_tokens: Vec<At<Secret>>,
}

/// Builds a target, or says all that is wrong.
pub fn build(workshop: &Workshop<'_>) -> Built {
    let mut bench = Bench::new(workshop, &WORDINGS);
    let Some(settings) = bench.settings::<Settings>() else { return bench.finish(None::<Runs<BkJob>>) };
    let (example, below) = match settings.esb {
        false => ("https://bkapi.example.com/api/bk-job/prod", "api/v3"),
        true => ("https://paas.example.com", "api/c/compapi/v2/jobv3"),
    };
    let base_url = bench.own_base_url(settings.base_url.as_ref(), example);
    let door = door(&mut bench, &settings);
    let scope_type = settings.bk_scope_type.as_ref().map_or("biz", |at| at.value.as_str()).to_owned();
    if let Some(at) = settings.bk_scope_type.as_ref().filter(|_| !matches!(&*scope_type, "biz" | "biz_set")) {
        let cure = "write `biz` for a business or `biz_set` for a set of them";
        bench.wrong("bk_scope_type", at, &format!("there is no scope {scope_type:?}"), cure);
    }
    let cure = "add the number of the business, as in `bk_scope_id: 2`";
    let scope_id = bench.needed("bk_scope_id", settings.bk_scope_id.as_ref(), cure);
    let habits = habits(&mut bench, settings.on_resolve.as_ref(), None, &settings.callback_tokens, &[]);
    let callback_url = habits.proof.tokens.first().and_then(|token| callback_url(workshop, token));
    let task_name = bench.wording("task_name", settings.task_name.as_ref(), Escape::None);
    let what = what(&mut bench, settings);
    let (secrets, redactor) = (bench.secrets(), bench.redactor());
    let job = what.zip(task_name).map(|(what, task_name)| BkJob {
        api: Api { root: format!("{base_url}/{below}"), door, scope_type, scope_id },
        what,
        task_name,
        callback_url,
        habits,
        secrets,
        redactor,
    });
    bench.finish(job.map(Runs))
}

/// What the platform is to call when a run ends. It can send no header, so the token is in it.
fn callback_url(workshop: &Workshop<'_>, token: &Secret) -> Option<Secret> {
    let base = workshop.external_url.trim_end_matches('/');
    let target = Escape::Url.apply(workshop.target);
    let token = Escape::Url.apply(token.expose());
    (!base.is_empty()).then(|| Secret::new(format!("{base}/callbacks/{target}?token={token}")))
}

/// Who calls: the code and secret of an app, and a user. The gateway takes them in a header.
fn door(bench: &mut Bench<'_>, settings: &Settings) -> Door {
    let cure = "add the code of the app that may call bk-job at the gateway";
    let code = bench.needed("bk_app_code", settings.bk_app_code.as_ref(), cure);
    let cure = "add `bk_app_secret: \"${BK_APP_SECRET}\"`";
    let secret = bench.needed_secret("bk_app_secret", settings.bk_app_secret.as_ref(), cure);
    if settings.esb {
        // In a question it stands in the address.
        bench.remember(Secret::new(Escape::Url.apply(secret.expose()).into_owned()));
        let username = bus_user(bench, settings);
        return Door::Bus { app_code: code, app_secret: secret, username };
    }
    let mut all = Map::from_iter([
        ("bk_app_code".to_owned(), Value::from(code)),
        ("bk_app_secret".to_owned(), Value::from(secret.expose())),
    ]);
    let (user, token) = (settings.bk_username.is_some(), settings.access_token.is_some());
    let cure = "add the user in whose name jobs run (`bk_username`), or an `access_token` of theirs";
    one_of(bench, ("bk_username", user), ("access_token", token), cure);
    if let Some(at) = &settings.bk_username {
        all.insert("bk_username".into(), at.value.trim().into());
    }
    let cure = "write the token as the gateway gave it";
    if let Some(token) = bench.secret("access_token", settings.access_token.as_ref(), cure) {
        all.insert("access_token".into(), token.expose().into());
    }
    Door::Gateway(HeaderText::Hidden(Secret::new(in_ascii(&Value::Object(all)))))
}

/// The bus knows the user by name.
fn bus_user(bench: &mut Bench<'_>, settings: &Settings) -> String {
    let cure = "add the user in whose name jobs run, as in `bk_username: admin`";
    if let Some(at) = &settings.access_token {
        bench.wrong("access_token", at, "the service bus takes no access tokens", "leave it out");
    }
    bench.needed("bk_username", settings.bk_username.as_ref(), cure)
}

/// Header values are ASCII: a character beyond it is written as JSON escapes it, in UTF-16.
fn in_ascii(value: &Value) -> String {
    let text = value.to_string();
    text.encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

fn what(bench: &mut Bench<'_>, settings: Settings) -> Option<What> {
    let scripts = [
        settings.script_id.is_some(),
        settings.script_version_id.is_some(),
        settings.script_content.is_some(),
    ];
    let has_script = scripts.contains(&true);
    let cure = "say what is run: `script_id: …` or `job_plan_id: …`";
    one_of(bench, ("script_id", has_script), ("job_plan_id", settings.job_plan_id.is_some()), cure);
    if scripts.iter().filter(|given| **given).count() > 1 {
        let what = "there is more than one of `script_id`, `script_version_id` and `script_content`";
        bench.missing("script_id", what, "keep one of them");
    }
    if let Some(at) = settings.job_plan_id {
        let variables = parameters::named(bench, "global_vars", settings.global_vars);
        return Some(What::Plan { id: at.value, variables });
    }
    let language = language(bench, &settings);
    let mut fixed = script(bench, &settings, language);
    if has_script {
        fixed.extend(account(bench, &settings));
    }
    fixed.insert("timeout".into(), timeout(bench, settings.timeout.as_ref()).into());
    let arguments = parameters::listed(bench, "script_args", &settings.script_args, parameters::PLAIN);
    let hosts = hosts(bench, settings, has_script);
    Some(What::Script {
        fixed,
        arguments,
        hosts,
        is_posix: !matches!(LANGUAGES[language], "bat" | "powershell"),
    })
}

/// The fields that say which script it is.
fn script(bench: &mut Bench<'_>, settings: &Settings, language: usize) -> Map<String, Value> {
    let mut fixed = Map::new();
    fixed.extend(settings.script_id.as_ref().map(|at| ("script_id".into(), at.value.as_str().into())));
    fixed.extend(settings.script_version_id.as_ref().map(|at| ("script_version_id".into(), at.value.into())));
    if let Some(at) = &settings.script_content {
        if at.value.contains("{{") {
            let cure = "give what an alert says by `script_args`, and read it as $1 in the script";
            let what = "the text of an alert must not become a part of a script";
            bench.wrong("script_content", at, what, cure);
        }
        fixed.insert("script_content".into(), BASE64.encode(&at.value).into());
        fixed.insert("script_language".into(), json!(language + 1));
    }
    fixed
}

/// The account on the hosts, without which the platform runs no script.
fn account(bench: &mut Bench<'_>, settings: &Settings) -> Option<(String, Value)> {
    let (alias, id) = (&settings.account_alias, &settings.account_id);
    let cure = "add `account_alias: root`, as the platform calls the account that the script runs as";
    one_of(bench, ("account_alias", alias.is_some()), ("account_id", id.is_some()), cure);
    if let Some(at) = id {
        return Some(("account_id".to_owned(), at.value.into()));
    }
    let alias = bench.needed("account_alias", Some(alias.as_ref()?), cure);
    Some(("account_alias".to_owned(), alias.into()))
}

/// Seconds.
fn timeout(bench: &mut Bench<'_>, at: Option<&At<u32>>) -> u32 {
    let Some(at) = at else { return TIMEOUT };
    if !(1..=TIMEOUT_MAX).contains(&at.value) {
        bench.wrong("timeout", at, "no script may take so long", "write 1 to 86400 seconds");
    }
    at.value
}

/// Where the script runs. Beside numbers of hosts the platform passes over their addresses without a
/// word, so one target has one of the two only.
fn hosts(bench: &mut Bench<'_>, settings: Settings, has_script: bool) -> Hosts {
    let ids = settings.host_ids.as_ref().map(|at| at.value.clone()).unwrap_or_default();
    if let Some(at) = settings.host_ids.as_ref().filter(|_| !ids.is_empty() && !settings.ips.is_empty()) {
        let what = "beside `host_ids` the platform takes no notice of `ips`: the script would not run there";
        bench.wrong("host_ids", at, what, "keep one of them, or make two targets");
    }
    if has_script && ids.is_empty() && settings.ips.is_empty() && settings.dynamic_groups.is_empty() {
        let cure = "add `host_ids: [101]`, `ips: [\"{{commonLabels.host_ip}}\"]` or `dynamic_groups: [id]`";
        bench.missing("host_ids", "there is no host to run the script on", cure);
    }
    Hosts {
        ids,
        ips: parameters::listed(bench, "ips", &settings.ips, IP),
        cloud_id: settings.bk_cloud_id,
        dynamic_groups: settings.dynamic_groups,
    }
}

/// Place in [`LANGUAGES`].
fn language(bench: &mut Bench<'_>, settings: &Settings) -> usize {
    let Some(at) = &settings.script_language else { return 0 };
    LANGUAGES.iter().position(|name| *name == at.value).unwrap_or_else(|| {
        let cure = format!("write one of {}", LANGUAGES.join(", "));
        bench.wrong("script_language", at, &format!("there is no language {:?}", at.value), &cure);
        0
    })
}
