//! The OpenAPI document of all endpoints: put together of one YAML file for each group of them, in
//! `openapi/`. An endpoint that is added to `paths::ENDPOINTS` is described in one of these (or in a
//! new one, listed in `GROUPS`); a test compares the two.
//!
//! Source: <https://spec.openapis.org/oas/v3.1.0>.

use std::sync::OnceLock;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::server::answer::{Answer, ProblemDetails, with_type};

/// What is said of the interface as a whole, and what its parts share.
const HEAD: &str = include_str!("openapi/head.yaml");
/// The groups: `paths`, and the `schemas` and `parameters` that only they use.
const GROUPS: &[&str] = &[
    include_str!("openapi/intake.yaml"),
    include_str!("openapi/watching.yaml"),
    include_str!("openapi/queue.yaml"),
    include_str!("openapi/candidates.yaml"),
    include_str!("openapi/incidents.yaml"),
];

/// What whoever asks for something of the admin interface may be answered besides.
const OF_ADMIN: [(&str, &str); 3] = [("401", "Unauthorized"), ("403", "Forbidden"), ("503", "Unavailable")];

/// `GET /api/v1/openapi.json`. It tells nothing of this relay, so anybody may read it.
pub(super) fn answer() -> Answer {
    static TEXT: OnceLock<Result<Bytes, String>> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().map(|document| document.to_string().into()));
    match text {
        Ok(text) => with_type(StatusCode::OK, "application/json", text.clone()),
        Err(why) => ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, why.as_str()).into_answer(),
    }
}

/// The document.
///
/// # Errors
/// A file is not YAML: a mistake in the program.
pub fn document() -> Result<Value, String> {
    let read = |text: &str| serde_yaml::from_str::<Value>(text).map_err(|error| error.to_string());
    let mut document = read(HEAD)?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    for group in GROUPS {
        let group = read(group)?;
        add(&mut document["paths"], &group["paths"]);
        add(&mut document["components"]["schemas"], &group["schemas"]);
        add(&mut document["components"]["parameters"], &group["parameters"]);
    }
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut()) {
        let of_admin = operation["security"][0].get("admin").is_some();
        for (status, response) in OF_ADMIN.iter().filter(|_| of_admin) {
            operation["responses"][*status] = json!({ "$ref": format!("#/components/responses/{response}") });
        }
    }
    Ok(document)
}

/// Adds what one map has to another.
fn add(to: &mut Value, more: &Value) {
    if to.is_null() {
        *to = json!({});
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        to[key] = value.clone();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hyper::Method;

    use super::*;
    use crate::server::paths::{Access, ENDPOINTS};

    #[test]
    fn every_endpoint_is_described_and_nothing_else() {
        let document = document().unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            described.extend(methods.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
        }
        let offered: BTreeSet<String> = ENDPOINTS
            .iter()
            .map(|row| format!("{} {}", row.method.as_str().to_lowercase(), row.pattern))
            .collect();
        assert_eq!(described, offered);
    }

    #[test]
    fn what_is_behind_the_admin_door_says_so_and_each_parameter_of_a_path_is_named() {
        let document = document().unwrap();
        let mut ids = BTreeSet::new();
        for row in ENDPOINTS {
            let operation = &document["paths"][row.pattern][row.method.as_str().to_lowercase()];
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{}", row.pattern);
            assert!(operation["summary"].is_string() && operation["tags"].is_array(), "{}", row.pattern);
            let for_admins = matches!(row.access, Access::Admins(_));
            let says = operation["security"] == json!([{ "admin": [] }]);
            assert_eq!(says, for_admins, "{}", row.pattern);
            let of_path = |parameter: &Value| {
                let pointer = parameter["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
                let parameter = pointer.map_or(parameter, |to| document.pointer(to).unwrap());
                (parameter["in"] == "path").then(|| parameter["name"].as_str().unwrap().to_owned())
            };
            let named: BTreeSet<String> =
                operation["parameters"].as_array().into_iter().flatten().filter_map(of_path).collect();
            let pieces =
                row.pattern.split('/').filter_map(|piece| piece.strip_prefix('{')?.strip_suffix('}'));
            assert_eq!(named, pieces.map(str::to_owned).collect(), "{}", row.pattern);
            assert!(row.method != Method::GET || operation.get("requestBody").is_none());
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn walk(document: &Value, value: &Value, seen: &mut usize) {
            if let Some(to) = value["$ref"].as_str() {
                assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                *seen += 1;
            }
            match value {
                Value::Object(map) => map.values().for_each(|inner| walk(document, inner, seen)),
                Value::Array(list) => list.iter().for_each(|inner| walk(document, inner, seen)),
                _ => {}
            }
        }
        let (document, mut seen) = (document().unwrap(), 0);
        walk(&document, &document, &mut seen);
        assert!(seen > 50);
    }
}
