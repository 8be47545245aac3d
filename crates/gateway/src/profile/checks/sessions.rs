//! How long sessions last, and how much they may take.

use std::time::Duration;

use wicketgate_admission::limits::config::LimitsConfig;
use wicketgate_config::{Size, Time};

use super::super::finding::Finding;
use super::super::view::{SessionRoute, View};
use super::credentials::life;
use crate::pump::config::{Mode, WebSocketConfig};

const QUARTER: Duration = Duration::from_secs(900);
const MESSAGE: u64 = 64 << 10;

/// One finding for each route with sessions: by the key `key` of its `websocket`.
fn of_each(
    view: &View<'_>,
    key: &str,
    help: &'static str,
    judge: impl Fn(&WebSocketConfig) -> Result<String, String>,
) -> Vec<Finding> {
    view.sessions()
        .map(|session| {
            let setting = format!("{}.websocket.{key}", session.path);
            match judge(session.rules) {
                Ok(says) => Finding::holds(setting, says),
                Err(says) => Finding::lacks(setting, says, help),
            }
        })
        .collect()
}

/// Idle sessions end some time.
pub(in super::super) fn idle_ended(view: &View<'_>) -> Vec<Finding> {
    of_each(view, "idle_timeout", "give a time, as in `idle_timeout: 15m`", |rules| {
        match rules.idle_timeout {
            Some(time) => Ok(format!("sessions without a message for {} end", Time(time))),
            None => Err("idle sessions stay".into()),
        }
    })
}

/// Idle sessions end within 15 minutes.
pub(in super::super) fn idle_ended_in_15m(view: &View<'_>) -> Vec<Finding> {
    of_each(view, "idle_timeout", "give `idle_timeout: 15m` or less", |rules| match rules.idle_timeout {
        Some(time) if time <= QUARTER => Ok(format!("sessions without a message for {} end", Time(time))),
        Some(time) => Err(format!("sessions may be idle for {}", Time(time))),
        None => Err("idle sessions stay".into()),
    })
}

/// Sessions end by themselves, so that their clients have to prove anew who they are.
pub(in super::super) fn proved_anew(view: &View<'_>) -> Vec<Finding> {
    view.sessions()
        .map(|session| {
            let setting = format!("{}.websocket.max_age", session.path);
            if let Some(age) = session.rules.max_age {
                return Finding::holds(setting, format!("sessions end after {}", Time(age)));
            }
            let lives: Vec<Finding> = view.methods_of(session.route).iter().map(life).collect();
            match lives.iter().all(|life| life.holds) {
                true if !lives.is_empty() => Finding::holds(
                    format!("{}.admission.authentication", session.path),
                    "sessions end with the credential that opened them",
                ),
                _ => Finding::lacks(
                    setting,
                    "sessions may last for ever, whatever became of their credentials",
                    "give a time, as in `max_age: 8h`, or credentials that expire",
                ),
            }
        })
        .collect()
}

/// Pings find peers that are gone.
pub(in super::super) fn peers_pinged(view: &View<'_>) -> Vec<Finding> {
    of_each(view, "ping.interval", "remove `interval: off`", |rules| match rules.ping {
        Some(ping) => Ok(format!("a side that is silent for {} is pinged", Time(ping.interval))),
        None => Err("dead peers are not found".into()),
    })
}

/// Messages of at most 64 KiB.
pub(in super::super) fn messages_small(view: &View<'_>) -> Vec<Finding> {
    of_each(view, "limits.message_size", "give `message_size: 64KiB` or less", |rules| {
        let says = format!("messages of up to {} pass", Size(rules.frames.message));
        if rules.frames.message <= MESSAGE { Ok(says) } else { Err(says) }
    })
}

/// So many messages a second.
pub(in super::super) fn messages_rated(view: &View<'_>) -> Vec<Finding> {
    view.sessions()
        .map(|SessionRoute { path, rules, .. }| {
            let limits = format!("{path}.websocket.limits");
            let rates = [
                ("messages", rules.messages.is_some()),
                ("per_identity.messages", rules.per_identity.messages.is_some()),
            ];
            match rates.iter().find(|(_, is_there)| *is_there) {
                Some((key, _)) => Finding::holds(format!("{limits}.{key}"), "messages a second are limited"),
                None => Finding::lacks(
                    format!("{limits}.messages"),
                    "a client may send as many messages as the upstream takes",
                    "give a rate, as in `messages: {per_second: 20}`",
                ),
            }
        })
        .collect()
}

