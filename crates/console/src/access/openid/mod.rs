//! Signing in by OpenID Connect: a browser is sent to the provider and comes back with a code, which is exchanged here for a token that
//! says who it is. Routes' tokens and this one are verified by the same code.

mod flow;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use wicketgate_admission::fetch::{Endpoint, FetchConfig, Fetcher};
use wicketgate_admission::identity::jwt::{Jwt, KeysConfig, Provider};
use wicketgate_admission::identity::{Claims, Denied, Identity};
use wicketgate_config::Secret;
use wicketgate_gateway::console::{OpenIdConfig, Role};

use self::flow::{Flow, Flows};

/// The largest answer of the provider, in bytes.
const MAX_ANSWER: usize = 64 << 10;
/// How long the provider is known before it is asked again.
const KNOWN: Duration = Duration::from_secs(600);
/// How long a question that failed stands for the answer.
const FAILURE: Duration = Duration::from_secs(2);

/// A provider, and the console's part in signing in there.
#[derive(Debug)]
pub(crate) struct OpenId {
    pub(crate) config: Arc<OpenIdConfig>,
    tokens: Jwt,
    fetcher: Fetcher,
    document: Endpoint,
    allow_http: bool,
    flows: Flows,
    known: Mutex<Option<Said>>,
}

/// What a provider said of itself, and when it was asked.
type Said = (Instant, Result<Arc<Provider>, String>);

/// Where a browser is sent, and the cookie that it takes along.
pub(crate) struct Sent {
    pub(crate) to: String,
    pub(crate) cookie: Secret,
}

/// What a browser brings back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    code: String,
    state: String,
    /// RFC 9207: who says so.
    iss: String,
    error: String,
}

/// Somebody whom the provider knows and the console lets in.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The answer is to nothing that this browser was sent for.
    #[error("the answer belongs to no sign-in that this browser began, or it took too long")]
    State,
    /// The provider has let nobody in.
    #[error("the provider has signed nobody in")]
    Provider,
    /// It cannot be asked.
    #[error("the provider cannot be asked: {0}")]
    Unavailable(String),
    /// Its token is not good.
    #[error("the provider's token is not good: {0}")]
    Token(Denied),
    /// Its token is for another sign-in, or another client.
    #[error("the provider's token is for another sign-in")]
    Other,
    /// Nothing gives them a role.
    #[error("{0} has no role here")]
    Role(String),
}

impl Failure {
    /// The word for the audit.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Provider => "provider",
            Self::Unavailable(_) => "unavailable",
            Self::Token(_) | Self::Other => "credential",
            Self::Role(_) => "role",
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// What whoever tried is told.
    pub(crate) const fn told(&self) -> &'static str {
        match self {
            Self::State => "This sign-in was not begun in this browser, or it took too long. Try again.",
            Self::Provider => "The provider has signed nobody in.",
            Self::Unavailable(_) => "The provider cannot be asked just now. Try again.",
            Self::Token(_) | Self::Other => "What the provider says of you is not accepted here.",
            Self::Role(_) => {
                "The provider knows you, and nothing gives you a role here. Ask whoever runs this gateway."
            }
        }
    }
}

impl OpenId {
    /// Starts to fetch the provider's keys. Must be called inside a tokio runtime.
    pub(crate) fn start(config: Arc<OpenIdConfig>) -> Option<Self> {
        let KeysConfig::Discovery(document, fetch) = &config.tokens.keys else { return None };
        let (document, fetch): (Endpoint, FetchConfig) = (document.clone(), fetch.clone());
        Some(Self {
            tokens: Jwt::start("console".into(), config.tokens.clone()),
            fetcher: Fetcher::new(&fetch, MAX_ANSWER),
            document,
            allow_http: fetch.allow_http,
            flows: Flows::new(),
            known: Mutex::default(),
            config,
        })
    }

