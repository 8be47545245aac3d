//! `limit`, on a clock of the test's own.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use crate::testing::{judge_in, policy, problems};
use crate::{Direction, Facts, Identity, Policy, Session, Verdict};

fn session(number: u64, subject: Option<&str>) -> Session {
    let identity = subject.map(|subject| Identity {
        subject: subject.into(),
        claims: Arc::new(serde_json::Map::from_iter([("team".into(), "blue".into())])),
        ..Identity::default()
    });
    let address = Some("192.0.2.1".parse().unwrap());
    Session::new(Arc::new(Facts { session: number, identity, address, ..Facts::default() }))
}

fn limit(limit: &str) -> Policy {
    policy(&format!("name: p\nformat: json\nto_upstream:\n  - {{limit: {limit}, then: drop}}\n"))
}

fn passes(policy: &Policy, session: &mut Session, message: &str, at: u64) -> bool {
    session.at(Duration::from_millis(at), Duration::ZERO);
    let judged = judge_in(policy, session, Direction::ToUpstream, message.as_bytes());
    match judged.verdict {
        Verdict::Forward(_) => true,
        Verdict::Drop => {
            assert_eq!(judged.findings[0].class, "rate");
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_session_has_its_rate() {
    let policy = limit("{per_second: 2, burst: 3}");
    let (mut one, mut two) = (session(1, None), session(2, None));
    assert_eq!(
        [0, 0, 0, 0, 499, 500, 501].map(|at| passes(&policy, &mut one, "1", at)),
        [true, true, true, false, false, true, false]
    );
    assert!(passes(&policy, &mut two, "1", 501));
    // What is remembered of a session stays when its policy is replaced.
    assert!(!passes(&limit("{per_second: 2, burst: 3}"), &mut one, "1", 502));
}

#[test]
fn sessions_share_what_is_counted_by_another_key() {
    for key in ["identity", "address", "{claim: team}", "{field: room}"] {
        let policy = limit(&format!("{{key: {key}, per_second: 1, burst: 1}}"));
        let (mut one, mut two) = (session(1, Some("ann")), session(2, Some("ann")));
        let message = r#"{"room":"blue"}"#;
        assert!(passes(&policy, &mut one, message, 0), "{key}");
        assert!(!passes(&policy, &mut two, message, 0), "{key}");
        assert!(passes(&policy, &mut two, message, 1000), "{key}");
    }
    let by_subject = limit("{key: identity, per_second: 1, burst: 1}");
    assert!(passes(&by_subject, &mut session(1, Some("ann")), "1", 0));
    assert!(passes(&by_subject, &mut session(2, Some("bob")), "1", 0));
    let by_field = limit("{key: {field: room}, per_second: 1, burst: 1}");
    let mut one = session(1, None);
    assert!(
        passes(&by_field, &mut one, r#"{"room":"blue"}"#, 0)
            && passes(&by_field, &mut one, r#"{"room":"red"}"#, 0)
    );
    assert!(
        passes(&by_field, &mut one, r#"{"no":1}"#, 0) && !passes(&by_field, &mut one, r#"{"room":null}"#, 0)
    );
}

#[test]
fn a_new_configuration_goes_on_counting() {
    let write = || limit("{key: address, per_second: 1, burst: 1}");
    let (old, new, anew) = (write(), write(), write());
    let mut one = session(1, None);
    assert!(passes(&old, &mut one, "1", 0));
    new.follow(&old);
    assert!(!passes(&new, &mut one, "1", 0) && passes(&anew, &mut one, "1", 0));
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (raw, expected) in [
        ("{per_second: 0}", "`per_second` is 0"),
        ("{per_second: 1, burst: 0}", "`burst` is 0"),
        ("{per_second: 1, entries: 100}", "each session has its own count"),
        ("{per_second: 1, key: address, entries: 1}", "`entries` is 1"),
        ("{per_second: 1, key: {field: 'a..b'}}", "`a..b` is no path"),
        ("{}", "per_second"),
        ("{per_second: 1, key: user}", "user"),
    ] {
        let told = problems(&format!("name: p\nformat: json\nto_upstream:\n  - limit: {raw}\n"));
        assert!(told.iter().any(|told| told.contains(expected) && told.starts_with("4:")), "{raw}: {told:?}");
    }
}
