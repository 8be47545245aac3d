//! What handshakes of carrier `tls` are answered with.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use wicketgate_relay::carrier::tls::ALPN;

/// A listener's certificates, and before them the one that proves this gateway to agents and clients.
#[derive(Debug)]
pub(super) struct WithRelay {
    pub(super) certificates: Arc<dyn ResolvesServerCert>,
    pub(super) relay: Arc<CertifiedKey>,
}

impl ResolvesServerCert for WithRelay {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Who can speak something else too is no endpoint.
        let names: Vec<&[u8]> = hello.alpn().into_iter().flatten().take(2).collect();
        match names == [ALPN] {
            true => Some(self.relay.clone()),
            false => self.certificates.resolve(hello),
        }
    }
}
