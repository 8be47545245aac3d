//! Chromium on a page that came through the gateway and talks back through it, over wss, HTTP/1.1 and HTTP/2.

use std::time::Duration;

use wicketgate_testkit::peers::chromium;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::process::Ready;
use wicketgate_testkit::raw::{Answer, Head, RecordingBackend};

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

/// Cross-site WebSocket hijacking: a page elsewhere opens a WebSocket with the cookies of whoever looks at it.
#[tokio::test]
async fn a_page_of_another_origin_gets_no_socket_with_the_victims_cookie() {
    let page = |head: &Head| match head.is_upgrade() {
        true => Answer::Echo,
        false => Answer::response("200 OK", "a page"),
    };
    let backend = RecordingBackend::answering(page).await.unwrap();
    let elsewhere = RecordingBackend::answering(page).await.unwrap();
    let port = Port::free().unwrap();
    let config = format!(
        "listeners: [{{bind: '{}'}}]\nupstreams: [{{name: u, targets: ['ws://{}'], health: {{passive: off}}}}]\n\
         log: {{access: stdout}}\nroutes:\n- {{name: same, upstream: u}}\n\
         - {{name: any, match: {{path: /any}}, upstream: u, admission: {{origin: any}}}}\n",
        port.addr(),
        backend.addr().unwrap()
    );
    let gateway =
        wicketgate_testkit::gateway::Gateway::start(super::BINARY, &config, Ready::port(port.addr()))
            .await
            .unwrap();
    let script = r#"
      const talk = (path) => page.evaluate((url) => new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onopen = () => socket.send("in the name of the victim");
        socket.onmessage = ({ data }) => resolve(data);
        socket.onclose = ({ code }) => resolve("closed " + code);
      }), "ws://VICTIM" + path);
      await page.goto("http://VICTIM/");
      await page.evaluate("document.cookie = 'session=victim'");
      await page.goto("http://ELSEWHERE/");
      console.log("from elsewhere: " + await talk("/socket"));
      console.log("from elsewhere, to any: " + await talk("/any"));
      await page.goto("http://VICTIM/");
      console.log("from its own: " + await talk("/honest"));
    "#;
    let script = script.replace("VICTIM", &port.addr().to_string());
    let script = script.replace("ELSEWHERE", &elsewhere.addr().unwrap().to_string());
    let visit = chromium::visit(&script, false, Duration::from_secs(60)).await.unwrap();
    for said in [
        "from elsewhere: closed 1006",
        "from elsewhere, to any: in the name of the victim",
        "from its own: in the name of the victim",
    ] {
        assert!(visit.status.success() && visit.output.contains(said), "{said}: {}", visit.output);
    }
    let line = gateway.log("path=\"/socket\"").await.unwrap();
    assert!(line.contains("status=403") && line.contains("reason=\"origin\""), "{line}");
    let heads: Vec<Head> = backend.recorded().into_iter().flat_map(|recorded| recorded.heads).collect();
    assert!(heads.iter().all(|head| head.target() != "/socket"), "it reached the backend");
    // The browser does bring the cookie, so it was the origin alone that stood in the way.
    let hijacked = heads.iter().find(|head| head.target() == "/any").unwrap();
    assert_eq!(hijacked.all("cookie"), ["session=victim"]);
    assert_eq!(hijacked.all("origin"), [format!("http://{}", elsewhere.addr().unwrap())]);
}
