//! What can be seen from outside: metrics, the access log, spans, and the latest findings.

pub mod access;
mod findings;
mod metrics;
pub mod reasons;
mod relay;
pub mod spans;
mod telemetry;

pub use findings::{Findings, Found};
pub use metrics::{Metrics, RouteMetrics};
