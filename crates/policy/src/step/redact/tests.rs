//! `redact`, by what goes on in the place of a message.

#![allow(clippy::unwrap_used)]

use crate::finding::{Action, Enforcement};
use crate::testing::{Judged, judge, problems};
use crate::{Direction, Verdict};

fn redacted(rules: &str, message: &str) -> (Option<String>, Vec<String>) {
    let steps = format!("name: p\nformat: json\nto_upstream:\n  - redact: {rules}\n");
    let Judged { verdict, findings } = judge(&steps, Direction::ToUpstream, message.as_bytes());
    let told = findings.iter().map(|finding| {
        assert_eq!((finding.action, finding.enforcement), (Action::Rewritten, Enforcement::Enforce));
        assert_eq!(finding.excerpt, None);
        format!("{} {}: {}", finding.path, finding.class, finding.detail)
    });
    let told = told.collect();
    match verdict {
        Verdict::Forward(_) => (None, told),
        Verdict::Rewrite(new, _) => (Some(String::from_utf8(new).unwrap()), told),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_at_paths_are_covered() {
    let message = r#"{"user": {"password":"hunter2", "age":41, "ok":true, "x":null}, "list":["é1","b"]}"#;
    for (rules, expected) in [
        (
            "[{paths: ['**.password']}]",
            r#"{"user": {"password":"*******", "age":41, "ok":true, "x":null}, "list":["é1","b"]}"#,
        ),
        (
            "[{paths: [user], with: mask}]",
            r#"{"user": {"password":"*******", "age":"***", "ok":"***", "x":null}, "list":["é1","b"]}"#,
        ),
        (
            "[{paths: [user.password, 'list[0]'], with: remove}]",
            r#"{"user": {"age":41, "ok":true, "x":null}, "list":["b"]}"#,
        ),
        ("[{paths: [user], with: remove}]", r#"{"list":["é1","b"]}"#),
        (
            "[{paths: ['list[*]', user.age], with: {text: '[\"gone\"]'}}]",
            r#"{"user": {"password":"hunter2", "age":"[\"gone\"]", "ok":true, "x":null}, "list":["[\"gone\"]","[\"gone\"]"]}"#,
        ),
    ] {
        assert_eq!(redacted(rules, message).0.unwrap(), expected, "{rules}");
    }
    assert_eq!(redacted("[{paths: [nothing]}]", message), (None, vec![]));
}

#[test]
fn what_looks_like_a_card_is_masked_and_never_told() {
    let message = r#"{"text":"My card: 4111 1111 1111\u00201111, a@b.cd","n":4111111111111111,"f":4111111111111111.0,"i":[41,1e3]}"#;
    let (new, told) = redacted("[{patterns: [card]}, {patterns: email, with: remove}]", message);
    assert_eq!(
        new.unwrap(),
        r#"{"text":"My card: **** **** **** 1111, ","n":"************1111","f":"************1111","i":[41,1e3]}"#
    );
    assert_eq!(told, ["text card: masked", "n card: masked", "f card: masked", "text email: removed"]);
    let (new, _) = redacted("[{patterns: card, paths: [n]}]", message);
    assert!(new.unwrap().contains("My card: 4111"));
    assert_eq!(redacted("[{patterns: [iban, phone, token, key]}]", message), (None, vec![]));
}

#[test]
fn hashes_and_tokens_follow_from_the_key() {
    let key = "key: {value: 0123456789abcdef}";
    let other = "key: {value: 0123456789abcdeg}";
    let message = r#"{"mail":"Ann-7@example.com","pan":"4111-1111-1111-1111"}"#;
    let run = |rule: &str| redacted(rule, message).0.unwrap();
    let hash = run(&format!("[{{patterns: [email, card], with: hash, {key}}}]"));
    assert_eq!(hash, run(&format!("[{{patterns: [email, card], with: hash, {key}}}]")));
    assert_ne!(hash, run(&format!("[{{patterns: [email, card], with: hash, {other}}}]")));
    let value: serde_json::Value = serde_json::from_str(&hash).unwrap();
    assert!(
        value["mail"].as_str().unwrap().bytes().all(|b| b.is_ascii_hexdigit())
            && value["mail"].as_str().unwrap().len() == 32
    );
    let token = run(&format!("[{{patterns: [email, card], with: token, {key}}}]"));
    assert_eq!(token, run(&format!("[{{paths: [mail, pan], with: token, {key}}}]")));
    let value: serde_json::Value = serde_json::from_str(&token).unwrap();
    let shape = |text: &str| {
        text.replace(|c: char| c.is_ascii_digit(), "0")
            .replace(char::is_uppercase, "X")
            .replace(|c: char| c.is_lowercase(), "x")
    };
    assert_eq!(shape(value["mail"].as_str().unwrap()), "Xxx-0@xxxxxxx.xxx");
    assert_eq!(shape(value["pan"].as_str().unwrap()), "0000-0000-0000-0000");
    assert!(value["pan"].as_str().unwrap().starts_with('0') && !token.contains("1111-1111"));
}

#[test]
fn observing_changes_nothing_and_later_steps_see_the_new_message() {
    let redact = "redact: [{patterns: card, with: {text: gone}}]";
    let policy = format!("name: p\nformat: json\nkind: t\nto_upstream:\n  - {{mode: observe, {redact}}}\n");
    let judged = judge(&policy, Direction::ToUpstream, br#"{"t":"4111111111111111"}"#);
    assert!(matches!(judged.verdict, Verdict::Forward(_)));
    assert_eq!(judged.findings[0].action, Action::Recorded);
    let policy = format!(
        "name: p\nformat: json\nkind: t\nto_upstream:\n  - {redact}\n  - deny: [{{kinds: [gone]}}]\n"
    );
    let judged = judge(&policy, Direction::ToUpstream, br#"{"t":"4111111111111111"}"#);
    assert!(matches!(judged.verdict, Verdict::Close(_)));
    assert_eq!(judged.findings.len(), 2);
}

#[test]
fn a_message_that_would_not_be_one_any_more_is_refused() {
    let policy = "name: p\nformat: json\nbounds: {text: 10}\nto_upstream:\n  - redact: [{paths: [a], with: {text: 12345678901}}]\n";
    let judged = judge(policy, Direction::ToUpstream, br#"{"a":"x"}"#);
    assert!(matches!(judged.verdict, Verdict::Close(_)), "{judged:?}");
    assert_eq!(judged.findings.last().unwrap().class, "text_too_long");
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (rules, expected) in [
        ("[]", "`redact` has 0 rules"),
        ("[{with: mask}]", "it is not said what is redacted"),
        ("[{paths: []}]", "0 paths are listed"),
        ("[{paths: ['a..b']}]", "`a..b` is no path"),
        ("[{patterns: []}]", "no pattern is listed"),
        ("[{patterns: card, with: hash}]", "`hash` has no key"),
        ("[{patterns: card, with: hash, key: {value: short}}]", "the key is shorter than 16 characters"),
        ("[{patterns: card, key: {value: 0123456789abcdef}}]", "only `hash` and `token` take a key"),
        ("[{patterns: card, with: {text: ''}}], then: drop", "`then` has nothing to say"),
    ] {
        let told = problems(&format!("name: p\nformat: json\nto_upstream:\n  - {{redact: {rules}}}\n"));
        assert!(told.iter().any(|told| told.contains(expected)), "{rules}: {told:?}");
        assert!(
            told.iter().all(|told| told.starts_with('4') && !told.contains("0123456789abcdef")),
            "{told:?}"
        );
    }
}
