//! Identity by JWT: a token whose signature and claims are checked here, with keys that are kept fresh.
//!
//! `token` takes it apart, `keyset` verifies its signature, [`crate::identity::claims`] judges what it says; `cache`
//! keeps the keys that a `source` gives.

mod algorithm;
mod cache;
mod config;
mod discovery;
mod keyset;
mod source;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::SystemTime;

pub use algorithm::Algorithm;
pub use cache::Times;
pub use config::{JwtConfig, KeysConfig, RawJwt, RawKeys};
pub use discovery::Provider;

use self::cache::KeyCache;
use self::keyset::{KeySet, Unverified};
use self::source::Source;
use self::token::Token;
use super::claims::token_id;
use super::{Denied, Identity};
use crate::credential::Place;
use crate::secret::Secret;

/// Tokens of one issuer, and its keys as far as they are known.
#[derive(Debug)]
pub struct Jwt {
    method: Arc<str>,
    config: JwtConfig,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Fixed(KeySet),
    Followed(KeyCache),
}

impl Jwt {
    /// Starts to fetch the keys. Must be called inside a tokio runtime.
    pub fn start(method: Arc<str>, config: JwtConfig) -> Self {
        let max_keys = config.max_keys;
        let source = match &config.keys {
            KeysConfig::Secret(secret) => {
                let keys = Keys::Fixed(KeySet::secret(secret));
                return Self { method, config, keys };
            }
            KeysConfig::Discovery(document, fetch) => {
                let issuer = config.rules.issuer.clone().unwrap_or_default();
                Source::discovery(issuer, document.clone(), fetch, max_keys)
            }
            KeysConfig::Url(endpoint, fetch) => Source::url(endpoint.clone(), fetch, max_keys),
            KeysConfig::File(path) => Source::file(path.clone(), max_keys),
        };
        let keys = Keys::Followed(KeyCache::start(method.clone(), source, config.times));
        Self { method, config, keys }
    }

    /// Where in a request a token stands.
    pub fn places(&self) -> &[Place] {
        &self.config.places
    }

    /// Who a token proves its bearer to be.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub async fn identify(&self, text: &Secret) -> Result<Identity, Denied> {
        if text.reveal().len() > self.config.max_token_size {
            return Err(Denied::Malformed("longer than tokens may be"));
        }
        let token = Token::read(text.reveal())?;
        if !self.config.algorithms.contains(&token.algorithm) {
            return Err(Denied::Algorithm);
        }
        let is_kind = |kind: &String| token.kind.as_ref().is_some_and(|typ| typ.eq_ignore_ascii_case(kind));
        if !self.config.typ.is_empty() && !self.config.typ.iter().any(is_kind) {
            return Err(Denied::Claim("typ".into()));
        }
        let claims = token.claims()?;
        // Not believed yet, but a token that says so is another's: its key need not be looked for.
        if claims.get("iss").and_then(serde_json::Value::as_str) != self.config.rules.issuer.as_deref() {
            return Err(Denied::Issuer);
        }
        self.verify(&token).await?;
        let judged = self.config.rules.judge(&claims, SystemTime::now())?;
        Ok(Identity {
            method: self.method.clone(),
            subject: judged.subject,
            token_id: Some(token_id(&claims).unwrap_or_else(|| token.id().into())),
            issued: judged.issued,
            expires: judged.expires,
            claims: Arc::new(claims),
        })
    }

    /// Whether an identity out of a token would still be made of its claims, now and by these rules.
    pub fn still_accepts(&self, identity: &Identity) -> bool {
        let judged = self.config.rules.judge(&identity.claims, SystemTime::now());
        judged.is_ok_and(|judged| judged.subject == identity.subject)
    }

    async fn verify(&self, token: &Token<'_>) -> Result<(), Denied> {
        let cache = match &self.keys {
            Keys::Fixed(keys) => return keys.verify(token).map_err(|unverified| unverified.denied),
            Keys::Followed(cache) => cache,
        };
        let seen = cache.seen().await?;
        let known = |seen: &cache::Seen| match seen.serving(&self.config.times) {
            Some(keys) => keys.verify(token),
            None => Err(Unverified { denied: Denied::UnknownKey, newer_keys_may_fit: true }),
        };
        match known(&seen) {
            Err(Unverified { denied, newer_keys_may_fit: true }) => match cache.newer(&seen).await {
                Some(newer) => known(&newer).map_err(|unverified| unverified.denied),
                None => Err(denied),
            },
            Err(unverified) => Err(unverified.denied),
            Ok(()) => Ok(()),
        }
    }
}
