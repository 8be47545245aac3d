//! Services of an agent, reached by clients.

use std::io::{Read, Write};
use std::process::Stdio;

use tokio::time::timeout;
use wicketgate_testkit::peers::{Hop, Intermediary, Upstream};
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
