//! Packet captures of plain traffic: packets (`file`, `link`) become streams of bytes (`stream`), those of connections whose
//! client asked for a WebSocket become messages (`connection`, `messages`), by the gateway's own decoder of frames.
//!
//! Everything is bounded, and what could not be read is counted.

mod connection;
mod file;
mod link;
mod messages;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use self::connection::Connection;
use self::link::Segment;
use crate::capture::{Bounds, Capture};
use crate::line::Line;

/// Connections that are followed at once.
const MAX_CONNECTIONS: usize = 10_000;

/// What a packet capture holds.
#[derive(Debug, Default)]
pub struct Traffic {
    /// The messages.
    pub capture: Capture,
    /// What could not be read, by why.
    pub told: Told,
}

/// What could not be read, by why, and how often.
pub type Told = BTreeMap<&'static str, u64>;

/// It is no packet capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no pcap or pcapng file")]
pub struct NoCapture;

/// Whether a file that begins so is a packet capture.
pub fn is_pcap(beginning: &[u8]) -> bool {
    const MAGIC: [[u8; 4]; 5] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
        [0x0a, 0x0d, 0x0d, 0x0a],
    ];
    MAGIC.iter().any(|magic| beginning.starts_with(magic))
}

/// Reads the WebSocket messages of a packet capture.
///
/// # Errors
/// A file that is none.
pub fn read(data: &[u8], bounds: Bounds) -> Result<Traffic, NoCapture> {
    let mut reader = Reader::new(bounds);
    file::packets(data, &mut |packet| reader.packet(&packet))?;
    Ok(reader.finish())
}

struct Reader {
    bounds: Bounds,
    bytes: u64,
    sessions: u64,
    connections: HashMap<(SocketAddr, SocketAddr), Connection>,
    traffic: Traffic,
}

/// A packet as it was captured.
pub(super) struct Packet<'a> {
    pub(super) link: i32,
    pub(super) time: Option<Duration>,
    pub(super) data: &'a [u8],
}

/// Why a part of the capture is left out.
pub(super) fn tell(told: &mut Told, why: &'static str) {
    *told.entry(why).or_insert(0) += 1;
}

impl Reader {
    fn new(bounds: Bounds) -> Self {
        let (connections, traffic) = (HashMap::new(), Traffic::default());
        Self { bounds, bytes: 0, sessions: 0, connections, traffic }
    }

    /// Takes a packet; false where enough was read, or nothing more can be.
    fn packet(&mut self, packet: &Result<Packet<'_>, &'static str>) -> bool {
        let segment = match packet.as_ref().map_err(|why| *why).and_then(link::segment) {
            Ok(Some(segment)) => segment,
            Ok(None) => return true,
            Err(why) => {
                tell(&mut self.traffic.told, why);
                return true;
            }
        };
        self.segment(&segment, packet.as_ref().ok().and_then(|packet| packet.time));
        !self.traffic.capture.is_cut
    }

    fn segment(&mut self, segment: &Segment<'_>, time: Option<Duration>) {
        let key = (segment.from.min(segment.to), segment.from.max(segment.to));
        if segment.syn && !segment.ack {
            // The ports are used again.
            if self.connections.get(&key).is_some_and(|connection| !connection.is_new()) {
                self.end(key);
            }
        }
        if !self.connections.contains_key(&key) {
            if segment.payload.is_empty() && !segment.syn {
                return;
            }
            if self.connections.len() >= MAX_CONNECTIONS {
                return tell(&mut self.traffic.told, "segments of more connections than are followed");
            }
            self.sessions += 1;
            self.connections.insert(key, Connection::new(self.sessions));
        }
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let mut lines = Vec::new();
        connection.segment(segment, time, &mut lines);
        if connection.is_over() {
            self.end(key);
        }
        lines.into_iter().for_each(|line| self.line(line));
    }

    fn line(&mut self, line: Line) {
        let capture = &mut self.traffic.capture;
        self.bytes += line.payload.len() as u64;
        if capture.lines.len() >= self.bounds.messages || self.bytes > self.bounds.bytes {
            capture.is_cut = true;
            return;
        }
        capture.lines.push(line);
    }

    fn end(&mut self, key: (SocketAddr, SocketAddr)) {
        if let Some(why) = self.connections.remove(&key).and_then(|connection| connection.fault()) {
            tell(&mut self.traffic.told, why);
        }
    }

    fn finish(mut self) -> Traffic {
        let keys: Vec<_> = self.connections.keys().copied().collect();
        keys.into_iter().for_each(|key| self.end(key));
        self.traffic
    }
}
