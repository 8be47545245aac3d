//! How a route treats its WebSocket sessions: mode, limits, pings, compression.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use wicketgate_admission::limits::rate::Rate;
use wicketgate_config::{At, Place, Problems, Size, Time};
use wicketgate_wire::{DataKind, FrameLimits};

/// How a route treats its WebSocket sessions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawWebSocket {
    /// How closely messages are looked at. `headers` judges every frame's header and the UTF-8 of text, and passes
    /// payload on as it came; `messages` holds each message until it was judged whole. Default: `headers`, or `messages` on a
    /// route with a `policy`.
    mode: Option<At<Mode>>,
    /// Types of message that clients and upstreams may send. Default: both.
    accept: Option<At<Vec<Kind>>>,
    /// permessage-deflate (RFC 7692): in mode `headers` it is passed on between client and upstream, in mode `messages`
    /// it is negotiated with each side, without context takeover. Default: `true`.
    compression: Option<bool>,
    /// Names of other WebSocket extensions to pass on between client and upstream, in mode `headers` only: the gateway
    /// cannot look into messages that use them. All others are removed from the offer. Default: none.
    extensions: At<Vec<String>>,
    /// Pings from the gateway to both sides.
    ping: RawPing,
    /// A session on which no message went either way for so long ends with 1008; `off` for never. Default: `off`, since
    /// pings find dead peers.
    idle_timeout: Option<TimeOrOff>,
    /// A session this old ends with 1001; `off` for never. Default: `off`.
    max_age: Option<TimeOrOff>,
    /// A client that has sent no message for so long after the handshake is closed with 1008; `off` for never.
    /// Default: `off`.
    first_message_timeout: Option<TimeOrOff>,
    /// How long a close handshake may take. Default: 5s.
    close_timeout: Option<Time>,
    /// How long a side may take no bytes at all while some wait for it. Default: 30s.
    write_timeout: Option<Time>,
    /// Limits on what each side may send.
    limits: RawSessionLimits,
}

/// How closely messages are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Frame headers and the UTF-8 of text; payload goes on as it came, in pieces of any size.
    #[default]
    Headers,
    /// Whole messages, inflated, judged before their first byte goes on.
    Messages,
}

/// A type of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// A span of time, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOrOff(Option<Duration>);

impl<'de> Deserialize<'de> for TimeOrOff {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" || text == "false" {
            return Ok(Self(None));
        }
        text.parse::<Time>().map(|time| Self(Some(time.0))).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TimeOrOff {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOrOff".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "pattern": "^(([0-9]+(ms|s|m|h|d))+|off)$" },
                { "const": false }
            ],
            "description": "A span of time such as 30s or 5m, or off."
        })
    }
}

/// Pings from the gateway to both sides: they keep the path open and find dead peers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPing {
    /// How long a side may be silent before it is pinged; `off` for no pings. Default: 20s.
    interval: Option<TimeOrOff>,
    /// How long a pinged side may stay silent before the session ends. Default: 20s.
    timeout: Option<Time>,
}

/// Limits on what each side of a session may send.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSessionLimits {
    /// Bytes of one message, 1009 above it; in mode `messages` it bounds the message inflated too. Worst-case memory in
    /// mode `messages`: three times this for each side's unfinished message, within `limits.assembly_memory` in all.
    /// Default: 16MiB.
    message_size: Option<At<Size>>,
    /// Bytes of one frame, 1009 above it. Costs no memory. Default: as `message_size`.
    frame_size: Option<At<Size>>,
    /// Frames of one message, 1008 above it. Costs no memory. Default: 65536.
    fragments: Option<At<u32>>,
    /// How long one message may take from its first frame to its last byte, 1008 after it. Default: 30s.
    assembly_time: Option<Time>,
    /// How many times larger than sent a message of more than 4 MiB may become when it is inflated, 1009 above it.
    /// Default: 200.
    inflate_ratio: Option<At<u32>>,
    /// Messages a second from each side.
    messages: Option<RawRate>,
    /// Bytes a second from each side.
    bytes: Option<RawByteRate>,
    /// Rates from each side of all sessions together that an identity has on this route, beside those of each session. The
    /// route has to ask for authentication.
    per_identity: RawIdentityRates,
    /// Control frames a second from each side. Default: 50 a second, 100 at once, then 1008.
    control_frames: Option<RawRate>,
}

/// Rates of all sessions of an identity together.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawIdentityRates {
    /// Messages a second from each side. `exceed` is what becomes of the session that goes beyond it.
    messages: Option<RawRate>,
    /// Bytes a second from each side.
    bytes: Option<RawByteRate>,
}

