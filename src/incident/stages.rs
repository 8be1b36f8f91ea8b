//! The stages of an incident's life, and how long they take. Pure. Percentiles are of the nearest
//! rank: a value that really occurred.

use jiff::Timestamp;

use crate::store::incidents::Figure;

/// Lengths of time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// On average.
    pub mean: f64,
    /// Half of them took no longer.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// All but one of a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// A stage of an incident's figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From when the condition began to when the relay knew.
    Detect,
    /// Until somebody was told.
    Notify,
    /// Until somebody took it.
    Respond,
    /// Until it was over.
    Resolve,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Stage; 4] = [Stage::Detect, Stage::Notify, Stage::Respond, Stage::Resolve];

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Detect => "detect",
            Stage::Notify => "notify",
            Stage::Respond => "respond",
            Stage::Resolve => "resolve",
        }
    }

    /// Seconds that an incident spent in it, if it passed through.
    pub fn of(self, figure: &Figure<'_>) -> Option<f64> {
        let (from, to) = match self {
            Stage::Detect => (figure.started_at, Some(figure.opened_at)),
            Stage::Notify => (Some(figure.opened_at), figure.notified_at),
            Stage::Respond => (figure.notified_at, figure.acknowledged_at),
            Stage::Resolve => (figure.acknowledged_at, figure.resolved_at),
        };
        Some(seconds(from?, to?))
    }
}

/// Seconds from one time to another; 0 where they are in another order.
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// Spreads lengths of time.
pub fn spread(mut lengths: Vec<f64>) -> Spread {
    let count = lengths.len();
    let max = lengths.iter().copied().fold(0.0, f64::max);
    if count == 0 {
        return Spread::default();
    }
    let mean = lengths.iter().sum::<f64>() / count as f64;
    // The smallest value that at least so many percent do not exceed. From the highest down, each is
    // looked for only below the one before: no need to sort what is only cut in four.
    let mut below = count;
    let mut percentile = |percent: usize| {
        let place = (count * percent).div_ceil(100).max(1) - 1;
        let Some(within) = lengths.get_mut(..below).filter(|within| place < within.len()) else { return max };
        let (_, found, _) = within.select_nth_unstable_by(place, f64::total_cmp);
        below = place + 1;
        *found
    };
    let (p99, p90, p50) = (percentile(99), percentile(90), percentile(50));
    Spread { count, mean, p50, p90, p99, max }
}
