//! What a request is on the upstream's side, and a response on the client's.

use std::net::IpAddr;

use http::header::{EXPECT, FORWARDED, HOST, HeaderName, TE};
use http::{HeaderMap, HeaderValue};
use wicketgate_admission::disclosure::is_ours;
use wicketgate_wire::handshake::headers::{is_ambiguous, strip_hop_by_hop};

use super::refusal::Refused;

/// Headers that tell upstreams about the client: nobody's but ours go on.
const ABOUT_CLIENT: [HeaderName; 9] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("x-client-ip"),
];

/// Headers of the WebSocket handshake: each side of the gateway has its own.
const HANDSHAKE: [HeaderName; 5] = [
    http::header::SEC_WEBSOCKET_ACCEPT,
    http::header::SEC_WEBSOCKET_EXTENSIONS,
    http::header::SEC_WEBSOCKET_KEY,
    http::header::SEC_WEBSOCKET_PROTOCOL,
    http::header::SEC_WEBSOCKET_VERSION,
];

/// What upstreams are told about the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client<'a> {
    pub(super) address: Option<IpAddr>,
    pub(super) scheme: &'a str,
    /// The host as the client wrote it.
    pub(super) host: Option<&'a HeaderValue>,
}

/// Makes a client's headers those of our own request: what belongs to the client's connection goes, and what is
/// said about the client is said by us.
pub(super) fn to_upstream(headers: &mut HeaderMap, client: Client<'_>) -> Result<(), Refused> {
    let trailers = headers.get_all(TE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    strip_hop_by_hop(headers).map_err(Refused::HopByHop)?;
    headers.remove(EXPECT);
    remove_all(headers, &ABOUT_CLIENT);
    remove_all(headers, &HANDSHAKE);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    match client.host {
        Some(host) => drop(headers.insert(HOST, host.clone())),
        None => drop(headers.remove(HOST)),
    }
    describe(headers, client);
    Ok(())
}

/// Makes an upstream's headers those of our own response.
pub(super) fn to_client(headers: &mut HeaderMap) -> Result<(), Refused> {
    strip_hop_by_hop(headers).map_err(Refused::AnswerHeaders)?;
    for name in &HANDSHAKE {
        headers.remove(name);
    }
    Ok(())
}

/// Removes these headers, and others that a backend which folds names would take for them.
fn remove_all(headers: &mut HeaderMap, names: &[HeaderName]) {
    let ambiguous: Vec<HeaderName> =
        headers.keys().filter(|name| is_ambiguous(name, names)).cloned().collect();
    for name in names.iter().chain(&ambiguous) {
        headers.remove(name);
    }
}

/// Removes what no client may say: headers of these names, and all that are kept for us, however they are spelled.
pub(super) fn remove_identity(headers: &mut HeaderMap, names: &[HeaderName]) {
    let ours: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name)).cloned().collect();
    remove_all(headers, names);
    for name in ours {
        headers.remove(name);
    }
}

/// `X-Forwarded-*` and `Forwarded` (RFC 7239).
fn describe(headers: &mut HeaderMap, client: Client<'_>) {
    let mut forwarded = String::with_capacity(64);
    if let Some(address) = client.address {
        let text = address.to_string();
        match address {
            IpAddr::V4(_) => forwarded = format!("for={text};"),
            IpAddr::V6(_) => forwarded = format!("for=\"[{text}]\";"),
        }
        set(headers, &ABOUT_CLIENT[1], &text);
    }
    if let Some(host) = client.host.and_then(|host| host.to_str().ok()) {
        forwarded.push_str("host=\"");
        forwarded.extend(host.chars().filter(|c| !matches!(c, '"' | '\\')));
        forwarded.push_str("\";");
        set(headers, &ABOUT_CLIENT[2], host);
    }
    forwarded.push_str("proto=");
    forwarded.push_str(client.scheme);
    set(headers, &ABOUT_CLIENT[4], client.scheme);
    set(headers, &ABOUT_CLIENT[0], &forwarded);
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn forged_words_about_the_client_do_not_go_on() {
        let mut sent = headers(&[
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("connection", "keep-alive, x-gone"),
            ("x-gone", "1"),
            ("te", "trailers"),
            ("sec-websocket-key", "x"),
            ("cookie", "a=b"),
        ]);
        let host = HeaderValue::from_static("example.com");
        let client = Client { address: Some("::1".parse().unwrap()), scheme: "https", host: Some(&host) };
        to_upstream(&mut sent, client).unwrap();
        let expected = headers(&[
            ("te", "trailers"),
            ("cookie", "a=b"),
            ("host", "example.com"),
            ("x-forwarded-for", "::1"),
            ("x-forwarded-host", "example.com"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=\"[::1]\";host=\"example.com\";proto=https"),
        ]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn connection_may_not_nominate_what_identity_rests_on() {
        let mut sent = headers(&[("connection", "x-forwarded-for")]);
        let client = Client { address: None, scheme: "http", host: None };
        assert_eq!(to_upstream(&mut sent, client).unwrap_err().status(), 400);
    }
}
