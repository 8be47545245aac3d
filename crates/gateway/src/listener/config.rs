//! A listener: where it listens, what it speaks, how many it takes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use wicketgate_admission::address::{RawTrustedProxies, TrustedProxies};
use wicketgate_config::{At, Network, Place, Problems, Size, Time};

use super::address::BindAddress;
use crate::tls::config::{RawServerTls, ServerTlsConfig};

/// A listener: where it listens, what it speaks, how many it takes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawListener {
    /// What it is called in logs and metrics; its first address by default.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it listens: one address or a list. `0.0.0.0:443`, `[::]:443` (IPv6 alone), `unix:/run/wicketgate.sock`. A
    /// socket of that address which the service manager passes is taken.
    pub bind: At<RawBinds>,
    /// Who may connect to its Unix sockets, as file permissions.
    #[serde(default)]
    pub mode: FileMode,
    /// TLS towards clients; without it, the listener speaks plain HTTP.
    #[serde(default)]
    pub tls: Option<At<RawServerTls>>,
    /// What is spoken: `http/1.1`, `h2`. Both by default with TLS, `http/1.1` without; on a plain listener `h2` is
    /// recognised by its preface.
    #[serde(default)]
    pub protocols: Option<At<Vec<Protocol>>>,
    /// PROXY protocol version 1 or 2 before anything else, from a load balancer in front.
    #[serde(default)]
    pub proxy_protocol: Option<RawProxyProtocol>,
    /// HTTP proxies in front, whose headers tell the client's address.
    #[serde(default)]
    pub trusted_proxies: Option<RawTrustedProxies>,
    /// How long a client may take.
    #[serde(default)]
    pub timeouts: RawTimeouts,
    /// How many connections there may be.
    #[serde(default)]
    pub limits: RawLimits,
    /// How many connections the system completes and queues before they are accepted; capped by
    /// `net.core.somaxconn`.
    #[serde(default = "default_backlog")]
    pub backlog: At<u16>,
    /// Lets other processes of the same user bind the address too, and share its connections (SO_REUSEPORT).
    #[serde(default)]
    pub reuse_port: bool,
}

/// One address or a list of them.
#[derive(Clone, Debug)]
pub struct RawBinds(Vec<At<String>>);

/// An application protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
pub enum Protocol {
    /// HTTP/1.1.
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "h2")]
    Http2,
    /// No HTTP: the carrier of an agent or a client. It is the section `relay` that allows it.
    #[serde(skip)]
    Carrier,
}

/// Whether connections begin with a PROXY protocol header, and who may say so.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProxyProtocol {
    /// `required`: a connection without the header is closed. `optional`: it is taken as it is.
    pub mode: ProxyMode,
    /// The load balancers' networks. A header from anybody else is never believed: with `required` the connection is
    /// closed, with `optional` its bytes are the client's own. Peers on Unix sockets count as load balancers:
    /// the socket's `mode` says who they are.
    pub from: At<Vec<Network>>,
}

/// See [`RawProxyProtocol::mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyMode {
    /// Trusted peers must send the header, and there are no others.
    Required,
    /// Trusted peers may send it.
    Optional,
}

/// How long a client may take.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTimeouts {
    /// Until the TLS handshake is done.
    pub tls: At<Time>,
    /// Until a PROXY protocol header is there, and on a plain listener until the first byte.
    pub first_byte: At<Time>,
    /// Until a request's head is there, from its first byte.
    pub head: At<Time>,
    /// Between two requests on one connection; over HTTP/2, a client as silent as this is sent a ping.
    pub idle: At<Time>,
    /// Between two pieces of a request's body.
    pub body: At<Time>,
}

impl Default for RawTimeouts {
    fn default() -> Self {
        let seconds = |n| At::nowhere(Time(Duration::from_secs(n)));
        Self {
            tls: seconds(10),
            first_byte: seconds(10),
            head: seconds(10),
            idle: seconds(75),
            body: seconds(60),
        }
    }
}

/// How many connections there may be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawLimits {
    /// Open connections; at the limit the listener stops accepting until one ends, and the system's backlog
    /// queues. An idle connection costs about 5 KiB, with TLS about 20 KiB.
    pub connections: At<u32>,
    /// Open connections of one client address (an IPv6 /64 counts as one); more are closed at once. No limit if
    /// absent.
    pub per_address: Option<At<u32>>,
    /// Bytes of a request's head, 8KiB to 1MiB; 431 beyond it. As much is held while a head is read.
    pub head_size: At<Size>,
    /// Lines of a request's head, 1 to 1000; 431 beyond it.
    pub headers: At<u32>,
    /// Requests and sessions at once on one HTTP/2 connection, 1 to 10000.
    pub http2_streams: At<u32>,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            connections: At::nowhere(20_000),
            per_address: None,
            head_size: At::nowhere(Size(32 << 10)),
            headers: At::nowhere(100),
            http2_streams: At::nowhere(128),
        }
    }
}

