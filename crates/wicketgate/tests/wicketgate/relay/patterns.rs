//! Services by pattern: what a client's word is put into, and what it cannot lead to.

use std::process::Command;

use super::{BINARY, PATIENCE, Site, echo, echoes, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_where_its_pattern_says_and_nowhere_else() {
    let (site, (service, _serving)) = (Site::new(), echo().await);
    let (other, _other_serving) = echo().await;
    let gateway = site.start_with("access: [{clients: alice, agents: office, services: \"pc-*\"}]").await;
    let way = site.plain(site.gateway.addr());
    let (port, other) = (service.port(), other.port());
    let agent = site
        .agent_with(
            &way,
            &format!(
                "services: {{\"pc-*\": \"127.0.0.*:{port}\", \"pc-x-*\": \"*.invalid:{port}\", pc-7: \"127.0.0.1:{other}\"}}
access: [{{clients: alice, services: [pc-1, pc-7, pc-256, pc-01, pc-.., pc-, pc-localhost, pc-x-127.0.0.1]}}]"
            ),
        )
        .await;
    for name in ["pc-1", "pc-7"] {
        let (_client, address) = site.client(&way, name).await;
        echoes(address, 1000, 1).await;
    }
    // Rules judge the name that is asked for, and not the pattern.
    let (client, _address) = asks(&site, &way, "pc-2").await;
    client.line("the agent does not let alice reach `pc-2`", PATIENCE).await.unwrap();
    for name in ["pc-256", "pc-01", "pc-..", "pc-", "pc-localhost"] {
        let (client, _address) = asks(&site, &way, name).await;
        client.line(&format!("the agent has no service `{name}`"), PATIENCE).await.unwrap();
    }
    let (client, _address) = asks(&site, &way, "pc-x-127.0.0.1").await;
    client.line("`pc-x-127.0.0.1` cannot be reached", PATIENCE).await.unwrap();
    for name in ["pc-evil.com#", "pc-127.0.0.1:22/", "pc-1@evil.com", "pc-1,other"] {
        let told = site.refused("alice", "office", name);
        assert!(told.contains("this is the name of no service"), "{name}: {told}");
    }
    let (_client, address) = site.client(&way, "pc-1").await;
    echoes(address, 1000, 2).await;
    assert_eq!(agent.lines_with(" open "), 3, "{}", agent.output());
    drop(gateway);
}

/// A client of this service with one connection to it, which is refused.
async fn asks(
    site: &Site,
    way: &str,
    service: &str,
) -> (wicketgate_testkit::process::Process, std::net::SocketAddr) {
    let (client, address) = site.client(way, service).await;
    assert!(super::refusals::refuses(address).await, "{service}");
    (client, address)
}

#[test]
fn a_template_that_leads_anywhere_is_no_configuration() {
    let site = Site::new();
    let way = site.plain(site.gateway.addr());
    for (services, why) in [
        ("{\"*\": \"*:22\"}", "every host could be reached by it"),
        ("{\"pc-*\": \"*.0.0.1:22\"}", "a client could name any"),
        ("{\"pc-*\": \"www.*:22\"}", "a client could name any"),
        ("{\"a-*\": \"a-*:22\", \"*-b\": \"b-*:22\"}", "match the same names"),
    ] {
        let config =
            format!("gateway: {way}\nidentity: {}\nservices: {services}\n", site.path("office").display());
        let config = site.dir.write("agent.yaml", config).unwrap();
        let output =
            Command::new(BINARY).args(["agent", "--check", "--config"]).arg(config).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{services}");
        assert!(text(&output).contains(why), "{services}: {}", text(&output));
    }
}
