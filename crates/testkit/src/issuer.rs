//! An issuer of tokens that does what a test tells it: signs what nobody should, is slow, is down, changes its keys.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use crate::raw::{Answer, Head, RecordingBackend};

/// A key that tokens are signed with.
#[derive(Clone)]
pub struct SigningKey {
    /// Its `kid`.
    pub id: String,
    /// Its public part in PEM.
    pub public_pem: String,
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl SigningKey {
    /// A new key for ES256.
    pub fn es256(id: &str) -> Result<Self> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes())?;
        Self::new(id, pair, key, Algorithm::ES256)
    }

    /// A new key for RS256, 2048 bits.
    pub fn rs256(id: &str) -> Result<Self> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        Self::new(id, pair, key, Algorithm::RS256)
    }

    /// A new key for EdDSA.
    pub fn ed25519(id: &str) -> Result<Self> {
        let pair = KeyPair::generate_for(&PKCS_ED25519)?;
        let key = EncodingKey::from_ed_der(&pair.serialize_der());
        // An OKP key has no other form that the library makes of a longer PKCS #8.
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key_raw())});
        let public_pem = pair.public_key_pem();
        Ok(Self { id: id.into(), public_pem, algorithm: Algorithm::EdDSA, key, jwk }.published())
    }

    fn new(id: &str, pair: KeyPair, key: EncodingKey, algorithm: Algorithm) -> Result<Self> {
        let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm)?)?;
        Ok(Self { id: id.into(), public_pem: pair.public_key_pem(), algorithm, key, jwk }.published())
    }

    fn published(mut self) -> Self {
        self.jwk["kid"] = json!(self.id);
        self.jwk["alg"] = json!(format!("{:?}", self.algorithm));
        self
    }

    /// Its public part as a JWK.
    pub fn jwk(&self) -> Value {
        self.jwk.clone()
    }

    /// A token with these claims, as it should be.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({"alg": format!("{:?}", self.algorithm), "kid": self.id, "typ": "JWT"});
        self.sign_with(&header, claims)
    }

    /// A token with this header, whatever it says, and a good signature.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> Result<String> {
        signed(header, claims, &self.key, self.algorithm)
    }
}

/// A token by a shared secret, HS256, with this header, whatever it says.
pub fn sign_hs256(secret: &[u8], header: &Value, claims: &Value) -> Result<String> {
    signed(header, claims, &EncodingKey::from_secret(secret), Algorithm::HS256)
}

/// A token with this header, these claims and no signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

fn signed(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> Result<String> {
    let message = unsigned(header, claims);
    let message = message.trim_end_matches('.');
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm)?;
    Ok(format!("{message}.{signature}"))
}

/// The time now as tokens have it.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What an issuer does when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Answers.
    Well,
    /// Takes requests and says nothing.
    Silent,
    /// Answers with 500.
    Failing,
    /// Answers with this instead.
    Babbling(String),
}

/// A running issuer, with a JWK set at `/jwks`, discovery, and introspection at `/introspect`.
pub struct Issuer {
    server: RecordingBackend,
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    url: String,
    keys: Vec<Value>,
    introspected: Value,
    mood: Mood,
}

impl Issuer {
    /// One with these keys, on a free port of 127.0.0.1.
    pub async fn start(keys: &[&SigningKey]) -> Result<Self> {
        let state = State {
            url: String::new(),
            keys: keys.iter().map(|key| key.jwk()).collect(),
            introspected: json!({"active": false}),
            mood: Mood::Well,
        };
        let state = Arc::new(Mutex::new(state));
        let asked = state.clone();
        let server = RecordingBackend::answering(move |head| lock(&asked).answer(head)).await?;
        let url = format!("http://{}", server.addr()?);
        lock(&state).url.clone_from(&url);
        Ok(Self { server, url, state })
    }

    /// What it calls itself.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Publishes these keys, and no others, from now on.
    pub fn publish(&self, keys: Vec<Value>) {
        lock(&self.state).keys = keys;
    }

    /// Says this about every token that is introspected from now on.
    pub fn introspects(&self, answer: Value) {
        lock(&self.state).introspected = answer;
    }

    /// Behaves like this from now on.
    pub fn is(&self, mood: Mood) {
        lock(&self.state).mood = mood;
    }

    /// How often this was asked for.
    pub fn requests(&self, path: &str) -> usize {
        self.heads().iter().filter(|head| head.target() == path).count()
    }

    /// All requests so far.
    pub fn heads(&self) -> Vec<Head> {
        self.server.recorded().into_iter().flat_map(|recorded| recorded.heads).collect()
    }

    /// What came to it in all, bodies included.
    pub fn received(&self) -> String {
        let recorded = self.server.recorded().into_iter();
        recorded.map(|recorded| String::from_utf8_lossy(&recorded.bytes).into_owned()).collect()
    }

    /// Waits until it was asked for this.
    pub async fn asked(&self, path: &str) -> Result<()> {
        self.server.requested(path).await.map(drop).context("the issuer was not asked")
    }

    /// Claims of a good token of its, for this subject and audience.
    pub fn claims(&self, subject: &str, audience: &str) -> Value {
        json!({"iss": self.url, "aud": audience, "sub": subject, "iat": now(), "exp": now() + 300, "jti": format!("t-{subject}")})
    }
}

impl State {
    fn answer(&self, head: &Head) -> Answer {
        let body = match (&self.mood, head.target().as_str()) {
            (Mood::Silent, _) => return Answer::Silence,
            (Mood::Failing, _) => return response("500 Internal Server Error", ""),
            (Mood::Babbling(text), _) => text.clone(),
            (_, "/jwks") => json!({"keys": self.keys}).to_string(),
            (_, "/.well-known/openid-configuration") => {
                json!({"issuer": self.url, "jwks_uri": format!("{}/jwks", self.url)}).to_string()
            }
            (_, "/introspect") => self.introspected.to_string(),
            _ => return response("404 Not Found", ""),
        };
        response("200 OK", &body)
    }
}

fn response(status: &str, body: &str) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Answer::BytesThenEnd([head.as_bytes(), body.as_bytes()].concat())
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
