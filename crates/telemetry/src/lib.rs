//! Traces of requests and sessions, and the gateway's metrics, on their way to an OpenTelemetry collector.
//!
//! A [`Tracer`] begins a [`Trace`] for each request, whose [`Span`]s are handed to a bounded queue (`queue`) when they end. A thread of
//! its own (`exporter`) sends them, and the metrics in the form that Prometheus would have got (`exposition`), by OTLP over HTTP: `otlp`
//! is the only module that knows OpenTelemetry's types. Where nothing is configured, all of that is an `Option` that is `None`.
//! The W3C's trace context comes and goes by [`Parent`].

mod collector;
mod config;
mod context;
mod counts;
mod exporter;
mod exposition;
pub mod fuzz;
mod identifiers;
mod otlp;
mod queue;
mod span;
mod telemetry;
mod trace;
mod tracestate;

pub use collector::{CollectorConfig, may_pass};
pub use config::{
    MetricsConfig, RawCollector, RawMetrics, RawTelemetry, RawTraces, TelemetryConfig, TracesConfig,
};
pub use context::{Parent, TRACEPARENT};
pub use counts::{Figures, Loss, Signal};
pub use exporter::Source;
pub use identifiers::{SpanId, TraceId};
pub use span::Kind;
pub use telemetry::Telemetry;
pub use trace::{Span, Trace, Tracer};
pub use tracestate::TRACESTATE;
