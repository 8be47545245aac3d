//! Services of datagrams: a real name server, cuts under way, bounds, and peers that send what is no datagram.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_config::Problems;
use wicketgate_relay::client::config::RawClient;
use wicketgate_relay::client::connect;
use wicketgate_relay::endpoint::config::load;
use wicketgate_testkit::peers::dnsmasq::Dnsmasq;
use wicketgate_testkit::process::{Process, Ready};

use super::wire::Wire;
use super::{PATIENCE, Site, echo, echoes, text};

/// Sends a datagram again where it may have been dropped.
const AGAIN: Duration = Duration::from_millis(300);

/// What has come to a service, and how often.
type Came = Arc<Mutex<HashMap<Vec<u8>, u32>>>;

/// A service that sends each datagram back to where it came from.
async fn echo_datagrams() -> (SocketAddr, Came, AbortOnDropHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (addr, came) = (socket.local_addr().unwrap(), Came::default());
    let seen = came.clone();
    let serve = async move {
        let mut datagram = vec![0; 1 << 16];
        while let Ok((length, from)) = socket.recv_from(&mut datagram).await {
            *seen.lock().unwrap().entry(datagram[..length].to_vec()).or_default() += 1;
            let _ = socket.send_to(&datagram[..length], from).await;
        }
    };
    (addr, came, AbortOnDropHandle::new(tokio::spawn(serve)))
}

