//! Messages by which a client renews its credential: recognised, taken out, and left to whoever can judge them.

use std::fmt;
use std::sync::Arc;

use wicketgate_admission::Secret;

/// How a session recognises messages that renew its client's credential, and where the credential goes.
pub struct Renew {
    /// Such a message begins with `{"NAME":"`, to the byte.
    pub name: Arc<str>,
    /// Takes the credential; must not block.
    pub judge: Box<dyn Fn(Secret) + Send + Sync>,
}

impl Renew {
    /// The credential in a text message, where it is one that renews.
    pub(super) fn credential(&self, text: &[u8]) -> Option<Secret> {
        let rest = text.strip_prefix(b"{\"")?.strip_prefix(self.name.as_bytes())?.strip_prefix(b"\":\"")?;
        let rest = std::str::from_utf8(rest).ok()?;
        // Tokens have no character that JSON escapes.
        rest.strip_suffix("\"}").map(Secret::new)
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
        assert_eq!(renew.credential(br#"{"renew":"a.b.c"}"#), Some(Secret::new("a.b.c")));
        for other in [&b"{}"[..], br#"{"renewal":"x"}"#, br#"{"renew":1}"#, br#"{"renew":"x"#, b"renew", b""]
        {
            assert_eq!(renew.credential(other), None);
        }
    }
}
