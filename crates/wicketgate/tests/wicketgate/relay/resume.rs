//! Sessions outlive what carries them: no byte is lost, none comes twice, and nobody has to do anything.

use tokio::time::timeout;
use wicketgate_testkit::peers::{Hop, Intermediary, Upstream};
use wicketgate_testkit::process::Signal;
use wicketgate_testkit::tls::Authority;

use super::wire::Wire;
use super::{PATIENCE, Site, echo, echoes};

/// What is moved while things break, in bytes each way.
const LENGTH: usize = 32 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_killed_gateway() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let mut gateway = site.start().await;
    let wire = Wire::to(site.gateway.addr()).await;
    let agent = site.agent(&site.plain(site.gateway.addr()), service).await;
    let (client, address) = site.client(&site.plain(wire.addr()), "echo").await;
    let moved = tokio::spawn(echoes(address, LENGTH, 3));
    for _ in 0..3 {
        wire.carries(wire.carried() + (8 << 20)).await;
        let resumed = client.lines_with("resumed");
        gateway.process().signal(Signal::KILL).unwrap();
        drop(gateway);
        gateway = site.start().await;
        client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    }
    let moved = timeout(PATIENCE, moved).await;
    assert!(moved.is_ok_and(|moved| moved.is_ok()), "{}\n{}", client.output(), agent.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_cuts_on_either_side() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    // Odd lengths, so that every kind of record is cut somewhere.
    let cuts = |seed: u64| (1..=8).map(move |number: u64| number * 3_300_007 + number * number * seed);
    let near = Wire::breaking(site.gateway.addr(), cuts(7_919)).await;
    let far = Wire::breaking(site.gateway.addr(), cuts(104_729)).await;
    let agent = site.agent(&site.plain(far.addr()), service).await;
    let (client, address) = site.client(&site.plain(near.addr()), "echo").await;
    let moved = timeout(2 * PATIENCE, tokio::spawn(echoes(address, LENGTH, 5))).await;
    let left = (near.cuts_left(), far.cuts_left());
    assert!(moved.is_ok_and(|moved| moved.is_ok()), "{left:?} {}\n{}", client.output(), agent.output());
    assert_eq!(left, (0, 0), "every cut was made");
    assert!(client.lines_with("resumed") > 0, "{}", client.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_a_killed_wall_that_ends_tls() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let authority = Authority::new().unwrap();
    let wall = authority.localhost().unwrap();
    let hop = Hop::to(Upstream::new(site.gateway.addr())).tls(&wall);
    let mut near = Intermediary::Nginx.start(&hop).await.unwrap();
    let wire = Wire::to(near.addr()).await;
    let way = format!(
        "{{url: https://localhost:{}/relay, https: {{ca: {}}}}}",
        wire.addr().port(),
        authority.ca_file().display()
    );
    let _agent = site.agent(&site.plain(site.gateway.addr()), service).await;
    let (client, address) = site.client(&way, "echo").await;
    let moved = tokio::spawn(echoes(address, LENGTH, 11));
    for _ in 0..2 {
        wire.carries(wire.carried() + (8 << 20)).await;
        let resumed = client.lines_with("resumed");
        drop(near);
        near = Intermediary::Nginx.start(&hop).await.unwrap();
        wire.lead_to(near.addr());
        client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    }
    let moved = timeout(PATIENCE, moved).await;
    assert!(moved.is_ok_and(|moved| moved.is_ok()), "{}", client.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_an_agent_that_was_started_anew_ends_with_that_word() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let _gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (mut client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    agent.signal(Signal::KILL).unwrap();
    drop(agent);
    let again = site.agent(&way, service).await;
    let status = client.wait(PATIENCE).await.unwrap_or_else(|error| panic!("{error:#}\n{}", again.output()));
    assert_eq!(status.code(), Some(1));
    client.line("agent_restarted", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_waits_for_a_gateway() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let way = site.plain(site.gateway.addr());
    let gateway = site.start().await;
    let agent = site.agent(&way, service).await;
    gateway.process().signal(Signal::KILL).unwrap();
    drop(gateway);
    agent.line("no gateway", PATIENCE).await.unwrap();
    let _gateway = site.start().await;
    agent.more_lines("connected", 1, PATIENCE).await.unwrap();
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
}