/// A rate, and what happens above it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRate {
    /// So many a second.
    per_second: At<u64>,
    /// So many at once. Default: as many as in two seconds.
    burst: Option<At<u64>>,
    /// Above the rate: `close` with 1008, `delay` reading, or `drop` the message. Default: `close`.
    #[serde(default)]
    exceed: Exceed,
}

/// A rate of bytes, and what happens above it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawByteRate {
    /// So many bytes a second.
    per_second: At<Size>,
    /// So many bytes at once. Default: as many as in two seconds.
    burst: Option<At<Size>>,
    /// Above the rate: `close` with 1008, or `delay` reading. Default: `delay`.
    #[serde(default = "Exceed::delay")]
    exceed: Exceed,
}

/// What happens above a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Exceed {
    /// The session ends with 1008.
    #[default]
    Close,
    /// Nothing more is read from that side until it is within the rate again.
    Delay,
    /// The message does not go on.
    Drop,
}

impl Exceed {
    const fn delay() -> Self {
        Self::Delay
    }
}

/// A rate and its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Units a second and at once.
    pub rate: Rate,
    /// What happens above it.
    pub exceed: Exceed,
}

/// Rates of all sessions of an identity together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdentityLimits {
    /// Messages a second.
    pub messages: Option<Limit>,
    /// Bytes a second.
    pub bytes: Option<Limit>,
}

impl IdentityLimits {
    /// Whether there is any.
    pub const fn is_some(&self) -> bool {
        self.messages.is_some() || self.bytes.is_some()
    }
}

/// Pings: how long a side may be silent, and how long it has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Silence after which a side is pinged.
    pub interval: Duration,
    /// Time to answer.
    pub timeout: Duration,
}

/// How a route treats its WebSocket sessions, checked and complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketConfig {
    /// How closely messages are looked at.
    pub mode: Mode,
    /// Whether text passes.
    pub text: bool,
    /// Whether binary passes.
    pub binary: bool,
    /// Whether permessage-deflate may be negotiated.
    pub compression: bool,
    /// Other extensions that may be negotiated end to end.
    pub extensions: Vec<String>,
    /// Pings, if any.
    pub ping: Option<Ping>,
    /// Greatest silence.
    pub idle_timeout: Option<Duration>,
    /// Greatest age.
    pub max_age: Option<Duration>,
    /// Time for the client's first message.
    pub first_message_timeout: Option<Duration>,
    /// Time for the close handshake.
    pub close_timeout: Duration,
    /// Time for a side to take bytes.
    pub write_timeout: Duration,
    /// Sizes.
    pub frames: FrameLimits,
    /// Time for one message.
    pub assembly_time: Duration,
    /// Growth by inflation.
    pub inflate_ratio: u32,
    /// Messages a second.
    pub messages: Option<Limit>,
    /// Bytes a second.
    pub bytes: Option<Limit>,
    /// Rates of all sessions of the identity together.
    pub per_identity: IdentityLimits,
    /// Control frames a second.
    pub control_frames: Limit,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        RawWebSocket::default().check(None, &mut Problems::default())
    }
}

impl WebSocketConfig {
    /// Whether this type of message passes.
    #[inline]
    pub const fn accepts(&self, kind: DataKind) -> bool {
        match kind {
            DataKind::Text => self.text,
            DataKind::Binary => self.binary,
        }
    }
}

impl RawWebSocket {
    /// Checks the values; what is wrong goes to `problems`. `policy` is where the route names one: it judges whole messages.
    pub fn check(self, policy: Option<Place>, problems: &mut Problems) -> WebSocketConfig {
        let mode = self.check_mode(policy, problems);
        let (text, binary) = self.check_accept(problems);
        let extensions = self.check_extensions(mode, problems);
        let off = |time: Option<TimeOrOff>, default: Option<Duration>| time.map_or(default, |time| time.0);
        let time = |time: Option<Time>, seconds| time.map_or(Duration::from_secs(seconds), |time| time.0);
        let ping_timeout = time(self.ping.timeout, 20);
        let ping = off(self.ping.interval, Some(Duration::from_secs(20)))
            .map(|interval| Ping { interval, timeout: ping_timeout });
        let limits = self.limits;
        WebSocketConfig {
            mode,
            text,
            binary,
            compression: self.compression.unwrap_or(true),
            extensions,
            ping,
            idle_timeout: off(self.idle_timeout, None),
            max_age: off(self.max_age, None),
            first_message_timeout: off(self.first_message_timeout, None),
            close_timeout: time(self.close_timeout, 5),
            write_timeout: time(self.write_timeout, 30),
            frames: limits.check_frames(problems),
            assembly_time: time(limits.assembly_time, 30),
            inflate_ratio: above_zero(limits.inflate_ratio, 200, "inflate_ratio", problems),
            messages: limits.messages.map(|rate| rate.check(problems)),
            bytes: limits.bytes.map(|rate| rate.check(problems)),
            per_identity: IdentityLimits {
                messages: limits.per_identity.messages.map(|rate| rate.check(problems)),
                bytes: limits.per_identity.bytes.map(|rate| rate.check(problems)),
            },
            control_frames: limits
                .control_frames
                .map_or(Limit { rate: Rate::new(50, 100), exceed: Exceed::Close }, |rate| {
                    rate.check(problems)
                }),
        }
    }

