//! A WebSocket echo server: quick enough to stand behind a benchmark, strict enough to stand behind Autobahn's cases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    frame::{Frame, Header, apply_mask, opcode},
    head::{Head, accept_key},
    io::{Accepted, Io, Listener, Place},
};

/// Bytes read at once; also the size of a session's buffers.
const READ: usize = 64 * 1024;
/// Time for a TLS handshake and a request head.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// Time for sessions to end when the server is stopped.
const STOP: Duration = Duration::from_secs(5);

/// What is sent back for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// Each frame as it comes, each piece of a long one as it comes: any number of fragments in little memory.
    #[default]
    Frames,
    /// The whole message in one frame, up to 64 MiB.
    Messages,
}

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

/// A running echo server. Dropping it ends it and all its sessions.
#[derive(Debug)]
pub struct EchoBackend {
    place: Place,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: EchoSettings,
    stop: CancellationToken,
    tasks: TaskTracker,
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
        let asked = settings.listen.clone().unwrap_or_else(|| Place::Tcp(([127, 0, 0, 1], 0).into()));
        let listener = Listener::bind(&asked).with_context(|| format!("cannot listen on {asked:?}"))?;
        let place = listener.place(&asked)?;
        let shared = Arc::new(Shared {
            settings,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            open: AtomicUsize::new(0),
            upgraded: AtomicU64::new(0),
        });
        shared.tasks.spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { place, shared })
    }

    /// Where it listens.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its TCP address. Fails if it listens on a Unix socket.
    pub fn addr(&self) -> Result<std::net::SocketAddr> {
        match &self.place {
            Place::Tcp(addr) => Ok(*addr),
            Place::Unix(path) => anyhow::bail!("it listens on {}", path.display()),
        }
    }

    /// WebSocket sessions that are open now.
    pub fn open_sessions(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// WebSocket sessions there have been.
    pub fn sessions(&self) -> u64 {
        self.shared.upgraded.load(Ordering::Relaxed)
    }

    /// Ends all sessions and waits for that.
    pub async fn stop(self) -> Result<()> {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        timeout(STOP, self.shared.tasks.wait()).await.context("sessions of the echo server do not end")
    }
}

impl Drop for EchoBackend {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

async fn accept(listener: Listener, shared: Arc<Shared>) {
    while let Some(Ok(stream)) = shared.stop.run_until_cancelled(listener.accept()).await {
        let session = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            let stop = session.stop.clone();
            // How a peer leaves is the tests' affair; here an error only ends the session.
            stop.run_until_cancelled(serve(stream, &session)).await.map(Result::ok);
        });
    }
}

async fn serve(stream: Accepted, shared: &Shared) -> Result<()> {
    let mut buffer = Vec::with_capacity(READ);
    let opening = async {
        let mut stream = stream.secure(shared.settings.tls.clone()).await?;
        let head = Head::read(&mut stream, &mut buffer).await?;
        anyhow::Ok((stream, head))
    };
    let (mut stream, head) = timeout(HANDSHAKE, opening).await??;
    let Some(head) = head else { return Ok(()) };
    if !head.is_upgrade() {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\necho\n").await?;
        return Ok(stream.shutdown().await?);
    }
    stream.write_all(answer(&head, &shared.settings)?.as_bytes()).await?;
    shared.upgraded.fetch_add(1, Ordering::Relaxed);
    let _open = Open::count(&shared.open);
    let mut session = Session::new(shared.settings.echo, buffer);
    session.run(&mut stream).await
}

/// The 101 for this request.
fn answer(head: &Head, settings: &EchoSettings) -> Result<String> {
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
    // An offer with a parameter is one that this server could not keep: its echo has the client's own window.
    let plain_deflate = |offer: &str| {
        let mut words = offer.split(';').map(str::trim);
        words.next() == Some("permessage-deflate")
            && words.all(|word| {
                matches!(
                    word,
                    "client_max_window_bits" | "client_no_context_takeover" | "server_no_context_takeover"
                )
            })
    };
    if settings.deflate && head.all("sec-websocket-extensions").join(",").split(',').any(plain_deflate) {
        text.push_str("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n");
    }
    text.push_str("\r\n");
    Ok(text)
}

