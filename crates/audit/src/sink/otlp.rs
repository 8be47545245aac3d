//! Records to an OpenTelemetry collector: OTLP 1.x logs over HTTP, in its JSON encoding.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wicketgate_admission::fetch::{Fetcher, add_headers};
use wicketgate_telemetry::may_pass;

use super::config::OtlpConfig;
use super::{Deliver, Delivered};
use crate::cell::{Cell, Kind};
use crate::record::{FIELDS, Record};

/// Where records go.
pub(super) struct Otlp {
    config: OtlpConfig,
    fetcher: Fetcher,
    runtime: Runtime,
    /// The word of this process in records.
    process: String,
}

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// Records in one request, so that it stays within the 4 MiB that receivers take at least.
const REQUEST: usize = 256;

impl Otlp {
    pub(super) fn new(config: OtlpConfig, process: &str) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let fetcher = Fetcher::new(&config.fetch, MAX_ANSWER);
        Ok(Self { config, fetcher, runtime, process: process.to_owned() })
    }

    fn request(&self, records: &[Arc<Record>]) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from(body(records, &self.process).to_string()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.url.uri().clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        add_headers(request.headers_mut(), &self.config.headers);
        request
    }
}

impl Deliver for Otlp {
    fn deliver(&mut self, records: &[Arc<Record>]) -> Delivered {
        let mut all = Delivered::default();
        for records in records.chunks(REQUEST) {
            let answer = self.runtime.block_on(self.fetcher.send(self.request(records)));
            let url = &self.config.url;
            match answer {
                Err(error) => return Delivered { fault: Some(format!("{url}: {error}")), ..all },
                Ok(answer) => match answer.status() {
                    status if status.is_success() => all.refused += rejected(answer.body()),
                    status if may_pass(status) => {
                        return Delivered { fault: Some(format!("{url}: {status}")), ..all };
                    }
                    status => {
                        tracing::error!(%url, %status, "the collector refuses audit records: they are dropped");
                        all.refused += records.len();
                    }
                },
            }
            all.done += records.len();
        }
        all
    }
}

/// How many records the collector did not take, by its own word.
fn rejected(answer: &[u8]) -> usize {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return 0 };
    let rejected = &answer["partialSuccess"]["rejectedLogRecords"];
    // A 64-bit number is a text in the JSON of protocol buffers.
    let count = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or_default();
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn body(records: &[Arc<Record>], process: &str) -> Value {
    let logs: Vec<Value> = records.iter().map(|record| log(record)).collect();
    json!({ "resourceLogs": [{
        "resource": { "attributes": [
            attribute("service.name", "wicketgate"),
            attribute("service.instance.id", process),
        ] },
        "scopeLogs": [{ "scope": { "name": "wicketgate.audit" }, "logRecords": logs }],
    }] })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn log(record: &Record) -> Value {
    let nanos = record.timestamp.0.saturating_mul(1000).to_string();
    let (number, text) = match record.event {
        "audit.lost" => (17, "ERROR"),
        "admission.refused" | "message.finding" | "session.kicked" | "message.captured"
        | "message.watched" | "credential.revoked" => (13, "WARN"),
        _ => (9, "INFO"),
    };
    let attributes: Vec<Value> = FIELDS
        .iter()
        .zip(record.cells())
        .filter(|(field, _)| field.kind != Kind::Time)
        .filter_map(|(field, cell)| {
            let key = format!("wicketgate.{}", field.name);
            match cell {
                Cell::Text(text) => Some(attribute(&key, &text)),
                Cell::Number(number) => {
                    Some(json!({ "key": key, "value": { "intValue": number.to_string() } }))
                }
                Cell::Null | Cell::Bytes(_) => None,
            }
        })
        .collect();
    let mut log = json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": number,
        "severityText": text,
        "eventName": record.event,
        "body": { "stringValue": record.event },
        "attributes": attributes,
    });
    // Where OpenTelemetry looks for it; its bytes are in hexadecimal digits in this encoding.
    if let Some(trace) = &record.trace_id {
        log["traceId"] = trace.as_str().into();
    }
    log
}
