//! Every kind in a full flow: a webhook in at the real binary, real HTTP out at a fake service that
//! checks what the vendor checks. One module a kind.
#![expect(clippy::unwrap_used, reason = "a test may fall over")]

mod support;

#[path = "kinds/console.rs"]
mod console;
#[path = "kinds/slack.rs"]
mod slack;
#[path = "kinds/webhook.rs"]
mod webhook;
