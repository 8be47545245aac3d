//! Every intermediary really starts, carries a WebSocket and plain HTTP, and ends; every runtime runs a script.

use std::{net::SocketAddr, time::Duration};

use wicketgate_testkit::{
    peers::{Hop, Intermediary, ProxyHeader, Upstream, chromium, node, python},
    process::{Process, Ready},
    raw::{EchoBackend, EchoSettings, Ended, Endpoint, RawClient},
    tls::Authority,
};

const SOON: Duration = Duration::from_secs(30);

async fn carries_a_websocket(endpoint: &Endpoint) {
    let mut client = RawClient::open(endpoint, "/chat").await.unwrap();
    client.echoes("through the hop").await.unwrap();
    client.echoes(&"long ".repeat(40_000)).await.unwrap();
    assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
}

async fn carries_http(endpoint: &Endpoint) {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let (head, body) = client.response().await.unwrap();
    assert_eq!((head.status().unwrap(), body.as_slice()), (200, b"echo\n".as_slice()));
}

#[tokio::test]
async fn plain_hops_carry_websockets_and_http() {
    let backend = EchoBackend::start().await.unwrap();
    for kind in Intermediary::ALL {
        let proxy = kind.start(&Hop::plain(backend.addr().unwrap())).await.unwrap();
        carries_a_websocket(&Endpoint::plain(proxy.addr())).await;
        carries_http(&Endpoint::plain(proxy.addr())).await;
        let usage = proxy.usage().unwrap();
        assert!(usage.resident_bytes > 0 && !kind.version().unwrap().is_empty(), "{kind}: {usage:?}");
        proxy.stop().await.unwrap();
    }
}

