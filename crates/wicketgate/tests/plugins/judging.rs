//! What components decide: each verdict on real traffic, in both directions.

use wicketgate_plugin::testing;
use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::{Ended, opcode};

use crate::stage::{Stage, binary, text};

#[tokio::test]
async fn messages_pass_and_are_refused() {
    let stage = Stage::judging(
        &[("passing", testing::passing()), ("refusing", testing::on_mark(&testing::refusal()))],
        "",
    )
    .await;
    let mut client = stage.client("passing").await;
    for message in ["", "a", "!", &"long ".repeat(10_000)] {
        client.echoes(message).await.unwrap();
    }
    stage.proof("refusing").session(&text("!"), Rejected::Closed(4000), &[]).await.unwrap();
    let finding = stage.finding("refused").await;
    assert!(finding.contains("\"x\"") && finding.contains("refusing"), "{finding}");
}

#[tokio::test]
async fn a_message_goes_on_as_another() {
    let stage = Stage::judging(&[("rewriting", testing::rewriting())], ", may_rewrite: true").await;
    let mut client = stage.client("rewriting").await;
    for message in ["short", &"long".repeat(1000)] {
        client.send_text(message).await.unwrap();
        assert_eq!(client.message().await.unwrap(), (opcode::TEXT, vec![b'x'; 64]));
    }
    let reached = |recorded: &wicketgate_testkit::raw::Recorded| recorded.frames().len() == 2;
    let (_, recorded) = stage.backend.until("two messages", reached).await.unwrap();
    assert!(recorded.frames().iter().all(|frame| frame.payload == [b'x'; 64]), "{recorded:?}");
    // Where the configuration does not say so, that is no answer.
    let stage = Stage::judging(&[("rewriting", testing::rewriting())], "").await;
    let mut client = stage.client("rewriting").await;
    client.send_text("short").await.unwrap();
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1011)));
    assert!(stage.finding("plugin_answer").await.contains("may_rewrite"));
}

/// Messages whose bytes are the verdict: which, and where its words stand.
#[tokio::test]
async fn messages_are_dropped_and_tagged() {
    let stage = Stage::of(&[("mirroring", testing::mirroring())], |name, file| {
        format!("format: binary, to_upstream: [{{name: {name}, plugin: {{component: '{file}'}}}}]")
    })
    .await;
    let verdict = |which: u8, at: u8, count: u8| [which, 0, 0, 0, at, 0, 0, 0, count, 0, 0, 0];
    let mut client = stage.client("mirroring").await;
    let mut expect = async |message: &[u8], comes: bool| {
        client.send(&binary(message)).await.unwrap();
        client.send(&binary(&verdict(0, 0, 7))).await.unwrap();
        if comes {
            assert_eq!(client.message().await.unwrap(), (opcode::BINARY, message.to_vec()));
        }
        assert_eq!(client.message().await.unwrap(), (opcode::BINARY, verdict(0, 0, 7).to_vec()));
    };
    expect(&verdict(3, 64, 3), false).await;
    let dropped = stage.finding("refused").await;
    assert!(dropped.contains("\"xxx\"") && dropped.contains("dropped"), "{dropped}");
    // One word, which stands behind the verdict: its bytes are copied to 16, so that it is told at 28.
    expect(&[&verdict(1, 28, 1)[..], &[64, 0, 0, 0, 5, 0, 0, 0]].concat(), true).await;
    let tagged = stage.finding("tagged").await;
    assert!(tagged.contains("\"xxxxx\"") && tagged.contains("recorded"), "{tagged}");
}

#[tokio::test]
async fn what_upstreams_say_is_judged_too() {
    let stage = Stage::of(&[("back", testing::on_mark(&testing::refusal()))], |name, file| {
        format!("format: text, to_client: [{{name: {name}, plugin: {{component: '{file}'}}}}]")
    })
    .await;
    let mut client = stage.client("back").await;
    client.echoes("fine").await.unwrap();
    client.send_text("!").await.unwrap();
    assert_eq!(client.ended().await.unwrap(), Ended::Closed(Some(1011)));
    stage.proof("back").honest().await.unwrap();
}

/// Nothing but a component that can be used is served.
#[tokio::test]
async fn what_cannot_be_used_is_told_before_anything_is_served() {
    let dir = wicketgate_testkit::dir::Dir::new().unwrap();
    for (name, bytes, what, help) in [
        ("files", testing::wanting_files(), "wasi:filesystem", "without WASI"),
        ("none", b"nothing of that kind".to_vec(), "no component", "wasm-tools component new"),
        ("decoder", testing::decoding(), "wicketgate:policy/policy@1.0.0", "build it for that world"),
    ] {
        let file = dir.write(format!("{name}.wasm"), bytes).unwrap();
        let config = format!(
            "listeners: [{{bind: '127.0.0.1:0'}}]\nupstreams: [{{name: u, targets: ['ws://127.0.0.1:9']}}]\n\
             policies:\n- name: p\n  format: text\n  to_upstream:\n  - plugin:\n      component: {}\n\
             routes: [{{name: r, upstream: u, policy: p}}]\n",
            file.display()
        );
        let config = dir.write("wicketgate.yaml", config).unwrap();
        for command in ["check", "run"] {
            let mut run = std::process::Command::new(crate::stage::BINARY);
            let output = run.arg(command).arg("--config").arg(&config).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{name}: {said}");
            for part in [what, help, "wicketgate.yaml:8:18"] {
                assert!(said.contains(part), "{name}, {part}: {said}");
            }
        }
    }
}
