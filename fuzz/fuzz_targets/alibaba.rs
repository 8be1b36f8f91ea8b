//! libFuzzer on the entry `alibaba` of `entries.rs`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::feed("alibaba", bytes));
