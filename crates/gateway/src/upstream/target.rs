//! One target: its address, its health, its connections and its counters.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::address::{Address, Endpoint};
use super::config::{Limits, TargetConfig};
use super::connect::Tls;
use super::health::Health;
use super::http1::{Idle, Lease};
use super::http2::Http2;
use super::resolve::Name;

/// A backend of an upstream.
#[derive(Debug)]
pub struct Target {
    pub(super) address: Address,
    pub(super) weight: u32,
    pub(super) name: Option<Name>,
    pub(super) tls: Option<Tls>,
    pub(super) health: Health,
    pub(super) idle: Idle,
    pub(super) http2: Http2,
    counters: Counters,
}

/// What has happened at a target since the upstream was built.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sessions and requests that are open now.
    pub open: AtomicUsize,
    /// Sessions and requests that were sent to it, whatever came of them.
    pub picked: AtomicU64,
    /// Those that failed through its fault.
    pub failures: AtomicU64,
    /// Connections opened to it, probes not counted.
    pub connections: AtomicU64,
    /// Requests sent over a connection that had served one before.
    pub reused: AtomicU64,
    /// Times that it was ejected.
    pub ejections: AtomicU64,
    /// Probes that failed.
    pub failed_probes: AtomicU64,
}

impl Target {
    pub(super) fn new(config: TargetConfig, tls: Option<Tls>, limits: &Limits) -> Self {
        let name = match &config.address.endpoint {
            Endpoint::Name(host, port) => Some(Name::new(host, *port)),
            Endpoint::Ip(_) | Endpoint::Unix(_) => None,
        };
        Self {
            address: config.address,
            weight: config.weight,
            name,
            tls,
            health: Health::default(),
            idle: Idle::new(limits.idle),
            http2: Http2::default(),
            counters: Counters::default(),
        }
    }

    /// The URL it was configured with.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its share among the targets.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Whether probes and real sessions say that it can be used.
    pub fn is_healthy(&self) -> bool {
        self.health.is_usable()
    }

    /// Keeps a connection for the next request, unless the target has moved away from its peer.
    pub(super) fn keep(&self, lease: Lease) {
        if self.is_current(lease.peer()) {
            self.idle.put(lease);
        }
    }

    /// Closes unused connections that are older than `age`, or lead to where the target no longer is.
    pub(super) fn sweep(&self, age: Duration) {
        self.idle.sweep(age, |peer| self.is_current(peer));
        self.http2.sweep(age, |peer| self.is_current(peer));
    }

    fn is_current(&self, peer: Option<SocketAddr>) -> bool {
        match (&self.name, peer) {
            (Some(name), Some(peer)) => name.has(peer),
            _ => true,
        }
    }

    /// Connections that wait for the next request, and HTTP/2 connections that take more streams.
    pub fn pooled(&self) -> usize {
        self.idle.len() + self.http2.len()
    }

    /// What has happened at it.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

/// A target picked for one session or request, which counts as open until this is dropped.
#[derive(Debug)]
pub struct Pick(Arc<Target>);

impl Pick {
    pub(super) fn new(target: &Arc<Target>) -> Self {
        target.counters.open.fetch_add(1, Relaxed);
        target.counters.picked.fetch_add(1, Relaxed);
        Self(target.clone())
    }
}

impl Pick {
    /// The target, for whoever outlives the pick.
    pub(super) fn target(&self) -> Arc<Target> {
        self.0.clone()
    }
}

impl Deref for Pick {
    type Target = Target;
    fn deref(&self) -> &Target {
        &self.0
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.0.counters.open.fetch_sub(1, Relaxed);
    }
}
