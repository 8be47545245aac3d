//! What chains lead to: a source, a sink and an echo, on a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

/// What is read and written at once.
const PIECE: usize = 256 << 10;
/// The stream repeats after so many bytes: no multiple of any record's length, so that a byte lost or repeated is seen.
const PERIOD: usize = 65_521;

/// What a connection asks for, by its first byte.
pub(super) const DOWN: u8 = b'd';
pub(super) const UP: u8 = b'u';
pub(super) const ECHO: u8 = b'e';

/// The service. It lasts as long as the process.
pub(super) struct Service {
    addr: SocketAddr,
    /// Bytes that sinks have taken, each of them as it was sent.
    taken: Arc<AtomicU64>,
}

impl Service {
    pub(super) fn start() -> Result<Self> {
        Self::start_at(Ipv4Addr::LOCALHOST)
    }

    pub(super) fn start_at(addr: Ipv4Addr) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = std::net::TcpListener::bind((addr, 0))?;
        listener.set_nonblocking(true)?;
        let (addr, taken) = (listener.local_addr()?, Arc::<AtomicU64>::default());
        let counts = taken.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((socket, _)) = listener.accept().await {
                    let counts = counts.clone();
                    tokio::spawn(async move {
                        // Where the other side goes away the turn is over.
                        if let Err(error) = serve(socket, &counts).await
                            && error.to_string().contains("byte")
                        {
                            eprintln!("service: {error}");
                        }
                    });
                }
            });
        });
        Ok(Self { addr, taken })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

async fn serve(mut socket: TcpStream, taken: &AtomicU64) -> Result<()> {
    socket.set_nodelay(true)?;
    match socket.read_u8().await? {
        DOWN => {
            let mut pattern = Pattern::default();
            loop {
                let written = socket.write(pattern.next()).await?;
                pattern.advance(written);
            }
        }
        UP => {
            let (mut pattern, mut piece) = (Pattern::default(), vec![0; PIECE]);
            loop {
                let read = socket.read(&mut piece).await?;
                if read == 0 {
                    return Ok(());
                }
                pattern.check(&piece[..read])?;
                taken.fetch_add(read as u64, Ordering::Relaxed);
            }
        }
        _ => loop {
            let mut piece = [0; 4096];
            match socket.read(&mut piece).await? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                read => socket.write_all(&piece[..read]).await?,
            }
        },
    }
}

/// The bytes of a stream, wherever it stands.
pub(super) struct Pattern {
    bytes: Vec<u8>,
    at: usize,
}

impl Default for Pattern {
    fn default() -> Self {
        let mut state = 0x9e37_79b9_u32;
        let once: Vec<u8> = (0..PERIOD)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_be_bytes()[0]
            })
            .collect();
        Self { bytes: once.iter().copied().cycle().take(PERIOD + PIECE).collect(), at: 0 }
    }
}

impl Pattern {
    /// What comes next.
    pub(super) fn next(&self) -> &[u8] {
        &self.bytes[self.at..][..PIECE]
    }

    pub(super) fn advance(&mut self, length: usize) {
        self.at = (self.at + length) % PERIOD;
    }

    /// Takes in what came: at most a piece.
    pub(super) fn check(&mut self, piece: &[u8]) -> Result<()> {
        ensure!(self.next().starts_with(piece), "a byte was lost, repeated or altered");
        self.advance(piece.len());
        Ok(())
    }
}
