//! Certificates that the authority takes back, and names that a gateway's operator does.

use super::{PATIENCE, Site, echo, echoes};

const ACCESS: &str = "access: [{clients: '*', agents: office, services: echo}]";

/// A site whose list of revocations holds a certificate of nobody.
fn site() -> (Site, String) {
    let site = Site::new();
    site.issue("client", "bob");
    site.ca(&["revoke", "4a01"]);
    let list = site.path("ca").join("revoked.pem");
    let relay = format!("{ACCESS}\n  revocations: {{list: {}}}", list.display());
    (site, relay)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_clients_sessions_end_and_it_gets_no_other() {
    let ((site, relay), (service, _serving)) = (site(), echo().await);
    let gateway = site.start_with(&relay).await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let revoked = site.ca(&["revoke", "alice/certificate.pem"]);
    assert!(revoked.contains("2 certificates revoked"), "{revoked}");
    gateway.log("list of revocations replaced").await.unwrap();
    client.line("revoked", PATIENCE).await.unwrap();
    assert!(site.refused("alice", "office", "echo").contains("revoked"));
    // Others are not concerned.
    assert!(site.reaches("bob", &way, "echo").await);
    let other = site.issue("client", "alice2");
    assert!(other.contains("serial"), "{other}");
    assert!(site.reaches("alice2", &way, "echo").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_agents_sessions_end_and_it_is_not_let_in_again() {
    let ((site, relay), (service, _serving)) = (site(), echo().await);
    let _gateway = site.start_with(&relay).await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    site.ca(&["revoke", "office/certificate.pem"]);
    client.line("revoked", PATIENCE).await.unwrap();
    agent.line("is revoked", PATIENCE).await.unwrap();
    assert!(site.refused("bob", "office", "echo").contains("not connected"));
}

/// A gateway that has gone over to somebody else may let in whom it likes: the other end does not.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_refuses_a_revoked_client_that_the_gateway_lets_in() {
    let ((site, relay), (service, _serving)) = (site(), echo().await);
    let gateway = site.start_with(&relay).await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    site.ca(&["revoke", "alice/certificate.pem"]);
    gateway.log("list of revocations replaced").await.unwrap();
    assert!(site.refused("alice", "office", "echo").contains("revoked"));
    // The agent has been told: a later message has come over the same connection.
    assert!(site.reaches("bob", &way, "echo").await);
    gateway.reload(&site.config(ACCESS), "configuration reloaded").await.unwrap();
    assert!(!site.reaches("alice", &way, "echo").await);
    agent.line("the client is revoked", PATIENCE).await.unwrap();
    assert!(site.reaches("bob", &way, "echo").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_takes_back_names_and_serial_numbers_by_itself() {
    let ((site, _), (service, _serving)) = (site(), echo().await);
    let gateway = site.start_with(ACCESS).await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let names = site.config(&format!("{ACCESS}\n  revocations: {{names: client/alice}}"));
    gateway.reload(&names, "configuration reloaded").await.unwrap();
    client.line("revoked", PATIENCE).await.unwrap();
    assert!(site.refused("alice", "office", "echo").contains("revoked"));
    assert!(site.reaches("bob", &way, "echo").await);
    let issued = site.issue("client", "carol");
    let serial = issued.trim().rsplit(' ').next().unwrap();
    assert!(site.reaches("carol", &way, "echo").await);
    let serials = site.config(&format!("{ACCESS}\n  revocations: {{serials: '{serial}'}}"));
    gateway.reload(&serials, "configuration reloaded").await.unwrap();
    assert!(site.refused("carol", "office", "echo").contains("revoked"));
    assert!(site.reaches("alice", &way, "echo").await);
}
