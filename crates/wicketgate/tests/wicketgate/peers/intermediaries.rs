//! nginx, HAProxy and Caddy in front of the gateway and behind it, plain, over TLS, over HTTP/2, with PROXY headers.

use wicketgate_testkit::{
    peers::{Hop, Intermediary, ProxyHeader, Upstream},
    raw::{EchoBackend, Ended, Endpoint, RawClient, Upgrade},
};

use super::{Front, one_route};

const PROXIES: [Intermediary; 3] = [Intermediary::Nginx, Intermediary::Haproxy, Intermediary::Caddy];

/// A WebSocket with small and large messages, and a plain request before and after it.
async fn carries(endpoint: &Endpoint, what: &str) {
    carries_http(endpoint, what).await;
    let talk = async {
        let mut client = RawClient::open(endpoint, "/chat").await?;
        client.echoes("through both").await?;
        client.echoes(&"long ".repeat(100_000)).await?;
        for number in 0..50 {
            client.echoes(&format!("message {number}")).await?;
        }
        client.close(1000).await
    };
    let ended = talk.await.unwrap_or_else(|error| panic!("{what}: {error:#}"));
    assert_eq!(ended, Ended::Closed(Some(1000)), "{what}");
    carries_http(endpoint, what).await;
}

async fn carries_http(endpoint: &Endpoint, what: &str) {
    let mut client = RawClient::connect(endpoint).await.unwrap();
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let (head, body) = client.response().await.unwrap_or_else(|error| panic!("{what}: {error:#}"));
    assert_eq!((head.status().unwrap(), body.as_slice()), (200, b"echo\n".as_slice()), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_front_of_the_gateway() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let gateway = front.start(&one_route(backend.addr().unwrap(), "")).await;
    let client = front.authority.client(&["http/1.1"]).unwrap();
    for kind in PROXIES {
        let plain = Upstream::new(front.plain.addr());
        let secure = Upstream::new(front.secure.addr()).tls(&front.authority);
        let mut ways = vec![("plain", Hop::to(plain.clone())), ("TLS", Hop::to(secure.clone()))];
        ways.push(("TLS on both sides", Hop::to(secure.clone()).tls(&front.identity)));
        if kind == Intermediary::Haproxy {
            ways.push(("HTTP/2 by prior knowledge", Hop::to(plain.http2())));
            ways.push(("HTTP/2 over TLS", Hop::to(secure.http2())));
        }
        for (way, hop) in ways {
            let proxy = kind.start(&hop).await.unwrap();
            let endpoint = match way {
                "TLS on both sides" => Endpoint::tls(proxy.addr(), client.clone()),
                _ => Endpoint::plain(proxy.addr()),
            };
            carries(&endpoint, &format!("{kind}, {way}; {}", gateway.process().output())).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_gateway() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let hop = Hop::plain(backend.addr().unwrap());
    let ca = front.authority.ca_file();
    for kind in PROXIES {
        let mut ways =
            vec![("http/1.1", "ws", hop.clone()), ("http/1.1", "wss", hop.clone().tls(&front.identity))];
        // nginx knows no extended CONNECT (RFC 8441).
        if kind != Intermediary::Nginx {
            ways.push(("h2", "ws", hop.clone().http2()));
            ways.push(("h2", "wss", hop.clone().http2().tls(&front.identity)));
        }
        for (protocol, scheme, hop) in ways {
            let proxy = kind.start(&hop).await.unwrap();
            let tls =
                if scheme == "wss" { format!(", tls: {{ca: {}}}", ca.display()) } else { String::new() };
            let port = proxy.addr().port();
            let gateway = front
                .start(&format!(
                    "upstreams: [{{name: backend, protocol: {protocol}, targets: [\"{scheme}://localhost:{port}\"]{tls}}}]
routes: [{{name: all, upstream: backend}}]
log: {{access: off}}
"
                ))
                .await;
            let what = format!("{kind}, {protocol} {scheme}");
            carries(&front.ws(), &what).await;
            carries(&front.wss(), &what).await;
            drop(gateway);
        }
    }
}

/// Over HTTP/2, nginx serves plain requests; a WebSocket is refused as what the upstream cannot do.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_knows_no_extended_connect() {
    let (front, backend) = (Front::new(), EchoBackend::start().await.unwrap());
    let hop = Hop::plain(backend.addr().unwrap()).http2().tls(&front.identity);
    let nginx = Intermediary::Nginx.start(&hop).await.unwrap();
    let gateway = front
        .start(&format!(
            "upstreams: [{{name: backend, protocol: h2, targets: [\"https://localhost:{}\"], tls: {{ca: {}}}}}]
routes: [{{name: all, upstream: backend}}]
",
            nginx.addr().port(),
            front.authority.ca_file().display()
        ))
        .await;
    carries_http(&front.ws(), "nginx over HTTP/2").await;
    let mut client = RawClient::connect(&front.ws()).await.unwrap();
    client.send(&Upgrade::new("/").bytes()).await.unwrap();
    assert_eq!(client.head().await.unwrap().status().unwrap(), 502);
    let line = gateway.log("status=502").await.unwrap();
    assert!(line.contains("reason="), "{line}");
    carries_http(&front.ws(), "nginx over HTTP/2").await;
}

/// The client's address is what the balancer in front says, and only where it must say it.
#[tokio::test(flavor = "multi_thread")]
async fn proxy_headers_from_balancers_in_front() {
    let backend = EchoBackend::start().await.unwrap();
    for kind in [Intermediary::Haproxy, Intermediary::HaproxyTcp, Intermediary::Caddy] {
        for header in [ProxyHeader::V1, ProxyHeader::V2] {
            let front = Front::new();
            let config = front.config(&one_route(backend.addr().unwrap(), "")).replace(
                "    protocols: [http/1.1, h2]\n",
                "    proxy_protocol: {mode: required, from: [127.0.0.0/8]}\n",
            );
            let gateway = wicketgate_testkit::gateway::Gateway::start(super::BINARY, &config, front.ready())
                .await
                .unwrap();
            let proxy =
                kind.start(&Hop::to(Upstream::new(front.plain.addr()).proxy_header(header))).await.unwrap();
            let what = format!("{kind}, {header:?}: {}", gateway.process().output());
            carries(&Endpoint::plain(proxy.addr()), &what).await;
            let mut direct = RawClient::connect(&front.ws()).await.unwrap();
            direct.send(&Upgrade::new("/").bytes()).await.unwrap();
            assert!(direct.head_or_end().await.unwrap().is_none(), "{kind}");
        }
    }
}
