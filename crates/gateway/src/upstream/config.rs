//! An upstream: its targets, balance, health checks, timeouts and limits.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use rustls_pki_types::ServerName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use wicketgate_config::{At, Place, Problems, Size, Time};

use super::address::{Address, Endpoint};
use super::balance::Balance;
use super::health::config::{HealthConfig, RawHealth};
use crate::tls::{ClientTlsConfig, RawClientTls};

/// Backends that serve the same thing, and how they are reached.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawUpstream {
    /// The name by which routes, logs and metrics call it.
    pub name: At<String>,
    /// The backends: from 1 to 1024, each a URL or a URL with a weight.
    pub targets: At<Vec<At<RawTarget>>>,
    /// What is spoken with them. `http/1.1`: a WebSocket takes a connection of its own. `h2`: HTTP/2, by ALPN on TLS
    /// and by prior knowledge without, and WebSockets by extended CONNECT (RFC 8441).
    pub protocol: Protocol,
    /// How sessions and requests are spread over the targets.
    pub balance: Balance,
    /// What happens when every target is unhealthy: `refuse` answers 503, `try_any` picks as if all were healthy.
    pub all_unhealthy: AllUnhealthy,
    /// How many targets are tried for one session or request, as long as nothing was sent to one.
    pub tries: At<u32>,
    /// How it is found out which targets can be used.
    pub health: RawHealth,
    /// How long each step may take.
    pub timeouts: RawTimeouts,
    /// How much may be open or held.
    pub limits: RawLimits,
    /// How names are resolved.
    pub resolve: RawResolve,
    /// TLS towards `wss://` and `https://` targets. Default: verified against the system's roots.
    pub tls: Option<At<RawClientTls>>,
}

/// One backend: a URL (`ws://`, `wss://`, `http://`, `https://` with host and port, or `unix:/path`) and its weight.
#[derive(Clone, Debug)]
pub struct RawTarget {
    /// Where it listens.
    pub url: String,
    /// Its share of sessions and requests among the targets, 1 to 1000.
    pub weight: u32,
}

/// How long each step may take. Each must be at least 1ms and at most 1d.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTimeouts {
    /// Resolving the name and connecting, over all addresses of the name.
    pub connect: At<Time>,
    /// The TLS handshake, and after it the WebSocket or HTTP/2 handshake: each.
    pub handshake: At<Time>,
    /// From the last piece of a request that was sent to the head of its response.
    pub response: At<Time>,
    /// Between two pieces of a response body.
    pub stall: At<Time>,
    /// Between two PINGs on an `h2` connection with open streams; one that is not answered within `handshake` ends the
    /// connection.
    pub ping: At<Time>,
    /// How long an unused connection is kept for the next request.
    pub idle: At<Time>,
}

/// How much may be open or held, for each target.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Sessions and requests open at once; the next gets another target, or 503. Each has a socket, and the memory of its
    /// session.
    pub open: At<u32>,
    /// Unused HTTP/1.1 connections kept, each with about 16 KiB of buffers: 1 MiB at the default.
    pub idle: At<u32>,
    /// Size of a response head, 8KiB to 1MiB; as much is held at most while one is read.
    pub response_head: At<Size>,
    /// Connections by `h2`.
    pub http2_connections: At<u32>,
    /// Sessions and requests on one `h2` connection, fewer if the target says so.
    pub http2_streams: At<u32>,
    /// Bytes that a target may send on one `h2` stream before they are taken, 16KiB to 16MiB. The
    /// three at their defaults hold at most 64 x 100 x 64KiB = 400 MiB for a target whose clients all stall.
    pub http2_window: At<Size>,
}

/// How names are resolved.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawResolve {
    /// Time between two look-ups of a name. The last good answer is used until there is a better one.
    pub interval: At<Time>,
}

/// What is spoken with the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Protocol {
    /// HTTP/1.1 and RFC 6455.
    #[default]
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2 and RFC 8441.
    #[serde(rename = "h2")]
    Http2,
}

/// What happens when every target is unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllUnhealthy {
    /// The client gets a 503 at once.
    #[default]
    Refuse,
    /// Targets are picked as if all were healthy: for when checks are less trusted than backends.
    TryAny,
}

/// [`RawUpstream`], checked and complete.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each field is described where it is configured, in RawUpstream")]
pub struct UpstreamConfig {
    pub name: String,
    pub targets: Vec<TargetConfig>,
    pub protocol: Protocol,
    pub balance: Balance,
    pub all_unhealthy: AllUnhealthy,
    pub tries: u32,
    pub health: HealthConfig,
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub resolve_interval: Duration,
    /// There if a target wants TLS.
    pub tls: Option<ClientTlsConfig>,
}

