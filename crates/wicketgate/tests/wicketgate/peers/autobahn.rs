//! Autobahn's cases through the gateway in four ways; outcomes are held against committed files.

use std::{net::SocketAddr, path::Path, time::Duration};

use wicketgate_testkit::{
    peers::{
        Hop, Intermediary, Upstream,
        kosoku::{Cases, compare},
    },
    raw::{Echo, EchoBackend, EchoSettings},
};

use super::{Front, all, one_route};

/// How the cases reach the gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Plain TCP.
    Plain,
    /// TLS and HTTP/1.1, by HAProxy in front.
    Tls,
    /// TLS and HTTP/2 (RFC 8441), by HAProxy in front, and on to HTTP/2 in plain, by HAProxy behind.
    Http2,
}

/// Frames, pings, reserved bits, opcodes, fragments, UTF-8, closing, fragments of many sizes.
const QUICK: [&str; 8] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"];
/// Limits and performance.
const LIMITS: [&str; 1] = ["9.*"];
/// permessage-deflate.
const COMPRESSION: [&str; 2] = ["12.*", "13.*"];

/// Messages of 16 MiB, which the cases send, in slow company.
const HEADERS: &str = "websocket: {limits: {message_size: 32MiB, assembly_time: 5m}}";
const MESSAGES: &str = "websocket: {mode: messages, limits: {message_size: 32MiB, assembly_time: 5m}}";

async fn hold(way: Way, route: &str, cases: &[&str], committed: &str) {
    let settings = EchoSettings { echo: Echo::Messages, ..EchoSettings::default() };
    let backend = EchoBackend::with(settings).await.unwrap();
    run(way, route, backend.addr().unwrap(), Cases::matching(cases), committed).await;
}

async fn hold_compressed(way: Way, route: &str, committed: &str) {
    // It sends back what came, compressed as it came: kosoku gives each case 20 seconds, most of which it needs for itself.
    let settings = EchoSettings { echo: Echo::Messages, deflate: true, ..EchoSettings::default() };
    let backend = EchoBackend::with(settings).await.unwrap();
    let cases = Cases::matching(&COMPRESSION).parallel(1);
    run(way, route, backend.addr().unwrap(), cases, committed).await;
}

async fn run(way: Way, route: &str, backend: SocketAddr, cases: Cases, committed: &str) {
    let front = Front::new();
    let (mut upstream, mut behind) = (backend, None);
    if way == Way::Http2 {
        let hop = Intermediary::Haproxy.start(&Hop::plain(backend).http2()).await.unwrap();
        upstream = hop.addr();
        behind = Some(hop);
    }
    let mut rest = one_route(upstream, route);
    if behind.is_some() {
        rest = rest.replace("{name: backend,", "{name: backend, protocol: h2,");
    }
    let gateway = front.start(&rest).await;
    let towards = Upstream::new(front.secure.addr()).tls(&front.authority);
    let before = match way {
        Way::Plain => None,
        Way::Tls => Some(Intermediary::Haproxy.start(&Hop::to(towards)).await.unwrap()),
        Way::Http2 => Some(Intermediary::Haproxy.start(&Hop::to(towards.http2())).await.unwrap()),
    };
    let addr = before.as_ref().map_or(front.plain.addr(), |hop| hop.addr());
    let outcomes = cases.deadline(Duration::from_secs(1_800)).run(addr, "/").await.unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/autobahn");
    if let Err(error) = compare(&outcomes, &folder.join(committed)) {
        panic!("{committed}: {error:#}\n{}", gateway.process().output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_in_mode_headers() {
    hold(Way::Plain, HEADERS, &QUICK, "ws-headers.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_in_mode_messages() {
    hold(Way::Plain, MESSAGES, &QUICK, "ws-messages.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wss() {
    hold(Way::Tls, HEADERS, &QUICK, "wss.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2() {
    hold(Way::Http2, HEADERS, &QUICK, "h2.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_in_all_four_ways() {
    if all("Autobahn's cases 9 over all four ways") {
        hold(Way::Plain, HEADERS, &LIMITS, "ws-headers-limits.txt").await;
        hold(Way::Plain, MESSAGES, &LIMITS, "ws-messages-limits.txt").await;
        hold(Way::Tls, HEADERS, &LIMITS, "wss-limits.txt").await;
        hold(Way::Http2, HEADERS, &LIMITS, "h2-limits.txt").await;
    }
}

/// One after the other: two runs at once are too slow for the time that kosoku gives its cases.
#[tokio::test(flavor = "multi_thread")]
async fn compression_in_all_four_ways() {
    if all("Autobahn's cases 12 and 13 over ws in both modes, wss and HTTP/2") {
        hold_compressed(Way::Plain, HEADERS, "ws-headers-deflate.txt").await;
        hold_compressed(Way::Plain, MESSAGES, "ws-messages-deflate.txt").await;
        hold_compressed(Way::Tls, HEADERS, "wss-deflate.txt").await;
        hold_compressed(Way::Http2, HEADERS, "h2-deflate.txt").await;
    }
}
