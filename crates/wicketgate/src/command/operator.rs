//! A question to the running gateway, at its admin listener.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use wicketgate_gateway::config::AdminConfig;
use wicketgate_gateway::listener::BindAddress;

/// How long the gateway has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// Asks the gateway whose admin listener this is; gives its answer.
pub(super) fn ask<T: DeserializeOwned>(
    admin: Option<&AdminConfig>,
    method: Method,
    target: &str,
    body: Vec<u8>,
) -> anyhow::Result<T> {
    let (status, text) = fetch(admin.ok_or_else(no_admin)?, method, target, body)?;
    match status.is_success() {
        true => serde_json::from_slice(&text).context("the gateway's answer cannot be read"),
        false => bail!("{status}: {}", String::from_utf8_lossy(&text).trim_end()),
    }
}

/// What is wrong where nobody can be asked.
pub(super) fn no_admin() -> anyhow::Error {
    anyhow!("the configuration has no `admin` section, so the gateway cannot be asked")
}

/// Asks it, and gives its answer whatever it is.
pub(super) fn fetch(
    admin: &AdminConfig,
    method: Method,
    target: &str,
    body: Vec<u8>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let mut request = Request::builder().method(method).uri(target).header(HOST, "wicketgate");
    if let Some(token) = &admin.token {
        request = request.header(AUTHORIZATION, format!("Bearer {}", token.reveal()));
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { timeout(PATIENCE, exchange(&admin.bind, request)).await });
    asked.map_err(|_| anyhow!("the gateway at {} gives no answer", admin.bind))?
}

async fn exchange(
    address: &BindAddress,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let unreachable = || format!("no gateway answers at {address}: is it running, with this configuration?");
    match address {
        BindAddress::Tcp(address) => {
            send(TcpStream::connect(address).await.with_context(unreachable)?, request).await
        }
        BindAddress::Unix(path) => {
            send(UnixStream::connect(path).await.with_context(unreachable)?, request).await
        }
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    Ok((status, body.map_err(|error| anyhow!("the gateway's answer: {error}"))?.to_bytes()))
}
