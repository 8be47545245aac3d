//! What the doctor looks for, and what it found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is looked at. Its id is stable: scripts and the products' files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The name has addresses.
    Dns,
    /// The proxy on the way out lets connections through.
    Proxy,
    /// Something takes connections.
    Tcp,
    /// TLS is that of a trusted certificate, for some time to come.
    Certificate,
    /// Whether TLS reaches the gateway unopened.
    RawTls,
    /// The upgrade to a WebSocket passes.
    WebsocketOff,
    /// Nobody forbids the request.
    Blocked,
    /// Nobody asks for a login in the gateway's place.
    LoginPage,
    /// No cache answers in the gateway's place.
    Cached,
    /// The answer is HTTP/1.1.
    HttpVersion,
    /// Headers come through in both directions.
    HeadersStripped,
    /// Binary messages come through.
    BinaryBlocked,
    /// Messages of 16 KiB come through.
    SmallFrames,
    /// What is written goes on at once.
    Buffering,
    /// A client's frames arrive masked.
    Unmasked,
    /// How long a connection may be silent.
    IdleLimit,
    /// How old a connection may become.
    LifetimeLimit,
    /// What answers is a gateway.
    NotAGateway,
    /// The gateway and this endpoint are of one site.
    Identity,
    /// This machine's clock is right.
    Clock,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Pass,
    /// Sessions work, and less well than they could.
    Warn,
    /// No session comes about, or none lasts.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub id: Check,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen, cleaned.
    pub seen: String,
    /// What to change; nothing where nothing has to be.
    pub remedies: Vec<Remedy>,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// The product whose setting it is; none where no product was recognised.
    pub product: Option<&'static str>,
    /// The setting.
    pub change: String,
    /// The page of the guide, from the root of the repository.
    pub guide: String,
}

impl Finding {
    /// It is as it should be.
    pub fn pass(id: Check, seen: impl Into<String>) -> Self {
        Self { id, severity: Severity::Pass, seen: seen.into(), remedies: Vec::new() }
    }

    /// It could be better.
    pub fn warn(id: Check, seen: impl Into<String>) -> Self {
        Self { severity: Severity::Warn, ..Self::pass(id, seen) }
    }

    /// It keeps sessions from working.
    pub fn fail(id: Check, seen: impl Into<String>) -> Self {
        Self { severity: Severity::Fail, ..Self::pass(id, seen) }
    }
}

impl Check {
    /// All, in the order of their ids' list in the guide.
    pub const ALL: [Self; 20] = [
        Self::Dns,
        Self::Proxy,
        Self::Tcp,
        Self::Certificate,
        Self::RawTls,
        Self::WebsocketOff,
        Self::Blocked,
        Self::LoginPage,
        Self::Cached,
        Self::HttpVersion,
        Self::HeadersStripped,
        Self::BinaryBlocked,
        Self::SmallFrames,
        Self::Buffering,
        Self::Unmasked,
        Self::IdleLimit,
        Self::LifetimeLimit,
        Self::NotAGateway,
        Self::Identity,
        Self::Clock,
    ];

    /// Its id.
    pub const fn id(self) -> &'static str {
        self.words().0
    }

    /// What a line about it begins with.
    pub const fn title(self) -> &'static str {
        self.words().1
    }

    /// What to change where no product has been recognised.
    pub const fn generic(self) -> &'static str {
        self.words().2
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Dns => (
                "dns",
                "name",
                "Give the name an address in the DNS that this machine asks, or use the right name.",
            ),
            Self::Proxy => (
                "proxy",
                "proxy",
                "Have the proxy allow CONNECT to the gateway's host and port from this machine, and give it the name and password that it asks for: \
                 `gateway.proxy`, `--proxy`.",
            ),
            Self::Tcp => (
                "tcp",
                "connection",
                "Let this machine connect to the address and port (outbound firewall), and see that the load balancer listens there.",
            ),
            Self::Certificate => (
                "certificate",
                "certificate",
                "Install a certificate for this name that an authority of the system has signed, with its chain, and renew it in time; for an \
                 authority of your own, give its file as `ca`.",
            ),
            Self::RawTls => (
                "raw_tls",
                "raw TLS",
                "Pass TLS through unopened (TCP mode) if sessions are to go without WebSocket; they need not.",
            ),
            Self::WebsocketOff => (
                "websocket_off",
                "WebSocket",
                "Let WebSocket upgrades pass on this path: HTTP/1.1 to the gateway, with the headers Upgrade and Connection passed on.",
            ),
            Self::Blocked => (
                "blocked",
                "access",
                "Except this path from the rule that refuses the request; look for the time of this test in the log of the firewall.",
            ),
            Self::LoginPage => (
                "login_page",
                "login",
                "Except this path from the login of the portal or proxy: the gateway has an authentication of its own.",
            ),
            Self::Cached => ("cached", "cache", "Switch caching off on this path."),
            Self::HttpVersion => {
                ("http_version", "HTTP version", "Speak HTTP/1.1 on this path: HTTP/1.0 knows no upgrade.")
            }
            Self::HeadersStripped => (
                "headers_stripped",
                "headers",
                "Pass headers on unchanged on this path: Upgrade, Connection, Sec-WebSocket-*, Host and User-Agent.",
            ),
            Self::BinaryBlocked => {
                ("binary_blocked", "binary messages", "Allow binary WebSocket messages on this path.")
            }
            Self::SmallFrames => (
                "small_frames",
                "message size",
                "Allow WebSocket frames and messages of at least 16 KiB (16384 bytes) on this path.",
            ),
            Self::Buffering => (
                "buffering",
                "buffering",
                "Switch off buffering and content inspection that waits for more bytes on this path.",
            ),
            Self::Unmasked => (
                "unmasked",
                "masking",
                "Let client frames pass masked as they came; where that cannot be, list what unmasks them in the listener's `trusted_proxies`.",
            ),
            Self::IdleLimit => (
                "idle_limit",
                "idle limit",
                "Raise the idle timeout of WebSocket connections above 60 s, better to 300 s or more (in nginx it is proxy_read_timeout, in HAProxy \
                 timeout tunnel).",
            ),
            Self::LifetimeLimit => (
                "lifetime_limit",
                "lifetime",
                "Raise the time after which connections are closed whatever goes over them; sessions outlive it, and pause for a moment.",
            ),
            Self::NotAGateway => (
                "not_a_gateway",
                "gateway",
                "Lead this host and path to the gateway, to its route with `relay: on`; at the gateway, `wicketgate check --explain URL` tells \
                 which route takes it.",
            ),
            Self::Identity => (
                "identity",
                "identity",
                "Use an identity that the authority of the gateway's site has issued: wicketgate ca issue client NAME.",
            ),
            Self::Clock => (
                "clock",
                "clock",
                "Set this machine's clock, and keep it by NTP: certificates and tickets have times.",
            ),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_those_that_are_written() {
        for check in Check::ALL {
            assert_eq!(serde_json::to_value(check).unwrap(), check.id());
        }
    }
}
