//! A power cut loses what was not synced. No power is cut here: the real relay runs under strace,
//! and its calls of the kernel must show, for every answer that said "accepted", a sync of the
//! store's log that began after the event was written and committed and ended before the answer
//! began. That the disk keeps what it has synced is the disk's promise.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fall over")]
#![expect(clippy::disallowed_macros, reason = "what a run did is worth a line, shown when it fails")]

#[path = "crash/load.rs"]
mod load;
#[path = "power_loss/mod.rs"]
mod power_loss;
mod support;

use std::process::Command;

use load::{Word, webhook};
use power_loss::judge::{Finding, judge, uid};
use power_loss::trace::read;
use support::relay::{self, Relay};
use support::vendor::PagerDuty;

const SENDERS: usize = 16;
const EACH: usize = 15;

/// Fails with a sentence where the machine forbids to trace.
fn tracing_is_possible() {
    const CURE: &str = "this test needs strace: ./test installs it, or, as root: \
                        apt-get install -y --no-install-recommends strace";
    let tried = Command::new("strace").args(["-f", "-qq", "-e", "trace=none", "true"]).output().expect(CURE);
    assert!(
        tried.status.success(),
        "this machine does not let strace trace a process (a container may need --cap-add=SYS_PTRACE): {}",
        String::from_utf8_lossy(&tried.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_says_accepted_before_its_event_is_synced() {
    tracing_is_possible();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let strace = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-y",
        "-s",
        "65536",
        "-o",
        file.to_str().unwrap(),
        "-e",
        "signal=none",
        "-e",
        "trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,sync_file_range",
    ];
    let pd = PagerDuty::start().await;
    let mut relay = Relay::start_under(&strace, &relay::config(&pd, "")).await;
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (http, url) = (relay.http(), relay.url("/hooks/alertmanager"));
            tokio::spawn(async move {
                for number in 0..EACH {
                    let body = webhook(&format!("alert-{sender}-{number}"), Word { round: 1, firing: true });
                    let post = http.post(&url).header("content-type", "application/json").body(body);
                    let answer = post.send().await.unwrap();
                    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    relay.stop().await;
    let trace = std::fs::read_to_string(&file).unwrap();
    let found = judge(&read(&trace));
    let run = format!(
        "{} answers, {} commits, {} syncs, a trace of {} lines",
        found.answers,
        found.commits,
        found.syncs,
        trace.lines().count()
    );
    println!("{run}");
    assert!(
        found.problems.is_empty(),
        "{} broken promises: {:#?}\n{run}",
        found.problems.len(),
        first(&found)
    );
    // A run that met nothing proves nothing.
    assert_eq!(found.answers, SENDERS * EACH, "{run}");
    assert!(found.syncs > 10 && found.commits > 10, "{run}");

    // The same run without its syncs has to be seen through.
    let unsynced: Vec<&str> = trace.lines().filter(|line| !line.contains("sync(")).collect();
    let found = judge(&read(&unsynced.join("\n")));
    assert_eq!(found.problems.len(), SENDERS * EACH, "a relay that does not sync would not be caught");
}

fn first(found: &Finding) -> &[String] {
    &found.problems[..found.problems.len().min(10)]
}

const ID: &str = "01978f3e-0000-7000-8000-000000000001";

/// Lines as strace writes them. `E` is a page with the event, `P` one without.
fn line(word: &str) -> String {
    let wal = "9</store/alert-relay.db-wal>";
    let escaped: String = uid(ID).unwrap().iter().map(|byte| format!("\\{byte:03o}")).collect();
    let header = |size: u8| format!("\"\\0\\0\\0\\7\\0\\0\\0\\{size:o}{}\"", "\\1".repeat(16));
    let answer = format!("\"HTTP/1.1 200 OK\\r\\n\\r\\n{{\\\"accepted\\\":1,\\\"id\\\":\\\"{ID}\\\"}}\"");
    match word {
        "more" => format!("2 pwrite64({wal}, {}, 24, 32) = 24", header(0)),
        "last" => format!("2 pwrite64({wal}, {}, 24, 32) = 24", header(5)),
        "then-last" => format!("2 pwrite64({wal}, {}, 24, 100) = 24", header(5)),
        "E" => format!("2 pwrite64({wal}, \"ab\\\"c\\n{escaped}zz\", 25, 56) = 25"),
        "E-begins" => format!("2 pwrite64({wal}, \"{escaped}\", 16, 56 <unfinished ...>"),
        "E-ends" => "2 <... pwrite64 resumed>) = 16".to_owned(),
        "E-fails" => {
            format!("2 pwrite64({wal}, \"{escaped}\", 16, 56) = -1 ENOSPC (No space left on device)")
        }
        "P" => format!("2 pwrite64({wal}, \"page\", 4, 56) = 4"),
        "then-P" => format!("2 pwrite64({wal}, \"page\", 4, 124) = 4"),
        "sync" => format!("2 fdatasync({wal}) = 0"),
        "sync-begins" => format!("3 fdatasync({wal} <unfinished ...>"),
        "sync-ends" => "3 <... fdatasync resumed>) = 0".to_owned(),
        "sync-fails" => format!("2 fdatasync({wal}) = -1 EIO (Input/output error)"),
        "sync-other" => "2 fdatasync(8</store/alert-relay.db>) = 0".to_owned(),
        "answer" => format!("1 writev(12<socket:[4711]>, [{{iov_base={answer}, iov_len=99}}], 1) = 99"),
        "answer-sent" => format!("1 sendto(12<socket:[4711]>, {answer}, 99, MSG_NOSIGNAL, NULL, 0) = 99"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_judge_passes_what_is_safe_and_catches_what_is_not() {
    let cases = [
        ("last E sync answer", ""),
        ("last E sync answer-sent", ""),
        ("more E then-last then-P sync answer", ""),
        ("last E-begins E-ends sync-begins sync-ends answer", ""),
        ("last E sync last E sync answer", ""),
        ("last E sync answer last E", ""),
        ("last E answer", "never synced"),
        ("last E answer sync", "only"),
        ("last E sync-begins answer sync-ends", "only"),
        ("last sync E answer", "never synced"),
        ("last sync-begins E sync-ends answer", "never synced"),
        ("last E-begins sync E-ends answer", "never synced"),
        ("more E sync then-last then-P answer", "never synced"),
        ("more E sync answer", "never committed"),
        ("last E sync-fails answer", "never synced"),
        ("last E sync-other answer", "never synced"),
        ("last E-fails sync answer", "failed"),
        ("last P sync answer", "never written"),
        ("answer", "never written"),
    ];
    for (words, problem) in cases {
        let lines: Vec<String> = words.split(' ').map(line).collect();
        let found = judge(&read(&lines.join("\n")));
        assert_eq!(found.answers, 1, "{words}: the answer was not seen");
        let right = match problem {
            "" => found.problems.is_empty(),
            problem => found.problems.len() == 1 && found.problems[0].contains(problem),
        };
        assert!(right, "{words}: wanted {problem:?}, found {:?}", found.problems);
    }
}
