//! The bounds of a session.

use std::time::Duration;

/// What a session may hold and how long it waits. The memory of one session is at most `replay` and `window` and four
/// segments of 64 KiB, and is taken only as bytes come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes sent and not yet acknowledged; 8 MiB.
    pub replay: u32,
    /// Bytes written and not yet sent on an attached carrier: beyond them nothing is taken, so that what is written next goes soon;
    /// 256 KiB, and no more than a quarter of what may be under way.
    pub ahead: u32,
    /// Bytes received and not yet read, which is what the peer may send ahead; 8 MiB.
    pub window: u32,
    /// Bytes of one DATA record made here; at most `record`; 64 KiB, so that over TLS its header is the fifth record, not every second.
    pub chunk: u32,
    /// Bytes of one DATA record accepted. Costs no memory: bytes are passed on as they come; 1 MiB.
    pub record: u32,
    /// Bytes after which the peer gets an ACK at the latest; at most a quarter of `window`; 256 KiB.
    pub ack_every: u32,
    /// Time after which it gets one at the latest; 5 ms, so that the other end sends evenly.
    pub ack_delay: Duration,
    /// Time from one PING to the next; 20 s.
    pub ping_interval: Duration,
    /// How far that time varies to both sides, in percent, at most 90; 20.
    pub ping_jitter: u8,
    /// Time in which something has to come after a PING; 10 s.
    pub pong_timeout: Duration,
    /// PINGs in a row with nothing after them that make a carrier dead; 2.
    pub missed_pongs: u8,
    /// Time that a session lives without a carrier; 10 min.
    pub grace: Duration,
    /// Time in which a carrier that was offered while another is attached has to take its place; 30 s.
    pub attach_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            replay: 8 << 20,
            ahead: 256 << 10,
            window: 8 << 20,
            chunk: 64 << 10,
            record: 1 << 20,
            ack_every: 256 << 10,
            ack_delay: Duration::from_millis(5),
            ping_interval: Duration::from_secs(20),
            ping_jitter: 20,
            pong_timeout: Duration::from_secs(10),
            missed_pongs: 2,
            grace: Duration::from_secs(600),
            attach_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The same with what would stand still made to move: 0 is taken for 1, and parts are no larger than the whole.
    pub(super) fn workable(mut self) -> Self {
        self.replay = self.replay.max(1);
        self.ahead = self.ahead.max(1);
        self.window = self.window.max(1);
        self.record = self.record.max(1);
        self.chunk = self.chunk.clamp(1, self.record);
        self.ack_every = self.ack_every.min(self.window / 4).max(1);
        self.ping_jitter = self.ping_jitter.min(90);
        self.missed_pongs = self.missed_pongs.max(1);
        self
    }
}
