//! What the conservation oracle needs beside load and auditor: a disk to fill, and its judge.

pub mod disk;
pub mod judge;
