//! The operator's window, as it is configured.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Item, Problems, Time};

use super::limits::{ConsoleLimits, MessagesConfig, RawConsoleLimits, RawMessages};
use super::openid::{OpenIdConfig, RawOpenId};
use super::user::{RawToken, RawUser, Token, User};
use crate::tls::config::{RawServerTls, ServerTlsConfig};

/// The console: pages for operators, and the API behind them. It runs on a thread of its own, apart from the data plane.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawConsole {
    /// Where it listens. An address that others can reach needs `tls`. It changes only at a restart.
    pub bind: At<String>,
    /// The names by which browsers reach it, with a port where it is not the usual one, as in `console.example.com:9443`. Requests for any
    /// other `Host` are refused, so that no page elsewhere can have a browser ask it under a name of its own. The address in `bind`, and
    /// `localhost` where that is a loopback address, always count among them. At most 64.
    pub hosts: Vec<At<String>>,
    /// TLS towards operators, as on a listener; `acme` and `hsts` are not for here. It changes only at a restart.
    pub tls: Option<At<RawServerTls>>,
    /// Who signs in. At most 1000.
    pub users: Vec<Item<RawUser>>,
    /// Who signs in elsewhere, by OpenID Connect.
    pub openid: Option<Item<RawOpenId>>,
    /// Tokens for programs, at the API. At most 1000.
    pub tokens: Vec<Item<RawToken>>,
    /// Sign-ins.
    pub sign_in: Item<RawSignIn>,
    /// How long somebody stays signed in, 1m to 30d.
    pub session_lifetime: At<Time>,
    /// How long somebody stays signed in who does nothing, 1m to 30d. Pages that refresh themselves do not count.
    pub session_idle: At<Time>,
    /// How many may be signed in at once, 1 to 10000, at about 500 bytes each. With one more, the one that did nothing for the longest is
    /// signed out.
    pub sessions: At<u32>,
    /// Connections at once, 4 to 4096, at about 64 KiB each. It changes only at a restart.
    pub connections: At<u32>,
    /// How many of the latest findings are kept to be shown, 0 to 100000, at most about 3 KiB each: 3 MB at the default.
    pub findings: At<u32>,
    /// Live messages.
    pub messages: Item<RawMessages>,
    /// How much is taken and given at once.
    pub limits: Item<RawConsoleLimits>,
}

/// Sign-ins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSignIn {
    /// Attempts from one address a minute, 1 to 1000; of IPv6 its network of 64 bits counts. As many may come at once.
    pub per_address: At<u32>,
    /// Attempts for one user a minute, 1 to 1000, from wherever. As many may come at once.
    pub per_user: At<u32>,
    /// Passwords that are compared at once, 1 to 16; each takes the memory that its hash asks for, 19 MiB as `wicketgate console user`
    /// makes it and 256 MiB at most. Eight times as many may wait; more are refused.
    pub hashing: At<u32>,
}

impl Default for RawConsole {
    fn default() -> Self {
        Self {
            bind: At::nowhere("127.0.0.1:9443".into()),
            hosts: Vec::new(),
            tls: None,
            users: Vec::new(),
            openid: None,
            tokens: Vec::new(),
            sign_in: Item::default(),
            session_lifetime: At::nowhere(Time::secs(12 * 3600)),
            session_idle: At::nowhere(Time::secs(30 * 60)),
            sessions: At::nowhere(256),
            connections: At::nowhere(128),
            findings: At::nowhere(1000),
            messages: Item::default(),
            limits: Item::default(),
        }
    }
}

impl Default for RawSignIn {
    fn default() -> Self {
        Self { per_address: At::nowhere(10), per_user: At::nowhere(10), hashing: At::nowhere(2) }
    }
}

/// The console.
#[derive(Clone, Debug)]
pub struct ConsoleConfig {
    /// Where it listens.
    pub bind: SocketAddr,
    /// The names by which it is reached, in lower case, beside its own address.
    pub hosts: Vec<String>,
    /// TLS towards operators.
    pub tls: Option<ServerTlsConfig>,
    /// Who signs in.
    pub users: Vec<User>,
    /// Who signs in elsewhere.
    pub openid: Option<Arc<OpenIdConfig>>,
    /// Tokens for programs.
    pub tokens: Vec<Token>,
    /// Sign-ins.
    pub sign_in: SignInConfig,
    /// How long somebody stays signed in.
    pub session_lifetime: Duration,
    /// How long somebody stays signed in who does nothing.
    pub session_idle: Duration,
    /// How many may be signed in at once.
    pub sessions: usize,
    /// Connections at once.
    pub connections: usize,
    /// How many of the latest findings are kept.
    pub findings: usize,
    /// Live messages.
    pub messages: MessagesConfig,
    /// How much is taken and given at once.
    pub limits: ConsoleLimits,
}

