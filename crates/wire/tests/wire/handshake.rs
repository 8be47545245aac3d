//! Handshakes against tungstenite: what we accept it accepts, with the same proof. Where we alone refuse, the
//! reason is one that tungstenite does not look at.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read, Write};

use http::{HeaderName, Request, Response, Version};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tungstenite::handshake::client::ClientHandshake as TheirClient;
use tungstenite::handshake::server::create_response;
use tungstenite::handshake::{HandshakeError as Interrupted, MidHandshake};
use wicketgate_wire::handshake::{
    AnswerError, ClientHandshake, HandshakeError, Nonce, Token, Transport, read_upgrade,
};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

type Lines = Vec<(&'static str, &'static str)>;

/// The good lines, of which some are left out and to which some are added, good and bad.
fn lines(good: &'static [(&str, &str)], others: &'static [(&str, &str)]) -> impl Strategy<Value = Lines> {
    let most = subsequence(good.to_vec(), good.len().saturating_sub(1)..=good.len());
    let some = subsequence(others.to_vec(), 0..=2);
    (most, some).prop_map(|(most, some)| [most, some].concat()).prop_shuffle()
}

fn request_lines() -> impl Strategy<Value = Lines> {
    lines(
        &[
            ("host", "example.com"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ],
        &[
            ("host", "other.example"),
            ("upgrade", "WebSocket"),
            ("upgrade", "h2c"),
            ("upgrade", "websocket, h2c"),
            ("connection", "keep-alive, UPGRADE"),
            ("connection", "close"),
            ("connection", "upgrade, cookie"),
            ("connection", "a b"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "c2hvcnQ="),
            ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAB=="),
            ("sec-websocket-protocol", "chat, mqtt"),
            ("sec-websocket-protocol", "chat, chat"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("sec-websocket-extensions", "a b"),
            ("content-length", "0"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
        ],
    )
}

fn answer_lines() -> impl Strategy<Value = Lines> {
    lines(
        &[("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", ACCEPT)],
        &[
            ("upgrade", "WEBSOCKET"),
            ("upgrade", "h2c"),
            ("connection", "upgrade, keep-alive"),
            ("connection", "close"),
            ("sec-websocket-accept", ACCEPT),
            ("sec-websocket-accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-protocol", "chat"),
            ("sec-websocket-protocol", "soap"),
            ("sec-websocket-protocol", "chat, mqtt"),
            ("sec-websocket-extensions", "x-mux"),
        ],
    )
}

/// A peer that has said all it will say, and does not mind what is said to it.
struct Script(Cursor<Vec<u8>>);

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn their_client_accepts(status: u16, answer: &Lines, subprotocol: bool) -> bool {
    let mut request = Request::get("ws://example.com/chat")
        .header("host", "example.com")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY);
    if subprotocol {
        request = request.header("sec-websocket-protocol", "chat");
    }
    let mut text = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in answer {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let stream = Script(Cursor::new(text.into_bytes()));
    let started: MidHandshake<TheirClient<Script>> =
        TheirClient::start(stream, request.body(()).unwrap(), None).unwrap();
    match started.handshake() {
        Ok(_) => true,
        Err(Interrupted::Failure(_)) => false,
        Err(Interrupted::Interrupted(_)) => panic!("the script never blocks"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn requests(
        method in select(vec!["GET", "GET", "GET", "GET", "POST"]),
        version in select(vec![Version::HTTP_11, Version::HTTP_11, Version::HTTP_11, Version::HTTP_10]),
        lines in request_lines(),
    ) {
        let request = lines.iter().fold(
            Request::builder().method(method).uri("/chat").version(version),
            |request, (name, value)| request.header(*name, *value),
        );
        let request = request.body(()).unwrap();
        let theirs = create_response(&request);
        let (parts, ()) = request.into_parts();
        match (read_upgrade(&parts, None), theirs) {
            (Ok(upgrade), Ok(theirs)) => {
                let Transport::Http1(accept) = upgrade.transport else { panic!("this came over HTTP/1.1") };
                prop_assert_eq!(&theirs.headers()["sec-websocket-accept"], accept.header_value());
            }
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => {
                // They read the first line of a list only.
                prop_assert!(parts.headers.get_all("connection").iter().count() > 1, "{}", error);
            }
            (Err(ours), Ok(_)) => {
                use HandshakeError as E;
                prop_assert!(
                    matches!(
                        ours,
                        E::Host | E::UpgradeToken | E::ConnectionSyntax(_) | E::ConnectionNominates(_)
                            | E::Http2Settings | E::VersionTwice | E::KeyTwice | E::Body
                            | E::Subprotocols(_) | E::Extensions(_)
                    ),
                    "{:?}", ours
                );
                let one_upgrade = parts.headers.get_all("upgrade").iter().count() == 1;
                prop_assert!(ours != E::UpgradeToken || !one_upgrade);
            }
        }
    }

    #[test]
    fn answers(
        status in select(vec![101_u16, 101, 101, 101, 101, 200, 404]),
        lines in answer_lines(),
        subprotocol: bool,
    ) {
        let offered = if subprotocol { vec![Token::from_static("chat")] } else { Vec::new() };
        let ours = ClientHandshake::http1(Nonce::new(*b"the sample nonce"), offered, Vec::new());
        let mut answer = Response::builder().status(status);
        for (name, value) in &lines {
            answer = answer.header(*name, *value);
        }
        let (parts, ()) = answer.body(()).unwrap().into_parts();
        let twice = |name: HeaderName| parts.headers.get_all(name).iter().count() > 1;
        match (ours.verify(&parts), their_client_accepts(status, &lines, subprotocol)) {
            (Ok(_), true) | (Err(_), false) => {}
            (Ok(agreed), false) => {
                // They want `Connection` to be `upgrade` alone, and a choice where there was an offer.
                let listed = parts.headers["connection"] != "Upgrade" || twice(http::header::CONNECTION);
                prop_assert!(listed || (subprotocol && agreed.subprotocol.is_none()));
            }
            (Err(error), true) => {
                prop_assert!(
                    matches!(error, AnswerError::ExtensionNotOffered(_))
                        || lines.iter().any(|(name, _)| twice(HeaderName::from_static(name))),
                    "{}", error
                );
            }
        }
    }

    #[test]
    fn our_answer_satisfies_their_client(subprotocol: bool) {
        let mut request = Request::get("/chat");
        for (name, value) in [
            ("host", "example.com"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ] {
            request = request.header(name, value);
        }
        if subprotocol {
            request = request.header("sec-websocket-protocol", "chat");
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let upgrade = read_upgrade(&parts, None).unwrap();
        let answer = upgrade.answer(upgrade.subprotocols.first(), &[]).unwrap();
        let lines: Vec<(&str, &str)> =
            answer.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        // The script wants static text; the few bytes of a test may leak.
        let lines = lines
            .into_iter()
            .map(|(name, value)| (&*name.to_owned().leak(), &*value.to_owned().leak()))
            .collect();
        prop_assert!(their_client_accepts(answer.status().as_u16(), &lines, subprotocol));
    }
}
