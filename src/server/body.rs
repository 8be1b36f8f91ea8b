//! Bodies: takes what is on the wire, gives the whole body decompressed, or why not. Bounded in
//! bytes before and after decompression, in memory over all connections (`budget.rs`), and in time:
//! a sender must keep up a least speed, so that slow ones do not hold what others need.
//!
//! Deliberately not here: what the bytes mean (`source/`), encodings other than gzip.

use std::io::Read;
use std::pin::pin;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_ENCODING, HeaderMap};

use crate::server::answer::ProblemDetails;
use crate::server::budget::{Held, NoRoom, objects, values};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
}

impl Encoding {
    /// Reads `Content-Encoding`.
    ///
    /// # Errors
    /// [`BodyError::Encoding`] for any other, and for encodings stacked on each other.
    pub fn of(headers: &HeaderMap) -> Result<Encoding, BodyError> {
        let mut encoding = Encoding::Identity;
        for value in headers.get_all(CONTENT_ENCODING) {
            for word in value.to_str().map_err(|_| BodyError::Encoding)?.split(',') {
                let word = word.trim();
                let named = if word.is_empty() || word.eq_ignore_ascii_case("identity") {
                    continue;
                } else if word.eq_ignore_ascii_case("gzip") || word.eq_ignore_ascii_case("x-gzip") {
                    Encoding::Gzip
                } else {
                    return Err(BodyError::Encoding);
                };
                if encoding == named {
                    return Err(BodyError::Encoding);
                }
                encoding = named;
            }
        }
        Ok(encoding)
    }
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit that it passed, in bytes.
        limit: usize,
    },
    /// Decompressed it has more bytes than allowed.
    #[error("the body is larger than {limit} bytes once decompressed")]
    TooLargeUnpacked {
        /// The limit that it passed, in bytes.
        limit: usize,
    },
    /// More of something than any honest sender puts into the largest body that is taken.
    #[error("the body holds more than {limit} {what}; send fewer alerts at once")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit that it passed.
        limit: usize,
    },
    /// It did not end in time, or came too slowly.
    #[error("the body did not arrive in time: its sender had {after:?}")]
    TooSlow {
        /// The time that it had, by how much had come.
        after: Duration,
    },
    /// All bodies together take what they may take.
    #[error("{0}; nothing was kept, please send it again")]
    NoRoom(#[from] NoRoom),
    /// The connection or the framing broke.
    #[error("the body broke off or is framed wrongly")]
    Broken,
    /// Packed in a way that is not understood.
    #[error("the body's Content-Encoding is not understood; send it plain or with gzip")]
    Encoding,
    /// Said to be gzip and is not.
    #[error("the body is said to be gzip and cannot be unpacked")]
    Unpackable,
}

