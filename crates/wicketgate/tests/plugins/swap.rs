//! Another component in a component's place, while sessions are open.

use std::time::{Duration, Instant};

use wicketgate_plugin::testing;
use wicketgate_testkit::raw::{Ended, RawClient, opcode};

use crate::decoding;
use crate::stage::{Stage, text};

const REPLACED: &str = "component replaced";
const KEPT: &str = "new component not usable, the old one stays";
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for one more line of the log behind what `change` does.
async fn told(stage: &Stage, line: &str, change: impl FnOnce()) {
    let seen = stage.gateway.process().lines_with(line);
    change();
    stage.gateway.process().more_lines(line, seen, PATIENCE).await.unwrap();
}

/// Sessions send without a pause while the file is replaced: each of their messages comes back, first as the old component has it
/// and from one on as the new one does.
#[tokio::test]
async fn open_sessions_take_the_new_one_and_lose_nothing() {
    for keeping in ["shared", "session"] {
        let settings = format!(", may_rewrite: true, state: {keeping}");
        let stage = Stage::judging(&[("own", testing::passing())], &settings).await;
        let mut clients: Vec<RawClient> = Vec::new();
        for _ in 0..3 {
            let mut client = stage.client("own").await;
            client.echoes("before").await.unwrap();
            clients.push(client);
        }
        stage.replace("own", &testing::rewriting());
        let deadline = Instant::now() + PATIENCE;
        let (mut number, mut new_since) = (0_u32, 0_u32);
        while new_since < 20 {
            assert!(Instant::now() < deadline, "the new one is never asked");
            let message = format!("message {number}");
            for client in &mut clients {
                client.send(&text(&message)).await.unwrap();
            }
            let mut new = 0;
            for client in &mut clients {
                let (kind, payload) = client.message().await.unwrap();
                assert_eq!(kind, opcode::TEXT);
                match payload == [b'x'; 64] {
                    true => new += 1,
                    false => assert_eq!(payload, message.as_bytes()),
                }
            }
            // Once one message is judged by the new one, so is every later one.
            assert!(new_since == 0 || new == clients.len(), "the old one is asked again");
            new_since += u32::from(new > 0);
            number += 1;
        }
        stage.gateway.log(REPLACED).await.unwrap();
        assert_eq!(stage.gateway.process().lines_with(KEPT), 0);
        for client in &mut clients {
            assert_eq!(client.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
        }
    }
}

/// A file that is none, one that is half, one that wants more than it may have: the old one goes on, and the log says what to do.
#[tokio::test]
async fn a_broken_one_is_refused_and_the_old_one_goes_on() {
    let stage = Stage::judging(&[("own", testing::on_mark(&testing::refusal()))], "").await;
    let mut client = stage.client("own").await;
    let mut half = testing::rewriting();
    half.truncate(half.len() / 2);
    for (broken, what, help) in [
        (b"nothing of that kind".to_vec(), "no component", "wasm-tools component new"),
        (half, "no component", "wasm-tools component new"),
        (testing::wanting_files(), "wasi:filesystem", "without WASI"),
        (testing::decoding(), "wicketgate:policy/policy@1.0.0", "build it for that world"),
    ] {
        told(&stage, KEPT, || stage.replace("own", &broken)).await;
        let log = stage.gateway.process().output();
        let line = log.lines().rfind(|line| line.contains(KEPT)).unwrap();
        assert!(line.contains(what) && line.contains(help) && line.contains("own.wasm"), "{line}");
        client.echoes("as before").await.unwrap();
    }
    told(&stage, KEPT, || std::fs::remove_file(stage.dir.join("own.wasm")).unwrap()).await;
    client.echoes("as before").await.unwrap();
    let mut refused = stage.client("own").await;
    refused.send(&text("!")).await.unwrap();
    assert_eq!(refused.ended().await.unwrap(), Ended::Closed(Some(4000)));
    // A good one is taken, whatever came before.
    told(&stage, REPLACED, || stage.replace("own", &testing::passing())).await;
    client.echoes("!").await.unwrap();
}

/// Opens sessions that say this, until one is closed with this code for it.
async fn until(stage: &Stage, messages: &[&str], code: u16) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "{messages:?} never close a session with {code}");
        let mut client = stage.client("own").await;
        for message in messages {
            client.send(&text(message)).await.unwrap();
        }
        if client.close(1000).await.unwrap() == Ended::Closed(Some(code)) {
            return;
        }
    }
}

/// Where nothing changed, a reload goes on with instances; those of a new file begin anew. Files are watched behind a reload as before.
#[tokio::test]
async fn a_reload_goes_on_with_instances_and_a_new_file_begins_anew() {
    let stage = Stage::judging(&[("own", testing::counting())], ", state: session").await;
    let config = std::fs::read_to_string(stage.gateway.config()).unwrap();
    let mut client = stage.client("own").await;
    client.echoes("first").await.unwrap();
    stage.gateway.reload(&format!("{config}\n"), "configuration reloaded").await.unwrap();
    client.send(&text("second")).await.unwrap();
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1008)), "the instance went on");

    let mut client = stage.client("own").await;
    client.echoes("first").await.unwrap();
    stage.replace("own", &testing::on_mark(&testing::refusal()));
    until(&stage, &["!"], 4000).await;
    client.echoes("second").await.unwrap();
    stage.gateway.reload(&config, "configuration reloaded").await.unwrap();
    client.echoes("third").await.unwrap();
    stage.replace("own", &testing::counting());
    until(&stage, &["one", "two"], 1008).await;
    client.echoes("the first that this one sees").await.unwrap();
    client.send(&text("the second")).await.unwrap();
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1008)));
}

#[tokio::test]
async fn another_decoder_reads_the_next_message() {
    let stage = decoding::stage().await;
    let (mut one, mut other) = (stage.client("meter").await, stage.client("meter").await);
    one.echoes("chat").await.unwrap();
    other.echoes("chat").await.unwrap();
    told(&stage, KEPT, || stage.replace("meter", &testing::passing())).await;
    one.echoes("chat").await.unwrap();
    told(&stage, REPLACED, || stage.replace("meter", &testing::decoding_nothing())).await;
    one.send(&text("chat")).await.unwrap();
    assert_eq!(one.ended().await.unwrap(), Ended::Closed(Some(1007)));
    told(&stage, REPLACED, || stage.replace("meter", &testing::decoding())).await;
    other.echoes("chat").await.unwrap();
}