/// A client with an entrance for connections to `echo` and one for datagrams to `datagrams`, and the addresses of both.
async fn client(site: &Site, gateway: &str, more: &str) -> (Process, SocketAddr, SocketAddr) {
    let mut command = site.connect("alice", &format!("{gateway}\nudp: {more}"), "office", "echo=127.0.0.1:0");
    command.arg("datagrams=udp://127.0.0.1:0");
    let process = Process::spawn(command, Ready::Line("leads to datagrams".into())).await.unwrap();
    let at = async |service: &str, before: &str| {
        let line = process.line(&format!("leads to {service}"), PATIENCE).await.unwrap();
        let address = line.split_whitespace().find_map(|word| word.strip_prefix(before)?.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {line}"))
    };
    let (streams, datagrams) = (at("echo", "").await, at("datagrams", "udp://").await);
    (process, streams, datagrams)
}

async fn agent(
    site: &Site,
    gateway: &str,
    streams: SocketAddr,
    datagrams: SocketAddr,
    more: &str,
) -> Process {
    let services = format!("services: {{echo: {streams}, datagrams: 'udp://{datagrams}'}}\n{more}");
    site.agent_with(gateway, &services).await
}

const ACCESS: &str = "access: [{clients: alice, agents: office, services: [echo, datagrams]}]";

async fn socket(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(to).await.unwrap();
    socket
}

/// Asks until it is answered.
async fn answered(socket: &UdpSocket, asked: &[u8]) -> Vec<u8> {
    let mut back = vec![0; 1 << 16];
    let asking = async {
        loop {
            socket.send(asked).await.unwrap();
            if let Ok(length) = timeout(AGAIN, socket.recv(&mut back)).await {
                return length.unwrap();
            }
        }
    };
    let length = timeout(PATIENCE, asking).await.unwrap();
    back.truncate(length);
    back
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_answers_beside_connections_of_the_same_session() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let dnsmasq = Dnsmasq::start("host.example", "192.0.2.9").await.unwrap();
    let _gateway = site.start_with(ACCESS).await;
    let way = site.plain(site.gateway.addr());
    let _agent = agent(&site, &way, service, dnsmasq.addr(), "").await;
    let (_client, streams, datagrams) = client(&site, &way, "{}").await;
    let moving = tokio::spawn(echoes(streams, 16 << 20, 1));
    // A question for an address (RFC 1035, 4.1).
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04host\x07example\x00\x00\x01\x00\x01";
    for _ in 0..50 {
        // As resolvers do it: each question from a port of its own.
        let answer = answered(&socket(datagrams).await, question).await;
        assert!(answer.starts_with(b"\x12\x34") && answer.ends_with(&[192, 0, 2, 9]), "{answer:?}");
    }
    timeout(PATIENCE, moving).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_every_length_keep_their_borders() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (to, came, _echoing) = echo_datagrams().await;
    let _gateway = site.start_with(ACCESS).await;
    let way = site.plain(site.gateway.addr());
    let _agent = agent(&site, &way, service, to, "").await;
    let (_client, _, datagrams) = client(&site, &way, "{}").await;
    let (one, two) = (socket(datagrams).await, socket(datagrams).await);
    for length in [1, 0, 100, 1472, 9000, 65_507] {
        for (socket, seed) in [(&one, 1), (&two, 2)] {
            let sent = super::pattern(length, seed);
            assert!(answered(socket, &sent).await == sent, "{length}");
        }
    }
    assert_eq!(came.lock().unwrap().len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_repeats_no_datagram() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (to, came, _echoing) = echo_datagrams().await;
    let _gateway = site.start_with(ACCESS).await;
    let cuts = |seed: u64| (1..=6).map(move |number: u64| number * 150_007 + number * number * seed);
    let near = Wire::breaking(site.gateway.addr(), cuts(7_919)).await;
    let far = Wire::breaking(site.gateway.addr(), cuts(104_729)).await;
    let _agent = agent(&site, &site.plain(far.addr()), service, to, "").await;
    let (client, _, datagrams) = client(&site, &site.plain(near.addr()), "{}").await;
    let socket = socket(datagrams).await;
    let mut back = HashMap::<u64, u32>::new();
    let mut highest = None;
    // What comes twice, or late, would show.
    let mut came_back = |datagram: &[u8]| {
        let number = u64::from_be_bytes(datagram[..8].try_into().unwrap());
        assert!(highest < Some(number), "{number} after {highest:?}");
        highest = Some(number);
        *back.entry(number).or_default() += 1;
    };
    let mut datagram = vec![0; 1 << 16];
    let (mut number, mut lost) = (0_u64, 0);
    let sending = async {
        // Each number is sent once, and goes on while the way is broken.
        while (near.cuts_left(), far.cuts_left()) != (0, 0) || number < 500 {
            let sent = [&number.to_be_bytes()[..], &[7; 1200]].concat();
            socket.send(&sent).await.unwrap();
            number += 1;
            match timeout(Duration::from_millis(20), socket.recv(&mut datagram)).await {
                Ok(length) => {
                    assert_eq!(length.unwrap(), sent.len());
                    came_back(&datagram);
                }
                Err(_) => lost += 1,
            }
        }
    };
    timeout(2 * PATIENCE, sending).await.unwrap();
    while let Ok(length) = timeout(AGAIN, socket.recv(&mut datagram)).await {
        assert_eq!(length.unwrap(), 1208);
        came_back(&datagram);
    }
    assert!(client.lines_with("resumed") > 0, "{}", client.output());
    let came = came.lock().unwrap();
    assert!(came.values().all(|count| *count == 1) && back.values().all(|count| *count == 1));
    assert!(back.len() > 100, "{} of {number} came back, {lost} later than the next was sent", back.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn flows_are_bounded_in_number_and_the_quietest_makes_room() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (to, _came, _echoing) = echo_datagrams().await;
    let _gateway = site.start_with(ACCESS).await;
    let way = site.plain(site.gateway.addr());
    let agent = agent(&site, &way, service, to, "udp: {max_flows: 3}").await;
    let (_client, streams, datagrams) = client(&site, &way, "{max_flows: 4}").await;
    // More at once than there may be streams in a session, again and again: connections go on.
    for round in 0..10_u32 {
        let mut open = Vec::new();
        for number in 0..100_u32 {
            let socket = socket(datagrams).await;
            socket.send(&(round * 100 + number).to_be_bytes()).await.unwrap();
            open.push(socket);
        }
        echoes(streams, 100_000, u64::from(round)).await;
    }
    assert_eq!(answered(&socket(datagrams).await, b"after").await, b"after");
    // The client would have had one more.
    assert!(agent.output().contains("as many flows of UDP as it may have: 3"), "{}", agent.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_flow_ends_and_the_next_datagram_opens_another() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (to, _came, _echoing) = echo_datagrams().await;
    let _gateway = site.start_with(ACCESS).await;
    let way = site.plain(site.gateway.addr());
    let agent = agent(&site, &way, service, to, "").await;
    let (client, _, datagrams) = client(&site, &way, "{idle_timeout: 1s}").await;
    let socket = socket(datagrams).await;
    assert_eq!(answered(&socket, b"one").await, b"one");
    client.line("the flow has ended", PATIENCE).await.unwrap();
    assert_eq!(answered(&socket, b"two").await, b"two");
    assert_eq!(agent.lines_with("open for datagrams"), 2, "{}", agent.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_reached_by_what_it_speaks_and_by_whom_it_is_for() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (to, came, _echoing) = echo_datagrams().await;
    let rules = "access: [{clients: alice, agents: office, services: ['*']}]";
    let _gateway = site.start_with(rules).await;
    let way = site.plain(site.gateway.addr());
    let services = format!(
        "services: {{tcp: {service}, 'net-*': 'udp://127.0.0.*:{port}', mine: 'udp://{to}'}}
access: [{{clients: alice, services: [tcp, 'net-*', none]}}]",
        port = to.port()
    );
    let agent = site.agent_with(&way, &services).await;
    let reach = async |service: &str, at: &str| {
        let mut command = site.connect("alice", &way, "office", service);
        command.args(["--listen", at]);
        let process = Process::spawn(command, Ready::Line("leads to".into())).await.unwrap();
        let line = process.line("leads to", PATIENCE).await.unwrap();
        let word = line.split_whitespace().find_map(|word| word.trim_start_matches("udp://").parse().ok());
        (process, word.unwrap())
    };
    let (_client, address) = reach("net-1", "udp://127.0.0.1:0").await;
    assert_eq!(answered(&socket(address).await, b"by pattern").await, b"by pattern");
    for (service, at, why) in [
        ("tcp", "udp://127.0.0.1:0", "`tcp` is a service of TCP"),
        ("mine", "udp://127.0.0.1:0", "does not let alice reach `mine`"),
        ("none", "udp://127.0.0.1:0", "no service `none`"),
    ] {
        let (_client, address) = reach(service, at).await;
        socket(address).await.send(b"refused").await.unwrap();
        agent.line(why, PATIENCE).await.unwrap_or_else(|error| panic!("{why}: {error:#}"));
    }
    let (_client, address) = reach("net-1", "127.0.0.1:0").await;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
    agent.line("is a service of UDP: listen at udp://", PATIENCE).await.unwrap();
    assert!(!came.lock().unwrap().contains_key(&b"refused"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_datagram_ends_its_flow_reaches_nobody_and_the_next_one_is_served() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (to, came, _echoing) = echo_datagrams().await;
    let _gateway = site.start_with(ACCESS).await;
    let way = site.plain(site.gateway.addr());
    let agent = agent(&site, &way, service, to, "").await;
    // A client that speaks a flow's stream itself.
    let identity = site.path("alice");
    let config =
        site.dir.write("raw.yaml", format!("gateway: {way}\nidentity: {}\n", identity.display())).unwrap();
    let (config, _) = load(&config, |raw: RawClient, problems: &mut Problems| raw.check(problems)).unwrap();
    let services = vec!["datagrams".to_owned()];
    let session = connect(&config, "office", services, Arc::new(|_| {})).await.unwrap();
    for bytes in [
        // Longer than any datagram; announced and never sent; an end in the midst of one.
        [&[0xff, 0xff][..], &[1; 5000]].concat(),
        vec![0xff, 0xe4],
        [&[0, 200][..], &[2; 100]].concat(),
        vec![0],
    ] {
        let (mut near, mut far) = duplex(1 << 16);
        let attack = async {
            near.write_all(&bytes).await.unwrap();
            near.shutdown().await.unwrap();
            let mut back = Vec::new();
            let _ = near.read_to_end(&mut back).await;
            back
        };
        let ended =
            timeout(PATIENCE, async { tokio::join!(session.forward("udp:datagrams", &mut far), attack) });
        let (_, back) = ended.await.unwrap();
        assert!(back.is_empty(), "{back:?}");
    }
    assert!(came.lock().unwrap().is_empty(), "{:?}", came.lock().unwrap());
    // The agent may write it after the stream has ended.
    agent.more_lines("the flow: ", 3, PATIENCE).await.unwrap();
    // In the same session, and in another.
    let (mut near, mut far) = duplex(1 << 16);
    let honest = async {
        near.write_all(b"\x00\x06honest").await.unwrap();
        let mut back = [0; 8];
        near.read_exact(&mut back).await.unwrap();
        near.shutdown().await.unwrap();
        back
    };
    let (_, back) =
        timeout(PATIENCE, async { tokio::join!(session.forward("udp:datagrams", &mut far), honest) })
            .await
            .unwrap();
    assert_eq!(&back, b"\x00\x06honest");
    let (_client, _, datagrams) = client(&site, &way, "{}").await;
    assert_eq!(answered(&socket(datagrams).await, b"next").await, b"next");
}

#[test]
fn bounds_outside_their_range_are_refused() {
    let site = Site::new();
    for (bounds, says) in [("{max_flows: 33}", "max_flows"), ("{idle_timeout: 2h}", "idle_timeout")] {
        let gateway = format!("{}\nudp: {bounds}", site.plain(site.gateway.addr()));
        let output = site.connect("alice", &gateway, "office", "dns").arg("--check").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(says), "{}", text(&output));
    }
}
