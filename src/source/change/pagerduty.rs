//! PagerDuty's change events, so that what posts them there can post them here. The routing key in them
//! is somebody's secret: it is neither read nor kept. Pure.
//!
//! <https://developer.pagerduty.com/docs/send-change-event>

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::change::Change;
use crate::source::change::{first, sort, text, time};

/// Reads the body of `POST /v2/change/enqueue`. The service is what the details name, else the source.
pub(super) fn read(body: &Value, now: Timestamp) -> Result<Change, String> {
    let payload = &body["payload"];
    let details = &payload["custom_details"];
    let title = text(&payload["summary"]);
    if title.is_empty() {
        return Err("`payload.summary` is missing: say what was changed".to_owned());
    }
    let service = first([&details["service"], &details["app"], &payload["source"]]);
    if service.is_empty() {
        return Err(
            "no service is named: add `payload.custom_details.service` or `payload.source`".to_owned()
        );
    }
    let sort = sort(&details["kind"])?;
    let at = time("payload.timestamp", &payload["timestamp"], now)?;
    let id = text(&details["id"]);
    Ok(Change {
        id: if id.is_empty() { format!("pagerduty {service} {at} {title}") } else { id },
        sort,
        title,
        environment: first([&details["environment"], &details["env"]]),
        who: first([&details["who"], &details["user"], &details["author"]]),
        link: text(&body["links"][0]["href"]),
        at,
        service,
    })
}
