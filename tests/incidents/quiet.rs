//! Quiet times: who sleeps is not woken by an escalation of a level that can wait, and is told when
//! the night is over.

use std::time::Duration;

use crate::Stage;
use crate::support::kinds::tell;

#[tokio::test]
async fn an_escalation_waits_for_the_end_of_a_quiet_time_of_its_level() {
    let quiet = "incidents: { quiet: [{ levels: [P1], time_intervals: [now] }] }\n\
                 time_intervals: [{ name: now, times: [{ start_time: '00:00', end_time: '24:00' }] }]";
    let stage = Stage::set(quiet, "100ms").await;
    tell(&stage.relay, "DiskFull", true).await;
    stage.settled("chat trigger").await;
    // It is looked for what is due each second.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(stage.phone.heard().len(), 0, "everybody sleeps");
    let file = stage.relay.folder().join("relay.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("levels: [P1]", "levels: [P2]")).unwrap();
    assert_eq!(stage.relay.post("/-/reload", "").await.unwrap().0, 200);
    stage.phone.has_heard(1).await;
}
