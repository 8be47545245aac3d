//! Which carrier is taken: the gateway's own TLS where it passes, a WebSocket where it does not.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{Hop, Intermediary, Upstream};
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{EchoBackend, Endpoint, RawClient};
use wicketgate_testkit::tls::{Authority, Identity};

use super::{BINARY, PATIENCE, Site, echo, echoes, text};

/// A site whose gateway has a listener with TLS too, by an authority as a browser would know it.
pub(super) struct Public {
    pub(super) site: Site,
    pub(super) authority: Authority,
    pub(super) own: Identity,
    pub(super) port: Port,
}

impl Public {
    pub(super) fn new() -> Self {
        let authority = Authority::new().unwrap();
        let own = authority.localhost().unwrap();
        Self { site: Site::new(), own, authority, port: Port::free().unwrap() }
    }

    pub(super) fn config(&self, relay: &str, more: &str) -> String {
        let tls = format!(
            "listeners: [{{name: public, bind: {}, tls: {{certificates: [{{cert: {}, key: {}}}]}}}}, {{",
            self.port.addr(),
            self.own.certificate_file.display(),
            self.own.key_file.display()
        );
        let access = "access: [{clients: '*', agents: office, services: echo}]";
        let config = self.site.config(&format!("{access}\n  {relay}"));
        format!("{}{more}", config.replace("listeners: [{", &tls))
    }

    pub(super) async fn start(&self, relay: &str) -> Gateway {
        let config = self.config(relay, "");
        Gateway::start(BINARY, &config, Ready::port(self.port.addr())).await.unwrap()
    }

    /// A way to the gateway by way of whatever is at this address.
    pub(super) fn way(&self, at: SocketAddr, more: &str) -> String {
        let ca = self.authority.ca_file();
        format!("{{url: https://localhost:{}/relay, https: {{ca: {}}}{more}}}", at.port(), ca.display())
    }
}

/// What a sieve does with connections that speak the gateway's own TLS.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sieve {
    /// It lets them pass.
    Pass,
    /// It leaves them without an answer.
    Drop,
    /// It resets them.
    Reset,
}

/// Something on the way that looks at what a connection begins with, as firewalls do.
async fn sieve(gateway: SocketAddr) -> (SocketAddr, watch::Sender<Sieve>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (sender, rule) = watch::channel(Sieve::Drop);
    let serve = async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(sift(near, gateway, rule.clone()));
        }
    };
    (addr, sender, AbortOnDropHandle::new(tokio::spawn(serve)))
}

