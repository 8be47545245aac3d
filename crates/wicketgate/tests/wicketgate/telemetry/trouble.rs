//! A collector that hangs, refuses or is not there: what is to be sent is dropped and counted, and nobody's requests wait.

use std::time::{Duration, Instant};

use wicketgate_testkit::dir::Dir;
use wicketgate_testkit::peers::collector::Collector;
use wicketgate_testkit::ports::Port;
use wicketgate_testkit::raw::RawClient;

use super::Stage;
use crate::cli::wicketgate;

/// The value of a metric of the text, once it is at least this.
async fn reaches(stage: &Stage, metric: &str, least: u64) -> u64 {
    let start = Instant::now();
    loop {
        let text = stage.scrape().await;
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok()).unwrap_or(0);
        if value >= least {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{metric} is {value}, not {least}: {text}");
        tokio::task::yield_now().await;
    }
}

/// Many requests over one connection, each answered at once.
async fn requests(stage: &Stage, number: usize) {
    let mut client = RawClient::connect(&stage.outer()).await.unwrap();
    for _ in 0..number {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert_eq!(client.response().await.unwrap().0.status().unwrap(), 200);
    }
}

#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else() {
    let collector = Collector::start(None).await.unwrap();
    collector.answer("hang").await.unwrap();
    let stage = Stage::with(&format!(
        "telemetry: {{otlp: {{url: '{}', timeout: 60s}}, traces: {{queue: 64, batch: 16}}}}\n",
        collector.url()
    ))
    .await;
    requests(&stage, 200).await;
    stage.session(&stage.outer()).await;
    let dropped = "wicketgate_telemetry_dropped_total{signal=\"traces\",reason=\"full\"}";
    let full = reaches(&stage, dropped, 500).await;
    assert!(full < 603, "{full} of 603 spans: some wait");
    let start = Instant::now();
    let (status, _) = stage.gateway.drain(Duration::from_secs(20)).await.unwrap();
    assert!(
        status.code().is_some() && start.elapsed() < Duration::from_secs(10),
        "the end does not wait for it"
    );
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_of_once_and_taken_back() {
    let nobody = Port::free().unwrap();
    let url = format!("http://{}", nobody.addr());
    let stage = Stage::start(&url, "traces: on, metrics: {interval: 1s}").await;
    requests(&stage, 20).await;
    reaches(&stage, "wicketgate_telemetry_failures_total{signal=\"metrics\"}", 2).await;
    reaches(&stage, "wicketgate_telemetry_failures_total{signal=\"traces\"}", 2).await;
    reaches(&stage, "wicketgate_telemetry_dropped_total{signal=\"metrics\",reason=\"failed\"}", 1).await;
    requests(&stage, 20).await;
    let told = "the collector does not take what is sent";
    assert!(stage.gateway.log(told).await.unwrap().contains("refused"));
    assert_eq!(stage.gateway.process().lines_with(told), 2, "once for traces, once for metrics");
}

#[tokio::test]
async fn what_the_collector_refuses_is_counted_and_what_may_pass_is_tried_again() {
    let collector = Collector::start(None).await.unwrap();
    let stage = Stage::start(&collector.url(), "traces: on").await;
    let refused = "wicketgate_telemetry_dropped_total{signal=\"traces\",reason=\"refused\"}";
    collector.answer("400").await.unwrap();
    requests(&stage, 1).await;
    assert_eq!(reaches(&stage, refused, 1).await, 3, "a request has three spans");
    collector.answer("reject 2").await.unwrap();
    requests(&stage, 1).await;
    assert_eq!(reaches(&stage, refused, 4).await, 5);
    assert_eq!(reaches(&stage, "wicketgate_telemetry_sent_total{signal=\"traces\"}", 1).await, 1);
    collector.answer("503").await.unwrap();
    requests(&stage, 1).await;
    reaches(&stage, "wicketgate_telemetry_failures_total{signal=\"traces\"}", 2).await;
    collector.answer("200").await.unwrap();
    assert_eq!(
        collector.spans("GET chat", 2).await.unwrap().len(),
        2,
        "the refused one is gone, the late one came"
    );
    assert_eq!(reaches(&stage, refused, 5).await, 5);
    stage.gateway.log("the collector takes what is sent again").await.unwrap();
}

#[tokio::test]
async fn a_collector_that_asks_for_time_gets_it() {
    let collector = Collector::start(None).await.unwrap();
    let stage = Stage::start(&collector.url(), "traces: {tries: 2, pause: 100ms}").await;
    collector.answer("503 2").await.unwrap();
    let asked = Instant::now();
    requests(&stage, 1).await;
    let dropped = "wicketgate_telemetry_dropped_total{signal=\"traces\",reason=\"failed\"}";
    reaches(&stage, dropped, 1).await;
    assert!(asked.elapsed() >= Duration::from_secs(2), "{:?}", asked.elapsed());
    reaches(&stage, "wicketgate_telemetry_failures_total{signal=\"traces\"}", 2).await;
}

#[test]
fn mistakes_are_told_with_their_place_and_without_secrets() {
    let dir = Dir::new().unwrap();
    let config = |telemetry: &str| {
        let text = format!(
            "listeners: [{{bind: 127.0.0.1:0}}]\nroutes: [{{name: a, respond: {{status: 204}}}}]\ntelemetry:\n{telemetry}"
        );
        dir.write("wicketgate.yaml", text).unwrap();
        let (code, _, said) = wicketgate(dir.path(), &["check"]);
        (code, said)
    };
    for (telemetry, place, what) in [
        ("  traces: on\n", ":4:3", "nowhere to go"),
        ("  otlp: {url: 'http://collector.example:4318'}\n  traces: on\n", ":4:15", "unprotected"),
        ("  otlp: {url: 'https://a.example'}\n  traces: {sample_ratio: 2}\n", ":5:26", "outside its bounds"),
        ("  otlp: {url: 'https://a.example'}\n  metrics: {interval: 1ms}\n", ":5:23", "outside its bounds"),
        (
            "  otlp: {url: 'https://a.example', headers: {a b: {value: 5ecret}}}\n  traces: on\n",
            ":4:46",
            "no header",
        ),
        (
            "  otlp: {url: 'https://a.example', headers: {a: {file: /nowhere}}}\n  traces: on\n",
            ":4:49",
            "cannot be read",
        ),
        ("  otlp: {url: 'https://a.example', ca: /nowhere}\n  traces: on\n", ":4:40", "no usable authority"),
        ("  otlp: {url: 'https://a.example', compression: on}\n  traces: on\n", ":4:36", "compression"),
    ] {
        let (code, said) = config(telemetry);
        assert!(code == 2 && said.contains(place) && said.contains(what), "{telemetry}{code} {said}");
        assert!(!said.contains("5ecret"), "{said}");
    }
    let (code, said) = config("  otlp: {url: 'https://a.example'}\n");
    assert!(code == 0 && said.contains("nothing is sent to the collector"), "{code} {said}");
}
