//! What can be seen from outside: metrics, the access log, the latest findings and lines of the log.

pub mod access;
mod findings;
mod metrics;
mod recent;
mod relay;

pub use findings::{Findings, Found};
pub use metrics::{Metrics, RouteMetrics};
pub use recent::{Latest, Line, Recent};
