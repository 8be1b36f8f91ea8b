//! From a trace of the kernel's calls to broken promises.

pub mod judge;
pub mod trace;
