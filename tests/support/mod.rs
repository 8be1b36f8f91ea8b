//! What the test drivers share: the other side of the wire.

pub mod wire;
