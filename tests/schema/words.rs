//! What is said about the keys of relay.yaml, found where it stands: in the comments of the code that
//! reads them, and in the examples of the documentation.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Keys that mean the same wherever they stand, and that the pages show without a word.
const ANYWHERE: &[(&str, &str)] = &[
    ("base_url", "Scheme, host and perhaps a prefix of the service. Left out: the vendor's own."),
    ("callback_tokens", "Tokens that let the service post to /callbacks/<target>; any of them opens."),
    (
        "webhook_secrets",
        "Secrets that sign what the service posts to /callbacks/<target>; any of them holds.",
    ),
    ("username", "User name."),
    ("password", "Password."),
    ("email", "Address of the account that calls."),
    ("api_key", "API key."),
    ("api_token", "API token."),
    ("token", "Token."),
    ("from", "Who sends."),
    ("to", "Who is told."),
    ("webhook_url", "Address of the incoming webhook. It is a secret."),
    ("secret", "The shared secret."),
    ("summary", "Template of the summary."),
    ("title", "Template of the title."),
    ("text", "Template of the text."),
    ("description", "Template of the description."),
    ("subject", "Template of the subject."),
    ("comment", "Template of comments; empty: none."),
    ("message", "Template of the message."),
    ("header", "Template of the header."),
    ("footer", "Template of the footer."),
    ("body", "Template of the body."),
    ("color", "Template of the colour."),
    ("note", "Template of notes."),
    ("priority", "Priority: a template, a map by severity, or a map by label."),
    ("critical", "For critical alerts."),
    ("error", "For errors."),
    ("warning", "For warnings."),
    ("info", "For informational alerts."),
    ("label", "The label to look at."),
    ("map", "Words by value of the label."),
    ("default", "The word for all other values."),
    ("mention_from", "The least severity that mentions."),
    ("class", "Template of the class of the event."),
    ("group", "Template of the group."),
    ("component", "Template of the component."),
    ("alt", "Text in place of the image."),
    ("href", "Where it leads."),
    ("src", "Address of the image."),
    ("assignees", "Who is assigned."),
    ("details", "More facts, by name."),
    ("priorities", "Priorities of the account by severity."),
    ("service_id", "Id of the service (P…)."),
    ("actions", "Names of actions that the alert offers."),
    ("entity", "Template of what is affected."),
    ("cloud_id", "Id of the site: https://<site>.atlassian.net/_edge/tenant_info shows it."),
    ("jsm", "The token of a user, in place of api_key."),
    ("id", "Its id."),
    ("name", "Its name."),
    ("type", "Its type."),
    ("responders", "Who is told there."),
    ("visible_to", "Who may see it."),
    ("source", "Template of the source."),
    ("tags", "Tags; each may be a template."),
    ("update_alerts", "Whether a repeated trigger brings priority, message and description up to date."),
    ("user", "Name in whose name actions are made."),
    ("bot_token", "Bot User OAuth Token (xoxb-…)."),
    ("icon_emoji", "Picture: an emoji by name, as in :rotating_light:."),
    ("icon_url", "Picture: its address."),
    ("reply", "Template of the line in the thread."),
    ("signing_secret", "Signing Secret of the app; with it messages get buttons."),
    ("unfurl", "Whether previews of links are shown."),
    ("account_sid", "Account SID (AC…)."),
    ("api_key_secret", "Secret of the API key."),
    ("mode", "What the target does."),
    ("say", "Template of what is read out."),
    ("voice", "Voice, as in Polly.Zhiyu."),
    ("cc", "Who gets a copy."),
    ("reply_to", "Where answers go."),
    ("deployment", "Cloud or Data Center; left out: as the credentials say."),
    ("fields", "More fields by name; texts in them may be templates."),
    ("labels", "Labels; each may be a template."),
    ("custom_fields", "Custom fields by id; texts in them may be templates."),
    ("acknowledge_transition", "Transition made on an acknowledge."),
    ("reopen_transition", "Transition that opens it again."),
    ("resolve_transition", "Transition that ends it."),
    ("acknowledge_status", "Status on an acknowledge."),
    ("reopen_status", "Status when it is opened again."),
    ("resolve_status", "Status when it is over."),
    ("acknowledge_state", "State on an acknowledge."),
    ("reopen_state", "State when it is opened again."),
    ("resolve_state", "State when it is over."),
    ("closed_statuses", "States of tickets that nobody changes any more."),
    ("update_priority", "Whether the priority is raised when it gets worse."),
    ("brand_id", "Id of the brand."),
    ("ticket_form_id", "Id of the form."),
    ("requester", "Template of who asks."),
    ("assignee", "Who is assigned: a template, a map by severity, or a map by label."),
    ("assigned_to", "Who is assigned: a template, a map by severity, or a map by label."),
    ("assignment_group", "Group that is assigned."),
    ("caller_id", "Caller."),
    ("category", "Category: a template, a map by severity, or a map by label."),
    ("impact", "Impact by severity."),
    ("urgency", "Urgency by severity."),
    ("due", "Time to the due date, by severity."),
    ("short_description", "Template of the short description."),
    ("table", "Table of the records."),
    ("webhook_tokens", "Tokens that let the service post to /callbacks/<target>."),
    ("callback_secrets", "Secrets that sign what the service posts to /callbacks/<target>."),
    ("look_up", "Path by which tickets are looked up."),
    ("signature_header", "Header that holds the signature of callbacks."),
    ("credentials", "Credentials of the run."),
    ("parameters", "Parameters of the run: a template, or { value, match, cut }."),
    ("options", "Options of the run: a template, or { value, match, cut }."),
    ("extra_vars", "Variables of the run: a template, or { value, match, cut }."),
    ("global_vars", "Global variables of the plan."),
    ("value", "Template of the value."),
    ("match", "Regular expression that must fit the whole value; left out: one plain word."),
    ("cut", "Characters to which the value is shortened."),
    ("targets", "Hosts of the run."),
    ("ips", "Hosts of the run."),
    ("script_args", "Arguments of the script."),
    ("script_id", "Id of the script."),
    ("script_version_id", "Id of the version of the script."),
    ("job_plan_id", "Id of the plan."),
    ("host_ids", "Ids of hosts."),
    ("dynamic_groups", "Ids of dynamic groups."),
    ("task_name", "Template of the name of the task."),
    ("account_alias", "Account on the hosts."),
    ("bk_app_code", "Code of the app."),
    ("bk_app_secret", "Secret of the app."),
    ("bk_username", "User in whose name jobs run."),
    ("bk_cloud_id", "Id of the network area."),
    ("on_resolve", "What becomes of it when the problem is over."),
    ("as_user", "User in whose name jobs run."),
    ("filter", "Filter of nodes: a template, or { value, match, cut }."),
    ("limit", "Limit of hosts: a template, or { value, match, cut }."),
    ("job", "The job to run."),
    ("loglevel", "Log level of the run."),
    ("reason", "Template of why it is run."),
    ("inventory", "Id of the inventory."),
    ("job_tags", "Tags of the job."),
    ("skip_tags", "Tags to skip."),
    ("job_template", "Id or name of the job template."),
    ("at_all", "Whether everybody is mentioned."),
    ("at_user_ids", "Who is mentioned."),
    ("mentioned_mobile_list", "Phone numbers that are mentioned."),
    ("basic", "User name and password, in place of bearer."),
    ("url", "Where to. It is treated as a secret."),
];

