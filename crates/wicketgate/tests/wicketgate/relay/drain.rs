//! A gateway that is to end: sessions go on elsewhere before it lets go of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::{Ready, Signal};

use super::wire::Wire;
use super::{BINARY, PATIENCE, Site, echo, echoes};

const ACCESS: &str = "access: [{clients: alice, agents: office, services: [echo]}]";
/// No pause of a stream is as long: what it takes to be cut off, to rest and to dial is less on this machine, and what a machine that
/// others use stands still for is, too.
const PAUSE: Duration = Duration::from_secs(3);

/// Until a session has left a gateway that tells it to: sessions do so within two seconds.
const TOLD: Duration = Duration::from_secs(4);

/// Sends a little and waits for it to come back, again and again; gives how long the longest exchange took.
async fn exchanges(service: SocketAddr, stop: CancellationToken) -> Duration {
    let mut stream = TcpStream::connect(service).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut longest, mut number) = (Duration::ZERO, 0_u64);
    while !stop.is_cancelled() {
        let start = Instant::now();
        stream.write_all(&number.to_be_bytes()).await.unwrap();
        assert_eq!(stream.read_u64().await.unwrap(), number);
        longest = longest.max(start.elapsed());
        number += 1;
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_over_to_a_successor_long_before_the_gateway_ends_them() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let socket = site.path("handover.sock");
    let config = site.config(ACCESS).replace("drain: {timeout: 1s}", "drain: {timeout: 60s}");
    // It would let them go on for half a minute.
    let config = format!("{config}runtime: {{handover: {}}}\n", socket.display());
    let gateway = Gateway::start(BINARY, &config, Ready::port(site.gateway.addr())).await.unwrap();
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    let stop = CancellationToken::new();
    let exchanging = tokio::spawn(exchanges(address, stop.clone()));
    let start = Instant::now();
    let _successor = gateway.successor(Ready::Line("listening sockets taken over".into())).await.unwrap();
    client.line("resumed", PATIENCE).await.unwrap();
    gateway.process().line("drained", PATIENCE).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    agent.more_lines("connected", 1, PATIENCE).await.unwrap();
    echoes(address, 1 << 20, 1).await;
    stop.cancel();
    let longest = timeout(PATIENCE, exchanging).await.unwrap().unwrap();
    eprintln!("the longest exchange: {longest:?}");
    assert!(longest < PAUSE, "{longest:?}: {}\n{}", client.output(), agent.output());
    // Whoever comes now is served too.
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_over_to_another_gateway_when_theirs_is_told_to_stop() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let other = Port::free().unwrap();
    let config = site.config(ACCESS).replace("drain: {timeout: 1s}", "drain: {timeout: 20s}");
    let there = config
        .replace(&site.gateway.addr().to_string(), &other.addr().to_string())
        .replace("admin.sock", "other.sock");
    let gateway = Gateway::start(BINARY, &config, Ready::port(site.gateway.addr())).await.unwrap();
    let _other = Gateway::start(BINARY, &there, Ready::port(other.addr())).await.unwrap();
    // A balancer between both.
    let balancer = Wire::to(site.gateway.addr()).await;
    let way = site.plain(balancer.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    let stop = CancellationToken::new();
    let exchanging = tokio::spawn(exchanges(address, stop.clone()));
    balancer.lead_to(other.addr());
    gateway.process().signal(Signal::TERM).unwrap();
    // Told to go, it goes; otherwise it would be let go after five seconds, and come back by itself.
    client.line("resumed", TOLD).await.unwrap();
    gateway.process().line("drained", PATIENCE).await.unwrap();
    agent.more_lines("connected", 1, PATIENCE).await.unwrap();
    echoes(address, 1 << 20, 1).await;
    stop.cancel();
    let longest = timeout(PATIENCE, exchanging).await.unwrap().unwrap();
    eprintln!("the longest exchange: {longest:?}");
    assert!(longest < PAUSE, "{longest:?}: {}\n{}", client.output(), agent.output());
}
