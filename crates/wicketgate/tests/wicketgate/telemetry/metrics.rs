//! Metrics by OTLP are those of `/metrics`, and exemplars lead from them to traces.

use std::collections::BTreeMap;

use serde_json::Value;
use wicketgate_testkit::peers::collector::Collector;

use super::Stage;

/// What changes by being looked at, and what the text has beside its values.
fn is_steady(name: &str) -> bool {
    !name.starts_with("wicketgate_telemetry_") && !name.starts_with("wicketgate_certificate_")
}

/// Every value of the text, by its name and labels.
fn in_text(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && is_steady(line));
    let values = lines.map(|line| {
        let line = line.split(" # ").next().unwrap();
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let mut labels: Vec<&str> =
            labels.trim_end_matches('}').split(',').filter(|l| !l.is_empty()).collect();
        labels.sort_unstable();
        (format!("{name}{{{}}}", labels.join(",")), value.parse().unwrap())
    });
    values.collect()
}

fn number(value: &Value) -> f64 {
    // A 64-bit number is a text in the JSON of protocol buffers.
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

/// The same of a message.
fn in_message(message: &Value) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    let metrics = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    for metric in metrics.iter().filter(|metric| is_steady(metric["name"].as_str().unwrap())) {
        let name = metric["name"].as_str().unwrap();
        let points = |kind: &str| metric[kind]["dataPoints"].as_array().cloned().unwrap_or_default();
        let key = |suffix: &str, point: &Value, more: Option<String>| {
            let given = point["attributes"].as_array().cloned().unwrap_or_default();
            let given = given.iter().map(|label| {
                format!(
                    "{}=\"{}\"",
                    label["key"].as_str().unwrap(),
                    label["value"]["stringValue"].as_str().unwrap()
                )
            });
            let mut labels: Vec<String> = given.chain(more).collect();
            labels.sort_unstable();
            format!("{name}{suffix}{{{}}}", labels.join(","))
        };
        for (kind, suffix) in [("sum", "_total"), ("gauge", "")] {
            for point in points(kind) {
                let value = if point["asInt"].is_null() { &point["asDouble"] } else { &point["asInt"] };
                values.insert(key(suffix, &point, None), number(value));
            }
        }
        for point in points("histogram") {
            values.insert(key("_sum", &point, None), number(&point["sum"]));
            values.insert(key("_count", &point, None), number(&point["count"]));
            let bounds = point["explicitBounds"]
                .as_array()
                .unwrap()
                .iter()
                .map(|bound| format!("{:?}", number(bound)));
            let mut below = 0.0;
            for (bound, count) in
                bounds.chain(["+Inf".to_owned()]).zip(point["bucketCounts"].as_array().unwrap())
            {
                below += number(count);
                values.insert(key("_bucket", &point, Some(format!("le=\"{bound}\""))), below);
            }
        }
    }
    values
}

#[tokio::test]
async fn a_collector_gets_the_values_of_the_text() {
    let collector = Collector::start(None).await.unwrap();
    let stage = Stage::start(&collector.url(), "metrics: {interval: 1s}").await;
    stage.session(&stage.outer()).await;
    assert_eq!(stage.request(&stage.outer(), "/plain", "").await, 200);
    assert_eq!(stage.request(&stage.outer(), "/broken", "").await, 503);
    let (mut seen, mut pair) = (0, (BTreeMap::new(), BTreeMap::new()));
    // Connections are still being closed, and sessions counted, when their clients have gone.
    for _ in 0..10 {
        let text = in_text(&stage.scrape().await);
        let message;
        (seen, message) = collector.metrics(seen).await.unwrap();
        pair = (text, in_message(&message));
        if pair.0 == pair.1 {
            break;
        }
    }
    assert_eq!(pair.0, pair.1);
    let expected = [
        ("wicketgate_requests_total{route=\"chat\",status=\"503\"}", 1.0),
        ("wicketgate_messages_total{from=\"client\",route=\"chat\"}", 1.0),
        ("wicketgate_request_duration_seconds_count{route=\"chat\"}", 3.0),
        ("wicketgate_session_duration_seconds_bucket{le=\"+Inf\",route=\"chat\"}", 1.0),
    ];
    for (name, value) in expected {
        assert_eq!(pair.1.get(name), Some(&value), "{name}: {:?}", pair.1);
    }
    let text = stage.scrape().await;
    assert!(text.contains("wicketgate_telemetry_failures_total{signal=\"metrics\"} 0\n"), "{text}");
    assert!(!text.contains("trace_id"), "nothing is traced");
}

#[tokio::test]
async fn buckets_carry_the_trace_of_one_that_was_counted_in_them() {
    let collector = Collector::start(None).await.unwrap();
    let stage = Stage::start(&collector.url(), "traces: on, metrics: {interval: 1s}").await;
    stage.session(&stage.outer()).await;
    let session = collector.spans("session chat", 1).await.unwrap().remove(0);
    let trace = session["trace"].as_str().unwrap();
    let text = stage.scrape().await;
    for metric in ["wicketgate_request_duration_seconds_bucket", "wicketgate_session_duration_seconds_bucket"]
    {
        let line = text.lines().find(|line| line.starts_with(metric) && line.contains(" # ")).unwrap();
        assert!(line.contains(&format!(" # {{trace_id=\"{trace}\"}} ")), "{line}");
    }
    let (_, message) = collector.metrics(collector.metrics(0).await.unwrap().0).await.unwrap();
    let metrics = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let metric =
        metrics.iter().find(|metric| metric["name"] == "wicketgate_session_duration_seconds").unwrap();
    assert_eq!(metric["unit"], "s");
    let exemplar = &metric["histogram"]["dataPoints"][0]["exemplars"][0];
    // 16 bytes in base64.
    assert_eq!(exemplar["traceId"].as_str().unwrap().len(), 24, "{metric}");
}
