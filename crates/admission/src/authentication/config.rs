//! Who clients of a route have to prove to be, as it is written and as it is checked.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Switch};

use super::message::{FirstMessageConfig, RawFirstMessage};

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
    /// Takes WebSocket sessions whose handshake brings no credential, and asks for it in their first message; for browsers,
    /// which can set no header. Nothing goes upstream before it is accepted. Only with `any`.
    pub first_message: Option<At<RawFirstMessage>>,
    /// Lets clients renew their credential inside the session, by a text message that is a JSON object whose first key is this
    /// NAME, with the new one: `{"wicketgate_renew": "TOKEN"}`. It goes no further, and is answered by
    /// `{"NAME":"renewed"}` or `{"NAME":"refused"}`; refused, the session goes on until it would have ended. Only with `any`
    /// and in `websocket.mode: messages`. 3 to 64 letters, digits, `-`, `_`.
    pub renewal: Option<At<String>>,
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
    /// How sessions without a credential in their handshake are asked for it.
    pub first_message: Option<FirstMessageConfig>,
    /// The name by which a message renews the session's credential.
    pub renewal: Option<Arc<str>>,
}

/// How many methods have to vouch for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// One.
    Any,
    /// Each.
    All,
}

impl RawAuthentication {
    /// Checks the values; what is wrong goes to `problems`. `known` are the names of all methods, unless some may not have
    /// been read.
    pub fn check(
        raw: At<Self>,
        known: Option<&[&str]>,
        problems: &mut Problems,
    ) -> Option<AuthenticationConfig> {
        let place = raw.place;
        let Self { any, all, forward_credentials, first_message, renewal } = raw.value;
        let (names, needed) = match (any.is_empty(), all.is_empty()) {
            (false, true) => (any, Needed::Any),
            (true, false) => (all, Needed::All),
            _ => {
                let help = "write `any: [NAME]` or `all: [NAME]` with names from the list `authentication`";
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
        if needed == Needed::All {
            let by_message = [first_message.as_ref().map(|at| at.place), renewal.as_ref().map(|at| at.place)];
            for place in by_message.into_iter().flatten() {
                let what = "one message brings one credential, and here all methods are asked";
                problems.error(place, what, "write `any`");
            }
        }
        let first_message = first_message.map(|raw| raw.value.check(problems));
        let renewal = renewal.map(|name| check_renewal(&name, problems));
        Some(AuthenticationConfig { methods, needed, forward_credentials, first_message, renewal })
    }
}

fn check_renewal(name: &At<String>, problems: &mut Problems) -> Arc<str> {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_name || !(3..=64).contains(&name.len()) {
        let what = format!("`{}` is no name for a renewing message", name.value);
        problems.error(name.place, what, "give 3 to 64 letters, digits, `-` and `_`, as in wicketgate_renew");
    }
    name.value.as_str().into()
}
