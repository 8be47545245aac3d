//! A WebSocket echo server: quick enough to stand behind a benchmark, strict enough to stand behind Autobahn's cases.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    head::{Head, accept_key},
    io::{Accepted, Place},
    server::Server,
    session::{Echo, Session},
};

/// Room for one read, and so about what an active session holds.
const READ: usize = 64 * 1024;
/// Time for a TLS handshake and a request head.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// How an echo server behaves.
#[derive(Debug, Clone, Default)]
pub struct EchoSettings {
    /// Frames or whole messages.
    pub echo: Echo,
    /// Where to listen; a free port of 127.0.0.1 if not said.
    pub listen: Option<Place>,
    /// Speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// Subprotocols it knows; the client's first that is among them is chosen.
    pub subprotocols: Vec<String>,
    /// Grants permessage-deflate, without context takeover on both sides, and sends compressed messages back as they came.
    pub deflate: bool,
}

/// A running echo server. Dropping it ends it and all its sessions. Plain HTTP requests get `200` and `echo`.
#[derive(Debug)]
pub struct EchoBackend {
    server: Server,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    upgraded: AtomicU64,
}

impl EchoBackend {
    /// A plain one that echoes frames, on a free port of 127.0.0.1.
    pub async fn start() -> Result<Self> {
        Self::with(EchoSettings::default()).await
    }

    /// One with these settings. It runs on the runtime this is called on.
    pub async fn with(settings: EchoSettings) -> Result<Self> {
        let counts = Arc::new(Counts::default());
        let (shared, listen) = (Arc::clone(&counts), settings.listen.clone());
        let settings = Arc::new(settings);
        let server = Server::start(listen, move |stream| {
            let (settings, counts) = (Arc::clone(&settings), Arc::clone(&shared));
            // How a client leaves is the tests' affair; here an error only ends its session.
            async move { serve(stream, &settings, &counts).await.unwrap_or_default() }
        })?;
        Ok(Self { server, counts })
    }

    /// Where it listens.
    pub fn place(&self) -> &Place {
        self.server.place()
    }

    /// Its TCP address. Fails if it listens on a Unix socket.
    pub fn addr(&self) -> Result<SocketAddr> {
        self.server.addr()
    }

    /// WebSocket sessions that are open now.
    pub fn open_sessions(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// WebSocket sessions there have been.
    pub fn sessions(&self) -> u64 {
        self.counts.upgraded.load(Ordering::Relaxed)
    }

    /// Ends all sessions and waits for that.
    pub async fn stop(self) -> Result<()> {
        self.server.stop().await
    }
}

async fn serve(stream: Accepted, settings: &EchoSettings, counts: &Counts) -> Result<()> {
    let mut buffer = Vec::new();
    let opening = async {
        let mut stream = stream.secure(settings.tls.clone()).await?;
        let head = Head::read(&mut stream, &mut buffer).await?;
        anyhow::Ok((stream, head))
    };
    let (mut stream, head) = timeout(HANDSHAKE, opening).await??;
    let Some(head) = head else { return Ok(()) };
    if !head.is_upgrade() {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\necho\n").await?;
        return Ok(stream.shutdown().await?);
    }
    stream.write_all(granting(&head, settings)?.as_bytes()).await?;
    stream.flush().await?;
    let _open = Open::count(counts);
    let mut session = Session::new(settings.echo, buffer);
    loop {
        let goes_on = session.answer();
        stream.write_all(&session.output).await?;
        stream.flush().await?;
        if !goes_on {
            return Ok(stream.shutdown().await?);
        }
        session.output.clear();
        session.input.reserve(READ);
        if stream.read_buf(&mut session.input).await? == 0 {
            return Ok(());
        }
    }
}

/// The 101 for this request.
fn granting(head: &Head, settings: &EchoSettings) -> Result<String> {
    let key = head.field("sec-websocket-key").context("no key")?;
    let mut text = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n",
        accept_key(&key)
    );
    let offered = head.all("sec-websocket-protocol").join(",");
    if let Some(chosen) =
        offered.split(',').map(str::trim).find(|one| settings.subprotocols.iter().any(|s| s == one))
    {
        text.push_str(&format!("Sec-WebSocket-Protocol: {chosen}\r\n"));
    }
    let offers = head.all("sec-websocket-extensions").join(",");
    if settings.deflate
        && let Some(granted) = offers.split(',').find_map(grant_deflate)
    {
        text.push_str(&format!("Sec-WebSocket-Extensions: {granted}\r\n"));
    }
    text.push_str("\r\n");
    Ok(text)
}

/// The answer to an offer that a server can keep whose messages are the client's own compressed bytes: what limits the
/// server's window has to limit the client's (RFC 7692 section 7.1.2).
fn grant_deflate(offer: &str) -> Option<String> {
    let mut words = offer.split(';').map(str::trim);
    let mut granted = words
        .next()
        .filter(|name| *name == "permessage-deflate")
        .map(|name| format!("{name}; server_no_context_takeover; client_no_context_takeover"))?;
    let (mut server, mut client) = (None, None);
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("client_no_context_takeover" | "server_no_context_takeover", "") => {}
            ("server_max_window_bits", bits) => server = Some(bits.parse::<u8>().ok()?),
            ("client_max_window_bits", "") => client = Some(15),
            ("client_max_window_bits", bits) => client = Some(bits.parse::<u8>().ok()?),
            _ => return None,
        }
    }
    if let Some(server) = server {
        let bits = client?.min(server);
        granted.push_str(&format!("; server_max_window_bits={server}; client_max_window_bits={bits}"));
    }
    Some(granted)
}

/// Counts an open session as long as it lives.
struct Open<'a>(&'a Counts);

impl<'a> Open<'a> {
    fn count(counts: &'a Counts) -> Self {
        counts.upgraded.fetch_add(1, Ordering::Relaxed);
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
