//! The bounds that endpoints are given, and what a person sees of a session.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wicketgate_testkit::process::{Process, Ready};

use super::{PATIENCE, Site, echo, echoes};

/// A client with these keys in its configuration, and these arguments, and where it listens.
async fn client(site: &Site, keys: &str, arguments: &[&str]) -> (Process, SocketAddr) {
    let gateway = format!("{}\n{keys}", site.plain(site.gateway.addr()));
    let mut command = site.connect("alice", &gateway, "office", "echo");
    command.args(arguments);
    let process = Process::spawn(command, Ready::Line("leads to".into())).await.unwrap();
    let line = process.line("leads to", PATIENCE).await.unwrap();
    let address = line.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    (process, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_connection_ends_after_its_grace() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let gateway = site.start().await;
    let _agent = site.agent(&site.plain(site.gateway.addr()), service).await;
    let (client, address) = client(&site, "session: {grace: 1s}", &["--listen", "127.0.0.1:0"]).await;
    echoes(address, 1000, 1).await;
    drop(gateway);
    client.line("no carrier was attached for too long", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn small_buffers_carry_whatever_comes() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let keys = "session: {buffer: 64KiB, ahead: 4KiB, unread: 32MiB}";
    let services = format!("services: {{echo: {service}}}\n{keys}");
    let _agent = site.agent_with(&site.plain(site.gateway.addr()), &services).await;
    let (client, address) = client(&site, keys, &["--listen", "127.0.0.1:0"]).await;
    let carried = timeout(PATIENCE, echoes(address, 4 << 20, 7)).await;
    assert!(carried.is_ok(), "{}", client.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_says_where_it_wants_to_go_is_let_go() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let _agent = site.agent(&site.plain(site.gateway.addr()), service).await;
    let (_client, address) = client(&site, "session: {ask_timeout: 1s}", &["--socks", "127.0.0.1:0"]).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let end = timeout(PATIENCE, silent.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    // The next one is served.
    let mut honest = TcpStream::connect(address).await.unwrap();
    honest.write_all(b"\x05\x01\x00\x05\x01\x00\x03\x04echo\x00\x50hello").await.unwrap();
    let mut answer = [0; 2 + 10 + 5];
    timeout(PATIENCE, honest.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!((&answer[..4], &answer[12..]), (&b"\x05\x00\x05\x00"[..], &b"hello"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_shows_what_goes_each_way() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let _agent = site.agent(&site.plain(site.gateway.addr()), service).await;
    let (client, address) = client(&site, "", &["--progress", "--listen", "127.0.0.1:0"]).await;
    echoes(address, 3 << 20, 7).await;
    let line = client.line("wicketgate: down", PATIENCE).await.unwrap();
    let shown: Vec<_> = line.split("; up ").collect();
    assert!(shown.len() == 2 && shown.iter().all(|way| way.ends_with("3.0 MiB")), "{line}");
}
