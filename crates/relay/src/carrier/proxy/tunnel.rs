//! A tunnel through a proxy: CONNECT, and what comes back.

use std::future::poll_fn;

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::target::Target;
use super::{Credentials, ProxyFault};

/// The longest head of an answer that is read, in bytes.
pub(super) const MAX_HEAD: usize = 16 << 10;
/// How much is shown of what a proxy asks a login by.
const SHOWN_SCHEMES: usize = 4;

/// Asks for a tunnel over a connection to the proxy. Whoever calls has a deadline.
pub(super) async fn open<S>(
    stream: S,
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<S, ProxyFault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut request = Request::connect(target.to_string()).body(Empty::<Bytes>::new());
    if let Ok(request) = &mut request {
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(&target.to_string()).map_err(|_| ProxyFault::Target)?;
        headers.insert(HOST, host);
        headers
            .insert(USER_AGENT, HeaderValue::from_static(concat!("wicketgate/", env!("CARGO_PKG_VERSION"))));
        if let Some(header) = credentials.and_then(Credentials::header) {
            headers.insert(PROXY_AUTHORIZATION, header);
        }
    }
    let request = request.map_err(|_| ProxyFault::Target)?;
    let handshake = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream));
    let (mut sender, mut connection) = handshake.await.map_err(fault)?;
    // No task of its own: a proxy that is given up is given up with all that is read from it.
    let mut answer = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        biased;
        response = &mut answer => response,
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error),
        },
    };
    let response = response.map_err(fault)?;
    match response.status() {
        status if status.is_success() => {}
        status => return Err(refused(status, response.headers(), target, credentials.is_some())),
    }
    // Nobody behind the proxy speaks before we do.
    let parts = connection.into_parts();
    if parts.read_buf.is_empty() { Ok(parts.io.into_inner()) } else { Err(ProxyFault::Early) }
}

fn fault(error: hyper::Error) -> ProxyFault {
    if error.is_parse_too_large() { ProxyFault::TooLarge(MAX_HEAD) } else { ProxyFault::Exchange(error) }
}

fn refused(status: StatusCode, headers: &HeaderMap, target: &Target, told_who: bool) -> ProxyFault {
    let target = target.clone();
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => login(headers, told_who),
        // What tinyproxy says to a wrong password; nobody else has seen a CONNECT.
        StatusCode::UNAUTHORIZED if told_who => ProxyFault::WrongCredentials,
        StatusCode::FORBIDDEN => ProxyFault::Forbidden(target),
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
            ProxyFault::Unreachable { target, status }
        }
        status => ProxyFault::Refused { target, status },
    }
}

/// What a proxy asks for that wants to know who we are.
fn login(headers: &HeaderMap, told_who: bool) -> ProxyFault {
    let words = headers.get_all(PROXY_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let schemes: Vec<&str> = words
        .filter_map(|value| value.split([' ', ',']).next())
        .filter(|scheme| !scheme.is_empty() && scheme.len() < 20)
        .filter(|scheme| scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
        .take(SHOWN_SCHEMES)
        .collect();
    let basic = schemes.is_empty() || schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    match (basic, told_who) {
        (false, _) => ProxyFault::OtherScheme(schemes.join(", ")),
        (true, true) => ProxyFault::WrongCredentials,
        (true, false) => ProxyFault::WantsCredentials,
    }
}

#[cfg(test)]
#[path = "tunnel_tests.rs"]
mod tests;
