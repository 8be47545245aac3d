//! What a proxy takes out of a request or an answer before it goes on.

use http::header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName};

use super::error::HandshakeError;
use super::tokens;

/// Headers of one hop whether `Connection` names them or not (RFC 9110 section 7.6.1), and those of RFC 7540's
/// upgrade. `Trailer` is not among them: trailers go on from end to end.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("http2-settings"),
];

/// Headers on which routing, framing, identity or address rest. A client that names one in `Connection` wants a
/// proxy on the way to drop it.
const PROTECTED: [&str; 14] = [
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "set-cookie",
    "true-client-ip",
    "via",
    "client-ip",
];

/// Families of such headers.
const PROTECTED_PREFIXES: [&str; 6] =
    ["cf-", "sec-", "x-client-", "x-forwarded-", "x-real-", "x-wicketgate-"];

/// Whether `Connection` may never name this header, whatever characters it is spelled with.
pub fn is_protected(name: &HeaderName) -> bool {
    let folded: String = name.as_str().bytes().map(|byte| char::from(fold(byte))).collect();
    PROTECTED.contains(&folded.as_str()) || PROTECTED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}

/// The headers that `Connection` names; an error if it cannot be read or names a protected one.
pub fn nominated(headers: &HeaderMap) -> Result<Vec<HeaderName>, HandshakeError> {
    let mut names = Vec::new();
    for element in tokens::elements(headers.get_all(CONNECTION)) {
        let element = element.map_err(HandshakeError::ConnectionSyntax)?;
        let name = HeaderName::from_bytes(element.as_bytes())
            .map_err(|_| HandshakeError::ConnectionSyntax(tokens::ListError::Syntax))?;
        if is_protected(&name) {
            return Err(HandshakeError::ConnectionNominates(name));
        }
        names.push(name);
    }
    Ok(names)
}

/// Takes out all that belongs to one hop, what `Connection` names included.
///
/// Nothing is taken out if `Connection` is wrong: the message must then be refused.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) -> Result<(), HandshakeError> {
    for name in nominated(headers)? {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    Ok(())
}

/// Whether a backend that folds header names, as CGI does, would take `name` for one of `known` although it is
/// spelled otherwise: `X_Forwarded_For` for `X-Forwarded-For`.
pub fn is_ambiguous<'a>(name: &HeaderName, known: impl IntoIterator<Item = &'a HeaderName>) -> bool {
    let name = name.as_str();
    known.into_iter().map(HeaderName::as_str).any(|known| {
        known != name
            && known.len() == name.len()
            && known.bytes().zip(name.bytes()).all(|(known, byte)| fold(known) == fold(byte))
    })
}

/// Names are lower case in a [`HeaderName`]; all that is no letter or digit may become one character.
fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte } else { b'-' }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::handshake::tokens::ListError;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn hop_by_hop_headers_go_and_the_rest_stays() {
        let mut headers = map(&[
            ("connection", "keep-alive, X-Hop"),
            ("connection", "upgrade"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
            ("proxy-authorization", "Basic eDp5"),
            ("x-hop", "1"),
            ("x-hop", "2"),
            ("trailer", "x-sum"),
            ("x-end", "stays"),
            ("cookie", "a=b"),
        ]);
        strip_hop_by_hop(&mut headers).unwrap();
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["cookie", "trailer", "x-end"]);
    }

    #[test]
    fn connection_may_not_name_what_decisions_rest_on() {
        for name in [
            "X-Forwarded-For",
            "x_forwarded_for",
            "Forwarded",
            "Authorization",
            "Cookie",
            "Host",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Protocol",
            "Content-Length",
            "CF-Connecting-IP",
            "True-Client-IP",
            "X-Real-IP",
            "X-Wicketgate-Subject",
            "Origin",
        ] {
            let mut headers = map(&[("connection", &format!("close, {name}")), ("x-forwarded-for", "::1")]);
            let expected = HandshakeError::ConnectionNominates(HeaderName::try_from(name).unwrap());
            assert_eq!(strip_hop_by_hop(&mut headers), Err(expected), "{name}");
            assert_eq!(headers.len(), 2, "nothing is taken out of what is refused");
        }
        let broken = map(&[("connection", "close, a b")]);
        assert_eq!(nominated(&broken), Err(HandshakeError::ConnectionSyntax(ListError::Syntax)));
    }

    #[test]
    fn other_spellings_of_a_known_name_are_ambiguous() {
        let known = map(&[("x-forwarded-for", ""), ("authorization", "")]);
        let ambiguous = |name: &str| is_ambiguous(&HeaderName::try_from(name).unwrap(), known.keys());
        assert!(ambiguous("X_Forwarded_For"));
        assert!(ambiguous("x-forwarded_for"));
        assert!(ambiguous("x.forwarded.for"));
        assert!(!ambiguous("X-Forwarded-For"));
        assert!(!ambiguous("x-forwarded-fo"));
        assert!(!ambiguous("x-forwarded-forr"));
        assert!(!ambiguous("authorization"));
    }
}
