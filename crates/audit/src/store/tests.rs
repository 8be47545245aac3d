//! Tests of the store: what is written is read back and verified, every change shows, and bad files are told apart.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::cell::Timestamp;
use crate::verify::{At, Broken, Verified, verify_export};

fn record(serial: u64) -> Record {
    Record {
        timestamp: Timestamp(1_000_000 * serial),
        event: "session.closed",
        process: Some("p".into()),
        serial: Some(serial),
        subject: Some(format!("subject-{}", serial % 3)),
        session: Some(serial % 5),
        client: "192.0.2.1".parse().ok(),
        reason: Some("é\n\"".into()),
        ..Record::default()
    }
}

fn filled(rows: u64) -> (TempDir, std::path::PathBuf, Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let mut store = Store::open(&path).unwrap();
    let records: Vec<Record> = (1..=rows).map(record).collect();
    store.append(&records).unwrap();
    (dir, path, store)
}

fn verify(path: &Path, anchors: &[Anchor]) -> Result<Verified, Broken> {
    Reader::open(path).unwrap().verify(anchors).unwrap()
}

fn rows(path: &Path, filter: &Filter, limit: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let each = |row: crate::row::Row| {
        found.push(row.sequence);
        ControlFlow::Continue(())
    };
    Reader::open(path).unwrap().newest(filter, limit, each).unwrap();
    found
}

fn export(path: &Path) -> String {
    let mut text = String::new();
    let each = |row: crate::row::Row| {
        text.push_str(&format!("{}\n", row.to_json(None)));
        ControlFlow::Continue(())
    };
    Reader::open(path).unwrap().between(None, None, each).unwrap();
    text
}

