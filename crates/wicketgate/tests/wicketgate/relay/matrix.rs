//! The same agent and client through the middleboxes of the trade, and the page that says how that went.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::timeout;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::{Hop, Intermediary, Proxy, Upstream};
use wicketgate_testkit::process::{Ready, Signal};
use wicketgate_testkit::tls::{Authority, Identity};

use super::{BINARY, PATIENCE, SecondHalf, Site, echo, echoes, echoes_across};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/relay-matrix.md");
/// How long one cell of the table may take.
const CELL: Duration = Duration::from_secs(120);
/// How long a session may take to be carried again, with a middlebox that starts slowly and waits that have grown.
const OUTAGE: Duration = Duration::from_secs(60);
/// Longer than nginx, HAProxy, Apache and Varnish let a connection be silent: 50 or 60 s.
const SILENCE: Duration = Duration::from_secs(75);

/// A row of the table: what ends TLS towards the endpoints.
#[derive(Clone, Copy)]
enum Middlebox {
    None,
    /// By itself.
    Alone(Intermediary),
    /// By itself, and it takes HTTP/2 too.
    WithHttp2(Intermediary),
    /// With HAProxy in front to end TLS and, where the gateway is to get it again, behind to begin it.
    BetweenHaproxies(Intermediary),
}

const ROWS: [(&str, Middlebox); 9] = [
    ("none", Middlebox::None),
    ("nginx", Middlebox::Alone(Intermediary::Nginx)),
    ("nginx with ModSecurity and the OWASP Core Rule Set", Middlebox::Alone(Intermediary::NginxModsecurity)),
    ("HAProxy", Middlebox::Alone(Intermediary::Haproxy)),
    ("HAProxy with `alpn h2,http/1.1`", Middlebox::WithHttp2(Intermediary::Haproxy)),
    ("Apache httpd", Middlebox::Alone(Intermediary::Apache)),
    ("Caddy", Middlebox::Alone(Intermediary::Caddy)),
    ("Varnish behind HAProxy", Middlebox::BetweenHaproxies(Intermediary::Varnish)),
    ("Envoy", Middlebox::Alone(Intermediary::Envoy)),
];

impl Middlebox {
    fn version(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Alone(kind) | Self::WithHttp2(kind) | Self::BetweenHaproxies(kind) => {
                kind.version().unwrap()
            }
        }
    }
}

/// A column of the table: what is spoken to the gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hops {
    Plain,
    Reencrypted,
}

/// A site whose gateway is spoken to as a column says.
struct Column {
    site: Site,
    hops: Hops,
    authority: Authority,
    identity: Identity,
}

/// What runs between the endpoints for one cell.
struct Running {
    gateway: Gateway,
    middlebox: Option<Proxy>,
    /// What stands before and behind the middlebox.
    _beside: Vec<Proxy>,
    /// What endpoints are told of the way.
    way: String,
}

impl Column {
    fn new(hops: Hops) -> Self {
        let authority = Authority::new().unwrap();
        let identity = authority.localhost().unwrap();
        Self { site: Site::new(), hops, authority, identity }
    }

    async fn gateway(&self) -> Gateway {
        let mut config = self.site.config("access: [{clients: alice, agents: office, services: echo}]");
        if self.hops == Hops::Reencrypted {
            let (cert, key) = (self.identity.certificate_file.display(), self.identity.key_file.display());
            let tls = format!(", tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}]");
            config = config.replacen("}]", &tls, 1);
        }
        Gateway::start(BINARY, &config, Ready::port(self.site.gateway.addr())).await.unwrap()
    }

    fn upstream(&self) -> Upstream {
        let upstream = Upstream::new(self.site.gateway.addr());
        match self.hops {
            Hops::Plain => upstream,
            Hops::Reencrypted => upstream.tls(&self.authority),
        }
    }

    fn way(&self, addr: SocketAddr) -> String {
        let ca = self.authority.ca_file();
        format!("{{url: https://localhost:{}/relay, https: {{ca: {}}}}}", addr.port(), ca.display())
    }

