//! Origins that pass, and those that only look like one.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn config(yaml: &str) -> OriginConfig {
    let raw: RawOrigin = wicketgate_config::part("test.yaml", yaml).unwrap();
    let mut problems = Problems::default();
    let config = raw.check(&mut problems);
    assert_eq!(problems.iter().count(), 0, "{problems:?}");
    config
}

/// Whether a handshake for this host with these origins passes.
fn passes(config: &OriginConfig, scheme: &str, host: &str, origins: &[&str]) -> bool {
    let mut request = http::Request::builder().uri("/chat").header("host", host);
    for origin in origins {
        request = request.header("origin", origin.as_bytes());
    }
    let parts = request.body(()).unwrap().into_parts().0;
    config.check(&parts, scheme == "https", true).is_ok()
}

#[test]
fn by_default_a_page_talks_to_its_own_origin() {
    let same = OriginConfig::default();
    for (scheme, host, origin) in [
        ("https", "a.example", "https://a.example"),
        ("https", "a.example:443", "https://a.example"),
        ("https", "a.example", "https://a.example:443"),
        ("https", "A.Example", "HTTPS://a.eXample"),
        ("http", "localhost:8080", "http://localhost:8080"),
        ("http", "[::1]:8080", "http://[::1]:8080"),
        ("https", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ] {
        assert!(passes(&same, scheme, host, &[origin]), "{origin} at {host}");
    }
    for (scheme, host, origin) in [
        ("https", "a.example", "http://a.example"),
        ("http", "a.example", "https://a.example"),
        ("https", "a.example", "https://a.example:8443"),
        ("https", "a.example:8443", "https://a.example"),
        ("https", "a.example", "https://a.example."),
        ("https", "a.example", "https://a.example.evil.example"),
        ("https", "a.example", "https://evil-a.example"),
        ("https", "a.example", "https://evil.a.example"),
        ("https", "a.example", "https://a.example@evil.example"),
        ("https", "a.example@evil.example", "https://evil.example"),
        ("https", "a.example", "https://a.example/"),
        ("https", "a.example", "https://a.example https://evil.example"),
        ("https", "a.example", "https://a.example, https://a.example"),
        ("https", "a.example", "https://a.example:0443"),
        ("https", "a.example", "https://a.example:+443"),
        ("https", "a.example", "https://a.example:"),
        ("https", "a.example", "a.example"),
        ("https", "a.example", "://a.example"),
        ("https", "a.example", ""),
        ("https", "a.example", "null"),
        ("https", "a.example", "NULL"),
        ("https", "null", "null"),
        ("https", "b\u{fc}cher.example", "https://b\u{fc}cher.example"),
        ("http", "[::1]", "http://[::1"),
    ] {
        assert!(!passes(&same, scheme, host, &[origin]), "{origin} at {host}");
    }
    assert!(passes(&same, "https", "a.example", &[]), "no browser");
    assert!(!passes(&same, "https", "a.example", &["https://a.example", "https://a.example"]));
}

#[test]
fn a_list_is_exact() {
    let list = config("allow: [https://a.example, 'https://*.b.example:8443', 'chrome-extension://abc']");
    for good in [
        "https://a.example",
        "https://A.example:443",
        "https://x.b.example:8443",
        "https://x.y.B.example:8443",
        "chrome-extension://abc",
    ] {
        assert!(passes(&list, "https", "gate.example", &[good]), "{good}");
    }
    for bad in [
        "https://gate.example",
        "http://a.example",
        "https://a.example:8443",
        "https://x.a.example",
        "https://b.example:8443",
        "https://.b.example:8443",
        "https://xb.example:8443",
        "https://x.b.example",
        "https://x.b.example.evil:8443",
        "chrome-extension://abcd",
        "chrome-extension://abc:443",
        "null",
    ] {
        assert!(!passes(&list, "https", "gate.example", &[bad]), "{bad}");
    }
    let with_own = config("allow: [same, https://a.example]\nnull_origin: allow\nabsent: refuse");
    for (origins, expected) in [
        (&["https://gate.example"][..], true),
        (&["https://a.example"], true),
        (&["null"], true),
        (&["https://b.example"], false),
        (&[], false),
        (&["null", "null"], false),
    ] {
        assert_eq!(passes(&with_own, "https", "gate.example", origins), expected, "{origins:?}");
    }
}

#[test]
fn any_is_any_but_one() {
    let any = config("any");
    assert!(passes(&any, "https", "a.example", &["null"]) && passes(&any, "http", "a.example", &["x"]));
    assert!(passes(&any, "https", "a.example", &[]));
    assert!(!passes(&any, "https", "a.example", &["https://a.example", "https://b.example"]));
}

#[test]
fn plain_http_is_asked_only_where_it_is_written() {
    let request =
        http::Request::builder().uri("/").header("host", "a").header("origin", "https://evil.example");
    let parts = request.body(()).unwrap().into_parts().0;
    assert!(OriginConfig::default().check(&parts, true, false).is_ok());
    assert!(OriginConfig::default().check(&parts, true, true).is_err());
    assert!(config("same").check(&parts, true, false).is_err());
}

#[test]
fn over_http_2_the_authority_is_the_host() {
    let request =
        http::Request::builder().uri("https://a.example:8443/").header("origin", "https://a.example:8443");
    let parts = request.body(()).unwrap().into_parts().0;
    assert!(OriginConfig::default().check(&parts, true, true).is_ok());
}

#[test]
fn what_is_no_origin_is_refused_with_a_remedy() {
    for text in [
        "a.example",
        "https://a.example/",
        "https://",
        "https://a.example/x",
        "https://u@a.example",
        "https://*",
        "*",
        "null",
        "any",
        "https://*.10.0.0.1",
        "https://a.*.example",
        "https://a.example:99999",
        "https://*.*.a.example",
        "//a",
    ] {
        let raw: RawOrigin = wicketgate_config::part("test.yaml", &format!("allow: ['{text}']")).unwrap();
        let mut problems = Problems::default();
        raw.check(&mut problems);
        assert!(problems.has_errors(), "{text}");
    }
    for yaml in ["some", "allow: same", "deny: [https://a.example]", "null_origin: yes"] {
        assert!(wicketgate_config::part::<RawOrigin>("test.yaml", yaml).is_err(), "{yaml}");
    }
    let raw: RawOrigin = wicketgate_config::part("test.yaml", "allow: ['https://*.com']").unwrap();
    let mut problems = Problems::default();
    raw.check(&mut problems);
    assert!(!problems.has_errors() && problems.iter().count() == 1);
}

proptest! {
    /// Whatever stands before or behind it, only the origin itself is the origin.
    #[test]
    fn nothing_around_an_origin_passes(before in "[ -~]{0,8}", behind in "[ -~]{0,8}") {
        let origin = format!("{before}https://a.example{behind}");
        let same = ["https://a.example", "https://a.example:443"].contains(&origin.as_str());
        let config = config("allow: [https://a.example]");
        let headers = http::HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap())]);
        let mut parts = http::Request::new(()).into_parts().0;
        parts.headers = headers;
        prop_assert_eq!(config.check(&parts, true, true).is_ok(), same, "{}", origin);
    }
}
