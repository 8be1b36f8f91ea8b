//! The stored forms, versioned: how words of the domain become columns and back.
//!
//! Whatever is written here can be read by every later version; a change of form gets a new
//! leading byte or a migration, never a silent reinterpretation.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::domain::alert::{Alert, AlertGroup, Fingerprint, Labels, Status};
use crate::domain::change::{Change, Sort, Suspect};
use crate::domain::delivery::State;
use crate::domain::lane::{AlertClock, Clocks};
use crate::domain::message::Action;
use crate::store::boundary::StoreError;

/// No LZ4 block grows by more than this when it is unpacked: a damaged length is not believed.
const LZ4_GROWTH_MAX: usize = 255;
/// Bodies below this many bytes are kept as they are: of one of a kilobyte packing saved
/// 400 bytes, and was a third of all that the processor did for the store.
const COMPRESS_FROM_BYTES: usize = 2048;
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
const CLOCKS_V1: u8 = 1;
/// Bytes of one clock: fingerprint 8, flags 1, start 8, end 8.
const CLOCK_BYTES: usize = 25;

fn damaged(what: &str) -> StoreError {
    StoreError::Engine(format!("a stored {what} is damaged"))
}

thread_local! {
    /// Kept, because making one for each body costs more than packing the body. Bodies too long for
    /// it are rare and get one of their own.
    static TABLE: RefCell<CompressTable> = RefCell::new(CompressTable::small());
}
/// Longest body for the table that is kept.
const SMALL_BYTES_MAX: usize = u16::MAX as usize - 1;

/// Packs bytes for a blob column.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() < COMPRESS_FROM_BYTES {
        return [&[PLAIN], bytes].concat();
    }
    if bytes.len() > SMALL_BYTES_MAX {
        return [&[LZ4], lz4_flex::compress_prepend_size(bytes).as_slice()].concat();
    }
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let head = 1 + size.len();
    let mut blob = vec![0; head + get_maximum_output_size(bytes.len())];
    blob[0] = LZ4;
    blob[1..head].copy_from_slice(&size);
    let packed = TABLE.with_borrow_mut(|table| compress_into_with_table(bytes, &mut blob[head..], table));
    match packed {
        Ok(length) => blob.truncate(head + length),
        // There is room for the worst case; were there not, the bytes are kept as they are.
        Err(_) => return [&[PLAIN], bytes].concat(),
    }
    blob
}

/// Unpacks what [`pack`] packed.
pub fn unpack(blob: &[u8]) -> Result<Vec<u8>, StoreError> {
    match blob.split_first() {
        Some((&PLAIN, bytes)) => Ok(bytes.to_vec()),
        Some((&LZ4, bytes)) => {
            let (size, block) = lz4_flex::block::uncompressed_size(bytes).map_err(|_| damaged("body"))?;
            if size > block.len().saturating_mul(LZ4_GROWTH_MAX) {
                return Err(damaged("body"));
            }
            lz4_flex::decompress(block, size).map_err(|_| damaged("body"))
        }
        _ => Err(damaged("body")),
    }
}

