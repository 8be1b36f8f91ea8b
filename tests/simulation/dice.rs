//! What the seed decides.

use fastrand::Rng;

/// Dice with the few throws that the simulation needs.
pub struct Dice(Rng);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(Rng::with_seed(seed))
    }

    /// True in so many of a hundred throws.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.0.u32(0..100) < chance
    }

    /// From `low` up to and with `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.i64(low..=high)
    }

    /// A place in a list of this length.
    pub fn place(&mut self, of: usize) -> usize {
        self.0.usize(0..of)
    }
}
