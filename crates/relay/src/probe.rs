//! What a doctor and a gateway say to each other on a carrier that nothing but looks at the way between them.
//!
//! The gateway begins with 32 random bytes; the doctor answers with their MAC by the ticket's key. Then the doctor asks and
//! the gateway answers, each in a head of [`HEAD`] bytes (what, and a length) and so many bytes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::carrier::websocket::{Counted, Frames};
use crate::name::Name;
use crate::session::SessionId;

/// What a ticket for probes is sealed for.
pub(crate) const PURPOSE: &[u8] = b"wicketgate relay probe 1";
/// How long such a ticket opens carriers; what is open goes on.
pub(crate) const LIFETIME: Duration = Duration::from_secs(120);
/// The longest message, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// What one carrier takes in at most, in bytes; as much may come back.
pub const MAX_BYTES: u64 = 16 << 20;
/// How long a carrier may be silent.
pub const MAX_IDLE: Duration = Duration::from_secs(3600);
/// The most carriers of one ticket at a time.
pub const MAX_CARRIERS: usize = 10;
/// How many stamps a trickle has.
pub const TRICKLE: u32 = 8;
/// The time between two of them.
pub const TRICKLE_STEP: Duration = Duration::from_millis(100);
/// The most headers that are reported.
const MAX_HEADERS: usize = 64;
/// The longest value that is reported, in characters.
const MAX_VALUE: usize = 256;
/// The length of what the gateway begins with, in bytes.
pub(crate) const NONCE: usize = 32;
/// The length of a MAC, in bytes.
pub(crate) const MAC: usize = 32;
/// The length of a head, in bytes.
pub const HEAD: usize = 5;

/// What is asked, or answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The same bytes back.
    Echo,
    /// The gateway's clock, in milliseconds since this carrier began.
    Stamp,
    /// So many stamps, with a pause between any two.
    Trickle,
    /// A [`Report`], in JSON; frames are counted anew from then on.
    Report,
}

/// A ticket for probes, as gateways read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProbeTicket {
    /// Tells it from others of its holder.
    pub(crate) id: SessionId,
    /// Whose it is.
    pub(crate) holder: Name,
    /// The serial number of the holder's certificate.
    pub(crate) serial: String,
    pub(crate) key: ProbeKey,
    /// When it expires, in seconds since 1970.
    pub(crate) expires: u64,
}

/// What the holder of a ticket is known by: it goes over the control connection alone, so that whoever sees the ticket on the way
/// cannot use it.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeKey([u8; 32]);

/// The WebSocket that a carrier came by, as the gateway saw it.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Its frames.
    pub frames: Arc<Frames>,
    /// The request's version of HTTP.
    pub version: String,
    /// The request's headers; secrets among them masked.
    pub headers: Vec<(String, String)>,
}

/// What a gateway tells of the carrier that it tells it on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The address that it saw, as trusted proxies tell it.
    pub address: Option<IpAddr>,
    /// The version of HTTP.
    pub http: String,
    /// The request's headers; secrets among them masked.
    pub headers: Vec<(String, String)>,
    /// The frames since the last report.
    pub frames: Counted,
}

impl ProbeKey {
    /// A new one; `None` where the system gives no randomness.
    pub(crate) fn generate() -> Option<Self> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).ok()?;
        Some(Self(key))
    }

    pub(crate) fn mac(&self, nonce: &[u8]) -> [u8; MAC] {
        let mut mac = [0; MAC];
        mac.copy_from_slice(hmac::sign(&self.key(), nonce).as_ref());
        mac
    }

    pub(crate) fn verifies(&self, nonce: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.key(), nonce, mac).is_ok()
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

impl std::fmt::Debug for ProbeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for ProbeKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for ProbeKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("a key has 32 bytes"))
    }
}

