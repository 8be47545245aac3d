//! What an operator does to private sessions.

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::process::Ready;

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

#[tokio::test(flavor = "multi_thread")]
async fn private_sessions_are_counted() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let gateway = site.start().await;
    let way = site.plain(site.gateway.addr());
    let _agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 100_000, 1).await;
    let admin = site.path("admin.sock");
    let figure = async |name: &str| {
        let mut socket = UnixStream::connect(&admin).await.unwrap();
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        value.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    for (name, value) in [
        ("wicketgate_relay_endpoints{role=\"agent\"}", 1),
        ("wicketgate_relay_endpoints{role=\"client\"}", 1),
        ("wicketgate_relay_sessions_open", 1),
        ("wicketgate_relay_sessions_granted_total", 1),
        ("wicketgate_relay_joins_total", 1),
    ] {
        assert_eq!(figure(name).await, value, "{name}");
    }
    let of_agent = figure("wicketgate_relay_bytes_total{from=\"agent\"}").await;
    let of_client = figure("wicketgate_relay_bytes_total{from=\"client\"}").await;
    assert!(of_agent > 100_000 && of_client > 100_000, "{of_agent}, {of_client}");
    // Cut: the same session is joined once more.
    let resumed = client.lines_with("resumed");
    let mut kick = Command::new(BINARY);
    kick.args(["sessions", "kick", "--route", "private", "--config"]).arg(gateway.config());
    assert!(kick.output().unwrap().status.success());
    client.more_lines("resumed", resumed, PATIENCE).await.unwrap();
    echoes(address, 1000, 1).await;
    assert!(figure("wicketgate_relay_joins_total").await > 1);
    assert_eq!(figure("wicketgate_relay_sessions_granted_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_sessions_are_listed_ended_for_good_and_kept_in_the_audit() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let store = site.path("audit.db");
    let access = "access: [{clients: alice, agents: office, services: echo}]";
    let config = format!("{}audit: {{store: {{path: {}}}}}\n", site.config(access), store.display());
    let gateway = Gateway::start(BINARY, &config, Ready::port(site.gateway.addr())).await.unwrap();
    let way = site.plain(site.gateway.addr());
    let agent = site.agent(&way, service).await;
    let (client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 1).await;
    assert!(site.refused("alice", "office", "absent").contains("relay.access"));
    let ask = |arguments: &[&str]| {
        let output =
            Command::new(BINARY).args(arguments).arg("--config").arg(gateway.config()).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let agents = ask(&["relay", "agents"]);
    assert!(agents.contains("office") && !agents.contains("alice"), "{agents}");
    let sessions = ask(&["relay", "sessions", "--json"]);
    let session: serde_json::Value = serde_json::from_str(sessions.trim()).unwrap();
    assert_eq!((&session["client"], &session["agent"]), (&"alice".into(), &"office".into()));
    assert_eq!(session["client_end"]["carrier"], "websocket");
    let id = session["session"].as_str().unwrap();
    // Both ends log the same name.
    assert!(client.output().contains(id) && agent.output().contains(id));
    // The client's end, and the agent's.
    assert_eq!(ask(&["relay", "kick", "--session", id]), "2 connections ended\n");
    client.line("operator", PATIENCE).await.unwrap();
    assert_eq!(ask(&["relay", "sessions", "--json"]), "");
    let (_client, address) = site.client(&way, "echo").await;
    echoes(address, 1000, 2).await;
    let ended = agent.lines_with(" connected ");
    ask(&["relay", "kick", "--agent", "office"]);
    agent.more_lines(" connected ", ended, PATIENCE).await.unwrap();
    let (_, log) = gateway.drain(PATIENCE).await.unwrap();
    let rows =
        Command::new(BINARY).args(["audit", "query", "--json", "--store"]).arg(&store).output().unwrap();
    let rows = String::from_utf8(rows.stdout).unwrap();
    let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let of = |event: &str| {
        rows.iter().find(|row| row["event"] == event).unwrap_or_else(|| panic!("{event}: {log}"))
    };
    assert_eq!(of("relay.connected")["subject"], "spiffe://site.example/agent/office");
    let joined = of("relay.joined");
    assert_eq!((&joined["private_session"], &joined["services"]), (&id.into(), &"echo".into()));
    assert_eq!(joined["subject"], "spiffe://site.example/client/alice");
    assert!(of("relay.parted")["sent"].as_u64().unwrap() > 1000);
    assert_eq!(of("relay.refused")["reason"], "relay_access");
    for event in ["relay.granted", "relay.ended", "relay.disconnected"] {
        of(event);
    }
}