/// File permissions in octal: `0660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Default for FileMode {
    fn default() -> Self {
        Self(0o660)
    }
}

fn default_backlog() -> At<u16> {
    At::nowhere(4096)
}

/// A listener, checked and complete.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// What it is called in logs and metrics.
    pub name: Arc<str>,
    /// Where it listens.
    pub bind: Vec<BindAddress>,
    /// Permissions of its Unix sockets.
    pub mode: u32,
    /// TLS towards clients.
    pub tls: Option<ServerTlsConfig>,
    /// What is spoken, the preferred one first.
    pub protocols: Vec<Protocol>,
    /// Whose PROXY protocol headers are believed.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whose headers about the client are believed.
    pub trusted_proxies: Option<TrustedProxies>,
    /// Until the TLS handshake is done.
    pub tls_timeout: Duration,
    /// Until a PROXY protocol header or a plain connection's first byte is there.
    pub first_byte_timeout: Duration,
    /// Until a request's head is there. For the HTTP server to keep.
    pub head_timeout: Duration,
    /// Between two requests. For the HTTP server to keep.
    pub idle_timeout: Duration,
    /// Between two pieces of a request's body. For the HTTP server to keep.
    pub body_timeout: Duration,
    /// Bytes of a request's head. For the HTTP server to keep, as the next two.
    pub head_size: usize,
    /// Lines of a request's head.
    pub headers: usize,
    /// Requests and sessions at once on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Most open connections.
    pub connections: u32,
    /// Most open connections of one client address.
    pub per_address: Option<u32>,
    /// The system's queue before accept.
    pub backlog: u16,
    /// Whether other processes may bind the same address.
    pub reuse_port: bool,
}

/// Whose PROXY protocol headers are believed, and whether they must be there.
#[derive(Clone, Debug)]
pub struct ProxyProtocol {
    /// Required or optional.
    pub mode: ProxyMode,
    /// The load balancers.
    pub from: Vec<Network>,
}

impl ListenerConfig {
    /// Whether none but clients on this machine can reach it.
    pub fn is_local(&self) -> bool {
        self.bind.iter().all(BindAddress::is_local)
    }
}

impl RawListener {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> ListenerConfig {
        let bind = check_binds(self.bind, problems);
        let tls = self.tls.map(|mut raw| {
            // That there are none is said of the whole.
            if !raw.certificates.place.is_known() {
                raw.value.certificates.place = raw.place;
            }
            raw.value.check(problems)
        });
        let name = self.name.or_else(|| bind.first().map(ToString::to_string)).unwrap_or_default();
        let head_size = problems.in_range("head_size", &self.limits.head_size, Size(8 << 10)..=Size(1 << 20));
        ListenerConfig {
            name: name.into(),
            mode: self.mode.0,
            protocols: check_protocols(self.protocols, tls.is_some(), problems),
            proxy_protocol: self.proxy_protocol.map(|raw| check_proxy_protocol(raw, problems)),
            trusted_proxies: self.trusted_proxies.map(|raw| raw.check(problems)),
            tls_timeout: positive(&self.timeouts.tls, problems),
            first_byte_timeout: positive(&self.timeouts.first_byte, problems),
            head_timeout: positive(&self.timeouts.head, problems),
            idle_timeout: positive(&self.timeouts.idle, problems),
            body_timeout: positive(&self.timeouts.body, problems),
            head_size: head_size.0 as usize,
            headers: problems.in_range("headers", &self.limits.headers, 1..=1000) as usize,
            http2_streams: problems.in_range("http2_streams", &self.limits.http2_streams, 1..=10_000),
            connections: at_least_one(&self.limits.connections, problems),
            per_address: self.limits.per_address.map(|limit| at_least_one(&limit, problems)),
            backlog: at_least_one(&self.backlog, problems),
            reuse_port: self.reuse_port,
            bind,
            tls,
        }
    }
}

fn check_binds(raw: At<RawBinds>, problems: &mut Problems) -> Vec<BindAddress> {
    if raw.value.0.is_empty() {
        problems.error(
            raw.place,
            "a listener without an address",
            "write where it listens: bind: 0.0.0.0:443",
        );
    }
    let mut seen = HashSet::new();
    let mut addresses = Vec::new();
    for text in raw.value.0 {
        let place = if text.place == Place::UNKNOWN { raw.place } else { text.place };
        match text.value.parse::<BindAddress>() {
            Ok(address) if seen.insert(address.clone()) => addresses.push(address),
            Ok(address) => {
                problems.error(place, format!("`{address}` stands here twice"), "remove one of them");
            }
            Err(help) => problems.error(place, "no address to listen at", help),
        }
    }
    addresses
}

