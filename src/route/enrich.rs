//! Enrichment: labels from the operator's own tables, added before routing.
//!
//! Takes the text or the rows of a table and the alerts of a group, changes labels in place. It reads
//! no file, and never touches a fingerprint: that stays the one the sender knows.

use std::collections::{BTreeMap, HashMap};

use crate::domain::alert::{AlertGroup, Labels, common};

/// One step of enrichment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrichment {
    /// Adds the other columns of the row whose key is the alert's.
    Lookup(Lookup),
    /// Sets the label `severity` to what the value of another label stands for.
    Severity {
        /// The label that is read.
        from: String,
        /// What its values stand for; a value that is not in here changes nothing.
        map: BTreeMap<String, String>,
    },
}

/// A table by the values of one of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    key: String,
    rows: HashMap<String, Labels>,
}

/// A table that cannot be used, and where: a line of a CSV text from 1, or a row of a list from 1.
pub type TableFault = (u64, String);

impl Lookup {
    /// Reads CSV text with a line of column names. Blanks around names and values are cut.
    pub fn from_csv(text: &str, key: &str) -> Result<Lookup, TableFault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let unreadable = |error: csv::Error| (line_of(text, error.position()), csv_fault(&error));
        let columns = reader.headers().map_err(unreadable)?.clone();
        check_columns(&columns, key)?;
        let mut lookup = Lookup { key: key.to_owned(), rows: HashMap::new() };
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            let line = line_of(text, record.position());
            let cells = columns.iter().zip(&record).map(|(name, value)| (name.to_owned(), value.to_owned()));
            lookup.add(line, cells.collect())?;
        }
        Ok(lookup)
    }

    /// Takes rows as a list of maps (YAML, JSON).
    pub fn from_rows(rows: Vec<BTreeMap<String, String>>, key: &str) -> Result<Lookup, TableFault> {
        let mut lookup = Lookup { key: key.to_owned(), rows: HashMap::new() };
        for (number, row) in (1u64..).zip(rows) {
            lookup.add(number, row)?;
        }
        Ok(lookup)
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn add(&mut self, at: u64, mut row: Labels) -> Result<(), TableFault> {
        let key = &self.key;
        let value = row.remove(key).filter(|value| !value.is_empty());
        let Some(value) = value else {
            return Err((at, format!("this row has no {key}; fill it in or take the row away")));
        };
        row.retain(|_, value| !value.is_empty());
        if self.rows.contains_key(&value) {
            return Err((at, format!("{key} {value:?} has a row already; keep one of the two")));
        }
        self.rows.insert(value, row);
        Ok(())
    }

    fn apply(&self, labels: &mut Labels) -> bool {
        let Some(row) = labels.get(&self.key).and_then(|value| self.rows.get(value)) else { return false };
        let mut changed = false;
        for (name, value) in row {
            if labels.get(name).is_none_or(String::is_empty) {
                labels.insert(name.clone(), value.clone());
                changed = true;
            }
        }
        changed
    }
}

/// Takes every alert of a group through the steps, in order; each sees the labels that the ones before
/// it added. A lookup never replaces a label that has a value. The common labels follow.
pub fn apply(steps: &[Enrichment], group: &mut AlertGroup) {
    let mut changed = false;
    for alert in &mut group.alerts {
        for step in steps {
            changed |= match step {
                Enrichment::Lookup(lookup) => lookup.apply(&mut alert.labels),
                Enrichment::Severity { from, map } => set_severity(from, map, &mut alert.labels),
            };
        }
    }
    if changed {
        group.common_labels = common(group.alerts.iter().map(|alert| &alert.labels));
    }
}

fn set_severity(from: &str, map: &BTreeMap<String, String>, labels: &mut Labels) -> bool {
    const SEVERITY: &str = "severity";
    let Some(severity) = labels.get(from).and_then(|value| map.get(value)) else { return false };
    if labels.get(SEVERITY) == Some(severity) {
        return false;
    }
    labels.insert(SEVERITY.to_owned(), severity.clone());
    true
}

fn check_columns(columns: &csv::StringRecord, key: &str) -> Result<(), TableFault> {
    if !columns.iter().any(|name| name == key) {
        let names = columns.iter().collect::<Vec<_>>().join(", ");
        return Err((1, format!("there is no column {key}; the columns are: {names}")));
    }
    for (i, name) in columns.iter().enumerate() {
        if name.is_empty() {
            return Err((1, format!("column {} has no name; name it, it becomes a label", i + 1)));
        }
        if columns.iter().take(i).any(|earlier| earlier == name) {
            return Err((1, format!("the column {name} is there twice; rename one of the two")));
        }
    }
    Ok(())
}

