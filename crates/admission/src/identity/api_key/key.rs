//! The text of an API key: `wgk_ID_SECRET`, which scanners for leaked keys recognise and misprints do not pass.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::identity::Denied;
use crate::secret::Secret;

/// What every key begins with. Scanners look for `wgk_[0-9a-f]{16}_[A-Za-z0-9_-]{48}`.
pub const PREFIX: &str = "wgk_";

/// Characters of the id: 64 random bits in hexadecimal digits.
const ID: usize = 16;
/// Bytes of the secret: 256 random bits.
const SECRET: usize = 32;
/// Bytes of the checksum behind it: the first ones of the SHA-256 of all that stands before the second `_`, and the secret.
const CHECKSUM: usize = 4;

/// An API key as its holder has it.
pub struct ApiKey {
    /// What names it in the store, the log and the command line. No secret.
    pub id: String,
    secret: Zeroizing<[u8; SECRET]>,
}

impl ApiKey {
    /// A new key; `None` where the system gives no randomness.
    pub fn generate() -> Option<Self> {
        let (mut id, mut secret) = ([0; ID / 2], Zeroizing::new([0; SECRET]));
        rand::fill(&mut id).ok()?;
        rand::fill(secret.as_mut_slice()).ok()?;
        Some(Self { id: id.iter().map(|byte| format!("{byte:02x}")).collect(), secret })
    }

    /// Reads a key's text.
    ///
    /// # Errors
    /// Anything that [`ApiKey::text`] did not write.
    pub fn parse(text: &str) -> Result<Self, Denied> {
        let malformed = Denied::Malformed("no API key");
        let Some((id, rest)) = text.strip_prefix(PREFIX).and_then(|text| text.split_once('_')) else {
            return Err(malformed);
        };
        let mut decoded = Zeroizing::new([0; SECRET + CHECKSUM]);
        let length = URL_SAFE_NO_PAD.decode_slice(rest, decoded.as_mut_slice());
        if !is_id(id) || length != Ok(SECRET + CHECKSUM) {
            return Err(malformed);
        }
        let (secret, sum) = decoded.split_at(SECRET);
        let mut key = Self { id: id.to_owned(), secret: Zeroizing::new([0; SECRET]) };
        key.secret.copy_from_slice(secret);
        match key.checksum() == sum {
            true => Ok(key),
            false => Err(Denied::Malformed("an API key with a misprint")),
        }
    }

    /// The whole text, for its holder and nobody else.
    pub fn text(&self) -> Secret {
        let mut bytes = Zeroizing::new([0; SECRET + CHECKSUM]);
        let (secret, sum) = bytes.split_at_mut(SECRET);
        secret.copy_from_slice(self.secret.as_slice());
        sum.copy_from_slice(&self.checksum());
        let rest = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        Secret::new(format!("{PREFIX}{}_{}", self.id, *rest))
    }

    /// The secret part.
    pub(super) fn secret(&self) -> &[u8] {
        self.secret.as_slice()
    }

    fn checksum(&self) -> [u8; CHECKSUM] {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [PREFIX.as_bytes(), self.id.as_bytes(), self.secret.as_slice()] {
            context.update(part);
        }
        let mut sum = [0; CHECKSUM];
        sum.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        sum
    }
}

/// Whether this is the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let key = ApiKey::generate().unwrap();
        let text = key.text();
        let text = text.reveal();
        assert_eq!(text.len(), 69);
        let again = ApiKey::parse(text).unwrap();
        assert_eq!((again.id.as_str(), again.secret()), (key.id.as_str(), key.secret()));
        assert_ne!(ApiKey::generate().unwrap().text().reveal(), text);
    }

    #[test]
    fn misprints_and_other_tokens_are_no_keys() {
        let text = ApiKey::generate().unwrap().text().reveal().to_owned();
        for at in 0..text.len() {
            let mut bent = text.clone().into_bytes();
            bent[at] = if bent[at] == b'a' { b'b' } else { b'a' };
            assert!(ApiKey::parse(std::str::from_utf8(&bent).unwrap()).is_err(), "a misprint at {at}");
        }
        for other in [
            "",
            "wgk_",
            "wgk__",
            "a.b.c",
            &text[..text.len() - 1],
            &format!("{text}A"),
            &format!("{text}="),
            &format!(" {text}"),
            &text.to_uppercase(),
            &text.replacen("wgk_", "wgk_é", 1),
        ] {
            assert!(ApiKey::parse(other).is_err(), "{other}");
        }
    }
}
