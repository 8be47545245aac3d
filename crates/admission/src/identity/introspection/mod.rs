//! Identity by introspection: the authorisation server is asked what an opaque token is (RFC 7662).

mod config;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

pub use config::{IntrospectionConfig, RawClient, RawCredentials, RawIntrospection};

use self::table::{Answer, Hash, Table};
use super::claims::token_id;
use super::{Claims, Denied, Identity};
use crate::credential::Place;
use crate::fetch::{FetchError, Fetcher};
use crate::fill::Fill;
use crate::secret::Secret;

/// Opaque tokens of one authorisation server, and what it said about them.
#[derive(Debug)]
pub struct Introspection {
    method: Arc<str>,
    config: IntrospectionConfig,
    fetcher: Fetcher,
    table: Table,
    questions: Semaphore,
}

/// How long a failed question stands for the answer, so that those who wait do not each try for themselves.
const FAILURE: Duration = Duration::from_secs(1);
/// A recheck takes an answer that is this fresh: the sessions of one token are rechecked together.
const FRESH: Duration = Duration::from_secs(1);

impl Introspection {
    /// One that knows nothing yet.
    pub fn start(method: Arc<str>, config: IntrospectionConfig) -> Self {
        let fetcher = Fetcher::new(&config.fetch, config.max_answer);
        let (table, questions) = (Table::new(config.max_cached), Semaphore::new(config.max_concurrent));
        Self { method, config, fetcher, table, questions }
    }

    /// Where in a request a token stands.
    pub fn places(&self) -> &[Place] {
        &self.config.places
    }

    /// How often the tokens of open sessions have to be asked about.
    pub fn recheck_interval(&self) -> Duration {
        self.config.recheck
    }

    /// Who a token proves its bearer to be; an answer that is known serves.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub async fn identify(&self, token: &Secret) -> Result<Identity, Denied> {
        let now = Instant::now();
        self.answer(token, |answer| now < answer.until).await
    }

    /// The same, asked anew.
    ///
    /// # Errors
    /// [`Denied::Unavailable`] where the server could not be asked, which says nothing about the token; anything else where
    /// the token proves nothing any more.
    pub async fn recheck(&self, token: &Secret) -> Result<Identity, Denied> {
        let now = Instant::now();
        self.answer(token, |answer| now < answer.asked + FRESH).await
    }

    /// How full the table of answers is.
    pub fn fill(&self) -> Fill {
        self.table.fill()
    }

    /// Whether an identity out of a token would still be made of the same answer, now and by these rules.
    pub fn still_accepts(&self, identity: &Identity) -> bool {
        let judged = self.config.rules.judge(&identity.claims, SystemTime::now());
        judged.is_ok_and(|judged| judged.subject == identity.subject)
    }

    async fn answer(&self, token: &Secret, serves: impl Fn(&Answer) -> bool) -> Result<Identity, Denied> {
        let text = token.reveal();
        if text.len() > self.config.max_token_size {
            return Err(Denied::Malformed("longer than tokens may be"));
        }
        // RFC 6750 section 2.1: what a token can be made of.
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
            return Err(Denied::Malformed("no token"));
        }
        let mut hash = Hash::default();
        hash.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        let slot = self.table.slot(&hash, serves);
        if let Some(answer) = slot.get() {
            return self.judge_again(answer);
        }
        // Whoever asks for the others may go away; then the next one asks, but nobody waits longer than this.
        let patience = self.config.fetch.timeout.mul_f64(1.1);
        let asked = timeout(patience, slot.get_or_init(|| self.ask(text, &hash))).await;
        self.table.keep(&hash, &slot);
        match asked {
            Ok(answer) => self.judge_again(answer),
            Err(_) => Err(Denied::Unavailable(FetchError::Late(self.config.fetch.timeout).to_string())),
        }
    }

    /// A token may have expired since it was asked about.
    fn judge_again(&self, answer: &Answer) -> Result<Identity, Denied> {
        let identity = answer.said.clone()?;
        match identity.expires.is_some_and(|end| SystemTime::now() >= end) {
            true => Err(Denied::Expired),
            false => Ok((*identity).clone()),
        }
    }

    async fn ask(&self, token: &str, hash: &Hash) -> Answer {
        let asked = Instant::now();
        let said = match self.introspect(token).await {
            Ok(claims) => self.judge(claims, hash),
            Err(error) => {
                let endpoint = &self.config.endpoint;
                tracing::warn!(method = &*self.method, %endpoint, %error, "token cannot be introspected");
                Err(Denied::Unavailable(error.to_string()))
            }
        };
        let serves = match &said {
            Ok(_) => self.config.cache,
            Err(Denied::Unavailable(_)) => FAILURE,
            Err(_) => self.config.cache_denials,
        };
        Answer { said: said.map(Arc::new), asked, until: Instant::now() + serves }
    }

    /// RFC 7662 section 2.1.
    async fn introspect(&self, token: &str) -> Result<Claims, FetchError> {
        let form: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let mut request = Request::new(Bytes::from(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.config.endpoint.uri().clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut authorization = HeaderValue::from_str(self.config.authorization.reveal())
            .map_err(|_| FetchError::Unusable("our own credentials".into()))?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        let _turn =
            self.questions.acquire().await.map_err(|error| FetchError::Exchange(error.to_string()))?;
        let answer = self.fetcher.send(request).await?;
        match answer.status().as_u16() {
            200 => serde_json::from_slice(answer.body())
                .map_err(|_| FetchError::Unusable("not a JSON object".into())),
            status => Err(FetchError::Status(status)),
        }
    }

    fn judge(&self, mut claims: Claims, hash: &Hash) -> Result<Identity, Denied> {
        if claims.remove("active") != Some(Value::Bool(true)) {
            return Err(Denied::Inactive);
        }
        let judged = self.config.rules.judge(&claims, SystemTime::now())?;
        let name = || hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect::<String>().into();
        Ok(Identity {
            method: self.method.clone(),
            subject: judged.subject,
            token_id: Some(token_id(&claims).unwrap_or_else(name)),
            issued: judged.issued,
            expires: judged.expires,
            claims: Arc::new(claims),
        })
    }
}
