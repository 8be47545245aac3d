//! The client itself: one exchange at a time has one deadline, and an answer has a size that it may not exceed.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::config::{Endpoint, FetchConfig};

/// Asks others over HTTP/1.1, and keeps a few idle connections to them.
///
/// Not over HTTP/2: a connection that has silently died there is given to every further request, and each waits for its
/// deadline.
#[derive(Debug)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    max_answer: usize,
}

/// Why there is no answer. The text names no part of what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered, or broke off, or is not who we trust.
    #[error("{0}")]
    Exchange(String),
    /// The deadline passed.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The answer is larger than it may be.
    #[error("an answer of more than {0} bytes")]
    TooLarge(usize),
    /// The answer is not what was asked for.
    #[error("answered with status {0}")]
    Status(u16),
    /// It is of the right status and cannot be used.
    #[error("unusable answer: {0}")]
    Unusable(String),
}

/// Idle connections that are kept to each host, and how long.
const IDLE_CONNECTIONS: usize = 4;
const IDLE_TIME: Duration = Duration::from_secs(20);
/// What the head of an answer may take.
const MAX_HEAD: usize = 32 * 1024;

impl Fetcher {
    /// A client that takes answers with bodies of up to `max_answer` bytes.
    pub fn new(config: &FetchConfig, max_answer: usize) -> Self {
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config.tls()).https_or_http().enable_http1().build();
        let client = Builder::new(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
        Self { client, timeout: config.timeout, max_answer }
    }

    /// Asks for what stands at an endpoint, and takes nothing but a 200.
    ///
    /// # Errors
    /// No answer in time and size, or one with another status: redirects are not followed.
    pub async fn get(&self, endpoint: &Endpoint) -> Result<Bytes, FetchError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = endpoint.uri().clone();
        request
            .headers_mut()
            .insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
        let answer = self.send(request).await?;
        match answer.status().as_u16() {
            200 => Ok(answer.into_body()),
            status => Err(FetchError::Status(status)),
        }
    }

    /// Sends a request for an [`Endpoint`]'s URI, and gives the answer as it is, whatever its status.
    ///
    /// # Errors
    /// No answer in time and size.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
        let exchange = async {
            let answer = self.client.request(request.map(Full::new)).await.map_err(|error| broken(&error))?;
            let (head, body) = answer.into_parts();
            match Limited::new(body, self.max_answer).collect().await {
                Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
                Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge(self.max_answer)),
                Err(error) => Err(broken(&*error)),
            }
        };
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or(Err(FetchError::Late(self.timeout)))
    }
}

/// The innermost reason says what failed; those around it say that something did.
fn broken(error: &(dyn Error + 'static)) -> FetchError {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    FetchError::Exchange(innermost.to_string())
}
