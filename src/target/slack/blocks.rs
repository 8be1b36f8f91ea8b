//! The body of a message: Block Kit, worded and kept within Slack's limits
//! (<https://docs.slack.dev/reference/block-kit/blocks>).
//!
//! Header, mention and notes stand in the message itself; what goes into detail stands in an
//! attachment beneath, because only an attachment has a coloured bar. No block is ever empty: Slack
//! refuses the whole message for it. Who is told, and where, is not decided here.

use serde_json::{Map, Value, json};
use url::Url;

use crate::domain::message::{Action, JobId, Message};
use crate::target::slack::mrkdwn::{fitted, parted};
use crate::template::escape::Escape;
use crate::template::headline::is_web;
use crate::template::library::{Fault, Language, Template, Wording};
use crate::template::severity::Severity;
use crate::template::text::cut;
use crate::template::view::View;

/// Longest header, in characters.
const HEADER_CHARS: usize = 150;
/// Longest text of a section.
const SECTION_CHARS: usize = 3000;
/// Sections that a long text may fill.
const SECTIONS_MAX: usize = 3;
/// Longest field.
const FIELD_CHARS: usize = 2000;
/// Fields of a section.
pub const FIELDS_MAX: usize = 10;
/// Slack answers `msg_blocks_too_long` somewhere near 13,000 characters in all.
const BLOCKS_CHARS: usize = 12_000;
/// Longest text of a message without blocks that Slack recommends.
const PLAIN_CHARS: usize = 4000;
/// Longest mention and longest note: neither should crowd out the message.
const LINE_CHARS: usize = 500;
/// Longest address behind a button.
const URL_CHARS: usize = 3000;

/// Begins the names of our buttons.
pub const ACTIONS: &str = "alert_relay.";
/// The button by which a person takes it.
pub const ACKNOWLEDGE: &str = "alert_relay.acknowledge";
/// The button by which a person says that it is over.
pub const RESOLVE: &str = "alert_relay.resolve";
/// The button by which a person says yes to a job.
pub const APPROVE: &str = "alert_relay.approve";
/// The button by which a person says no to it.
pub const DECLINE: &str = "alert_relay.decline";

/// All wording of a target.
#[derive(Debug)]
pub struct Words {
    pub language: Language,
    pub header: Wording,
    pub text: Wording,
    pub fields: Fields,
    pub footer: Wording,
    pub reply: Wording,
    pub color: Wording,
    pub mention: Option<Template>,
}

/// Short facts, two in a row.
#[derive(Debug)]
pub enum Fields {
    /// Ours.
    Usual(Vec<Wording>),
    /// The operator's.
    Own(Vec<Template>),
}

/// What a message says besides its wording.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// Call the people whom the operator mentions.
    pub mentions: bool,
    /// Who took it, why it comes this way; plain text.
    pub notes: Vec<String>,
    /// Show buttons that change something.
    pub buttons: bool,
    /// Somebody has taken it.
    pub is_taken: bool,
    /// The job that waits for a word.
    pub job: Option<JobId>,
}

impl Words {
    /// `text`, `blocks` and `attachments` of a message.
    pub fn painted(
        &self,
        message: &Message,
        view: &View,
        beside: &Beside,
        faults: &mut Vec<Fault>,
    ) -> Map<String, Value> {
        let header = self.header(view, faults);
        let mut blocks = vec![json!({
            "type": "header", "text": { "type": "plain_text", "text": cut(&header, HEADER_CHARS), "emoji": true },
        })];
        if let Some(mention) = self.mention(view, beside, faults) {
            blocks.push(section(&mention));
        }
        for note in &beside.notes {
            let note = format!("ℹ️ {}", Escape::Mrkdwn.apply(note));
            blocks.push(context(&fitted(&note, LINE_CHARS)));
        }
        let details = self.details(message, view, beside, faults);
        let color = self.color(view, faults);
        let mut attachments = Vec::new();
        match color {
            Some(color) => attachments.push(json!({ "color": color, "blocks": details })),
            None => blocks.extend(details),
        }
        let text = Escape::Mrkdwn.apply(&header).into_owned();
        Map::from_iter([
            ("text".to_owned(), fitted(&text, PLAIN_CHARS).into()),
            ("blocks".to_owned(), blocks.into()),
            // Sent even when empty: an update would keep the old ones.
            ("attachments".to_owned(), attachments.into()),
        ])
    }

