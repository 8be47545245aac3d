//! Expressions: what they may ask, what is found at load, and what is refused.

#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use serde_json::json;

use super::*;
use crate::client::{Asked, Client};
use crate::identity::Identity;

fn identity(claims: serde_json::Value) -> Identity {
    let serde_json::Value::Object(claims) = claims else { unreachable!("claims are an object") };
    Identity {
        method: "site".into(),
        subject: "alice".into(),
        token_id: Some("t-1".into()),
        issued: None,
        expires: None,
        claims: Arc::new(claims),
    }
}

fn parts() -> Parts {
    let request = http::Request::builder().uri("/rooms/blue?token=secret-query&a=1");
    let request =
        request.header("x-team", "blue").header("cookie", "a=secret-cookie").header("cookie", "b=2");
    request
        .header("x-list", "1")
        .header("x-list", "2")
        .header("x-odd", &b"\xff"[..])
        .body(())
        .unwrap()
        .into_parts()
        .0
}

fn facts(expression: &Expression) -> Facts {
    let client = Client { address: Some([10, 1, 2, 3].into()), secure: true, ..Client::default() };
    let asked = Asked { route: "chat", host: "a.example", path: "/rooms/blue" };
    Facts::new(&parts(), &client, asked, Some(expression.needs()), &[])
}

fn claims() -> serde_json::Value {
    json!({
        "team": "blue", "level": 3, "share": 0.5, "admin": false, "none": null, "groups": ["staff", "night"],
        "rooms": [{"name": "blue", "role": "owner"}], "exp": 4_000_000_000_u64, "sub": "alice",
    })
}

fn judge(text: &str) -> Result<(), Refusal> {
    let expression = Expression::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid:?}"));
    expression.judge(&facts(&expression), Some(&identity(claims())))
}