impl BodyError {
    /// The status that says it. Slowness is a 503, not a 408: the same bytes may well be read next
    /// time, and Alertmanager gives an alert up at any 4xx.
    pub fn status(self) -> StatusCode {
        match self {
            BodyError::TooLarge { .. } | BodyError::TooLargeUnpacked { .. } | BodyError::TooMany { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            BodyError::TooSlow { .. } | BodyError::NoRoom(_) => StatusCode::SERVICE_UNAVAILABLE,
            BodyError::Broken | BodyError::Unpackable => StatusCode::BAD_REQUEST,
            BodyError::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// One of `metrics::REFUSALS`, when the same bytes may well be read next time.
    pub fn own_trouble(self) -> Option<&'static str> {
        match self {
            BodyError::TooSlow { .. } => Some("slow"),
            BodyError::NoRoom(_) => Some("memory"),
            _ => None,
        }
    }

    /// The answer that says it.
    pub fn problem(self) -> ProblemDetails {
        let problem = ProblemDetails::new(self.status(), self.to_string());
        match self {
            BodyError::TooLarge { limit }
            | BodyError::TooLargeUnpacked { limit }
            | BodyError::TooMany { limit, .. } => problem.with("limit", limit),
            BodyError::TooSlow { .. } | BodyError::NoRoom(_) => problem.retry_after(Duration::from_secs(1)),
            _ => problem,
        }
    }
}

/// What one body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes on the wire and, again, bytes unpacked.
    pub bytes: usize,
    /// Time from its beginning to its end.
    pub time: Duration,
}

/// Time that every body has, however little of it has come.
const GRACE: Duration = Duration::from_secs(5);
/// Bytes a second that a body must come at after that.
const LEAST_SPEED: u32 = 500;
/// Honest bodies have more bytes than this for each alert, JSON object and value that they hold. Three
/// bytes can stand for an alert, too; once understood it takes several hundred times as much.
const BYTES_AN_ALERT: usize = 400;
const BYTES_AN_OBJECT: usize = 128;
const BYTES_A_VALUE: usize = 8;

/// Reads a body to its end. What it takes of the budget is in `held`, to be dropped with the body.
///
/// # Errors
/// [`BodyError`]; after [`BodyError::TooLarge`] some of the rest has been read and thrown away, so
/// that the sender is likely to get to read the answer.
pub async fn read_within<B>(
    body: B,
    encoding: Encoding,
    bounds: Bounds,
    held: &mut Held,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
{
    let packed = collect(body, bounds, held).await?;
    let plain = match encoding {
        Encoding::Identity => packed,
        Encoding::Gzip => unpack(&packed, bounds.bytes, held)?,
    };
    at_most("JSON objects", objects(&plain), bounds.bytes / BYTES_AN_OBJECT)?;
    at_most("JSON values", values(&plain), bounds.bytes / BYTES_A_VALUE)?;
    Ok(plain)
}

/// Refuses what turns out to hold more alerts than the largest honest body.
///
/// # Errors
/// [`BodyError::TooMany`]
pub fn alerts_in_bounds(alerts: usize, bytes_max: usize) -> Result<(), BodyError> {
    at_most("alerts", alerts, bytes_max / BYTES_AN_ALERT)
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), BodyError> {
    // Small limits of a body are not meant to be limits of what it says.
    let limit = limit.max(1000);
    if found > limit { Err(BodyError::TooMany { what, limit }) } else { Ok(()) }
}

/// How much of a too large body is drained, as a multiple of the limit.
const DRAIN_FACTOR: usize = 2;
/// How long a body is drained for which there was no room.
const DRAIN_TIME: Duration = Duration::from_millis(500);

async fn collect<B: Body<Data = Bytes>>(
    body: B,
    bounds: Bounds,
    held: &mut Held,
) -> Result<Bytes, BodyError> {
    let limit = bounds.bytes;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let drain_limit = limit.saturating_mul(DRAIN_FACTOR);
    if announced > drain_limit {
        return Err(BodyError::TooLarge { limit });
    }
    let mut body = pin!(body);
    let mut seen = 0_usize;
    let mut gathered = Gathered::default();
    let mut allowed = bounds.time.min(GRACE);
    let mut timer = pin!(tokio::time::sleep(allowed));
    let began = timer.deadline() - allowed;
    let mut deadline = timer.deadline();
    let mut refused = None;
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            // Moved on only now: most bodies are there before it is ever set.
            () = timer.as_mut() => {
                if timer.deadline() == deadline {
                    return Err(refused.unwrap_or(BodyError::TooSlow { after: allowed }));
                }
                timer.as_mut().reset(deadline);
                continue;
            }
        };
        let Some(frame) = frame else { break };
        let Ok(chunk) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        seen = seen.saturating_add(chunk.len());
        if seen > drain_limit {
            break;
        }
        if refused.is_some() {
            continue;
        }
        let earned = GRACE + Duration::from_secs(seen as u64) / LEAST_SPEED;
        if allowed < bounds.time {
            allowed = bounds.time.min(earned);
            deadline = began + allowed;
        }
        if seen > limit {
            gathered = Gathered::default();
            held.shrink_to(0);
            continue;
        }
        if let Err(no_room) = held.grow(chunk.len()) {
            // A little of the rest is read and thrown away, so that the sender gets to read why.
            refused = Some(BodyError::from(no_room));
            timer.as_mut().set(tokio::time::sleep(DRAIN_TIME));
            deadline = timer.deadline();
            gathered = Gathered::default();
            held.shrink_to(0);
            continue;
        }
        gathered.add(chunk, announced.min(limit));
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    if seen > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(gathered.into_whole())
}

/// The pieces of a body so far. Most bodies come in one, which then is not copied.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    all: Vec<u8>,
}

impl Gathered {
    /// Adds the next piece of a body that is said to have so many bytes.
    fn add(&mut self, piece: Bytes, announced: usize) {
        let Gathered { first, all } = self;
        if first.is_empty() && all.is_empty() {
            *first = piece;
            return;
        }
        if all.is_empty() {
            all.reserve(announced.max(first.len() + piece.len()));
            all.extend_from_slice(first);
            *first = Bytes::new();
        }
        all.extend_from_slice(&piece);
    }

    fn into_whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.into() }
    }
}

/// How much is unpacked at a time.
const STEP: u64 = 64 * 1024;

fn unpack(packed: &[u8], limit: usize, held: &mut Held) -> Result<Bytes, BodyError> {
    let mut plain = Vec::new();
    let mut decoder = MultiGzDecoder::new(packed);
    loop {
        let step = (&mut decoder).take(STEP).read_to_end(&mut plain).map_err(|_| BodyError::Unpackable)?;
        if step == 0 {
            break;
        }
        if plain.len() > limit {
            return Err(BodyError::TooLargeUnpacked { limit });
        }
        held.grow(step)?;
    }
    // What was packed goes with the end of the reading.
    held.shrink_to(plain.len());
    Ok(plain.into())
}

#[cfg(test)]
mod tests;
