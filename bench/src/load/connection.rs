//! One connection of the load generator: connect, upgrade, echo, and close where the cell asks for it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mio::net::TcpStream;
use rustls::ClientConfig;

use super::Mode;
use super::receiver::{Receiver, Taken};
use super::transport::{Received, Transport};
use super::worker::Desk;
use crate::frame;

/// The example key of RFC 6455, section 1.3, and its answer.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const LONGEST_ANSWER: usize = 16 * 1024;
/// Frames are built up to about this many bytes for one write.
const WRITE_ABOUT: usize = 128 * 1024;
const CLOSE_MASK: [u8; 4] = [0x21, 0x42, 0x63, 0x84];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Upgrading,
    Open,
    Closing,
    Closed,
}

/// What one turn brought.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) messages: u32,
    /// The session did all it does once: it counts as open, or as ended in a cell of sessions.
    pub(super) settled: bool,
}

pub(super) struct Connection {
    transport: Transport,
    phase: Phase,
    started: Instant,
    answer: Vec<u8>,
    receiver: Receiver,
    /// When each message in flight was sent.
    sent: VecDeque<Instant>,
    sequence: u32,
    /// Messages that may be sent now.
    credit: u32,
    unwritten: Vec<u8>,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        Ok(Self {
            transport: Transport::connect(address, tls)?,
            phase: Phase::Connecting,
            started: Instant::now(),
            answer: Vec::new(),
            receiver: Receiver::default(),
            sent: VecDeque::new(),
            sequence: 0,
            credit: 0,
            unwritten: Vec::new(),
        })
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        self.transport.socket()
    }

    /// Does all that the socket allows.
    pub(super) fn advance(&mut self, desk: &mut Desk, ends: bool) -> Result<Progress> {
        let mut progress = Progress::default();
        if self.phase == Phase::Connecting {
            if !self.transport.is_connected()? {
                return Ok(progress);
            }
            self.phase = Phase::Upgrading;
            self.queue(&desk.request)?;
        }
        self.write_rest()?;
        let received = self.receive(desk, ends, &mut progress)?;
        if self.phase == Phase::Closed {
            return Ok(progress);
        }
        ensure!(received != Received::End, "the proxy ended the connection");
        self.send_messages(desk)?;
        // What TLS has to say by itself: the handshake's answers.
        self.transport.flush()?;
        Ok(progress)
    }

    fn receive(&mut self, desk: &mut Desk, ends: bool, progress: &mut Progress) -> Result<Received> {
        let mut taken = Taken::default();
        let (phase, answer, receiver) = (&mut self.phase, &mut self.answer, &mut self.receiver);
        let payload = &desk.payload;
        let opened = *phase == Phase::Upgrading;
        let received = self.transport.receive(&mut desk.buffer, ends, |bytes| {
            if *phase != Phase::Upgrading {
                return receiver.take(bytes, payload, &mut taken);
            }
            answer.extend_from_slice(bytes);
            let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
                ensure!(answer.len() <= LONGEST_ANSWER, "the answer to the upgrade has no end");
                return Ok(());
            };
            let rest = answer.split_off(end + 4);
            check_answer(answer, payload.is_compressed())?;
            *phase = Phase::Open;
            receiver.take(&rest, payload, &mut taken)
        })?;
        if opened && self.phase == Phase::Open {
            self.answer = Vec::new();
            self.credit = desk.mode.first_messages();
            progress.settled = matches!(desk.mode, Mode::Steady { .. });
        }
        for ping in &taken.pings {
            self.queue_control(frame::PONG, ping)?;
        }
        if taken.messages > 0 {
            self.settle(taken.messages, desk, progress)?;
        }
        if taken.closed {
            // The close handshake is done. Which side then ends TCP first differs among proxies, and some
            // linger for a second, so the client does.
            ensure!(self.phase == Phase::Closing, "the proxy closed the session");
            self.phase = Phase::Closed;
            desk.record_at(self.started, Instant::now());
            progress.settled = true;
            // The proxy may have hung up already.
            self.transport.end().ok();
        }
        Ok(received)
    }

    fn settle(&mut self, count: u32, desk: &mut Desk, progress: &mut Progress) -> Result<()> {
        let now = Instant::now();
        progress.messages = count;
        for _ in 0..count {
            let sent = self.sent.pop_front().context("a message came that was never sent")?;
            if !matches!(desk.mode, Mode::Sessions) {
                desk.record_at(sent, now);
            }
        }
        match desk.mode {
            Mode::Steady { .. } => self.credit += count,
            Mode::Hold => progress.settled = true,
            Mode::Sessions => {
                self.phase = Phase::Closing;
                self.queue_control(frame::CLOSE, &1000u16.to_be_bytes())?;
            }
        }
        Ok(())
    }

    fn send_messages(&mut self, desk: &mut Desk) -> Result<()> {
        while self.credit > 0 && self.unwritten.is_empty() {
            let now = Instant::now();
            let mut out = std::mem::take(&mut desk.out);
            out.clear();
            while self.credit > 0 && out.len() < WRITE_ABOUT {
                desk.payload.put(self.sequence, &mut out);
                self.sent.push_back(now);
                self.sequence = self.sequence.wrapping_add(1);
                self.credit -= 1;
            }
            let queued = self.queue(&out);
            desk.out = out;
            queued?;
        }
        Ok(())
    }

    fn queue_control(&mut self, opcode: u8, body: &[u8]) -> Result<()> {
        let mut out = Vec::new();
        frame::put(&mut out, frame::FIN | opcode, body.len(), Some(CLOSE_MASK));
        let start = out.len();
        out.extend_from_slice(body);
        frame::apply_mask(&mut out[start..], CLOSE_MASK, 0);
        self.queue(&out)
    }

    fn queue(&mut self, bytes: &[u8]) -> Result<()> {
        let mut written = 0;
        while self.unwritten.is_empty() && written < bytes.len() {
            match self.transport.send(&bytes[written..])? {
                0 => break,
                count => written += count,
            }
        }
        self.unwritten.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    fn write_rest(&mut self) -> Result<()> {
        self.transport.flush()?;
        while !self.unwritten.is_empty() {
            match self.transport.send(&self.unwritten)? {
                0 => break,
                count => drop(self.unwritten.drain(..count)),
            }
        }
        Ok(())
    }
}

fn check_answer(answer: &[u8], compressed: bool) -> Result<()> {
    let text = String::from_utf8_lossy(answer);
    ensure!(
        text.starts_with("HTTP/1.1 101 "),
        "the upgrade was refused: {}",
        text.lines().next().unwrap_or("")
    );
    ensure!(text.contains(ACCEPT), "the upgrade's answer has the wrong Sec-WebSocket-Accept");
    ensure!(
        text.to_ascii_lowercase().contains("permessage-deflate") == compressed,
        "permessage-deflate was {}",
        if compressed { "not granted" } else { "granted unasked" }
    );
    Ok(())
}