#[test]
fn everything_that_is_known_can_be_asked() {
    for text in [
        "true",
        "identity.subject == 'alice' && identity.method == 'site' && identity.token_id == 't-1'",
        "claims.team == \"blue\"",
        "claims['team'] in ['red', 'blue']",
        "claims.level >= 3 && claims.share < 1.0 && !claims.admin && claims.none == null",
        "claims.exp > 1",
        "'staff' in claims.groups && size(claims.groups) == 2",
        "claims.groups.exists(g, g.startsWith('ni'))",
        "claims.groups.all(g, g in ['staff', 'night'])",
        "claims.rooms.exists(r, r.name == 'blue' && r.role in ['owner', 'guest'])",
        "claims.rooms.filter(r, r.role == 'owner').map(r, r.name) == ['blue']",
        "claims.rooms.exists(r, claims.groups.exists(g, g == 'staff' && r.name == 'blue'))",
        "has(claims.team) && !has(claims.tenant)",
        "client.address == '10.1.2.3' && client.secure",
        "in_network(client.address, '10.0.0.0/8') && !in_network(client.address, '10.2.0.0/16')",
        "request.method == 'GET' && request.host == 'a.example' && request.path == '/rooms/' + claims.team",
        "request.query.contains('a=1')",
        "request.path.matches('^/rooms/[a-z]+$')",
        "request.headers['x-team'] == claims.team && 'x-team' in request.headers && !('x-none' in request.headers)",
        "has(request.headers.cookie) && request.headers.cookie == 'a=secret-cookie; b=2'",
        "request.headers['x-list'] == '1, 2'",
        "request.headers['x-odd'] != ''",
        "route == 'chat'",
        "claims.tenant == 'x' || claims.team == 'blue'",
        "claims.level == 3 ? true : false",
        "timestamp(claims.exp) > timestamp('2026-01-01T00:00:00Z')",
    ] {
        assert!(judge(text).is_ok(), "{text}: {:?}", judge(text));
    }
    for text in
        ["false", "claims.team == 'red'", "claims.admin", "in_network(client.address, '192.0.2.0/24')"]
    {
        assert!(matches!(judge(text), Err(Refusal::Forbidden)), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused_and_gives_no_value_away() {
    for (text, why) in [
        ("claims.tenant == 'x'", "there is no `tenant`"),
        ("!(claims.tenant == 'x')", "there is no `tenant`"),
        ("claims[request.headers.cookie] == 'x'", "there is no such key"),
        ("request.headers['x-none'] == ''", "there is no `x-none`"),
        ("claims.team", "it gives no bool but string"),
        ("claims.level", "it gives no bool but int"),
        ("claims.level + 1 == claims.team + 'x' && claims.level < request.headers.cookie", ""),
        ("claims.level / 0 == 1", "division by zero"),
        ("int(request.headers.cookie) == 1", "`int` failed"),
        ("in_network(request.headers.cookie, '10.0.0.0/8')", "`in_network` failed"),
        ("claims.groups[7] == 'x'", ""),
        ("claims.level * 9223372036854775807 > 0", "a number is too large"),
        ("request.headers.cookie > 1", ""),
        ("request.headers.cookie && true", ""),
    ] {
        let Err(refusal) = judge(text) else { panic!("{text} is allowed") };
        let told = refusal.to_string();
        assert!(!told.contains("secret"), "{text}: {told}");
        match refusal {
            Refusal::Authorization(found) => assert!(found.contains(why), "{text}: {found}"),
            other => assert!(why.is_empty(), "{text}: {other:?}"),
        }
        assert_eq!(judge(text).unwrap_err().status(), 403);
    }
}

#[test]
fn mistakes_are_found_at_load() {
    for (text, expected) in [
        ("claims.team = 'blue'", "no CEL"),
        ("", "no CEL"),
        ("claims.team == ", "no CEL"),
        ("claim.team == 'blue'", "there is no variable `claim`"),
        ("team == 'blue'", "there is no variable `team`"),
        ("identity.subjekt == 'x'", "`identity` has no field `subjekt`"),
        ("client.port == 1", "`client` has no field `port`"),
        ("request.body == ''", "`request` has no field `body`"),
        ("request == request", "`request` is no value by itself"),
        ("client['address'] == 'x'", "`client` is no value by itself"),
        ("request.headers['X-Team'] == 'x'", "has capitals"),
        ("request.headers['x team'] == 'x'", "no name of a header"),
        ("request.headers[claims.team] == 'x'", "written out"),
        ("claims.team in request.headers", "written out"),
        ("request.headers.exists(h, h == 'x')", "by their names alone"),
        ("size(request.headers) > 0", "by their names alone"),
        ("in_network(client.address, '10.0.0.0/33')", "no network"),
        ("in_network(client.address, claims.network)", "written out"),
        ("in_network(client.address)", "takes an address and a network"),
        ("client.address.in_network('10.0.0.0/8')", "takes an address and a network"),
        ("request.path.matches(claims.pattern)", "written out"),
        ("request.path.matches('(')", "written out"),
        ("request.path.matches('(a{1000}){1000}{1000}')", "written out"),
        ("lookup(claims.team)", "there is no function `lookup`"),
        ("claims.groups.sort() == []", "there is no function `sort`"),
        ("optional.none() == 1", "there is no function `none`"),
        ("1", "gives no bool"),
        ("'true'", "gives no bool"),
        ("[true]", "gives no bool"),
        ("claims", "gives no bool"),
        ("size(claims.groups)", "gives no bool"),
        ("claims.level + 1", "gives no bool"),
        ("claims.groups.exists(claims, claims == 'x')", "cannot be another one"),
        ("claims.a.all(a, claims.b.all(b, claims.c.all(c, a == b)))", "more than 2 deep"),
        ("claims.a.all(x, true) && x", "there is no variable `x`"),
    ] {
        let invalid = Expression::parse(text).err().unwrap_or_else(|| panic!("{text} passes"));
        assert!(invalid.what.contains(expected) && !invalid.help.is_empty(), "{text}: {invalid:?}");
    }
    assert!(Expression::parse(&format!("{} true", "true && ".repeat(600))).is_err(), "too long");
    assert!(Expression::parse(&format!("{}true{}", "(".repeat(2000), ")".repeat(2000))).is_err(), "too deep");
    assert!(Expression::parse(&format!("{}true", "!(".repeat(2000))).is_err(), "too deep");
}

#[test]
fn a_session_is_judged_by_what_it_kept() {
    let alice = identity(claims());
    let allows = |expression: &Expression, facts: &Facts| expression.judge(facts, Some(&alice)).is_ok();
    let old = Expression::parse("claims.team == 'blue' && request.headers['x-team'] == 'blue'").unwrap();
    let kept = facts(&old);
    assert!(!format!("{kept:?}").contains("secret"), "no more is kept than was asked for: {kept:?}");
    assert!(allows(&old, &kept));
    for (text, allowed) in [
        ("claims.level == 3 && client.secure && request.path == '/rooms/blue'", true),
        ("request.headers['x-team'] == 'blue'", true),
        ("claims.level == 4", false),
        ("request.headers['x-list'] == '1, 2'", false),
        ("!('x-list' in request.headers)", false),
        ("request.query == ''", false),
        ("request.headers['x-team'] == 'blue' || request.query == ''", false),
    ] {
        assert_eq!(allows(&Expression::parse(text).unwrap(), &kept), allowed, "{text}");
    }
    assert!(old.judge(&kept, Some(&identity(json!({"team": "red"})))).is_err(), "of a renewed credential");
}

#[test]
fn the_unknown_is_refused() {
    let judge = |text: &str| {
        let expression = Expression::parse(text).unwrap();
        let needs = Some(expression.needs());
        expression.judge(&Facts::new(&parts(), &Client::default(), Asked::default(), needs, &[]), None)
    };
    assert!(judge("!in_network(client.address, '10.0.0.0/8')").is_err());
    assert!(judge("!has(client.address)").is_ok());
    assert!(judge("!has(claims.blocked)").is_err(), "nobody is identified");
}

/// Whatever a token holds, an evaluation ends in time: a list too long is refused, not gone through.
#[test]
fn long_claims_take_no_long_time() {
    let many = |count: usize| json!({"a": vec!["x"; count], "b": vec!["y"; count]});
    let once = "claims.a.all(a, a == 'x')";
    let twice = "claims.a.all(a, claims.b.all(b, a != b))";
    for (text, count, allowed) in [
        (once, 1000, true),
        (once, 1100, false),
        (twice, 60, true),
        (twice, 70, false),
        ("'x' in claims.a", 5000, true),
    ] {
        let expression = Expression::parse(text).unwrap();
        let (facts, who) = (facts(&expression), identity(many(count)));
        let start = Instant::now();
        assert_eq!(expression.judge(&facts, Some(&who)).is_ok(), allowed, "{text}, {count}");
        assert!(start.elapsed() < Duration::from_secs(1), "{text}, {count}: {:?}", start.elapsed());
    }
}
