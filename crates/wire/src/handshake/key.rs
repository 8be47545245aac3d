//! The handshake's nonce and the proof that the other side has read it (RFC 6455 section 4.2.2, item 5).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha1::{Digest, Sha1};

use super::tokens::visible;

/// RFC 6455 section 1.3: what makes the proof a WebSocket's and no other protocol's.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Our own `Sec-WebSocket-Key`: 16 random bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce([u8; 24]);

impl Nonce {
    /// The nonce of 16 bytes, which must come from a random source and be used once.
    pub fn new(random: [u8; 16]) -> Self {
        let mut text = [0; 24];
        // 16 bytes are 24 characters of base64, so this cannot fail.
        let written = STANDARD.encode_slice(random, &mut text);
        debug_assert_eq!(written.ok(), Some(24));
        Self(text)
    }

    /// The value of `Sec-WebSocket-Key`.
    pub fn header_value(&self) -> HeaderValue {
        visible(&self.0)
    }

    /// What the server must answer.
    pub fn accept(&self) -> Accept {
        accept_for(&self.0)
    }
}

/// The value of `Sec-WebSocket-Accept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept([u8; 28]);

impl Accept {
    /// The header's value.
    pub fn header_value(&self) -> HeaderValue {
        visible(&self.0)
    }
}

/// The proof for a key, which [`is_key`] has found good.
pub fn accept_for(key: &[u8]) -> Accept {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let mut text = [0; 28];
    // 20 bytes are 28 characters of base64, so this cannot fail.
    let written = STANDARD.encode_slice(digest, &mut text);
    debug_assert_eq!(written.ok(), Some(28));
    Accept(text)
}

/// Whether a client's key is 16 bytes in canonical base64.
pub fn is_key(key: &[u8]) -> bool {
    let mut bytes = [0; 18];
    key.len() == 24 && STANDARD.decode_slice(key, &mut bytes) == Ok(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        let nonce = Nonce::new(*b"the sample nonce");
        assert_eq!(nonce.header_value(), "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(nonce.accept().header_value(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_key_is_sixteen_bytes_of_canonical_base64() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for bad in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ",
            b"dGhlIHNhbXBsZSBub25jZQ= ",
            b"dGhlIHNhbXBsZSBub25jZR==",
            b"dGhlIHNhbXBsZSBub25j====",
            b"dGhlIHNhbXBsZSBub25jZXQ=",
            b"dGhlIHNhbXBsZSBub25jZXRz",
            b"dGhlIHNhbXBsZSBub25_ZQ==",
            b"SGVsbG8sIHdvcmxkIQ==",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(!is_key(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
