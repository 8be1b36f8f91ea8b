//! Which targets are there.
pub mod contract;
