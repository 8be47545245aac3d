//! The heads of an HTTP/1.1 handshake: one write up, and no more read than must be.

use std::io;

use bytes::BytesMut;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, request, response};
use tokio::io::AsyncReadExt;

use crate::net::Stream;
use crate::upstream::error::UpstreamError;
use crate::upstream::http1::MAX_HEADERS;

/// Room for the answers of usual servers.
pub(super) const FIRST_READ: usize = 1024;

/// Interim responses (RFC 9110 section 15.2) that are passed over at most.
const MAX_INTERIM: usize = 8;

/// Writes the whole request head into one buffer. The types of `http` hold no byte that could end a line.
pub(super) fn write(request: &request::Parts) -> Vec<u8> {
    let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
    let lines: usize =
        request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut head = Vec::with_capacity(path.len() + lines + 32);
    head.extend_from_slice(b"GET ");
    head.extend_from_slice(path.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    // RFC 9110 section 7.2: Host comes first.
    let host = request.headers.get(HOST).map(|value| (&HOST, value));
    let others = request.headers.iter().filter(|(name, _)| *name != HOST);
    for (name, value) in host.into_iter().chain(others) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Reads the head of the final response, which then stands at the beginning of `buffer`, and gives its length. What
/// came behind it stays in `buffer`. The caller bounds the time.
pub(super) async fn read(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    limit: usize,
) -> Result<(response::Parts, usize), UpstreamError> {
    let (mut searched, mut interim) = (0, 0);
    loop {
        if has_end(buffer, searched)
            && let Some((parts, length)) = parse(buffer)?
        {
            if length > limit {
                return Err(UpstreamError::HeadTooLarge);
            }
            if !parts.status.is_informational() || parts.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok((parts, length));
            }
            interim += 1;
            if interim > MAX_INTERIM {
                return Err(UpstreamError::MalformedHead("too many interim responses".into()));
            }
            let _ = buffer.split_to(length);
            searched = 0;
            continue;
        }
        searched = buffer.len();
        if buffer.len() >= limit {
            return Err(UpstreamError::HeadTooLarge);
        }
        if stream.read_buf(buffer).await.map_err(broken)? == 0 {
            return Err(UpstreamError::ClosedEarly);
        }
    }
}

/// Whether there may be an empty line behind `searched`: a head that dribbles in is parsed once, not once a byte.
fn has_end(buffer: &[u8], searched: usize) -> bool {
    let fresh = &buffer[searched.saturating_sub(2)..];
    memchr::memchr_iter(b'\n', fresh).any(|at| matches!(&fresh[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

fn parse(buffer: &[u8]) -> Result<Option<(response::Parts, usize)>, UpstreamError> {
    let malformed = |what: &dyn std::fmt::Display| UpstreamError::MalformedHead(what.to_string());
    if matches!(buffer, [b'\r' | b'\n', ..]) {
        return Err(malformed(&"empty line before the status"));
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut lines);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(UpstreamError::HeadTooLarge),
        Err(error) => return Err(malformed(&error)),
    };
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|error| malformed(&error))?;
        let value = HeaderValue::from_bytes(line.value).map_err(|error| malformed(&error))?;
        headers.append(name, value);
    }
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(parsed.code.unwrap_or(0)).map_err(|error| malformed(&error))?;
    parts.version = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    parts.headers = headers;
    Ok(Some((parts, length)))
}

/// A connection that breaks while an answer is owed has ended early, whatever the system calls it.
pub(super) fn broken(error: io::Error) -> UpstreamError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => UpstreamError::ClosedEarly,
        _ => UpstreamError::Io(error),
    }
}
