//! Exponential back-off with full jitter.
//!
//! Full jitter (a pause drawn evenly between nothing and the exponential bound) makes the least
//! total work when many lanes fail together. `backon` supplies the exponential series; the jitter
//! is ours, because `backon` adds its own on top of the cap.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::domain::delivery::RetryPolicy;

/// Shortest pause: a draw near zero must not become a busy loop.
pub const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Attempts after which the bound has surely reached any sensible cap; keeps the series short.
const GROWTH_STEPS_MAX: u32 = 64;

/// The pause before the next attempt, after `attempts` attempts have failed (1 or more).
/// `dice` is evenly drawn from `0.0..1.0`.
pub fn pause(policy: &RetryPolicy, attempts: u32, dice: f64) -> Duration {
    bound(policy, attempts).mul_f64(dice.clamp(0.0, 1.0)).max(PAUSE_MIN.min(policy.cap))
}

/// The longest pause that [`pause`] can draw for this attempt.
pub fn bound(policy: &RetryPolicy, attempts: u32) -> Duration {
    let steps = attempts.saturating_sub(1).min(GROWTH_STEPS_MAX) as usize;
    ExponentialBuilder::new()
        .with_min_delay(policy.base)
        .with_factor(policy.factor.max(1.0))
        .with_max_delay(policy.cap)
        .without_max_times()
        .build()
        .nth(steps)
        .unwrap_or(policy.cap)
        .min(policy.cap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bound_doubles_up_to_the_cap() {
        let policy = RetryPolicy::default();
        let seconds: Vec<u64> = (1..=8).map(|n| bound(&policy, n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        #[test]
        fn a_pause_lies_between_the_floor_and_the_bound(attempts in 1_u32..5000, dice in 0.0..1.0_f64) {
            let policy = RetryPolicy::default();
            let pause = pause(&policy, attempts, dice);
            prop_assert!(pause >= PAUSE_MIN && pause <= policy.cap);
            prop_assert!(pause <= bound(&policy, attempts));
        }
    }
}