impl Arrived {
    /// A WebSocket that this request has opened.
    pub fn new(frames: Arc<Frames>, version: http::Version, headers: &http::HeaderMap) -> Self {
        let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let text = String::from_utf8_lossy(value.as_bytes());
            let secret = value.is_sensitive()
                || [
                    "authorization",
                    "cookie",
                    "token",
                    "secret",
                    "api-key",
                    "apikey",
                    "password",
                    "jwt",
                    "assertion",
                ]
                .iter()
                .any(|word| name.as_str().contains(word));
            let text = if secret { "***".to_owned() } else { text.chars().take(MAX_VALUE).collect() };
            (name.as_str().to_owned(), text)
        };
        Self {
            frames,
            version: format!("{version:?}"),
            headers: headers.iter().take(MAX_HEADERS).map(shown).collect(),
        }
    }
}

impl What {
    const fn byte(self) -> u8 {
        match self {
            Self::Echo => b'e',
            Self::Stamp => b's',
            Self::Trickle => b't',
            Self::Report => b'r',
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'e' => Self::Echo,
            b's' => Self::Stamp,
            b't' => Self::Trickle,
            b'r' => Self::Report,
            _ => return None,
        })
    }
}

/// Writes a message: one write, and so one frame where frames are long enough.
///
/// # Errors
/// The carrier breaks, or the message is longer than any.
pub(crate) async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    what: What,
    content: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
    let message = [&[what.byte()][..], &length.to_be_bytes(), content].concat();
    stream.write_all(&message).await?;
    stream.flush().await
}

/// Reads a message; `None` at the end of the stream. Loses what has come where it is cancelled.
///
/// # Errors
/// The carrier breaks, or what comes is no message.
pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<(What, Vec<u8>)>> {
    let mut head = [0; HEAD];
    if stream.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut head[1..]).await?;
    let [what, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    let what = What::of(what).filter(|_| length <= MAX_MESSAGE);
    let what = what.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no message of a probe"))?;
    let mut content = Vec::with_capacity(length.min(64 << 10));
    if (&mut *stream).take(length as u64).read_to_end(&mut content).await? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((what, content)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn messages_are_read_as_they_are_written_and_nothing_longer() {
        let mut bytes = Vec::new();
        write(&mut bytes, What::Echo, b"hello").await.unwrap();
        write(&mut bytes, What::Report, b"").await.unwrap();
        let mut stream = &bytes[..];
        assert_eq!(read(&mut stream).await.unwrap(), Some((What::Echo, b"hello".to_vec())));
        assert_eq!(read(&mut stream).await.unwrap(), Some((What::Report, Vec::new())));
        assert_eq!(read(&mut stream).await.unwrap(), None);
        for end in 1..HEAD + 5 {
            assert!(read(&mut &bytes[..end]).await.is_err(), "cut at {end}");
        }
        for bad in [&b"x\0\0\0\0"[..], b"e\0\x10\0\x01", b"e\xff\xff\xff\xff"] {
            assert_eq!(read(&mut &bad[..]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn secrets_in_headers_are_not_reported() {
        let mut headers = http::HeaderMap::new();
        for name in ["authorization", "cookie", "proxy-authorization", "x-api-key", "cf-access-jwt-assertion"]
        {
            headers.insert(name, "secret".parse().unwrap());
        }
        headers.insert("user-agent", "x".repeat(1000).parse().unwrap());
        let arrived = Arrived::new(Arc::default(), http::Version::HTTP_11, &headers);
        assert!(!format!("{arrived:?}").contains("secret\""), "{arrived:?}");
        assert!(arrived.headers.iter().all(|(_, value)| value == "***" || value.len() == MAX_VALUE));
        assert_eq!(arrived.version, "HTTP/1.1");
    }

    #[test]
    fn a_key_proves_one_nonce() {
        let key = ProbeKey::generate().unwrap();
        let same: ProbeKey = serde_json::from_value(serde_json::to_value(&key).unwrap()).unwrap();
        assert!(key.verifies(b"nonce", &same.mac(b"nonce")));
        assert!(!key.verifies(b"other", &same.mac(b"nonce")));
        assert!(!ProbeKey::generate().unwrap().verifies(b"nonce", &key.mac(b"nonce")));
    }
}
