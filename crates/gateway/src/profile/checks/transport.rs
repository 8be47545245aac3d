//! What goes over the network: by TLS or in the clear, to whom, from which pages.

use wicketgate_admission::origin::Pattern;
use wicketgate_admission::tls::TlsPolicy;

use super::super::finding::Finding;
use super::super::view::View;
use crate::upstream::address::Endpoint;
use crate::upstream::config::TargetConfig;

/// Sessions' TLS on the client's side.
pub(in super::super) fn sessions_by_tls(view: &View<'_>) -> Vec<Finding> {
    let local = view.listeners().find(|part| part.value.tls.is_none() && part.value.is_local());
    view.sessions()
        .map(|session| {
            let setting = format!("{}.admission.tls", session.path);
            match (session.route.admission.tls, &local) {
                (TlsPolicy::Required | TlsPolicy::Redirect, _) => {
                    Finding::holds(setting, "every request has to come by TLS")
                }
                (TlsPolicy::Optional, _) => {
                    Finding::lacks(setting, "sessions may come in the clear", "write `tls: required`")
                }
                (TlsPolicy::Sessions, Some(local)) => Finding::lacks(
                    setting,
                    format!("sessions may come in the clear from this machine, by `{}`", local.value.name),
                    "write `tls: required`; `trusted_proxies` tell that a client's side is TLS",
                ),
                (TlsPolicy::Sessions, None) => Finding::holds(setting, "sessions have to come by TLS"),
            }
        })
        .collect()
}

/// All traffic on the client's side.
pub(in super::super) fn traffic_by_tls(view: &View<'_>) -> Vec<Finding> {
    let strict = |policy| matches!(policy, TlsPolicy::Required | TlsPolicy::Redirect);
    let is_closed = view.proxied().all(|route| strict(route.value.admission.tls));
    view.listeners()
        .map(|part| match (&part.value.tls, part.value.is_local()) {
            (Some(_), _) => {
                Finding::holds(format!("{}.tls", part.path), "TLS 1.2 or later, AEAD suites alone")
            }
            (None, true) => {
                Finding::holds(format!("{}.bind", part.path), "it is reached from this machine alone")
            }
            (None, false) if is_closed => {
                Finding::holds(format!("{}.bind", part.path), "plain, but every route requires TLS")
            }
            (None, false) => Finding::lacks(
                format!("{}.tls", part.path),
                "plain HTTP from other machines goes on to upstreams",
                "give it `tls`, or every route `admission: {tls: redirect}`",
            ),
        })
        .collect()
}

/// Cipher suites and groups that NIST has approved.
pub(in super::super) fn algorithms_approved(view: &View<'_>) -> Vec<Finding> {
    view.listeners()
        .filter_map(|part| {
            let setting = format!("{}.tls.cipher_suites", part.path);
            Some(match part.value.tls.as_ref()?.is_approved() {
                true => Finding::holds(setting, "AES-GCM with groups that NIST has approved, and nothing else"),
                false => Finding::lacks(
                    setting,
                    "ChaCha20-Poly1305 or X25519 may be negotiated",
                    "narrow `cipher_suites` to AES-GCM and `groups` to secp256r1 and secp384r1, or take `profile: fips`",
                ),
            })
        })
        .collect()
}

/// TLS towards upstreams, and whether their certificates are verified.
pub(in super::super) fn upstreams_by_tls(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, upstream) in view.config.upstreams.iter().enumerate() {
        let is_plain = |endpoint: &Endpoint| match endpoint {
            Endpoint::Ip(address) => !address.ip().to_canonical().is_loopback(),
            Endpoint::Name(..) => true,
            Endpoint::Unix(_) => false,
        };
        let plain = |target: &&TargetConfig| !target.address.tls && is_plain(&target.address.endpoint);
        let setting = format!("upstreams[{index}].targets");
        found.push(match upstream.targets.iter().find(plain) {
            None => Finding::holds(setting, "each is reached by TLS, or on this machine"),
            Some(target) => {
                let says = format!("`{}` is reached in the clear", target.address);
                Finding::lacks(setting, says, "write wss:// or https://")
            }
        });
        let any = format!("upstreams[{index}].tls.dangerous_accept_any_certificate");
        if view.outline.dangers().any(|danger| danger == any) {
            found.push(Finding::lacks(any, "its certificate is not verified", "give its authority as `ca`"));
        }
    }
    found
}

/// The operator's own listener.
pub(in super::super) fn admin_protected(view: &View<'_>) -> Vec<Finding> {
    vec![match &view.config.admin {
        None => Finding::holds("admin", "there is no admin listener"),
        Some(admin) if admin.bind.is_local() => {
            Finding::holds("admin.bind", "it is reached from this machine alone")
        }
        Some(_) => Finding::lacks(
            "admin.bind",
            "metrics and the token cross the network in the clear",
            "bind it to a Unix socket or a loopback address",
        ),
    }]
}

/// Which pages may open sessions.
pub(in super::super) fn origin_checked(view: &View<'_>) -> Vec<Finding> {
    view.sessions()
        .map(|session| {
            let origin = &session.route.admission.origin;
            let setting = format!("{}.admission.origin", session.path);
            match &origin.allow {
                None => Finding::lacks(
                    setting,
                    "pages of any origin may open sessions",
                    "list the origins of your pages: `origin: {allow: [https://a.example]}`",
                ),
                Some(_) if origin.null => Finding::lacks(
                    format!("{setting}.null_origin"),
                    "sandboxed pages may open sessions, whosever they are",
                    "remove `null_origin: allow`",
                ),
                Some(allow) if allow.iter().all(|pattern| *pattern == Pattern::Same) => {
                    Finding::holds(setting, "same: pages of the origin that is asked, and no others")
                }
                Some(_) => Finding::holds(setting, "pages of the listed origins, and no others"),
            }
        })
        .collect()
}

/// Origins with a `*` in them.
pub(in super::super) fn origins_exact(view: &View<'_>) -> Vec<Finding> {
    let below = |pattern: &Pattern| matches!(pattern, Pattern::Below(_));
    let sessions = view.sessions().filter(|session| {
        session.route.admission.origin.allow.as_ref().is_some_and(|allow| allow.iter().any(below))
    });
    sessions
        .map(|session| {
            let setting = format!("{}.admission.origin.allow", session.path);
            Finding::lacks(setting, "every name below a domain passes", "name each origin")
        })
        .collect()
}