/// Everything that is said.
pub struct Words {
    /// Keys of each shape in the code, with what is said of them.
    shapes: Vec<(BTreeSet<String>, BTreeMap<String, String>)>,
    /// By kind and key.
    pages: HashMap<(String, String), String>,
}

impl Words {
    pub fn read(root: &Path) -> Words {
        let mut files = Vec::new();
        for folder in ["src/config", "src/source", "src/target"] {
            under(&root.join(folder), "rs", &mut files);
        }
        let shapes = files.iter().flat_map(|file| shapes(&fs::read_to_string(file).unwrap())).collect();
        let mut pages = HashMap::new();
        let mut documents = Vec::new();
        under(&root.join("docs/targets"), "md", &mut documents);
        for file in documents {
            let kind = file.file_stem().unwrap().to_string_lossy().into_owned();
            comments(&kind, &fs::read_to_string(&file).unwrap(), &mut pages);
        }
        // The example knows these three by heart.
        let example = fs::read_to_string(root.join("relay.example.yaml")).unwrap();
        for kind in ["pagerduty", "webhook", "console"] {
            let part = example.split(&format!("\n    {kind}:")).nth(1).unwrap();
            let part = part.split("\n\n").next().unwrap();
            comments(kind, part, &mut pages);
        }
        let (_, json) = example.split_once("\n    json:").unwrap();
        comments("json", json.split("\n\n").next().unwrap(), &mut pages);
        Words { shapes, pages }
    }

