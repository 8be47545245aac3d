//! Secrets that only the two ends of a connection know (RFC 8446 section 7.5), which rustls' unbuffered connections do not export.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::tls13::{HkdfExpander, OkmBlock};
use rustls::{CommonState, Error, KeyLog, SupportedCipherSuite, Tls13CipherSuite};
use zeroize::Zeroizing;

/// Learns the exporter's secret of one connection, by the log of keys of the configuration that it is made with. No other
/// connection may be made with that.
#[derive(Default)]
pub struct Exporter(Mutex<Option<Zeroizing<Vec<u8>>>>);

impl Exporter {
    /// One for a connection that is to be made.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Fills `out` with the secret of this label and context.
    ///
    /// # Errors
    /// The connection is not established, or not by TLS 1.3.
    pub fn export(
        &self,
        state: &CommonState,
        label: &[u8],
        context: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let secret = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(secret), Some(SupportedCipherSuite::Tls13(suite))) =
            (secret, state.negotiated_cipher_suite())
        else {
            return Err(Error::HandshakeNotComplete);
        };
        let hash = |data: &[u8]| suite.common.hash_provider.hash(data);
        let empty = hash(b"");
        let mut derived = Zeroizing::new(vec![0; empty.as_ref().len()]);
        expand(suite, &secret, label, empty.as_ref(), &mut derived)?;
        expand(suite, &derived, b"exporter", hash(context).as_ref(), out)
    }
}

/// HKDF-Expand-Label of RFC 8446 section 7.1.
fn expand(
    suite: &Tls13CipherSuite,
    secret: &[u8],
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Result<(), Error> {
    const PREFIX: &[u8] = b"tls13 ";
    let too_long = |_| Error::General("too long for HKDF-Expand-Label".into());
    let length = u16::try_from(out.len()).map_err(too_long)?.to_be_bytes();
    let label_length = [u8::try_from(PREFIX.len() + label.len()).map_err(too_long)?];
    let context_length = [u8::try_from(context.len()).map_err(too_long)?];
    let info = [&length[..], &label_length, PREFIX, label, &context_length, context];
    let expander: Box<dyn HkdfExpander> = suite.hkdf_provider.expander_for_okm(&OkmBlock::new(secret));
    expander.expand_slice(&info, out).map_err(|_| Error::General("too long for HKDF".into()))
}

impl KeyLog for Exporter {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if self.will_log(label) {
            let secret = Zeroizing::new(secret.to_vec());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret);
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == "EXPORTER_SECRET"
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::large_futures)]
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::TlsStream;
    use crate::testing::{Issued, NAME};

    #[tokio::test]
    async fn both_ends_export_the_same() {
        let issued = Issued::new();
        let exporter = Exporter::new();
        let mut config = (*issued.trusting(&[])).clone();
        config.key_log = exporter.clone();
        let (near, far) = tokio::io::duplex(64 << 10);
        let mut own = [0; 32];
        let name = NAME.try_into().unwrap();
        let ours = TlsStream::connect(near, Arc::new(config), name, None);
        let (ours, theirs) = tokio::join!(ours, TlsAcceptor::from(issued.server(&[])).accept(far));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        exporter.export(ours.state(), b"EXPORTER-a", b"context", &mut own).unwrap();
        let other = theirs.get_ref().1.export_keying_material([0; 32], b"EXPORTER-a", Some(b"context"));
        assert_eq!(own, other.unwrap());
        assert_eq!(
            Exporter::new().export(ours.state(), b"EXPORTER-a", b"context", &mut own),
            Err(Error::HandshakeNotComplete)
        );
    }
}
