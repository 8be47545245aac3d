//! What a middlebox does to what passes it.

use std::time::Duration;

/// All that it does; by default nothing, so that it only ends TLS.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// To the masks of client frames.
    pub masking: Masking,
    /// To the borders of frames.
    pub borders: Borders,
    /// To the heads of requests and answers.
    pub headers: Headers,
    /// What it answers.
    pub answer: Answer,
    /// How much later bytes arrive, in each direction.
    pub latency: Duration,
    /// How long bytes are held back, in each direction, unless a buffer is full before.
    pub buffering: Option<Duration>,
    /// After how long without a byte in either direction it resets a connection.
    pub idle_cut: Option<Duration>,
    /// At what age it resets a connection, whatever it carries.
    pub age_cut: Option<Duration>,
}

/// The masks of client frames (F5: the masking of a WebSocket profile).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Masking {
    /// As they came.
    #[default]
    Preserve,
    /// With other keys.
    Remask,
    /// Taken off, against RFC 6455 section 5.1.
    Unmask,
}

/// The borders of data frames. Where they are moved, masks have other keys even if they are to be preserved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Borders {
    /// As they came.
    #[default]
    Keep,
    /// Frames of so many bytes, or of what there is, three to a message, with pings between.
    Every(usize),
}

/// The heads of requests and answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Headers {
    /// As they came.
    #[default]
    Keep,
    /// Names in another case, and the headers of Cloudflare and F5 added or in place of the gateway's.
    Rewrite,
}

/// What a request for a WebSocket is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answer {
    /// What the gateway answers.
    #[default]
    Gateway,
    /// A page with this status, 4xx or 5xx.
    Status(u16),
    /// 302 to a page where one is to log in.
    Redirect,
    /// 200 with that page.
    LoginPage,
    /// What the gateway answers to HTTP/1.0 without an upgrade, which is what proxies make of it by default.
    Http10,
    /// What the gateway answers, with another protocol beside `websocket` in `Upgrade`.
    ExtraUpgrade,
}