impl UpstreamConfig {
    /// Whether an upstream at work under this configuration may go on under `next`. With TLS it may not: the files behind
    /// it may have changed.
    pub fn allows(&self, next: &Self) -> bool {
        let Self { name, targets, protocol, balance, all_unhealthy, tries, health, timeouts, limits, .. } =
            self;
        self.tls.is_none()
            && next.tls.is_none()
            && (name, targets, protocol, balance)
                == (&next.name, &next.targets, &next.protocol, &next.balance)
            && (all_unhealthy, tries, health) == (&next.all_unhealthy, &next.tries, &next.health)
            && (timeouts, limits) == (&next.timeouts, &next.limits)
            && self.resolve_interval == next.resolve_interval
    }
}

/// [`RawTarget`], checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetConfig {
    /// Where it listens.
    pub address: Address,
    /// Its share, from 1.
    pub weight: u32,
}

/// [`RawTimeouts`], checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is described where it is configured, in RawTimeouts")]
pub struct Timeouts {
    pub connect: Duration,
    pub handshake: Duration,
    pub response: Duration,
    pub stall: Duration,
    pub ping: Duration,
    pub idle: Duration,
}

/// [`RawLimits`], checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field is described where it is configured, in RawLimits")]
pub struct Limits {
    pub open: usize,
    pub idle: usize,
    pub response_head: usize,
    pub http2_connections: usize,
    pub http2_streams: usize,
    pub http2_window: u32,
}

impl RawUpstream {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> UpstreamConfig {
        let targets = check_targets(self.targets, &self.name, problems);
        let tls = check_tls(self.tls, targets.iter().any(|target| target.address.tls), problems);
        UpstreamConfig {
            tls,
            name: self.name.value,
            targets,
            protocol: self.protocol,
            balance: self.balance,
            all_unhealthy: self.all_unhealthy,
            tries: problems.in_range("tries", &self.tries, 1..=100),
            health: self.health.check(problems),
            timeouts: self.timeouts.check(problems),
            limits: self.limits.check(problems),
            resolve_interval: problems.in_range("interval", &self.resolve.interval, SPAN).0,
        }
    }
}

fn check_tls(
    raw: Option<At<RawClientTls>>,
    needed: bool,
    problems: &mut Problems,
) -> Option<ClientTlsConfig> {
    if let (Some(raw), false) = (&raw, needed) {
        let help = "write wss:// or https:// in a target, or remove `tls`";
        problems.error(raw.place, "`tls` has no effect: no target is reached over TLS", help);
    }
    // Without a target that needs it, nothing is loaded.
    if needed { raw.map(|raw| raw.value).unwrap_or_default().check(problems) } else { None }
}

fn check_targets(
    raw: At<Vec<At<RawTarget>>>,
    name: &At<String>,
    problems: &mut Problems,
) -> Vec<TargetConfig> {
    if raw.value.is_empty() || raw.value.len() > 1024 {
        let help = "list from 1 to 1024, as in `targets: [\"ws://10.0.0.5:9000\"]`";
        let place = if raw.place == Place::UNKNOWN { name.place } else { raw.place };
        let what = format!("the upstream `{}` has {} targets", name.value, raw.value.len());
        problems.error(place, what, help);
    }
    let mut targets: Vec<TargetConfig> = Vec::with_capacity(raw.value.len().min(1024));
    for At { value: RawTarget { url, weight }, place } in raw.value {
        let help = "write ws://host:port, wss://host:port, http://, https:// or unix:/path";
        let address: Address = match url.parse() {
            Ok(address) => address,
            Err(what) => {
                problems.error(place, what, help);
                continue;
            }
        };
        if targets.iter().any(|other| other.address == address) {
            problems.error(place, format!("`{address}` is listed twice"), "give it a larger weight instead");
        }
        let unverifiable = |host: String| ServerName::try_from(host).is_err();
        if address.tls && address.host().is_some_and(unverifiable) {
            problems.error(place, format!("no certificate can be for the host of `{address}`"), help);
        }
        let plain_remote = match &address.endpoint {
            Endpoint::Ip(ip) => !address.tls && !ip.ip().is_loopback() && !is_private(ip.ip()),
            Endpoint::Name(..) | Endpoint::Unix(_) => false,
        };
        if plain_remote {
            let what = format!("`{address}` is reached over a public network without TLS");
            problems.warning(place, what, "use wss:// or https://");
        }
        targets.push(TargetConfig {
            address,
            weight: problems.in_range("weight", &At { value: weight, place }, 1..=1000),
        });
    }
    targets
}

