//! The head of an HTTP/1.1 request or response as it stood on the wire.

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};
use tokio::io::AsyncReadExt as _;

use super::io::Io;

/// Longest head a raw peer reads.
const LONGEST: usize = 256 * 1024;

/// A head: its exact bytes with the empty line, and its parts for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The exact bytes, the empty line included.
    pub bytes: Vec<u8>,
}

impl Head {
    /// Takes a head off the front of `buffer`, reading more as needed. `None` at the end of the stream.
    pub(crate) async fn read(stream: &mut dyn Io, buffer: &mut Vec<u8>) -> Result<Option<Self>> {
        loop {
            if let Some(head) = Self::take(buffer) {
                return Ok(Some(head));
            }
            ensure!(buffer.len() < LONGEST, "a head of more than {LONGEST} bytes");
            if stream.read_buf(buffer).await? == 0 {
                ensure!(buffer.is_empty(), "the stream ended inside a head: {}", buffer.escape_ascii());
                return Ok(None);
            }
        }
    }

    /// Takes a head off the front of `buffer` if it is there whole.
    pub(super) fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
        Some(Self { bytes: buffer.drain(..end + 4).collect() })
    }

    /// The request line or status line.
    pub fn first_line(&self) -> String {
        self.text().split("\r\n").next().unwrap_or_default().to_owned()
    }

    /// A response's status.
    pub fn status(&self) -> Result<u16> {
        let line = self.first_line();
        line.split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .with_context(|| format!("no status in {line:?}"))
    }

    /// A request's target.
    pub fn target(&self) -> String {
        self.first_line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The values of all fields of this name, in their order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    }

    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// Whether it asks for, or grants, a WebSocket.
    pub fn is_upgrade(&self) -> bool {
        self.field("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// The head as text, bytes beyond ASCII as Latin-1.
    pub fn text(&self) -> String {
        self.bytes.iter().map(|&byte| char::from(byte)).collect()
    }
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455, section 4.2.2).
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn a_head_ends_at_its_empty_line() {
        let mut stream: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\nA: 1\r\na:2 \r\n\r\nbody";
        let mut wire = tokio::io::join(&mut stream, tokio::io::sink());
        let mut buffer = Vec::new();
        let head = Head::read(&mut wire, &mut buffer).await.unwrap().unwrap();
        assert_eq!(head.status().unwrap(), 426);
        assert_eq!(head.all("A"), ["1", "2"]);
        assert_eq!(buffer, b"body");
    }
}
