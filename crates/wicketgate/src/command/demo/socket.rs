//! A server's side of a WebSocket, as small as the demonstration needs it.

use std::sync::Arc;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wicketgate_wire::{
    Assembly, AssemblyError, Budget, Control, DataKind, Event, FrameLimits, Header, Opcode, Role, Rsv,
    Scanner, mask, write_control,
};

/// What one message may be: more than the gateway's routes let through, so that it is they who refuse.
const LIMITS: FrameLimits = FrameLimits { frame: 1 << 20, message: 1 << 20, fragments: 1024 };
/// Bytes that are read at once.
const READ: usize = 16 << 10;
/// Bytes that may wait for a peer that takes none.
const WAITING: usize = 4 << 20;

/// What a peer sent.
pub(super) enum Received {
    /// A message.
    Message(DataKind, Vec<u8>),
    /// A control frame: close, ping or pong.
    Control(Opcode, Vec<u8>),
}

/// One WebSocket.
pub(super) struct Socket {
    stream: TokioIo<Upgraded>,
    scanner: Scanner,
    message: Assembly,
    read: Vec<u8>,
    /// How far `read` was scanned.
    at: usize,
    out: Vec<u8>,
}

impl Socket {
    /// Over a connection that was upgraded.
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self {
            stream: TokioIo::new(upgraded),
            scanner: Scanner::new(Role::Client, Rsv::NONE),
            message: assembly(),
            read: Vec::new(),
            at: 0,
            out: Vec::new(),
        }
    }

    /// What the peer sends next; before it waits for that, it sends what was queued. `None` when the peer is gone or
    /// broke a rule. May be cancelled and called again.
    pub(super) async fn receive(&mut self) -> Option<Received> {
        loop {
            if let Some(received) = self.found().ok()? {
                return Some(received);
            }
            self.flush().await.ok()?;
            self.read.drain(..self.at);
            self.at = 0;
            self.read.reserve(READ);
            if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Queues a message. `None` when too much waits already.
    pub(super) fn queue(&mut self, kind: DataKind, payload: &[u8]) -> Option<()> {
        let opcode = match kind {
            DataKind::Text => Opcode::Text,
            DataKind::Binary => Opcode::Binary,
        };
        let header = Header { fin: true, rsv: Rsv::NONE, opcode, mask: None, length: payload.len() as u64 };
        self.out.extend_from_slice(&header.encode());
        self.out.extend_from_slice(payload);
        (self.out.len() <= WAITING).then_some(())
    }

    /// Answers a control frame. `None` when that was the end.
    pub(super) async fn answer(&mut self, opcode: Opcode, body: &[u8]) -> Option<()> {
        match opcode {
            Opcode::Ping => write_control(Opcode::Pong, None, body, &mut self.out),
            Opcode::Close => {
                write_control(Opcode::Close, None, body, &mut self.out);
                self.flush().await.ok()?;
                return None;
            }
            _ => {}
        }
        (self.out.len() <= WAITING).then_some(())
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        while !self.out.is_empty() {
            let written = self.stream.write(&self.out).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.out.drain(..written);
        }
        self.stream.flush().await
    }

    /// The next message or control frame that was read whole.
    fn found(&mut self) -> Result<Option<Received>, AssemblyError> {
        while let Some(event) = self.scanner.next(&LIMITS, &self.read, &mut self.at)? {
            match event {
                Event::Data(piece) => {
                    self.message.push(&piece, &self.read)?;
                    if piece.ends_message {
                        let message = std::mem::replace(&mut self.message, assembly());
                        return Ok(Some(Received::Message(piece.kind, message.payload().to_vec())));
                    }
                }
                Event::Control(Control { opcode, payload, mask: key, .. }) => {
                    let mut body = Vec::new();
                    mask::append(&self.read[payload], &mut body, key.unwrap_or_default(), 0);
                    return Ok(Some(Received::Control(opcode, body)));
                }
            }
        }
        Ok(None)
    }
}

/// A message and its frames, twice over while they grow.
fn assembly() -> Assembly {
    Assembly::new(Arc::new(Budget::new(8 << 20)))
}
