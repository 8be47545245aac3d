//! Routes and upstreams, with what is known of their health.

use std::sync::atomic::Ordering::Relaxed;

use schemars::JsonSchema;
use serde::Serialize;

use crate::gateway::{Route, Shared, Target};
use crate::pump::config::Mode;

/// All routes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Routes {
    /// In the order of the configuration.
    pub routes: Vec<ShownRoute>,
}

/// A route.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownRoute {
    /// Its name.
    pub name: String,
    /// The hosts that it is for.
    pub hosts: Vec<String>,
    /// The paths that it is for.
    pub paths: Vec<String>,
    /// What becomes of its requests: `proxy`, `redirect`, `respond` or `relay`.
    pub action: &'static str,
    /// The upstream that it leads to.
    pub upstream: Option<String>,
    /// How its WebSocket sessions are treated: `headers` or `messages`; none where they are refused.
    pub mode: Option<&'static str>,
    /// What its messages may say.
    pub policy: Option<String>,
    /// The methods by which its clients prove who they are.
    pub authentication: Vec<String>,
    /// Sessions that are open now.
    pub sessions: i64,
}

/// All upstreams.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Upstreams {
    /// In the order of the configuration.
    pub upstreams: Vec<ShownUpstream>,
}

/// An upstream.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownUpstream {
    /// Its name.
    pub name: String,
    /// Its targets.
    pub targets: Vec<ShownTarget>,
}

/// A target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownTarget {
    /// Its URL.
    pub address: String,
    /// Whether it can be used, as probes and real sessions say.
    pub healthy: bool,
    /// Its share among the targets.
    pub weight: u32,
    /// Sessions and requests that are open now.
    pub open: usize,
    /// Sessions and requests that were sent to it.
    pub picked: u64,
    /// Those that failed through its fault.
    pub failures: u64,
    /// Times that it was ejected.
    pub ejections: u64,
    /// Probes that failed.
    pub failed_probes: u64,
}

impl ShownRoute {
    fn of(route: &Route) -> Self {
        let (action, proxy) = match &route.target {
            Target::Proxy(proxy) => ("proxy", Some(proxy)),
            Target::Redirect(_) => ("redirect", None),
            Target::Respond(_) => ("respond", None),
            Target::Relay(_) => ("relay", None),
        };
        let websocket = proxy.and_then(|proxy| proxy.websocket.as_ref());
        let methods = route.config.admission.authentication.as_ref().map(|asked| &asked.methods);
        let texts = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>();
        Self {
            name: route.name.to_string(),
            hosts: texts(&mut route.config.matching.hosts.iter().map(ToString::to_string)),
            paths: texts(&mut route.config.matching.paths.iter().map(ToString::to_string)),
            action,
            upstream: proxy.map(|proxy| proxy.upstream.name().to_owned()),
            mode: websocket.map(|websocket| match websocket.mode {
                Mode::Headers => "headers",
                Mode::Messages => "messages",
            }),
            policy: proxy.and_then(|proxy| proxy.policy.name().map(str::to_owned)),
            authentication: texts(&mut methods.into_iter().flatten().map(ToString::to_string)),
            sessions: route.metrics.sessions.get(),
        }
    }
}

/// All routes.
pub fn routes(shared: &Shared) -> Routes {
    Routes { routes: shared.snapshot().all_routes().iter().map(|route| ShownRoute::of(route)).collect() }
}

/// All upstreams.
pub fn upstreams(shared: &Shared) -> Upstreams {
    let snapshot = shared.snapshot();
    let upstreams = snapshot.upstreams.iter().map(|upstream| {
        let targets = upstream.targets().iter().map(|target| {
            let counters = target.counters();
            ShownTarget {
                address: target.address().as_str().to_owned(),
                healthy: target.is_healthy(),
                weight: target.weight(),
                open: counters.open.load(Relaxed),
                picked: counters.picked.load(Relaxed),
                failures: counters.failures.load(Relaxed),
                ejections: counters.ejections.load(Relaxed),
                failed_probes: counters.failed_probes.load(Relaxed),
            }
        });
        ShownUpstream { name: upstream.name().to_owned(), targets: targets.collect() }
    });
    Upstreams { upstreams: upstreams.collect() }
}
