//! Who is not let in, and what each is told.

use std::process::Command;

use wicketgate_testkit::process::{Process, Ready};
use wicketgate_testkit::raw::{Endpoint, RawClient};

use super::{BINARY, PATIENCE, Site, echo, echoes};

#[tokio::test(flavor = "multi_thread")]
async fn what_no_rule_allows_is_refused_and_says_which() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    site.issue("client", "mallory");
    let _gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let access = "access: [{clients: alice, services: [echo, absent]}]";
    let _agent =
        site.agent_with(&way, &format!("services: {{echo: {service}, hidden: {service}}}\n{access}")).await;
    let told = site.refused("mallory", "office", "echo");
    assert!(told.contains("the gateway does not let mallory reach `echo` of office"), "{told}");
    // Who may not reach an agent does not learn whether there is one.
    let told = site.refused("mallory", "nowhere", "echo");
    assert!(told.contains("the gateway does not let mallory reach `echo` of nowhere"), "{told}");
    let told = site.refused("alice", "office", "other");
    assert!(told.contains("the gateway does not let alice reach `other` of office"), "{told}");
    let told = site.refused("alice", "no/name", "echo");
    assert!(told.contains("is the name of no agent"), "{told}");
    // The agent has the last word, and it is not the gateway's to give.
    for (service, why) in [
        ("hidden", "the agent does not let alice reach `hidden`"),
        ("absent", "the agent has no service `absent`"),
    ] {
        let (client, address) = site.client(&way, service).await;
        assert!(refuses(address).await, "{service}");
        client.line(why, PATIENCE).await.unwrap();
    }
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
}

/// Whether a connection is ended without a byte.
pub(super) async fn refuses(address: std::net::SocketAddr) -> bool {
    use tokio::io::AsyncReadExt;
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_not_there_is_named() {
    let site = Site::new();
    let _gateway = site.start().await;
    let told = site.refused("alice", "office", "echo");
    assert!(told.contains("the agent office is not connected to the gateway"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_parties_are_let_in_nowhere() {
    let (site, other, (service, _serving)) = (Site::new(), Site::new(), echo().await);
    let gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    // Their client, with certificates of their own authority, at our gateway.
    let mut command = other.connect("alice", &way, "office", "echo");
    command.args(["--listen", "127.0.0.1:0"]);
    let client = Process::spawn(command, Ready::Line("is no gateway of this site".into())).await.unwrap();
    drop(client);
    gateway.log("relay_identity").await.unwrap();
    // One who trusts our authority, and has a certificate of another that bears the same names.
    let mixed = site.path("mixed");
    std::fs::create_dir(&mixed).unwrap();
    for (from, name) in [(&site, "authority.pem"), (&other, "certificate.pem"), (&other, "key.pem")] {
        std::fs::copy(from.path("alice").join(name), mixed.join(name)).unwrap();
    }
    let output =
        site.connect("mixed", &way, "office", "echo").args(["--listen", "127.0.0.1:0"]).output().unwrap();
    let told = super::text(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("certificate.pem") && told.contains("wicketgate ca issue"), "{told}");
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_too_old_is_told_both_versions_and_the_remedy() {
    let site = Site::new();
    let _gateway = site.start_with("minimum_version: 9.0.0").await;
    let way = site.plain(site.gateway.addr());
    let config = format!(
        "gateway: {way}\nidentity: {}\nservices: {{echo: 127.0.0.1:1}}\n",
        site.path("office").display()
    );
    let config = site.dir.write("agent.yaml", config).unwrap();
    let mut command = Command::new(BINARY);
    command.arg("agent").arg("--config").arg(config);
    let agent = Process::spawn(command, Ready::Line("no gateway".into())).await.unwrap();
    let line = agent.line("no gateway", PATIENCE).await.unwrap();
    let own = env!("CARGO_PKG_VERSION");
    assert!(line.contains(own) && line.contains("9.0.0") && line.contains("update the endpoint"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_carrier_is_refused_and_the_next_one_served() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let gateway = site
        .start_with("handshake_timeout: 1s\n  access: [{clients: alice, agents: office, services: echo}]");
    let gateway = gateway.await;
    let endpoint = Endpoint::plain(site.gateway.addr());
    let plain = RawClient::open(&endpoint, "/relay").await;
    assert!(plain.is_err(), "a WebSocket without the subprotocol");
    for (bytes, label) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "relay_preamble"),
        (b"WGR\x01\xff\xff", "relay_preamble"),
        (b"WGR\x01\x00\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "relay_ticket_forged"),
        (b"\x16\x03\x01\x00\x05hello", "relay_identity"),
        (b"", "relay_late"),
    ] {
        let mut client = RawClient::connect(&endpoint).await.unwrap();
        client
            .send(
                b"GET /relay HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                  Sec-WebSocket-Protocol: wicketgate.v1\r\n\r\n",
            )
            .await
            .unwrap();
        // A binary frame, masked by zeros.
        let mut frame = vec![0x82, 0x80 | u8::try_from(bytes.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(bytes);
        client.send(&frame).await.unwrap();
        gateway.log(label).await.unwrap();
    }
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
}

#[test]
fn a_wrong_configuration_is_told_whole_with_places_and_remedies() {
    let site = Site::new();
    let config = format!(
        "gateway: {{url: ftp://remote.example/relay}}\nidentity: {}\nservices:\n  ssh: localhost\n  'a b': 127.0.0.1:1\naccess:\n  - {{clients: [], services: '*'}}\nmax_sessions: 0\n",
        site.path("alice").display()
    );
    let path = site.dir.write("agent.yaml", config).unwrap();
    let output = Command::new(BINARY).args(["agent", "--check", "--config"]).arg(&path).output().unwrap();
    let told = super::text(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    for part in [
        "agent.yaml:1:16",
        "`ftp://remote.example/relay` is no gateway",
        "agent.yaml:2:11",
        "`spiffe://site.example/client/alice` is the name of no agent",
        "wicketgate ca issue agent NAME",
        "agent.yaml:4:8",
        "`localhost` is no address",
        "no service is named `a b`",
        "this rule names no clients",
        "max_sessions",
    ] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
}
