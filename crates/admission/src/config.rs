//! What a route asks of its clients, as it is written and as it is checked.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Place, Problems};

use super::address::{Networks, RawNetworks};
use super::authentication::{AuthenticationConfig, RawAuthentication};
use super::authorization::Expression;
use super::close::{CloseCodes, RawCloseCodes};
use super::disclosure::{Disclosure, RawIdentityHeaders};
use super::limits::config::{LimitsConfig, RawLimits};
use super::origin::{OriginConfig, RawOrigin};
use super::request_rules::{RawRequestRules, RequestRules};
use super::tls::{RawTlsPolicy, TlsPolicy};

/// What a route asks of its clients before anything of theirs goes upstream.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAdmission {
    /// Which networks may use the route; all of them by default.
    pub networks: Option<At<RawNetworks>>,
    /// Whether the client's side has to be TLS: `required`, `redirect` or `optional`. Where it is left out, it has to be for
    /// WebSocket sessions (others are answered 403), unless the client is on this machine or the listener can be reached
    /// from this machine alone. A trusted proxy says whether its client's side is TLS.
    pub tls: Option<At<RawTlsPolicy>>,
    /// Which pages may use the route, by the `Origin` that browsers send; others are answered 403. Where it is left out,
    /// `same` for WebSocket handshakes; plain HTTP requests are asked only where it is written.
    pub origin: Option<At<RawOrigin>>,
    /// Rules in ModSecurity's language, such as the OWASP Core Rule Set, that each request is asked about. Messages are judged by
    /// the step `crs` of a policy.
    pub crs: Option<At<RawRequestRules>>,
    /// Who clients have to prove to be. Without this key anybody may use the route.
    pub authentication: Option<At<RawAuthentication>>,
    /// An expression in CEL that has to be true, or the answer is 403: `claims.team == "blue" && client.secure`. It has
    /// `identity.subject`, `identity.method`, `identity.token_id`, `claims`, `client.address`, `client.secure`,
    /// `request.method`, `request.host`, `request.path`, `request.query`, `request.headers["name"]`, `route`, and
    /// `in_network(client.address, "10.0.0.0/8")`. What cannot be evaluated, such as a claim that is not there, is answered
    /// 403 too. At most 4096 bytes, and two lists deep; claims of more than 2048 values (128 where it goes two lists deep)
    /// are refused by one that goes through lists.
    pub authorization: Option<At<String>>,
    /// What the upstream is told of who was admitted. By default the subject, where `authentication` asks for one.
    pub identity_headers: Option<At<RawIdentityHeaders>>,
    /// How sessions are closed whose clients lose the right to them.
    pub close_codes: RawCloseCodes,
    /// How many WebSockets may be opened, and how many may be open. Without this key the section `limits` alone holds.
    pub limits: Option<RawLimits>,
}

/// What a route asks of its clients, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdmissionConfig {
    /// Which networks may use the route.
    pub networks: Networks,
    /// Whether the client's side has to be TLS.
    pub tls: TlsPolicy,
    /// Which pages may use the route.
    pub origin: OriginConfig,
    /// Rules that each request is asked about.
    pub rules: Option<RequestRules>,
    /// What has to be true of who asks.
    pub authorization: Option<Expression>,
    /// Who clients have to prove to be; `None` where anybody may come.
    pub authentication: Option<AuthenticationConfig>,
    /// What the upstream is told of who was admitted.
    pub disclosure: Disclosure,
    /// How sessions are closed whose clients lose the right to them.
    pub close_codes: CloseCodes,
    /// How much may connect; `None` where the gateway's limits alone hold.
    pub limits: Option<LimitsConfig>,
}

/// What is wrong with a limit for each identity where nobody has one, and what would be right.
pub const NO_IDENTITY: (&str, &str) =
    ("clients of this route have no identity", "add `admission.authentication`, or limit `per_address`");

impl RawAdmission {
    /// Where it says that messages renew credentials.
    pub fn renewal(&self) -> Option<Place> {
        Some(self.authentication.as_ref()?.renewal.as_ref()?.place)
    }

    /// Checks the values; what is wrong goes to `problems`. `known` are the names of all methods, unless some may not have
    /// been read.
    pub fn check(self, known: Option<&[&str]>, problems: &mut Problems) -> AdmissionConfig {
        let is_open = self.authentication.is_none();
        let authentication =
            self.authentication.and_then(|raw| RawAuthentication::check(raw, known, problems));
        let networks = self.networks.map(|raw| raw.value.check(raw.place, problems)).unwrap_or_default();
        let tls = self.tls.map(|raw| raw.value.into()).unwrap_or_default();
        let origin = self.origin.map(|raw| raw.value.check(problems)).unwrap_or_default();
        let rules = self.crs.and_then(|raw| RawRequestRules::check(raw, problems));
        let authorization = self.authorization.and_then(|raw| {
            let expression = Expression::check(&raw, problems)?;
            let needs = expression.needs();
            if is_open && (needs.uses("identity") || needs.uses("claims")) {
                let what = "the expression asks who the client is, and the route does not";
                problems.error(raw.place, what, "add `authentication` beside it");
            }
            Some(expression)
        });
        let disclosure = match self.identity_headers {
            Some(raw) => {
                if is_open {
                    let what = "clients of this route have no identity that the upstream could be told";
                    problems.error(raw.place, what, "add `authentication` beside it");
                }
                raw.value.check(problems)
            }
            None if is_open => Disclosure::default(),
            None => Disclosure::of_subject(),
        };
        let close_codes = self.close_codes.check(problems);
        let limits = self.limits.map(|raw| {
            if let (Some(nobody), None) = (&raw.per_identity, &authentication) {
                problems.error(nobody.place, NO_IDENTITY.0, NO_IDENTITY.1);
            }
            raw.check(problems)
        });
        AdmissionConfig {
            networks,
            tls,
            origin,
            rules,
            authorization,
            authentication,
            disclosure,
            limits,
            close_codes,
        }
    }
}
