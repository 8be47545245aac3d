//! Every target's committed corpus, as it is and varied: what a fuzzer would stumble over first fails in ordinary tests.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use wicketgate_fuzz_targets::{Entry, LEFT_OUT, TARGETS};

/// How long one target's inputs are varied at most, and how often.
const TIME: Duration = Duration::from_secs(1);
const VARIATIONS: u64 = 20_000;
/// The longest input that is made.
const LONGEST: usize = 4096;

#[test]
fn committed_inputs_pass_as_they_are_and_varied() {
    let seed = rand::random();
    let half = TARGETS.len().div_ceil(2);
    thread::scope(|scope| {
        for targets in TARGETS.chunks(half) {
            scope.spawn(move || targets.iter().for_each(|(name, entry)| run(name, *entry, seed)));
        }
    });
}

#[test]
fn each_corpus_has_a_target() {
    let folders = fs::read_dir(corpora()).unwrap();
    let folders: BTreeSet<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let names = TARGETS.iter().map(|(name, _)| *name).chain(LEFT_OUT.iter().copied());
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert_eq!(folders, names);
}

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn run(name: &str, entry: Entry, seed: u64) {
    let files = fs::read_dir(corpora().join(name)).unwrap();
    let mut inputs: Vec<Vec<u8>> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{name} has no corpus");
    for input in &inputs {
        hand(name, entry, input, seed);
    }
    let (mut random, start) = (StdRng::seed_from_u64(seed), Instant::now());
    for _ in 0..VARIATIONS {
        if start.elapsed() > TIME {
            return;
        }
        hand(name, entry, &variation(&inputs, &mut random), seed);
    }
}

fn hand(name: &str, entry: Entry, input: &[u8], seed: u64) {
    if catch_unwind(AssertUnwindSafe(|| entry(input))).is_err() {
        panic!("target {name}, seed {seed}, input {}", input.escape_ascii());
    }
}

/// An input with a few bytes changed, cut, put in twice, or another input's end.
fn variation(inputs: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let any = |random: &mut StdRng| inputs[random.random_range(0..inputs.len())].clone();
    let mut input = any(random);
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=input.len());
        match random.random_range(0..6) {
            0 => input.truncate(at),
            1 => input.insert(at, random.random()),
            2 => {
                let other = any(random);
                input.truncate(at);
                input.extend_from_slice(&other[random.random_range(0..=other.len())..]);
            }
            3 => {
                let end = random.random_range(at..=input.len());
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            kind => {
                if let Some(byte) = input.get_mut(at) {
                    *byte =
                        if kind == 4 { *byte ^ (1 << random.random_range(0..8)) } else { random.random() };
                }
            }
        }
        input.truncate(LONGEST);
    }
    input
}
