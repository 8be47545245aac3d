//! What is sent, in the messages of OTLP. Nothing else here knows OpenTelemetry's types: they change with each of its releases.

mod metrics;
mod traces;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1 as resource;

pub(crate) use metrics::{metrics, refused_points};
pub(crate) use traces::{refused_spans, traces};

/// Which process it is that speaks.
#[derive(Clone, Debug)]
pub(crate) struct Resource(resource::Resource);

impl Resource {
    /// What is said of it, and what is said of every one where that says nothing about it.
    pub(crate) fn new(attributes: &[(String, String)]) -> Self {
        let instance = format!("{:016x}", rand::random::<u64>());
        let own = [
            ("service.name", "wicketgate"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", &instance),
        ];
        let given = attributes.iter().map(|(name, value)| text(name, value.as_str()));
        let missing = own.iter().filter(|(name, _)| attributes.iter().all(|(given, _)| given != name));
        let attributes = given.chain(missing.map(|(name, value)| text(name, *value))).collect();
        Self(resource::Resource { attributes, ..resource::Resource::default() })
    }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn scope() -> InstrumentationScope {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    InstrumentationScope { name: "wicketgate".to_owned(), version, ..InstrumentationScope::default() }
}

/// Nanoseconds since 1970.
fn nanos(time: SystemTime) -> u64 {
    whole(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A number of rejected things as collectors say it.
fn rejected(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