/// Line of a record, from 1; 0 when unknown. The reader counts blank lines before a record as its own.
fn line_of(text: &str, position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let from = usize::try_from(position.byte()).unwrap_or_default();
    let blank = text.bytes().skip(from).take_while(|b| matches!(b, b'\r' | b'\n'));
    position.line() + blank.map(|b| u64::from(b == b'\n')).sum::<u64>()
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let cure = "write as many as the first line has, and put values with commas in double quotes";
            format!("this row has {len} values where {expected_len} belong; {cure}")
        }
        _ => format!("this is not CSV: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Map, Value};

    use super::*;
    use crate::domain::alert::{Alert, Fingerprint, Status};

    const SERVICES: &str = "service, owner, tier\npay, ann, 1\n\"shop, web\", bob,\n";

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn group(sets: &[&[(&str, &str)]]) -> AlertGroup {
        let alert = |pairs: &&[(&str, &str)]| Alert {
            status: Status::Firing,
            labels: labels(pairs),
            annotations: Labels::new(),
            starts_at: Some(Timestamp::UNIX_EPOCH),
            ends_at: None,
            generator_url: String::new(),
            fingerprint: Fingerprint::of(&labels(pairs)),
            extra: Map::new(),
        };
        AlertGroup {
            source: "am".into(),
            group_key: "{}:{}".into(),
            receiver: String::new(),
            group_labels: Labels::new(),
            common_labels: labels(&[("sender", "said so")]),
            common_annotations: Labels::new(),
            external_url: String::new(),
            truncated: 0,
            reason: String::new(),
            alerts: sets.iter().map(alert).collect(),
            event: Value::Null,
            changes: Vec::new(),
        }
    }

    fn services() -> Enrichment {
        Enrichment::Lookup(Lookup::from_csv(SERVICES, "service").unwrap())
    }

    fn severity(from: &str, map: &[(&str, &str)]) -> Enrichment {
        Enrichment::Severity { from: from.into(), map: labels(map) }
    }

    #[test]
    fn a_row_adds_labels_and_replaces_none() {
        let mut group = group(&[
            &[("service", "pay"), ("tier", "")],
            &[("service", "pay"), ("owner", "eve")],
            &[("service", "shop, web")],
            &[("service", "unknown")],
        ]);
        let fingerprints: Vec<_> = group.alerts.iter().map(|alert| alert.fingerprint).collect();
        apply(&[services()], &mut group);
        let after: Vec<_> = group.alerts.iter().map(|alert| alert.labels.clone()).collect();
        assert_eq!(after[0], labels(&[("service", "pay"), ("owner", "ann"), ("tier", "1")]));
        assert_eq!(after[1], labels(&[("service", "pay"), ("owner", "eve"), ("tier", "1")]));
        assert_eq!(after[2], labels(&[("service", "shop, web"), ("owner", "bob")]));
        assert_eq!(after[3], labels(&[("service", "unknown")]));
        assert_eq!(group.alerts.iter().map(|alert| alert.fingerprint).collect::<Vec<_>>(), fingerprints);
    }

    #[test]
    fn common_labels_follow_a_change_and_are_left_alone_without_one() {
        let mut changed = group(&[&[("service", "pay"), ("pod", "1")], &[("service", "pay"), ("pod", "2")]]);
        apply(&[services()], &mut changed);
        assert_eq!(changed.common_labels, labels(&[("service", "pay"), ("owner", "ann"), ("tier", "1")]));
        let mut same = group(&[&[("service", "unknown")]]);
        apply(&[services()], &mut same);
        assert_eq!(same.common_labels, labels(&[("sender", "said so")]));
    }

    #[test]
    fn severity_is_set_from_a_mapped_value_only() {
        let step = [severity("level", &[("P0", "critical"), ("warn", "warning")])];
        let mut group = group(&[
            &[("level", "P0"), ("severity", "none")],
            &[("level", "P9"), ("severity", "x")],
            &[("a", "b")],
        ]);
        apply(&step, &mut group);
        assert_eq!(group.alerts[0].labels["severity"], "critical");
        assert_eq!(group.alerts[1].labels["severity"], "x");
        assert_eq!(group.alerts[2].labels, labels(&[("a", "b")]));
    }

    #[test]
    fn each_step_sees_what_the_ones_before_it_added() {
        let rows = vec![labels(&[("owner", "ann"), ("oncall", "+15550101")])];
        let people = Enrichment::Lookup(Lookup::from_rows(rows, "owner").unwrap());
        let steps = [services(), people, severity("tier", &[("1", "critical")])];
        let mut group = group(&[&[("service", "pay")]]);
        apply(&steps, &mut group);
        assert_eq!(group.alerts[0].labels["oncall"], "+15550101");
        assert_eq!(group.alerts[0].labels["severity"], "critical");
    }

    #[test]
    fn a_bad_table_is_refused_with_its_line() {
        for (text, line, said) in [
            ("", 1, "there is no column service; the columns are: "),
            ("name,owner\n", 1, "there is no column service; the columns are: name, owner"),
            ("service,\npay,x\n", 1, "column 2 has no name; name it, it becomes a label"),
            ("service,a,a\n", 1, "the column a is there twice; rename one of the two"),
            ("service,a\npay,1\n\npay,2\n", 4, "service \"pay\" has a row already; keep one of the two"),
            ("service,a\n,1\n", 2, "this row has no service; fill it in or take the row away"),
            ("service,a\npay,1,2\n", 2, "this row has 3 values where 2 belong; write as many"),
        ] {
            let (at, what) = Lookup::from_csv(text, "service").unwrap_err();
            assert!(what.starts_with(said), "{text:?}: {what}");
            assert_eq!(at, line, "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_name() {
        let lookup = Lookup::from_csv(&format!("\u{feff}{SERVICES}"), "service").unwrap();
        assert_eq!((lookup.len(), lookup.is_empty()), (2, false));
    }
}
