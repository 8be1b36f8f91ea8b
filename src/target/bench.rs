//! Where the settings of a target become its parts: problems, warnings and secrets are gathered on
//! the way, so that all that is wrong shows at once and no secret is forgotten.
//!
//! What every kind needs stands here (addresses, secrets, wording, `Authorization`); what one
//! service alone asks for is checked by its kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::DeserializeOwned;

use crate::document::node::{At, Node};
use crate::document::read::read;
use crate::domain::exchange::HeaderText;
use crate::domain::problem::Problem;
use crate::domain::secret::{Redactor, Secret};
use crate::target::address;
use crate::target::contract::{Built, Made, Target, Workshop};
use crate::template::escape::Escape;
use crate::template::library::{Builtin, Language, Template, Wording};
use crate::template::severity::Severity;

/// The parts of a target in the making.
pub struct Bench<'a> {
    /// What there is to build with.
    pub workshop: &'a Workshop<'a>,
    wordings: &'static [Builtin],
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    secrets: Vec<Secret>,
}

impl<'a> Bench<'a> {
    /// An empty bench. `wordings` are those of the kind.
    pub fn new(workshop: &'a Workshop<'a>, wordings: &'static [Builtin]) -> Bench<'a> {
        Bench { workshop, wordings, problems: Vec::new(), warnings: Vec::new(), secrets: Vec::new() }
    }

    /// The settings in the kind's own shape; what cannot be read is a problem each and left out.
    pub fn settings<S: DeserializeOwned>(&mut self) -> Option<S> {
        let read = read::<S>(self.workshop.settings, self.workshop.path);
        self.problems.extend(read.problems);
        read.value
    }

    /// A part of the settings that may have several shapes, in one of them.
    pub fn part<S: DeserializeOwned>(&mut self, node: &Node, field: &str) -> Option<S> {
        let read = read::<S>(node, &self.path(field));
        self.problems.extend(read.problems);
        read.value
    }

    /// The path of a field in the document.
    pub fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.workshop.path)
    }

    /// Nothing is wrong so far.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Takes what was made, or notes its problem.
    pub fn keep<T>(&mut self, made: Result<T, Problem>) -> Option<T> {
        made.map_err(|problem| self.problems.push(problem)).ok()
    }

    /// This setting is wrong.
    pub fn wrong<T>(&mut self, field: &str, at: &At<T>, what: &str, cure: &str) {
        self.problems.push(Problem::error(self.path(field), at.place, what, cure));
    }

    /// This setting may not be meant so.
    pub fn doubtful<T>(&mut self, field: &str, at: &At<T>, what: &str, cure: &str) {
        self.warnings.push(Problem::warning(self.path(field), at.place, what, cure));
    }

    /// A setting is not there.
    pub fn missing(&mut self, field: &str, what: &str, cure: &str) {
        let place = self.workshop.settings.place;
        self.problems.push(Problem::error(self.path(field), place, what, cure));
    }

    /// `base_url`, without a slash at its end; `usual` where the operator gives none.
    pub fn base_url(&mut self, at: Option<&At<String>>, usual: &str) -> String {
        let Some(at) = at else { return usual.to_owned() };
        let made = address::base(at, &self.path("base_url"));
        self.keep(made).unwrap_or_default()
    }

    /// A `base_url` that has no usual value: every customer of the service has one of their own.
    pub fn own_base_url(&mut self, at: Option<&At<String>>, example: &str) -> String {
        if at.is_none() {
            let cure = format!("add `base_url: {example}`");
            self.missing("base_url", "the address of the service is missing", &cure);
        }
        self.base_url(at, "")
    }

    /// A whole address that is a secret by itself (an incoming webhook).
    pub fn secret_url(&mut self, field: &str, at: Option<&At<Secret>>) -> Option<Secret> {
        let nothing = At { value: Secret::default(), place: self.workshop.settings.place };
        let made = address::endpoint(at.unwrap_or(&nothing), &self.path(field));
        let url = self.keep(made)?;
        self.secrets.push(url.clone());
        self.secrets.extend(address::tokens(&url));
        Some(url)
    }

    /// A text that must be there, trimmed.
    pub fn needed(&mut self, field: &str, at: Option<&At<String>>, cure: &str) -> String {
        match at {
            None => self.missing(field, &format!("`{field}` is missing"), cure),
            Some(at) if at.value.trim().is_empty() => {
                self.wrong(field, at, &format!("`{field}` is empty"), cure);
            }
            Some(_) => {}
        }
        at.map(|at| at.value.trim().to_owned()).unwrap_or_default()
    }

    /// A secret that must be there, trimmed, remembered, and fit for a header.
    pub fn needed_secret(&mut self, field: &str, at: Option<&At<Secret>>, cure: &str) -> Secret {
        if at.is_none() {
            self.missing(field, &format!("`{field}` is missing"), cure);
        }
        self.secret(field, at, cure).unwrap_or_default()
    }

    /// A secret that may be left out, trimmed, remembered, and fit for a header.
    pub fn secret(&mut self, field: &str, at: Option<&At<Secret>>, cure: &str) -> Option<Secret> {
        let at = at?;
        let text = at.value.expose().trim();
        if text.is_empty() {
            self.wrong(field, at, &format!("`{field}` is empty"), cure);
        } else if !text.chars().all(|c| ('!'..='~').contains(&c)) {
            let what = format!("`{field}` holds blanks or characters beyond ASCII");
            self.wrong(field, at, &what, cure);
        }
        let secret = Secret::new(text);
        self.remember(secret.clone());
        Some(secret)
    }

    /// Secrets of which any holds, so that one can be rotated.
    pub fn secret_list(&mut self, field: &str, list: &[At<Secret>], cure: &str) -> Vec<Secret> {
        let each = list.iter().enumerate();
        each.filter_map(|(index, at)| self.secret(&format!("{field}[{index}]"), Some(at), cure)).collect()
    }

    /// A severity, in any word that is known for one; `usual` where the operator gives none.
    pub fn severity(&mut self, field: &str, at: Option<&At<String>>, usual: Severity) -> Severity {
        let Some(at) = at else { return usual };
        Severity::parse(&at.value).unwrap_or_else(|| {
            let what = format!("{:?} is no severity", at.value);
            self.wrong(field, at, &what, "write critical, error, warning or info");
            usual
        })
    }

    /// Something that goes over the wire and must never be shown.
    pub fn remember(&mut self, secret: Secret) {
        self.secrets.push(secret);
    }

    /// `Authorization: Basic …` (RFC 7617).
    pub fn basic(&mut self, username: &str, password: &Secret) -> HeaderText {
        let coded = Secret::new(BASE64.encode(format!("{username}:{}", password.expose())));
        let value = Secret::new(format!("Basic {}", coded.expose()));
        self.remember(coded);
        HeaderText::Hidden(value)
    }

    /// A scheme and a token: `Bearer …`, `GenieKey …`, `Token token=…`.
    pub fn token(&mut self, scheme: &str, token: &Secret) -> HeaderText {
        HeaderText::Hidden(Secret::new(format!("{scheme}{}", token.expose())))
    }

    /// Compiles a field that has wording of ours.
    pub fn wording(&mut self, field: &str, inline: Option<&At<String>>, escape: Escape) -> Option<Wording> {
        self.wording_in(self.workshop.templates.language(), field, inline, escape)
    }

    /// The same, ours being in that language.
    pub fn wording_in(
        &mut self,
        language: Language,
        field: &str,
        inline: Option<&At<String>>,
        escape: Escape,
    ) -> Option<Wording> {
        let builtin = self.wordings.iter().find(|builtin| builtin.field == field)?;
        let made = self.workshop.templates.wording_in(language, builtin, inline, escape);
        let path = self.path(field);
        self.keep(made.map_err(|problem| Problem { path, ..problem }))
    }

    /// Compiles a field that only the operator can word.
    pub fn template(&mut self, field: &str, at: &At<String>, escape: Escape) -> Option<Template> {
        let made = self.workshop.templates.template(field, at, escape);
        let path = self.path(field);
        self.keep(made.map_err(|problem| Problem { path, ..problem }))
    }

    /// Stars every secret that was gathered.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.secrets)
    }

    /// What [`Target::secrets`] is to give.
    pub fn secrets(&self) -> Vec<Secret> {
        self.secrets.clone()
    }

    /// The target, or all that is wrong.
    pub fn finish<T: Target + 'static>(self, target: Option<T>) -> Built {
        match target {
            Some(target) if self.problems.is_empty() => {
                Ok(Made { target: Box::new(target), warnings: self.warnings })
            }
            _ => Err(self.problems),
        }
    }
}
