//! Who may use a route, and what is refused by default.

use std::mem::{Discriminant, discriminant};

use wicketgate_admission::authentication::Needed;
use wicketgate_admission::identity::{Kind, MethodConfig};

use super::super::finding::Finding;
use super::super::view::{Part, View};
use crate::route::pattern::{HostPattern, PathPattern};

/// Whether routes ask who their clients are.
pub(in super::super) fn authenticated(view: &View<'_>) -> Vec<Finding> {
    view.proxied()
        .map(|Part { path, value: route }| {
            let setting = format!("{path}.admission.authentication");
            match &route.admission.authentication {
                Some(asked) => {
                    let names: Vec<String> = asked.methods.iter().map(|name| format!("`{name}`")).collect();
                    Finding::holds(setting, format!("clients are known by {}", names.join(", ")))
                }
                None => Finding::lacks(
                    setting,
                    "anybody may use it",
                    "name methods: `authentication: {any: [NAME]}`",
                ),
            }
        })
        .collect()
}

/// Whether routes ask for two proofs of different kinds.
pub(in super::super) fn two_factors(view: &View<'_>) -> Vec<Finding> {
    view.proxied()
        .map(|Part { path, value: route }| {
            let setting = format!("{path}.admission.authentication");
            let all =
                route.admission.authentication.as_ref().is_some_and(|asked| asked.needed == Needed::All);
            let kinds: Vec<Discriminant<Kind>> =
                view.methods_of(route).iter().map(|part| discriminant(&part.value.kind)).collect();
            match all && kinds.iter().any(|kind| Some(kind) != kinds.first()) {
                true => Finding::holds(format!("{setting}.all"), "proofs of more than one kind are needed"),
                false => Finding::lacks(
                    setting,
                    "one proof is enough here; whether its issuer asked for more is not known",
                    "ask for two: `authentication: {all: [CERTIFICATES, TOKENS]}`",
                ),
            }
        })
        .collect()
}

/// Whether being known is enough.
pub(in super::super) fn authorised(view: &View<'_>) -> Vec<Finding> {
    view.proxied()
        .map(|Part { path, value: route }| {
            if route.admission.authorization.is_some() {
                let says = "an expression has to be true of who asks, or what";
                return Finding::holds(format!("{path}.admission.authorization"), says);
            }
            let methods = view.methods_of(route);
            match methods.iter().all(asks_claims) {
                true if !methods.is_empty() => Finding::holds(
                    format!("{path}.admission.authentication"),
                    "its methods ask for scopes or claims",
                ),
                _ => Finding::lacks(
                    format!("{path}.admission.authorization"),
                    "who is let in may do everything",
                    "write what has to be true, as in `authorization: claims.team == \"blue\"`",
                ),
            }
        })
        .collect()
}

fn asks_claims(part: &Part<'_, MethodConfig>) -> bool {
    match &part.value.kind {
        Kind::Jwt(jwt) => !jwt.rules.scopes.is_empty() || !jwt.rules.required.is_empty(),
        Kind::Introspection(asked) => !asked.rules.scopes.is_empty() || !asked.rules.required.is_empty(),
        Kind::Certificate(_) | Kind::ApiKey(_) | Kind::External(_) | Kind::Ticket(_) => false,
    }
}

/// Whether a route takes what no other route is for.
pub(in super::super) fn denied_by_default(view: &View<'_>) -> Vec<Finding> {
    view.proxied()
        .map(|Part { path, value: route }| {
            let all =
                |pattern: &PathPattern| matches!(pattern, PathPattern::Prefix(prefix) if **prefix == *"/");
            let is_open =
                route.matching.hosts.contains(&HostPattern::Any) && route.matching.paths.iter().any(all);
            let setting = format!("{path}.match");
            match is_open {
                true => Finding::lacks(
                    setting,
                    "it takes every request that no other route is for",
                    "name its hosts or paths: what no route is for is answered 404",
                ),
                false => Finding::holds(setting, "what it is not for is answered 404"),
            }
        })
        .collect()
}

/// Whether routes are for named networks alone.
pub(in super::super) fn networks_named(view: &View<'_>) -> Vec<Finding> {
    view.proxied()
        .map(|Part { path, value: route }| match &route.admission.networks.allow {
            Some(_) => Finding::holds(
                format!("{path}.admission.networks"),
                "clients of these networks alone, to this route's upstream",
            ),
            None => Finding::lacks(
                format!("{path}.admission.networks.allow"),
                "clients of every network may use it",
                "list networks, as in `networks: {allow: [10.0.0.0/8]}`",
            ),
        })
        .collect()
}

/// Words that open something for good.
pub(in super::super) fn no_dangers(view: &View<'_>) -> Vec<Finding> {
    let dangers: Vec<Finding> = view
        .outline
        .dangers()
        .map(|danger| Finding::lacks(danger, "it opens what is closed by default", "remove it"))
        .collect();
    match dangers.is_empty() {
        true => vec![Finding::holds("", "no `dangerous_` word is in force")],
        false => dangers,
    }
}

/// Whether what is revoked is refused, and stays so.
pub(in super::super) fn revocable(view: &View<'_>) -> Vec<Finding> {
    let says = "what stands there is refused, and its sessions end";
    vec![match (&view.config.revocations.file, view.has_operator()) {
        (Some(_), _) => Finding::holds("revocations.file", says),
        (None, true) => Finding::holds("admin", "credentials are revoked by the admin API, until a restart"),
        (None, false) => Finding::lacks(
            "revocations.file",
            "nothing can be revoked here",
            "give a file: `revocations: {file: /var/lib/wicketgate/revoked}`",
        ),
    }]
}

/// Whether an operator can end sessions at once.
pub(in super::super) fn ended_at_once(view: &View<'_>) -> Vec<Finding> {
    vec![match view.has_operator() {
        true => {
            Finding::holds("admin", "`wicketgate sessions kick` and `wicketgate revoke` end sessions at once")
        }
        false => Finding::lacks(
            "admin",
            "nobody can end a session from outside",
            "give it a Unix socket or a token: `admin: {bind: unix:/run/wicketgate/admin.sock}`",
        ),
    }]
}
