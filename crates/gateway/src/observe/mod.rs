//! What can be seen from outside: metrics, the access log, spans, the latest findings and lines of the log.

pub mod access;
mod findings;
mod metrics;
pub mod reasons;
mod recent;
mod relay;
pub mod spans;
mod telemetry;

pub use findings::{Findings, Found, IN_REQUESTS};
pub use metrics::{Metrics, RouteMetrics};
pub use recent::{Latest, Line, Recent};
