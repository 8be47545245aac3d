//! What can be seen from outside: metrics and the access log.

pub mod access;
mod metrics;
mod relay;

pub use metrics::{Metrics, RouteMetrics};
