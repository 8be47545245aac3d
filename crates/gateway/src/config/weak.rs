//! What a configuration that can be used leaves weak, as a whole: no part of it could tell alone.

use wicketgate_admission::identity::{Kind, MethodConfig};
use wicketgate_config::{Outline, Place, Problems};

use super::Config;

/// Notes what weakens `config`, a configuration without errors.
pub(super) fn warn(config: &Config, outline: &Outline, problems: &mut Problems) {
    let place = |path: &str| outline.nearest(path).unwrap_or(Place::UNKNOWN);
    warn_of_unlimited_listeners(config, &place, problems);
    for (index, method) in config.authentication.iter().enumerate() {
        match &method.kind {
            Kind::Jwt(jwt) if jwt.rules.needs_expiry && jwt.rules.max_lifetime.is_none() => problems.warning(
                place(&format!("authentication[{index}].jwt")),
                format!("tokens of `{}` may live as long as their issuer likes", method.name),
                "a stolen token serves as long: give `max_lifetime`, `1d` or less",
            ),
            Kind::Certificate(_) => warn_of_unasked_certificates(config, index, method, &place, problems),
            _ => {}
        }
    }
    let Some(admin) = &config.admin else { return };
    let revokes = admin.token.is_some() || matches!(admin.bind, crate::listener::BindAddress::Unix(_));
    if revokes && !config.authentication.is_empty() && config.revocations.file.is_none() {
        problems.warning(
            place("admin"),
            "what is revoked by the admin API is forgotten at a restart",
            "give a file, as in `revocations: {file: /var/lib/wicketgate/revoked}`",
        );
    }
}

fn warn_of_unlimited_listeners(config: &Config, place: &dyn Fn(&str) -> Place, problems: &mut Problems) {
    let limits_each = |limits: &wicketgate_admission::limits::config::LimitsConfig| {
        [limits.per_address, limits.per_prefix, limits.per_identity].iter().any(|limit| limit.is_some())
    };
    let routes_limit = |config: &Config| {
        let mut limits = config.routes.iter().map(|route| &route.admission.limits);
        !config.routes.is_empty() && limits.all(|limits| limits.as_ref().is_some_and(limits_each))
    };
    if limits_each(&config.limits.admission) || routes_limit(config) {
        return;
    }
    for (index, listener) in config.listeners.iter().enumerate() {
        if !listener.is_local() && listener.per_address.is_none() {
            problems.warning(
                place(&format!("listeners[{index}].bind")),
                format!(
                    "one client may take all {} connections of `{}`",
                    listener.connections, listener.name
                ),
                "limit each, as in `limits: {per_address: 100}`",
            );
        }
    }
}

/// A method that a route asks for, and that can never prove anything.
fn warn_of_unasked_certificates(
    config: &Config,
    index: usize,
    method: &MethodConfig,
    place: &dyn Fn(&str) -> Place,
    problems: &mut Problems,
) {
    let mut asked = config.routes.iter().filter_map(|route| route.admission.authentication.as_ref());
    let asks = |listener: &crate::listener::config::ListenerConfig| {
        listener.tls.as_ref().is_some_and(|tls| tls.clients.is_some())
    };
    if asked.any(|asked| asked.methods.contains(&method.name))
        && !config.listeners.iter().any(|listener| asks(listener))
    {
        problems.warning(
            place(&format!("authentication[{index}].certificate")),
            format!("no listener asks clients for a certificate, so that `{}` knows nobody", method.name),
            "give a listener `tls.client_certificates`",
        );
    }
}