#[test]
fn what_is_written_is_read_and_verified_while_the_writer_is_there() {
    let (_dir, path, mut store) = filled(10);
    let head = store.append([&record(11)]).unwrap();
    let verified = verify(&path, &[head]).unwrap();
    assert_eq!((verified.rows, verified.head, verified.untold), (11, head, 0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.with_extension("db-wal")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(verify_export(export(&path).as_bytes(), &[head]).unwrap().unwrap().head, head);
    // Another process writes the same file, as in a handover.
    let mut other = Store::open(&path).unwrap();
    other.append([&record(12)]).unwrap();
    store.append([&record(13)]).unwrap();
    assert_eq!(verify(&path, &[]).unwrap().rows, 13);
}

#[test]
fn filters_pick_and_the_newest_come_last() {
    let (_dir, path, _store) = filled(20);
    let pick = |filter| rows(&path, &filter, 100);
    assert_eq!(rows(&path, &Filter::default(), 3), [18, 19, 20]);
    assert_eq!(
        pick(Filter { subject: Some("subject-0".into()), ..Filter::default() }),
        [3, 6, 9, 12, 15, 18]
    );
    assert_eq!(pick(Filter { session: Some(4), ..Filter::default() }), [4, 9, 14, 19]);
    let since = Some(Timestamp(18_000_000));
    assert_eq!(pick(Filter { since, until: Some(Timestamp(19_000_000)), ..Filter::default() }), [18, 19]);
    assert_eq!(pick(Filter { event: Some("session.*".into()), since, ..Filter::default() }), [18, 19, 20]);
    for filter in [
        Filter { event: Some("session".into()), ..Filter::default() },
        Filter { event: Some("' OR 1=1 --".into()), ..Filter::default() },
        Filter { client: Some("192.0.2.2".into()), ..Filter::default() },
        Filter { route: Some("r".into()), ..Filter::default() },
    ] {
        assert!(pick(filter).is_empty());
    }
}

/// Every way to change the file by hand, and the row at which that shows.
#[test]
fn every_change_shows_at_its_row() {
    for (change, row) in [
        ("UPDATE record SET subject = 'eve' WHERE sequence = 4", 4),
        ("UPDATE record SET subject = NULL WHERE sequence = 4", 4),
        ("UPDATE record SET timestamp = timestamp + 1 WHERE sequence = 4", 4),
        ("UPDATE record SET code = 1000 WHERE sequence = 4", 4),
        ("UPDATE record SET rule = '' WHERE sequence = 4", 4),
        ("UPDATE record SET reason = kind, kind = reason WHERE sequence = 4", 4),
        ("UPDATE record SET hash = zeroblob(32) WHERE sequence = 4", 4),
        ("UPDATE record SET previous = zeroblob(32) WHERE sequence = 4", 4),
        ("DELETE FROM record WHERE sequence = 4", 5),
        ("DELETE FROM record WHERE sequence < 4", 4),
        ("UPDATE record SET sequence = 100 WHERE sequence = 4", 5),
        ("UPDATE record SET sequence = -1 WHERE sequence = 10", u64::MAX),
    ] {
        let (_dir, path, store) = filled(10);
        drop(store);
        Connection::open(&path).unwrap().execute(change, []).unwrap();
        let broken = verify(&path, &[]).unwrap_err();
        assert_eq!(broken.at, At::Row(row), "{change}: {broken}");
    }
}

#[test]
fn anchors_show_what_the_chain_alone_cannot() {
    let (_dir, path, store) = filled(10);
    let head = store.head().unwrap();
    drop(store);
    // Rows off the end.
    Connection::open(&path).unwrap().execute("DELETE FROM record WHERE sequence > 7", []).unwrap();
    assert_eq!(verify(&path, &[]).unwrap().rows, 7);
    assert_eq!(verify(&path, &[head]).unwrap_err().at, At::Row(10));
    // All of it written anew.
    let (_dir, path, mut store) = filled(9);
    store.append([&record(99)]).unwrap();
    assert_eq!(verify(&path, &[]).unwrap().rows, 10);
    assert_eq!(verify(&path, &[head]).unwrap_err().at, At::Row(10));
    assert_eq!(verify_export(export(&path).as_bytes(), &[head]).unwrap().unwrap_err().at, At::Row(10));
}

#[test]
fn an_export_that_was_changed_does_not_hold() {
    let (_dir, path, _store) = filled(5);
    let good = export(&path);
    assert_eq!(verify_export(good.as_bytes(), &[]).unwrap().unwrap().rows, 5);
    let part: String = good.lines().skip(2).map(|line| format!("{line}\n")).collect();
    assert_eq!(verify_export(part.as_bytes(), &[]).unwrap().unwrap().before.sequence, 2);
    for (bad, at) in [
        (good.replacen("subject-2", "subject-x", 1), At::Row(2)),
        (good.replace("\"serial\":3,", "\"serial\":3,\"code\":1,"), At::Row(3)),
        (good.replace("\"serial\":3,", "\"serial\":\"3\","), At::Line(3)),
        (good.replace("\"serial\":3,", "\"serial\":3,\"more\":1,"), At::Line(3)),
        (
            good.lines().filter(|line| !line.contains("\"serial\":3,")).map(|l| format!("{l}\n")).collect(),
            At::Row(4),
        ),
        (format!("{good}{{"), At::Line(6)),
        (String::from("\n"), At::Line(1)),
    ] {
        assert_eq!(verify_export(bad.as_bytes(), &[]).unwrap().unwrap_err().at, at, "{bad}");
    }
}

fn account(rows: u64, last: Anchor) -> Record {
    Record { count: Some(rows), anchor: Some(last.to_string()), event: "audit.pruned", ..record(0) }
}

#[test]
fn what_is_too_old_goes_and_the_chain_holds() {
    let (_dir, path, mut store) = filled(10);
    let now = Timestamp::now();
    let fresh = Record { timestamp: now, ..record(11) };
    store.append([&fresh, &fresh]).unwrap();
    let keep = Keep { age: Some(Duration::from_secs(3600)), size: None };
    let pruned = store.prune(&keep, account).unwrap();
    assert_eq!((pruned.rows, pruned.more), (10, false));
    let verified = verify(&path, &[]).unwrap();
    assert_eq!((verified.rows, verified.before.sequence, verified.head.sequence), (3, 10, 13));
    assert_eq!(store.prune(&keep, account).unwrap().rows, 0, "nothing more is due");
    // An anchor of a row that was pruned says nothing, that of the last one pruned still does.
    assert_eq!(verify(&path, &[Anchor { sequence: 3, ..Anchor::default() }]).unwrap().untold, 1);
    assert!(verify(&path, &[Anchor { sequence: 10, ..Anchor::default() }]).is_err());
    assert_eq!(verify(&path, &[verified.before]).unwrap().untold, 0);
    // What goes beyond that shows.
    Connection::open(&path).unwrap().execute("DELETE FROM record WHERE sequence = 11", []).unwrap();
    assert_eq!(verify(&path, &[]).unwrap_err().at, At::Row(12));
}

#[test]
fn a_file_that_is_too_large_is_brought_down_and_stays_there() {
    let (_dir, path, mut store) = filled(1);
    let size = 1 << 20;
    let keep = Keep { age: None, size: Some(size) };
    for _ in 0..20 {
        let batch: Vec<Record> =
            (0..500).map(|n| Record { excerpt: Some("x".repeat(300)), ..record(n) }).collect();
        store.append(&batch).unwrap();
        while store.prune(&keep, account).unwrap().more {}
    }
    let verified = verify(&path, &[]).unwrap();
    assert!(verified.before.sequence > 5_000 && verified.rows > 500, "{verified:?}");
    store.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    assert!(fs::metadata(&path).unwrap().len() <= size * 5 / 4);
}

#[test]
fn a_store_of_an_earlier_version_is_read_as_it_is_and_extended_when_it_is_written() {
    let (_dir, path, store) = filled(3);
    drop(store);
    let earlier = Connection::open(&path).unwrap();
    for field in ["private_session", "agent", "services", "breaks", "trace_id"] {
        earlier.execute_batch(&format!("ALTER TABLE record DROP COLUMN {field}")).unwrap();
    }
    earlier.pragma_update(None, "user_version", 1).unwrap();
    drop(earlier);
    assert_eq!(verify(&path, &[]).unwrap().rows, 3);
    let mut store = Store::open(&path).unwrap();
    store.append(&[Record { breaks: Some(7), ..record(4) }]).unwrap();
    assert_eq!(verify(&path, &[]).unwrap().rows, 4);
    assert!(export(&path).lines().last().unwrap().contains("\"breaks\":7"));
}

#[test]
fn bad_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let faults = |path: &Path| {
        let (write, read) = (Store::open(path).err(), Reader::open(path).err());
        (write.map(|error| error.fault), read.map(|error| error.fault))
    };
    fs::write(
        at("text"),
        "not a database, and long enough to be looked at by whoever reads the head of a file; ".repeat(20),
    )
    .unwrap();
    assert_eq!(faults(&at("text")), (Some(Fault::Foreign), Some(Fault::Foreign)));
    Connection::open(at("other")).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert_eq!(faults(&at("other")), (Some(Fault::Foreign), Some(Fault::Foreign)));
    drop(Store::open(&at("newer")).unwrap());
    Connection::open(at("newer")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_eq!(faults(&at("newer")), (Some(Fault::Newer(99)), Some(Fault::Newer(99))));
    assert_eq!(Reader::open(&at("none")).unwrap_err().fault, Fault::Missing);
    assert_eq!(Store::open(&at("none/none")).unwrap_err().fault, Fault::Missing);
    let (_dir, torn, store) = filled(2_000);
    drop(store);
    let mut bytes = fs::read(&torn).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xaa);
    fs::write(&torn, bytes).unwrap();
    let torn = Reader::open(&torn).and_then(|reader| reader.verify(&[])).unwrap_err();
    assert!(matches!(torn.fault, Fault::Corrupt(_)), "{torn}");
    let (_dir, held, mut store) = filled(1);
    let other = Connection::open(&held).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.connection.busy_timeout(Duration::from_millis(10)).unwrap();
    assert_eq!(store.append([&record(2)]).unwrap_err().fault, Fault::Locked);
    other.execute_batch("ROLLBACK").unwrap();
    store.append([&record(2)]).unwrap();
    fs::remove_file(&held).unwrap();
    let gone = store.append([&record(3)]).unwrap_err();
    assert_eq!(gone.fault, Fault::Missing);
    assert!(gone.to_string().contains(&held.display().to_string()), "{gone}");
}

#[test]
fn a_store_is_read_where_nothing_can_be_written() {
    let (dir, path, store) = filled(3);
    drop(store);
    assert!(!path.with_extension("db-wal").exists(), "closed in order");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(verify(&path, &[]).unwrap().rows, 3);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
}