    /// Whether the text is shown whole, whatever stands beside it.
    pub fn fits(&self, view: &View) -> bool {
        self.text.say(view).text.chars().count() <= SECTION_CHARS * (SECTIONS_MAX - 1)
    }

    /// The same as text alone, for when Slack does not take the blocks.
    pub fn plain(&self, view: &View, beside: &Beside, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let mut lines = vec![format!("*{}*", Escape::Mrkdwn.apply(&self.header(view, faults)))];
        lines.extend(self.mention(view, beside, faults));
        lines.extend(beside.notes.iter().map(|note| Escape::Mrkdwn.apply(note).into_owned()));
        let link = view.text("link");
        if is_web(&link) {
            lines.push(Escape::Mrkdwn.apply(&link).into_owned());
        }
        let text = fitted(&lines.join("\n"), PLAIN_CHARS).into_owned();
        Map::from_iter([
            ("text".to_owned(), text.into()),
            ("blocks".to_owned(), Value::Array(Vec::new())),
            ("attachments".to_owned(), Value::Array(Vec::new())),
        ])
    }

    /// `text` of a reply in the thread.
    pub fn replied(&self, view: &View, beside: &Beside, faults: &mut Vec<Fault>) -> Map<String, Value> {
        let reply = self.reply.say(view).noting(faults);
        let reply = if reply.trim().is_empty() { view.plain().into() } else { reply };
        let lines: Vec<String> =
            self.mention(view, beside, faults).into_iter().chain([reply.into_owned()]).collect();
        Map::from_iter([("text".to_owned(), fitted(lines.join("\n").trim(), PLAIN_CHARS).into())])
    }

    fn header(&self, view: &View, faults: &mut Vec<Fault>) -> String {
        let header = self.header.say(view).noting(faults);
        let line = header.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() { view.plain() } else { line }
    }

    fn mention(&self, view: &View, beside: &Beside, faults: &mut Vec<Fault>) -> Option<String> {
        let mention = self.mention.as_ref().filter(|_| beside.mentions)?.render(view);
        match mention {
            Ok(text) => Some(fitted(text.trim(), LINE_CHARS).into_owned()).filter(|text| !text.is_empty()),
            Err(fault) => {
                faults.push(fault);
                None
            }
        }
    }

    /// `#rrggbb`, or Slack's own `good`, `warning`, `danger`; none: no bar.
    fn color(&self, view: &View, faults: &mut Vec<Fault>) -> Option<String> {
        let said = self.color.say(view).noting(faults);
        let color = match said.trim() {
            color if color.is_empty() || is_color(color) => color.to_owned(),
            other => {
                let what = format!("{:?} is no colour, as in #d93f3f", cut(other, 40));
                self.color.instead(view, what).noting(faults).trim().to_owned()
            }
        };
        Some(color).filter(|color| !color.is_empty())
    }

    /// Facts first: they are few, and what the text has to leave out is the end of a list.
    fn details(
        &self,
        message: &Message,
        view: &View,
        beside: &Beside,
        faults: &mut Vec<Fault>,
    ) -> Vec<Value> {
        let mut left = BLOCKS_CHARS;
        let mut room = |text: &str, chars_max: usize| {
            let text = fitted(text.trim(), chars_max.min(left)).into_owned();
            left -= text.chars().count();
            text
        };
        let fields: Vec<String> = self.fields(view, faults);
        let fields: Vec<String> = fields.iter().map(|field| room(field, FIELD_CHARS)).collect();
        let fields: Vec<Value> = fields.iter().filter(|field| !field.is_empty()).map(|f| mrkdwn(f)).collect();
        let footer = room(&self.footer.say(view).noting(faults), SECTION_CHARS);
        let text = room(&self.text.say(view).noting(faults), SECTION_CHARS * SECTIONS_MAX);
        let mut blocks: Vec<Value> =
            parted(&text, SECTION_CHARS, SECTIONS_MAX).iter().map(|part| section(part)).collect();
        if !fields.is_empty() {
            blocks.push(json!({ "type": "section", "fields": fields }));
        }
        if !footer.is_empty() {
            blocks.push(context(&footer));
        }
        let buttons = self.buttons(message, view, beside);
        if !buttons.is_empty() {
            blocks.push(json!({ "type": "actions", "elements": buttons }));
        }
        if blocks.is_empty() {
            blocks.push(section(&Escape::Mrkdwn.apply(&view.plain())));
        }
        blocks
    }

