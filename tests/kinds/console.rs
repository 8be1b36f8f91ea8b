//! Kind `console`: what a first run shows.

use crate::support::kinds::{config, tell};
use crate::support::relay::Relay;

#[tokio::test]
async fn prints_what_it_is_told() {
    let relay = Relay::start(&config("console: {}")).await;
    tell(&relay, "DiskFull", true).await;
    for _ in 0..1000 {
        if relay.log().contains("磁盘 92% full on db-1") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{}", relay.log());
}
