//! Every kind in a full flow: a webhook in at the real binary, real HTTP out at a fake service that
//! checks what the vendor checks. One module a kind.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fall over")]

mod support;

#[path = "kinds/awx.rs"]
mod awx;
#[path = "kinds/bk_job.rs"]
mod bk_job;
#[path = "kinds/console.rs"]
mod console;
#[path = "kinds/email.rs"]
mod email;
#[path = "kinds/jenkins.rs"]
mod jenkins;
#[path = "kinds/jira.rs"]
mod jira;
#[path = "kinds/job.rs"]
mod job;
#[path = "kinds/opsgenie.rs"]
mod opsgenie;
#[path = "kinds/pagerduty_rest.rs"]
mod pagerduty_rest;
#[path = "kinds/robots.rs"]
mod robots;
#[path = "kinds/rundeck.rs"]
mod rundeck;
#[path = "kinds/servicenow.rs"]
mod servicenow;
#[path = "kinds/slack.rs"]
mod slack;
#[path = "kinds/ticket.rs"]
mod ticket;
#[path = "kinds/twilio.rs"]
mod twilio;
#[path = "kinds/webhook.rs"]
mod webhook;
#[path = "kinds/zendesk.rs"]
mod zendesk;
