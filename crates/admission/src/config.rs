//! What a route asks of its clients, as it is written and as it is checked.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Switch};

use super::close::{CloseCodes, RawCloseCodes};
use super::limits::config::{LimitsConfig, RawLimits};

/// What a route asks of its clients before anything of theirs goes upstream.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAdmission {
    /// Who clients have to prove to be. Without this key anybody may use the route.
    pub authentication: Option<At<RawAuthentication>>,
    /// How many WebSockets may be opened, and how many may be open. Without this key the section `limits` alone holds.
    pub limits: Option<RawLimits>,
    /// How sessions are closed whose clients lose the right to them.
    pub close_codes: RawCloseCodes,
}

/// Which methods prove who a client is: `any` or `all` of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawAuthentication {
    /// Methods by their names: one of them has to vouch for the client. They are tried in this order, and a credential that
    /// is there and proves nothing is refused, whatever others there are.
    pub any: Vec<At<String>>,
    /// Methods by their names: each of them has to vouch for the client; the first one's subject is the client's.
    pub all: Vec<At<String>>,
    /// Whether the upstream gets the credentials too, `on` or `off`. Default: `off`.
    pub forward_credentials: Option<Switch>,
}

/// What a route asks of its clients, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AdmissionConfig {
    /// Who clients have to prove to be; `None` where anybody may come.
    pub authentication: Option<AuthenticationConfig>,
    /// How much may connect; `None` where the gateway's limits alone hold.
    pub limits: Option<LimitsConfig>,
    /// How sessions are closed whose clients lose the right to them.
    pub close_codes: CloseCodes,
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
        let limits = self.limits.map(|raw| {
            if let (Some(nobody), None) = (&raw.per_identity, &authentication) {
                problems.error(nobody.place, NO_IDENTITY.0, NO_IDENTITY.1);
            }
            raw.check(problems)
        });
        AdmissionConfig { authentication, limits, close_codes: self.close_codes.check(problems) }
    }
}
