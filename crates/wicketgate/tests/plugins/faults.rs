//! Components that go wrong: each ends the session whose message it was asked about, and harms nobody else.

use std::time::{Duration, Instant};

use wicketgate_plugin::testing;
use wicketgate_testkit::attack::Rejected;
use wicketgate_testkit::raw::{Ended, RawClient};

use crate::stage::{Stage, text};

/// What records and metrics call a misdeed.
fn class(misdeed: &str) -> &'static str {
    match misdeed {
        "loop" => "plugin_deadline",
        "memory" | "memory-at-once" => "plugin_memory",
        "huge-answer" | "aliased-answer" | "no-text" | "no-word" | "long-word" => "plugin_answer",
        "log-flood" => "plugin_log",
        _ => "plugin_trap",
    }
}

/// Loops, traps, memory without end, floods of the log and answers that none may give.
#[tokio::test]
async fn every_misdeed_ends_its_own_session_and_no_other() {
    let misdeeds = testing::misdeeds();
    for keeping in ["shared", "session"] {
        let stage = Stage::judging(&misdeeds, &format!(", state: {keeping}, may_rewrite: true")).await;
        for (name, _) in &misdeeds {
            let mut bystander = stage.client(name).await;
            bystander.echoes("before").await.unwrap();
            let proven = stage.proof(name).session(&text("!"), Rejected::Closed(1011), &[]).await;
            proven.unwrap_or_else(|error| panic!("{name}, {keeping}: {error:#}"));
            bystander.echoes("behind").await.unwrap();
        }
        let metrics = stage.metrics().await;
        // The last of them: records are written in their order.
        stage.finding("plugin_log").await;
        let log = stage.gateway.process().output();
        for (name, _) in &misdeeds {
            let class = class(name);
            let counted = format!(
                "wicketgate_findings_total{{route=\"{name}\",direction=\"to_upstream\",step=\"{name}\",class=\"{class}\",action=\"closed\"}} 1"
            );
            assert!(metrics.contains(&counted), "{counted}: {metrics}");
            let is_told = |line: &str| {
                line.contains("message.finding")
                    && line.contains(class)
                    && line.contains(&format!("\"{name}\""))
            };
            assert!(log.lines().any(is_told), "{name}: {log}");
        }
        // A component that floods the log fills none: so many lines a second of a step are written.
        let written = log.lines().filter(|line| line.contains("xxxxxxxx")).count();
        assert!(written <= 40, "{written} lines");
    }
}

/// Sessions on the thread on which a component loops wait for its deadline, and no longer: here one thread carries all of them.
#[tokio::test]
async fn a_loop_holds_its_thread_for_its_deadline() {
    let looping = testing::on_mark("(loop $again (br $again)) (i32.const 16)");
    let stage = Stage::judging(&[("loop", looping)], ", deadline: 20ms").await;
    let mut bystander = stage.client("loop").await;
    bystander.echoes("before").await.unwrap();
    let mut attackers: Vec<RawClient> = Vec::new();
    for _ in 0..8 {
        attackers.push(stage.client("loop").await);
    }
    let began = Instant::now();
    for attacker in &mut attackers {
        attacker.send(&text("!")).await.unwrap();
    }
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        let sent = Instant::now();
        bystander.echoes("meanwhile").await.unwrap();
        longest = longest.max(sent.elapsed());
    }
    for attacker in &mut attackers {
        assert_eq!(attacker.ended().await.unwrap(), Ended::Closed(Some(1011)));
    }
    println!("the longest echo took {longest:?}, all attacks {:?}", began.elapsed());
    // Eight times 20 ms of the thread's own time; the machine may have others to serve.
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    stage.proof("loop").honest().await.unwrap();
}

/// There are so many instances, and a session for which there is none is closed before its message goes on.
#[tokio::test]
async fn a_session_without_an_instance_is_closed() {
    let stage = Stage::judging(&[("own", testing::passing())], ", state: session, instances: 2").await;
    // The one that was started to see whether it does is at hand for nobody.
    let mut first = stage.client("own").await;
    first.echoes("mine").await.unwrap();
    let mut next = stage.client("own").await;
    next.send(&text("none left")).await.unwrap();
    assert_eq!(next.ended().await.unwrap(), Ended::Closed(Some(1011)));
    first.echoes("still mine").await.unwrap();
    let finding = stage.finding("plugin_instances").await;
    assert!(finding.contains("closed"), "{finding}");
    assert_eq!(first.close(1000).await.unwrap(), Ended::Closed(Some(1000)));
    let reached = stage
        .backend
        .recorded()
        .iter()
        .any(|recorded| recorded.frames().iter().any(|frame| frame.payload == b"none left"));
    assert!(!reached, "it went on");
    // What the first one held is free once its session is gone, which may take a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    while stage.client("own").await.echoes("mine now").await.is_err() {
        assert!(Instant::now() < deadline, "its instance is never given back");
    }
}
