//! Backends: targets, balance, health, dialling.
//!
//! - [`config`]: what the operator writes; [`address`]: where a target listens
//! - [`balance`]: which target is next; [`health`]: which can be used; [`resolve`]: where its name leads
//! - `connect`: sockets and TLS; `http1`, `http2`: connections on which requests and tunnels run
//! - `exchange`: a plain request and its response; [`websocket`]: a WebSocket, dialled and verified
//! - [`error`]: all that can go wrong, and what the client is told

pub mod address;
pub mod balance;
pub mod body;
pub mod config;
mod connect;
pub mod error;
mod exchange;
pub mod health;
mod http1;
mod http2;
pub mod resolve;
pub mod target;
pub mod websocket;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use balance::Affinity;
pub use body::Body;
pub use error::{Blame, UpstreamError};
pub use target::Pick;
pub use websocket::{Offer, Opened, WebSocket};

use balance::{Balancer, Member};
use config::{AllUnhealthy, Protocol, UpstreamConfig};
use connect::Tls;
use resolve::Lookup;
use target::Target;

/// An upstream at work. Its background tasks end when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    config: Arc<UpstreamConfig>,
    targets: Box<[Arc<Target>]>,
    balancer: Balancer,
    _stop: DropGuard,
}

impl Upstream {
    /// Starts the upstream: its names are looked up, its targets probed. Must be called inside a tokio runtime.
    pub fn start(
        config: Arc<UpstreamConfig>,
        lookup: &Lookup,
        stop: &CancellationToken,
    ) -> Result<Self, UpstreamError> {
        let stop = stop.child_token();
        let alpn: &[u8] = if config.protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
        let client = config.tls.as_ref().map(|tls| (tls.rustls(&[alpn]), tls.server_name.clone()));
        let targets = config.targets.iter().map(|target| {
            let tls = Tls::for_target(&target.address, client.as_ref())?;
            Ok(Arc::new(Target::new(target.clone(), tls, &config.limits)))
        });
        let targets = targets.collect::<Result<Box<[_]>, UpstreamError>>()?;
        let members: Vec<_> =
            targets.iter().map(|t| Member { name: t.address().as_str(), weight: t.weight() }).collect();
        let balancer = Balancer::new(&config.balance, &members);
        let upstream = Self { config, targets, balancer, _stop: stop.clone().drop_guard() };
        upstream.spawn_tasks(lookup, &stop);
        Ok(upstream)
    }

    /// The name that the configuration gives it.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether it may go on under `config` as it is.
    pub fn allows(&self, config: &UpstreamConfig) -> bool {
        self.config.allows(config)
    }

    /// Its targets, in the order of the configuration.
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// The key by which a request sticks to a target; taken before anything is rewritten.
    pub fn affinity(&self, client: Option<IpAddr>, request: &Parts) -> Affinity {
        self.config.balance.affinity(client, request)
    }

    /// Picks a target that was not tried yet. Where there is none left, `last` is what went wrong.
    fn pick(
        &self,
        affinity: Affinity,
        tried: &[usize],
        last: Option<UpstreamError>,
    ) -> Result<(usize, Pick), UpstreamError> {
        let all_down = !self.targets.iter().any(|target| target.is_healthy());
        let any = all_down && self.config.all_unhealthy == AllUnhealthy::TryAny;
        let open = |index: usize| {
            let target = &self.targets[index];
            let open = target.counters().open.load(Relaxed);
            let usable = open < self.config.limits.open && (any || target.is_healthy());
            (usable && !tried.contains(&index)).then_some(open)
        };
        match self.balancer.pick(affinity, open) {
            Some(index) => Ok((index, Pick::new(&self.targets[index]))),
            None if all_down && !any => Err(last.unwrap_or(UpstreamError::NoHealthyTarget)),
            None => Err(last.unwrap_or(UpstreamError::Saturated)),
        }
    }

    /// Whether one more target may be tried after these.
    fn may_try_another(&self, tried: &[usize]) -> bool {
        tried.len() < self.targets.len().min(self.config.tries as usize)
    }

    /// Notes that a target has answered.
    fn answered(&self, index: usize, status: StatusCode) {
        let target = &self.targets[index];
        let passive = self.config.health.passive.as_ref();
        if status.is_server_error() && passive.is_some_and(|passive| passive.count_5xx) {
            target.counters().failures.fetch_add(1, Relaxed);
            self.count_failure(target);
        } else if target.health.succeeded() {
            tracing::info!(upstream = %self.name(), target = %target.address(), "ejected target answers again");
        }
    }

    /// Notes that a target has failed.
    fn failed(&self, index: usize, error: &UpstreamError) {
        let target = &self.targets[index];
        tracing::debug!(upstream = %self.name(), target = %target.address(), %error, "target failed");
        if error.blame() == Blame::Upstream {
            target.counters().failures.fetch_add(1, Relaxed);
            self.count_failure(target);
        }
    }

    fn count_failure(&self, target: &Target) {
        let Some(passive) = &self.config.health.passive else { return };
        if !target.health.failed(passive) {
            return;
        }
        let ejected = self.targets.iter().filter(|target| target.health.is_ejected()).count();
        let most = self.targets.len() * passive.max_ejected_percent as usize / 100;
        if ejected < most && target.health.eject(passive.ejection) {
            target.counters().ejections.fetch_add(1, Relaxed);
            let (upstream, target, seconds) = (self.name(), target.address(), passive.ejection.as_secs_f32());
            tracing::warn!(%upstream, %target, seconds, "target ejected: it failed too often in a row");
        }
    }

    fn spawn_tasks(&self, lookup: &Lookup, stop: &CancellationToken) {
        for target in &self.targets {
            if target.name.is_some() {
                tokio::spawn(keep_resolved(
                    target.clone(),
                    lookup.clone(),
                    self.config.resolve_interval,
                    self.config.timeouts.idle,
                    stop.clone(),
                ));
            }
            if let Some(active) = &self.config.health.active {
                let (config, target) = (self.config.clone(), target.clone());
                tokio::spawn(health::active::keep_probing(config, active.clone(), target, stop.clone()));
            }
        }
        tokio::spawn(keep_swept(self.targets.clone(), self.config.timeouts.idle, stop.clone()));
    }
}

async fn keep_resolved(
    target: Arc<Target>,
    lookup: Lookup,
    interval: Duration,
    idle: Duration,
    stop: CancellationToken,
) {
    if let Some(name) = &target.name {
        name.keep_fresh(lookup, interval, stop, || target.sweep(idle)).await;
    }
}

/// Closes connections that nobody has used for `idle`.
async fn keep_swept(targets: Box<[Arc<Target>]>, idle: Duration, stop: CancellationToken) {
    let pause = (idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(10));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        for target in &targets {
            target.sweep(idle);
        }
    }
}

/// A time give or take a tenth, so that what is repeated does not fall in step.
fn jitter(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.9..1.1))
}
