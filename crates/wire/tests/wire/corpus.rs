//! The committed corpus, through the same entry functions that the fuzzer drives.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use wicketgate_wire::fuzz;

fn replay(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut seeds = 0;
    for seed in std::fs::read_dir(&folder).unwrap() {
        let path = seed.unwrap().path();
        entry(&std::fs::read(&path).unwrap());
        seeds += 1;
    }
    assert!(seeds >= 12, "{} has only {seeds} seeds", folder.display());
}

#[test]
fn assembly() {
    replay("assembly", fuzz::assembly);
}

#[test]
fn deflate() {
    replay("deflate", fuzz::deflate);
}

#[test]
fn extensions() {
    replay("extensions", fuzz::extensions);
}

#[test]
fn frames() {
    replay("frames", fuzz::frames);
}

#[test]
fn handshake() {
    replay("handshake", fuzz::handshake);
}
