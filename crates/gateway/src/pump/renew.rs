//! Messages by which a client renews its credential: recognised, taken out, and left to whoever can judge them.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use wicketgate_admission::Secret;

/// How a session recognises messages that renew its client's credential, and where the credential goes.
pub struct Renew {
    /// Such a message is a JSON object whose first key is this name.
    pub name: Arc<str>,
    /// Takes the credential; must not block.
    pub judge: Box<dyn Fn(Secret) + Send + Sync>,
}

impl Renew {
    /// The credential in a text message, where it is one that renews. It is empty where that brings none: such a message goes
    /// no further either, for half a token is a secret too.
    pub(super) fn credential(&self, text: &[u8]) -> Option<Secret> {
        // Every message is asked: its first bytes tell most of them apart.
        let rest = text.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
        rest.strip_prefix(b"\"")?.strip_prefix(self.name.as_bytes())?.strip_prefix(b"\"")?;
        let message = serde_json::from_slice::<Value>(text).unwrap_or_default();
        Some(Secret::new(message.get(&*self.name).and_then(Value::as_str).unwrap_or_default()))
    }
}

impl fmt::Debug for Renew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renew").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_messages_are_taken() {
        let renew = Renew { name: "renew".into(), judge: Box::new(|_| {}) };
        for whole in [&br#"{"renew":"a.b.c"}"#[..], b" { \"renew\" : \"a.b.c\", \"more\": 1 }\n"] {
            assert_eq!(renew.credential(whole), Some(Secret::new("a.b.c")));
        }
        for broken in [&br#"{"renew":1}"#[..], br#"{"renew":"x"#, br#"{"renew"x"#] {
            assert_eq!(renew.credential(broken), Some(Secret::new("")));
        }
        for other in [&b"{}"[..], br#"{"renewal":"x"}"#, br#"["renew"]"#, b"renew", b""] {
            assert_eq!(renew.credential(other), None);
        }
    }
}
