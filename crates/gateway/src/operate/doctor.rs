//! The doctor from the gateway's side: what an operator looks at first, looked at once, when it is asked for.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Resource, getrlimit};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{certificates, traffic};
use crate::config::Config;
use crate::gateway::Shared;
use crate::upstream::address::{Address, Endpoint};

/// What was looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The worst first.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What, in a stable word.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen.
    pub seen: String,
    /// What to do; empty where nothing has to be done.
    pub remedy: &'static str,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Pass,
    /// It works, and less well than it could, or not for long.
    Warn,
    /// Something does not work.
    Fail,
}

/// Both clocks at one moment: if they part, somebody has set one.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    wall: SystemTime,
    steady: Instant,
}

/// Time for one target to take a connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// Targets that are tried, the first ones: each takes a connection.
const MAX_TARGETS: usize = 256;
/// A certificate is to be renewed from here on, in days.
const SOON: i64 = 21;
/// By how much a clock may be set.
const JUMP: Duration = Duration::from_secs(5);
/// Descriptors that a session takes: its client's and its upstream's connection.
const PER_SESSION: u64 = 2;
/// What the process needs beside its sessions.
const OWN: u64 = 256;
/// Live sessions from which on it is told when all come from one address.
const MANY: usize = 20;

impl Clocks {
    /// Those of now.
    pub fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// By how much the wall clock went another way than the steady one since.
    fn jump(&self, now: Self) -> Duration {
        let steady = now.steady.saturating_duration_since(self.steady);
        match now.wall.duration_since(self.wall) {
            Ok(wall) => wall.abs_diff(steady),
            Err(back) => back.duration().saturating_add(steady),
        }
    }
}

/// Looks at everything. `since`: both clocks at the start.
pub async fn examine(shared: &Shared, config: &Config, since: Clocks) -> Report {
    let mut checks = Vec::new();
    certificate_dates(shared, &mut checks);
    targets(shared, &mut checks).await;
    checks.push(clock(since.jump(Clocks::now())));
    descriptors(config, &mut checks);
    clients(shared, config, &mut checks);
    audit(shared, &mut checks);
    checks.sort_by_key(|check| std::cmp::Reverse(check.severity));
    Report { checks }
}

fn check(id: &'static str, severity: Severity, seen: String, remedy: &'static str) -> Check {
    Check { id, severity, seen, remedy }
}

fn certificate_dates(shared: &Shared, checks: &mut Vec<Check>) {
    let all = certificates::list(shared).certificates;
    let mut good = 0;
    for shown in &all {
        let name = shown.names.first().unwrap_or(&shown.file);
        match shown.days_left {
            Some(left) if left < 0 => checks.push(check(
                "certificate",
                Severity::Fail,
                format!("the certificate of {name} on `{}` has expired: {}", shown.listener, shown.file),
                "renew it: the file is looked at again when it changes",
            )),
            Some(left) if left < SOON => checks.push(check(
                "certificate",
                Severity::Warn,
                format!(
                    "the certificate of {name} on `{}` has {left} days left: {}",
                    shown.listener, shown.file
                ),
                "renew it, or see why nobody has: the file is looked at again when it changes",
            )),
            Some(_) => good += 1,
            None => checks.push(check(
                "certificate",
                Severity::Warn,
                format!("there is no certificate yet at {}", shown.file),
                "see the log for what the certificate authority has said",
            )),
        }
    }
    if good == all.len() && good > 0 {
        checks.push(check(
            "certificate",
            Severity::Pass,
            format!("certificates that are good for {SOON} days or more: {good}"),
            "",
        ));
    }
}