#[tokio::test]
async fn modsecurity_refuses_what_its_rules_find() {
    let backend = EchoBackend::start().await.unwrap();
    let proxy = Intermediary::NginxModsecurity.start(&Hop::plain(backend.addr().unwrap())).await.unwrap();
    let mut client = RawClient::connect(&Endpoint::plain(proxy.addr())).await.unwrap();
    client.send(b"GET /?q=<script>alert(1)</script> HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(client.response().await.unwrap().0.status().unwrap(), 403);
    carries_a_websocket(&Endpoint::plain(proxy.addr())).await;
}

#[tokio::test]
async fn a_killed_hop_comes_again_where_it_was() {
    let backend = EchoBackend::start().await.unwrap();
    for kind in Intermediary::ALL {
        let proxy = kind.start(&Hop::plain(backend.addr().unwrap()).own_timeouts()).await.unwrap();
        let addr = proxy.addr();
        let mut client = RawClient::open(&Endpoint::plain(addr), "/chat").await.unwrap();
        client.echoes("before").await.unwrap();
        let down = proxy.kill().await.unwrap();
        assert_eq!(client.ended().await.unwrap(), Ended::Dropped, "{kind}");
        assert!(RawClient::connect(&Endpoint::plain(addr)).await.is_err(), "{kind} is gone");
        let proxy = down.start().await.unwrap();
        assert_eq!(proxy.addr(), addr);
        carries_a_websocket(&Endpoint::plain(addr)).await;
    }
}

#[tokio::test]
async fn hops_speak_tls_on_both_sides_with_large_buffers() {
    let authority = Authority::new().unwrap();
    let identity = authority.localhost().unwrap();
    let tls = Some(identity.server(&["http/1.1"]).unwrap());
    let backend = EchoBackend::with(EchoSettings { tls, ..EchoSettings::default() }).await.unwrap();
    for kind in Intermediary::ALL.into_iter().filter(|kind| *kind != Intermediary::Varnish) {
        let upstream = Upstream::new(backend.addr().unwrap()).tls(&authority);
        let hop = Hop::to(upstream).tls(&identity).buffer_bytes(65_536).workers(2);
        let proxy = kind.start(&hop).await.unwrap();
        carries_a_websocket(&Endpoint::tls(proxy.addr(), authority.client(&["http/1.1"]).unwrap())).await;
    }
}

/// A client's HTTP/1.1 becomes RFC 8441 between two hops, and HTTP/1.1 again, with and without TLS.
#[tokio::test]
async fn websockets_travel_over_http2_between_hops() {
    let authority = Authority::new().unwrap();
    let identity = authority.localhost().unwrap();
    let backend = EchoBackend::start().await.unwrap();
    let pairs = [
        (Intermediary::Haproxy, Intermediary::Haproxy),
        (Intermediary::Haproxy, Intermediary::Envoy),
        (Intermediary::Haproxy, Intermediary::Caddy),
        (Intermediary::Envoy, Intermediary::Haproxy),
    ];
    for (front, back) in pairs {
        for secure in [false, true] {
            let mut hop = Hop::plain(backend.addr().unwrap()).http2();
            if secure {
                hop = hop.tls(&identity);
            }
            let inner = back.start(&hop).await.unwrap();
            let mut upstream = Upstream::new(inner.addr()).http2();
            if secure {
                upstream = upstream.tls(&authority);
            }
            println!("{front} to {back}, TLS: {secure}");
            let outer = front.start(&Hop::to(upstream)).await.unwrap();
            carries_a_websocket(&Endpoint::plain(outer.addr())).await;
        }
    }
}

#[tokio::test]
async fn what_a_program_cannot_do_is_an_error() {
    let addr: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let http2 = Hop::to(Upstream::new(addr).http2());
    let header = Hop::to(Upstream::new(addr).proxy_header(ProxyHeader::V2));
    let secure = Hop::plain(addr).tls(&Authority::new().unwrap().localhost().unwrap());
    for (kind, hop) in [
        (Intermediary::Nginx, &http2),
        (Intermediary::Nginx, &header),
        (Intermediary::HaproxyTcp, &http2),
        (Intermediary::Apache, &header),
        (Intermediary::Varnish, &secure),
    ] {
        assert!(kind.start(hop).await.is_err(), "{kind}");
    }
}

#[tokio::test]
async fn python_has_its_websocket_libraries() {
    let backend = EchoBackend::start().await.unwrap();
    let code = format!(
        "
import asyncio, aiohttp, h2.connection, websockets
async def main():
    async with websockets.connect('ws://{addr}/') as socket:
        await socket.send('from websockets')
        print(await socket.recv())
    async with aiohttp.ClientSession() as session, session.ws_connect('ws://{addr}/') as socket:
        await socket.send_str('from aiohttp')
        print((await socket.receive()).data)
asyncio.run(main())
",
        addr = backend.addr().unwrap()
    );
    let process = Process::spawn(python::code(&code).unwrap(), Ready::Started).await.unwrap();
    let (status, output) = process.finish(SOON).await.unwrap();
    assert!(status.success() && output == "from websockets\nfrom aiohttp\n", "{output}");
}

#[tokio::test]
async fn node_has_its_websocket_libraries() {
    let backend = EchoBackend::start().await.unwrap();
    let code = format!(
        "
const WebSocket = require('ws');
const undici = require('undici');
const echo = (Type, text) => new Promise((resolve, reject) => {{
  const socket = new Type('ws://{addr}/');
  socket.onopen = () => socket.send(text);
  socket.onmessage = (event) => {{ console.log(event.data); socket.close(); }};
  socket.onclose = resolve;
  socket.onerror = reject;
}});
echo(WebSocket, 'from ws').then(() => echo(undici.WebSocket, 'from undici'));
",
        addr = backend.addr().unwrap()
    );
    let process = Process::spawn(node::code(&code, None).unwrap(), Ready::Started).await.unwrap();
    let (status, output) = process.finish(SOON).await.unwrap();
    assert!(status.success() && output == "from ws\nfrom undici\n", "{output}");
}

#[tokio::test]
async fn chromium_opens_a_websocket() {
    let backend = EchoBackend::start().await.unwrap();
    let script = format!(
        "
await page.goto('http://{addr}/');
console.log(await page.evaluate(() => new Promise((resolve, reject) => {{
  const socket = new WebSocket('ws://{addr}/');
  socket.onopen = () => socket.send('from a page');
  socket.onmessage = (event) => resolve(event.data);
  socket.onerror = () => reject(new Error('no socket'));
}})));
",
        addr = backend.addr().unwrap()
    );
    let visit = chromium::visit(&script, false, SOON).await.unwrap();
    assert!(visit.status.success() && visit.output.contains("from a page"), "{}", visit.output);
}
