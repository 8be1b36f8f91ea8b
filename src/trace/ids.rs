//! Ids of traces and spans, and who is in the sample. Pure.
//!
//! Sources: W3C Trace Context <https://www.w3.org/TR/trace-context/>; the sample is taken by the last
//! 56 bits of the trace id, as OpenTelemetry's consistent probability sampling does it
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Id of a span; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

impl SpanId {
    /// That of the span which is about this: `intake`, `delivery`, `attempt 3`.
    pub fn of(event: Uuid, about: &str) -> SpanId {
        let mut hash = Sha256::new();
        hash.update(event.as_bytes());
        hash.update(about.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize()[..8]);
        if id == [0; 8] {
            id[7] = 1;
        }
        SpanId(id)
    }

    /// Sixteen digits.
    pub fn hex(self) -> String {
        hex(&self.0)
    }
}

/// Digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a caller says of the trace that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Its trace.
    pub trace: [u8; 16],
    /// Its span.
    pub span: SpanId,
    /// It records the trace.
    pub sampled: bool,
}

/// Reads a `traceparent` header; what is malformed counts as not sent, as the standard wants it.
pub fn caller(header: &str) -> Option<Caller> {
    let mut parts = header.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may add parts; version 00 has none.
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    bytes::<1>(version)?;
    let caller =
        Caller { trace: bytes(trace)?, span: SpanId(bytes(span)?), sampled: bytes::<1>(flags)?[0] & 1 == 1 };
    (caller.trace != [0; 16] && caller.span != SpanId([0; 8])).then_some(caller)
}

/// Digits in lower case, as the standard wants them.
fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The share of events whose traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample(
    /// Ids whose last 56 bits are below this are left out.
    u64,
);

impl Sample {
    /// A share from 0 to 1.
    pub fn of(share: f64) -> Sample {
        const ALL: f64 = (1u64 << 56) as f64;
        Sample(((1.0 - share.clamp(0.0, 1.0)) * ALL) as u64)
    }

    /// Whether the event with this id is in it. The same before and after a restart.
    pub fn holds(self, event: Uuid) -> bool {
        let mut tail = [0; 8];
        tail[1..].copy_from_slice(&event.as_bytes()[9..]);
        u64::from_be_bytes(tail) >= self.0
    }
}

/// An id that is in every sample but an empty one: for the event of a caller who records his trace.
/// Sixteen of its random bits are given up for it.
pub fn wanted(event: Uuid) -> Uuid {
    let mut bytes = *event.as_bytes();
    bytes[9..11].fill(0xff);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Uuid = Uuid::from_u128(0x0198_f3a4_5b6c_7d8e_9f01_2345_6789_abcd);

    #[test]
    fn a_span_has_the_same_id_whenever_it_is_asked_for() {
        assert_eq!(SpanId::of(EVENT, "intake").hex(), "767ffff6309d2b0e");
        assert_eq!(SpanId::of(EVENT, "intake"), SpanId::of(EVENT, "intake"));
        assert_ne!(SpanId::of(EVENT, "intake"), SpanId::of(EVENT, "0"));
    }

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = caller(sent).unwrap();
        assert_eq!(
            (hex(&read.trace), read.span.hex(), read.sampled),
            (sent[3..35].into(), sent[36..52].into(), true)
        );
        assert!(!caller("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00").unwrap().sampled);
        assert!(caller("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some());
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(caller(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_share_of_the_events_is_in_the_sample() {
        let mut dice = fastrand::Rng::with_seed(7);
        let ids: Vec<Uuid> = (0..10_000).map(|_| Uuid::from_u128(dice.u128(..))).collect();
        let share = |sample: Sample| ids.iter().filter(|id| sample.holds(**id)).count();
        assert_eq!(
            (share(Sample::of(0.0)), share(Sample::of(1.0)), share(Sample::of(7.0))),
            (0, 10_000, 10_000)
        );
        assert!((900..1100).contains(&share(Sample::of(0.1))), "{}", share(Sample::of(0.1)));
        assert!(ids.iter().all(|id| Sample::of(0.001).holds(wanted(*id))));
        assert_ne!(wanted(ids[0]), wanted(ids[1]));
    }
}
