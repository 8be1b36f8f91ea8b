//! What a template sees of a message.

/// The data of one message, built once and shared by all fields.
#[derive(Debug)]
pub struct View {}