    /// Sends a browser to the provider, which sends it back to `back`.
    pub(crate) async fn begin(&self, back: &str) -> Result<Sent, Failure> {
        let provider = self.provider().await?;
        let mut to = self.place("authorization_endpoint", provider.authorization.as_deref())?;
        let flow = self.flows.begin(SystemTime::now());
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, flow.verifier.reveal().as_bytes()));
        to.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", back)
            .append_pair("scope", &self.config.scopes)
            .append_pair("state", flow.state.reveal())
            .append_pair("nonce", flow.nonce.reveal())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(prompt) = self.config.prompt {
            to.query_pairs_mut().append_pair("prompt", prompt.label());
        }
        Ok(Sent { to: to.into(), cookie: flow.cookie })
    }

    /// Who the browser's user is, by what it has brought back to `back`.
    pub(crate) async fn finish(
        &self,
        answer: &Answer,
        cookie: Option<&str>,
        back: &str,
    ) -> Result<Known, Failure> {
        let flow = cookie.and_then(|cookie| self.flows.find(cookie, &answer.state, SystemTime::now()));
        let flow = flow.ok_or(Failure::State)?;
        let is_others = !answer.iss.is_empty() && answer.iss != self.config.issuer;
        if !answer.error.is_empty() || answer.code.is_empty() || is_others {
            return Err(Failure::Provider);
        }
        let token = self.exchange(&answer.code, &flow, back).await?;
        let identity = self.tokens.identify(&token).await.map_err(|denied| match denied {
            Denied::Unavailable(why) => Failure::Unavailable(why),
            denied => Failure::Token(denied),
        })?;
        if !is_for(&identity.claims, &flow.nonce, &self.config.client_id) {
            return Err(Failure::Other);
        }
        self.role(&identity)
    }

    /// Where whoever signed out here does so at the provider, and comes back to `back`.
    pub(crate) async fn end_session(&self, back: &str) -> Option<String> {
        if !self.config.logout {
            return None;
        }
        let provider = self.provider().await.ok()?;
        let mut to = self.place("end_session_endpoint", provider.end_session.as_deref()).ok()?;
        // Without the token, which would stand in a URL: the provider asks whether it is meant.
        to.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("post_logout_redirect_uri", back);
        Some(to.into())
    }

    fn role(&self, identity: &Identity) -> Result<Known, Failure> {
        let name = identity.subject.to_string();
        let role = self.config.roles.iter().find(|(_, claim)| claim.is_met(&identity.claims));
        match role {
            Some((role, _)) => Ok(Known { name, role: *role }),
            None => Err(Failure::Role(name)),
        }
    }

    /// The token of a code (RFC 6749 section 4.1.3).
    async fn exchange(&self, code: &str, flow: &Flow, back: &str) -> Result<Secret, Failure> {
        #[derive(Deserialize)]
        struct Tokens {
            id_token: Secret,
        }
        let provider = self.provider().await?;
        let at = self.place("token_endpoint", provider.token.as_deref())?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", back)
            .append_pair("client_id", &self.config.client_id)
            .append_pair("code_verifier", flow.verifier.reveal())
            .finish();
        let unusable = |why: &str| Failure::Unavailable(why.to_owned());
        let mut request = Request::new(Bytes::from(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = at.as_str().parse().map_err(|_| unusable("its `token_endpoint` is no URL"))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.config.authorization {
            let mut value =
                HeaderValue::from_str(authorization.reveal()).map_err(|_| unusable("its client"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let answer = self.fetcher.send(request).await.map_err(|error| unusable(&error.to_string()))?;
        match answer.status().as_u16() {
            200 => {}
            // RFC 6749 section 5.2: the code is not good, or the client is none.
            400 | 401 => return Err(Failure::Provider),
            status => return Err(Failure::Unavailable(format!("answered with status {status}"))),
        }
        let tokens: Tokens =
            serde_json::from_slice(answer.body()).map_err(|_| unusable("its answer has no `id_token`"))?;
        Ok(tokens.id_token)
    }

    /// One of the provider's places: over TLS, or on this machine.
    fn place(&self, name: &str, url: Option<&str>) -> Result<Url, Failure> {
        let unusable = |why: &str| Failure::Unavailable(format!("its `{name}`: {why}"));
        let url = url.ok_or_else(|| unusable("there is none"))?;
        Endpoint::parse(url, self.allow_http).map_err(unusable)?;
        let mut url = Url::parse(url).map_err(|_| unusable("it is no URL"))?;
        url.set_fragment(None);
        Ok(url)
    }

    /// The provider, as it said of itself not long ago. Whoever waits for the answer of another's question takes that.
    async fn provider(&self) -> Result<Arc<Provider>, Failure> {
        let mut known = self.known.lock().await;
        if let Some((asked, said)) = &*known
            && asked.elapsed() < if said.is_ok() { KNOWN } else { FAILURE }
        {
            return said.clone().map_err(Failure::Unavailable);
        }
        let asked =
            Provider::discover(&self.fetcher, &self.config.issuer, &self.document, self.allow_http).await;
        let said = asked.map(Arc::new);
        *known = Some((Instant::now(), said.clone()));
        said.map_err(Failure::Unavailable)
    }
}

/// Whether a token is for this sign-in, and for this client where it names several (OpenID Connect Core 1.0 section 3.1.3.7).
fn is_for(claims: &Claims, nonce: &Secret, client: &str) -> bool {
    let text = |name: &str| claims.get(name).and_then(serde_json::Value::as_str);
    let several = claims.get("aud").and_then(serde_json::Value::as_array).is_some_and(|all| all.len() > 1);
    let is_ours = match claims.get("azp") {
        Some(party) => party.as_str() == Some(client),
        None => !several,
    };
    is_ours && text("nonce").is_some_and(|shown| Secret::new(shown) == *nonce)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_for_one_sign_in_of_one_client() {
        let for_us =
            |claims: serde_json::Value| is_for(claims.as_object().unwrap(), &Secret::new("n"), "gate");
        assert!(for_us(json!({"nonce": "n", "aud": "gate"})));
        assert!(for_us(json!({"nonce": "n", "aud": ["gate"]})));
        assert!(for_us(json!({"nonce": "n", "aud": ["gate", "b"], "azp": "gate"})));
        for bad in [
            json!({"aud": "gate"}),
            json!({"nonce": "m", "aud": "gate"}),
            json!({"nonce": ["n"], "aud": "gate"}),
            json!({"nonce": "n", "aud": ["gate", "b"]}),
            json!({"nonce": "n", "aud": "gate", "azp": "b"}),
            json!({"nonce": "n", "aud": "gate", "azp": null}),
        ] {
            assert!(!for_us(bad.clone()), "{bad}");
        }
    }
}
