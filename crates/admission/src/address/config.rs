//! Which proxies are believed about their clients, as it is written and as it is checked.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Network, Problems};

/// Proxies in front of a listener whose headers about the client are believed. From anybody else they are ignored, and
/// never passed on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTrustedProxies {
    /// The proxies' networks: a connection from elsewhere is its client's own. With `proxy_protocol`, the address that it
    /// told counts. Peers on Unix sockets count as proxies: the socket's `mode` says who they are.
    pub from: At<Vec<Network>>,
    /// The header in which they tell the client's address. In `x-forwarded-for` and `forwarded` (RFC 7239) each proxy adds
    /// whom it heard: the last address that is not in `from` is the client's. `cf-connecting-ip` and `true-client-ip` have
    /// one address. Whether the client's side is TLS, `proto` in `forwarded` says, or `X-Forwarded-Proto` beside the
    /// others; without it, it is not.
    pub header: At<AddressHeader>,
    /// How many proxies add to the list, 1 to 32, where not all their networks are known: the client's address is the one
    /// that many from its end, whatever it is, and a shorter list is answered 400.
    #[serde(default)]
    pub hops: Option<At<u32>>,
    /// What a proxy's request without the header is. Default: `refuse`.
    #[serde(default)]
    pub missing: Missing,
}

/// The header in which proxies tell the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddressHeader {
    /// `X-Forwarded-For: client, proxy`.
    XForwardedFor,
    /// `Forwarded: for=client;proto=https, for=proxy` (RFC 7239).
    Forwarded,
    /// `CF-Connecting-IP`, of Cloudflare.
    CfConnectingIp,
    /// `True-Client-IP`, of Akamai and Cloudflare.
    TrueClientIp,
}

impl AddressHeader {
    /// Whether each proxy adds to it.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::XForwardedFor | Self::Forwarded)
    }
}

/// What a trusted proxy's request without the header is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It is answered 400: some proxies can be brought to drop the header, by `Connection: X-Forwarded-For`, and their
    /// client would pass for the proxy.
    #[default]
    Refuse,
    /// The proxy's own, such as a health check: the client's address is the proxy's.
    Proxy,
}

/// Which proxies are believed about their clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Their networks.
    pub from: Vec<Network>,
    /// The header in which they tell the client's address.
    pub header: AddressHeader,
    /// How many of them add to a list, where that is known.
    pub hops: Option<u32>,
    /// What a request without the header is.
    pub missing: Missing,
}

impl RawTrustedProxies {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> TrustedProxies {
        let Self { from, header, hops, missing } = self;
        if from.is_empty() {
            problems.error(from.place, "nobody is trusted here", "list the proxies' networks in `from`");
        }
        if from.iter().any(Network::is_everything) {
            let what = "every client may forge its address by a header";
            problems.warning(from.place, what, "list the proxies' networks alone");
        }
        let hops = hops.map(|hops| {
            if !header.is_list() {
                let what = "`hops` means nothing in a header with one address";
                problems.clash(hops.place, what, "remove it", (header.place, "this one"));
            }
            problems.in_range("hops", &hops, 1..=32)
        });
        TrustedProxies { from: from.value, header: header.value, hops, missing }
    }
}