fn is_private(ip: std::net::IpAddr) -> bool {
    match ip {
        std::net::IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        std::net::IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

impl RawTimeouts {
    fn check(self, problems: &mut Problems) -> Timeouts {
        Timeouts {
            connect: problems.in_range("connect", &self.connect, SPAN).0,
            handshake: problems.in_range("handshake", &self.handshake, SPAN).0,
            response: problems.in_range("response", &self.response, SPAN).0,
            stall: problems.in_range("stall", &self.stall, SPAN).0,
            ping: problems.in_range("ping", &self.ping, SPAN).0,
            idle: problems.in_range("idle", &self.idle, SPAN).0,
        }
    }
}

impl RawLimits {
    fn check(self, problems: &mut Problems) -> Limits {
        Limits {
            open: problems.in_range("open", &self.open, 1..=10_000_000) as usize,
            idle: problems.in_range("idle", &self.idle, 0..=65_536) as usize,
            response_head: problems.in_range("response_head", &self.response_head, HEAD).0 as usize,
            http2_connections: problems.in_range("http2_connections", &self.http2_connections, 1..=65_536)
                as usize,
            http2_streams: problems.in_range("http2_streams", &self.http2_streams, 1..=10_000) as usize,
            http2_window: problems.in_range("http2_window", &self.http2_window, WINDOW).0 as u32,
        }
    }
}

const HEAD: RangeInclusive<Size> = Size(8 << 10)..=Size(1 << 20);
const WINDOW: RangeInclusive<Size> = Size(16 << 10)..=Size(16 << 20);

/// A span of time that something can wait for.
pub(super) const SPAN: RangeInclusive<Time> = Time::millis(1)..=Time::secs(86_400);

fn seconds(seconds: u64) -> At<Time> {
    At::nowhere(Time::secs(seconds))
}

impl Default for RawUpstream {
    fn default() -> Self {
        Self {
            name: At::default(),
            targets: At::default(),
            protocol: Protocol::default(),
            balance: Balance::default(),
            all_unhealthy: AllUnhealthy::default(),
            tries: At::nowhere(3),
            health: RawHealth::default(),
            timeouts: RawTimeouts::default(),
            limits: RawLimits::default(),
            resolve: RawResolve::default(),
            tls: None,
        }
    }
}

impl Default for RawTimeouts {
    fn default() -> Self {
        Self {
            connect: seconds(5),
            handshake: seconds(10),
            response: seconds(60),
            stall: seconds(60),
            ping: seconds(30),
            idle: seconds(60),
        }
    }
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            open: At::nowhere(65_536),
            idle: At::nowhere(64),
            response_head: At::nowhere(Size(32 << 10)),
            http2_connections: At::nowhere(64),
            http2_streams: At::nowhere(100),
            http2_window: At::nowhere(Size(64 << 10)),
        }
    }
}

impl Default for RawResolve {
    fn default() -> Self {
        Self { interval: seconds(30) }
    }
}

impl<'de> Deserialize<'de> for RawTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            url: String,
            #[serde(default = "one")]
            weight: u32,
        }
        fn one() -> u32 {
            1
        }

        struct Short;
        impl<'de> de::Visitor<'de> for Short {
            type Value = RawTarget;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or `url` and `weight`")
            }
            fn visit_str<E: de::Error>(self, url: &str) -> Result<RawTarget, E> {
                Ok(RawTarget { url: url.to_owned(), weight: 1 })
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<RawTarget, A::Error> {
                let Long { url, weight } = Long::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(RawTarget { url, weight })
            }
        }
        deserializer.deserialize_any(Short)
    }
}

impl JsonSchema for RawTarget {
    fn schema_name() -> Cow<'static, str> {
        "RawTarget".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One backend: a URL (ws://, wss://, http://, https:// with host and port, or unix:/path), \
                            alone or with its weight.",
            "oneOf": [
                { "type": "string" },
                {
                    "type": "object",
                    "properties": {
                        "url": { "type": "string", "description": "Where it listens." },
                        "weight": {
                            "type": "integer", "minimum": 1, "maximum": 1000, "default": 1,
                            "description": "Its share of sessions and requests among the targets."
                        }
                    },
                    "required": ["url"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
