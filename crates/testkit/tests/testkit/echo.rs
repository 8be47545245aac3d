//! The raw client and the echo server understand each other, and Autobahn's cases find no fault with the server.

use wicketgate_testkit::{
    dir::Dir,
    peers::kosoku::{Cases, compare, table},
    raw::{Echo, EchoBackend, EchoSettings, Ended, Endpoint, Frame, Place, RawClient, Upgrade, opcode},
    tls::Authority,
};

#[tokio::test]
async fn messages_come_back_over_tcp_tls_and_unix_sockets() {
    let authority = Authority::new().unwrap();
    let dir = Dir::new().unwrap();
    let plain = EchoBackend::start().await.unwrap();
    let unix = EchoSettings { listen: Some(Place::Unix(dir.join("echo.sock"))), ..EchoSettings::default() };
    let unix = EchoBackend::with(unix).await.unwrap();
    let tls = Some(authority.localhost().unwrap().server(&["http/1.1"]).unwrap());
    let secure = EchoBackend::with(EchoSettings { tls, ..EchoSettings::default() }).await.unwrap();
    let endpoints = [
        Endpoint::plain(plain.place().clone()),
        Endpoint::plain(unix.place().clone()),
        Endpoint::tls(secure.place().clone(), authority.client(&["http/1.1"]).unwrap()),
    ];
    for endpoint in &endpoints {
        let mut client = RawClient::open(endpoint, "/").await.unwrap();
        for length in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
            client.echoes(&"x".repeat(length)).await.unwrap();
        }
        assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    }
    secure.stop().await.unwrap();
}

#[tokio::test]
async fn fragments_come_back_as_they_were_or_as_one_message() {
    for (echo, frames) in [(Echo::Frames, 3), (Echo::Messages, 1)] {
        let server = EchoBackend::with(EchoSettings { echo, ..EchoSettings::default() }).await.unwrap();
        let mut client = RawClient::open(&Endpoint::plain(server.place().clone()), "/").await.unwrap();
        let mut bytes = Vec::new();
        let parts = [
            (opcode::TEXT, "ab", false),
            (opcode::CONTINUATION, "cd", false),
            (opcode::CONTINUATION, "ef", true),
        ];
        for (opcode, payload, fin) in parts {
            let frame = Frame { fin, ..Frame::new(opcode, payload).masked([1, 2, 3, 4]) };
            bytes.extend(frame.bytes());
        }
        bytes.extend(Frame::ping("p").masked([1, 2, 3, 4]).bytes());
        client.send_in_pieces(&bytes, 3).await.unwrap();
        let mut payload = Vec::new();
        for _ in 0..frames {
            payload.extend(client.frame().await.unwrap().payload);
        }
        assert_eq!(payload, b"abcdef");
        assert_eq!(client.frame().await.unwrap(), Frame::new(opcode::PONG, "p"));
        assert_eq!((server.sessions(), server.open_sessions()), (1, 1));
    }
}

#[tokio::test]
async fn the_server_refuses_what_a_client_may_not_send() {
    let server = EchoBackend::start().await.unwrap();
    let key = [1, 2, 3, 4];
    let wrong = [
        Frame::text("no mask"),
        Frame::new(opcode::CONTINUATION, "of nothing").masked(key),
        Frame::new(3, "unknown").masked(key),
        Frame::ping("x".repeat(126)).masked(key),
        Frame::ping("").unfinished().masked(key),
    ];
    for frame in wrong {
        let mut client = RawClient::open(&Endpoint::plain(server.place().clone()), "/").await.unwrap();
        client.send_frame(&frame).await.unwrap();
        assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1002)), "{frame:?}");
    }
}

#[tokio::test]
async fn subprotocols_and_compression_are_granted_where_set() {
    let settings =
        EchoSettings { subprotocols: vec!["chat".into()], deflate: true, ..EchoSettings::default() };
    let server = EchoBackend::with(settings).await.unwrap();
    let endpoint = Endpoint::plain(server.place().clone());
    let request = Upgrade::new("/")
        .with("Sec-WebSocket-Protocol", "mqtt, chat")
        .with("Sec-WebSocket-Extensions", "permessage-deflate");
    let head = RawClient::connect(&endpoint).await.unwrap().upgrade(&request).await.unwrap();
    assert_eq!(head.field("sec-websocket-protocol").as_deref(), Some("chat"));
    assert!(
        head.field("sec-websocket-extensions")
            .unwrap()
            .starts_with("permessage-deflate; server_no_context_takeover")
    );
    let narrow =
        Upgrade::new("/").with("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=9");
    let head = RawClient::connect(&endpoint).await.unwrap().upgrade(&narrow).await.unwrap();
    assert_eq!(head.field("sec-websocket-extensions"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn autobahns_cases_find_no_fault() {
    let quick = ["1.*", "2.*", "5.3", "5.1*", "7.1.*", "9.3.1", "9.4.1", "10.*", "12.1.1", "12.1.5"];
    let large = [&quick[..], &["9.1.*", "9.2.*", "9.3.*", "9.4.*"]].concat();
    for (echo, cases) in [(Echo::Frames, &quick[..]), (Echo::Messages, &large)] {
        let server =
            EchoBackend::with(EchoSettings { echo, deflate: true, ..EchoSettings::default() }).await.unwrap();
        let outcomes = Cases::matching(cases).run(server.addr().unwrap(), "/").await.unwrap();
        let failed = outcomes.values().filter(|outcome| !outcome.passed()).count();
        assert!(failed == 0 && outcomes.len() > 40, "{}", table(&outcomes));
    }
}

/// The echo server does not look at its text: the case that wants invalid UTF-8 refused tells so.
#[tokio::test(flavor = "multi_thread")]
async fn autobahns_cases_find_a_fault_that_is_there() {
    let server = EchoBackend::start().await.unwrap();
    let outcomes = Cases::matching(&["1.1.1", "6.3.1"]).run(server.addr().unwrap(), "/").await.unwrap();
    assert_eq!(table(&outcomes), "1.1.1 OK / OK\n6.3.1 FAILED / FAILED BY CLIENT\n");
    let dir = Dir::new().unwrap();
    let committed =
        dir.write("committed", "1.1.1 NON-STRICT / OK\n6.3.1 FAILED / FAILED BY CLIENT\n").unwrap();
    let error = compare(&outcomes, &committed).unwrap_err().to_string();
    assert!(error.contains("6.3.1") && !error.contains("1.1.1"), "{error}");
}