async fn targets(shared: &Shared, checks: &mut Vec<Check>) {
    let snapshot = shared.snapshot();
    let all = snapshot.upstreams.iter().flat_map(|upstream| {
        let name = upstream.name().to_owned();
        upstream
            .targets()
            .iter()
            .map(move |target| (name.clone(), target.address().clone(), target.is_healthy()))
    });
    let mut tries = JoinSet::new();
    for (upstream, address, healthy) in all.take(MAX_TARGETS) {
        tries.spawn(async move {
            let tried = timeout(PATIENCE, connect(&address)).await;
            (upstream, address, healthy, tried)
        });
    }
    let mut good = 0;
    while let Some(Ok((upstream, address, healthy, tried))) = tries.join_next().await {
        let why = match tried {
            Ok(Ok(())) if healthy => {
                good += 1;
                continue;
            }
            Ok(Ok(())) => {
                checks.push(check(
                    "target",
                    Severity::Warn,
                    format!("{} of `{upstream}` takes connections, and is not used", address.as_str()),
                    "its probes or sessions fail: see `health` of the upstream, and its log",
                ));
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        checks.push(check(
            "target",
            Severity::Fail,
            format!("{} of `{upstream}` takes no connection: {why}", address.as_str()),
            "start it, or let this machine reach it: name, port and firewalls",
        ));
    }
    if good > 0 {
        checks.push(check("target", Severity::Pass, format!("targets that take connections: {good}"), ""));
    }
}

async fn connect(address: &Address) -> std::io::Result<()> {
    match &address.endpoint {
        Endpoint::Ip(address) => TcpStream::connect(address).await.map(drop),
        Endpoint::Name(name, port) => TcpStream::connect((name.as_str(), *port)).await.map(drop),
        Endpoint::Unix(path) => UnixStream::connect(path).await.map(drop),
    }
}

fn clock(jump: Duration) -> Check {
    match jump <= JUMP {
        true => check("clock", Severity::Pass, "the clock runs evenly since the process started".into(), ""),
        false => check(
            "clock",
            Severity::Warn,
            format!("the clock was set by {} s since the process started", jump.as_secs()),
            "have it kept by NTP: tokens and certificates go by it",
        ),
    }
}

fn descriptors(config: &Config, checks: &mut Vec<Check>) {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return };
    let wanted = (config.limits.connections as u64).saturating_mul(PER_SESSION).saturating_add(OWN);
    checks.push(match limit >= wanted {
        true => check(
            "files",
            Severity::Pass,
            format!("{limit} descriptors may be open, {wanted} at most are needed"),
            "",
        ),
        false => check(
            "files",
            Severity::Warn,
            format!("{limit} descriptors may be open, and `limits.connections` may need {wanted}"),
            "raise the limit (LimitNOFILE= of the unit), or lower `limits.connections`",
        ),
    });
}

/// Whoever stands in front without saying for whom makes one client of all.
fn clients(shared: &Shared, config: &Config, checks: &mut Vec<Check>) {
    let listens: HashMap<&str, bool> = config
        .listeners
        .iter()
        .map(|listener| {
            (&*listener.name, listener.proxy_protocol.is_some() || listener.trusted_proxies.is_some())
        })
        .collect();
    let mut seen: HashMap<String, (usize, Option<std::net::IpAddr>, bool)> = HashMap::new();
    for live in shared.sessions.all() {
        let address = live.standing.client().address;
        let (count, first, one) = seen.entry(live.way.listener.to_string()).or_insert((0, address, true));
        *count += 1;
        *one &= *first == address;
    }
    for (listener, (count, address, one)) in seen {
        let Some(address) = address.filter(|_| one && count >= MANY) else { continue };
        if listens.get(&*listener) == Some(&false) {
            checks.push(check(
                "middlebox",
                Severity::Warn,
                format!("all {count} sessions of the listener `{listener}` come from {address}"),
                "if that is a proxy, have it say for whom: `proxy_protocol` or `trusted_proxies`; else limits of an address \
                 are limits of all",
            ));
        }
    }
}

fn audit(shared: &Shared, checks: &mut Vec<Check>) {
    let overview = traffic::Overview::of(shared);
    let lost: u64 = overview.audit.iter().map(|place| place.dropped).sum();
    checks.push(match (overview.audit_ready, lost) {
        (false, _) => check(
            "audit",
            Severity::Fail,
            "audit records cannot be written".into(),
            "see the log: a full disk, or a place that does not answer",
        ),
        (true, 0) => check("audit", Severity::Pass, "no audit record was lost".into(), ""),
        (true, lost) => check(
            "audit",
            Severity::Warn,
            format!("{lost} audit records were lost since the start"),
            "give their place more room or time: `queue` of the store or sink",
        ),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_told_whichever_way() {
        let start = Clocks::now();
        let later = |wall: i64| Clocks {
            wall: match wall {
                0.. => start.wall + Duration::from_secs(wall.unsigned_abs()),
                _ => start.wall - Duration::from_secs(wall.unsigned_abs()),
            },
            steady: start.steady + Duration::from_secs(60),
        };
        let jumps = [60, 62, 120, 0, -60].map(|wall| start.jump(later(wall)).as_secs());
        assert_eq!(jumps, [0, 2, 60, 60, 120]);
        assert_eq!(clock(Duration::from_secs(2)).severity, Severity::Pass);
        let told = clock(Duration::from_secs(60));
        assert!(told.severity == Severity::Warn && told.seen.contains("60 s"), "{told:?}");
    }
}
