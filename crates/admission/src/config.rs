//! What a route asks of its clients, as it is written and as it is checked.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Switch};

use super::address::{Networks, RawNetworks};
use super::authorization::Expression;
use super::close::{CloseCodes, RawCloseCodes};
use super::limits::config::{LimitsConfig, RawLimits};
use super::origin::{OriginConfig, RawOrigin};
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
    /// Who clients have to prove to be. Without this key anybody may use the route.
    pub authentication: Option<At<RawAuthentication>>,
    /// An expression in CEL that has to be true, or the answer is 403: `claims.team == "blue" && client.secure`. It has
    /// `identity.subject`, `identity.method`, `identity.token_id`, `claims`, `client.address`, `client.secure`,
    /// `request.method`, `request.host`, `request.path`, `request.query`, `request.headers["name"]`, `route`, and
    /// `in_network(client.address, "10.0.0.0/8")`. What cannot be evaluated, such as a claim that is not there, is answered
    /// 403 too. At most 4096 bytes, and two lists deep; claims of more than 2048 values (128 where it goes two lists deep)
    /// are refused by one that goes through lists.
    pub authorization: Option<At<String>>,
    /// How sessions are closed whose clients lose the right to them.
    pub close_codes: RawCloseCodes,
    /// How many WebSockets may be opened, and how many may be open. Without this key the section `limits` alone holds.
    pub limits: Option<RawLimits>,
}

/// Which methods prove who a client is: `any` or `all` of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAuthentication {
    /// Methods by their names: one of them has to vouch for the client. They are tried in this order, and a credential that
    /// is there and proves nothing is refused, whatever others there are; but a JWT of another issuer is left to the next
    /// method.
    pub any: Vec<At<String>>,
    /// Methods by their names: each of them has to vouch for the client; the first one's subject is the client's.
    pub all: Vec<At<String>>,
    /// Whether the upstream gets the credentials too, `on` or `off`. Default: `off`.
    pub forward_credentials: Option<Switch>,
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
    /// What has to be true of who asks.
    pub authorization: Option<Expression>,
    /// Who clients have to prove to be; `None` where anybody may come.
    pub authentication: Option<AuthenticationConfig>,
    /// How sessions are closed whose clients lose the right to them.
    pub close_codes: CloseCodes,
    /// How much may connect; `None` where the gateway's limits alone hold.
    pub limits: Option<LimitsConfig>,
}

/// Which methods prove who a client is.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthenticationConfig {
    /// Their names, each with its place in the file, in the order in which they are tried.
    pub methods: Vec<Arc<str>>,
    /// How many of them have to vouch.
    pub needed: Needed,
    /// Whether the upstream gets the credentials too.
    pub forward_credentials: bool,
}

/// How many methods have to vouch for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// One.
    Any,
    /// Each.
    All,
}

/// What is wrong with a limit for each identity where nobody has one, and what would be right.
pub const NO_IDENTITY: (&str, &str) =
    ("clients of this route have no identity", "add `admission.authentication`, or limit `per_address`");

impl RawAdmission {
    /// Checks the values; what is wrong goes to `problems`. `known` are the names of all methods, unless some may not have
    /// been read.
    pub fn check(self, known: Option<&[&str]>, problems: &mut Problems) -> AdmissionConfig {
        let is_open = self.authentication.is_none();
        let authentication = self.authentication.and_then(|raw| {
            let place = raw.place;
            let RawAuthentication { any, all, forward_credentials } = raw.value;
            let (names, needed) = match (any.is_empty(), all.is_empty()) {
                (false, true) => (any, Needed::Any),
                (true, false) => (all, Needed::All),
                _ => {
                    let help =
                        "write `any: [NAME]` or `all: [NAME]` with names from the list `authentication`";
                    problems.error(place, "authentication by `any` or by `all` of some methods", help);
                    return None;
                }
            };
            let unknown = |name: &&At<String>| known.is_some_and(|known| !known.contains(&name.as_str()));
            for name in names.iter().filter(unknown) {
                let known = known.unwrap_or_default();
                let help = match known.is_empty() {
                    true => "add it to the list `authentication`".into(),
                    false => wicketgate_config::alternatives(name, known),
                };
                problems.error(name.place, format!("there is no method `{}`", name.value), help);
            }
            let methods = names.iter().map(|name| name.value.as_str().into()).collect();
            let forward_credentials = forward_credentials.is_some_and(Switch::is_on);
            Some(AuthenticationConfig { methods, needed, forward_credentials })
        });
        let networks = self.networks.map(|raw| raw.value.check(raw.place, problems)).unwrap_or_default();
        let tls = self.tls.map(|raw| raw.value.into()).unwrap_or_default();
        let origin = self.origin.map(|raw| raw.value.check(problems)).unwrap_or_default();
        let authorization = self.authorization.and_then(|raw| {
            let expression = Expression::check(&raw, problems)?;
            if is_open && (expression.needs().identity || expression.needs().claims) {
                let what = "the expression asks who the client is, and the route does not";
                problems.error(raw.place, what, "add `authentication` beside it");
            }
            Some(expression)
        });
        let close_codes = self.close_codes.check(problems);
        let limits = self.limits.map(|raw| {
            if let (Some(nobody), None) = (&raw.per_identity, &authentication) {
                problems.error(nobody.place, NO_IDENTITY.0, NO_IDENTITY.1);
            }
            raw.check(problems)
        });
        AdmissionConfig { networks, tls, origin, authorization, authentication, limits, close_codes }
    }
}
