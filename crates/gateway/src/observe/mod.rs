//! What can be seen from outside: metrics, the access log, and the latest findings.

pub mod access;
mod findings;
mod metrics;
mod relay;

pub use findings::{Findings, Found};
pub use metrics::{Metrics, RouteMetrics};
