//! Services of an agent, reached by clients.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_testkit::peers::{Hop, Intermediary, Upstream};
use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::tls::Authority;

use super::{PATIENCE, Site, echo, echoes, pattern};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_reached_directly_and_through_walls_that_end_tls() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let authority = Authority::new().unwrap();
    let wall = authority.localhost().unwrap();
    let hop = Hop::to(Upstream::new(site.gateway.addr())).tls(&wall);
    let mut ways = vec![("directly".to_owned(), site.plain(site.gateway.addr()), None)];
    for kind in [Intermediary::Nginx, Intermediary::Haproxy, Intermediary::Caddy, Intermediary::Envoy] {
        let proxy = kind.start(&hop).await.unwrap();
        let url = format!("https://localhost:{}/relay", proxy.addr().port());
        let way = format!("{{url: {url}, https: {{ca: {}}}}}", authority.ca_file().display());
        ways.push((kind.to_string(), way, Some(proxy)));
    }
    for (name, way, _proxy) in &ways {
        let _agent = site.agent(way, service).await;
        let (client, address) = site.client(way, "echo").await;
        let carried = async {
            echoes(address, 1, 1).await;
            // Several at once in one session.
            let forwards: Vec<_> = (0..4).map(|seed| tokio::spawn(echoes(address, 1 << 20, seed))).collect();
            for forward in forwards {
                forward.await.unwrap();
            }
        };
        let carried = timeout(PATIENCE, carried).await;
        assert!(carried.is_ok(), "{name}: {}", client.output());
        assert!(client.output().contains("verified, encrypted end to end"), "{name}");
        assert!(client.stop().await.unwrap().success(), "{name}: a client that is told to stop ends well");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_streams_wait_and_end_nothing() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    let all = async {
        let forwards: Vec<_> = (0..300).map(|seed| tokio::spawn(echoes(address, 10_000, seed))).collect();
        for forward in forwards {
            forward.await.unwrap();
        }
    };
    assert!(timeout(PATIENCE, all).await.is_ok(), "{}", client.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input_and_output_are_carried_to_a_service() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let mut command = site.connect("alice", &way, "office", "echo");
    command.args(["--stdio", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let done = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let sent = pattern(300_000, 9);
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let want = sent.clone();
        let writer = std::thread::spawn(move || input.write_all(&sent).unwrap());
        let mut back = Vec::new();
        output.read_to_end(&mut back).unwrap();
        writer.join().unwrap();
        assert!(back == want, "{} bytes came back", back.len());
        child.wait().unwrap()
    });
    assert!(timeout(PATIENCE, done).await.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_services_are_reached_in_one_session_each_at_its_door() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (other, _other_serving) = greeting().await;
    let gateway =
        site.start_with("access: [{clients: alice, agents: office, services: [echo, greet, hidden]}]").await;
    let way = site.plain(site.gateway.addr());
    let agent = site
        .agent_with(&way, &format!("services: {{echo: {service}, greet: {other}, hidden: {other}}}"))
        .await;
    let mut command = site.connect("alice", &way, "office", "echo=127.0.0.1:0");
    command.args(["greet", "--socks", "127.0.0.1:0"]);
    let client = Process::spawn(command, Ready::Line("as SOCKS 5 names them".into())).await.unwrap();
    let at = |line: String| line.split_whitespace().find_map(|word| word.parse::<SocketAddr>().ok()).unwrap();
    let door = at(client.line("leads to echo of", PATIENCE).await.unwrap());
    timeout(PATIENCE, echoes(door, 100_000, 1)).await.unwrap();
    let socks = at(client.line("as SOCKS 5 names them", PATIENCE).await.unwrap());
    assert_eq!(asked(socks, &host("greet")).await, (0, b"hello".to_vec()));
    timeout(PATIENCE, echoes(door, 100_000, 2)).await.unwrap();
    // Not asked for, not there, an address, and no connection: its reply (RFC 1928 section 6), and the next one served.
    let address = [1, 127, 0, 0, 1, 0, 80].to_vec();
    for (target, reply) in [(host("hidden"), 4), (host("nobody"), 4), (address, 8)] {
        assert_eq!(asked(socks, &target).await, (reply, Vec::new()), "{target:?}");
    }
    let mut bind = TcpStream::connect(socks).await.unwrap();
    bind.write_all(&[&[5, 1, 0, 5, 2, 0][..], &host("greet")].concat()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, bind.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer[..4], [5, 0, 5, 7]);
    assert_eq!(asked(socks, &host("greet")).await, (0, b"hello".to_vec()));
    assert_eq!(agent.lines_with("invited"), 1, "one session: {}", agent.output());
    drop(gateway);
}

/// A service that says hello.
async fn greeting() -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serve = async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"hello").await;
        }
    };
    (addr, AbortOnDropHandle::new(tokio::spawn(serve)))
}

/// A SOCKS target by name, at port 80.
fn host(name: &str) -> Vec<u8> {
    [&[3, u8::try_from(name.len()).unwrap()], name.as_bytes(), &[0, 80]].concat()
}

/// Asks a SOCKS server for a connection; gives its reply, and what came behind it.
async fn asked(socks: SocketAddr, target: &[u8]) -> (u8, Vec<u8>) {
    let mut stream = TcpStream::connect(socks).await.unwrap();
    stream.write_all(&[&[5, 1, 0, 5, 1, 0][..], target].concat()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer[..3], [5, 0, 5]);
    (answer[3], answer.get(12..).unwrap_or_default().to_vec())
}
