//! Requests, answers and header lists.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri, Version};

use crate::deflate::Params;
use crate::handshake::{
    Agreed, ClientHandshake, Extension, Nonce, Transport, Upgrade, extension, headers, is_upgrade_attempt,
    read_upgrade, subprotocol,
};

/// A request head as text: `METHOD TARGET VERSION [:protocol]`, header lines, and behind an empty line an
/// upstream's answer: a status and its header lines.
pub fn handshake(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().and_then(|line| std::str::from_utf8(line).ok()).unwrap_or_default();
    let mut words = first.split_ascii_whitespace();
    let mut request = Request::new(());
    *request.method_mut() = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
    *request.uri_mut() = words.next().and_then(|word| word.parse::<Uri>().ok()).unwrap_or_default();
    *request.version_mut() = match words.next() {
        Some("HTTP/1.0") => Version::HTTP_10,
        Some("HTTP/2") => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    let protocol = words.next();
    *request.headers_mut() = read_headers(lines.by_ref().take_while(|line| !line.is_empty()));
    let status = lines.next().and_then(|line| std::str::from_utf8(line).ok()?.parse().ok()).unwrap_or(101);

    let mut answer = Response::new(());
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    *answer.headers_mut() = read_headers(lines);

    strip(request.headers().clone());
    let (parts, ()) = request.into_parts();
    match read_upgrade(&parts, protocol) {
        Ok(upgrade) => accepted(&parts, protocol, &upgrade, answer),
        Err(error) => {
            assert!(error.status().is_client_error() || error.status() == 501);
            assert_eq!(error.answer().status(), error.status());
        }
    }
}

/// Lines of `Sec-WebSocket-Extensions` and, the same bytes, `Sec-WebSocket-Protocol`.
pub fn extensions(data: &[u8]) {
    let lines: Vec<HeaderValue> =
        data.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    if let Ok(offered) = subprotocol::parse(&lines, &subprotocol::BOUNDS) {
        assert!(offered.len() <= subprotocol::BOUNDS.max_elements);
        let written = subprotocol::header_value(&offered);
        assert_eq!(subprotocol::parse(&written, &subprotocol::BOUNDS), Ok(offered));
    }
    let Ok(offered) = extension::parse(&lines, &extension::BOUNDS) else { return };
    assert!(offered.len() <= extension::BOUNDS.max_elements);
    assert!(offered.iter().all(|offer| offer.params.len() <= extension::BOUNDS.max_parameters));
    let written = extension::header_value(&offered);
    assert!(written.as_ref().is_none_or(|value| value.to_str().is_ok()));
    // Written with a space behind each separator the list may pass the bound on its bytes, and no other.
    if written.as_ref().is_none_or(|value| value.len() <= extension::BOUNDS.max_bytes) {
        assert_eq!(extension::parse(&written, &extension::BOUNDS).as_ref(), Ok(&offered));
    }
    let terms = Params::default();
    if let Some((agreed, answer)) = terms.choose(&offered) {
        assert!(offered.iter().any(|offer| terms.accept(offer).is_ok()));
        // Read as the answer to a client that offered all, it means the same.
        let confirmed = Params::default().confirm(&answer);
        assert_eq!(confirmed.map(|params| params.server), Ok(agreed.server));
        let line = extension::header_value(std::slice::from_ref(&answer));
        assert_eq!(extension::parse(&line, &extension::BOUNDS), Ok(vec![answer]));
    }
}

fn read_headers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            let value = value.get(1..)?.trim_ascii();
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        })
        .collect()
}

fn strip(headers: HeaderMap) {
    let mut stripped = headers.clone();
    match headers::strip_hop_by_hop(&mut stripped) {
        Ok(()) => {
            for name in [header::CONNECTION, header::UPGRADE, header::TRANSFER_ENCODING, header::TE] {
                assert!(!stripped.contains_key(name));
            }
            for name in headers.keys().filter(|name| headers::is_protected(name)) {
                assert_eq!(headers.get(name), stripped.get(name), "{name} was taken out");
            }
        }
        Err(_) => assert_eq!(headers, stripped),
    }
}

fn accepted(parts: &http::request::Parts, protocol: Option<&str>, upgrade: &Upgrade, upstream: Response<()>) {
    let count = |name: HeaderName| parts.headers.get_all(name).iter().count();
    assert!(is_upgrade_attempt(parts, protocol));
    assert_eq!(parts.headers[header::SEC_WEBSOCKET_VERSION], "13");
    assert!(!parts.headers.contains_key(header::TRANSFER_ENCODING));
    assert!(parts.headers.get_all(header::CONTENT_LENGTH).iter().all(|length| length == "0"));
    let ours = match &upgrade.transport {
        Transport::Http1(_) => {
            assert_eq!((&parts.method, parts.version), (&Method::GET, Version::HTTP_11));
            assert_eq!((count(header::HOST), count(header::UPGRADE)), (1, 1));
            assert_eq!(count(header::SEC_WEBSOCKET_KEY), 1);
            let key = &parts.headers[header::SEC_WEBSOCKET_KEY];
            let bytes =
                STANDARD.decode(key.as_bytes()).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            assert!(bytes.is_some());
            let nonce = Nonce::new(bytes.unwrap_or_default());
            assert_eq!(nonce.header_value(), key);
            ClientHandshake::http1(nonce, upgrade.subprotocols.clone(), upgrade.extensions.clone())
        }
        Transport::Http2 => {
            assert_eq!((&parts.method, protocol), (&Method::CONNECT, Some("websocket")));
            ClientHandshake::http2(upgrade.subprotocols.clone(), upgrade.extensions.clone())
        }
    };
    // What we write is what we read.
    let mut again = parts.clone();
    ours.write(&mut again.headers);
    if let Ok(again) = read_upgrade(&again, protocol) {
        assert_eq!(again, *upgrade);
    } else {
        let line = &again.headers[header::SEC_WEBSOCKET_EXTENSIONS];
        assert!(line.len() > extension::BOUNDS.max_bytes);
    }
    answered(upgrade, &ours);
    if let Ok(agreed) = ours.verify(&upstream.into_parts().0) {
        assert!(upgrade.answer(agreed.subprotocol.as_ref(), &agreed.extensions).is_ok());
    }
}

/// The answer that takes the first of all offers must satisfy the client.
fn answered(upgrade: &Upgrade, client: &ClientHandshake) {
    let subprotocol = upgrade.subprotocols.first();
    let extensions: Vec<Extension> = upgrade.extensions.iter().take(1).cloned().collect();
    let answer = upgrade.answer(subprotocol, &extensions);
    let Ok(answer) = answer else { panic!("an offered choice was refused: {answer:?}") };
    let long =
        extension::header_value(&extensions).is_some_and(|line| line.len() > extension::BOUNDS.max_bytes);
    if !long {
        let agreed = Agreed { subprotocol: subprotocol.cloned(), extensions };
        assert_eq!(client.verify(&answer.into_parts().0), Ok(agreed));
    }
}
