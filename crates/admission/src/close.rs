//! The codes by which a session is closed when its client loses the right to it.

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems};
use wicketgate_wire::CloseCode;

/// The codes by which a session is closed when its client loses the right to it: 1008, or one of the application's from
/// 4000 to 4999, so that its clients can tell a new log-in from an end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawCloseCodes {
    /// The credential has expired. Default: 1008.
    pub expired: At<u16>,
    /// The credential was revoked, or its issuer does not stand behind it any more. Default: 1008.
    pub revoked: At<u16>,
    /// An operator ended the session. Default: 1008.
    pub kicked: At<u16>,
}

impl Default for RawCloseCodes {
    fn default() -> Self {
        let policy = || At::nowhere(CloseCode::POLICY.0);
        Self { expired: policy(), revoked: policy(), kicked: policy() }
    }
}

/// The codes by which a session is closed when its client loses the right to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCodes {
    /// The credential has expired.
    pub expired: CloseCode,
    /// The credential was revoked.
    pub revoked: CloseCode,
    /// An operator ended the session.
    pub kicked: CloseCode,
}

impl Default for CloseCodes {
    fn default() -> Self {
        Self { expired: CloseCode::POLICY, revoked: CloseCode::POLICY, kicked: CloseCode::POLICY }
    }
}

impl RawCloseCodes {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> CloseCodes {
        let mut code = |code: At<u16>| {
            if !matches!(code.value, 1008 | 4000..=4999) {
                let what = format!("{} is no code for this end", code.value);
                problems.error(code.place, what, "give 1008, or one from 4000 to 4999");
            }
            CloseCode(code.value)
        };
        CloseCodes { expired: code(self.expired), revoked: code(self.revoked), kicked: code(self.kicked) }
    }
}