/// Messages are judged whole.
pub(in super::super) fn messages_judged(view: &View<'_>) -> Vec<Finding> {
    of_each(view, "mode", "write `mode: messages`", |rules| match rules.mode {
        Mode::Messages => {
            Ok("a message goes on when it was judged whole: frames, UTF-8, size, inflation".into())
        }
        Mode::Headers => Err("frames go on as they come: of a message that turns out bad, a part".into()),
    })
}

/// No compression beside secrets.
pub(in super::super) fn uncompressed(view: &View<'_>) -> Vec<Finding> {
    of_each(view, "compression", "write `compression: false`", |rules| match rules.compression {
        false => Ok("permessage-deflate is declined".into()),
        true => Err("permessage-deflate may be negotiated".into()),
    })
}

/// A limit on the sessions of each identity.
pub(in super::super) fn sessions_of_identity(view: &View<'_>) -> Vec<Finding> {
    let keys: &[Key] = &[("per_identity.sessions", |limits| limits.per_identity.sessions.is_some())];
    limited(view, keys, "each client may have any number of sessions", "give `per_identity: {sessions: 10}`")
}

/// A limit on the sessions of each identity, or each address.
pub(in super::super) fn sessions_of_client(view: &View<'_>) -> Vec<Finding> {
    let keys: &[Key] = &[
        ("per_identity.sessions", |limits| limits.per_identity.sessions.is_some()),
        ("per_address.sessions", |limits| limits.per_address.sessions.is_some()),
    ];
    limited(view, keys, "each client may have any number of sessions", "give `per_address: {sessions: 100}`")
}

/// A rate of upgrades.
pub(in super::super) fn upgrades_rated(view: &View<'_>) -> Vec<Finding> {
    let keys: &[Key] = &[
        ("per_address.upgrades", |limits| limits.per_address.upgrades.is_some()),
        ("per_prefix.upgrades", |limits| limits.per_prefix.upgrades.is_some()),
        ("per_identity.upgrades", |limits| limits.per_identity.upgrades.is_some()),
    ];
    let help = "give a rate, as in `per_address: {upgrades: {per_second: 5}}`";
    limited(view, keys, "each client may open sessions as fast as it can", help)
}

/// A key of limits, and whether it is given.
type Key = (&'static str, fn(&LimitsConfig) -> bool);

/// One finding for each route with sessions: by the first of `keys` that it has, or that all routes have.
fn limited(view: &View<'_>, keys: &[Key], says: &str, help: &'static str) -> Vec<Finding> {
    view.sessions()
        .map(|SessionRoute { path, route, .. }| {
            let own = format!("{path}.admission.limits");
            let own = route.admission.limits.as_ref().map(|limits| (own, limits));
            let all = Some(("limits".to_owned(), &view.config.limits.admission));
            let mut given = [own, all].into_iter().flatten().flat_map(|(at, limits)| {
                let keys = keys.iter().filter(move |(_, is_given)| is_given(limits));
                keys.map(move |(key, _)| format!("{at}.{key}"))
            });
            match given.next() {
                Some(setting) => Finding::holds(setting, "what each client may take is limited"),
                None => {
                    let key = keys.first().map_or("", |(key, _)| *key);
                    Finding::lacks(format!("{path}.admission.limits.{key}"), says, help)
                }
            }
        })
        .collect()
}

/// More than one target.
pub(in super::super) fn upstreams_balanced(view: &View<'_>) -> Vec<Finding> {
    let upstreams = view.config.upstreams.iter().enumerate();
    upstreams
        .map(|(index, upstream)| {
            let setting = format!("upstreams[{index}].targets");
            match upstream.targets.len() {
                0 | 1 => Finding::lacks(setting, "all load goes to one target", "list more than one"),
                more => Finding::holds(setting, format!("load is spread over {more} targets")),
            }
        })
        .collect()
}
