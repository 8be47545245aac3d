//! Killed at any moment, the store holds, and has every record that was acknowledged.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use wicketgate_audit::{Filter, Reader, Verified};

use crate::child::Task;

/// The numbers of the records in a store that holds.
pub(crate) fn kept(path: &Path) -> (Verified, BTreeSet<u64>) {
    let reader = Reader::open(path).unwrap();
    let verified = reader.verify(&[]).unwrap().unwrap_or_else(|broken| panic!("broken at {broken}"));
    let mut numbers = BTreeSet::new();
    reader
        .from(0, &Filter::default(), |row| {
            numbers.extend(row.field("session").number());
            ControlFlow::Continue(())
        })
        .unwrap();
    (verified, numbers)
}

/// How many times: in a test of everything as often as the project has promised.
fn runs() -> u64 {
    if std::env::var_os("WICKETGATE_TEST_ALL").is_some() { 50 } else { 4 }
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_missing() {
    let mut all = 0;
    for run in 0..runs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        // Killed twice, so that a store that was killed goes on as well.
        for _ in 0..2 {
            let task = Task { store: &path, records: 1 << 40, keep: None, limit: None };
            let mut running = task.start();
            let mut acknowledged = Vec::new();
            assert!(running.until("ack", &mut acknowledged));
            sleep(Duration::from_micros(rand::random_range(0..200_000)));
            running.process.kill().unwrap();
            running.process.wait().unwrap();
            running.until("nothing", &mut acknowledged);
            let (verified, kept) = kept(&path);
            let missing: Vec<_> = acknowledged.iter().filter(|number| !kept.contains(number)).collect();
            assert!(missing.is_empty(), "run {run}: {missing:?} of {} are missing", acknowledged.len());
            assert!(verified.rows >= acknowledged.len() as u64, "run {run}");
            all += acknowledged.len();
        }
    }
    eprintln!("{all} records acknowledged");
}

#[test]
fn killed_while_rows_are_pruned_the_store_holds() {
    for run in 0..runs().div_ceil(2) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.db");
        let task = Task { store: &path, records: 1 << 40, keep: Some(1 << 20), limit: None };
        let mut running = task.start();
        let mut acknowledged = Vec::new();
        while acknowledged.len() < 2_500 {
            assert!(running.until("ack", &mut acknowledged));
        }
        sleep(Duration::from_micros(rand::random_range(0..100_000)));
        running.process.kill().unwrap();
        running.process.wait().unwrap();
        running.until("nothing", &mut acknowledged);
        let (verified, kept) = kept(&path);
        assert!(verified.before.sequence > 0, "run {run}: {verified:?}");
        // Of the last ones none is due.
        let missing = acknowledged.iter().rev().take(200).filter(|number| !kept.contains(number)).count();
        assert_eq!(missing, 0, "run {run}");
    }
}
