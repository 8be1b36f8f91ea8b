//! What a value of Alertmanager's template data is here: <https://prometheus.io/docs/alerting/latest/notifications/>.

/// Sort of a value: it decides what can be taken of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All that a message has.
    Root,
    Alerts,
    Alert,
    /// Labels or annotations.
    Labels,
    Pairs,
    Pair,
    Texts,
    Time,
    /// Text, number or boolean.
    Plain,
    Unknown,
}

/// A value, written as handlebars writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Val {
    /// A path, a literal, or a call without its parentheses. Empty: the context itself.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// It is a call.
    pub call: bool,
}

impl Val {
    /// A path or a literal.
    pub fn plain(text: impl Into<String>, kind: Kind) -> Val {
        Val { text: text.into(), kind, call: false }
    }

    /// A call.
    pub fn call(text: String, kind: Kind) -> Val {
        Val { text, kind, call: true }
    }

    /// A text, as a literal.
    pub fn literal(text: &str) -> Val {
        Val::plain(serde_json::Value::from(text).to_string(), Kind::Plain)
    }

    /// The text of a literal.
    pub fn as_literal(&self) -> Option<String> {
        let is_literal = !self.call && self.text.starts_with('"');
        is_literal.then(|| serde_json::from_str(&self.text).ok()).flatten()
    }

    /// As an argument.
    pub fn argument(&self) -> String {
        match (self.call, self.text.is_empty()) {
            (true, _) => format!("({})", self.text),
            (false, true) => "this".to_owned(),
            (false, false) => self.text.clone(),
        }
    }

    /// As what a block or a pair of braces is about.
    pub fn head(&self) -> String {
        if self.text.is_empty() { "this".to_owned() } else { self.text.clone() }
    }

    /// What is taken of it by name.
    ///
    /// # Errors
    /// There is nothing of this name.
    pub fn member(&self, name: &str) -> Result<Val, String> {
        let at = |path: &str, kind| {
            let dot = if self.text.is_empty() { "" } else { "." };
            Ok(Val::plain(format!("{}{dot}{path}", self.text), kind))
        };
        let not_there = || Err(format!("asks for `.{name}`, which has no counterpart"));
        // `.Labels.SortedPairs.Values` is the same as `.Labels.Values`.
        let pairs = self.text.strip_prefix("sortedPairs ").filter(|_| self.kind == Kind::Pairs);
        if let (Some(of), "Names" | "Values") = (pairs, name) {
            return Ok(Val::call(format!("{} {of}", name.to_lowercase()), Kind::Texts));
        }
        if self.call && self.kind != Kind::Labels {
            return not_there();
        }
        match (self.kind, name) {
            (Kind::Root, "Status") => at("status", Kind::Plain),
            (Kind::Root, "Receiver") => at("receiver", Kind::Plain),
            (Kind::Root, "ExternalURL") => at("externalURL", Kind::Plain),
            (Kind::Root, "GroupKey") => at("groupKey", Kind::Plain),
            (Kind::Root, "TruncatedAlerts") => at("truncatedAlerts", Kind::Plain),
            (Kind::Root, "NotificationReason") => at("notification_reason", Kind::Plain),
            (Kind::Root, "Alerts") => at("alerts", Kind::Alerts),
            (Kind::Root, "GroupLabels") => at("groupLabels", Kind::Labels),
            (Kind::Root, "CommonLabels") => at("commonLabels", Kind::Labels),
            (Kind::Root, "CommonAnnotations") => at("commonAnnotations", Kind::Labels),
            (Kind::Alerts, "Firing" | "Resolved") => match self.text.strip_suffix("alerts") {
                Some(root) => Ok(Val::plain(format!("{root}{}", name.to_lowercase()), Kind::Alerts)),
                None => not_there(),
            },
            (Kind::Alert, "Status") => at("status", Kind::Plain),
            (Kind::Alert, "Labels") => at("labels", Kind::Labels),
            (Kind::Alert, "Annotations") => at("annotations", Kind::Labels),
            (Kind::Alert, "StartsAt") => at("startsAt", Kind::Time),
            (Kind::Alert, "EndsAt") => at("endsAt", Kind::Time),
            (Kind::Alert, "GeneratorURL") => at("generatorURL", Kind::Plain),
            (Kind::Alert, "Fingerprint") => at("fingerprint", Kind::Plain),
            (Kind::Pair, "Name") => at("name", Kind::Plain),
            (Kind::Pair, "Value") => at("value", Kind::Plain),
            (Kind::Time, "UTC") => Ok(self.clone()),
            (Kind::Labels, "SortedPairs") => {
                Ok(Val::call(format!("sortedPairs {}", self.argument()), Kind::Pairs))
            }
            (Kind::Labels, "Names") => Ok(Val::call(format!("names {}", self.argument()), Kind::Texts)),
            (Kind::Labels, "Values") => Ok(Val::call(format!("values {}", self.argument()), Kind::Texts)),
            // A label that is not there is an empty text in Go, and an error in handlebars but for `get`.
            (Kind::Labels, label) => {
                let label = Val::literal(label).text;
                Ok(Val::call(format!("get {} {label}", self.argument()), Kind::Plain))
            }
            _ => not_there(),
        }
    }

    /// What it is made of, where it can be walked through.
    pub fn element(&self) -> Option<Kind> {
        match self.kind {
            Kind::Alerts => Some(Kind::Alert),
            Kind::Pairs => Some(Kind::Pair),
            Kind::Texts | Kind::Labels => Some(Kind::Plain),
            _ => None,
        }
    }
}
