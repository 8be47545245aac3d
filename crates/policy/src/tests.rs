//! Policies as a configuration has them, and what they make of messages.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::json;
use wicketgate_config::Problems;

use super::*;

fn check(text: &str) -> (Option<Policy>, Vec<String>) {
    let raw: RawPolicy = serde_saphyr::from_str(text).unwrap();
    let mut problems = Problems::default();
    let policy = raw.check(&mut problems);
    (policy, problems.iter().map(|problem| format!("{}; {}", problem.what, problem.help)).collect())
}

fn policy(steps: &str) -> Policy {
    let (policy, problems) =
        check(&format!("{{name: test, format: json, kind: type, to_upstream: [{steps}]}}"));
    assert!(problems.is_empty(), "{problems:?}");
    policy.unwrap()
}

fn ann() -> Facts {
    let claims = json!({"sub": "ann", "groups": ["traders"]});
    Facts {
        session: 7,
        route: "orders".into(),
        identity: Some(Identity {
            subject: "ann".into(),
            method: "tokens".into(),
            claims: Arc::new(claims.as_object().unwrap().clone()),
            ..Identity::default()
        }),
        address: "192.0.2.1".parse().ok(),
        headers: vec![("x-team".into(), Some("blue".into())), ("x-none".into(), None)],
        ..Facts::default()
    }
}

/// The verdict's word, and what was found: steps and classes.
fn judge(policy: &Policy, facts: Facts, message: &str) -> (&'static str, String) {
    let mut session = Session::new(Arc::new(facts));
    let message = Message { kind: DataKind::Text, payload: message.as_bytes() };
    let outcome = policy.judge(&mut session, Direction::ToUpstream, message);
    let word = match outcome.verdict {
        Verdict::Forward(_) => "forward",
        Verdict::Rewrite(..) | Verdict::Mark(_) => "rewrite",
        Verdict::Drop => "drop",
        Verdict::Reply(_) => "reply",
        Verdict::Close(_) => "close",
    };
    let found = outcome.findings.iter().map(|finding| format!("{}:{}", finding.step, finding.class));
    (word, found.collect::<Vec<_>>().join(" "))
}

#[test]
fn a_condition_speaks_of_the_message_and_of_who_sends_it() {
    let order = r#"{"type":"order","amount":20,"items":[{"n":1},{"n":5}],"note":"d\u00e9j\u00e0"}"#;
    for (condition, met) in [
        ("message.amount > 10", true),
        ("message.amount > 10 && message.amount < 20", false),
        ("message.items.exists(item, item.n > 4)", true),
        ("message.items.all(item, item.n > 4)", false),
        ("size(message.items) == 2 && message.items[1].n == 5", true),
        ("message.note == 'déjà' && message.note.matches('^d.j.$')", true),
        ("kind == 'order' && type == 'text' && direction == 'to_upstream' && size > 50", true),
        ("identity.subject == 'ann' && 'traders' in claims.groups", true),
        ("in_network(client.address, '192.0.2.0/24') && !client.secure", true),
        ("request.headers['x-team'] == 'blue' && !('x-none' in request.headers)", true),
        ("route == 'orders' && session == 7", true),
        ("has(message.account)", false),
    ] {
        let policy = policy(&format!("{{when: \"{condition}\"}}"));
        let expected = if met { ("close", "rule-1:rule".into()) } else { ("forward", String::new()) };
        assert_eq!(judge(&policy, ann(), order), expected, "{condition}");
    }
}

/// What cannot be evaluated counts as met where that refuses, and as not met where that lets pass.
#[test]
fn a_condition_that_cannot_be_evaluated_lets_nothing_pass() {
    for condition in [
        "message.amount > 10",
        "message.type > 10",
        "claims.level > 3",
        "message.list[5] == 1",
        "request.headers['x-unkept'] == 'a'",
    ] {
        let message = r#"{"type":"order","list":[]}"#;
        let rule = policy(&format!("{{when: \"{condition}\"}}"));
        assert_eq!(judge(&rule, ann(), message), ("close", "rule-1:rule_failed".into()), "{condition}");
        let deny = policy(&format!("{{deny: [{{when: \"{condition}\"}}]}}"));
        assert_eq!(judge(&deny, ann(), message), ("close", "deny-1:denied".into()), "{condition}");
        let allow = policy(&format!("{{allow: [{{when: \"{condition}\"}}]}}"));
        assert_eq!(judge(&allow, ann(), message), ("close", "allow-1:not_allowed".into()), "{condition}");
    }
    let nobody = policy("{when: identity.subject == 'ann'}");
    assert_eq!(judge(&nobody, Facts::default(), "{}").1, "rule-1:rule_failed");
}