    fn fields(&self, view: &View, faults: &mut Vec<Fault>) -> Vec<String> {
        match &self.fields {
            Fields::Usual(wordings) => {
                wordings.iter().map(|wording| wording.say(view).noting(faults).into_owned()).collect()
            }
            Fields::Own(templates) => {
                let mut fields = Vec::new();
                for template in templates {
                    match template.render(view) {
                        Ok(text) => fields.push(text),
                        Err(fault) => faults.push(fault),
                    }
                }
                fields
            }
        }
    }

    fn buttons(&self, message: &Message, view: &View, beside: &Beside) -> Vec<Value> {
        let is_over = message.action == Action::Resolve;
        let mut buttons = Vec::new();
        if beside.buttons && !is_over {
            if !beside.is_taken {
                buttons.push(self.button(ACKNOWLEDGE, message, "primary", ("Acknowledge", "确认")));
            }
            buttons.push(self.button(RESOLVE, message, "danger", ("Resolve", "标记恢复")));
            if let Some(job) = beside.job {
                buttons.extend(self.job_buttons(job, message));
            }
        }
        let link = view.text("link");
        for (name, url, words) in [
            ("open", &*link, ("Open", "打开告警")),
            ("runbook", view.annotation("runbook_url"), ("Runbook", "处置手册")),
            ("dashboard", view.annotation("dashboard_url"), ("Dashboard", "监控面板")),
        ] {
            // A character that no address holds would cost the whole message.
            let url = Some(url).filter(|url| is_web(url)).and_then(|url| Url::parse(url).ok());
            if let Some(url) = url.map(String::from).filter(|url| url.chars().count() <= URL_CHARS) {
                buttons.push(json!({
                    "type": "button", "action_id": format!("{ACTIONS}{name}"), "url": url,
                    "text": label(self.said(words)),
                }));
            }
        }
        buttons
    }

    /// A button that comes back to us with the dedup key. To resolve is asked for twice: at night a
    /// thumb slips.
    fn button(&self, id: &str, message: &Message, style: &str, words: (&str, &str)) -> Value {
        let mut button = json!({
            "type": "button", "action_id": id, "style": style,
            "text": label(self.said(words)), "value": message.dedup_key.as_str(),
        });
        if id == RESOLVE {
            button["confirm"] = json!({
                "title": label(self.said(("Is it over?", "确定已恢复？"))),
                "text": label(self.said((
                    "It will be resolved everywhere, and nobody will be called for it any more.",
                    "将在所有渠道标记为已恢复，不再通知任何人。",
                ))),
                "confirm": label(self.said(("Yes, resolve", "确定"))),
                "deny": label(self.said(("No", "取消"))),
            });
        }
        button
    }

    /// Buttons that say yes or no to a job: they come back with its number before the dedup key. Yes is
    /// asked for twice, since something is done to production then.
    fn job_buttons(&self, job: JobId, message: &Message) -> [Value; 2] {
        let value = format!("{job} {}", message.dedup_key);
        let (yes, no) = (("Run the job", "执行作业"), ("Not this job", "不执行"));
        let mut buttons = [(APPROVE, "primary", yes), (DECLINE, "danger", no)].map(|(id, style, words)| {
            json!({
                "type": "button", "action_id": id, "style": style,
                "text": label(self.said(words)), "value": value,
            })
        });
        let number = format!("#{job}");
        let text = self.said(("It is started at once, in your name:", "将以您的名义立即执行："));
        buttons[0]["confirm"] = json!({
            "title": label(self.said(("Run the job?", "确定执行作业？"))),
            "text": label(&format!("{text} {number}")),
            "confirm": label(self.said(("Yes, run it", "确定"))),
            "deny": label(self.said(("No", "取消"))),
        });
        buttons
    }

    fn said<'w>(&self, (en, zh): (&'w str, &'w str)) -> &'w str {
        match self.language {
            Language::En => en,
            Language::Zh => zh,
        }
    }
}

/// Whether a message as severe as this calls people.
pub fn calls(message: &Message, severity: Severity, from: Severity) -> bool {
    message.action == Action::Trigger && severity >= from
}

fn is_color(text: &str) -> bool {
    let hex = |digits: &str| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    matches!(text, "good" | "warning" | "danger") || text.strip_prefix('#').is_some_and(hex)
}

/// `verbatim`: a bare `@here`, `#channel` or address in the text stays text.
fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn(text) })
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [mrkdwn(text)] })
}

fn label(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": true })
}
