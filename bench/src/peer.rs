//! Who is compared: Wicketgate in its modes, its peers, the floor, and the backend itself.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use tokio::runtime::Runtime;
use wicketgate_testkit::peers::{Hop, Intermediary, Proxy};
use wicketgate_testkit::process::Usage;

use crate::cell::Cell;
use crate::gateway::{self, Gateway, Inspection, Operator};
use crate::setup::Setup;

/// Silence that every proxy allows, longer than any cell is.
const IDLE: Duration = Duration::from_secs(300);

/// One contender. The order is the order of turns and of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// Wicketgate, header-only
    Wicketgate,
    /// Wicketgate in message mode with the trivial policy
    WicketgateMessages,
    /// Wicketgate in message mode that inflates what is compressed; in cells with deflate only
    WicketgateDeflate,
    /// Wicketgate in message mode with JSON, a schema and the guard; where messages are JSON
    WicketgatePolicy,
    /// Wicketgate in message mode, with a console
    WicketgateConsole,
    /// Wicketgate in message mode, with somebody at the console who looks on at the messages
    WicketgateWatched,
    /// nginx with its default buffers
    Nginx,
    /// nginx with buffers of 64 KiB
    #[value(name = "nginx-64k")]
    #[serde(rename = "nginx-64k")]
    Nginx64k,
    /// HAProxy in HTTP mode
    Haproxy,
    /// Envoy
    Envoy,
    /// Caddy
    Caddy,
    /// the floor: HAProxy in TCP mode
    Floor,
    /// no proxy at all: what the load generator and the backend can do
    Direct,
}

/// A contender that serves. Dropping it ends it.
pub(crate) enum Running {
    Gateway(Gateway),
    Proxy(Proxy),
    Direct(SocketAddr),
}

impl Peer {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) fn is_wicketgate(self) -> bool {
        self.inspection().is_some()
    }

    /// Whether it may be the best peer: a proxy that speaks HTTP and is not Wicketgate.
    pub(crate) fn is_rival(self) -> bool {
        !self.is_wicketgate() && !matches!(self, Self::Floor | Self::Direct)
    }

    /// Whether it takes part where nobody is chosen.
    pub(crate) fn is_usual(self) -> bool {
        !matches!(self, Self::Direct | Self::WicketgateConsole | Self::WicketgateWatched)
    }

    /// Whether the cell says something about it.
    pub(crate) fn takes(self, cell: &Cell) -> bool {
        match self {
            Self::WicketgateMessages | Self::WicketgateConsole | Self::WicketgateWatched => {
                !cell.is_compressed()
            }
            Self::WicketgateDeflate => cell.is_compressed(),
            Self::WicketgatePolicy => cell.is_json(),
            Self::Direct => !cell.tls,
            _ => true,
        }
    }

    pub(crate) fn version(self, setup: &Setup) -> Result<String> {
        match self.intermediary() {
            Some(intermediary) => intermediary.version(),
            None if self.is_wicketgate() => gateway::version(&setup.wicketgate),
            None => Ok(env!("CARGO_PKG_VERSION").to_owned()),
        }
    }

    pub(crate) fn start(self, setup: &Setup, tls: bool, runtime: &Runtime) -> Result<Running> {
        let started = async {
            if let Some(inspection) = self.inspection() {
                return Gateway::start(setup, tls, inspection, self.operator()).await.map(Running::Gateway);
            }
            let Some(intermediary) = self.intermediary() else { return Ok(Running::Direct(setup.backend)) };
            let mut hop = Hop::plain(setup.backend).workers(setup.workers).idle(IDLE);
            if tls {
                hop = hop.tls(&setup.identity);
            }
            if self == Self::Nginx64k {
                hop = hop.buffer_bytes(64 << 10);
            }
            intermediary.start(&hop).await.map(Running::Proxy)
        };
        runtime.block_on(started).with_context(|| format!("cannot start {self}"))
    }

    fn inspection(self) -> Option<Inspection> {
        match self {
            Self::Wicketgate => Some(Inspection::Headers),
            Self::WicketgateMessages | Self::WicketgateConsole | Self::WicketgateWatched => {
                Some(Inspection::Messages)
            }
            Self::WicketgateDeflate => Some(Inspection::Inflated),
            Self::WicketgatePolicy => Some(Inspection::Policy),
            _ => None,
        }
    }

    fn operator(self) -> Operator {
        match self {
            Self::WicketgateConsole => Operator::Console,
            Self::WicketgateWatched => Operator::Watching,
            _ => Operator::None,
        }
    }

    fn intermediary(self) -> Option<Intermediary> {
        match self {
            Self::Nginx | Self::Nginx64k => Some(Intermediary::Nginx),
            Self::Haproxy => Some(Intermediary::Haproxy),
            Self::Envoy => Some(Intermediary::Envoy),
            Self::Caddy => Some(Intermediary::Caddy),
            Self::Floor => Some(Intermediary::HaproxyTcp),
            _ => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Gateway(gateway) => gateway.address(),
            Self::Proxy(proxy) => proxy.addr(),
            Self::Direct(address) => *address,
        }
    }

    /// Processor time and memory of the proxy's own processes; none where there is no proxy.
    pub(crate) fn usage(&self) -> Result<Option<Usage>> {
        match self {
            Self::Gateway(gateway) => gateway.usage().map(Some),
            Self::Proxy(proxy) => proxy.usage().map(Some),
            Self::Direct(_) => Ok(None),
        }
    }
}
