//! The examples of policies, with Chromium as the client, over wss: what they let not pass does not reach the backend.

use std::fs;
use std::path::Path;
use std::time::Duration;

use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::peers::chromium;
use wicketgate_testkit::raw::{Answer, Head, RecordingBackend};

use super::{BINARY, Front};

/// What a page does: it opens a WebSocket, says one thing after the other, and tells what came back for each.
const TALK: &str = r#"
  const talk = (path, said, binary) => page.evaluate(async ([url, said, binary]) => {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const got = [];
    let tell = () => {};
    const closed = new Promise((resolve) => { socket.onclose = ({ code }) => { got.push("closed " + code); resolve(); tell(); }; });
    socket.onmessage = ({ data }) => { got.push(typeof data === "string" ? data : "bytes " + data.byteLength); tell(); };
    await new Promise((resolve) => { socket.onopen = resolve; socket.onerror = resolve; });
    for (const text of said) {
      const next = new Promise((resolve) => { tell = resolve; });
      socket.send(binary ? Uint8Array.from(atob(text), (c) => c.charCodeAt(0)) : text);
      await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 1500))]);
    }
    socket.close(1000);
    await closed;
    return got;
  }, ["wss://FRONT" + path, said, binary]);
  await page.goto("https://FRONT/");
"#;

/// A gateway with an example's policies behind the listeners of `front`; a page at `/`.
async fn serve(front: &Front, example: &str, backend: &RecordingBackend) -> Gateway {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let text = fs::read_to_string(folder.join("wicketgate.yaml")).unwrap();
    let (_, rest) = text.split_once("\nupstreams:").unwrap();
    let page = "routes:\n  - {name: page, match: {path: /}, upstream: backend}\n";
    let rest = format!("upstreams:{rest}log: {{access: off}}\n")
        .replacen("routes:\n", page, 1)
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string())
        .replace("custom_file: ", &format!("custom_file: {}/", folder.display()));
    Gateway::start(BINARY, &front.config(&rest), front.ready()).await.unwrap()
}

async fn backend() -> RecordingBackend {
    let answer = |head: &Head| match head.is_upgrade() {
        true => Answer::Echo,
        false => Answer::response("200 OK", "a page"),
    };
    RecordingBackend::answering(answer).await.unwrap()
}

/// What the backend got in messages, all of it.
fn reached(backend: &RecordingBackend) -> String {
    let frames = backend.recorded().into_iter().flat_map(|recorded| recorded.frames());
    let texts = frames.filter(|frame| frame.opcode <= 2);
    texts.map(|frame| String::from_utf8_lossy(&frame.payload).into_owned() + "\n").collect()
}

async fn visit(front: &Front, script: &str) -> String {
    let script = format!("{TALK}{script}").replace("FRONT", &front.secure.addr().to_string());
    let visit = chromium::visit(&script, true, Duration::from_secs(60)).await.unwrap();
    assert!(visit.status.success(), "{}", visit.output);
    visit.output
}

#[tokio::test]
async fn attacks_and_listed_words_stop_at_the_gateway_and_messages_are_recorded() {
    let (front, backend) = (Front::new(), backend().await);
    let gateway = serve(&front, "payload-injection", &backend).await;
    let said = visit(
        &front,
        r#"console.log(JSON.stringify(await talk("/chat", [
          JSON.stringify({ type: "chat", text: "hello, all" }),
          JSON.stringify({ type: "chat", text: "1' UNION SELECT name, password FROM users --" }),
          JSON.stringify({ type: "chat", text: "<img src=x onerror=alert(1)>" }),
          JSON.stringify({ type: "chat", text: "say voldemort" }),
          JSON.stringify({ type: "chat", text: "goodbye" }),
        ])));"#,
    )
    .await;
    let refused = r#""{\"type\":\"error\",\"reason\":\"refused\"}""#;
    let expected = format!(
        r#"["{{\"type\":\"chat\",\"text\":\"hello, all\"}}",{refused},{refused},"{{\"type\":\"chat\",\"text\":\"goodbye\"}}","closed 1000"]"#
    );
    assert!(said.contains(&expected), "{said}\n{}", gateway.process().output());
    let reached = reached(&backend);
    assert!(reached.contains("hello, all") && reached.contains("goodbye"), "{reached}");
    assert!(
        !reached.contains("UNION") && !reached.contains("onerror") && !reached.contains("voldemort"),
        "{reached}"
    );
    for event in ["message.finding", "message.recorded"] {
        let line = gateway.log(event).await.unwrap();
        assert!(!line.contains("hello, all") && !line.contains("voldemort"), "{line}");
    }
}

#[tokio::test]
async fn a_private_protocol_is_parsed_and_its_order_enforced() {
    let (front, backend) = (Front::new(), backend().await);
    let gateway = serve(&front, "private-protocol", &backend).await;
    let said = visit(
        &front,
        r#"console.log("1 " + JSON.stringify(await talk("/console", ['SAY hall "hello"'])));
           console.log("2 " + JSON.stringify(await talk("/console", ['LOGIN ann'])));
           console.log("3 " + JSON.stringify(await talk("/console", ['DROP everything'])));
           console.log("4 " + JSON.stringify(await talk("/devices", ["AAECAwQ="], true)));"#,
    )
    .await;
    for line in
        [r#"1 ["closed 1008"]"#, r#"2 ["closed 1007"]"#, r#"3 ["closed 1007"]"#, r#"4 ["closed 1007"]"#]
    {
        assert!(said.contains(line), "{line}: {said}\n{}", gateway.process().output());
    }
    assert_eq!(reached(&backend), "");
}
