//! Our own request to open a WebSocket upstream, and the upstream's answer, verified.

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::error::AnswerError;
use super::extension::{self, Extension};
use super::key::Nonce;
use super::server::{is_websocket, only};
use super::tokens::{ListError, Token, names};
use super::{PROTOCOL, VERSION, subprotocol};

/// A handshake that we begin: what we offer, and the key that the answer must prove to have read.
#[derive(Debug, Clone)]
pub struct ClientHandshake {
    /// `None` over HTTP/2, where there is no key (RFC 8441 section 5).
    nonce: Option<Nonce>,
    subprotocols: Vec<Token>,
    extensions: Vec<Extension>,
}

/// What an upstream has agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol, one of those offered.
    pub subprotocol: Option<Token>,
    /// The extensions, all of names that were offered.
    pub extensions: Vec<Extension>,
}

impl ClientHandshake {
    /// A handshake over HTTP/1.1, to be sent with GET.
    pub fn http1(nonce: Nonce, subprotocols: Vec<Token>, extensions: Vec<Extension>) -> Self {
        Self { nonce: Some(nonce), subprotocols, extensions }
    }

    /// A handshake over HTTP/2, to be sent as an extended CONNECT with [`PROTOCOL`].
    pub fn http2(subprotocols: Vec<Token>, extensions: Vec<Extension>) -> Self {
        Self { nonce: None, subprotocols, extensions }
    }

    /// Writes the handshake's headers in place of any that a client has sent; the other headers stay.
    pub fn write(&self, headers: &mut HeaderMap) {
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_ACCEPT] {
            headers.remove(name);
        }
        if let Some(nonce) = &self.nonce {
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
            headers.insert(SEC_WEBSOCKET_KEY, nonce.header_value());
        }
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        let lists = [
            (SEC_WEBSOCKET_PROTOCOL, subprotocol::header_value(&self.subprotocols)),
            (SEC_WEBSOCKET_EXTENSIONS, extension::header_value(&self.extensions)),
        ];
        for (name, value) in lists {
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(name)),
            }
        }
    }

    /// Verifies the answer (RFC 6455 section 4.1, items 1 to 6 of the last list; RFC 8441 section 5).
    pub fn verify(&self, answer: &Parts) -> Result<Agreed, AnswerError> {
        let headers = &answer.headers;
        match &self.nonce {
            Some(nonce) => {
                check_status(answer.status == StatusCode::SWITCHING_PROTOCOLS, answer)?;
                check_switch(headers, nonce)?;
            }
            None => check_status(answer.status.is_success(), answer)?,
        }
        let agreed =
            Agreed { subprotocol: read_subprotocol(headers)?, extensions: read_extensions(headers)? };
        check_offered(agreed.subprotocol.as_ref(), &self.subprotocols, &agreed.extensions, &self.extensions)?;
        Ok(agreed)
    }
}

/// Whether all that is agreed was offered. An extension may be agreed once only: two of a kind would claim
/// the same reserved bits.
pub(super) fn check_offered(
    subprotocol: Option<&Token>,
    subprotocols: &[Token],
    extensions: &[Extension],
    offered: &[Extension],
) -> Result<(), AnswerError> {
    if let Some(chosen) = subprotocol.filter(|chosen| !subprotocols.contains(chosen)) {
        return Err(AnswerError::SubprotocolNotOffered(chosen.to_string()));
    }
    for (at, extension) in extensions.iter().enumerate() {
        if extensions.iter().take(at).any(|earlier| earlier.name == extension.name) {
            return Err(AnswerError::ExtensionSyntax(ListError::Duplicate));
        }
        if !offered.iter().any(|offer| offer.name == extension.name) {
            return Err(AnswerError::ExtensionNotOffered(extension.name.to_string()));
        }
    }
    Ok(())
}

fn check_status(good: bool, answer: &Parts) -> Result<(), AnswerError> {
    if good { Ok(()) } else { Err(AnswerError::Status(answer.status)) }
}

fn check_switch(headers: &HeaderMap, nonce: &Nonce) -> Result<(), AnswerError> {
    if !matches!(only(headers, &UPGRADE), Ok(Some(value)) if is_websocket(value)) {
        return Err(AnswerError::Upgrade);
    }
    if names(headers.get_all(CONNECTION), "upgrade") != Ok(true) {
        return Err(AnswerError::Connection);
    }
    match only(headers, &SEC_WEBSOCKET_ACCEPT) {
        Ok(Some(value)) if *value == nonce.accept().header_value() => Ok(()),
        _ => Err(AnswerError::Accept),
    }
}

/// RFC 6455 section 11.3.4: in an answer the header stands once, with one token.
fn read_subprotocol(headers: &HeaderMap) -> Result<Option<Token>, AnswerError> {
    let line = only(headers, &SEC_WEBSOCKET_PROTOCOL).map_err(|_| AnswerError::SubprotocolSyntax)?;
    line.map(|line| Token::from_bytes(line.as_bytes()).ok_or(AnswerError::SubprotocolSyntax)).transpose()
}

