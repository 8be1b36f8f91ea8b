//! How a run ended, and folders that must not be opened.

use rusqlite::Connection;

use crate::ground::news;
use crate::open;

#[tokio::test]
async fn a_clean_end_leaves_nothing_in_doubt_and_a_run_cut_short_does() {
    let folder = tempfile::tempdir().unwrap();
    for (cut_short, expected) in [(false, 0), (true, 0), (false, 1)] {
        let (store, closing, found) = open(folder.path()).unwrap();
        assert_eq!(found.perhaps_sent, expected);
        if store.read(|reader| reader.waiting()).await.unwrap().is_empty() {
            store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
        }
        if cut_short {
            store.leave_in_doubt();
        }
        drop(store);
        closing.wait(std::time::Duration::from_secs(30));
    }
}

#[tokio::test]
async fn what_is_read_behind_a_trigger_in_doubt_knows_of_the_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let (store, closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    store.leave_in_doubt();
    drop(store);
    closing.wait(std::time::Duration::from_secs(30));
    let (store, _closing, _) = open(folder.path()).unwrap();
    store.accept(news(2, 5, "pager", "disk", 0, Some(4))).await.unwrap();
    // The schedule holds the trigger already and reads on behind it.
    let read = store.read(|reader| Ok(reader.lane_work(&[(1, 1)], 9))).await.unwrap();
    let work = read[0].1.as_ref().unwrap();
    assert_eq!(work.open.len(), 1);
    assert!(work.state.seen, "the trigger may have arrived, so its resolve is owed");
}

#[tokio::test]
async fn a_second_relay_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path()).unwrap();
    let second = open(folder.path()).err().unwrap();
    assert_eq!(second.to_string(), "the folder is in use by another alert-relay");
}

#[tokio::test]
async fn a_newer_schema_and_damaged_rows_are_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (store, closing, _) = open(folder.path()).unwrap();
    store.accept(news(1, 0, "pager", "disk", 0, None)).await.unwrap();
    let raw = Connection::open(folder.path().join("alert-relay.db")).unwrap();
    // A length of 4 GiB that three bytes cannot hold.
    raw.execute("UPDATE events SET groups = x'01ffffffff010203'", []).unwrap();
    let read = store.read(|reader| Ok(reader.lane_work(&[(1, 0), (2, 0)], 9))).await.unwrap();
    assert_eq!(read[0].1.as_ref().unwrap_err().to_string(), "a stored body is damaged");
    assert!(read[1].1.is_ok(), "the lane beside it can be read");
    drop(store);
    closing.wait(std::time::Duration::from_secs(30));
    raw.execute("INSERT INTO refinery_schema_history VALUES (99, 'later', '', '')", []).unwrap();
    let refused = open(folder.path()).err().unwrap().to_string();
    assert!(refused.contains("schema 99") && refused.contains("newer alert-relay"), "{refused}");
}
