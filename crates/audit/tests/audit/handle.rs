//! The handle: what waits and what does not, what is kept of payloads, and what is said of what was lost.

use std::fs;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;
use wicketgate_audit::{
    About, Audit, AuditConfig, Content, Durability, Event, Filter, Form, LinesConfig, LinesTo, Lost, Outcome,
    Reader, Row, SinkConfig, SinkKind, StartError, StoreConfig, Who, generate,
};

use crate::child::{record, store};

fn start(store: StoreConfig) -> Audit {
    Audit::start(AuditConfig { store: Some(store), ..AuditConfig::default() }).unwrap()
}

fn rows(path: &Path, event: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let filter = Filter { event: Some(event.into()), ..Filter::default() };
    let each = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    Reader::open(path).unwrap().newest(&filter, 1_000_000, each).unwrap();
    rows
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn soon<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await.unwrap() })
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    (dir, path)
}

#[test]
fn a_durable_record_is_in_the_file_when_its_ticket_says_so() {
    let (_dir, path) = folder();
    let audit = start(store(&path, Durability::Guaranteed));
    for number in 0..20 {
        soon(audit.record(record(number)).unwrap()).unwrap();
        assert_eq!(rows(&path, "*").len() as u64, number + 1);
    }
    soon(audit.wait(&Event::Admitted, &Who::default()));
    assert_eq!(rows(&path, "admission.admitted").len(), 1);
    audit.close(Duration::from_secs(5));
    assert_eq!(soon(audit.record(record(9)).unwrap()), Err(Lost));
}

#[test]
fn a_store_that_somebody_holds_lets_tickets_wait_and_says_that_it_is_not_ready() {
    let (_dir, path) = folder();
    let audit = start(StoreConfig { queue: 64 << 10, ..store(&path, Durability::Guaranteed) });
    soon(audit.record(record(0)).unwrap()).unwrap();
    fs::rename(&path, path.with_extension("away")).unwrap();
    fs::create_dir(&path).unwrap();
    let tickets: Vec<_> = (1..200).map(|number| audit.record(record(number)).unwrap()).collect();
    eventually("readiness ends", || !audit.is_ready());
    assert!(audit.places()[0].is_failing);
    // Those that nobody waits for are dropped, and do not hold up the others.
    (0..50).for_each(|_| audit.log(&Event::Renewed, &Who::default()));
    assert!(audit.places()[0].dropped >= 50);
    fs::remove_dir(&path).unwrap();
    fs::rename(path.with_extension("away"), &path).unwrap();
    tickets.into_iter().for_each(|ticket| soon(ticket).unwrap());
    assert!(audit.is_ready());
    audit.close(Duration::from_secs(5));
    assert_eq!(rows(&path, "admission.refused").len(), 200);
    assert_eq!(rows(&path, "audit.lost").len(), 1);
    Reader::open(&path).unwrap().verify(&[]).unwrap().unwrap();
}

#[test]
fn with_best_effort_nothing_waits_and_what_was_dropped_is_told() {
    let (_dir, path) = folder();
    let audit = start(StoreConfig { queue: 64 << 10, ..store(&path, Durability::BestEffort) });
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    for number in 0..1_000 {
        assert!(audit.record(record(number)).is_none());
    }
    assert!(started.elapsed() < Duration::from_secs(5) && audit.is_ready());
    let dropped = audit.places()[0].dropped;
    assert!(dropped > 900, "{dropped}");
    holder.execute_batch("ROLLBACK").unwrap();
    eventually("it is written", || audit.places()[0].waiting == 0);
    audit.record(record(1_000));
    audit.close(Duration::from_secs(5));
    let lost: u64 = rows(&path, "audit.lost").iter().filter_map(|row| row.field("count").number()).sum();
    assert_eq!(lost, dropped);
    assert_eq!(rows(&path, "admission.refused").len() as u64, 1_001 - dropped);
}

#[test]
fn a_whole_payload_is_sealed_in_the_store_and_nowhere_else() {
    let (dir, path) = folder();
    let (recipient, identity) = generate().unwrap();
    let lines = dir.path().join("lines");
    let sink = SinkConfig {
        name: "lines".into(),
        queue: 1 << 20,
        kind: SinkKind::Lines(LinesConfig { to: LinesTo::File(lines.clone()), form: Form::Json }),
    };
    let secret = "hunter2-hunter2-hunter2";
    let message = About { direction: "to_upstream", kind: Some("chat"), is_text: true, size: secret.len() };
    let content = Content::Whole(Bytes::from(secret));
    let event = Event::Recorded { message, verdict: Outcome::Forwarded, content };
    for recipient in [Some(recipient), None] {
        let store = StoreConfig { recipient: recipient.clone(), ..store(&path, Durability::Guaranteed) };
        let sinks = vec![sink.clone()];
        let audit =
            Audit::start(AuditConfig { store: Some(store), sinks, ..AuditConfig::default() }).unwrap();
        assert_eq!(audit.keeps_payloads(), recipient.is_some());
        soon(audit.wait(&event, &Who::default()));
        audit.close(Duration::from_secs(5));
    }
    let rows = rows(&path, "message.recorded");
    assert_eq!(rows[0].open(&identity).unwrap().unwrap(), secret.as_bytes());
    assert!(rows[0].open(&generate().unwrap().1).unwrap().is_err());
    assert!(rows[1].open(&identity).is_none(), "no key, no payload");
    assert_eq!(rows[0].field("size").number(), Some(secret.len() as u64));
    // One moved to another record does not open.
    let mut moved = rows[1].clone();
    moved.cells = rows[0].cells.clone();
    moved.cells[3] = wicketgate_audit::Cell::Number(77);
    assert!(moved.open(&identity).unwrap().is_err());
    let written = fs::read(&path).unwrap();
    assert!(!written.windows(7).any(|bytes| bytes == b"hunter2"));
    let text = fs::read_to_string(lines).unwrap();
    assert!(text.lines().filter(|line| line.contains("message.recorded")).count() == 2, "{text}");
    assert!(!text.contains("payload") && !text.contains("hunter2"), "{text}");
    assert!(text.contains("audit.anchored"), "{text}");
}

#[test]
fn what_cannot_be_had_is_told_at_the_start() {
    let (dir, _) = folder();
    let none = dir.path().join("none/audit.db");
    let config = AuditConfig { store: Some(store(&none, Durability::BestEffort)), ..AuditConfig::default() };
    let error = Audit::start(config).unwrap_err();
    assert!(matches!(error, StartError::Store(_)) && error.to_string().contains("none/audit.db"), "{error}");
}

#[test]
fn without_store_and_sinks_nothing_is_kept_and_nothing_waits() {
    let audit = Audit::default();
    assert!(audit.record(record(0)).is_none() && audit.is_ready() && audit.places().is_empty());
    soon(audit.wait(&Event::Admitted, &Who::default()));
    audit.close(Duration::from_secs(1));
}
