//! The examples of policies, with Chromium as the client, over wss: what they let not pass does not reach the backend.

use std::fs;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use wicketgate_testkit::gateway::Gateway;
use wicketgate_testkit::issuer::{Issuer, SigningKey, now};
use wicketgate_testkit::peers::chromium;
use wicketgate_testkit::raw::{Answer, Frame, Head, Recorded, RecordingBackend};

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
    serve_with(front, example, backend, |config| config).await
}

/// The same with the example's configuration adjusted.
async fn serve_with(
    front: &Front,
    example: &str,
    backend: &RecordingBackend,
    adjust: impl FnOnce(String) -> String,
) -> Gateway {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    let text = fs::read_to_string(folder.join("wicketgate.yaml")).unwrap();
    let (_, rest) = text.split_once("\nupstreams:").unwrap();
    let page = "routes:\n  - {name: page, match: {path: /}, upstream: backend}\n";
    let rest = format!("upstreams:{rest}log: {{access: off}}\n")
        .replacen("routes:\n", page, 1)
        .replace("127.0.0.1:9000", &backend.addr().unwrap().to_string())
        .replace("custom_file: ", &format!("custom_file: {}/", folder.display()));
    Gateway::start(BINARY, &front.config(&adjust(rest)), front.ready()).await.unwrap()
}

/// It echoes; where the target ends in `?own`, it says what the test has it say.
async fn backend() -> RecordingBackend {
    let answer = |head: &Head| match head.is_upgrade() {
        true if head.target().ends_with("?own") => Answer::Accept,
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

#[tokio::test]
async fn a_private_protocol_that_keeps_to_its_order_passes_byte_for_byte() {
    let (front, backend) = (Front::new(), backend().await);
    let gateway = serve(&front, "private-protocol", &backend).await;
    let page = visit(
        &front,
        r#"console.log("got " + JSON.stringify(await talk("/console?own", [
             'LOGIN ann "a password"', 'SAY hall "good morning"', 'SET colour=red;size="1;2"', 'SAY hall "bye', 'QUIT'])));"#,
    );
    let answers = async {
        for said in ["LOGIN ", "SAY hall \"good", "SET "] {
            let is = |recorded: &Recorded| {
                recorded.frames().iter().any(|frame| frame.payload.starts_with(said.as_bytes()))
            };
            // A browser may take longer to start than one wait.
            let number = loop {
                if let Ok((number, _)) = backend.until(said, is).await {
                    break number;
                }
            };
            backend.send_frame(number, &Frame::text("OK")).unwrap();
        }
        pending().await
    };
    let page = tokio::select! { page = page => page, page = answers => page };
    let expected = r#"got ["OK","OK","OK","closed 1007"]"#;
    assert!(page.contains(expected), "{page}\n{}", gateway.process().output());
    let whole = "LOGIN ann \"a password\"\nSAY hall \"good morning\"\nSET colour=red;size=\"1;2\"\n";
    assert_eq!(reached(&backend), whole);
}

