//! Whole payloads are encrypted to an auditor's public key: the gateway can write them and not read them.
//!
//! HPKE (RFC 9180) in its base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. A sealed payload is the byte 1,
//! the 32 bytes of the encapsulated key, and the ciphertext. `info` is `wicketgate audit payload 1`, and the additional
//! data are the record's process and serial, `PROCESS:SERIAL`, so that no payload can be moved to another record.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

const INFO: &[u8] = b"wicketgate audit payload 1";
const VERSION: u8 = 1;
/// The length of a key of X25519, and of an encapsulated one.
const KEY: usize = 32;
/// Bytes of its SHA-256 behind a key, so that a slip of the pen is told from another key.
const CHECK: usize = 4;
const PUBLIC: &str = "wicketgate-audit-public-1:";
const PRIVATE: &str = "wicketgate-audit-secret-1:";

/// Why a payload or key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No key of this kind.
    #[error("this is no public key: it is the line that `wicketgate audit key` prints")]
    PublicKey,
    /// No identity.
    #[error("this is no identity: it is the file that `wicketgate audit key` writes")]
    Identity,
    /// Not sealed by us.
    #[error("this is no sealed payload of this version")]
    Format,
    /// Another key, another record, or not as it was sealed.
    #[error("the payload does not open: it is for another identity, or not as it was written")]
    Closed,
    /// The library refused.
    #[error("the payload cannot be sealed")]
    Refused,
}

/// The public key of whoever may read payloads.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient([u8; KEY]);

/// The private key of whoever may read payloads.
pub struct Identity(Zeroizing<[u8; KEY]>);

/// A new pair. The identity belongs where the gateway cannot read it.
///
/// # Errors
/// The system gives no randomness.
pub fn generate() -> Result<(Recipient, Identity), SealError> {
    let (public, private) = SUITE.generate_key_pair().map_err(|_| SealError::Refused)?;
    let public = public.0.try_into().map_err(|_| SealError::Refused)?;
    let private = private.secret_bytes().try_into().map_err(|_| SealError::Refused)?;
    Ok((Recipient(public), Identity(Zeroizing::new(private))))
}

impl Recipient {
    /// Encrypts a payload for the record that `bound_to` names.
    ///
    /// # Errors
    /// The library refuses.
    pub(crate) fn seal(&self, payload: &[u8], bound_to: &str) -> Result<Vec<u8>, SealError> {
        let key = HpkePublicKey(self.0.to_vec());
        let sealed = SUITE.seal(INFO, bound_to.as_bytes(), payload, &key);
        let (encapsulated, ciphertext) = sealed.map_err(|_| SealError::Refused)?;
        let mut out = Vec::with_capacity(1 + encapsulated.0.len() + ciphertext.len());
        out.push(VERSION);
        out.extend_from_slice(&encapsulated.0);
        out.extend_from_slice(&ciphertext);
        Ok(out)
    }

    /// A short name for it, by which its identity is found: the beginning of its SHA-256.
    pub fn short(&self) -> String {
        digest(&SHA256, &self.0).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Identity {
    /// Decrypts what was sealed for the record that `bound_to` names.
    ///
    /// # Errors
    /// It is for another key, for another record, or was changed.
    pub fn open(&self, sealed: &[u8], bound_to: &str) -> Result<Vec<u8>, SealError> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(SealError::Format)?;
        let (encapsulated, ciphertext) = rest.split_at_checked(KEY).ok_or(SealError::Format)?;
        let (encapsulated, key) =
            (EncapsulatedSecret(encapsulated.to_vec()), HpkePrivateKey::from(self.0.to_vec()));
        SUITE.open(&encapsulated, INFO, bound_to.as_bytes(), ciphertext, &key).map_err(|_| SealError::Closed)
    }

    /// The text of an identity's file.
    pub fn text(&self, recipient: &Recipient) -> Zeroizing<String> {
        Zeroizing::new(format!("# public key: {recipient}\n{}\n", *written(PRIVATE, &self.0)))
    }
}

fn written(prefix: &str, key: &[u8; KEY]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(key.to_vec());
    bytes.extend_from_slice(&digest(&SHA256, key).as_ref()[..CHECK]);
    Zeroizing::new(format!("{prefix}{}", *Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes))))
}

fn read(prefix: &str, text: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?);
    let (key, check) = bytes.split_at_checked(KEY)?;
    (digest(&SHA256, key).as_ref().get(..CHECK) == Some(check))
        .then(|| key.try_into().ok().map(Zeroizing::new))
        .flatten()
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(PUBLIC, &self.0))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl FromStr for Recipient {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        read(PUBLIC, text.trim()).map(|key| Self(*key)).ok_or(SealError::PublicKey)
    }
}

/// Lines that begin with `#` and empty ones do not count.
impl FromStr for Identity {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        match (lines.next(), lines.next()) {
            (Some(line), None) => read(PRIVATE, line).map(Self).ok_or(SealError::Identity),
            _ => Err(SealError::Identity),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_payload_opens_for_its_identity_and_record_alone() {
        let (recipient, identity) = generate().unwrap();
        let sealed = recipient.seal(b"a message", "p:1").unwrap();
        assert_eq!(identity.open(&sealed, "p:1").unwrap(), b"a message");
        assert_ne!(recipient.seal(b"a message", "p:1").unwrap(), sealed, "each with a key of its own");
        assert_eq!(identity.open(&sealed, "p:2"), Err(SealError::Closed));
        assert_eq!(generate().unwrap().1.open(&sealed, "p:1"), Err(SealError::Closed));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(identity.open(&changed, "p:1").is_err(), "byte {at}");
        }
        for short in [0, 1, 20, 33, sealed.len() - 1] {
            assert!(identity.open(&sealed[..short], "p:1").is_err());
        }
    }

    #[test]
    fn keys_are_written_and_read_and_slips_are_told() {
        let (recipient, identity) = generate().unwrap();
        let text = recipient.to_string();
        assert_eq!(text.parse(), Ok(recipient.clone()));
        let file = identity.text(&recipient);
        let again: Identity = file.parse().unwrap();
        assert_eq!(again.open(&recipient.seal(b"x", "").unwrap(), "").unwrap(), b"x");
        let mut slip = text.clone().into_bytes();
        let last = slip.len() - 10;
        slip[last] = if slip[last] == b'A' { b'B' } else { b'A' };
        assert_eq!(String::from_utf8(slip).unwrap().parse::<Recipient>(), Err(SealError::PublicKey));
        assert!(file.parse::<Recipient>().is_err() && text.parse::<Identity>().is_err());
        assert!(format!("{identity:?}") == "***" && recipient.short().len() == 16);
    }
}
