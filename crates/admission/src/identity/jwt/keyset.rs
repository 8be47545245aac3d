//! The keys that tokens may be signed by, read once, each pinned to its algorithms.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::token::Token;
use crate::identity::Denied;
use crate::secret::Secret;

/// The keys of an issuer.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    /// How many keys were left out: of other kinds, or for other purposes.
    pub skipped: usize,
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<Box<str>>,
    /// What it verifies: never what the token alone says.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why a token is not by one of the keys, and whether newer keys could change that.
#[derive(Debug, PartialEq, Eq)]
pub struct Unverified {
    /// What is wrong.
    pub denied: Denied,
    /// Whether the issuer may have a key by now that fits.
    pub newer_keys_may_fit: bool,
}

/// RFC 7517 section 4; what is not here does not matter.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys without an id, or of the same one, that a token is tried with: each try costs a verification.
const MAX_TRIES: usize = 4;
/// RFC 7518 section 3.3: 2048 bits or more.
const MIN_RSA_MODULUS: usize = 256;

impl KeySet {
    /// A secret that the issuer shares.
    pub fn secret(secret: &Secret) -> Self {
        let key = DecodingKey::from_secret(secret.reveal().as_bytes());
        Self { keys: vec![Key { id: None, algorithms: Algorithm::HMAC.to_vec(), key }], skipped: 0 }
    }

    /// Reads a JWK set (RFC 7517 section 5) or public keys in PEM, whichever it is.
    ///
    /// # Errors
    /// Neither, or too many keys.
    pub fn read(text: &[u8], max_keys: usize) -> Result<Self, String> {
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Self::from_jwks(text, max_keys),
            _ => Self::from_pem(text, max_keys),
        }
    }

    /// Reads a JWK set. Keys of unknown kinds, for encryption, or that are shared secrets are left out.
    ///
    /// # Errors
    /// No JWK set, or too many keys.
    pub fn from_jwks(text: &[u8], max_keys: usize) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let set: Jwks = serde_json::from_slice(text).map_err(|error| format!("no JWK set ({error})"))?;
        let all = set.keys.len();
        if all > max_keys {
            return Err(format!("{all} keys, more than {max_keys}"));
        }
        let read = |jwk: Value| serde_json::from_value::<Jwk>(jwk).ok()?.into_key();
        let keys: Vec<Key> = set.keys.into_iter().filter_map(read).collect();
        Ok(Self { skipped: all - keys.len(), keys })
    }

    /// Reads public keys in PEM, one behind the other.
    ///
    /// # Errors
    /// Anything else than public keys of usable kinds, or too many.
    pub fn from_pem(text: &[u8], max_keys: usize) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "neither a JWK set nor PEM".to_owned())?;
        let starts: Vec<usize> = text.match_indices("-----BEGIN ").map(|(at, _)| at).collect();
        if starts.is_empty() {
            return Err("neither a JWK set nor PEM".into());
        }
        if starts.len() > max_keys {
            return Err(format!("{} keys, more than {max_keys}", starts.len()));
        }
        let ends = starts.iter().skip(1).copied().chain([text.len()]);
        let blocks = starts.iter().zip(ends).map(|(&start, end)| text.get(start..end).unwrap_or_default());
        let keys = blocks.map(pem_key).collect::<Result<Vec<Key>, String>>()?;
        Ok(Self { keys, skipped: 0 })
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether one of the keys signed the token, by an algorithm that is this key's.
    ///
    /// # Errors
    /// None did, as far as is known.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), Unverified> {
        let is_named = |key: &&Key| match (&token.key_id, &key.id) {
            (Some(wanted), Some(id)) => **wanted == **id,
            (_, None) | (None, _) => true,
        };
        let mut named = self.keys.iter().filter(is_named).peekable();
        if named.peek().is_none() {
            return Err(Unverified { denied: Denied::UnknownKey, newer_keys_may_fit: true });
        }
        let mut fitting = named.filter(|key| key.algorithms.contains(&token.algorithm)).peekable();
        let Some(first) = fitting.peek() else {
            return Err(Unverified { denied: Denied::Algorithm, newer_keys_may_fit: false });
        };
        // Keys without ids are told apart by trying.
        let newer_keys_may_fit = (first.id.is_none() || token.key_id.is_none()) && !token.algorithm.is_hmac();
        let algorithm = token.algorithm.into();
        let signed = |key: &Key| {
            jsonwebtoken::crypto::verify(token.signature, token.signed.as_bytes(), &key.key, algorithm)
        };
        match fitting.take(MAX_TRIES).any(|key| signed(key).is_ok_and(|signed| signed)) {
            true => Ok(()),
            false => Err(Unverified { denied: Denied::Signature, newer_keys_may_fit }),
        }
    }
}

impl Jwk {
    fn into_key(self) -> Option<Key> {
        let verifies = self.key_ops.is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !verifies || self.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |part: Option<String>| URL_SAFE_NO_PAD.decode(part?.trim_end_matches('=')).ok();
        let (algorithms, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (bytes(self.n)?, bytes(self.e)?);
                let significant = n.iter().skip_while(|byte| **byte == 0).count();
                if significant < MIN_RSA_MODULUS {
                    return None;
                }
                (Algorithm::RSA.to_vec(), DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some(curve)) => {
                let (algorithm, size) = match curve {
                    "P-256" => (Algorithm::ES256, 32),
                    "P-384" => (Algorithm::ES384, 48),
                    _ => return None,
                };
                let (x, y) = (bytes(self.x)?, bytes(self.y)?);
                if x.len() != size || y.len() != size {
                    return None;
                }
                (vec![algorithm], DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes(self.x).filter(|x| x.len() == 32)?;
                (vec![Algorithm::EdDSA], DecodingKey::from_ed_der(&x))
            }
            _ => return None,
        };
        let algorithms = match self.alg {
            None => algorithms,
            Some(name) => algorithms.into_iter().filter(|a| Algorithm::named(&name) == Some(*a)).collect(),
        };
        (!algorithms.is_empty()).then(|| Key { id: self.kid.map(Into::into), algorithms, key })
    }
}

fn pem_key(block: &str) -> Result<Key, String> {
    let label = block.trim_start_matches("-----BEGIN ").split("-----").next().unwrap_or_default();
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
        "CERTIFICATE" => {
            return Err("a certificate: take its key out with `openssl x509 -pubkey -noout`".into());
        }
        label => return Err(format!("a PEM block `{label}`, which is no public key")),
    }
    let text = block.as_bytes();
    let read = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
    let key = read.iter().find_map(|read| read(text).ok()).ok_or("a public key that cannot be read")?;
    let algorithms = match (key.family(), key.try_get_as_bytes().map_or(0, <[u8]>::len)) {
        (AlgorithmFamily::Rsa, size) if size > MIN_RSA_MODULUS => Algorithm::RSA.to_vec(),
        (AlgorithmFamily::Ec, 65) => vec![Algorithm::ES256],
        (AlgorithmFamily::Ec, 97) => vec![Algorithm::ES384],
        (AlgorithmFamily::Ed, 32) => vec![Algorithm::EdDSA],
        _ => return Err("a public key of a kind or size that is not taken".into()),
    };
    Ok(Key { id: None, algorithms, key })
}
