//! Shape of `tracing`: who is told what became of each event, as spans.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::document::node::At;
use crate::domain::secret::Secret;

/// `tracing`
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracingFile {
    /// A collector that speaks OTLP over HTTP. Left out: no spans are made.
    pub otlp: Option<OtlpFile>,
}

/// `tracing.otlp`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpFile {
    /// Its address without `/v1/traces`, as in `http://127.0.0.1:4318`.
    pub endpoint: At<String>,
    /// Headers of each call, for a token.
    #[serde(default)]
    pub headers: BTreeMap<String, At<Secret>>,
    /// The share of events that is recorded, from 0 to 1.
    #[serde(default)]
    pub sample: Option<At<f64>>,
}
