//! What an operator may write, and what is said to what is wrong.

use serde_json::{Value, json};
use wicketgate_config::Problems;

use crate::upstream::balance::{Balance, HashBy};
use crate::upstream::config::{AllUnhealthy, Protocol, RawUpstream, UpstreamConfig};

/// The configuration, or what is wrong with it.
fn read(value: Value) -> Result<UpstreamConfig, String> {
    let raw: RawUpstream = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let mut problems = Problems::default();
    let config = raw.check(&mut problems);
    let errors: Vec<_> = problems.iter().map(|problem| problem.what.as_str()).collect();
    if problems.has_errors() { Err(errors.join("\n")) } else { Ok(config) }
}

#[test]
fn a_name_and_a_target_are_enough() {
    let config = read(json!({"name": "u", "targets": ["ws://127.0.0.1:9000"]})).unwrap();
    assert_eq!((config.name.as_str(), config.targets.len(), config.targets[0].weight), ("u", 1, 1));
    assert_eq!((config.protocol, &config.balance, config.tries), (Protocol::Http1, &Balance::RoundRobin, 3));
    assert_eq!((config.timeouts.connect.as_secs(), config.limits.open), (5, 65_536));
    assert!(config.health.active.is_none() && config.health.passive.is_some() && config.tls.is_none());
}

#[test]
fn everything_can_be_said() {
    let config = read(json!({
        "name": "u",
        "targets": ["http://a.example:8080", {"url": "unix:/run/app.sock", "weight": 5}],
        "protocol": "h2",
        "balance": {"consistent_hash": {"header": "X-User"}},
        "all_unhealthy": "try_any",
        "tries": 1,
        "health": {
            "active": {
                "kind": "websocket", "path": "/ping", "host": "a.example", "interval": "2s", "timeout": "1s",
                "expect": "200-399", "healthy_after": 1
            },
            "passive": "off"
        },
        "timeouts": {
            "connect": "1s", "handshake": "2s", "response": "3s", "stall": "4s", "ping": "5s", "idle": "6s"
        },
        "limits": {
            "open": 10, "idle": 0, "response_head": "8KiB", "http2_connections": 1, "http2_streams": 7,
            "http2_window": "16KiB"
        },
        "resolve": {"interval": "1m"}
    }));
    let config = config.unwrap();
    assert_eq!((config.targets[1].address.as_str(), config.targets[1].weight), ("unix:/run/app.sock", 5));
    assert_eq!(config.balance, Balance::ConsistentHash(HashBy::Header("x-user".parse().unwrap())));
    assert_eq!(
        (config.protocol, config.all_unhealthy, config.tries),
        (Protocol::Http2, AllUnhealthy::TryAny, 1)
    );
    assert!(config.health.passive.is_none());
    let active = config.health.active.as_ref().unwrap();
    assert_eq!(
        (active.path.as_str(), active.expect.0.clone(), active.unhealthy_after),
        ("/ping", 200..=399, 3)
    );
    let times = &config.timeouts;
    let times = [times.connect, times.handshake, times.response, times.stall, times.ping, times.idle];
    assert_eq!(times.map(|time| time.as_secs()), [1, 2, 3, 4, 5, 6]);
    assert_eq!((config.limits.response_head, config.limits.http2_window), (8192, 16_384));
    assert_eq!(config.resolve_interval.as_secs(), 60);
}

#[test]
fn every_form_of_balance_is_understood() {
    for (text, balance) in [
        (json!("least_connections"), Balance::LeastConnections),
        (json!("power_of_two_choices"), Balance::PowerOfTwoChoices),
        (json!({"consistent_hash": "address"}), Balance::ConsistentHash(HashBy::Address)),
        (json!({"consistent_hash": "path"}), Balance::ConsistentHash(HashBy::Path)),
        (
            json!({"consistent_hash": {"cookie": "sid"}}),
            Balance::ConsistentHash(HashBy::Cookie("sid".into())),
        ),
    ] {
        assert_eq!(read(json!({"targets": ["ws://a"], "balance": text})).unwrap().balance, balance);
    }
}

#[test]
fn what_is_wrong_is_told() {
    let many: Vec<_> = (0..1025).map(|port| format!("ws://a:{}", port + 1)).collect();
    let cases = [
        (json!({"targets": []}), "has 0 targets"),
        (json!({"targets": many}), "has 1025 targets"),
        (json!({"targets": ["ws://a/path"]}), "has a path"),
        (json!({"targets": ["ws://a", "ws://a/"]}), "listed twice"),
        (json!({"targets": [{"url": "ws://a", "weight": 0}]}), "`weight` is 0"),
        (json!({"targets": [{"url": "ws://a", "wieght": 2}]}), "wieght"),
        (json!({"targets": ["ws://a"], "timeouts": {"connect": "0s"}}), "`connect` is 0s"),
        (json!({"targets": ["ws://a"], "timeouts": {"idle": "2d"}}), "`idle` is 2d"),
        (json!({"targets": ["ws://a"], "limits": {"response_head": "1KiB"}}), "`response_head` is 1KiB"),
        (json!({"targets": ["ws://a"], "limits": {"http2_window": "1GiB"}}), "`http2_window` is 1GiB"),
        (json!({"targets": ["ws://a"], "tries": 0}), "`tries` is 0"),
        (json!({"targets": ["ws://a"], "health": {"active": {"path": "healthz"}}}), "is no path"),
        (json!({"targets": ["ws://a"], "health": {"active": {"expect": "99"}}}), "is no status"),
        (json!({"targets": ["ws://a"], "health": {"passive": {"failures": 0}}}), "`failures` is 0"),
        (
            json!({"targets": ["ws://a"], "balance": {"consistent_hash": {"header": "a b"}}}),
            "is no header name",
        ),
        (json!({"targets": ["ws://a"], "tls": {"server_name": "b"}}), "`tls` has no effect"),
    ];
    for (value, expected) in cases {
        let problems = read(value.clone()).expect_err(expected);
        assert!(problems.contains(expected), "{value}: {problems:?}");
    }
}
