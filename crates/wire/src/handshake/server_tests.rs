//! Each rule of a client's request, kept and broken.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::handshake::tokens::ListError;
use http::Request;

const GOOD: [(&str, &str); 5] = [
    ("host", "example.com"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn request(method: &str, uri: &str, version: Version, lines: &[(&str, &str)]) -> Parts {
    let request = Request::builder().method(method).uri(uri).version(version);
    let request = lines.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn http1(lines: &[(&str, &str)]) -> Parts {
    request("GET", "/chat", Version::HTTP_11, lines)
}

/// The good request with one header replaced or taken out.
fn with(name: &str, value: Option<&str>) -> Parts {
    let mut parts = http1(&GOOD);
    let name = HeaderName::try_from(name).unwrap();
    match value {
        Some(value) => drop(parts.headers.insert(name, value.parse().unwrap())),
        None => drop(parts.headers.remove(name)),
    }
    parts
}

fn and(name: &str, value: &str) -> Parts {
    let mut parts = http1(&GOOD);
    parts.headers.append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    parts
}

fn http2(lines: &[(&str, &str)]) -> Parts {
    request("CONNECT", "https://example.com/chat", Version::HTTP_2, lines)
}

#[test]
fn the_example_of_the_rfc_is_answered() {
    let mut parts = and("sec-websocket-protocol", "chat, superchat");
    parts.headers.append("origin", "http://example.com".parse().unwrap());
    parts
        .headers
        .append("sec-websocket-extensions", "permessage-deflate; client_max_window_bits".parse().unwrap());
    let upgrade = read_upgrade(&parts, None).unwrap();
    let answer = upgrade.answer(Some(&upgrade.subprotocols[0]), &upgrade.extensions).unwrap();
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers()["upgrade"], "websocket");
    assert_eq!(answer.headers()["connection"], "Upgrade");
    assert_eq!(answer.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    assert_eq!(answer.headers()["sec-websocket-extensions"], "permessage-deflate; client_max_window_bits");
}

#[test]
fn what_was_not_offered_is_not_answered() {
    let upgrade = read_upgrade(&http1(&GOOD), None).unwrap();
    let chat = Token::from_static("chat");
    assert!(matches!(upgrade.answer(Some(&chat), &[]), Err(AnswerError::SubprotocolNotOffered(_))));
    assert!(matches!(
        upgrade.answer(None, &[Extension::new(chat)]),
        Err(AnswerError::ExtensionNotOffered(_))
    ));
    let answer = upgrade.answer(None, &[]).unwrap();
    assert_eq!(answer.headers().len(), 3);
}

#[test]
fn the_rules_allow_what_they_allow() {
    for good in [
        with("upgrade", Some("WebSocket")),
        with("connection", Some("keep-alive, upgrade")),
        and("connection", "keep-alive"),
        and("connection", "x-hop"),
        and("content-length", "0"),
        request("GET", "http://EXAMPLE.com/chat", Version::HTTP_11, &GOOD),
        and("sec-websocket-protocol", "a, b"),
    ] {
        assert!(read_upgrade(&good, None).is_ok(), "{good:?}");
    }
}

#[test]
fn each_violation_over_http1_has_its_name() {
    use HandshakeError as E;
    let get = |method: &str, version| request(method, "/", version, &GOOD);
    let cases = [
        (get("POST", Version::HTTP_11), E::Method),
        (get("HEAD", Version::HTTP_11), E::Method),
        (get("GET", Version::HTTP_10), E::HttpVersion),
        (get("GET", Version::HTTP_09), E::HttpVersion),
        (get("GET", Version::HTTP_3), E::HttpVersion),
        (with("host", None), E::Host),
        (with("host", Some("")), E::Host),
        (and("host", "example.com"), E::Host),
        (request("GET", "http://other.example/chat", Version::HTTP_11, &GOOD), E::HostMismatch),
        (with("upgrade", None), E::UpgradeMissing),
        (with("upgrade", Some("")), E::UpgradeToken),
        (with("upgrade", Some("h2c")), E::UpgradeToken),
        (with("upgrade", Some("websocket, h2c")), E::UpgradeToken),
        (with("upgrade", Some("websocket/13")), E::UpgradeToken),
        (and("upgrade", "websocket"), E::UpgradeToken),
        (with("connection", None), E::ConnectionWithoutUpgrade),
        (with("connection", Some("keep-alive")), E::ConnectionWithoutUpgrade),
        (with("connection", Some("upgrade;")), E::ConnectionSyntax(ListError::Syntax)),
        (and("connection", "HTTP2-Settings, a b"), E::ConnectionSyntax(ListError::Syntax)),
        (and("connection", "authorization"), E::ConnectionNominates(http::header::AUTHORIZATION)),
        (and("connection", "Sec-WebSocket-Key"), E::ConnectionNominates(SEC_WEBSOCKET_KEY)),
        (and("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"), E::Http2Settings),
        (with("sec-websocket-version", None), E::VersionMissing),
        (with("sec-websocket-version", Some("8")), E::Version),
        (with("sec-websocket-version", Some("013")), E::Version),
        (with("sec-websocket-version", Some("13, 8")), E::Version),
        (and("sec-websocket-version", "13"), E::VersionTwice),
        (with("sec-websocket-key", None), E::KeyMissing),
        (with("sec-websocket-key", Some("")), E::Key),
        (with("sec-websocket-key", Some("c2hvcnQ=")), E::Key),
        (and("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), E::KeyTwice),
        (and("content-length", "5"), E::Body),
        (and("content-length", "+0"), E::Body),
        (and("content-length", ""), E::Body),
        (and("transfer-encoding", "chunked"), E::Body),
        (and("transfer-encoding", "identity"), E::Body),
        (and("sec-websocket-protocol", "a, a"), E::Subprotocols(ListError::Duplicate)),
        (and("sec-websocket-extensions", "a;"), E::Extensions(ListError::Syntax)),
    ];
    for (parts, expected) in cases {
        assert_eq!(read_upgrade(&parts, None), Err(expected), "{parts:?}");
    }
}

#[test]
fn extended_connect_is_answered_with_200() {
    let parts = http2(&[("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")]);
    let upgrade = read_upgrade(&parts, Some("websocket")).unwrap();
    assert_eq!(upgrade.transport, Transport::Http2);
    let answer = upgrade.answer(Some(&upgrade.subprotocols[0]), &[]).unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().len(), 1);
    // A key is not processed over HTTP/2, whatever it says.
    let keyed =
        http2(&[("sec-websocket-version", "13"), ("sec-websocket-key", "?"), ("host", "Example.com")]);
    assert!(read_upgrade(&keyed, Some("websocket")).is_ok());
}

#[test]
fn each_violation_over_http2_has_its_name() {
    use HandshakeError as E;
    let version = ("sec-websocket-version", "13");
    let cases = [
        (http2(&[version]), None, E::NotExtendedConnect),
        (request("GET", "https://example.com/", Version::HTTP_2, &GOOD), None, E::NotExtendedConnect),
        (
            request("GET", "https://example.com/", Version::HTTP_2, &[version]),
            Some("websocket"),
            E::NotExtendedConnect,
        ),
        (http2(&[version]), Some("connect-udp"), E::ConnectProtocol),
        (http2(&[version]), Some("WebSocket"), E::ConnectProtocol),
        (http2(&[version, ("upgrade", "websocket")]), Some("websocket"), E::ConnectionHeader),
        (http2(&[version, ("connection", "upgrade")]), Some("websocket"), E::ConnectionHeader),
        (http2(&[version, ("transfer-encoding", "chunked")]), Some("websocket"), E::ConnectionHeader),
        (http2(&[version, ("host", "other.example")]), Some("websocket"), E::HostMismatch),
        (http2(&[version, ("content-length", "1")]), Some("websocket"), E::Body),
        (http2(&[]), Some("websocket"), E::VersionMissing),
        (http2(&[("sec-websocket-version", "12")]), Some("websocket"), E::Version),
        (request("CONNECT", "/chat", Version::HTTP_2, &[version]), Some("websocket"), E::Host),
    ];
    for (parts, protocol, expected) in cases {
        assert_eq!(read_upgrade(&parts, protocol), Err(expected), "{parts:?}");
    }
}

#[test]
fn an_attempt_is_told_from_plain_http() {
    assert!(!is_upgrade_attempt(&http1(&[("host", "a")]), None));
    // nginx in front sends this with plain requests too; the header goes away with the other hop-by-hop ones.
    assert!(!is_upgrade_attempt(&http1(&[("host", "a"), ("connection", "upgrade")]), None));
    assert!(is_upgrade_attempt(&http1(&[("upgrade", "h2c")]), None));
    assert!(is_upgrade_attempt(&http1(&[("http2-settings", "")]), None));
    assert!(is_upgrade_attempt(&with("upgrade", None), None));
    assert!(is_upgrade_attempt(&http2(&[]), Some("connect-udp")));
}
