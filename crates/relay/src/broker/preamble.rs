//! What a carrier of a session begins with: which session, by a ticket that only gateways can read.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::ticket::{MAX_SEALED, Sealed};

/// How it begins; no TLS record does.
const MAGIC: &[u8; 4] = b"WGR\x01";
/// How a carrier begins on which an endpoint looks at the way: otherwise from the first byte on.
pub(super) const PROBE: &[u8; 4] = b"PWG\x01";
/// The magic and a length.
const HEAD: usize = MAGIC.len() + size_of::<u16>();
/// What the first look at a carrier may take in, in bytes.
pub(super) const LOOK: usize = 4 << 10;

/// The beginning of a carrier of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble(pub Sealed);

/// Why what came is no such beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PreambleError {
    /// Another protocol.
    #[error("it does not begin as a carrier of a session does")]
    Magic,
    /// Longer than any ticket.
    #[error("a ticket of {0} bytes")]
    TooLong(usize),
}

impl Preamble {
    /// As it goes over a carrier of a session; `None` for a ticket longer than any.
    pub fn encode(&self) -> Option<Vec<u8>> {
        self.encode_as(MAGIC)
    }

    /// As it goes over a carrier of a probe.
    pub(crate) fn encode_probe(&self) -> Option<Vec<u8>> {
        self.encode_as(PROBE)
    }

    fn encode_as(&self, magic: &[u8; 4]) -> Option<Vec<u8>> {
        let length = u16::try_from(self.0.0.len()).ok().filter(|_| self.0.0.len() <= MAX_SEALED)?;
        Some([&magic[..], &length.to_be_bytes(), &self.0.0].concat())
    }

    /// Reads that of a session, and no byte more.
    ///
    /// # Errors
    /// The carrier breaks, or begins otherwise.
    pub(super) async fn read<S: AsyncRead + Unpin>(
        stream: &mut S,
    ) -> io::Result<Result<Self, PreambleError>> {
        Self::read_as(MAGIC, stream).await
    }

    /// Reads that of a probe.
    pub(super) async fn read_probe<S: AsyncRead + Unpin>(
        stream: &mut S,
    ) -> io::Result<Result<Self, PreambleError>> {
        Self::read_as(PROBE, stream).await
    }

    async fn read_as<S: AsyncRead + Unpin>(
        wanted: &[u8; 4],
        stream: &mut S,
    ) -> io::Result<Result<Self, PreambleError>> {
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).await?;
        let (magic, length) = head.split_at(MAGIC.len());
        if magic != wanted {
            return Ok(Err(PreambleError::Magic));
        }
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        if length > MAX_SEALED {
            return Ok(Err(PreambleError::TooLong(length)));
        }
        let mut sealed = vec![0; length];
        stream.read_exact(&mut sealed).await?;
        Ok(Ok(Self(Sealed(sealed))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn it_is_read_as_it_is_written_and_nothing_behind_it() {
        let preamble = Preamble(Sealed(b"ticket".to_vec()));
        let bytes = [&preamble.encode().unwrap()[..], b"more"].concat();
        let mut rest = &bytes[..];
        assert_eq!(Preamble::read(&mut rest).await.unwrap(), Ok(preamble));
        assert_eq!(rest, b"more");
        assert_eq!(Preamble::read_probe(&mut &bytes[..]).await.unwrap(), Err(PreambleError::Magic));
        let probe = Preamble(Sealed(b"ticket".to_vec()));
        let other = probe.encode_probe().unwrap();
        assert_eq!(Preamble::read_probe(&mut &other[..]).await.unwrap(), Ok(probe));
        assert_eq!(Preamble::read(&mut &other[..]).await.unwrap(), Err(PreambleError::Magic));
        for end in 0..bytes.len() - 4 {
            assert!(Preamble::read(&mut &bytes[..end]).await.is_err(), "cut at {end}");
        }
        assert_eq!(Preamble::read(&mut &b"GET / "[..]).await.unwrap(), Err(PreambleError::Magic));
        let long = [&MAGIC[..], &[0xff, 0xff]].concat();
        assert_eq!(Preamble::read(&mut &long[..]).await.unwrap(), Err(PreambleError::TooLong(65_535)));
        assert_eq!(Preamble(Sealed(vec![0; MAX_SEALED + 1])).encode(), None);
    }
}
