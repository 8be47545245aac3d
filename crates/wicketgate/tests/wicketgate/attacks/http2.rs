//! HTTP/2 as a weapon: tunnels that are none, streams reset at once, heads without end.

use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::ext::Protocol;
use http::{Method, Request, Response};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wicketgate_testkit::raw::{Frame, Io, RawClient, Upgrade};

use super::{KEY, Stage, UPSTREAM};

const PATIENCE: Duration = Duration::from_secs(10);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Types of frames (RFC 9113 section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// GOAWAY's code for those who ask too much.
const ENHANCE_YOUR_CALM: u32 = 11;

async fn stage() -> Stage {
    Stage::start(&format!(
        "listeners: [{{bind: LISTEN, protocols: [http/1.1, h2], limits: {{http2_streams: 8}}}}]\n\
         {UPSTREAM}routes: [{{name: all, upstream: backend}}]\n"
    ))
    .await
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field as HPACK writes it without its table (RFC 7541 section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        assert!(text.len() < 127);
        [&[text.len() as u8], text.as_bytes()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}

/// The fields of a GET for this path.
fn get(path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", path)];
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// Writes these frames behind the preface; gives the GOAWAY codes until the connection ends.
async fn goaways(stage: &Stage, frames: &[u8]) -> Vec<u32> {
    let mut client = stage.client().await;
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, &[]), frames].concat();
    client.send_and_read(&opening).await.ok();
    let rest = client.rest().await.unwrap();
    let mut codes = Vec::new();
    let mut rest = rest.as_slice();
    while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        if *kind == GOAWAY {
            codes.push(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = after;
    }
    codes
}

#[tokio::test]
async fn streams_reset_at_once_end_the_connection() {
    let stage = stage().await;
    let flood: Vec<u8> = (0..5_000)
        .flat_map(|number| {
            let stream = 2 * number + 1;
            // END_HEADERS and END_STREAM; then CANCEL.
            let open = frame(HEADERS, 0x5, stream, &get("/flood"));
            [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    assert_eq!(goaways(&stage, &flood).await.last(), Some(&ENHANCE_YOUR_CALM));
    // A few may have been on their way before the flood was recognised.
    let forwarded = stage.heads().len();
    assert!(forwarded < 500, "{forwarded} of 5000 reached the backend");
    stage.proof("/").honest().await.unwrap();
}

/// A violation ends the connection with a GOAWAY that says what it was, and the next client is served.
#[tokio::test]
async fn violations_end_the_connection() {
    let stage = stage().await;
    let endless: Vec<u8> = std::iter::once(frame(HEADERS, 0, 1, &get("/attack")))
        .chain(
            (0..2_000).map(|_| frame(CONTINUATION, 0, 1, &field("x-endless", &"a".repeat(100)).repeat(10))),
        )
        .flatten()
        .collect();
    let pings = frame(PING, 0, 0, &[7; 8]).repeat(3);
    for (what, attack) in [
        ("a header block without end", endless),
        ("a frame longer than allowed", frame(DATA, 0, 1, &[0; 20_000])),
        ("DATA on stream 0", frame(DATA, 0, 0, b"attack")),
        ("DATA on an idle stream", frame(DATA, 0, 1, b"attack")),
        ("HEADERS on an even stream", frame(HEADERS, 0x5, 2, &get("/attack"))),
        ("HEADERS that are no HPACK", frame(HEADERS, 0x5, 1, &[0xff; 64])),
        ("a PING of 7 bytes", frame(PING, 0, 0, &[7; 7])),
        ("a window of no increment", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a window beyond 2^31", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("a lone CONTINUATION", [pings, frame(CONTINUATION, 0x4, 1, &get("/attack"))].concat()),
        ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, &[0; 5])),
    ] {
        let codes = goaways(&stage, &attack).await;
        assert!(codes.last().is_some_and(|code| *code != 0), "{what}: {codes:?}");
        assert!(stage.heads().iter().all(|head| head.target() != "/attack"), "{what}");
        stage.proof("/").honest().await.unwrap();
    }
}

pub(super) type Driver = JoinHandle<Result<(), h2::Error>>;

pub(super) async fn connect(stage: &Stage) -> (SendRequest<Bytes>, Driver) {
    let stream: Box<dyn Io> = stage.listener(0).connect().await.unwrap();
    let (client, connection): (_, Connection<Box<dyn Io>, Bytes>) =
        timeout(PATIENCE, Builder::new().handshake(stream)).await.unwrap().unwrap();
    let driver = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    // The server's settings come with the first answer at the latest.
    let request = Request::get("http://localhost/settings").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    assert_eq!(timeout(PATIENCE, answer).await.unwrap().unwrap().status(), 200);
    (client, driver)
}

pub(super) fn connect_to(path: &str, protocol: Option<&'static str>) -> Request<()> {
    let uri = match protocol {
        Some(_) => format!("http://localhost{path}"),
        None => "localhost:80".to_owned(),
    };
    let mut request = Request::builder().method(Method::CONNECT).uri(uri);
    if let Some(protocol) = protocol {
        request = request.extension(Protocol::from_static(protocol));
    }
    request.header("sec-websocket-version", "13").body(()).unwrap()
}

pub(super) async fn answer(
    client: &mut SendRequest<Bytes>,
    request: Request<()>,
) -> Response<h2::RecvStream> {
    let mut ready = client.clone().ready().await.unwrap();
    let (answer, _body) = ready.send_request(request, false).unwrap();
    timeout(PATIENCE, answer).await.unwrap().unwrap()
}

#[tokio::test]
async fn only_an_extended_connect_to_websocket_is_a_tunnel() {
    let stage = stage().await;
    let (mut client, _driver) = connect(&stage).await;
    let without = |name: &str| {
        let mut request = connect_to("/attack", Some("websocket"));
        request.headers_mut().remove(name);
        request
    };
    let with = |name: &'static str, value: &'static str| {
        let mut request = connect_to("/attack", Some("websocket"));
        request.headers_mut().append(name, value.parse().unwrap());
        request
    };
    let before = stage.heads().len();
    for (request, status) in [
        (connect_to("/attack", Some("connect-udp")), 501),
        (connect_to("/attack", Some("WebSocket")), 501),
        (connect_to("/attack", Some("")), 501),
        (connect_to("/attack", None), 405),
        (without("sec-websocket-version"), 426),
        (with("sec-websocket-version", "13"), 400),
        (with("host", "elsewhere"), 400),
        (with("sec-websocket-extensions", "a b"), 400),
        (with("http2-settings", "AAMAAABk"), 400),
        (connect_to("/a%2fb", Some("websocket")), 400),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(answer(&mut client, request).await.status(), status, "{shown}");
    }
    // A WebSocket of HTTP/1.1's kind is none here.
    let mut get = Request::get("http://localhost/attack").body(()).unwrap();
    get.headers_mut().insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
    assert_eq!(answer(&mut client, get).await.status(), 400);
    assert_eq!(stage.heads().len(), before);
    stage.proof("/").honest().await.unwrap();
    tunnel_echoes(&mut client).await;
}

/// What an HTTP/2 library takes for a violation of its own ends the stream or the connection, and no more.
#[tokio::test]
async fn a_tunnel_with_a_length_is_none() {
    let stage = stage().await;
    let (mut client, _driver) = connect(&stage).await;
    let before = stage.heads().len();
    let mut request = connect_to("/attack", Some("websocket"));
    request.headers_mut().append("content-length", "5".parse().unwrap());
    let (answer, _body) = client.send_request(request, false).unwrap();
    match timeout(PATIENCE, answer).await.unwrap() {
        Ok(answer) => assert_eq!(answer.status(), 400),
        Err(error) => assert!(error.is_reset() || error.is_go_away() || error.is_io(), "{error}"),
    }
    assert_eq!(stage.heads().len(), before);
    stage.proof("/").honest().await.unwrap();
}

/// The connection that was abused still carries an honest session.
async fn tunnel_echoes(client: &mut SendRequest<Bytes>) {
    let mut ready = client.clone().ready().await.unwrap();
    let request = connect_to("/honest", Some("websocket"));
    let (answer, mut up) = ready.send_request(request, false).unwrap();
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    up.send_data(Frame::text("over h2").masked(KEY).bytes().into(), false).unwrap();
    let mut down = answer.into_body();
    let mut got = Vec::new();
    let echoed = loop {
        if let Some((frame, _)) = Frame::parse(&got) {
            break frame;
        }
        let piece = timeout(PATIENCE, down.data()).await.unwrap().unwrap().unwrap();
        down.flow_control().release_capacity(piece.len()).unwrap();
        got.extend_from_slice(&piece);
    };
    assert_eq!(echoed, Frame::text("over h2"));
}

/// Frames that break the protocol end their stream alone, with their code.
#[tokio::test]
async fn a_violation_in_a_tunnel_ends_that_session_alone() {
    let stage = stage().await;
    let (mut client, _driver) = connect(&stage).await;
    for (attack, code) in [
        (Frame::new(3, "attack").masked(KEY), 1002),
        (Frame::text("unmasked"), 1002),
        (Frame::text(b"\xff").masked(KEY), 1007),
    ] {
        let mut ready = client.clone().ready().await.unwrap();
        let (answer, mut up) = ready.send_request(connect_to("/attack", Some("websocket")), false).unwrap();
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        up.send_data(attack.bytes().into(), false).unwrap();
        let mut down = answer.into_body();
        let mut got = Vec::new();
        while let Some(Ok(piece)) = timeout(PATIENCE, down.data()).await.unwrap() {
            got.extend_from_slice(&piece);
            if Frame::parse(&got).is_some() {
                up.send_data(Frame::close(code, "").masked(KEY).bytes().into(), true).ok();
            }
        }
        assert_eq!(Frame::parse(&got).unwrap().0.close_code(), Some(code));
        tunnel_echoes(&mut client).await;
    }
    stage.proof("/").honest().await.unwrap();
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let stage = stage().await;
    let mut client = stage.client().await;
    // Tunnels that stay open, one more than there may be, and a client that does not care for the server's settings.
    let open = |number: u32| {
        let fields = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", "/tunnel"),
            ("sec-websocket-version", "13"),
        ];
        let fields: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        frame(HEADERS, 0x4, 2 * number + 1, &fields)
    };
    let tunnels: Vec<u8> = (0..9).flat_map(open).collect();
    client.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &tunnels].concat()).await.unwrap();
    let (mut opened, mut refused) = (0, 0);
    while opened + refused < 9 {
        let head = client.exactly(9).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = client.exactly(length).await.unwrap();
        match head[3] {
            HEADERS => opened += 1,
            RST_STREAM => {
                assert_eq!(payload, 7_u32.to_be_bytes(), "REFUSED_STREAM");
                refused += 1;
            }
            _ => {}
        }
    }
    assert_eq!((opened, refused), (8, 1));
    stage.proof("/").honest().await.unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let stage = stage().await;
    let (mut client, driver) = connect(&stage).await;
    let before = stage.heads().len();
    let mut request = Request::get("http://localhost/attack").body(()).unwrap();
    for number in 0..40 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        request.headers_mut().insert(name, "a".repeat(1_000).parse().unwrap());
    }
    let mut ready = client.clone().ready().await.unwrap();
    let (response, _) = ready.send_request(request, true).unwrap();
    match timeout(PATIENCE, response).await.unwrap() {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(error) => assert!(error.is_reset() || error.is_go_away(), "{error}"),
    }
    let mut many = Request::get("http://localhost/attack").body(()).unwrap();
    for number in 0..101 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        many.headers_mut().insert(name, "1".parse().unwrap());
    }
    if let Ok(mut ready) = client.clone().ready().await {
        let (response, _) = ready.send_request(many, true).unwrap();
        assert_eq!(timeout(PATIENCE, response).await.unwrap().unwrap().status(), 431);
    }
    assert_eq!(stage.heads().len(), before);
    if !driver.is_finished() {
        tunnel_echoes(&mut client).await;
    }
    stage.proof("/").honest().await.unwrap();
}

/// The preface in pieces is HTTP/2 as well; one that only begins like it is a bad request.
#[tokio::test]
async fn half_a_preface_is_no_http2() {
    let stage = stage().await;
    stage.proof("/").bytes(b"PUT /attack HTTP/1.1\r\n\r\n", 400).await.unwrap();
    let mut client = RawClient::connect(&stage.listener(0)).await.unwrap();
    client.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await.unwrap();
    client.rest().await.unwrap();
    let upgrade = Upgrade::new("/pieces");
    let mut client = RawClient::connect(&stage.listener(0)).await.unwrap();
    client.send_in_pieces(&upgrade.bytes(), 1).await.unwrap();
    upgrade.check(&client.head().await.unwrap()).unwrap();
    stage.proof("/").honest().await.unwrap();
}
