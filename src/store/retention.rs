//! Until when what is over is kept.

use jiff::Timestamp;

/// Until when things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Events (with their finished deliveries and attempts) received before this may go.
    pub events_before: Timestamp,
    /// Closed lanes untouched since this may go.
    pub lanes_before: Timestamp,
    /// What people ordered before this may go.
    pub audit_before: Timestamp,
    /// Bytes that all rows may take: beyond it the oldest that is over goes, whatever its age.
    pub used_max: u64,
    /// What the store holds and does not use goes back to the disk.
    pub give_back: bool,
    /// Rows (events, their deliveries, lanes) per step, so that no step holds up intake.
    pub rows_max: u32,
}
