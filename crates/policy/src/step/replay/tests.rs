//! `replay`, on a clock of the test's own.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::seen::{Came, Seen};
use crate::testing::{judge_in, policy, problems};
use crate::{Direction, Facts, Identity, Policy, Session, Verdict};

fn session(subject: &str) -> Session {
    let identity = Some(Identity { subject: subject.into(), ..Identity::default() });
    Session::new(Arc::new(Facts { identity, ..Facts::default() }))
}

fn replay(replay: &str) -> Policy {
    policy(&format!("name: p\nformat: json\nto_upstream:\n  - {{replay: {replay}, then: drop}}\n"))
}

/// The class of the finding; empty where the message passes.
fn run(policy: &Policy, session: &mut Session, message: &str, at: u64) -> &'static str {
    session.at(Duration::from_secs(at), Duration::ZERO);
    let judged = judge_in(policy, session, Direction::ToUpstream, message.as_bytes());
    match judged.verdict {
        Verdict::Forward(_) => "",
        _ => judged.findings[0].class,
    }
}

#[test]
fn a_nonce_comes_once_within_its_window() {
    let policy = replay("{nonce: n, window: 10s, entries: 2}");
    let (mut ann, mut bob) = (session("ann"), session("bob"));
    assert_eq!(run(&policy, &mut ann, r#"{"n":"a"}"#, 0), "");
    assert_eq!(run(&policy, &mut bob, r#"{"n":"\u0061"}"#, 0), "replay");
    assert_eq!(run(&policy, &mut bob, r#"{"n":7}"#, 5), "");
    assert_eq!(run(&policy, &mut bob, r#"{"n":"7"}"#, 9), "replay_full");
    assert_eq!(run(&policy, &mut bob, r#"{"n":"7"}"#, 10), "");
    assert_eq!(run(&policy, &mut bob, r#"{"n":7}"#, 14), "replay");
    for missing in ["{}", r#"{"n":null}"#, r#"{"n":[1]}"#, r#"{"n":1.5}"#] {
        assert_eq!(run(&policy, &mut ann, missing, 30), "nonce_missing");
    }
    let next = replay("{nonce: n, window: 10s, entries: 2}");
    next.follow(&policy);
    assert_eq!(run(&next, &mut ann, r#"{"n":"7"}"#, 14), "replay");
}

#[test]
fn whose_nonces_are_told_apart() {
    for (scope, same, other, again) in [
        ("policy", "replay", "replay", "replay"),
        ("identity", "replay", "", "replay"),
        ("session", "", "", "replay"),
    ] {
        let policy = replay(&format!("{{nonce: n, scope: {scope}}}"));
        let message = r#"{"n":"a"}"#;
        let mut first = session("ann");
        assert_eq!(run(&policy, &mut first, message, 0), "", "{scope}");
        assert_eq!(run(&policy, &mut session("ann"), message, 0), same, "{scope}");
        assert_eq!(run(&policy, &mut session("bob"), message, 0), other, "{scope}");
        assert_eq!(run(&policy, &mut first, message, 0), again, "{scope}");
    }
}

#[test]
fn a_sequence_grows() {
    let policy = replay("{sequence: s}");
    let mut one = session("ann");
    for (message, expected) in [
        (r#"{"s":0}"#, ""),
        (r#"{"s":0}"#, "replay"),
        (r#"{"s":2}"#, ""),
        (r#"{"s":1}"#, "replay"),
        (r#"{"s":"3"}"#, ""),
        (r#"{"s":18446744073709551615}"#, ""),
        (r#"{"s":-1}"#, "sequence_missing"),
        (r#"{"s":""}"#, "sequence_missing"),
        (r#"{"s":5.5}"#, "sequence_missing"),
    ] {
        assert_eq!(run(&policy, &mut one, message, 0), expected, "{message}");
    }
    assert_eq!(run(&policy, &mut session("ann"), r#"{"s":0}"#, 0), "");
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (raw, expected) in [
        ("{}", "it is not said what tells a message"),
        ("{nonce: a, sequence: b}", "`sequence` stands beside `nonce`"),
        ("{nonce: 'a..b'}", "`a..b` is no path"),
        ("{nonce: a, window: 0s}", "`window` is 0s"),
        ("{nonce: a, entries: 0}", "`entries` is 0"),
        ("{sequence: a, window: 1m}", "`window` belongs to `nonce`"),
    ] {
        let told = problems(&format!("name: p\nformat: json\nto_upstream:\n  - replay: {raw}\n"));
        assert!(told.iter().any(|told| told.contains(expected) && told.starts_with("4:")), "{raw}: {told:?}");
    }
}

proptest! {
    /// Nothing passes twice within a window, and what is remembered is bounded.
    #[test]
    fn nothing_comes_twice(steps in prop::collection::vec((0u64..8, 0u64..4), 1..200)) {
        let (mut seen, mut now, mut passed) = (Seen::default(), 0, std::collections::HashMap::new());
        for (key, gap) in steps {
            now += gap;
            let came = seen.take(key, Duration::from_secs(now), Duration::from_secs(10), 5);
            let last: Option<u64> = passed.get(&key).copied();
            match came {
                Came::First => {
                    prop_assert!(last.is_none_or(|last| last + 10 <= now));
                    passed.insert(key, now);
                }
                Came::Again => prop_assert!(last.is_some_and(|last| last + 10 > now)),
                Came::Unknown => prop_assert_eq!(passed.values().filter(|at| **at + 10 > now).count(), 5),
            }
        }
    }
}
