//! libFuzzer on the entry `config_yaml` of `entries.rs`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::feed("config_yaml", bytes));
