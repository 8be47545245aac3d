//! Nonblocking TCP or TLS under a connection of the load generator.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};

const TLS_BUFFER: usize = 256 * 1024;

/// The one client that every proxy meets: TLS 1.3, one cipher suite, one key exchange, no resumption,
/// so that no proxy has less to compute than another.
pub(crate) fn client(root: CertificateDer<'static>, post_quantum: bool) -> Result<Arc<ClientConfig>> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = if post_quantum { vec![kx_group::X25519MLKEM768] } else { vec![kx_group::X25519] };
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// How a read ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// The socket has no more for now.
    Drained,
    /// The peer has ended its side.
    End,
}

pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Transport {
    pub(super) fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        let tls = tls.map(|config| -> Result<_> {
            let name = ServerName::try_from("localhost")?;
            let mut session = ClientConnection::new(config.clone(), name)?;
            session.set_buffer_limit(Some(TLS_BUFFER));
            Ok(Box::new(session))
        });
        Ok(Self { stream, tls: tls.transpose()? })
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether the TCP connection stands; an error if it was refused.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes as many of `bytes` as the socket and TLS's bounded buffer have room for.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return unless_blocked(self.stream.write(bytes)) };
        let count = tls.writer().write(bytes)?;
        self.flush()?;
        Ok(count)
    }

    /// Writes out what TLS holds; tells whether all of it went.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        while tls.wants_write() {
            if unless_blocked(tls.write_tls(&mut self.stream))? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Says goodbye where TLS wants it; the socket itself ends when this value is dropped.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.flush().map(drop)
    }

    /// Reads until the socket is empty and gives what came to `take`, without copying it.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        ends: bool,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Received> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Ok(Received::End),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Drained),
                Err(error) => return Err(error.into()),
            };
            match &mut self.tls {
                None => take(&buffer[..count])?,
                Some(tls) => decrypt(tls, &buffer[..count], &mut take)?,
            }
            // A short read emptied the socket: epoll(7) reports the next byte as a new edge.
            if count < buffer.len() && !ends {
                return Ok(Received::Drained);
            }
        }
    }
}

fn decrypt(
    tls: &mut ClientConnection,
    mut bytes: &[u8],
    take: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        tls.process_new_packets()?;
        loop {
            let mut reader = tls.reader();
            let piece = match reader.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            if piece.is_empty() {
                return Ok(());
            }
            take(piece)?;
            let count = piece.len();
            reader.consume(count);
        }
    }
    Ok(())
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
