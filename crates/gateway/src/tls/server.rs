//! What a listener's handshakes are made with, kept in step with the files of client authorities.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use super::client_certificates::Loaded;
use super::config::ServerTlsConfig;

/// What a listener's handshakes are made with.
#[derive(Debug)]
pub struct TlsServer {
    tls: ServerTlsConfig,
    alpn: Vec<&'static [u8]>,
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    /// What the configuration was made of, where clients are asked for certificates.
    clients: Option<Arc<Loaded>>,
    config: Arc<ServerConfig>,
}

impl TlsServer {
    /// For connections that choose among these ALPN names.
    ///
    /// # Errors
    /// When rustls cannot be set up.
    pub fn new(tls: ServerTlsConfig, alpn: Vec<&'static [u8]>) -> Result<Self, rustls::Error> {
        let current = ArcSwap::from_pointee(Current::new(&tls, &alpn)?);
        Ok(Self { tls, alpn, current })
    }

    /// What the next handshake is made with. rustls names the authorities to clients out of a verifier that does not
    /// change, so that a new bundle takes a new configuration: the first connection after the change makes it.
    ///
    /// # Errors
    /// When rustls cannot be set up; the connection must be refused then.
    pub fn config(&self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let current = self.current.load();
        let clients = self.tls.clients.as_ref().map(|clients| clients.loaded());
        if current.clients.as_ref().map(Arc::as_ptr) == clients.as_ref().map(Arc::as_ptr) {
            return Ok(current.config.clone());
        }
        let next = Arc::new(Current::new(&self.tls, &self.alpn)?);
        self.current.store(next.clone());
        Ok(next.config.clone())
    }
}

impl Current {
    fn new(tls: &ServerTlsConfig, alpn: &[&[u8]]) -> Result<Self, rustls::Error> {
        let clients = tls.clients.as_ref().map(|clients| clients.loaded());
        let verifier = clients.as_ref().map(|loaded| loaded.verifier.clone());
        Ok(Self { config: tls.rustls(alpn, verifier)?, clients })
    }
}
