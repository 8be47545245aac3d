//! The keys of the configuration file, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::identity::RawMethod;
use wicketgate_admission::revocation::RawRevocations;
use wicketgate_audit::RawAudit;
use wicketgate_config::{At, Item, OneOrMany};
use wicketgate_policy::RawPolicy;
use wicketgate_relay::config::RawRelay;
use wicketgate_telemetry::RawTelemetry;

use super::section::{RawDrain, RawLimits, RawLog, RawRuntime};
use crate::admin::config::RawAdmin;
use crate::console::RawConsole;
use crate::listener::config::RawListener;
use crate::route::config::RawRoute;
use crate::upstream::config::RawUpstream;

/// The configuration of Wicketgate.
///
/// Values may hold `${NAME}` or `${NAME:-default}` for variables of the environment; `$${` stands for the
/// characters themselves. Unknown keys are refused.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Wicketgate configuration")]
pub struct RawConfig {
    /// More files with `listeners`, `upstreams`, `routes`, `authentication`, `policies` and `include` of their own, relative to this one:
    /// a path or a list of paths, whose last part may hold `*`, as in `conf.d/*.yaml`. Files that a pattern names
    /// are read in the order of their names; what they hold is added at the end of the lists. At most 256 files
    /// of 1 MiB each, 8 deep.
    pub include: OneOrMany<At<String>>,
    /// Where clients arrive. At least one.
    pub listeners: Vec<Item<RawListener>>,
    /// What becomes of a request, by its host, path, method, headers and subprotocol.
    pub routes: Vec<Item<RawRoute>>,
    /// The backends that routes lead to.
    pub upstreams: Vec<Item<RawUpstream>>,
    /// Methods by which clients prove who they are, for routes to ask for by name.
    pub authentication: Vec<Item<RawMethod>>,
    /// What messages may say, for routes to name.
    pub policies: Vec<Item<RawPolicy>>,
    /// Private sessions between clients and agents, carried for routes with `relay: on`. Without this key there are none.
    pub relay: Option<Item<RawRelay>>,
    /// Credentials and subjects that are not accepted any more.
    pub revocations: Item<RawRevocations>,
    /// The operator's own listener: metrics and health. Without this key there is none.
    pub admin: Option<Item<RawAdmin>>,
    /// Pages for operators, and the API behind them. Without this key there are none.
    pub console: Option<Item<RawConsole>>,
    /// What is logged, how and where.
    pub log: Item<RawLog>,
    /// Where audit records are kept, and who gets them beside `log.audit`.
    pub audit: Item<RawAudit>,
    /// Traces and metrics for an OpenTelemetry collector. Without this key nothing is traced, and nothing sent.
    pub telemetry: Option<Item<RawTelemetry>>,
    /// How a stop or a reload treats sessions that are open.
    pub drain: Item<RawDrain>,
    /// The process itself.
    pub runtime: Item<RawRuntime>,
    /// Bounds that all listeners and routes share.
    pub limits: Item<RawLimits>,
}

/// The keys of an included file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPart {
    pub(super) include: OneOrMany<At<String>>,
    pub(super) listeners: Vec<Item<RawListener>>,
    pub(super) routes: Vec<Item<RawRoute>>,
    pub(super) upstreams: Vec<Item<RawUpstream>>,
    pub(super) authentication: Vec<Item<RawMethod>>,
    pub(super) policies: Vec<Item<RawPolicy>>,
}