/// RFC 6455 section 11.3.2: in an answer the header stands once.
fn read_extensions(headers: &HeaderMap) -> Result<Vec<Extension>, AnswerError> {
    let line = only(headers, &SEC_WEBSOCKET_EXTENSIONS)
        .map_err(|_| AnswerError::ExtensionSyntax(ListError::Duplicate))?;
    extension::parse(line, &extension::BOUNDS).map_err(AnswerError::ExtensionSyntax)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::Response;

    fn token(text: &str) -> Token {
        Token::new(text).unwrap()
    }

    fn ours() -> ClientHandshake {
        ClientHandshake::http1(
            Nonce::new(*b"the sample nonce"),
            vec![token("chat"), token("mqtt")],
            vec![Extension::new(token("permessage-deflate"))],
        )
    }

    const GOOD: [(&str, &str); 3] = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ];

    fn answer(status: u16, lines: &[(&str, &str)]) -> Parts {
        let answer =
            lines.iter().fold(Response::builder().status(status), |answer, (n, v)| answer.header(*n, *v));
        answer.body(()).unwrap().into_parts().0
    }

    /// The good answer with one header replaced, taken out or doubled.
    fn with(name: &str, value: Option<&str>) -> Parts {
        let mut answer = answer(101, &GOOD);
        let name = http::HeaderName::try_from(name).unwrap();
        match value {
            Some(value) => drop(answer.headers.insert(name, value.parse().unwrap())),
            None => drop(answer.headers.remove(name)),
        }
        answer
    }

    #[test]
    fn our_request_is_whole_and_takes_the_place_of_the_client_s() {
        let mut headers: HeaderMap = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("the client's own"));
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("x-mux"));
        headers.insert("cookie", HeaderValue::from_static("a=b"));
        ours().write(&mut headers);
        let lines: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        for line in [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "chat, mqtt"),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("cookie", "a=b"),
        ] {
            assert!(lines.contains(&line), "{line:?}");
        }
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn over_http2_there_is_no_key_and_no_upgrade() {
        let mut headers = HeaderMap::new();
        ours().write(&mut headers);
        ClientHandshake::http2(Vec::new(), Vec::new()).write(&mut headers);
        let names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["sec-websocket-version"]);
    }

    #[test]
    fn a_good_answer_is_agreed() {
        assert_eq!(
            ours().verify(&answer(101, &GOOD)),
            Ok(Agreed { subprotocol: None, extensions: Vec::new() })
        );
        let mut full = with("sec-websocket-protocol", Some("mqtt"));
        full.headers.insert(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate; x".parse().unwrap());
        let agreed = ours().verify(&full).unwrap();
        assert_eq!(agreed.subprotocol, Some(token("mqtt")));
        assert_eq!(agreed.extensions, [Extension::new(token("permessage-deflate")).with(token("x"), None)]);
    }

    #[test]
    fn no_other_status_opens_a_websocket() {
        for status in [200, 204, 301, 400, 404, 426, 500] {
            let code = StatusCode::from_u16(status).unwrap();
            assert_eq!(ours().verify(&answer(status, &GOOD)), Err(AnswerError::Status(code)));
        }
        let http2 = ClientHandshake::http2(Vec::new(), Vec::new());
        assert!(http2.verify(&answer(200, &[])).is_ok());
        assert!(http2.verify(&answer(204, &[])).is_ok());
        for status in [101, 301, 404, 501] {
            assert!(matches!(http2.verify(&answer(status, &[])), Err(AnswerError::Status(_))));
        }
    }

    #[test]
    fn each_violation_has_its_name() {
        use AnswerError as E;
        let cases = [
            (with("upgrade", None), E::Upgrade),
            (with("upgrade", Some("h2c")), E::Upgrade),
            (with("upgrade", Some("websocket, h2c")), E::Upgrade),
            (with("connection", None), E::Connection),
            (with("connection", Some("close")), E::Connection),
            (with("connection", Some("upgrade, a b")), E::Connection),
            (with("sec-websocket-accept", None), E::Accept),
            (with("sec-websocket-accept", Some("")), E::Accept),
            (with("sec-websocket-accept", Some("S3pPLMBiTxaQ9kYGzzhZRbK+xOo=")), E::Accept),
            (with("sec-websocket-protocol", Some("soap")), E::SubprotocolNotOffered("soap".into())),
            (with("sec-websocket-protocol", Some("CHAT")), E::SubprotocolNotOffered("CHAT".into())),
            (with("sec-websocket-protocol", Some("chat, mqtt")), E::SubprotocolSyntax),
            (with("sec-websocket-protocol", Some("")), E::SubprotocolSyntax),
            (with("sec-websocket-extensions", Some("x-mux")), E::ExtensionNotOffered("x-mux".into())),
            (with("sec-websocket-extensions", Some("a b")), E::ExtensionSyntax(ListError::Syntax)),
            (
                with("sec-websocket-extensions", Some("permessage-deflate, permessage-deflate")),
                E::ExtensionSyntax(ListError::Duplicate),
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(ours().verify(&answer), Err(expected), "{answer:?}");
        }
        for (name, expected) in [
            ("upgrade", E::Upgrade),
            ("sec-websocket-accept", E::Accept),
            ("sec-websocket-protocol", E::SubprotocolSyntax),
            ("sec-websocket-extensions", E::ExtensionSyntax(ListError::Duplicate)),
        ] {
            let mut twice = answer(101, &GOOD);
            let value = twice.headers.get(name).cloned().unwrap_or(HeaderValue::from_static("chat"));
            let header = http::HeaderName::try_from(name).unwrap();
            twice.headers.insert(header.clone(), value.clone());
            twice.headers.append(header, value);
            assert_eq!(ours().verify(&twice), Err(expected), "{name}");
        }
    }
}