/// Milliseconds of a time, as all time columns hold them.
pub fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// The time of a column; nonsense becomes the beginning of time rather than an error.
pub fn time(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Number of a state. `state < 2` means open, and the partial index relies on it.
pub fn state_number(state: State) -> i64 {
    match state {
        State::Waiting => 0,
        State::Held => 1,
        State::Delivered => 2,
        State::Superseded => 3,
        State::Dead => 4,
        State::Expired => 5,
    }
}

/// State of a number.
pub fn state(number: i64) -> Result<State, StoreError> {
    State::ALL.into_iter().find(|state| state_number(*state) == number).ok_or_else(|| damaged("state"))
}

/// Number of an action.
pub fn action_number(action: Action) -> i64 {
    match action {
        Action::Trigger => 0,
        Action::Acknowledge => 1,
        Action::Resolve => 2,
    }
}

/// Action of a number.
pub fn action(number: i64) -> Result<Action, StoreError> {
    match number {
        0 => Ok(Action::Trigger),
        1 => Ok(Action::Acknowledge),
        2 => Ok(Action::Resolve),
        _ => Err(damaged("action")),
    }
}

/// Clocks of a lane, 25 bytes each.
pub fn clocks_blob(clocks: &Clocks) -> Vec<u8> {
    let mut blob = Vec::with_capacity(1 + clocks.len() * CLOCK_BYTES);
    blob.push(CLOCKS_V1);
    for (print, clock) in clocks {
        let flags = u8::from(clock.status == Status::Resolved)
            | u8::from(clock.starts.is_some()) << 1
            | u8::from(clock.ends.is_some()) << 2;
        blob.extend_from_slice(&print.0.to_le_bytes());
        blob.push(flags);
        blob.extend_from_slice(&clock.starts.map_or(0, millis).to_le_bytes());
        blob.extend_from_slice(&clock.ends.map_or(0, millis).to_le_bytes());
    }
    blob
}

/// Reads what [`clocks_blob`] wrote.
pub fn clocks(blob: &[u8]) -> Result<Clocks, StoreError> {
    let Some((&CLOCKS_V1, rest)) = blob.split_first() else { return Err(damaged("clock")) };
    let (entries, left_over) = rest.as_chunks::<CLOCK_BYTES>();
    if !left_over.is_empty() {
        return Err(damaged("clock"));
    }
    let number = |entry: &[u8; CLOCK_BYTES], at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&entry[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    Ok(entries
        .iter()
        .map(|entry| {
            let flags = entry[8];
            let clock = AlertClock {
                status: if flags & 1 == 0 { Status::Firing } else { Status::Resolved },
                starts: (flags & 2 != 0).then(|| time(number(entry, 9).cast_signed())),
                ends: (flags & 4 != 0).then(|| time(number(entry, 17).cast_signed())),
            };
            (Fingerprint(number(entry, 0)), clock)
        })
        .collect())
}

/// Which alerts of a group a delivery tells of; `None` is all of them.
pub fn alerts_blob(alerts: &[u32], of: usize) -> Option<Vec<u8>> {
    let all = alerts.len() == of && alerts.iter().enumerate().all(|(at, place)| at == *place as usize);
    (!all).then(|| alerts.iter().flat_map(|place| place.to_le_bytes()).collect())
}

/// Reads what [`alerts_blob`] wrote.
pub fn alerts(blob: &[u8]) -> Vec<u32> {
    blob.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

/// The outside id of the n-th delivery of an event.
pub fn delivery_uid(event: Uuid, n: i64) -> String {
    format!("{}-{n}", event.simple())
}

/// The group as a delivery tells it.
pub fn told(group: &Arc<AlertGroup>, alerts: &[u32]) -> Arc<AlertGroup> {
    if alerts_blob(alerts, group.alerts.len()).is_none() {
        Arc::clone(group)
    } else {
        Arc::new(group.part(alerts))
    }
}

#[derive(Serialize, Deserialize)]
struct GroupRow<'a> {
    source: Cow<'a, str>,
    group_key: Cow<'a, str>,
    receiver: Cow<'a, str>,
    group_labels: Cow<'a, Labels>,
    /// `None`, here and below: all those of the only alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    common_labels: Option<Cow<'a, Labels>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    common_annotations: Option<Cow<'a, Labels>>,
    external_url: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    truncated: u64,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    reason: Cow<'a, str>,
    alerts: Vec<AlertRow<'a>>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    event: Cow<'a, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<SuspectRow>,
}

#[derive(Serialize, Deserialize)]
struct SuspectRow {
    id: String,
    kind: String,
    service: String,
    environment: String,
    title: String,
    who: String,
    link: String,
    at: Timestamp,
    before: u64,
    weight: f64,
}

#[derive(Serialize, Deserialize)]
struct AlertRow<'a> {
    resolved: bool,
    labels: Cow<'a, Labels>,
    annotations: Cow<'a, Labels>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends_at: Option<Timestamp>,
    generator_url: Cow<'a, str>,
    fingerprint: u64,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    extra: Cow<'a, Map<String, Value>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The groups of an event as a blob.
pub fn groups_blob<'a>(groups: impl Iterator<Item = &'a AlertGroup>) -> Result<Vec<u8>, StoreError> {
    let rows: Vec<GroupRow<'_>> = groups.map(group_row).collect();
    // A kilobyte an alert: growing step by step would copy it over and over on the writer's thread.
    let mut json = Vec::with_capacity(rows.iter().map(|row| 1024 * (1 + row.alerts.len())).sum());
    serde_json::to_writer(&mut json, &rows).map_err(|e| StoreError::Engine(e.to_string()))?;
    Ok(pack(&json))
}

/// Reads what [`groups_blob`] wrote.
pub fn groups(blob: &[u8]) -> Result<Vec<AlertGroup>, StoreError> {
    let rows: Vec<GroupRow<'_>> =
        serde_json::from_slice(&unpack(blob)?).map_err(|_| damaged("alert group"))?;
    Ok(rows.into_iter().map(group).collect())
}

fn group_row(group: &AlertGroup) -> GroupRow<'_> {
    let only = if let [only] = group.alerts.as_slice() { Some(only) } else { None };
    let unless = |known: Option<&Labels>, common| (known != Some(common)).then_some(Cow::Borrowed(common));
    GroupRow {
        source: Cow::Borrowed(&group.source),
        group_key: Cow::Borrowed(&group.group_key),
        receiver: Cow::Borrowed(&group.receiver),
        group_labels: Cow::Borrowed(&group.group_labels),
        common_labels: unless(only.map(|only| &only.labels), &group.common_labels),
        common_annotations: unless(only.map(|only| &only.annotations), &group.common_annotations),
        external_url: Cow::Borrowed(&group.external_url),
        truncated: group.truncated,
        reason: Cow::Borrowed(&group.reason),
        alerts: group.alerts.iter().map(alert_row).collect(),
        event: Cow::Borrowed(&group.event),
        changes: group.changes.iter().map(suspect_row).collect(),
    }
}