fn check_protocols(raw: Option<At<Vec<Protocol>>>, tls: bool, problems: &mut Problems) -> Vec<Protocol> {
    match raw {
        None if tls => vec![Protocol::Http2, Protocol::Http1],
        None => vec![Protocol::Http1],
        Some(raw) => {
            if raw.is_empty() {
                problems.error(
                    raw.place,
                    "a listener that speaks nothing",
                    "write protocols: [http/1.1, h2]",
                );
            }
            raw.value
        }
    }
}

fn check_proxy_protocol(raw: RawProxyProtocol, problems: &mut Problems) -> ProxyProtocol {
    if raw.from.is_empty() {
        problems.error(
            raw.from.place,
            "PROXY protocol from nobody",
            "list the load balancers' addresses in `from`",
        );
    }
    if raw.from.iter().any(Network::is_everything) {
        problems.warning(
            raw.from.place,
            "every client may forge its address by the PROXY protocol",
            "list the load balancers' addresses alone",
        );
    }
    ProxyProtocol { mode: raw.mode, from: raw.from.value }
}

fn positive(time: &At<Time>, problems: &mut Problems) -> Duration {
    if time.value.0.is_zero() {
        problems.error(time.place, "no time at all would close every connection", "write a time above 0");
    }
    time.value.0
}

fn at_least_one<N: Copy + PartialEq + From<u8>>(limit: &At<N>, problems: &mut Problems) -> N {
    if limit.value == N::from(0) {
        problems.error(limit.place, "a limit of 0 would let nobody in", "write a number above 0");
    }
    limit.value
}

impl<'de> Deserialize<'de> for RawBinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = RawBinds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address, or a list of addresses")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawBinds, E> {
                Ok(RawBinds(vec![At::nowhere(text.to_owned())]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RawBinds, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = list.next_element()? {
                    all.push(text);
                }
                Ok(RawBinds(all))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for RawBinds {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Binds".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" }, "minItems": 1 })
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if (3..=4).contains(&text.len()) && mode <= 0o777 => Ok(Self(mode)),
            _ => Err(de::Error::custom(format!("`{text}` is no file mode: write it in octal, as in 0660"))),
        }
    }
}

impl JsonSchema for FileMode {
    fn schema_name() -> Cow<'static, str> {
        "FileMode".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "pattern": "^0?[0-7]{3}$", "description": "File permissions in octal: 0660." })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(yaml: &str) -> (ListenerConfig, Problems) {
        let raw: RawListener = wicketgate_config::part("part", yaml).unwrap();
        let mut problems = Problems::default();
        (raw.check(&mut problems), problems)
    }

    #[test]
    fn one_address_is_enough() {
        let (config, problems) = check("bind: 127.0.0.1:8080");
        assert_eq!(problems.iter().count(), 0);
        assert_eq!(&*config.name, "127.0.0.1:8080");
        assert_eq!(config.protocols, [Protocol::Http1]);
        assert_eq!(config.tls_timeout, Duration::from_secs(10));
    }

    #[test]
    fn everything_can_be_said() {
        let (config, problems) = check(
            "name: edge
bind: ['[::]:443', 'unix:/run/w.sock']
mode: 0600
protocols: [h2]
proxy_protocol: { mode: optional, from: [10.0.0.0/8, '::1'] }
timeouts: { tls: 5s, first_byte: 3s, head: 2s, idle: 1m }
limits: { connections: 10, per_address: 2 }
backlog: 16
reuse_port: true",
        );
        assert_eq!(problems.iter().count(), 0, "{problems:?}");
        assert_eq!((config.bind.len(), config.mode, config.backlog), (2, 0o600, 16));
        assert_eq!((config.connections, config.per_address), (10, Some(2)));
        assert_eq!(config.idle_timeout, Duration::from_secs(60));
    }

    #[test]
    fn each_mistake_is_told_where_it_stands() {
        let (_, problems) = check(
            "bind: [nowhere, 1.2.3.4:80, 1.2.3.4:80]
protocols: []
proxy_protocol: { mode: required, from: [] }
timeouts: { tls: 0s }
limits: { connections: 0 }",
        );
        let found: Vec<_> = problems.iter().map(|p| (p.place.line(), p.what.as_str())).collect();
        assert_eq!(found.len(), 6, "{found:?}");
        for line in 1..=5 {
            assert!(found.iter().any(|(at, _)| *at == line), "line {line}: {found:?}");
        }
        let (_, problems) = check("bind: 1.2.3.4:1\nproxy_protocol: { mode: required, from: [0.0.0.0/0] }");
        assert!(!problems.has_errors() && problems.iter().count() == 1);
    }

    #[test]
    fn unknown_words_are_refused() {
        for yaml in
            ["bind: 1.2.3.4:1\nport: 1", "bind: 1.2.3.4:1\nmode: 999", "bind: 1.2.3.4:1\nprotocols: [h3]"]
        {
            assert!(serde_saphyr::from_str::<RawListener>(yaml).is_err(), "{yaml}");
        }
    }
}