/// Sign-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInConfig {
    /// Attempts from one address a minute.
    pub per_address: u32,
    /// Attempts for one user a minute.
    pub per_user: u32,
    /// Passwords that are compared at once.
    pub hashing: usize,
}

/// The longest and the shortest time of being signed in.
const SIGNED_IN: std::ops::RangeInclusive<Time> = Time::secs(60)..=Time::secs(30 * 86_400);
/// The most users, and the most tokens.
const MAX_CALLERS: usize = 1000;
/// The most names.
const MAX_HOSTS: usize = 64;

impl RawConsole {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> Option<ConsoleConfig> {
        let place = self.bind.place;
        let bind = self.bind.parse::<SocketAddr>().map_err(|_| {
            let what = format!("`{}` is no address with a port", self.bind.value);
            problems.error(place, what, "write it as in `127.0.0.1:9443` or `[::1]:9443`");
        });
        check_unique("user", self.users.iter().map(|user| &user.value.name), problems);
        check_unique("token", self.tokens.iter().map(|token| &token.value.name), problems);
        for (what, count) in [("users", self.users.len()), ("tokens", self.tokens.len())] {
            if count > MAX_CALLERS {
                problems.error(place, format!("more than {MAX_CALLERS} {what}"), "remove some");
            }
        }
        if self.users.is_empty() && self.tokens.is_empty() && self.openid.is_none() {
            problems.error(
                place,
                "nobody could use the console",
                "list somebody under `users`: `wicketgate console user NAME` writes the lines; or give `openid`",
            );
        }
        let hosts = check_hosts(self.hosts, problems);
        let tls = self.tls.map(|tls| {
            if let Some(acme) = &tls.value.acme {
                let help = "list `certificates`; a listener may order one and keep its file up to date";
                problems.error(acme.domains.place, "the console orders no certificates", help);
            }
            tls.value.check(problems)
        });
        if let Ok(bind) = bind {
            if !bind.ip().to_canonical().is_loopback() && tls.is_none() {
                problems.error(
                    place,
                    format!("the console would be reachable from elsewhere without TLS at {bind}"),
                    "give it `tls: {certificates: [{cert: FILE, key: FILE}]}`, or bind it to 127.0.0.1",
                );
            }
            if bind.ip().is_unspecified() && hosts.is_empty() {
                problems.error(
                    place,
                    "nothing says under which name operators reach the console",
                    "name it, as in `hosts: [console.example.com:9443]`",
                );
            }
        }
        let config = ConsoleConfig {
            bind: bind.ok()?,
            hosts,
            tls,
            users: self.users.into_iter().filter_map(|user| user.value.check(problems)).collect(),
            openid: self.openid.and_then(|openid| openid.value.check(problems)).map(Arc::new),
            tokens: self.tokens.into_iter().filter_map(|token| token.value.check(problems)).collect(),
            sign_in: self.sign_in.value.check(problems),
            session_lifetime: problems.in_range("session_lifetime", &self.session_lifetime, SIGNED_IN).0,
            session_idle: problems.in_range("session_idle", &self.session_idle, SIGNED_IN).0,
            sessions: problems.in_range("sessions", &self.sessions, 1..=10_000) as usize,
            connections: problems.in_range("connections", &self.connections, 4..=4096) as usize,
            findings: problems.in_range("findings", &self.findings, 0..=100_000) as usize,
            messages: self.messages.value.check(problems),
            limits: self.limits.value.check(problems),
        };
        Some(config)
    }
}

impl RawSignIn {
    fn check(self, problems: &mut Problems) -> SignInConfig {
        SignInConfig {
            per_address: problems.in_range("per_address", &self.per_address, 1..=1000),
            per_user: problems.in_range("per_user", &self.per_user, 1..=1000),
            hashing: problems.in_range("hashing", &self.hashing, 1..=16) as usize,
        }
    }
}

