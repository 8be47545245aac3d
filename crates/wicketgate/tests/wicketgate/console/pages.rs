//! The pages in Chromium, on a gateway with traffic and attacks, wide and narrow, light and dark.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wicketgate_testkit::peers::chromium;
use wicketgate_testkit::raw::{Endpoint, RawClient};
use wicketgate_testkit::tls::{Authority, Identity};

use super::{PASSWORD, Site};
use crate::relay;

/// The walk, with names for what is known only when it runs.
const SCRIPT: &str = include_str!("pages.js");
const VISIT: Duration = Duration::from_secs(120);

/// The configuration with something for each page: a listener over TLS beside the plain one, and private sessions.
fn everything(config: &str, authority: &Authority, relay: &relay::Site) -> String {
    let Identity { certificate_file, key_file, .. } =
        authority.issue(&["chat.example.com", "*.chat.example.com"]).unwrap();
    let secure = format!(
        "listeners:\n- {{name: secure, bind: \"127.0.0.1:0\", tls: {{certificates: [{{cert: {}, key: {}}}]}}}}\n- {{name: main, bind: \"FRONT\"}}",
        certificate_file.display(),
        key_file.display()
    );
    let section = relay.section("access: [{clients: alice, agents: office, services: [echo, hidden]}]");
    config
        .replace("listeners: [{name: main, bind: \"FRONT\"}]", &secure)
        .replace("routes:\n", "routes:\n- {name: private, match: {path: /relay}, relay: on}\n")
        .replace("audit:", &format!("{section}audit:"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_walked_and_attacks_stay_text() {
    let (authority, relay) = (Authority::new().unwrap(), relay::Site::new());
    let (service, _serving) = relay::echo().await;
    let site = Site::start_with("", |config| everything(config, &authority, &relay)).await;
    let way = relay.plain(site.front.addr());
    let _agent = relay.agent(&way, service).await;
    let (_client, held) = relay.client(&way, "echo").await;
    let mut held = TcpStream::connect(held).await.unwrap();
    held.write_all(b"a private word").await.unwrap();
    held.read_exact(&mut [0; 14]).await.unwrap();
    let endpoint = Endpoint::plain(site.front.addr());
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(RawClient::open(&endpoint, "/chat").await.unwrap());
    }
    for attack in ["<img src=x onerror=alert(1)>", "' OR 1=1 --", "<script>alert(document.cookie)</script>"] {
        clients[0].echoes(attack).await.unwrap();
    }
    // The name of a field is the attacker's, and is shown with the finding.
    let mut crafted = RawClient::open(&endpoint, "/fields").await.unwrap();
    let named = r#"{"<img src=x onerror=console.log('struck')>": "<script>alert(1)</script>"}"#;
    crafted.send_text(named).await.unwrap();
    crafted.message().await.unwrap();
    let mut asking = RawClient::connect(&endpoint).await.unwrap();
    asking.send(b"GET /asked?q=%3Cscript%3E HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(asking.response().await.unwrap().0.status().unwrap(), 403);
    let mut plain = RawClient::open(&endpoint, "/plain").await.unwrap();
    let talk = tokio::spawn(async move {
        // As long as the browser looks.
        loop {
            for client in &mut clients {
                let attack = plain.echoes("<img src=x onerror=console.log('struck')>").await;
                if attack.is_err() || client.echoes("hello there").await.is_err() {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    });
    let pictures = std::env::var("WICKETGATE_PICTURES").ok();
    let script = SCRIPT
        .replace("ORIGIN", &serde_json::to_string(&site.origin()).unwrap())
        .replace("PASSWORD", &serde_json::to_string(PASSWORD).unwrap())
        .replace("PICTURES", &serde_json::to_string(&pictures).unwrap());
    let visit = chromium::visit(&script, false, VISIT).await.unwrap();
    talk.abort();
    let output = &visit.output;
    assert!(visit.status.success(), "{output}");
    for bad in ["page error", "Content Security Policy", "struck", "is wider than", "Refused to"] {
        assert!(!output.contains(bad), "{bad}: {output}");
    }
    assert!(output.contains("walked 22 pages"), "{output}");
    assert!(output.contains("seen: office, alice, echo, chat.example.com"), "{output}");
    assert!(output.contains("moved: true") && output.contains("pictures of an attack: 0"), "{output}");
    assert!(output.contains("held: true"), "{output}");
    assert!(output.contains("exclusion for a policy: true"), "{output}");
    assert!(output.contains("exclusion for a route: true"), "{output}");
    assert!(output.contains("kicked: 1 sessions were told to end."), "{output}");
    assert!(output.contains("verified: The chain holds"), "{output}");
    assert!(output.contains("signed out"), "{output}");
}
