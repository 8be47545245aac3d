//! How clients prove who they are, and for how long.

use std::time::Duration;

use wicketgate_admission::credential::Place;
use wicketgate_admission::identity::jwt::KeysConfig;
use wicketgate_admission::identity::{Kind, MethodConfig};
use wicketgate_config::Time;

use super::super::finding::Finding;
use super::super::view::{Part, View};

const DAY: Duration = Duration::from_secs(86_400);
/// How long a look-up at an authority may serve.
const FRESH: Duration = Duration::from_secs(600);

/// What bounds the life of credentials, and so of their sessions.
pub(in super::super) fn life_bounded(view: &View<'_>) -> Vec<Finding> {
    let used = view.used_methods();
    if used.is_empty() {
        return vec![nobody_asks()];
    }
    used.iter().map(life).collect()
}

/// The same of one method.
pub(in super::super) fn life(part: &Part<'_, MethodConfig>) -> Finding {
    let Part { path, value: method } = part;
    match &method.kind {
        Kind::Jwt(jwt) if !jwt.rules.needs_expiry => Finding::lacks(
            format!("{path}.jwt.dangerous_allow_no_expiry"),
            "tokens need not expire",
            "have the issuer set `exp`",
        ),
        Kind::Jwt(jwt) => {
            let setting = format!("{path}.jwt.max_lifetime");
            match jwt.rules.max_lifetime {
                None => Finding::lacks(
                    setting,
                    "tokens live as long as their issuer likes",
                    "give a time, as in `max_lifetime: 1h`",
                ),
                Some(most) if most > DAY => {
                    let says = format!("tokens may live for {}", Time(most));
                    Finding::lacks(setting, says, "give `1d` or less")
                }
                Some(most) => {
                    let says = format!("tokens live for {} at most, and sessions end with them", Time(most));
                    Finding::holds(setting, says)
                }
            }
        }
        Kind::Introspection(asked) => Finding::holds(
            format!("{path}.introspection.recheck"),
            format!("the tokens of sessions are asked about again every {}", Time(asked.recheck)),
        ),
        Kind::Certificate(_) => {
            Finding::holds(format!("{path}.certificate"), "sessions end when the certificate expires")
        }
        Kind::External(asked) => {
            let setting = format!("{path}.external.lifetime");
            match asked.lifetime() {
                Some(time) => {
                    Finding::holds(setting, format!("a session lives for {} by one yes", Time(time)))
                }
                None => Finding::lacks(
                    setting,
                    "a yes is good for as long as the session lasts",
                    "give a time, as in `lifetime: 1h`",
                ),
            }
        }
        Kind::Ticket(tickets) => Finding::holds(
            format!("{path}.ticket.lifetime"),
            format!("tickets are good once, for {}", Time(tickets.lifetime)),
        ),
        Kind::ApiKey(_) => Finding::lacks(
            format!("{path}.api_key"),
            "keys live until they are revoked",
            "take `jwt` or `introspection` for people",
        ),
    }
}

/// Credentials in URLs.
pub(in super::super) fn out_of_urls(view: &View<'_>) -> Vec<Finding> {
    let used = view.used_methods().into_iter();
    used.filter_map(|Part { path, value: method }| {
        let (places, key) = match &method.kind {
            Kind::Jwt(jwt) => (&jwt.places, "jwt"),
            Kind::Introspection(asked) => (&asked.places, "introspection"),
            Kind::ApiKey(keys) => (&keys.places, "api_key"),
            Kind::Ticket(_) => {
                let says = "a ticket in a URL is used up by its one handshake";
                return Some(Finding::holds(format!("{path}.ticket.from"), says));
            }
            Kind::Certificate(_) | Kind::External(_) => return None,
        };
        let setting = format!("{path}.{key}.from");
        Some(match places.iter().any(|place| matches!(place, Place::Query(_))) {
            true => Finding::lacks(
                setting,
                "credentials stand in URLs, and so in histories and in others' logs",
                "take `header`, `cookie` or `subprotocol`",
            ),
            false => Finding::holds(setting, "no credential stands in a URL"),
        })
    })
    .collect()
}

