//! What an OpenID provider says of itself: OpenID Connect Discovery 1.0.

use serde::Deserialize;

use crate::fetch::{Endpoint, Fetcher};

/// Where an OpenID provider is asked for what. Of all but the keys, whoever asks there reads the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its keys.
    pub keys: Endpoint,
    /// Where people are sent to sign in.
    pub authorization: Option<String>,
    /// Where a code is exchanged for tokens.
    pub token: Option<String>,
    /// Where people are sent to sign out.
    pub end_session: Option<String>,
}

/// Where the document of an issuer stands.
pub fn document_of(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Provider {
    /// Asks for the document of an issuer, which has to be that issuer's (sections 4.2 and 4.3).
    ///
    /// # Errors
    /// Why it says nothing.
    pub async fn discover(
        fetcher: &Fetcher,
        issuer: &str,
        document: &Endpoint,
        allow_http: bool,
    ) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
            authorization_endpoint: Option<String>,
            token_endpoint: Option<String>,
            end_session_endpoint: Option<String>,
        }
        let text = fetcher.get(document).await.map_err(|error| format!("{document}: {error}"))?;
        let found: Document = serde_json::from_slice(&text)
            .map_err(|error| format!("{document}: no discovery document ({error})"))?;
        if found.issuer != issuer {
            return Err(format!("{document}: it is another issuer's"));
        }
        let keys = Endpoint::parse(&found.jwks_uri, allow_http)
            .map_err(|why| format!("{document}: `jwks_uri`: {why}"))?;
        Ok(Self {
            keys,
            authorization: found.authorization_endpoint,
            token: found.token_endpoint,
            end_session: found.end_session_endpoint,
        })
    }
}
