//! The configuration: files read with their includes, every problem found at once, each with place and remedy.
//!
//! [`load`] parses each file into a tree with places (`yaml`, `tree`), reads the raw keys out of it (`read`, `file`),
//! and checks them into the typed [`Config`] (`check`). Each part's raw and typed forms stand beside the code that uses them.

mod check;
mod deserialize;
mod fault;
mod file;
mod load;
mod place;
pub mod problem;
mod read;
mod report;
mod restart;
mod section;
mod source;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tree;
mod unit;
pub mod value;
mod variables;
mod watch;
mod yaml;

use std::sync::Arc;

use crate::listener::config::ListenerConfig;
use crate::route::RouteTable;
use crate::route::config::RouteConfig;
use crate::upstream::config::UpstreamConfig;

pub use file::RawConfig;
pub use load::{load, parse};
pub use report::{Report, Style};
pub use section::{
    AccessLog, AdminConfig, DrainConfig, LimitsConfig, LogConfig, LogFormat, LogLevel, RuntimeConfig,
};
pub use watch::ConfigWatch;

/// A configuration that can be used: complete, with all defaults filled in. Its parts are shared, not copied.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where clients arrive; at least one.
    pub listeners: Vec<Arc<ListenerConfig>>,
    /// What becomes of requests, in the order of the files.
    pub routes: Vec<Arc<RouteConfig>>,
    /// Backends, each with a name of its own; every one that a route names is here.
    pub upstreams: Vec<Arc<UpstreamConfig>>,
    /// The operator's own listener, if there is one.
    pub admin: Option<AdminConfig>,
    /// What is logged, how and where.
    pub log: LogConfig,
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
