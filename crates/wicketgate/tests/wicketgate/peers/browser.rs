//! Chromium on a page that came through the gateway and talks back through it, over wss, HTTP/1.1 and HTTP/2.

use std::time::Duration;

use wicketgate_testkit::peers::chromium;

use super::{Front, clients::backend, one_route};

/// The protocols of the TLS listener; what Chromium calls the one it took; how its WebSocket then asks.
const VERSIONS: [(&str, &str, &str); 2] =
    [("[http/1.1]", "http/1.1", "method=\"GET\""), ("[h2, http/1.1]", "h2", "method=\"CONNECT\"")];

#[tokio::test]
async fn a_page_talks_over_wss_on_both_versions_of_http() {
    for (protocols, version, asking) in VERSIONS {
        for mode in ["headers", "messages"] {
            let front = Front::new();
            let (_backend, ports) = backend(&front, "page_backend.js").await;
            let websocket = format!("websocket: {{mode: {mode}}}");
            let config = one_route(([127, 0, 0, 1], ports[0]).into(), &websocket)
                .replace("{access: off}", "{access: stdout}");
            let config = front
                .config(&config)
                .replace("    tls: {", &format!("    protocols: {protocols}\n    tls: {{"));
            let gateway = wicketgate_testkit::gateway::Gateway::start(super::BINARY, &config, front.ready())
                .await
                .unwrap();
            let script = format!(
                "await page.goto('https://{}/'); console.log(await page.evaluate('talk()'));",
                front.secure.addr()
            );
            let visit = chromium::visit(&script, true, Duration::from_secs(60)).await.unwrap();
            let said = format!(
                "word | word | chat | permessage-deflate | 300000 | 300000 | 4002 | as asked | true | {version}"
            );
            // In mode `messages` the terms of compression are the gateway's own.
            let said_by_gateway = said.replace(
                "permessage-deflate",
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            );
            let output = &visit.output;
            assert!(
                visit.status.success() && (output.contains(&said) || output.contains(&said_by_gateway)),
                "{version}, {mode}: {output}\n{}",
                gateway.process().output()
            );
            let line = gateway.log("path=\"/socket\"").await.unwrap();
            assert!(line.contains(asking), "{version}: {line}");
        }
    }
}
