//! Why a TLS handshake comes to nothing.

use std::io;

/// Why a TLS handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError<S> {
    /// The peer spoke plain HTTP; the stream comes back so that it can be told.
    #[error("plain HTTP where TLS was expected")]
    PlainHttp(S),
    /// The deadline passed.
    #[error("the TLS handshake took too long")]
    TimedOut,
    /// The peer ended the connection before the handshake was done.
    #[error("the peer went away during the TLS handshake")]
    Closed,
    /// The peer broke the protocol, or no agreement was found; the alert was sent.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// The socket failed.
    #[error("during the TLS handshake: {0}")]
    Io(io::Error),
}

impl<S> HandshakeError<S> {
    /// Whether the peer showed no certificate, or one that is not taken.
    pub const fn is_of_certificate(&self) -> bool {
        use rustls::Error::{InvalidCertRevocationList, InvalidCertificate, NoCertificatesPresented};
        matches!(
            self,
            Self::Tls(InvalidCertificate(_) | InvalidCertRevocationList(_) | NoCertificatesPresented)
        )
    }
}

/// Marks the error of [`TlsStream::poll_receive`] that becomes [`HandshakeError::PlainHttp`].
#[derive(Debug, thiserror::Error)]
#[error("plain HTTP where TLS was expected")]
pub(crate) struct PlainHttp;

impl<S> From<io::Error> for HandshakeError<S> {
    fn from(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::Tls(error),
            Err(error) => Self::Io(error),
        }
    }
}

impl<S> From<HandshakeError<S>> for io::Error {
    /// What rustls says stays what is within.
    fn from(error: HandshakeError<S>) -> Self {
        match error {
            HandshakeError::PlainHttp(_) => Self::new(io::ErrorKind::InvalidData, PlainHttp),
            HandshakeError::TimedOut => Self::new(io::ErrorKind::TimedOut, error.to_string()),
            HandshakeError::Closed => Self::new(io::ErrorKind::UnexpectedEof, error.to_string()),
            HandshakeError::Tls(error) => Self::new(io::ErrorKind::InvalidData, error),
            HandshakeError::Io(error) => error,
        }
    }
}
