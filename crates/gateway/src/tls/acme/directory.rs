//! HTTP to the authority's directory: over verified TLS, within a time and a size.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use wicketgate_config::{At, Problems};

use super::config::AcmeConfig;
use super::error::AcmeError;
use crate::tls::client::RawClientTls;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer: a chain of certificates is some KiB.
const ANSWER_MAX: usize = 1 << 20;

/// A client that trusts whom the configuration says.
pub(super) struct Directory(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Directory {
    pub(super) fn new(config: &AcmeConfig) -> Result<Self, AcmeError> {
        let mut problems = Problems::default();
        let raw = RawClientTls { ca: config.ca.clone().map(At::nowhere), ..RawClientTls::default() };
        let Some(tls) = raw.check(&mut problems) else {
            let what = problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>();
            return Err(AcmeError::Trust(what.join("; ")));
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config((*tls.rustls(&[])).clone())
            .https_only()
            .enable_http1()
            .enable_http2()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

impl HttpClient for Directory {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let sent = self.0.request(request);
        Box::pin(async move {
            let exchange = async {
                let response = sent.await.map_err(|error| Error::Other(error.into()))?;
                let (parts, body) = response.into_parts();
                let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(Error::Other)?;
                Ok(BytesResponse::from(http::Response::from_parts(parts, Full::new(body.to_bytes()))))
            };
            let late = |_| Error::Other("no answer in time".into());
            tokio::time::timeout(PATIENCE, exchange).await.map_err(late)?
        })
    }
}
