//! The answers to an authority's challenges, for as long as it may ask for them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::error::AcmeError;
use crate::tls::resolver::CertificateResolver;

/// The protocol in whose handshake a name is proven (RFC 8737 section 6.1).
pub const ALPN: &[u8] = b"acme-tls/1";

/// Where the authority looks (RFC 8555 section 8.3).
const PATH: &str = "/.well-known/acme-challenge/";

/// The answers to challenges that are pending, for all listeners: at most 100 for each configured certificate.
#[derive(Debug, Default)]
pub struct Challenges {
    /// Key authorizations by token.
    http: RwLock<HashMap<String, String>>,
    /// Certificates by name.
    alpn: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

/// An answer that is given as long as this lives.
pub(super) enum Offered {
    Http(Arc<Challenges>, String),
    Alpn(Arc<Challenges>, String),
}

impl Challenges {
    /// The answer to a request for this path, if it is for a challenge of ours.
    pub fn answer(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(PATH)?;
        self.http.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    pub(super) fn offer_http(self: &Arc<Self>, token: &str, authorization: &str) -> Offered {
        let mut answers = self.http.write().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), authorization.to_owned());
        Offered::Http(self.clone(), token.to_owned())
    }

    /// Makes the certificate that proves `name` (RFC 8737 section 3).
    pub(super) fn offer_alpn(
        self: &Arc<Self>,
        name: &str,
        digest: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Offered, AcmeError> {
        if digest.len() != 32 {
            return Err(AcmeError::Certificate("the challenge has no digest of 32 bytes".into()));
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = params.self_signed(&key)?.der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|error| AcmeError::Certificate(error.to_owned()))?;
        let key = provider.key_provider.load_private_key(key)?;
        let shown = Arc::new(CertifiedKey::new(vec![certificate], key));
        self.alpn.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), shown);
        Ok(Offered::Alpn(self.clone(), name.to_owned()))
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        match self {
            Self::Http(all, token) => {
                all.http.write().unwrap_or_else(PoisonError::into_inner).remove(token);
            }
            Self::Alpn(all, name) => {
                all.alpn.write().unwrap_or_else(PoisonError::into_inner).remove(name);
            }
        }
    }
}

/// A listener's certificates, and before them the answers to challenges.
#[derive(Debug)]
pub(in crate::tls) struct WithChallenges {
    pub(in crate::tls) certificates: Arc<CertificateResolver>,
    pub(in crate::tls) challenges: Arc<Challenges>,
}

impl ResolvesServerCert for WithChallenges {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 section 3: the authority names this protocol alone. Who names others too gets no such certificate.
        let names: Vec<&[u8]> = hello.alpn().into_iter().flatten().take(2).collect();
        if names != [ALPN] {
            return self.certificates.resolve(hello);
        }
        let name = hello.server_name()?.to_ascii_lowercase();
        self.challenges.alpn.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_while_it_is_offered_and_for_its_path_alone() {
        let challenges = Arc::<Challenges>::default();
        let offered = challenges.offer_http("token", "token.thumbprint");
        let answer = |path: &str| challenges.answer(path);
        assert_eq!(answer("/.well-known/acme-challenge/token").as_deref(), Some("token.thumbprint"));
        for path in ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/other", "/token", "/"] {
            assert_eq!(answer(path), None, "{path}");
        }
        drop(offered);
        assert_eq!(answer("/.well-known/acme-challenge/token"), None);
    }
}
