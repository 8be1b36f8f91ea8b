//! The senders that the relay understands, one file each.
//!
//! A source is one pure function: bytes and headers in, alert groups or a readable refusal out.
//! No clock, no socket: the time of arrival comes in with the bytes.

pub mod contract;