/// However much a message makes a condition go through, the evaluation ends.
#[test]
fn a_condition_has_a_budget() {
    let rule = policy("{when: 'message.a.exists(x, message.a.exists(y, x + y == -1))'}");
    let many: Vec<u32> = (0..5_000).collect();
    let message = json!({ "a": many }).to_string();
    let began = std::time::Instant::now();
    assert_eq!(judge(&rule, ann(), &message), ("close", "rule-1:rule_failed".into()));
    assert!(began.elapsed().as_secs() < 10);
}

#[test]
fn steps_are_asked_in_their_order_and_only_about_their_kinds() {
    let policy = policy(
        "{name: seen, mode: observe, deny: [{kinds: [a]}]},
         {name: kept, then: record, deny: [{kinds: [a]}]},
         {name: rooms, kinds: ['room.*'], then: drop, when: message.n == 1},
         {name: last, then: {reply: no}, allow: [{kinds: [a, 'room.*', '7']}]},
         {name: never, deny: [{types: [text]}]}",
    );
    for (message, word, found) in [
        (r#"{"type":"a"}"#, "close", "seen:denied kept:denied never:denied"),
        (r#"{"type":"room.1","n":1}"#, "drop", "rooms:rule"),
        (r#"{"type":"room.1","n":2}"#, "close", "never:denied"),
        (r#"{"type":7}"#, "close", "never:denied"),
        (r#"{"type":"b"}"#, "reply", "last:not_allowed"),
        (r#"{"n":1}"#, "reply", "last:not_allowed"),
    ] {
        assert_eq!(judge(&policy, ann(), message), (word, found.into()), "{message}");
    }
}

#[test]
fn a_policy_that_could_not_do_what_it_says_is_refused() {
    for (policy, part) in [
        ("{name: a, format: json}", "looks at no message"),
        ("{name: a, format: json, kind: 'a..b', to_client: []}", "no path"),
        ("{name: a, format: json, to_client: [{}]}", "the step does nothing"),
        ("{name: a, format: json, to_client: [{allow: [{}], deny: [{}]}]}", "beside"),
        ("{name: a, format: json, to_client: [{allow: []}]}", "the list is empty"),
        ("{name: a, format: json, to_client: [{deny: [{kinds: []}]}]}", "0 kinds"),
        ("{name: a, format: json, to_client: [{deny: [{kinds: ['a*b']}]}]}", "not at its end"),
        ("{name: a, format: json, to_client: [{when: 'message.a >'}]}", "no CEL"),
        ("{name: a, format: json, to_client: [{when: 'mesage.a'}]}", "there is no variable `mesage`"),
        ("{name: a, format: json, to_client: [{when: 'size(message)'}]}", "bool"),
        ("{name: a, format: json, to_client: [{when: 'true', then: {close: 1000}}]}", "1008 or 4000"),
        ("{name: a, format: json, bounds: {depth: 1000}, to_client: []}", "outside its bounds"),
        ("{name: a, format: json, to_client: [{name: x, when: 'true'}, {name: x, when: 'true'}]}", "already"),
        ("{name: a, format: json, to_client: [{name: 'x y', when: 'true'}]}", "no name"),
    ] {
        let (_, problems) = check(policy);
        assert!(problems.iter().any(|problem| problem.contains(part)), "{policy}: {problems:?}");
    }
}

#[test]
fn headers_that_rules_name_are_told() {
    let policy = policy(
        "{when: \"request.headers['x-b'] == 'x'\"}, {allow: [{when: \"'x-a' in request.headers\"}]},
         {deny: [{when: \"request.headers['x-b'] == 'y'\"}]}",
    );
    assert_eq!(policy.headers(), ["x-a", "x-b"]);
}
