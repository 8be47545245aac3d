//! What an operator does to private sessions.

use std::process::Command;

use super::{BINARY, PATIENCE, Site, echo, echoes, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_without_the_route_ends_what_it_carried() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let config = site.config("access: [{clients: alice, agents: office, services: echo}]");
    let without = config.replace("relay: on", "respond: {status: 404}");
    gateway.reload(&without, "configuration reloaded").await.unwrap();
    agent.line("no gateway", PATIENCE).await.unwrap();
    client.line("dialling again", PATIENCE).await.unwrap();
    let (again, resumed) = (agent.lines_with(" connected "), client.lines_with("resumed"));
    gateway.reload(&config, "configuration reloaded").await.unwrap();
    agent.more_lines(" connected ", again, PATIENCE).await.unwrap();
    client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    echoes(address, 1000, 1).await;
    // With fewer rules, what is not allowed any more ends when it comes again.
    gateway.reload(&without, "configuration reloaded").await.unwrap();
    client.more_lines("dialling again", 1, PATIENCE).await.unwrap();
    let fewer = config.replace("clients: alice", "clients: bob");
    gateway.reload(&fewer, "configuration reloaded").await.unwrap();
    client.line("forbidden", PATIENCE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn carriers_are_listed_and_ended_by_an_operator() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    let sessions = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        let output =
            command.arg("sessions").args(arguments).arg("--config").arg(gateway.config()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    // A control connection and a carrier each.
    assert_eq!(sessions(&["list", "--route", "private", "--json"]).lines().count(), 4);
    let resumed = client.lines_with("resumed");
    sessions(&["kick", "--route", "private"]);
    agent.line("no gateway", PATIENCE).await.unwrap();
    client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    echoes(address, 1000, 1).await;
}
