//! A session's first message, where it brings the credential.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wicketgate_config::{At, OneOrMany, Problems, Size, Time};
use wicketgate_wire::handshake::Token;

use crate::identity::Denied;
use crate::secret::Secret;

/// A session's first message, a text of JSON, brings the credential.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawFirstMessage {
    /// Where in the message the credential is, as a JSON pointer (RFC 6901): a text. Default: `/token`.
    pub token: At<String>,
    /// How long it may take from the answer to the handshake, 100ms to 5m. The default is 10s; then 1008.
    pub timeout: At<Time>,
    /// The longest first message, 64B to 64KiB; 1009 beyond it. The default is 16KiB. That much is held by each session that
    /// has yet to bring it; a session that has not counts for the limits of its address.
    pub max_size: At<Size>,
    /// A text that the client is sent when the credential is accepted and the upstream is open. Default: nothing.
    pub reply: Option<String>,
    /// Subprotocols of which the first that the client offers is chosen before the upstream is asked, which then has to
    /// choose it too. Default: none, and the client is told that none was chosen.
    pub subprotocols: OneOrMany<At<String>>,
}

impl Default for RawFirstMessage {
    fn default() -> Self {
        Self {
            token: At::nowhere("/token".into()),
            timeout: At::nowhere(Time::secs(10)),
            max_size: At::nowhere(Size(16 << 10)),
            reply: None,
            subprotocols: OneOrMany::default(),
        }
    }
}

/// How sessions without a credential in their handshake are asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstMessageConfig {
    /// Where in the message the credential is.
    pub token: String,
    /// How long it may take.
    pub timeout: Duration,
    /// The longest first message, in bytes.
    pub max_size: u64,
    /// What the client is sent when it is accepted.
    pub reply: Option<String>,
    /// What may be chosen before the upstream is asked.
    pub subprotocols: Vec<Token>,
}

impl RawFirstMessage {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> FirstMessageConfig {
        if !self.token.starts_with('/') {
            let what = format!("`{}` is no JSON pointer", self.token.value);
            problems.error(self.token.place, what, "begin it with `/`, as in /token");
        }
        let subprotocols = self.subprotocols.0.into_iter().filter_map(|name| {
            let token = Token::new(&name);
            if token.is_none() {
                let what = format!("`{}` is no name of a subprotocol", name.value);
                problems.error(name.place, what, "write it as clients offer it");
            }
            token
        });
        FirstMessageConfig {
            subprotocols: subprotocols.collect(),
            token: self.token.value,
            timeout: problems.in_range("timeout", &self.timeout, Time::millis(100)..=Time::secs(300)).0,
            max_size: problems.in_range("max_size", &self.max_size, Size(64)..=Size(64 << 10)).0,
            reply: self.reply,
        }
    }
}

impl FirstMessageConfig {
    /// The credential in a message.
    ///
    /// # Errors
    /// A message that is no JSON, or has no text there.
    pub fn credential(&self, message: &[u8]) -> Result<Secret, Denied> {
        let message: Value = serde_json::from_slice(message).map_err(|_| Denied::Malformed("no JSON"))?;
        match message.pointer(&self.token) {
            Some(Value::String(token)) if !token.is_empty() => Ok(Secret::new(token.as_str())),
            _ => Err(Denied::Missing),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_credential_is_where_the_pointer_says() {
        let config = RawFirstMessage { token: At::nowhere("/auth/0".into()), ..RawFirstMessage::default() };
        let config = config.check(&mut Problems::default());
        assert_eq!(config.credential(br#"{"auth":["t"]}"#).unwrap(), Secret::new("t"));
        for (message, denied) in [
            (&b"{"[..], Denied::Malformed("no JSON")),
            (br#"{"auth":[""]}"#, Denied::Missing),
            (br#"{"auth":[1]}"#, Denied::Missing),
            (b"[]", Denied::Missing),
        ] {
            assert_eq!(config.credential(message).unwrap_err(), denied);
        }
    }
}
