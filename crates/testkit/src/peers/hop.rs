//! What an intermediary is asked to do: listen here so, go on there so.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};

use crate::tls::{Authority, Identity};

/// The HTTP versions of one side of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2, with WebSockets by RFC 8441 towards an upstream; when listening, HTTP/1.1 as well.
    Http2,
}

/// The PROXY protocol header that opens each connection to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The text form.
    V1,
    /// The binary form.
    V2,
}

/// Where a hop leads.
#[derive(Debug, Clone)]
pub struct Upstream {
    pub(super) addr: SocketAddr,
    pub(super) trusted: Option<PathBuf>,
    pub(super) alpn: Alpn,
    pub(super) proxy_header: Option<ProxyHeader>,
}

/// A reverse proxy with one listener and one upstream, for HTTP and WebSocket. Plain HTTP/1.1 unless said otherwise.
#[derive(Debug, Clone)]
pub struct Hop {
    pub(super) upstream: Upstream,
    pub(super) identity: Option<Identity>,
    pub(super) alpn: Alpn,
    pub(super) workers: u16,
    pub(super) buffer_bytes: Option<u32>,
    pub(super) idle: Option<Duration>,
    pub(super) edits: Vec<(String, String)>,
}

impl Upstream {
    /// A plain HTTP/1.1 upstream.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, trusted: None, alpn: Alpn::Http1, proxy_header: None }
    }

    /// Over TLS, verified as `localhost` against this authority.
    pub fn tls(self, authority: &Authority) -> Self {
        Self { trusted: Some(authority.ca_file()), ..self }
    }

    /// Over HTTP/2, each WebSocket an extended CONNECT of RFC 8441.
    pub fn http2(self) -> Self {
        Self { alpn: Alpn::Http2, ..self }
    }

    /// With a PROXY protocol header that names the client.
    pub fn proxy_header(self, header: ProxyHeader) -> Self {
        Self { proxy_header: Some(header), ..self }
    }
}

impl Hop {
    /// A hop to this upstream: one worker, the program's own buffer sizes, a minute of silence allowed.
    pub fn to(upstream: Upstream) -> Self {
        Self {
            upstream,
            identity: None,
            alpn: Alpn::Http1,
            workers: 1,
            buffer_bytes: None,
            idle: Some(Duration::from_secs(60)),
            edits: Vec::new(),
        }
    }

    /// A hop to a plain HTTP/1.1 upstream.
    pub fn plain(addr: SocketAddr) -> Self {
        Self::to(Upstream::new(addr))
    }

    /// Listens with TLS, showing this certificate.
    pub fn tls(self, identity: &Identity) -> Self {
        Self { identity: Some(identity.clone()), ..self }
    }

    /// Takes HTTP/2 as well as HTTP/1.1 where it listens.
    pub fn http2(self) -> Self {
        Self { alpn: Alpn::Http2, ..self }
    }

    /// Worker processes or threads.
    pub fn workers(self, workers: u16) -> Self {
        Self { workers, ..self }
    }

    /// Bytes of the buffer for each direction of a connection.
    pub fn buffer_bytes(self, bytes: u32) -> Self {
        Self { buffer_bytes: Some(bytes), ..self }
    }

    /// How long a tunnel may be silent.
    pub fn idle(self, idle: Duration) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// A tunnel may be silent as long as the program lets it by default; for HAProxy, as Debian's configuration does.
    pub fn own_timeouts(self) -> Self {
        Self { idle: None, ..self }
    }

    /// With a text of the program's configuration replaced: a mistake that people make, or a feature that it has besides.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    pub(super) fn edited(&self, config: String) -> Result<String> {
        self.edits.iter().try_fold(config, |config, (from, to)| {
            ensure!(config.contains(from), "no `{from}` in {config}");
            Ok(config.replace(from, to))
        })
    }
}
