//! A store that an older relay wrote is brought up to date when it is opened, from each schema
//! there ever was, with what it owes.

use std::time::Duration;

use alert_relay::domain::delivery::State;
use alert_relay::store::orders::What;
use alert_relay::store::rows;
use refinery::Target;
use rusqlite::Connection;

use crate::ground::{at, news};
use crate::orders::{audit, order};
use crate::{open, settlement};

mod migrations {
    refinery::embed_migrations!("src/store/migrations");
}

/// A lane that owes one delivery, in the columns of the first schema.
const OWED: &str = r#"
    INSERT INTO meta(name, value) VALUES ('clean', 1);
    INSERT INTO lanes(id, target, key, waiting, due, seen, clocks, content, admitted_at, latest, touched_at)
      VALUES (1, 'pager', 'disk', 1, 0, 0, x'', 0, 0, 1, 0);
    INSERT INTO deliveries(id, event, lane, grp, action, state, attempts, accepted_at, reason)
      VALUES (1, 1, 1, 0, 0, 0, 1, 0, '');
    INSERT INTO attempts(delivery, n, at, took, status, outcome, excerpt)
      VALUES (1, 1, 0, 3000, 503, 'retry', 'busy');
"#;

#[tokio::test]
async fn every_schema_that_ever_was_is_brought_up_to_date() {
    let mut versions: Vec<_> = migrations::migrations::runner().get_migrations().clone();
    versions.sort();
    assert!(versions.len() >= 3);
    for version in versions.iter().map(|migration| migration.version()) {
        let folder = tempfile::tempdir().unwrap();
        let mut raw = Connection::open(folder.path().join("alert-relay.db")).unwrap();
        let old = migrations::migrations::runner().set_target(Target::Version(version));
        old.run(&mut raw).unwrap();
        raw.execute_batch(OWED).unwrap();
        let groups = rows::groups_blob(news(7, 0, "pager", "disk", 0, None).groups.iter().map(AsRef::as_ref));
        raw.execute(
            "INSERT INTO events(id, uid, source, received_at, body, groups, notes, first_delivery, deliveries)
             VALUES (1, randomblob(16), 'am', 0, x'', ?1, '[]', 1, 1)",
            [groups.unwrap()],
        )
        .unwrap();
        drop(raw);
        let (store, closing, _) = open(folder.path()).unwrap();
        let waiting = store.read(|reader| reader.waiting()).await.unwrap();
        assert_eq!(
            waiting.iter().map(|backlog| (backlog.target.as_str(), backlog.waiting)).collect::<Vec<_>>(),
            [("pager", 1)]
        );
        let mut second = settlement(1, State::Waiting, true, None);
        second.settled[0].attempt.as_mut().unwrap().n = 2;
        store.settle(second).await.unwrap();
        let tried = store.read(|reader| reader.delivery(1)).await.unwrap().unwrap();
        let tries: Vec<_> = tried.attempts.iter().map(|attempt| attempt.status).collect();
        assert_eq!(tries, [503, 202], "from version {version}");
        store.manage(order(What::Drop(1, String::new()))).await.unwrap().unwrap();
        assert_eq!(audit(&store).await.len(), 1, "from version {version}");
        store.accept(news(1, 0, "pager", "full", 0, None)).await.unwrap();
        assert_eq!(store.read(|reader| reader.recent(at(0), 9)).await.unwrap().len(), 1);
        drop(store);
        closing.wait(Duration::from_secs(9));
    }
}