/// Counts an open session as long as it lives.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn count(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One session: bytes in, bytes out. An error is a peer that broke the protocol.
struct Session {
    echo: Echo,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The frame whose payload is being passed on, with what is left of it.
    current: Option<(Header, u64)>,
    /// A message that still lacks frames, and what of it was collected if whole messages are echoed.
    message: Option<Header>,
    collected: Vec<u8>,
    closing: bool,
}

/// Longest message that is echoed whole.
const LONGEST_MESSAGE: u64 = 64 << 20;

impl Session {
    fn new(echo: Echo, input: Vec<u8>) -> Self {
        Self {
            echo,
            input,
            output: Vec::new(),
            current: None,
            message: None,
            collected: Vec::new(),
            closing: false,
        }
    }

    async fn run(&mut self, stream: &mut dyn Io) -> Result<()> {
        loop {
            let outcome = self.take();
            if outcome.is_err() {
                self.output.extend_from_slice(&Frame::close(1002, "").bytes());
            }
            stream.write_all(&self.output).await?;
            self.output.clear();
            if self.closing || outcome.is_err() {
                return Ok(stream.shutdown().await?);
            }
            self.input.reserve(READ);
            if stream.read_buf(&mut self.input).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Answers all of the input that can be answered.
    fn take(&mut self) -> Result<()> {
        let mut input = std::mem::take(&mut self.input);
        let mut at = 0;
        while !self.closing {
            if let Some((header, left)) = self.current {
                let piece = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                self.payload(&header, left, &mut input[at..at + piece]);
                at += piece;
                if piece as u64 != left {
                    self.current = Some((header, left - piece as u64));
                    break;
                }
                self.current = None;
                self.frame_ended(&header);
                continue;
            }
            let Some((header, length)) = Header::parse(&input[at..]) else { break };
            self.check(&header)?;
            if header.opcode >= opcode::CLOSE {
                let Some((frame, length)) = Frame::parse(&input[at..]) else { break };
                self.control(frame);
                at += length;
            } else {
                at += length;
                self.frame_begins(&header);
            }
        }
        input.drain(..at);
        self.input = input;
        Ok(())
    }

    fn check(&self, header: &Header) -> Result<()> {
        ensure!(header.mask.is_some(), "a client's frame without a mask");
        match header.opcode {
            opcode::CONTINUATION => ensure!(self.message.is_some(), "a continuation of nothing"),
            opcode::TEXT | opcode::BINARY => ensure!(self.message.is_none(), "a message inside a message"),
            opcode::CLOSE | opcode::PING | opcode::PONG => {
                ensure!(header.fin && header.length <= 125, "a long control frame")
            }
            _ => anyhow::bail!("an unknown opcode"),
        }
        if self.echo == Echo::Messages {
            ensure!(
                header.length.saturating_add(self.collected.len() as u64) <= LONGEST_MESSAGE,
                "too long a message"
            );
        }
        Ok(())
    }

    fn frame_begins(&mut self, header: &Header) {
        self.current = Some((*header, header.length));
        let first = *self.message.get_or_insert(*header);
        if self.echo == Echo::Frames {
            Header { mask: None, ..*header }.write(&mut self.output);
        } else if first.fin {
            // A message of one frame needs no collecting: its length is known.
            Header { mask: None, ..first }.write(&mut self.output);
        }
    }

    fn payload(&mut self, header: &Header, left: u64, piece: &mut [u8]) {
        if let Some(key) = header.mask {
            apply_mask(piece, key, usize::try_from((header.length - left) % 4).unwrap_or(0));
        }
        let collect = self.echo == Echo::Messages && self.message.is_some_and(|first| !first.fin);
        if collect { &mut self.collected } else { &mut self.output }.extend_from_slice(piece);
    }

    fn frame_ended(&mut self, header: &Header) {
        if !header.fin {
            return;
        }
        let Some(first) = self.message.take() else { return };
        if self.echo == Echo::Messages && !first.fin {
            let length = self.collected.len() as u64;
            Header { fin: true, mask: None, length, ..first }.write(&mut self.output);
            self.output.append(&mut self.collected);
        }
    }

    fn control(&mut self, frame: Frame) {
        let opcode = match frame.opcode {
            opcode::PING => opcode::PONG,
            opcode::CLOSE => opcode::CLOSE,
            _ => return,
        };
        self.closing = opcode == opcode::CLOSE;
        self.output.extend_from_slice(&Frame::new(opcode, frame.payload).bytes());
    }
}
