//! One thread of the load generator: an epoll loop over its share of the connections.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::connection::{Connection, KEY, Progress};
use super::payload::Payload;
use super::{Mode, Phase, Shared, Target};

const READ_AT_MOST: usize = 256 * 1024;
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Connections of one thread that are being opened at the same time where many are held.
const OPENING: usize = 25;
/// Latencies are kept in nanoseconds up to this, longer ones as this.
pub(super) const LONGEST: u64 = 60_000_000_000;

/// What the connections of one thread share.
pub(super) struct Desk {
    pub(super) payload: Arc<Payload>,
    pub(super) mode: Mode,
    pub(super) request: Vec<u8>,
    pub(super) buffer: Vec<u8>,
    pub(super) out: Vec<u8>,
    latencies: Histogram<u64>,
    recording: bool,
}

impl Desk {
    fn new(target: &Target, mode: Mode) -> Result<Self> {
        Ok(Self {
            payload: target.payload.clone(),
            mode,
            request: request(target),
            buffer: vec![0; READ_AT_MOST],
            out: Vec::new(),
            latencies: Histogram::new_with_bounds(1, LONGEST, 3)?,
            recording: false,
        })
    }

    pub(super) fn record_at(&mut self, since: Instant, now: Instant) {
        if self.recording {
            let nanoseconds = u64::try_from(now.duration_since(since).as_nanos()).unwrap_or(LONGEST);
            self.latencies.saturating_record(nanoseconds);
        }
    }
}

pub(super) struct Worker {
    poll: Poll,
    connections: Slab<Connection>,
    /// Connections to have, those already opened or ended among them.
    wanted: usize,
    opened: usize,
    settled: usize,
    desk: Desk,
}

impl Worker {
    pub(super) fn new(target: &Target, mode: Mode, wanted: usize) -> Result<Self> {
        let desk = Desk::new(target, mode)?;
        Ok(Self { poll: Poll::new()?, connections: Slab::new(), wanted, opened: 0, settled: 0, desk })
    }

    /// Runs until told to stop and gives the latencies of the measured time.
    pub(super) fn run(mut self, index: usize, target: &Target, shared: &Shared) -> Result<Histogram<u64>> {
        let mut events = Events::with_capacity(256);
        let counter = &shared.counters[index].0;
        loop {
            match shared.phase() {
                Phase::Stop => return Ok(self.desk.latencies),
                phase => self.desk.recording = phase == Phase::Measure,
            }
            self.open_more(target)?;
            match self.poll.poll(&mut events, Some(LOOK_AGAIN)) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                let token = event.token();
                let Some(connection) = self.connections.get_mut(token.0) else { continue };
                let ends = event.is_read_closed() || event.is_error();
                let Progress { messages, settled } = connection
                    .advance(&mut self.desk, ends)
                    .with_context(|| format!("after {} messages of its thread", counter.load(Relaxed)))?;
                if self.desk.mode == Mode::Sessions {
                    if settled {
                        counter.fetch_add(1, Relaxed);
                        self.connections.remove(token.0);
                    }
                } else {
                    counter.fetch_add(u64::from(messages), Relaxed);
                    if settled {
                        self.settled += 1;
                        shared.settled.fetch_add(1, Relaxed);
                    }
                }
            }
        }
    }

    fn open_more(&mut self, target: &Target) -> Result<()> {
        while self.connections.len() < self.wanted
            && (self.desk.mode == Mode::Sessions || self.opened - self.settled < OPENING)
        {
            let mut connection = Connection::open(target.address, target.tls.as_ref())?;
            let slot = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(connection.socket(), Token(slot.key()), interest)?;
            slot.insert(connection);
            self.opened += 1;
        }
        Ok(())
    }
}

fn request(target: &Target) -> Vec<u8> {
    let extension = if target.payload.is_compressed() {
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
    } else {
        ""
    };
    format!(
        "GET /echo HTTP/1.1\r\nHost: localhost:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{extension}\r\n",
        target.address.port()
    )
    .into_bytes()
}
