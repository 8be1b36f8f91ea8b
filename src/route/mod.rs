//! Which receivers an alert reaches, and when: matchers, the route tree with its index, time
//! intervals, inhibition, and the enrichment that comes before them.
//!
//! Takes label sets and a `now`, gives routes and reasons. Reads no file and no configuration text:
//! the configuration arrives as plain values (`RouteSpec`, `IntervalSpec`, `InhibitRule`), and what a
//! route means for deliveries is decided above.

pub mod enrich;
pub mod explain;
pub mod index;
pub mod inhibit;
pub mod interval;
pub mod matcher;
pub mod matcher_classic;
pub mod matcher_utf8;
pub mod pattern;
pub mod re2;
pub mod reach;
pub mod rota;
pub mod tree;
pub mod written;
