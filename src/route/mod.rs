//! Which receiver an alert reaches.
