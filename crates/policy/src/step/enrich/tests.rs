//! `enrich`, by what goes on in the place of a message.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::testing::{judge_in, policy, problems};
use crate::{Direction, Facts, Identity, Session, Verdict};

fn session() -> Session {
    let claims = serde_json::json!({"team": "blue", "roles": ["a", "b"]});
    let identity = Some(Identity {
        subject: "ann".into(),
        claims: Arc::new(claims.as_object().unwrap().clone()),
        ..Identity::default()
    });
    let address = Some("192.0.2.1".parse().unwrap());
    let mut session = Session::new(Arc::new(Facts { identity, address, ..Facts::default() }));
    session.at(Duration::ZERO, Duration::from_secs(1_700_000_000));
    session
}

fn run(enrich: &str, message: &str) -> Result<String, String> {
    let policy =
        policy(&format!("name: p\nformat: json\nto_upstream:\n  - {{enrich: {enrich}, then: drop}}\n"));
    let judged = judge_in(&policy, &mut session(), Direction::ToUpstream, message.as_bytes());
    match judged.verdict {
        Verdict::Forward(_) => Ok(message.into()),
        Verdict::Rewrite(new, _) => {
            assert!(judged.findings.is_empty());
            Ok(String::from_utf8(new).unwrap())
        }
        _ => Err(format!("{} {}", judged.findings[0].path, judged.findings[0].class)),
    }
}

#[test]
fn fields_are_set_added_and_removed() {
    let message = r#"{ "user": "eve", "items": [{"n":1.0}, {"n":2}], "meta": {} }"#;
    for (enrich, expected) in [
        (
            "{set: {user: identity.subject}}",
            r#"{ "user": "ann", "items": [{"n":1.0}, {"n":2}], "meta": {} }"#,
        ),
        ("{add: {user: identity.subject}}", message),
        (
            "{set: {by: 'client.address + \"!\"'}}",
            r#"{ "user": "eve", "items": [{"n":1.0}, {"n":2}], "meta": {},"by":"192.0.2.1!" }"#,
        ),
        (
            "{set: {'items[*].at': now}}",
            r#"{ "user": "eve", "items": [{"n":1.0,"at":1700000000}, {"n":2,"at":1700000000}], "meta": {} }"#,
        ),
        (
            "{set: {meta.roles: claims.roles, meta.ok: 'size > 3'}, remove: [user]}",
            r#"{ "items": [{"n":1.0}, {"n":2}], "meta": {"roles":["a","b"],"ok":true} }"#,
        ),
        ("{remove: [nothing]}", message),
    ] {
        assert_eq!(run(enrich, message).as_deref(), Ok(expected), "{enrich}");
    }
    assert_eq!(run("{set: {a.b: '1'}}", message), Err("a.b enrich_nowhere".into()));
    assert_eq!(run("{set: {a: message.nothing}}", message), Err("a enrich_failed".into()));
    assert_eq!(run("{set: {a: '1'}}", "[1]"), Err("a enrich_nowhere".into()));
}

#[test]
fn values_come_out_of_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (yaml, json) = (folder.path().join("prices.yaml"), folder.path().join("names.json"));
    fs::write(&yaml, "book: {price: 12.5}\n").unwrap();
    fs::write(&json, r#"{"book":"A book"}"#).unwrap();
    let enrich = format!(
        "{{set: {{price: 'lookup.prices[message.sku].price', name: 'lookup.names[message.sku]'}}, lookup: {{prices: {}, names: {}}}}}",
        yaml.display(),
        json.display()
    );
    assert_eq!(run(&enrich, r#"{"sku":"book"}"#).unwrap(), r#"{"sku":"book","price":12.5,"name":"A book"}"#);
    assert_eq!(run(&enrich, r#"{"sku":"none"}"#), Err("price enrich_failed".into()));
}

#[test]
fn observing_tells_what_would_change() {
    let policy = policy("name: p\nformat: json\nmode: observe\nto_upstream:\n  - enrich: {set: {a: '1'}}\n");
    let judged = judge_in(&policy, &mut session(), Direction::ToUpstream, b"{}");
    assert!(matches!(judged.verdict, Verdict::Forward(_)));
    assert_eq!(judged.findings[0].class, "enriched");
}

#[test]
fn mistakes_have_a_place_and_a_remedy() {
    for (raw, expected) in [
        ("{}", "nothing is enriched"),
        ("{set: {'a[*]': '1'}}", "`a[*]` ends in no name"),
        ("{set: {$: '1'}}", "`$` ends in no name"),
        ("{set: {'a..b': '1'}}", "`a..b` is no path"),
        ("{set: {a: 'nobody.knows'}}", "nobody"),
        ("{set: {a: '1 +'}}", "1 +"),
        ("{set: {a: '1'}, lookup: {x: /nonexistent.yaml}}", "the table `/nonexistent.yaml` cannot be used"),
    ] {
        let told = problems(&format!("name: p\nformat: json\nto_upstream:\n  - enrich: {raw}\n"));
        assert!(told.iter().any(|told| told.starts_with("4:")), "{raw}: {told:?}");
        assert!(told.iter().any(|told| told.contains(expected)) || expected == "1 +", "{raw}: {told:?}");
    }
}

#[test]
fn what_cannot_be_set_is_refused_and_what_would_go_on_is_warned_of() {
    for format in ["text", "binary", "{custom: {type: text, fields: [{name: a, type: text}]}}"] {
        let told =
            problems(&format!("name: p\nformat: {format}\nto_upstream:\n  - enrich: {{set: {{a: '1'}}}}\n"));
        assert!(told.iter().any(|what| what.starts_with("4:")), "{format}: {told:?}");
    }
    let told = problems("name: p\nformat: json\nto_upstream:\n  - {enrich: {set: {a: '1'}}, then: record}\n");
    assert_eq!(told, ["4:5 a message that cannot be enriched goes on as the client sent it"]);
}