/// Whether identities are vouched for by an authority that holds them centrally.
pub(in super::super) fn from_authority(view: &View<'_>) -> Vec<Finding> {
    let used = view.used_methods();
    if used.is_empty() {
        return vec![nobody_asks()];
    }
    used.into_iter()
        .map(|Part { path, value: method }| match &method.kind {
            Kind::Jwt(jwt) if matches!(jwt.keys, KeysConfig::Secret(_)) => Finding::lacks(
                format!("{path}.jwt.keys"),
                "whoever shares the secret can make tokens",
                "take the issuer's public keys: `keys: discovery`",
            ),
            Kind::Jwt(_) => {
                Finding::holds(format!("{path}.jwt.issuer"), "tokens are the issuer's, by its keys")
            }
            Kind::Introspection(_) => {
                Finding::holds(format!("{path}.introspection.url"), "the authorisation server is asked")
            }
            Kind::Certificate(_) => {
                Finding::holds(format!("{path}.certificate"), "certificates are their authority's")
            }
            Kind::External(_) => Finding::holds(format!("{path}.external"), "the service is asked"),
            Kind::Ticket(_) => {
                Finding::holds(format!("{path}.ticket"), "tickets stand for what other methods proved")
            }
            Kind::ApiKey(_) => Finding::lacks(
                format!("{path}.api_key"),
                "keys are known here alone",
                "take `jwt` or `introspection`",
            ),
        })
        .collect()
}

/// How long what an authority said serves without another question.
pub(in super::super) fn answers_fresh(view: &View<'_>) -> Vec<Finding> {
    let used = view.used_methods();
    if used.is_empty() {
        return vec![nobody_asks()];
    }
    used.into_iter()
        .map(|Part { path, value: method }| {
            let (setting, time, most) = match &method.kind {
                Kind::Jwt(jwt) if !matches!(jwt.keys, KeysConfig::Secret(_)) => {
                    (format!("{path}.jwt.stale"), jwt.times.stale, DAY)
                }
                Kind::Introspection(asked) => (format!("{path}.introspection.cache"), asked.cache, FRESH),
                Kind::ApiKey(keys) => (format!("{path}.api_key.refresh"), keys.refresh, FRESH),
                Kind::Jwt(_) | Kind::Certificate(_) | Kind::External(_) | Kind::Ticket(_) => {
                    return Finding::holds(path, "nothing that an authority said is kept");
                }
            };
            let says = format!("what was learnt serves for {}", Time(time));
            match time <= most {
                true => Finding::holds(setting, says),
                false => {
                    Finding::lacks(setting, says, "keep keys for `1d` or less, answers for `10m` or less")
                }
            }
        })
        .collect()
}

/// Client certificates verified against authorities that are named.
pub(in super::super) fn certificates_verified(view: &View<'_>) -> Vec<Finding> {
    let asking =
        view.listeners().filter(|part| part.value.tls.as_ref().is_some_and(|tls| tls.clients.is_some()));
    let mut found: Vec<Finding> = asking
        .map(|part| {
            let setting = format!("{}.tls.client_certificates.ca", part.path);
            Finding::holds(setting, "client certificates are verified up to these authorities")
        })
        .collect();
    if found.is_empty() {
        found.extend(unasked(view));
    }
    found
}

/// Client certificates looked up in their issuers' revocation lists.
pub(in super::super) fn certificates_revocable(view: &View<'_>) -> Vec<Finding> {
    let asking =
        view.listeners().filter(|part| part.value.tls.as_ref().is_some_and(|tls| tls.clients.is_some()));
    let mut found = Vec::new();
    for part in asking {
        let clients = format!("{}.tls.client_certificates", part.path);
        found.push(match view.is_written(&format!("{clients}.crl")) {
            true => Finding::holds(
                format!("{clients}.crl"),
                "what these lists revoke is refused, and all if a list is missing or expired",
            ),
            false => Finding::lacks(
                format!("{clients}.crl"),
                "revoked certificates are taken until they expire",
                "give the lists of every issuer",
            ),
        });
        let dangers = view.outline.dangers().filter(|danger| danger.starts_with(&clients));
        found.extend(dangers.map(|danger| {
            Finding::lacks(danger, "certificates are taken without word of their revocation", "remove it")
        }));
    }
    if found.is_empty() {
        found.extend(unasked(view));
    }
    found
}

/// A method that asks for certificates, where no listener does.
fn unasked(view: &View<'_>) -> Option<Finding> {
    let by_certificate = |part: &Part<'_, MethodConfig>| matches!(part.value.kind, Kind::Certificate(_));
    let method = view.used_methods().into_iter().find(by_certificate)?;
    Some(Finding::lacks(
        format!("{}.certificate", method.path),
        "no listener asks clients for a certificate",
        "give a listener `tls.client_certificates`",
    ))
}

fn nobody_asks() -> Finding {
    Finding::lacks(
        "authentication",
        "no route asks who its clients are",
        "add a method, and name it in the routes' `admission.authentication`",
    )
}
