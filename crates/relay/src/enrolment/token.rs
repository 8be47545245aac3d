//! A one-time token: a secret of the authority and whoever joins, and the fingerprint by which that knows the site.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{hkdf, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::identity::Fingerprint;

/// How a token begins; another form of it begins otherwise.
const PREFIX: &str = "wgt1_";
/// The length of what tells tokens from each other, in bytes.
pub(super) const ID: usize = 16;
const SECRET: usize = 32;
const MAC: usize = 32;
const PURPOSE: &[u8] = b"wicketgate relay join 1";

/// A one-time token, as the administrator hands it over.
pub struct Token {
    id: [u8; ID],
    secret: Zeroizing<[u8; SECRET]>,
    root: Fingerprint,
}

/// What requests are authenticated by: the token itself goes over no wire.
pub struct JoinKey(Zeroizing<[u8; MAC]>);

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token begins with `{PREFIX}`, and has 107 characters behind it")]
pub struct NoToken;

impl Token {
    /// A new one, of a site whose authority has this certificate; `None` where the system gives no randomness.
    pub fn generate(authority: &CertificateDer<'_>) -> Option<Self> {
        let (mut id, mut secret) = ([0; ID], Zeroizing::new([0; SECRET]));
        rand::fill(&mut id).ok()?;
        rand::fill(&mut *secret).ok()?;
        Some(Self { id, secret, root: Fingerprint::of(authority) })
    }

    /// What tells it from others, and is worth nothing by itself.
    pub const fn id(&self) -> &[u8; ID] {
        &self.id
    }

    /// By what the site's authority is known.
    pub const fn root(&self) -> Fingerprint {
        self.root
    }

    /// As it is handed over.
    pub fn reveal(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new([&self.id[..], &self.secret[..], self.root.bytes()].concat());
        Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes)))
    }

    /// The key of its requests, for this site alone; `None` where the system's cryptography fails.
    pub fn key(&self) -> Option<JoinKey> {
        let mut key = Zeroizing::new([0; MAC]);
        let info: [&[u8]; 2] = [&self.id, self.root.bytes()];
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(&*self.secret);
        secret.expand(&info, hkdf::HKDF_SHA256).ok()?.fill(&mut *key).ok()?;
        Some(JoinKey(key))
    }
}

impl FromStr for Token {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = Zeroizing::new(bytes.ok_or(NoToken)?);
        let (id, rest) = bytes.split_first_chunk::<ID>().ok_or(NoToken)?;
        let (secret, root) = rest.split_first_chunk::<SECRET>().ok_or(NoToken)?;
        let root: [u8; 32] = root.try_into().map_err(|_| NoToken)?;
        Ok(Self { id: *id, secret: Zeroizing::new(*secret), root: Fingerprint::from(root) })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl JoinKey {
    /// The MAC of a request for a certificate, which is worth nothing for another.
    pub fn mac(&self, id: &[u8], request: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.hmac());
        [PURPOSE, id, request].iter().for_each(|part| context.update(part));
        context.sign().as_ref().to_vec()
    }

    /// Whether a MAC is that of a request; compared in constant time.
    pub(super) fn verifies(&self, id: &[u8; ID], request: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.hmac(), &[PURPOSE, id, request].concat(), mac).is_ok()
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.0)
    }

    /// As the authority keeps it.
    pub(super) fn kept(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    /// Out of what the authority keeps.
    pub(super) fn from_kept(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }
}

impl fmt::Debug for JoinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_its_key_is_for_one_request() {
        let token = Token::generate(&CertificateDer::from(b"authority".to_vec())).unwrap();
        let text = token.reveal();
        let read: Token = text.parse().unwrap();
        assert_eq!((read.id(), read.root(), text.len()), (token.id(), token.root(), PREFIX.len() + 107));
        let mac = read.key().unwrap().mac(read.id(), b"request");
        let key = JoinKey::from_kept(&token.key().unwrap().kept()).unwrap();
        assert!(key.verifies(token.id(), b"request", &mac));
        assert!(!key.verifies(token.id(), b"requesT", &mac) && !key.verifies(&[0; ID], b"request", &mac));
        assert!(
            !key.verifies(token.id(), b"request", &mac[1..]) && !key.verifies(token.id(), b"request", b"")
        );
        let other = Token { root: Fingerprint::from([0; 32]), secret: token.secret.clone(), id: token.id };
        assert_ne!(other.key().unwrap().mac(other.id(), b"request"), mac, "of another site");
        let shorter = &text[..text.len() - 1];
        for text in ["", "wgt1_", "wgt2_AA", &text[1..], shorter, &format!("{}A", *text)] {
            assert_eq!(text.parse::<Token>().unwrap_err(), NoToken, "{text}");
        }
        assert_eq!(format!("{token:?} {key:?}"), "*** ***");
    }
}
