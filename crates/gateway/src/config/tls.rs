//! What listeners' TLS, methods of authentication and routes say about each other.

use std::sync::Arc;

use wicketgate_admission::identity::MethodConfig;
use wicketgate_config::{At, Problems};

use crate::listener::config::ListenerConfig;
use crate::route::config::RouteConfig;
use crate::tls::acme::{AcmeConfig, ChallengeKind};

/// Notes what does not fit together. With `incomplete` files there may be more listeners and routes than these.
pub(super) fn check<'a>(
    listeners: &[Arc<ListenerConfig>],
    methods: &[MethodConfig],
    routes: impl Iterator<Item = &'a RouteConfig>,
    incomplete: bool,
    problems: &mut Problems,
) {
    let acme: Vec<&At<AcmeConfig>> =
        listeners.iter().filter_map(|listener| listener.tls.as_ref()?.acme.as_ref()).collect();
    check_files(&acme, problems);
    if incomplete {
        return;
    }
    check_plain_listener(&acme, listeners, problems);
    let by_certificate =
        |name: &Arc<str>| methods.iter().any(|method| method.name == *name && method.is_by_certificate());
    let asked = routes.filter_map(|route| route.admission.authentication.as_ref());
    if asked.flat_map(|authentication| &authentication.methods).any(by_certificate) {
        return;
    }
    for clients in listeners.iter().filter_map(|listener| listener.tls.as_ref()?.clients.as_ref()) {
        if !clients.is_required() {
            problems.warning(
                clients.place,
                "client certificates are optional, and no route asks for one",
                "require them, or let a route ask by `admission.authentication` for a method with `certificate`",
            );
        }
    }
}

/// Two orders that are not the same must not write the same file.
fn check_files(acme: &[&At<AcmeConfig>], problems: &mut Problems) {
    for (at, second) in acme.iter().enumerate() {
        let same = |first: &&&At<AcmeConfig>| first.file() == second.file() && first.value != second.value;
        if let Some(first) = acme.iter().take(at).find(same) {
            problems.clash(
                second.place,
                format!("two different certificates would be kept in `{}`", second.file().display()),
                "make both `acme` the same, or give one another `storage`",
                (first.place, "the other one"),
            );
        }
    }
}

fn check_plain_listener(
    acme: &[&At<AcmeConfig>],
    listeners: &[Arc<ListenerConfig>],
    problems: &mut Problems,
) {
    let is_plain = |listener: &Arc<ListenerConfig>| listener.tls.is_none();
    for order in acme.iter().filter(|order| order.challenge == ChallengeKind::Http01) {
        if !listeners.iter().any(is_plain) {
            problems.error(
                order.place,
                "`http-01` without a listener on which plain HTTP is spoken",
                "add a listener without `tls` that is reached at port 80, or choose `challenge: tls-alpn-01`",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wicketgate_testkit::tls::Authority;

    use super::super::{Report, Style, parse};

    fn said(rest: &str) -> String {
        let authority = Authority::new().unwrap();
        let own = authority.localhost().unwrap();
        let text = format!(
            "listeners: [{{bind: '127.0.0.1:0', tls: {{certificates: [{{cert: {:?}, key: {:?}}}], \
             client_certificates: {{mode: optional, ca: {:?}}}}}}}]\n{rest}",
            own.certificate_file,
            own.key_file,
            authority.ca_file()
        );
        let report: Report = match parse("test.yaml", &text, &|_| None) {
            Ok((_, report)) | Err(report) => report,
        };
        report.render(Style::Plain)
    }

    #[test]
    fn optional_certificates_that_no_route_asks_for_are_told() {
        let nobody = "routes: [{name: all, respond: {status: 204}}]\n";
        assert!(said(nobody).contains("no route asks for one"), "{}", said(nobody));
        let asked = "authentication: [{name: devices, certificate: {}}]\n\
                     routes: [{name: all, respond: {status: 204}, admission: {authentication: {any: [devices]}}}]\n";
        assert!(!said(asked).contains("no route asks for one"), "{}", said(asked));
    }
}
