//! How fast, and when again: now and dice come in, a duration goes out. Nothing here sleeps.

pub mod backoff;
pub mod breaker;
pub mod bucket;
pub mod clock;
pub mod concurrency;
pub mod quota;
