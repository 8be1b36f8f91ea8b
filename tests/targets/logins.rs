//! How each kind signs itself in, to the letter: the golden cases star it.

use std::path::Path;

use alert_relay::domain::exchange::{HeaderText, Request};
use alert_relay::target::find;
use alert_relay::template::library::Language;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::samples::{build, sample};

/// Kind, settings, and the header that the first call bears. What follows `basic:` is coded in base64.
const LOGINS: [(&str, &str, &str, &str); 22] = [
    (
        "twilio",
        "{ mode: sms, account_sid: AC0123456789abcdef0123456789abcdef, api_key_sid: SK0123456789abcdef0123456789abcdef, api_key_secret: fake-secret-of-the-key, from: '+15550100', to: ['+15550101'] }",
        "Authorization",
        "basic:SK0123456789abcdef0123456789abcdef:fake-secret-of-the-key",
    ),
    (
        "twilio",
        "{ mode: sms, account_sid: AC0123456789abcdef0123456789abcdef, auth_token: 0123456789abcdef0123456789abcdef, from: '+15550100', to: ['+15550101'] }",
        "Authorization",
        "basic:AC0123456789abcdef0123456789abcdef:0123456789abcdef0123456789abcdef",
    ),
    (
        "servicenow",
        "{ base_url: 'https://example.service-now.com', token: fake-oauth-token }",
        "Authorization",
        "Bearer fake-oauth-token",
    ),
    (
        "servicenow",
        "{ base_url: 'https://example.service-now.com', username: relay, password: 'fake:password' }",
        "Authorization",
        "basic:relay:fake:password",
    ),
    (
        "awx",
        "{ base_url: 'https://awx.example.com', username: relay, password: fake-password, job_template: 42 }",
        "Authorization",
        "basic:relay:fake-password",
    ),
    (
        "awx",
        "{ base_url: 'https://awx.example.com', token: fake-token, job_template: 42 }",
        "Authorization",
        "Bearer fake-token",
    ),
    (
        "ticket",
        "{ base_url: 'https://tickets.example.com/api', api_key: fake-key, api_key_header: X-Api-Key }",
        "X-Api-Key",
        "fake-key",
    ),
    (
        "ticket",
        "{ base_url: 'https://tickets.example.com/api', api_key: fake-key }",
        "Authorization",
        "Bearer fake-key",
    ),
    ("opsgenie", "{ api_key: fake-key }", "Authorization", "GenieKey fake-key"),
    (
        "opsgenie",
        "{ jsm: { cloud_id: 11111111-2222-3333-4444-555555555555, email: bot@example.com, api_token: fake-token } }",
        "Authorization",
        "basic:bot@example.com:fake-token",
    ),
    (
        "bk_job",
        "{ base_url: 'https://bkapi.example.com/api/bk-job/prod', bk_app_code: relay, bk_app_secret: fake-secret, access_token: fake-token, bk_scope_id: 2, job_plan_id: 1 }",
        "X-Bkapi-Authorization",
        r#"{"access_token":"fake-token","bk_app_code":"relay","bk_app_secret":"fake-secret"}"#,
    ),
    (
        "bk_job",
        "{ base_url: 'https://bkapi.example.com/api/bk-job/prod', bk_app_code: relay, bk_app_secret: fake-secret, bk_username: 运维, bk_scope_id: 2, job_plan_id: 1 }",
        "X-Bkapi-Authorization",
        r#"{"bk_app_code":"relay","bk_app_secret":"fake-secret","bk_username":"\u8fd0\u7ef4"}"#,
    ),
    (
        "jira",
        "{ base_url: 'https://example.atlassian.net', email: bot@example.com, api_token: fake-token, project: OPS, issue_type: Task }",
        "Authorization",
        "basic:bot@example.com:fake-token",
    ),
    (
        "jira",
        "{ base_url: 'https://jira.example.com', token: fake-token, project: OPS, issue_type: Task }",
        "Authorization",
        "Bearer fake-token",
    ),
    (
        "zendesk",
        "{ base_url: 'https://example.zendesk.com', email: bot@example.com, api_token: fake-token }",
        "Authorization",
        "basic:bot@example.com/token:fake-token",
    ),
    (
        "jenkins",
        "{ base_url: 'https://jenkins.example.com', username: relay, api_token: fake-token, job: restart }",
        "Authorization",
        "basic:relay:fake-token",
    ),
    (
        "rundeck",
        "{ base_url: 'https://rundeck.example.com', token: fake-token, job: 3166e079-5374-450f-a594-a992478f15a9 }",
        "X-Rundeck-Auth-Token",
        "fake-token",
    ),
    (
        "job",
        "{ base_url: 'https://jobs.example.com/api', api_key: fake-key, script: restart }",
        "Authorization",
        "Bearer fake-key",
    ),
    (
        "pagerduty_rest",
        "{ api_key: fake-key, from: relay@example.com, service_id: PSERV01 }",
        "Authorization",
        "Token token=fake-key",
    ),
    ("slack", "{ bot_token: xoxb-fake-token, channel: '#ops' }", "Authorization", "Bearer xoxb-fake-token"),
    (
        "webhook",
        "{ url: 'https://example.com/in', bearer: fake-token }",
        "Authorization",
        "Bearer fake-token",
    ),
    (
        "webhook",
        "{ url: 'https://example.com/in', basic: { username: relay, password: fake-password } }",
        "Authorization",
        "basic:relay:fake-password",
    ),
];

#[test]
fn every_kind_signs_itself_in_as_its_service_asks() {
    let sample = sample(Path::new("tests/targets/ticket/trigger/message.json"));
    for (kind, settings, name, expected) in LOGINS {
        let made = build(find(kind).expect("a kind"), settings, Language::En);
        let target = made.unwrap_or_else(|problems| panic!("{kind} {settings}: {problems:?}")).target;
        let worded = target.request(&sample.message, &sample.view()).expect("sayable");
        let Request::Http(request) = worded.request else { panic!("{kind} makes no call") };
        let found: Vec<&HeaderText> =
            request.headers.iter().filter(|(have, _)| have == name).map(|(_, text)| text).collect();
        let [HeaderText::Hidden(found)] = found[..] else { panic!("{kind}: {name}: {found:?}") };
        let expected = match expected.strip_prefix("basic:") {
            Some(pair) => format!("Basic {}", BASE64.encode(pair)),
            None => expected.to_owned(),
        };
        assert_eq!(found.expose(), expected, "{kind}");
    }
}
