//! The text of a ticket: `wgt_` and an encrypted content that nobody else can make or read.
//!
//! It stands in URLs, so it must not show whose it is. Every ticket has a key of its own, derived from its random id: no
//! number of tickets wears the nonces out.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::identity::Denied;
use crate::secret::Secret;

/// What every ticket begins with.
pub const PREFIX: &str = "wgt_";

/// The longest content, in bytes; a third more as text.
pub(super) const MAX_CONTENT: usize = 6 * 1024;

/// What tells a ticket from all others.
pub(super) type TicketId = [u8; 16];

const PURPOSE: &[u8] = b"wicketgate ticket 1\0";

/// What tickets are sealed with.
#[derive(Debug)]
pub(super) struct Seal(hmac::Key);

impl Seal {
    /// By a secret that other gateways may have too; by one of this process alone where there is none.
    pub(super) fn new(secret: Option<&Secret>) -> Option<Self> {
        let key = match secret {
            Some(secret) => hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()),
            None => hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok()?,
        };
        Some(Self(key))
    }

    /// Writes a ticket; `None` where the system gives no randomness.
    pub(super) fn seal(&self, id: &TicketId, content: Vec<u8>) -> Option<Secret> {
        let mut sealed = content;
        let nonce = self.key(id)?.seal_in_place_append_tag(Aad::from(PURPOSE), &mut sealed).ok()?;
        let bytes = [id.as_slice(), nonce.as_ref(), &sealed].concat();
        Some(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Reads a ticket.
    ///
    /// # Errors
    /// One that this seal has not made.
    pub(super) fn open(&self, text: &Secret) -> Result<(TicketId, Vec<u8>), Denied> {
        let malformed = || Denied::Malformed("no ticket");
        let text = text.reveal().strip_prefix(PREFIX).ok_or_else(malformed)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let (id, rest) = bytes.split_first_chunk().ok_or_else(malformed)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(malformed)?;
        let mut content = sealed.to_vec();
        let key = self.key(id).ok_or(Denied::Signature)?;
        let opened = key.open_in_place(Nonce::from(nonce), Aad::from(PURPOSE), &mut content);
        let length = opened.map_err(|_| Denied::Signature)?.len();
        content.truncate(length);
        Ok((*id, content))
    }

    fn key(&self, id: &TicketId) -> Option<RandomizedNonceKey> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(PURPOSE);
        context.update(id);
        RandomizedNonceKey::new(&AES_256_GCM, context.sign().as_ref()).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_same_seal_opens_it_and_only_unchanged() {
        let secret = Secret::new("a secret that two gateways share");
        let (one, other) = (Seal::new(Some(&secret)).unwrap(), Seal::new(Some(&secret)).unwrap());
        let text = one.seal(&[7; 16], b"alice".to_vec()).unwrap();
        assert_eq!(other.open(&text).unwrap(), ([7; 16], b"alice".to_vec()));
        assert_eq!(Seal::new(None).unwrap().open(&text).unwrap_err(), Denied::Signature);
        assert_ne!(one.seal(&[7; 16], b"alice".to_vec()).unwrap(), text);
        let whole = text.reveal().to_owned();
        for at in 0..whole.len() {
            let mut bent = whole.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            assert!(one.open(&Secret::new(String::from_utf8(bent).unwrap())).is_err(), "bent at {at}");
            assert!(one.open(&Secret::new(&whole[..at])).is_err(), "cut at {at}");
        }
    }
}
