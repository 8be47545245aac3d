//! Trusted proxies' headers, honest and forged, and the networks of a route.

#![allow(clippy::unwrap_used)]
use http::HeaderValue;
use proptest::prelude::*;
use wicketgate_config::Problems;

use super::*;

fn proxies(yaml: &str) -> TrustedProxies {
    let yaml = format!("from: [10.0.0.0/8, 'fd00::/8']\n{yaml}");
    let raw: RawTrustedProxies = wicketgate_config::part("test.yaml", &yaml).unwrap();
    let mut problems = Problems::default();
    let proxies = raw.check(&mut problems);
    assert_eq!(problems.iter().count(), 0, "{problems:?}");
    proxies
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
    lines.iter().map(|(name, text)| (HeaderName::from_static(name), value(text))).collect()
}

/// What the proxy at 10.0.0.1 says: address and whether by TLS.
fn told(yaml: &str, lines: &[(&'static str, &str)]) -> Result<(String, bool), &'static str> {
    match proxies(yaml).told(Some([10, 0, 0, 1].into()), &headers(lines)) {
        Ok(Some(told)) => {
            Ok((told.address.map_or("unknown".into(), |address| address.to_string()), told.secure))
        }
        Ok(None) => Ok(("itself".into(), false)),
        Err(Refusal::Forwarded(why)) => Err(why),
        Err(other) => unreachable!("{other}"),
    }
}

fn address(yaml: &str, lines: &[(&'static str, &str)]) -> Result<String, &'static str> {
    told(yaml, lines).map(|(address, _)| address)
}

#[test]
fn lists_are_read_from_their_end() {
    let xff = |text: &str| address("header: x-forwarded-for", &[("x-forwarded-for", text)]);
    for (text, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7,10.1.1.1 ,\t10.2.2.2", "192.0.2.7"),
        ("garbage, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:443, fd00::1", "2001:db8::7"),
        ("192.0.2.7:5000", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, ::ffff:10.0.0.3", "192.0.2.7"),
        ("6.6.6.6, unknown, 10.1.1.1", "unknown"),
    ] {
        assert_eq!(xff(text).as_deref(), Ok(expected), "{text}");
    }
    let lines =
        [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "10.1.1.1")];
    assert_eq!(address("header: x-forwarded-for", &lines).as_deref(), Ok("192.0.2.7"));
}

#[test]
fn garbage_of_a_trusted_proxy_is_refused() {
    for text in [
        "",
        ",",
        "192.0.2.7,",
        "192.0.2.7, ,10.1.1.1",
        "192.0.2.777",
        "192.0.2.7:",
        "192.0.2.7:65536",
        "192.0.2.7:+1",
        "[192.0.2.7]",
        "[::1",
        "[::1]x",
        "[::1]:x",
        "fe80::1%eth0",
        "localhost",
        "192.0.2.7 10.1.1.1",
        "0x7f.1",
        "1",
        "\"192.0.2.7\"",
        "192.0.2.7\u{e9}",
        "garbage, 10.1.1.1",
    ] {
        let found = address("header: x-forwarded-for", &[("x-forwarded-for", text)]);
        assert!(found.is_err(), "{text}: {found:?}");
    }
}

#[test]
fn rfc_7239_is_read_whole() {
    let forwarded = |text: &str| told("header: forwarded", &[("forwarded", text)]);
    for (text, expected, secure) in [
        ("for=192.0.2.7", "192.0.2.7", false),
        ("For=192.0.2.7;Proto=HTTPS;by=10.0.0.1", "192.0.2.7", true),
        ("for=\"[2001:db8:cafe::17]:4711\";proto=http", "2001:db8:cafe::17", false),
        ("for=\"192.0.2.7:80\";host=\"a;b=c\\\"\";proto=wss", "192.0.2.7", true),
        ("for=_hidden, for=10.0.0.7;proto=https", "unknown", false),
        ("for=unknown;proto=https", "unknown", true),
        ("for=\"_SEVKISEK:_port\"", "unknown", false),
        ("for=6.6.6.6, for=192.0.2.7;ext=1;other=2, for=10.0.0.7;proto=https", "192.0.2.7", false),
        // An open quote of the client's swallows nothing of the proxy's.
        ("for=6.6.6.6;x=\", for=192.0.2.7;host=\"a\"", "192.0.2.7", false),
    ] {
        assert_eq!(forwarded(text), Ok((expected.to_owned(), secure)), "{text}");
    }
    for text in [
        "",
        "192.0.2.7",
        "for=",
        "for",
        "=192.0.2.7",
        "for=192.0.2.7;",
        "for=192.0.2.7;;proto=https",
        "for=2001:db8::7",
        "for=[2001:db8::7]",
        "for=\"2001:db8::7\"",
        "for=192.0.2.7;for=192.0.2.8",
        "for=192.0.2.7;proto=https;proto=http",
        "proto=https",
        "for=192.0.2.7;proto=gopher",
        "for=\"192.0.2.7",
        "for=\"192.0.2.7\"x",
        "for =192.0.2.7",
        "for= 192.0.2.7",
        "for=192.0.2.7 ;proto=https",
        "for=_",
        "for=192.0.2.7;host=\"x, for=6.6.6.6\"",
        "for=\"\\\"\"",
        "for=192.0.2.7;by=a;BY=b",
        "for=192.0.2.7;na me=x",
    ] {
        assert!(forwarded(text).is_err(), "{text}: {:?}", forwarded(text));
    }
}

#[test]
fn single_values_stand_alone() {
    for (key, name) in [("cf-connecting-ip", "cf-connecting-ip"), ("true-client-ip", "true-client-ip")] {
        let yaml = format!("header: {key}");
        assert_eq!(address(&yaml, &[(name, "2001:db8::7")]).as_deref(), Ok("2001:db8::7"));
        assert!(address(&yaml, &[(name, "192.0.2.7"), (name, "192.0.2.7")]).is_err());
        for text in ["192.0.2.7, 192.0.2.8", "192.0.2.7:80", " ", "unknown", "[::1]"] {
            assert!(address(&yaml, &[(name, text)]).is_err(), "{text}");
        }
    }
}

#[test]
fn the_scheme_is_that_of_the_clients_side() {
    let with = |protos: &[&str]| {
        let mut lines = vec![("x-forwarded-for", "192.0.2.7")];
        lines.extend(protos.iter().map(|proto| ("x-forwarded-proto", *proto)));
        told("header: x-forwarded-for", &lines).map(|(_, secure)| secure)
    };
    assert_eq!(with(&["https"]), Ok(true));
    assert_eq!(with(&["http"]), Ok(false));
    assert_eq!(with(&[]), Ok(false), "no word, no TLS");
    assert!(with(&["https", "https"]).is_err());
    assert!(with(&["https,http"]).is_err());
    assert!(with(&[""]).is_err());
}

#[test]
fn hops_count_where_networks_are_not_known() {
    let yaml = "header: x-forwarded-for\nhops: 2";
    let at = |text: &str| address(yaml, &[("x-forwarded-for", text)]);
    assert_eq!(at("6.6.6.6, 192.0.2.7, 203.0.113.1").as_deref(), Ok("192.0.2.7"));
    assert_eq!(at("10.0.0.9, 10.0.0.8").as_deref(), Ok("10.0.0.9"));
    assert!(at("192.0.2.7").is_err());
}

#[test]
fn strangers_are_not_listened_to_and_a_missing_header_is_no_client() {
    let trusted = proxies("header: x-forwarded-for");
    let forged = headers(&[("x-forwarded-for", "garbage"), ("x-forwarded-proto", "garbage")]);
    assert_eq!(trusted.told(Some([192, 0, 2, 1].into()), &forged).unwrap(), None);
    assert!(trusted.told(None, &forged).is_err(), "a Unix socket's peer is a proxy");
    assert!(trusted.told(Some([10, 0, 0, 1].into()), &HeaderMap::new()).is_err());
    let lenient = proxies("header: x-forwarded-for\nmissing: proxy");
    assert_eq!(lenient.told(Some([10, 0, 0, 1].into()), &HeaderMap::new()).unwrap(), None);
}

#[test]
fn mistakes_are_told() {
    for (yaml, errors, warnings) in [
        ("from: []\nheader: forwarded", 1, 0),
        ("from: [0.0.0.0/0]\nheader: forwarded", 0, 1),
        ("from: [10.0.0.1]\nheader: true-client-ip\nhops: 2", 1, 0),
        ("from: [10.0.0.1]\nheader: forwarded\nhops: 0", 1, 0),
    ] {
        let raw: RawTrustedProxies = wicketgate_config::part("test.yaml", yaml).unwrap();
        let mut problems = Problems::default();
        raw.check(&mut problems);
        let found = problems.iter().filter(|p| p.severity == wicketgate_config::Severity::Error).count();
        assert_eq!((found, problems.iter().count() - found), (errors, warnings), "{yaml}: {problems:?}");
    }
    assert!(
        wicketgate_config::part::<RawTrustedProxies>("t", "from: [10.0.0.1]\nheader: x-real-ip").is_err()
    );
}

#[test]
fn networks_admit_and_deny() {
    let networks = |yaml: &str| {
        let raw: RawNetworks = wicketgate_config::part("test.yaml", yaml).unwrap();
        raw.check(wicketgate_config::Place::UNKNOWN, &mut Problems::default())
    };
    let at = |text: &str| Some(text.parse().unwrap());
    let both = networks("allow: [10.0.0.0/8, '2001:db8::/32']\ndeny: [10.1.0.0/16]");
    assert!(
        both.admits(at("10.2.0.1")) && both.admits(at("2001:db8::1")) && both.admits(at("::ffff:10.2.0.1"))
    );
    assert!(!both.admits(at("10.1.0.1")) && !both.admits(at("192.0.2.1")) && !both.admits(None));
    let deny = networks("deny: [10.1.0.0/16]");
    assert!(deny.admits(at("192.0.2.1")) && deny.admits(None) && !deny.admits(at("10.1.255.255")));
    assert!(Networks::default().admits(None));
}

proptest! {
    #[test]
    fn no_header_upsets_it(text in "(for=|\"|\\[|::|[0-9a-f.:]{0,12}|10\\.0\\.0\\.1|,|;|=|_|\\\\| |unknown|proto=https){0,24}") {
        crate::fuzz::forwarded(text.as_bytes());
    }

    /// Whatever a client sends, the address that the first proxy heard is found behind any number of trusted ones.
    #[test]
    fn the_first_stranger_is_the_client(
        forged in proptest::collection::vec("[ -~]{0,20}", 0..4),
        client in any::<std::net::IpAddr>(),
        proxies in proptest::collection::vec(any::<[u8; 3]>(), 0..4),
    ) {
        let client = client.to_canonical();
        prop_assume!(!"10.0.0.0/8".parse::<wicketgate_config::Network>().unwrap().contains(client));
        prop_assume!(!"fd00::/8".parse::<wicketgate_config::Network>().unwrap().contains(client));
        let hops = proxies.iter().map(|[a, b, c]| IpAddr::from([10, *a, *b, *c]));
        let heard: Vec<IpAddr> = std::iter::once(client).chain(hops).collect();
        let node = |address: &IpAddr| match address {
            IpAddr::V4(address) => format!("for={address};proto=https"),
            IpAddr::V6(address) => format!("for=\"[{address}]:1\";proto=https"),
        };
        let list = |added: Vec<String>| forged.iter().cloned().chain(added).collect::<Vec<_>>().join(", ");
        let xff = list(heard.iter().map(ToString::to_string).collect());
        prop_assert_eq!(address("header: x-forwarded-for", &[("x-forwarded-for", &xff)]), Ok(client.to_string()));
        let forwarded = list(heard.iter().map(node).collect());
        prop_assert_eq!(told("header: forwarded", &[("forwarded", &forwarded)]), Ok((client.to_string(), true)));
    }
}