/// A message's text in front of its last field, `at`, which is the time now.
fn without_time(message: &str) -> &str {
    let (text, at) = message.rsplit_once(r#","at":"#).unwrap();
    let at: u64 = at.trim_end_matches([' ', '}']).parse().unwrap();
    assert!(now().abs_diff(at) < 120, "{message}");
    text
}

#[tokio::test]
async fn secrets_are_covered_on_both_ways_and_every_other_byte_stays() {
    let (front, backend) = (Front::new(), backend().await);
    let gateway = serve(&front, "redact", &backend).await;
    let page = visit(
        &front,
        r#"for (const got of await talk("/chat", [
             String.raw`{ "type": "chat",  "text":"my card is 4111 1111 1111 1111, write to ann@example.com", "n": 4111111111111111, "x": 1.0, "login": {"user": "ann", "password": "hunter2"}, "note": "caf\u00e9 \/" }`,
           ])) console.log("echoed " + got);
           for (const got of await talk("/chat?own", ['{"type":"chat","text":"and which is yours?"}'])) console.log("said " + got);"#,
    );
    let answer = async {
        let asked = |payload: &[u8]| payload.windows(5).any(|part| part == b"yours");
        // A browser may take longer to start than one wait.
        let number = loop {
            let is = |recorded: &Recorded| recorded.frames().iter().any(|frame| asked(&frame.payload));
            if let Ok((number, _)) = backend.until("the question", is).await {
                break number;
            }
        };
        let answer = r#"{ "type": "chat", "text":"5500 0000 0000 0004", "n": 5500000000000004, "x": 1.0 }"#;
        for frame in [Frame::text(answer), Frame::close(1000, "")] {
            backend.send_frame(number, &frame).unwrap();
        }
        pending().await
    };
    let page = tokio::select! { page = page => page, page = answer => page };
    let told =
        |what: &str| -> Vec<&str> { page.lines().filter_map(|line| line.strip_prefix(what)).collect() };
    let [echo, "closed 1000"] = told("echoed ")[..] else { panic!("{page}\n{}", gateway.process().output()) };
    assert_eq!(
        without_time(echo),
        r#"{ "type": "chat",  "text":"my card is **** **** **** 1111, write to [e-mail]", "n": "************1111", "x": 1.0, "login": {"user": "ann"}, "note": "caf\u00e9 \/","from":"127.0.0.1""#
    );
    let answer = r#"{ "type": "chat", "text":"**** **** **** 0004", "n": "************0004", "x": 1.0 }"#;
    assert_eq!(told("said "), [answer, "closed 1000"], "{page}\n{}", gateway.process().output());
    let reached = reached(&backend);
    let [chat, question] = reached.lines().collect::<Vec<_>>()[..] else { panic!("{reached}") };
    assert_eq!(chat, echo);
    assert!(
        question.starts_with(r#"{"type":"chat","text":"and which is yours?","from":"127.0.0.1","#),
        "{question}"
    );
    gateway.log("message.finding").await.unwrap();
    let log = gateway.process().output();
    for secret in ["4111 1111", "4111111111111111", "5500 0000", "5500000000000004", "ann@", "hunter2"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn messages_are_from_who_opened_the_session_whatever_the_page_says() {
    let (front, backend) = (Front::new(), backend().await);
    let key = SigningKey::es256("issuer").unwrap();
    let issuer = Issuer::start(&[&key]).await.unwrap();
    let gateway = serve_with(&front, "enrich", &backend, |config| {
        assert!(config.contains("https://id.example.com"), "{config}");
        config.replace("https://id.example.com", issuer.url())
    })
    .await;
    issuer.asked("/jwks").await.unwrap();
    let mut claims = issuer.claims("ann", "chat");
    claims["name"] = json!("Ann \"A\" Lee");
    claims["groups"] = json!(["members"]);
    let good = key.sign(&claims).unwrap();
    claims["sub"] = json!("mallory");
    let forged = SigningKey::es256("issuer").unwrap().sign(&claims).unwrap();
    let script = r#"
      const said = [
        JSON.stringify({ type: "chat", text: "hi", from: "mallory" }),
        '{ "type": "typing", "fr\\u006fm": {"id": "mallory"}, "moderator": true, "verified": true, "language": "fr", "x": 1.0 }',
        JSON.stringify({ type: "typing", From: "mallory" }),
      ];
      const say = async (who, said) => {
        for (const got of await talk("/chat", said)) console.log(who + " " + got);
      };
      const session = (value) => context.addCookies([
        { name: "session", value, url: "https://FRONT", httpOnly: true, secure: true, sameSite: "Strict" },
      ]);
      await say("nobody", said.slice(0, 1));
      await session("FORGED");
      await say("forged", said.slice(0, 1));
      await session("GOOD");
      await say("ann", said);
    "#;
    let page = visit(&front, &script.replace("FORGED", &forged).replace("GOOD", &good)).await;
    let told = |who: &str| -> Vec<&str> { page.lines().filter_map(|line| line.strip_prefix(who)).collect() };
    for (who, reason) in [("nobody ", "credential_missing"), ("forged ", "credential_signature")] {
        assert_eq!(told(who), ["closed 1006"], "{page}\n{}", gateway.process().output());
        gateway.log(&format!("reason=\"{reason}\" status=401")).await.unwrap();
    }
    let [chat, typing, refused, "closed 1000"] = told("ann ")[..] else {
        panic!("{page}\n{}", gateway.process().output())
    };
    assert_eq!(
        without_time(chat),
        r#"{"type":"chat","text":"hi","from":"ann","name":"Ann \"A\" Lee","moderator":false,"address":"127.0.0.1","language":"en""#
    );
    assert_eq!(
        typing,
        r#"{ "type": "typing", "fr\u006fm": "ann", "moderator": false, "language": "fr", "x": 1.0,"name":"Ann \"A\" Lee","address":"127.0.0.1" }"#
    );
    assert_eq!(refused, r#"{"type":"error","reason":"names are in small letters"}"#);
    assert_eq!(reached(&backend), format!("{chat}\n{typing}\n"));
    // One session reached the backend, and its token did not.
    let heads: Vec<Head> = backend.recorded().into_iter().flat_map(|recorded| recorded.heads).collect();
    assert_eq!(heads.iter().filter(|head| head.is_upgrade()).count(), 1);
    let session = heads.iter().find(|head| head.is_upgrade()).unwrap();
    assert_eq!(session.all("x-wicketgate-subject"), ["ann"]);
    assert_eq!(session.all("cookie"), [""; 0]);
}