    async fn start(&self, middlebox: Middlebox) -> Running {
        let gateway = self.gateway().await;
        let hop = Hop::to(self.upstream()).own_timeouts();
        let secure = hop.clone().tls(&self.identity);
        let (way, middlebox, beside) = match middlebox {
            Middlebox::None if self.hops == Hops::Plain => {
                (self.site.plain(self.site.gateway.addr()), None, vec![])
            }
            Middlebox::None => (self.way(self.site.gateway.addr()), None, vec![]),
            Middlebox::Alone(kind) => {
                let proxy = kind.start(&secure).await.unwrap();
                (self.way(proxy.addr()), Some(proxy), vec![])
            }
            Middlebox::WithHttp2(kind) => {
                let proxy = kind.start(&secure.http2()).await.unwrap();
                (self.way(proxy.addr()), Some(proxy), vec![])
            }
            Middlebox::BetweenHaproxies(kind) => {
                let mut beside = Vec::new();
                let mut behind = self.site.gateway.addr();
                if self.hops == Hops::Reencrypted {
                    let back = Intermediary::HaproxyTcp.start(&hop).await.unwrap();
                    behind = back.addr();
                    beside.push(back);
                }
                let proxy = kind.start(&Hop::plain(behind).own_timeouts()).await.unwrap();
                let front = Hop::plain(proxy.addr()).own_timeouts().tls(&self.identity);
                let front = Intermediary::Haproxy.start(&front).await.unwrap();
                let way = self.way(front.addr());
                beside.push(front);
                (way, Some(proxy), beside)
            }
        };
        Running { gateway, middlebox, _beside: beside, way }
    }
}

impl Running {
    /// Kills the middlebox, or where there is none the gateway; starts it again when the second half may go.
    async fn outage(self, column: &Column, second: SecondHalf) -> Self {
        match self.middlebox {
            Some(proxy) => {
                let down = proxy.kill().await.unwrap();
                second.send(()).unwrap();
                Self { middlebox: Some(down.start().await.unwrap()), ..self }
            }
            None => {
                self.gateway.process().signal(Signal::KILL).unwrap();
                drop(self.gateway);
                second.send(()).unwrap();
                Self { gateway: column.gateway().await, ..self }
            }
        }
    }
}

/// What is moved in a cell.
#[derive(Clone, Copy)]
struct Extent {
    bytes: usize,
    outages: usize,
}

async fn cell(column: Arc<Column>, middlebox: Middlebox, extent: Extent, passes: Arc<AtomicBool>) {
    let (service, _serving) = echo().await;
    let mut running = column.start(middlebox).await;
    let agent = column.site.agent(&running.way, service).await;
    let (client, address) = column.site.client(&running.way, "echo").await;
    echoes(address, extent.bytes, 1).await;
    assert_eq!(client.lines_with("dialling again"), 0, "{}", client.output());
    passes.store(true, Ordering::Relaxed);
    for _ in 0..extent.outages {
        let resumed = client.lines_with("resumed");
        let across = echoes_across(address, 1 << 20, |second| running.outage(&column, second));
        running = timeout(OUTAGE, across)
            .await
            .unwrap_or_else(|_| panic!("still not resumed: {}\n{}", client.output(), agent.output()));
        client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    }
    assert!(client.stop().await.unwrap().success());
}

/// The cells of a column, from top to bottom.
async fn cells(hops: Hops, extent: Extent) -> Vec<&'static str> {
    let column = Arc::new(Column::new(hops));
    let mut results = Vec::new();
    for (name, middlebox) in ROWS {
        let (start, passes) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        // In a task of its own: what panics is one cell, and the others are still filled.
        let done = spawn_local(timeout(CELL, cell(column.clone(), middlebox, extent, passes.clone())));
        let resumes = matches!(done.await, Ok(Ok(())));
        let result = match (passes.load(Ordering::Relaxed), resumes) {
            (_, true) => "passes, resumes",
            (true, false) => "passes, does not resume",
            (false, false) => "does not pass",
        };
        println!("{name}: {result}, {} ms", start.elapsed().as_millis());
        results.push(result);
    }
    results
}

