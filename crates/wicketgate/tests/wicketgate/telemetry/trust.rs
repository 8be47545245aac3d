//! Whose word about traces is believed, and what upstreams are told of it.

use wicketgate_testkit::raw::{RawClient, Upgrade};

use super::{Stage, traced};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

#[tokio::test]
async fn a_trusted_peers_trace_goes_on() {
    let (collector, stage) = traced().await;
    let lines = format!("Traceparent: 00-{TRACE}-{SPAN}-01\r\nTracestate: rojo=1\r\nTracestate: congo=2\r\n");
    assert_eq!(stage.request(&stage.inner(), "/trusted", &lines).await, 200);
    let request = collector.spans("GET chat", 1).await.unwrap().remove(0);
    assert_eq!(
        (&request["trace"], &request["parent"], &request["state"]),
        (&TRACE.into(), &SPAN.into(), &"rojo=1,congo=2".into())
    );
    let upstream = collector.spans("upstream", 1).await.unwrap().remove(0);
    let expected = format!("00-{TRACE}-{}-01", upstream["span"].as_str().unwrap());
    assert_eq!(stage.told("/trusted", "traceparent").await, [expected]);
    assert_eq!(stage.told("/trusted", "tracestate").await, ["rojo=1,congo=2"]);
    // What it does not keep, we do not keep either, and say so.
    let lines = format!("traceparent: 00-{TRACE}-{SPAN}-00\r\n");
    assert_eq!(stage.request(&stage.inner(), "/unsampled", &lines).await, 200);
    let [header] = &*stage.told("/unsampled", "traceparent").await else { panic!("one header") };
    assert!(header.starts_with(&format!("00-{TRACE}-")) && header.ends_with("-00"), "{header}");
    assert!(!header.contains(SPAN), "{header}");
    let line = stage.line("\"path\":\"/unsampled\"").await;
    assert_eq!(line["trace_id"], TRACE);
    assert_eq!(stage.request(&stage.inner(), "/again", "").await, 200);
    assert_eq!(collector.spans("GET chat", 2).await.unwrap().len(), 2, "the one between is not there");
}

#[tokio::test]
async fn a_strangers_trace_goes_nowhere() {
    let (collector, stage) = traced().await;
    let upgrade = Upgrade::new("/stranger")
        .with("traceparent", &format!("00-{TRACE}-{SPAN}-00"))
        .with("tracestate", "evil=1")
        .with("Traceparent", "second");
    let mut client = RawClient::connect(&stage.outer()).await.unwrap();
    client.upgrade(&upgrade).await.unwrap();
    client.echoes("hello").await.unwrap();
    let request = collector.spans("GET chat", 1).await.unwrap().remove(0);
    assert!(request["trace"] != TRACE && request["parent"] == "", "{request}");
    let [header] = &*stage.told("/stranger", "traceparent").await else { panic!("one header") };
    assert!(header.contains(request["trace"].as_str().unwrap()) && header.ends_with("-01"), "{header}");
    assert_eq!(stage.told("/stranger", "tracestate").await, [""; 0]);
}

#[tokio::test]
async fn what_cannot_be_read_begins_a_trace_of_its_own() {
    let (collector, stage) = traced().await;
    let long = format!("tracestate: a={}\r\n", "x".repeat(2000));
    let good = format!("traceparent: 00-{TRACE}-{SPAN}-01\r\n");
    let bad: Vec<String> = [
        "garbage".to_owned(),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("01-{TRACE}-{SPAN}-01-{}", "x".repeat(4000)),
    ]
    .map(|value| format!("traceparent: {value}\r\n"))
    .into_iter()
    .chain([good.repeat(2)])
    .collect();
    for (number, lines) in bad.iter().enumerate() {
        let target = format!("/bad/{number}");
        assert_eq!(stage.request(&stage.inner(), &target, lines).await, 200, "{lines}");
        let [header] = &*stage.told(&target, "traceparent").await else { panic!("one header") };
        assert!(header.len() == 55 && !header.contains(TRACE), "{lines}: {header}");
    }
    assert_eq!(stage.request(&stage.inner(), "/long", &format!("{good}{long}")).await, 200);
    let [header] = &*stage.told("/long", "traceparent").await else { panic!("one header") };
    assert!(header.contains(TRACE), "its list alone is left out: {header}");
    assert_eq!(stage.told("/long", "tracestate").await, [""; 0]);
    assert_eq!(collector.spans("GET chat", bad.len() + 1).await.unwrap().len(), bad.len() + 1);
}

#[tokio::test]
async fn where_nothing_is_traced_the_headers_pass_as_they_are() {
    let stage = Stage::with("").await;
    let value = format!("00-{TRACE}-{SPAN}-01");
    let lines = format!("traceparent: {value}\r\ntracestate: rojo=1\r\n");
    assert_eq!(stage.request(&stage.outer(), "/off", &lines).await, 200);
    assert_eq!(stage.told("/off", "traceparent").await, [value]);
    assert_eq!(stage.told("/off", "tracestate").await, ["rojo=1"]);
    assert_eq!(stage.line("\"path\":\"/off\"").await["trace_id"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_ratio_keeps_a_part() {
    let collector = wicketgate_testkit::peers::collector::Collector::start(None).await.unwrap();
    let stage = Stage::start(&collector.url(), "traces: {sample_ratio: 0.0}").await;
    assert_eq!(stage.request(&stage.outer(), "/own", "").await, 200);
    let [header] = &*stage.told("/own", "traceparent").await else { panic!("one header") };
    assert!(header.ends_with("-00"), "{header}");
    let lines = format!("traceparent: 00-{TRACE}-{SPAN}-01\r\n");
    assert_eq!(stage.request(&stage.inner(), "/kept", &lines).await, 200);
    let spans = collector.spans("GET chat", 1).await.unwrap();
    assert!(spans.len() == 1 && spans[0]["trace"] == TRACE, "{spans:?}");
}
