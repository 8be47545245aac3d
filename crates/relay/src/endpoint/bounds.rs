//! What a session of an endpoint may hold, and how long it waits.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_config::{At, Problems, Size, Time};

use crate::carrier::keepalive::Keepalive;
use crate::session::Limits;

/// Bounds of each session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSession {
    /// Bytes that it holds each way at most: those that the other end has not acknowledged, and those that have come and were not
    /// taken. Taken as bytes come. A line that is full carries no more than this in a round trip. 64KiB to 256MiB.
    pub buffer: At<Size>,
    /// Bytes of the first that wait to be sent at most while a connection takes some, and so stand before what comes next. Fewer wait
    /// where the line carries little. 4KiB to 8MiB.
    pub ahead: At<Size>,
    /// Bytes that all of its streams may hold at this end, of which whoever they lead to takes none. 32MiB to 1GiB.
    pub unread: At<Size>,
    /// How long it lives without any connection, 1s to 10m. After ten minutes gateways carry it no more.
    pub grace: At<Time>,
    /// How long the other end may take to prove who it is, 1s to 5m.
    pub handshake_timeout: At<Time>,
    /// How long whoever came may take to say which service it is for: a stream at an agent, a SOCKS client at a client. 1s to 5m.
    pub ask_timeout: At<Time>,
}

impl Default for RawSession {
    fn default() -> Self {
        let (size, time) = (|bytes| At::nowhere(Size(bytes)), |seconds| At::nowhere(Time::secs(seconds)));
        Self {
            buffer: size(8 << 20),
            ahead: size(256 << 10),
            unread: size(64 << 20),
            grace: time(600),
            handshake_timeout: time(60),
            ask_timeout: time(30),
        }
    }
}

/// Bounds of each session, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    buffer: u32,
    ahead: u32,
    grace: Duration,
    /// Bytes of all streams that nobody has taken.
    pub unread: usize,
    /// How long the other end may take to prove who it is.
    pub handshake_timeout: Duration,
    /// How long whoever came may take to say what for.
    pub ask_timeout: Duration,
}

impl RawSession {
    /// Checks the values; what is wrong goes to `problems`.
    pub fn check(self, problems: &mut Problems) -> SessionConfig {
        let (second, minutes) = (Time::secs(1), |minutes: u64| Time::secs(60 * minutes));
        let mut size =
            |key, given: &At<Size>, least, most| problems.in_range(key, given, Size(least)..=Size(most)).0;
        // None is above what the types hold.
        let buffer = size("buffer", &self.buffer, 64 << 10, 256 << 20) as u32;
        let ahead = size("ahead", &self.ahead, 4 << 10, 8 << 20) as u32;
        let unread = size("unread", &self.unread, 32 << 20, 1 << 30) as usize;
        let mut time = |key, given: &At<Time>, most| problems.in_range(key, given, second..=most).0;
        SessionConfig {
            buffer,
            ahead,
            unread,
            grace: time("grace", &self.grace, minutes(10)),
            handshake_timeout: time("handshake_timeout", &self.handshake_timeout, minutes(5)),
            ask_timeout: time("ask_timeout", &self.ask_timeout, minutes(5)),
        }
    }
}

impl SessionConfig {
    /// The same for the session's core, with the signs of life that are asked of its carriers.
    pub(crate) fn limits(&self, keepalive: &Keepalive) -> Limits {
        Limits {
            replay: self.buffer,
            window: self.buffer,
            ahead: self.ahead,
            grace: self.grace,
            ping_interval: keepalive.interval,
            pong_timeout: keepalive.timeout,
            missed_pongs: keepalive.misses,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_core() {
        let config = RawSession::default().check(&mut Problems::default());
        assert_eq!(config.limits(&Keepalive::default()), Limits::default());
    }
}