    /// What is said of `key` in a map with these keys, in the settings of `kind`.
    pub fn of(&self, kind: &str, keys: &BTreeSet<String>, key: &str) -> Option<String> {
        let shape = self.shapes.iter().find(|(have, _)| have == keys);
        let by_code = shape.and_then(|(_, said)| said.get(key)).cloned();
        let by_page = || self.pages.get(&(kind.to_owned(), key.to_owned())).cloned();
        let anywhere = || ANYWHERE.iter().find(|(have, _)| *have == key).map(|(_, said)| (*said).to_owned());
        by_code.or_else(by_page).or_else(anywhere)
    }
}

fn under(folder: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            under(&path, ending, files);
        } else if path.extension().is_some_and(|have| have == ending) {
            files.push(path);
        }
    }
    files.sort();
}

/// The fields of every struct in a file, with their comments; and of every enum whose variants hold
/// something.
fn shapes(code: &str) -> Vec<(BTreeSet<String>, BTreeMap<String, String>)> {
    let field = Regex::new(r"^    (?:pub(?:\([a-z]+\))? )?(?:r#)?([a-z_0-9]+): ").unwrap();
    let variant = Regex::new(r"^    ([A-Z][a-z]+)\(").unwrap();
    let rename = Regex::new(r#"rename = "([^"]+)""#).unwrap();
    let link = Regex::new(r"\[`([^`]+)`\](\([^)]*\))?").unwrap();
    let mut found = Vec::new();
    let (mut keys, mut said, mut doc, mut name) = (BTreeSet::new(), BTreeMap::new(), Vec::new(), None);
    for line in code.lines() {
        if let Some(text) = line.trim_start().strip_prefix("///") {
            doc.push(text.trim().to_owned());
        } else if let Some(renamed) = rename.captures(line) {
            name = Some(renamed[1].to_owned());
        } else if let Some(at) = field.captures(line).or_else(|| variant.captures(line)) {
            let key = name.take().unwrap_or_else(|| at[1].to_lowercase());
            let text = link.replace_all(&std::mem::take(&mut doc).join(" "), "`$1`").into_owned();
            if !text.is_empty() {
                said.insert(key.clone(), text);
            }
            keys.insert(key);
        } else if line == "}" {
            found.push((std::mem::take(&mut keys), std::mem::take(&mut said)));
            doc.clear();
        } else if !line.trim_start().starts_with("#[") {
            doc.clear();
        }
    }
    found
}

/// `key: value   # what it is`, of YAML that may be commented out.
fn comments(kind: &str, text: &str, pages: &mut HashMap<(String, String), String>) {
    let line = Regex::new(r"(?m)^[ #-]*([a-z_0-9]+):(?: .*?)?  +# (.+)$").unwrap();
    for said in line.captures_iter(text) {
        pages.entry((kind.to_owned(), said[1].to_owned())).or_insert_with(|| sentence(&said[2]));
    }
}

/// Comments in examples begin in lower case and end without a stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
