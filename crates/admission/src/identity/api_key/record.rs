//! What is kept of an API key: who holds it, what it may do, and a keyed hash of its secret.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::key::{ApiKey, is_id};
use crate::identity::Claims;
use crate::secret::Secret;

/// The longest subject or name, in bytes.
const MAX_TEXT: usize = 256;
const HASH: usize = 32;
/// What the hash begins with, so that one made for something else is none of these.
const PURPOSE: &[u8] = b"wicketgate api key 1\0";

/// A key as the store has it: one line of JSON.
///
/// The hash covers every field but the name and the revocation: whoever can write the file and does not know the pepper
/// can neither add a key nor give one more than it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// What names it: the second part of the key's text.
    pub id: String,
    /// Whose it is.
    pub subject: String,
    /// What the operator calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it expires, in seconds since 1970; never where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// When it was revoked, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// What the identity claims beside its subject.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    pub claims: Claims,
    /// HMAC-SHA-256 of secret and record under the pepper, in base64.
    #[serde(default)]
    hash: String,
}

/// The secret that hashes of API keys are keyed with.
#[derive(Clone, Debug)]
pub struct Pepper(hmac::Key);

impl Pepper {
    /// Takes the secret in.
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()))
    }

    fn hash(&self, secret: &[u8], seal: &[u8; HASH]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [PURPOSE, seal, secret] {
            context.update(part);
        }
        context.sign()
    }
}

/// What a key's hash has to be, in the form in which it is compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    seal: [u8; HASH],
    hash: [u8; HASH],
}

impl Expected {
    /// Whether this is the key, in a time that does not depend on the answer.
    pub(super) fn is(&self, key: &ApiKey, pepper: &Pepper) -> bool {
        verify_slices_are_equal(pepper.hash(key.secret(), &self.seal).as_ref(), &self.hash).is_ok()
    }
}

impl KeyRecord {
    /// A record of a key made `now`.
    ///
    /// # Errors
    /// A subject or name that cannot be one.
    pub fn new(
        key: &ApiKey,
        pepper: &Pepper,
        subject: &str,
        name: &str,
        now: SystemTime,
        expires: Option<SystemTime>,
        claims: Claims,
    ) -> Result<Self, &'static str> {
        let mut record = Self {
            id: key.id.clone(),
            subject: subject.to_owned(),
            name: name.to_owned(),
            created: seconds(now),
            expires: expires.map(seconds),
            revoked: None,
            claims,
            hash: String::new(),
        };
        record.check()?;
        record.hash = STANDARD.encode(pepper.hash(key.secret(), &record.seal()));
        Ok(record)
    }

    /// When it expires.
    pub fn expiry(&self) -> Option<SystemTime> {
        self.expires.map(time)
    }

    /// When it was made.
    pub fn creation(&self) -> SystemTime {
        time(self.created)
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expiry().is_some_and(|expiry| expiry <= now)
    }

    /// What is wrong with it, or what its key's hash has to be.
    pub(super) fn expected(&self) -> Result<Expected, &'static str> {
        self.check()?;
        let mut hash = [0; HASH];
        match STANDARD.decode_slice(&self.hash, &mut hash) {
            Ok(HASH) => Ok(Expected { seal: self.seal(), hash }),
            _ => Err("`hash` is no HMAC-SHA-256 in base64"),
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let is_text = |text: &str| text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
        match self {
            _ if !is_id(&self.id) => Err("`id` is not 16 hexadecimal digits"),
            _ if self.subject.trim().is_empty() => Err("the subject is empty"),
            _ if !is_text(&self.subject) || !is_text(&self.name) => {
                Err("a subject or name has more than 256 bytes, or control characters")
            }
            _ => Ok(()),
        }
    }

    /// The digest of what the hash covers, the same whatever the order of the claims.
    fn seal(&self) -> [u8; HASH] {
        let claims: BTreeMap<_, _> = self.claims.iter().collect();
        let covered = (&self.id, &self.subject, self.created, self.expires, claims);
        // Numbers, strings and maps with strings for keys: nothing that JSON could not hold.
        let text = serde_json::to_vec(&covered).unwrap_or_default();
        let mut seal = [0; HASH];
        seal.iter_mut()
            .zip(digest::digest(&digest::SHA256, &text).as_ref())
            .for_each(|(to, from)| *to = *from);
        seal
    }
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Seconds beyond what the system can count are the end of time, not its beginning.
fn time(seconds: u64) -> SystemTime {
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(far)
}