async fn sift(mut near: TcpStream, gateway: SocketAddr, rule: watch::Receiver<Sieve>) {
    let mut first = vec![0; 16 << 10];
    let Ok(length) = near.read(&mut first).await else { return };
    let first = &first[..length];
    let own = first.windows(12).any(|bytes| bytes == b"wicketgate/1");
    let rule = *rule.borrow();
    match rule {
        Sieve::Drop if own => {
            // As long as the other side waits.
            let _ = near.read(&mut [0; 1]).await;
        }
        Sieve::Reset if own => near.set_zero_linger().unwrap(),
        _ => {
            let mut far = TcpStream::connect(gateway).await.unwrap();
            far.write_all(first).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_listener_answers_both_carriers_a_websocket_route_and_https() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let backend = EchoBackend::start().await.unwrap();
    let routes = format!("upstreams: [{{name: chat, targets: ['ws://{}']}}]\n", backend.addr().unwrap());
    let config = public
        .config("", &routes)
        .replace("routes: [", "routes: [{name: chat, match: {path: /chat}, upstream: chat, websocket: {}}, ");
    let _gateway = Gateway::start(BINARY, &config, Ready::port(public.port.addr())).await.unwrap();
    let way = public.way(public.port.addr(), "");
    let agent = public.site.agent(&way, service).await;
    assert!(agent.output().contains("carrier=tls"), "{}", agent.output());
    let (client, address) = public.site.client(&way, "echo").await;
    assert!(client.output().contains("over tls"), "{}", client.output());
    echoes(address, 1 << 20, 1).await;
    drop(client);
    // Each endpoint chooses for itself.
    let forced = public.way(public.port.addr(), ", carriers: websocket");
    let (client, address) = public.site.client(&forced, "echo").await;
    assert!(client.output().contains("over websocket"), "{}", client.output());
    echoes(address, 1 << 20, 2).await;
    let endpoint = Endpoint::tls(public.port.addr(), public.authority.client(&["http/1.1"]).unwrap());
    let mut chat = RawClient::open(&endpoint, "/chat").await.unwrap();
    chat.echoes("hello").await.unwrap();
    let mut web = RawClient::connect(&endpoint).await.unwrap();
    web.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(web.response().await.unwrap().1, b"rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_taken_where_the_gateways_own_tls_does_not_pass() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let _gateway = public.start("").await;
    let _agent = public.site.agent(&public.way(public.port.addr(), ""), service).await;
    // A wall that ends TLS shows another certificate, and speaks no such protocol.
    let hop = Hop::to(Upstream::new(public.site.gateway.addr())).tls(&public.own);
    let wall = Intermediary::Haproxy.start(&hop).await.unwrap();
    let (addr, rule, _sieving) = sieve(public.port.addr()).await;
    for (name, at, does) in
        [("wall", wall.addr(), Sieve::Pass), ("drop", addr, Sieve::Drop), ("reset", addr, Sieve::Reset)]
    {
        rule.send_replace(does);
        let (client, address) = public.site.client(&public.way(at, ""), "echo").await;
        assert!(client.output().contains("over websocket"), "{name}: {}", client.output());
        timeout(PATIENCE, echoes(address, 1 << 20, 3)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_websocket_was_refused_for_is_said_where_the_gateways_own_tls_is_dropped() {
    let public = Public::new();
    let _gateway = public.start("carriers: tls").await;
    let (addr, _rule, _sieving) = sieve(public.port.addr()).await;
    let mut command = public.site.connect("alice", &public.way(addr, ""), "office", "echo");
    let refused = tokio::task::spawn_blocking(move || command.args(["--listen", "127.0.0.1:0"]).output());
    let said = text(&timeout(PATIENCE, refused).await.unwrap().unwrap().unwrap());
    assert!(said.contains("403"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_over_to_the_gateways_own_tls_once_that_passes() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let _gateway = public.start("").await;
    let (addr, rule, _sieving) = sieve(public.port.addr()).await;
    let agent = public.site.agent(&public.way(addr, ", retry_tls: 1s"), service).await;
    assert!(agent.output().contains("carrier=websocket"), "{}", agent.output());
    let (client, address) = public.site.client(&public.way(addr, ", retry_tls: 1s"), "echo").await;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    // Bytes are on their way all the time.
    let moving = tokio::spawn(async move {
        let mut seed = 0;
        while !stopped.is_cancelled() {
            seed += 1;
            echoes(address, 1 << 20, seed).await;
        }
    });
    rule.send_replace(Sieve::Pass);
    client.line("resumed over tls", PATIENCE).await.unwrap();
    stop.cancel();
    timeout(PATIENCE, moving).await.unwrap().unwrap();
    agent.line("carrier=tls", PATIENCE).await.unwrap();
    echoes(address, 1 << 20, 99).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_takes_the_kinds_of_carriers_that_it_is_told_to_take() {
    let (public, (service, _serving)) = (Public::new(), echo().await);
    let gateway = public.start("carriers: websocket").await;
    let way = public.way(public.port.addr(), "");
    let agent = public.site.agent(&way, service).await;
    assert!(agent.output().contains("carrier=websocket"), "{}", agent.output());
    let only_tls = public.way(public.port.addr(), ", carriers: tls");
    let refused =
        public.site.connect("alice", &only_tls, "office", "echo").args(["--listen", "127.0.0.1:0"]).output();
    assert_eq!(refused.unwrap().status.code(), Some(1));
    drop(agent);
    gateway.reload(&public.config("carriers: tls", ""), "configuration reloaded").await.unwrap();
    let agent = public.site.agent(&way, service).await;
    assert!(agent.output().contains("carrier=tls"), "{}", agent.output());
    let (_client, address) = public.site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let forced = public.way(public.port.addr(), ", carriers: websocket");
    let refused =
        public.site.connect("alice", &forced, "office", "echo").args(["--listen", "127.0.0.1:0"]).output();
    assert_eq!(refused.unwrap().status.code(), Some(1));
    // What the route asks of sessions it asks of carriers that come without a request.
    let config = public
        .config("carriers: tls", "")
        .replace("relay: on", "relay: on, admission: {networks: {deny: [127.0.0.0/8]}}");
    gateway.reload(&config, "configuration reloaded").await.unwrap();
    agent.line("no gateway", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_joins_over_the_gateways_own_tls_too() {
    let public = Public::new();
    let site = &public.site;
    let _gateway = public.start("carriers: tls\n  enrolment: {}").await;
    let url = format!("https://localhost:{}/relay", public.port.addr().port());
    // Of the site's authority, both know the gateway; none of the system's is asked.
    let _issuer = site.issuer_by(&url, &[]).await;
    let joined = site.join_by(&url, &["join"], &site.token("client", "bob"), &[]);
    assert!(joined.status.success(), "{}", text(&joined));
    let other = Site::new();
    let strange = site.join_by(&url, &["join"], &other.token("client", "bob"), &["--identity", "never"]);
    assert_eq!(strange.status.code(), Some(1), "{}", text(&strange));
    assert!(text(&strange).contains("no answer") || text(&strange).contains("TLS"), "{}", text(&strange));
    assert!(!site.path("never").exists());
}
