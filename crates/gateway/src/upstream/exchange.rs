//! A plain request and its response: `Upstream::send`.

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri, request};
use http_body::Body as HttpBody;

use bytes::Bytes;
use wicketgate_admission::Admitted;

use super::balance::Affinity;
use super::body::{Body, BoxError, Progress, RequestBody, Source, empty};
use super::config::Protocol;
use super::error::UpstreamError;
use super::target::{Pick, Target};
use super::{Upstream, http1, http2};

/// Why a request was not answered, and the request itself if nothing of it was sent.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: UpstreamError,
    pub(super) unsent: Option<Box<Request<RequestBody>>>,
}

impl Failure {
    pub(super) fn sent(error: UpstreamError) -> Self {
        Self { error, unsent: None }
    }

    pub(super) fn unsent(error: UpstreamError, request: Request<RequestBody>) -> Self {
        Self { error, unsent: Some(Box::new(request)) }
    }
}

impl Upstream {
    /// Sends the request of a client that was admitted to a target and gives its response; bodies and trailers stream
    /// both ways.
    ///
    /// The request must be free of hop-by-hop headers. A `Host` that it brings is kept; without one, each target gets
    /// its own. Another target is tried only as long as nothing was sent.
    pub async fn send<B>(
        &self,
        _proof: &Admitted,
        request: Request<B>,
        affinity: Affinity,
    ) -> Result<Response<Body>, UpstreamError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.send_any(request, affinity).await
    }

    pub(super) async fn send_any<B>(
        &self,
        request: Request<B>,
        affinity: Affinity,
    ) -> Result<Response<Body>, UpstreamError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if request.method() == Method::CONNECT {
            return Err(UpstreamError::Request("CONNECT opens no tunnel here".into()));
        }
        let (parts, body) = request.into_parts();
        let own_host = !parts.headers.contains_key(HOST);
        let (body, progress) = Progress::watch(body);
        let mut request = Request::from_parts(parts, body);
        let (mut tried, mut last) = (Vec::new(), None);
        loop {
            let (index, pick) = self.pick(affinity, &tried, last.take())?;
            if own_host {
                request.headers_mut().insert(HOST, pick.address().authority.clone());
            }
            let Failure { error, unsent } = match self.exchange(pick, request, &progress).await {
                Ok(response) => {
                    self.answered(index, response.status());
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            self.failed(index, &error);
            tried.push(index);
            match unsent {
                Some(unsent) if self.may_try_another(&tried) => request = *unsent,
                _ => return Err(error),
            }
            last = Some(error);
        }
    }

    async fn exchange(
        &self,
        pick: Pick,
        mut request: Request<RequestBody>,
        progress: &Progress,
    ) -> Result<Response<Body>, Failure> {
        let (config, stall) = (&self.config, self.config.timeouts.stall);
        match config.protocol {
            Protocol::Http1 => {
                *request.uri_mut() = origin_form(request.uri());
                let (response, lease) = http1::exchange(&pick, config, request, progress).await?;
                Ok(response.map(|body| Body::new(Source::Http1(body), pick, Some(lease), stall)))
            }
            Protocol::Http2 => {
                let response =
                    Box::pin(http2::exchange(&pick.http2, &pick, config, request, progress)).await?;
                Ok(response.map(|body| Body::new(Source::Http2(body), pick, None, stall)))
            }
        }
    }
}

/// The request target of HTTP/1.1: path and query alone (RFC 9112 section 3.2.1).
pub(super) fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    Uri::from(path)
}

/// The request target of HTTP/2, with `Host` as its authority (RFC 9113 section 8.3.1).
pub(super) fn absolute_form(request: &mut request::Parts, target: &Target) -> Result<(), UpstreamError> {
    let host: HeaderValue = request.headers.remove(HOST).unwrap_or(target.address().authority.clone());
    let bad = || UpstreamError::Request("`Host` is no authority".into());
    let authority = Authority::try_from(host.as_bytes()).map_err(|_| bad())?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if target.address().tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(authority);
    parts.path_and_query =
        Some(request.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    request.uri = Uri::from_parts(parts).map_err(|_| bad())?;
    Ok(())
}

/// The same request again, if sending it twice does no harm.
pub(super) fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_safe() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}