fn page(plain: &[&str], reencrypted: &[&str]) -> String {
    let mut text = String::from(
        "# Middleboxes that private sessions pass

Written by `UPDATE_GOLDEN=1 cargo xtask test -- --test wicketgate relay::matrix`; do not edit. Every run of the tests compares it with what it sees.

Each middlebox ends TLS of agent and client, has the timeouts it has by default (HAProxy: those that Debian configures), and speaks HTTP to the gateway,
plain or in TLS of its own. Agent and client are the same everywhere, but for the URL. *Passes*: bytes came back from a service as they were sent.
*Resumes*: the middlebox was killed and started again in the middle of a transfer, and no byte was lost or came twice. In the first row nothing is between them,
and the gateway is killed.

`cargo xtask test --all` moves 32 MiB, kills four times, and leaves sessions silent for 75 s, which is longer than what nginx, HAProxy, Apache and Varnish
allow a connection.

| middlebox | version | plain HTTP to the gateway | TLS to the gateway |
|---|---|---|---|
",
    );
    for ((name, middlebox), (plain, reencrypted)) in ROWS.iter().zip(plain.iter().zip(reencrypted)) {
        writeln!(text, "| {name} | {} | {plain} | {reencrypted} |", middlebox.version()).unwrap();
    }
    text
}

/// The page without the versions, which are those of whoever wrote it.
fn versionless(page: &str) -> String {
    let line = |line: &str| match line.split('|').collect::<Vec<_>>()[..] {
        ["", name, _, plain, reencrypted, ""] => format!("|{name}|{plain}|{reencrypted}|"),
        _ => line.to_owned(),
    };
    page.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn all() -> bool {
    std::env::var_os("WICKETGATE_TEST_ALL").is_some()
}

/// With `UPDATE_GOLDEN=1` the page is written anew.
#[tokio::test(flavor = "multi_thread")]
async fn agent_and_client_pass_what_the_page_says() {
    let extent =
        if all() { Extent { bytes: 32 << 20, outages: 4 } } else { Extent { bytes: 1 << 20, outages: 1 } };
    let both = async { tokio::join!(cells(Hops::Plain, extent), cells(Hops::Reencrypted, extent)) };
    let (plain, reencrypted) = LocalSet::new().run_until(both).await;
    let seen = page(&plain, &reencrypted);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PAGE, &seen).unwrap();
    }
    assert_eq!(versionless(&seen), versionless(&std::fs::read_to_string(PAGE).unwrap()));
}

/// The endpoints say that they are there before a middlebox loses its patience.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_session_outlives_the_patience_of_middleboxes() {
    if !all() {
        println!("left out without WICKETGATE_TEST_ALL=1: {SILENCE:?} of silence");
        return;
    }
    let (local, mut silent) = (LocalSet::new(), JoinSet::new());
    for (name, middlebox) in ROWS {
        silent.spawn_local_on(stays_silent(name, middlebox), &local);
    }
    let all = async {
        while let Some(done) = silent.join_next().await {
            done.unwrap();
        }
    };
    local.run_until(all).await;
}

async fn stays_silent(name: &str, middlebox: Middlebox) {
    let (column, (service, _serving)) = (Column::new(Hops::Plain), echo().await);
    let running = column.start(middlebox).await;
    let agent = column.site.agent(&running.way, service).await;
    let (client, address) = column.site.client(&running.way, "echo").await;
    echoes(address, 1000, 1).await;
    let broken = client.line("dialling again", SILENCE).await;
    assert!(broken.is_err(), "{name}: {}", client.output());
    echoes(address, 1000, 2).await;
    assert_eq!(agent.lines_with("no gateway"), 0, "{name}: {}", agent.output());
    assert!(client.stop().await.unwrap().success(), "{name}");
}