fn alert_row(alert: &Alert) -> AlertRow<'_> {
    AlertRow {
        resolved: alert.status == Status::Resolved,
        labels: Cow::Borrowed(&alert.labels),
        annotations: Cow::Borrowed(&alert.annotations),
        starts_at: alert.starts_at,
        ends_at: alert.ends_at,
        generator_url: Cow::Borrowed(&alert.generator_url),
        fingerprint: alert.fingerprint.0,
        extra: Cow::Borrowed(&alert.extra),
    }
}

fn group(row: GroupRow<'_>) -> AlertGroup {
    let alerts: Vec<Alert> = row.alerts.into_iter().map(alert).collect();
    let of_only = |labels: fn(&Alert) -> &Labels| alerts.first().map(labels).cloned().unwrap_or_default();
    AlertGroup {
        source: row.source.into_owned(),
        group_key: row.group_key.into_owned(),
        receiver: row.receiver.into_owned(),
        group_labels: row.group_labels.into_owned(),
        common_labels: row.common_labels.map_or_else(|| of_only(|only| &only.labels), Cow::into_owned),
        common_annotations: row
            .common_annotations
            .map_or_else(|| of_only(|only| &only.annotations), Cow::into_owned),
        external_url: row.external_url.into_owned(),
        truncated: row.truncated,
        reason: row.reason.into_owned(),
        alerts,
        event: row.event.into_owned(),
        changes: row.changes.into_iter().map(suspect).collect(),
    }
}

fn suspect_row(suspect: &Suspect) -> SuspectRow {
    let Change { id, sort, service, environment, title, who, link, at } = suspect.change.clone();
    let (before, weight) = (suspect.before.as_secs(), suspect.weight);
    SuspectRow {
        id,
        kind: sort.as_str().to_owned(),
        service,
        environment,
        title,
        who,
        link,
        at,
        before,
        weight,
    }
}

fn suspect(row: SuspectRow) -> Suspect {
    let SuspectRow { id, kind, service, environment, title, who, link, at, before, weight } = row;
    let sort = Sort::parse(&kind).unwrap_or(Sort::Deploy);
    Suspect {
        change: Change { id, sort, service, environment, title, who, link, at },
        before: Duration::from_secs(before),
        weight,
    }
}

fn alert(row: AlertRow<'_>) -> Alert {
    Alert {
        status: if row.resolved { Status::Resolved } else { Status::Firing },
        labels: row.labels.into_owned(),
        annotations: row.annotations.into_owned(),
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        generator_url: row.generator_url.into_owned(),
        fingerprint: Fingerprint(row.fingerprint),
        extra: row.extra.into_owned(),
    }
}
