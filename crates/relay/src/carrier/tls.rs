//! Carrier `tls`: TLS 1.3 with the gateway itself, which the site's authority proves. Which names are spoken of inside stays
//! between the endpoint and the gateway.

use std::sync::Arc;

use rustls::ClientConfig;
use wicketgate_tls::{TlsStream, Transport};

use super::{BoxedCarrier, Carrier, DialError, Gateway};
pub use crate::identity::ALPN;

/// Opens a carrier over a connection to the gateway's address.
///
/// # Errors
/// Whoever answers is no gateway of the site.
pub(super) async fn open<S: Carrier + Transport + 'static>(
    gateway: &Gateway,
    tls: &Arc<ClientConfig>,
    socket: S,
) -> Result<BoxedCarrier, DialError> {
    let host = || gateway.host.clone();
    let failed = |error| DialError::Tls { host: host(), error };
    // For whatever chooses by it whom to pass the connection on to.
    let name = host().try_into().map_err(|error| failed(std::io::Error::other(error)))?;
    let stream = TlsStream::connect(socket, tls.clone(), name, None).await;
    let stream = stream.map_err(|error| failed(error.into()))?;
    if stream.alpn() != Some(ALPN) {
        return Err(DialError::NoCarrier { host: host() });
    }
    Ok(Box::new(stream))
}