    fn check_mode(&self, policy: Option<Place>, problems: &mut Problems) -> Mode {
        match (&self.mode, policy) {
            (None, None) => Mode::Headers,
            (None, Some(_)) => Mode::Messages,
            (Some(mode), Some(policy)) if mode.value == Mode::Headers => {
                let what = "mode `headers` does not look at what a policy judges";
                problems.clash(
                    mode.place,
                    what,
                    "remove it, or write `mode: messages`",
                    (policy, "the policy"),
                );
                Mode::Messages
            }
            (Some(mode), _) => mode.value,
        }
    }

    fn check_accept(&self, problems: &mut Problems) -> (bool, bool) {
        let Some(accept) = &self.accept else { return (true, true) };
        if accept.value.is_empty() {
            problems.error(
                accept.place,
                "`accept` names no type of message",
                "write [text], [binary] or [text, binary]",
            );
        }
        (accept.value.contains(&Kind::Text), accept.value.contains(&Kind::Binary))
    }

    fn check_extensions(&self, mode: Mode, problems: &mut Problems) -> Vec<String> {
        let At { value: names, place } = &self.extensions;
        if mode == Mode::Messages && !names.is_empty() {
            problems.error(
                *place,
                "mode `messages` cannot look into messages that use an unknown extension",
                "remove `extensions`, or use mode `headers`",
            );
        }
        for name in names {
            if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
            {
                problems.error(
                    *place,
                    format!("`{name}` is no name of an extension"),
                    "write a token, as in x-my-extension",
                );
            }
            if name.eq_ignore_ascii_case("permessage-deflate") {
                problems.error(*place, "permessage-deflate is governed by `compression`", "remove it here");
            }
        }
        names.iter().map(|name| name.to_ascii_lowercase()).collect()
    }
}

impl RawSessionLimits {
    fn check_frames(&self, problems: &mut Problems) -> FrameLimits {
        let size = |value: &Option<At<Size>>, default: u64, name: &str, problems: &mut Problems| match value {
            Some(size) if size.value.0 == 0 => {
                problems.error(
                    size.place,
                    format!("`{name}` is 0, so nothing could pass"),
                    "write a size such as 1MiB",
                );
                default
            }
            Some(size) => size.value.0,
            None => default,
        };
        let message = size(&self.message_size, 16 << 20, "message_size", problems);
        FrameLimits {
            message,
            frame: size(&self.frame_size, message, "frame_size", problems),
            fragments: above_zero(self.fragments.clone(), 65_536, "fragments", problems),
        }
    }
}

impl RawRate {
    fn check(self, problems: &mut Problems) -> Limit {
        let per_second = above_zero(Some(self.per_second), 1, "per_second", problems);
        let burst = above_zero(self.burst, per_second.saturating_mul(2), "burst", problems);
        Limit { rate: Rate::new(per_second, burst), exceed: self.exceed }
    }
}

impl RawByteRate {
    fn check(self, problems: &mut Problems) -> Limit {
        let count = |size: At<Size>| At { value: size.value.0, place: size.place };
        let place = self.per_second.place;
        let per_second = above_zero(Some(count(self.per_second)), 1, "per_second", problems);
        let burst = above_zero(self.burst.map(count), per_second.saturating_mul(2), "burst", problems);
        if self.exceed == Exceed::Drop {
            problems.error(
                place,
                "bytes cannot be dropped out of a message",
                "write `exceed: close` or `exceed: delay`",
            );
        }
        Limit { rate: Rate::new(per_second, burst), exceed: self.exceed }
    }
}

fn above_zero<T: Copy + Default + PartialEq>(
    value: Option<At<T>>,
    default: T,
    name: &str,
    problems: &mut Problems,
) -> T {
    match value {
        Some(At { value, place }) if value == T::default() => {
            problems.error(
                place,
                format!("`{name}` is 0, so nothing could pass"),
                "write a number of 1 or more",
            );
            default
        }
        Some(at) => at.value,
        None => default,
    }
}
