//! A signed token as it came, taken apart and not yet believed.

use std::fmt::Write;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::algorithm::Algorithm;
use crate::identity::{Claims, Denied};

/// A token in JWS compact form (RFC 7515 section 7.1), taken apart. Nothing it says is believed before its signature is.
#[derive(Debug)]
pub struct Token<'a> {
    /// What is signed: header and payload as they came.
    pub signed: &'a str,
    payload: &'a str,
    /// The signature as it came.
    pub signature: &'a str,
    /// What it says it is signed by.
    pub algorithm: Algorithm,
    /// Which key it says it is signed by.
    pub key_id: Option<String>,
    /// What it says it is, without `application/`.
    pub kind: Option<String>,
}

/// The parts of a header that are looked at. Those that bring or name a key (`jwk`, `jku`, `x5c`, `x5u`) are not.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// RFC 7515 section 4.1.11: who does not understand an extension that is named here has to refuse the token.
    crit: Option<IgnoredAny>,
}

/// Longer key ids are nobody's.
const MAX_KEY_ID: usize = 256;

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// No signed token, or one by an algorithm that does not exist here, such as `none`.
    pub fn read(text: &'a str) -> Result<Self, Denied> {
        let (signed, signature) = text.rsplit_once('.').ok_or(Denied::Malformed("not a signed token"))?;
        let (header, payload) = signed.split_once('.').ok_or(Denied::Malformed("not a signed token"))?;
        if payload.contains('.') {
            return Err(Denied::Malformed("an encrypted token, or none"));
        }
        let header: Header = read(header)?;
        if header.crit.is_some() {
            return Err(Denied::Malformed("a header that must be understood, and is not"));
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KEY_ID) {
            return Err(Denied::UnknownKey);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(Denied::Algorithm)?;
        let kind = header.typ.map(|typ| typ.trim_start_matches("application/").to_owned());
        Ok(Self { signed, payload, signature, algorithm, key_id: header.kid, kind })
    }

    /// Its claims: to be asked for when its signature was verified.
    ///
    /// # Errors
    /// A payload that is no JSON object.
    pub fn claims(&self) -> Result<Claims, Denied> {
        read(self.payload)
    }

    /// A name for a token that has none of its own. Out of what is signed, since a signature can be written in more ways
    /// than one (ECDSA's are malleable), and whoever holds a token could rename it.
    pub fn id(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.signed.as_bytes());
        hash.as_ref().iter().take(12).fold(String::with_capacity(24), |mut id, byte| {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }
}

fn read<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, Denied> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::Malformed("not base64url"))?;
    serde_json::from_slice(&text).map_err(|_| Denied::Malformed("not the JSON of a token"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_token_is_taken_apart() {
        let text =
            token(r#"{"alg":"ES256","kid":"k","typ":"application/at+jwt","jku":"x"}"#, r#"{"sub":"a"}"#);
        let token = Token::read(&text).unwrap();
        assert_eq!(token.algorithm, Algorithm::ES256);
        assert_eq!((token.key_id.as_deref(), token.kind.as_deref()), (Some("k"), Some("at+jwt")));
        assert_eq!(token.claims().unwrap()["sub"], "a");
        assert_eq!(format!("{}.{}", token.signed, token.signature), text);
        assert_eq!(token.id().len(), 24);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for (header, denied) in [
            (r#"{"alg":"none"}"#, Denied::Algorithm),
            (r#"{"alg":"None"}"#, Denied::Algorithm),
            (r#"{"alg":"ES512"}"#, Denied::Algorithm),
            (
                r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
                Denied::Malformed("a header that must be understood, and is not"),
            ),
            (r#"{"alg":["ES256"]}"#, Denied::Malformed("not the JSON of a token")),
            (r#"{"alg":"ES256","alg":"none"}"#, Denied::Malformed("not the JSON of a token")),
            (r#"{"kid":"k"}"#, Denied::Malformed("not the JSON of a token")),
            (r#"{"#, Denied::Malformed("not the JSON of a token")),
        ] {
            assert_eq!(Token::read(&token(header, "{}")).unwrap_err(), denied, "{header}");
        }
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(300));
        assert_eq!(Token::read(&token(&long, "{}")).unwrap_err(), Denied::UnknownKey);
        for text in ["", "a", "a.b", "..", "a.b.c.d.e", "e30.e30.", "e30=.e30.a"] {
            assert!(matches!(Token::read(text), Err(Denied::Malformed(_))), "{text}");
        }
        let deep = token(r#"{"alg":"ES256"}"#, &format!("{}{}", "[".repeat(4000), "]".repeat(4000)));
        assert!(Token::read(&deep).unwrap().claims().is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[a-zA-Z0-9_.=-]{0,80}", header in ".{0,40}", payload in ".{0,40}") {
            let whole = token(&header, &payload);
            for text in [&text, &whole] {
                if let Ok(token) = Token::read(text) {
                    let _ = (token.claims(), token.id());
                }
            }
        }
    }
}
