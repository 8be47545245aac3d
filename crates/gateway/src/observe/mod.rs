//! What can be seen from outside: metrics and the access log.

pub mod access;
mod metrics;

pub use metrics::{Metrics, RouteMetrics};