impl ConsoleConfig {
    /// Whether `next` differs in what is read once, when the process starts.
    pub fn needs_restart(&self, next: &Self) -> bool {
        let files = |config: &Self| config.tls.as_ref().map(|tls| tls.resolver.files().to_vec());
        self.bind != next.bind
            || self.connections != next.connections
            || self.limits != next.limits
            || self.messages.watchers != next.messages.watchers
            || files(self) != files(next)
    }

    /// Whether a browser may ask for this host: `Host` as it was sent. `own`: where the console listens.
    pub fn serves(&self, host: &str, own: SocketAddr) -> bool {
        let host = host.to_ascii_lowercase();
        let usual = if self.tls.is_some() { ":443" } else { ":80" };
        let same = |known: &str| known == host || known.strip_suffix(usual) == Some(&host);
        self.hosts.iter().any(|known| same(known))
            || (!own.ip().is_unspecified() && same(&own.to_string()))
            || (own.ip().to_canonical().is_loopback() && same(&format!("localhost:{}", own.port())))
    }
}

fn check_unique<'a>(what: &str, names: impl Iterator<Item = &'a At<String>>, problems: &mut Problems) {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(&name.value) {
            problems.error(
                name.place,
                format!("`{}` is the name of a {what} already", name.value),
                "give it another one",
            );
        }
    }
}

fn check_hosts(hosts: Vec<At<String>>, problems: &mut Problems) -> Vec<String> {
    if let Some(host) = hosts.get(MAX_HOSTS) {
        problems.error(host.place, format!("more than {MAX_HOSTS} names"), "remove some");
    }
    for host in &hosts {
        let authority = host.parse::<Authority>();
        if !authority.is_ok_and(|authority| !authority.host().is_empty() && !host.contains(['@', '*'])) {
            let what = format!("`{}` is no host", host.value);
            problems.error(
                host.place,
                what,
                "write it as in `console.example.com` or `console.example.com:9443`",
            );
        }
    }
    hosts.into_iter().map(|host| host.value.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const USER: &str = "{name: ann, role: admin, password: {value: '$argon2id$v=19$m=19456,t=2,p=1\
        $c29tZXNhbHRzb21lc2FsdA$pBUKbYSKEQLbpERUaXEyDyaCnZLXJzPxYw0ikgOXLgQ'}}";

    fn check(text: &str) -> (Option<ConsoleConfig>, Vec<String>) {
        let raw: RawConsole = serde_saphyr::from_str(&text.replace("USER", USER)).unwrap();
        let mut problems = Problems::default();
        let config = raw.check(&mut problems);
        (config, problems.iter().map(|problem| problem.what.clone()).collect())
    }

    #[test]
    fn only_loopback_does_without_tls() {
        assert_eq!(check("users: [USER]").1, Vec::<String>::new());
        assert_eq!(check("{bind: '[::1]:1', users: [USER]}").1, Vec::<String>::new());
        for bind in ["192.0.2.1:9443", "'[2001:db8::1]:1'", "0.0.0.0:9443"] {
            let (_, found) = check(&format!("{{bind: {bind}, hosts: [a.example], users: [USER]}}"));
            assert!(found.len() == 1 && found[0].contains("without TLS"), "{bind}: {found:?}");
        }
        assert!(check("{bind: '0.0.0.0:1', users: [USER]}").1.concat().contains("under which name"));
    }

    #[test]
    fn somebody_has_to_be_able_to_use_it() {
        assert!(check("{}").1.concat().contains("nobody could use"));
        assert!(check("users: [USER, USER]").1.concat().contains("already"));
        assert!(
            check("tokens: [{name: a, scope: read, token: {value: short}}]").1.concat().contains("shorter")
        );
        assert!(check("{users: [USER], hosts: ['a b']}").1.concat().contains("is no host"));
        assert!(check("{users: [USER], session_idle: 1s}").1.concat().contains("outside its bounds"));
    }

    #[test]
    fn hosts_are_those_that_are_named_and_its_own() {
        let config = check("{users: [USER], hosts: [Console.example:80, other.example]}").0.unwrap();
        let own = "127.0.0.1:7000".parse().unwrap();
        for good in [
            "127.0.0.1:7000",
            "localhost:7000",
            "LOCALHOST:7000",
            "console.example",
            "console.example:80",
            "other.example",
        ] {
            assert!(config.serves(good, own), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "127.0.0.1",
            "localhost:7001",
            "console.example:81",
            "console.example.evil.example",
        ] {
            assert!(!config.serves(bad, own), "{bad}");
        }
    }
}
