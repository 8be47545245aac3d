//! The configuration: files read with their includes, every problem found at once, each with place and remedy.
//!
//! [`load`] reads the raw keys of each file (`file`) and checks them into the typed [`Config`] (`check`). Each part's raw and typed forms stand beside the code that uses them.

mod changes;
mod check;
mod file;
mod load;
mod restart;
mod section;
#[cfg(test)]
mod tests;
mod tls;
mod view;
mod watch;
mod weak;

use std::sync::Arc;

use wicketgate_admission::identity::MethodConfig;
use wicketgate_admission::revocation::RevocationsConfig;
use wicketgate_audit::AuditConfig;
use wicketgate_policy::Policy;
use wicketgate_relay::config::RelayConfig;
use wicketgate_telemetry::TelemetryConfig;

use crate::listener::config::ListenerConfig;
use crate::route::RouteTable;
use crate::route::config::RouteConfig;
use crate::upstream::config::UpstreamConfig;

pub use crate::admin::config::AdminConfig;
pub use crate::console::ConsoleConfig;
pub use changes::{FileChange, Moment, PartChange};
pub use file::RawConfig;
pub use load::{load, parse};
pub use section::{DrainConfig, LimitsConfig, LogConfig, LogFormat, LogLevel, LogSink, RuntimeConfig};
pub use view::{ShownFile, view};
pub use watch::ConfigWatch;
pub use wicketgate_config::{Report, Style};

/// A configuration that can be used: complete, with all defaults filled in. Its parts are shared, not copied.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients arrive; at least one.
    pub listeners: Vec<Arc<ListenerConfig>>,
    /// What becomes of requests, in the order of the files.
    pub routes: Vec<Arc<RouteConfig>>,
    /// Backends, each with a name of its own; every one that a route names is here.
    pub upstreams: Vec<Arc<UpstreamConfig>>,
    /// Methods by which clients prove who they are, each with a name of its own; every one that a route names is here.
    pub authentication: Vec<MethodConfig>,
    /// What messages may say, each with a name of its own; every one that a route names is here.
    pub policies: Vec<Policy>,
    /// Private sessions between clients and agents, if they are carried.
    pub relay: Option<RelayConfig>,
    /// Where revocations come from.
    pub revocations: RevocationsConfig,
    /// The operator's own listener, if there is one.
    pub admin: Option<AdminConfig>,
    /// The operator's pages and their API, if there are such.
    pub console: Option<ConsoleConfig>,
    /// What is logged, how and where.
    pub log: LogConfig,
    /// Where audit records are kept, and who gets them beside `log.audit`.
    pub audit: AuditConfig,
    /// What is sent to an OpenTelemetry collector, if anything is.
    pub telemetry: Option<TelemetryConfig>,
    /// How a stop or a reload treats open sessions.
    pub drain: DrainConfig,
    /// The process itself.
    pub runtime: RuntimeConfig,
    /// Bounds that all listeners and routes share.
    pub limits: LimitsConfig,
}

impl Config {
    /// The routes in the order in which they are tried.
    pub fn route_table(&self) -> RouteTable<RouteConfig> {
        RouteTable::new(self.routes.iter().map(|route| (&route.matching, route.clone())))
    }
}

/// The JSON Schema of the configuration file, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RawConfig).to_value()
}
