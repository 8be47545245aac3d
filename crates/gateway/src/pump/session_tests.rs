//! Sessions between two hand-driven peers in memory, under a paused clock.
#![allow(clippy::unwrap_used)]

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use wicketgate_wire::deflate::{Buffer, Deflater, InflateLimits, Inflater, Level, Window, WindowBits};
use wicketgate_wire::{Header, Violation, mask};

use super::super::config::{Exceed, IdentityLimits, Limit, Mode, Ping};
use super::*;
use crate::pictures::Pool;
use crate::pictures::config::PicturesConfig;
use wicketgate_admission::limits::config::{LimitsConfig, TrackedConfig};
use wicketgate_admission::limits::rate::Rate;
use wicketgate_admission::{Counts, Limits};
use wicketgate_policy::{Policy, RawPolicy};

const KEY: [u8; 4] = [7, 1, 250, 99];

/// A session under test: the test plays both peers.
struct Rig {
    client: DuplexStream,
    upstream: DuplexStream,
    control: Arc<Control>,
    budget: Arc<Budget>,
    task: JoinHandle<Summary>,
}

fn rig_with(config: WebSocketConfig, pipe: usize, rsv: Rsv) -> Rig {
    rig_between(config, pipe, rsv, [None, None], None)
}

/// A session of an identity that has others.
fn rig_of(config: WebSocketConfig, rates: SharedRates) -> Rig {
    rig_between(config, 1 << 16, Rsv::NONE, [None, None], Some(rates))
}

/// With permessage-deflate as the gateway has negotiated it with each side.
fn rig_between(
    config: WebSocketConfig,
    pipe: usize,
    rsv: Rsv,
    [client_deflate, upstream_deflate]: [Option<Params>; 2],
    rates: Option<SharedRates>,
) -> Rig {
    let (client, client_end) = duplex(pipe);
    let (upstream, upstream_end) = duplex(pipe);
    let (control, budget) = (Arc::new(Control::default()), Arc::new(Budget::new(1 << 20)));
    let peer =
        |end, deflate| Peer { stream: Stream::Tunnel(Box::new(end)), early: Bytes::new(), rsv, deflate };
    let ends = Ends {
        client: peer(client_end, client_deflate),
        upstream: peer(upstream_end, upstream_deflate),
        config: Arc::new(config),
        inspector: Inspector::new(
            Policy::trivial(),
            Arc::default(),
            Box::new(|_, _, _| None),
            Arc::new(Pool::new(&PicturesConfig {
                threads: 1,
                queue: 8,
                memory: 1 << 30,
                time: Duration::from_secs(60),
            })),
            None,
            Arc::default(),
        ),
        until: None,
        renew: None,
        control: control.clone(),
        assembly: budget.clone(),
        inflate: budget.clone(),
        traffic: Arc::default(),
        moved: Arc::default(),
        rates,
    };
    Rig { client, upstream, control, budget, task: tokio::spawn(run(ends)) }
}

fn rig(config: WebSocketConfig) -> Rig {
    rig_with(config, 1 << 16, Rsv::NONE)
}

fn modes() -> [WebSocketConfig; 2] {
    [Mode::Headers, Mode::Messages].map(|mode| WebSocketConfig { mode, ..WebSocketConfig::default() })
}

fn frame(fin: bool, opcode: Opcode, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let header = Header { fin, rsv: Rsv::NONE, opcode, mask: key, length: payload.len() as u64 };
    let mut bytes = header.encode().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if let Some(key) = key {
        mask::apply(&mut bytes[start..], key, 0);
    }
    bytes
}

fn from_client(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    frame(true, opcode, payload, Some(KEY))
}

fn close(code: u16, key: Option<[u8; 4]>) -> Vec<u8> {
    frame(true, Opcode::Close, &code.to_be_bytes(), key)
}

async fn expect(stream: &mut DuplexStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(got, bytes);
}

/// Reads to the end; the frames that came, unmasked.
async fn frames_to_end(stream: &mut DuplexStream) -> Vec<(Opcode, Vec<u8>)> {
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    stream.read_to_end(&mut bytes).await.unwrap();
    let mut rest = &bytes[..];
    while let Some((header, used)) = Header::parse(rest).unwrap() {
        let (frame, later) = rest.split_at(used + header.length as usize);
        let mut payload = frame[used..].to_vec();
        mask::apply(&mut payload, header.mask.unwrap_or_default(), 0);
        frames.push((header.opcode, payload));
        rest = later;
    }
    assert!(rest.is_empty(), "half a frame: {rest:?}");
    frames
}

fn close_frame(code: u16) -> (Opcode, Vec<u8>) {
    (Opcode::Close, code.to_be_bytes().to_vec())
}

impl Rig {
    /// Both peers read to the end: what each was sent, and how the session went.
    async fn finish(mut self) -> (Vec<(Opcode, Vec<u8>)>, Vec<(Opcode, Vec<u8>)>, Summary) {
        let client = frames_to_end(&mut self.client).await;
        let upstream = frames_to_end(&mut self.upstream).await;
        drop((self.client, self.upstream));
        let summary = self.task.await.unwrap();
        assert_eq!(self.budget.used(), 0);
        (client, upstream, summary)
    }
}

#[tokio::test(start_paused = true)]
async fn messages_pass_as_they_came_and_a_close_handshake_ends_them() {
    for config in modes() {
        let mut rig = rig(config);
        let fragments = [
            frame(false, Opcode::Text, "a€".as_bytes(), Some(KEY)),
            from_client(Opcode::Ping, b"beat"),
            frame(true, Opcode::Continuation, b"b", Some(KEY)),
        ];
        rig.client.write_all(&from_client(Opcode::Text, b"one")).await.unwrap();
        expect(&mut rig.upstream, &from_client(Opcode::Text, b"one")).await;
        rig.client.write_all(&fragments.concat()).await.unwrap();
        let mut got = vec![0; fragments.concat().len()];
        rig.upstream.read_exact(&mut got).await.unwrap();
        let answer = frame(true, Opcode::Binary, &[0xFF; 300], None);
        for piece in answer.chunks(7) {
            rig.upstream.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        expect(&mut rig.client, &answer).await;
        rig.client.write_all(&close(1000, Some(KEY))).await.unwrap();
        expect(&mut rig.upstream, &close(1000, Some(KEY))).await;
        rig.upstream.write_all(&close(1000, None)).await.unwrap();
        let (client, upstream, summary) = rig.finish().await;
        assert_eq!((client, upstream), (vec![close_frame(1000)], vec![]));
        assert_eq!(summary.end, End::Closed(Side::Client, Some(CloseCode::NORMAL)));
        assert_eq!((summary.client.messages, summary.upstream.messages), (2, 1));
    }
}

/// An attack by the client: the upstream sees nothing of it, both are told why.
async fn client_attack(config: WebSocketConfig, bytes: &[u8], code: u16, end: End) {
    let mut rig = rig(config);
    rig.client.write_all(&from_client(Opcode::Text, b"ok")).await.unwrap();
    rig.client.write_all(bytes).await.unwrap();
    let (client, upstream, summary) = rig.finish().await;
    assert_eq!(summary.end, end);
    assert_eq!(client, vec![close_frame(code)]);
    assert_eq!(upstream, vec![(Opcode::Text, b"ok".to_vec()), close_frame(1001)]);
}

#[tokio::test(start_paused = true)]
async fn violations_are_closed_and_not_forwarded() {
    let long =
        Header { fin: true, rsv: Rsv::NONE, opcode: Opcode::Binary, mask: Some(KEY), length: (16 << 20) + 1 };
    let violation = |violation| End::Violation(Side::Client, violation);
    for config in modes() {
        for (bytes, code, end) in [
            (vec![0x83, 0x80], 1002, Violation::UnknownOpcode(3)),
            (vec![0x81, 0], 1002, Violation::Unmasked),
            (frame(true, Opcode::Continuation, b"", Some(KEY)), 1002, Violation::UnexpectedContinuation),
            (vec![0xC1, 0x80, 0, 0, 0, 0], 1002, Violation::ReservedBits),
            (from_client(Opcode::Text, b"\xff"), 1007, Violation::InvalidUtf8),
            (close(1005, Some(KEY)), 1002, Violation::CloseCode(1005)),
            (long.encode().to_vec(), 1009, Violation::FrameTooBig),
        ] {
            client_attack(config.clone(), &bytes, code, violation(end)).await;
        }
        let binary_only = WebSocketConfig { binary: false, ..config.clone() };
        let binary = from_client(Opcode::Binary, b"x");
        client_attack(binary_only, &binary, 1003, End::WrongType(Side::Client)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_fault_is_told_as_1011() {
    for config in modes() {
        let mut rig = rig(config);
        rig.upstream.write_all(&frame(true, Opcode::Text, b"x", Some(KEY))).await.unwrap();
        let (client, upstream, summary) = rig.finish().await;
        assert_eq!(summary.end, End::Violation(Side::Upstream, Violation::Masked));
        assert_eq!((client, upstream), (vec![close_frame(1011)], vec![close_frame(1002)]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_vanished_peer_is_told_to_the_other() {
    let mut one = rig(WebSocketConfig::default());
    drop(std::mem::replace(&mut one.client, duplex(1).0));
    let frames = frames_to_end(&mut one.upstream).await;
    assert_eq!(frames, vec![close_frame(1001)]);
    drop(one.upstream);
    assert_eq!(one.task.await.unwrap().end, End::Vanished(Side::Client));

    let mut two = rig(WebSocketConfig::default());
    drop(std::mem::replace(&mut two.upstream, duplex(1).0));
    assert_eq!(frames_to_end(&mut two.client).await, vec![close_frame(1011)]);
    drop(two.client);
    assert_eq!(two.task.await.unwrap().end, End::Vanished(Side::Upstream));
}

#[tokio::test(start_paused = true)]
async fn no_close_frame_is_written_inside_a_frame() {
    let mut rig = rig(WebSocketConfig::default());
    let mut half = frame(true, Opcode::Text, b"abcdef", Some(KEY));
    half.truncate(9);
    rig.client.write_all(&half).await.unwrap();
    expect(&mut rig.upstream, &half).await;
    rig.control.give(Order::End(End::Drained));
    let mut rest = Vec::new();
    rig.upstream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert_eq!(frames_to_end(&mut rig.client).await, vec![close_frame(1012)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_while_the_write_side_is_full() {
    for config in modes() {
        let mut rig = rig_with(config, 1024, Rsv::NONE);
        let message = from_client(Opcode::Binary, &[1; 400]);
        let mut written = 0;
        while let Ok(Ok(())) =
            tokio::time::timeout(Duration::from_millis(10), rig.client.write_all(&message)).await
        {
            written += 1;
            assert!(written < 1000, "the gateway takes everything");
        }
        let summary = rig.task.await.unwrap();
        assert_eq!(summary.end, End::Stalled(Side::Upstream));
    }
}

#[tokio::test(start_paused = true)]
async fn silent_peers_are_pinged_and_dead_ones_found() {
    let ping = Ping { interval: Duration::from_secs(20), timeout: Duration::from_secs(5) };
    let mut rig = rig(WebSocketConfig { ping: Some(ping), ..WebSocketConfig::default() });
    let mut bytes = [0; 10];
    rig.client.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes[..2], [0x89, 8]);
    rig.client.write_all(&from_client(Opcode::Pong, &bytes[2..])).await.unwrap();
    let (client, upstream, summary) = rig.finish().await;
    // The client's pong is not passed on; the upstream, which never answered, ends the session.
    assert_eq!(summary.end, End::Dead(Side::Upstream));
    assert_eq!(client, vec![close_frame(1011)]);
    assert_eq!(upstream.iter().map(|(opcode, _)| *opcode).collect::<Vec<_>>(), [Opcode::Ping, Opcode::Close]);
    assert_eq!(summary.duration.as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn deadlines_end_sessions() {
    let second = Duration::from_secs(1);
    let quiet = WebSocketConfig { ping: None, ..WebSocketConfig::default() };
    for (config, code, end) in [
        (WebSocketConfig { idle_timeout: Some(second), ..quiet.clone() }, 1008, End::Idle),
        (WebSocketConfig { max_age: Some(second), ..quiet.clone() }, 1001, End::Aged),
        (
            WebSocketConfig { first_message_timeout: Some(second), ..quiet.clone() },
            1008,
            End::NoFirstMessage(Side::Client),
        ),
    ] {
        let (client, _, summary) = rig(config).finish().await;
        assert_eq!((client, summary.end), (vec![close_frame(code)], end));
        assert_eq!(summary.duration, second);
    }
    let mut slow = rig(WebSocketConfig { assembly_time: second, ..quiet });
    slow.client.write_all(&frame(false, Opcode::Text, b"", Some(KEY))).await.unwrap();
    let (client, _, summary) = slow.finish().await;
    assert_eq!((client, summary.end), (vec![close_frame(1008)], End::SlowMessage(Side::Client)));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_nobody_answers_ends_in_time() {
    let mut rig = rig(WebSocketConfig::default());
    rig.client.write_all(&close(1000, Some(KEY))).await.unwrap();
    let (client, _, summary) = rig.finish().await;
    assert_eq!((client, summary.end), (vec![close_frame(1011)], End::CloseTimeout(Side::Upstream)));
}

#[tokio::test(start_paused = true)]
async fn rates_close_drop_or_delay() {
    let rate = |exceed| Some(Limit { rate: Rate::new(10, 2), exceed });
    let messages: Vec<u8> = (0..4u8).flat_map(|i| from_client(Opcode::Binary, &[i])).collect();
    let sent = |frames: &[(Opcode, Vec<u8>)]| {
        frames.iter().filter(|(opcode, _)| *opcode == Opcode::Binary).map(|(_, p)| p[0]).collect::<Vec<_>>()
    };
    for config in modes() {
        let with = |exceed| WebSocketConfig {
            messages: rate(exceed),
            max_age: Some(Duration::from_secs(9)),
            ..config.clone()
        };
        for (exceed, passed, end) in [
            (Exceed::Close, vec![0, 1], End::Rate(Side::Client)),
            (Exceed::Drop, vec![0, 1], End::Aged),
            (Exceed::Delay, vec![0, 1, 2, 3], End::Aged),
        ] {
            let mut rig = rig(with(exceed));
            rig.client.write_all(&messages).await.unwrap();
            let (_, upstream, summary) = rig.finish().await;
            assert_eq!((sent(&upstream), summary.end), (passed, end), "{exceed:?}");
        }
    }
    let control = WebSocketConfig {
        control_frames: Limit { rate: Rate::new(1, 3), exceed: Exceed::Close },
        ..WebSocketConfig::default()
    };
    let mut rig = rig(control);
    rig.client.write_all(&from_client(Opcode::Pong, b"").repeat(5)).await.unwrap();
    assert_eq!(rig.finish().await.2.end, End::Rate(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn an_identity_has_one_rate_over_all_its_sessions() {
    let message = from_client(Opcode::Binary, b"m");
    let limit = |exceed| Some(Limit { rate: Rate::new(1, 3), exceed });
    for config in modes() {
        for (messages, bytes, passed, end) in [
            (limit(Exceed::Close), None, 1, End::Rate(Side::Client)),
            (limit(Exceed::Drop), None, 1, End::Aged),
            (limit(Exceed::Delay), None, 2, End::Aged),
            (None, limit(Exceed::Close), 0, End::Rate(Side::Client)),
        ] {
            let per_identity = IdentityLimits { messages, bytes };
            let counts = Arc::new(Counts::new(&TrackedConfig::default()));
            let none = LimitsConfig::default();
            let limits = Limits::new(&counts, none, &"route".into(), none);
            let rig = |subject| {
                let max_age = Some(Duration::from_secs(9));
                let config = WebSocketConfig { per_identity, max_age, ..config.clone() };
                rig_of(config, limits.rates(Duration::ZERO, subject).begin())
            };
            let sent = |frames: &[(Opcode, Vec<u8>)]| {
                frames.iter().filter(|(opcode, _)| *opcode == Opcode::Binary).count()
            };
            let (mut first, mut second, mut other) = (rig("alice"), rig("alice"), rig("bob"));
            if messages.is_some() {
                first.client.write_all(&message.repeat(2)).await.unwrap();
                expect(&mut first.upstream, &message.repeat(2)).await;
            }
            second.client.write_all(&message.repeat(2)).await.unwrap();
            if messages.is_some() {
                other.client.write_all(&message.repeat(2)).await.unwrap();
                expect(&mut other.upstream, &message.repeat(2)).await;
                // What comes back has a rate of its own.
                first.upstream.write_all(&[0x82, 1, 7]).await.unwrap();
                expect(&mut first.client, &[0x82, 1, 7]).await;
            }
            let (_, upstream, summary) = second.finish().await;
            assert_eq!((sent(&upstream), summary.end), (passed, end), "{per_identity:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn memory_for_unfinished_messages_is_bounded_in_all() {
    let config = WebSocketConfig { mode: Mode::Messages, ..WebSocketConfig::default() };
    let mut rig = rig(config);
    rig.client.write_all(&frame(false, Opcode::Binary, b"", Some(KEY))).await.unwrap();
    let flood = tokio::spawn(async move {
        for _ in 0..9 {
            let piece = frame(false, Opcode::Continuation, &[0; 120_000], Some(KEY));
            if rig.client.write_all(&piece).await.is_err() {
                break;
            }
        }
        rig.client
    });
    let summary = rig.task.await.unwrap();
    assert_eq!(summary.end, End::NoMemory(Side::Client));
    assert_eq!(rig.budget.used(), 0);
    drop(flood.await.unwrap());
}

fn deflated(window: Window, text: &[u8]) -> Vec<u8> {
    let budget = Arc::new(Budget::new(1 << 20));
    let mut out = Buffer::new(budget.clone());
    let mut deflater = Deflater::new(window, Level::FAST, budget);
    deflater.deflate(text, &mut out).unwrap();
    deflater.finish(&mut out).unwrap();
    out.to_vec()
}

fn inflated(window: Window, payload: &[u8]) -> Vec<u8> {
    let budget = Arc::new(Budget::new(1 << 20));
    let mut out = Buffer::new(budget.clone());
    let limits = InflateLimits { max_message: 1 << 20, max_ratio: 1000, ratio_from: 1 << 20 };
    let mut inflater = Inflater::new(window, limits, budget);
    inflater.inflate(payload, &mut out).unwrap();
    inflater.finish(&mut out).unwrap();
    out.to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_compressed_message_goes_on_as_the_other_side_can_read_it() {
    let config = WebSocketConfig { mode: Mode::Messages, ..WebSocketConfig::default() };
    let window = |bits| Window { bits: WindowBits::new(bits).unwrap(), takeover: false };
    let params = |bits| Params { server: window(bits), client: window(bits) };
    let text = "compressed and compressed again ".repeat(100).into_bytes();
    let payload = deflated(window(15), &text);
    let mut message = frame(true, Opcode::Text, &payload, Some(KEY));
    message[0] |= 0x40;
    for upstream in [Some(params(15)), Some(params(9)), None] {
        let mut rig = rig_between(config.clone(), 1 << 16, Rsv::RSV1, [Some(params(15)), upstream], None);
        rig.client.write_all(&message).await.unwrap();
        rig.client.write_all(&close(1000, Some(KEY))).await.unwrap();
        let mut first = [0; 2];
        rig.upstream.read_exact(&mut first).await.unwrap();
        let compressed = first[0] & 0x40 != 0;
        let mut rest = Vec::new();
        let summary = {
            rig.upstream.write_all(&close(1000, None)).await.unwrap();
            frames_to_end(&mut rig.client).await;
            drop(rig.client);
            tokio::time::timeout(Duration::from_secs(60), rig.upstream.read_to_end(&mut rest))
                .await
                .unwrap()
                .unwrap();
            drop(rig.upstream);
            rig.task.await.unwrap()
        };
        assert_eq!(summary.end, End::Closed(Side::Client, Some(CloseCode::NORMAL)));
        let bytes = [&first[..], &rest].concat();
        let (header, used) = Header::parse(&bytes).unwrap().unwrap();
        let mut got = bytes[used..used + header.length as usize].to_vec();
        mask::apply(&mut got, header.mask.unwrap(), 0);
        match upstream {
            Some(params) if params.client.bits == WindowBits::MAX => assert_eq!(got, payload),
            Some(params) => assert_eq!(inflated(params.client, &got), text),
            None => assert_eq!(got, text),
        }
        assert_eq!(compressed, upstream.is_some());
    }
}

/// The client is told its code when its credential ends; the upstream only that the client goes away.
#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_credential_and_not_before() {
    for config in modes() {
        let rig = rig(config);
        let start = Instant::now();
        let expires = |seconds| {
            let end = End::Expired(CloseCode(4401));
            Order::Until(Some((start + Duration::from_secs(seconds), end)))
        };
        rig.control.give(expires(5));
        tokio::time::sleep(Duration::from_secs(4)).await;
        rig.control.give(expires(20));
        let (client, upstream, summary) = rig.finish().await;
        assert_eq!(summary.end.label(), "credential_expired");
        assert_eq!((client, upstream), (vec![close_frame(4401)], vec![close_frame(1001)]));
        let lasted = start.elapsed().as_secs();
        assert!((20..25).contains(&lasted), "{lasted} s");
    }
}

/// An idle session hears every order, not the first alone.
#[tokio::test(start_paused = true)]
async fn orders_reach_an_idle_session_one_after_the_other() {
    let rig = rig(WebSocketConfig::default());
    for _ in 0..3 {
        rig.control.give(Order::Settings(Arc::new(WebSocketConfig::default()), Policy::trivial()));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let start = Instant::now();
    rig.control.give(Order::End(End::Drained));
    let (client, _, summary) = rig.finish().await;
    assert_eq!((client, summary.end), (vec![close_frame(1012)], End::Drained));
    assert!(start.elapsed() < Duration::from_secs(1));
}

/// A policy as a configuration has it.
fn policy(text: &str) -> Policy {
    let raw: RawPolicy = serde_saphyr::from_str(text).unwrap();
    let mut problems = wicketgate_config::Problems::default();
    let policy = raw.check(&mut problems);
    assert!(!problems.has_errors(), "{problems:?}");
    policy.unwrap()
}

const KINDS: &str = "
name: kinds
format: json
kind: type
to_upstream:
  - {name: lost, then: drop, deny: [{kinds: [lost]}]}
  - {name: told, then: {reply: 'not here'}, deny: [{kinds: [told]}]}
  - {name: seen, mode: observe, deny: [{kinds: [seen]}]}
  - {name: others, then: {close: 4400}, allow: [{kinds: [chat, seen]}]}
";

/// Messages that a policy lets not pass go no further, whatever comes of them; those between them do.
#[tokio::test(start_paused = true)]
async fn a_policy_drops_answers_observes_and_closes() {
    let config = WebSocketConfig { mode: Mode::Messages, ..WebSocketConfig::default() };
    let mut rig = rig(config.clone());
    rig.control.give(Order::Settings(Arc::new(config), policy(KINDS)));
    let message = |kind: &str| from_client(Opcode::Text, format!(r#"{{"type":"{kind}"}}"#).as_bytes());
    let sent = ["chat", "lost", "told", "seen", "chat"].map(message);
    rig.client.write_all(&sent.concat()).await.unwrap();
    for passed in [&sent[0], &sent[3], &sent[4]] {
        expect(&mut rig.upstream, passed).await;
    }
    expect(&mut rig.client, &frame(true, Opcode::Text, b"not here", None)).await;
    // What an upstream says is not looked into by a policy that has no steps for it.
    let answer = frame(true, Opcode::Text, b"no JSON", None);
    rig.upstream.write_all(&answer).await.unwrap();
    expect(&mut rig.client, &answer).await;
    rig.client.write_all(&message("other")).await.unwrap();
    expect(&mut rig.client, &close(4400, None)).await;
    drop(rig.client);
    let last = frames_to_end(&mut rig.upstream).await;
    assert_eq!(last, [(Opcode::Close, 1001_u16.to_be_bytes().to_vec())]);
    let summary = rig.task.await.unwrap();
    assert_eq!(summary.end, End::Policy(Side::Client, CloseCode(4400)));
    assert_eq!((summary.client.messages, summary.client.dropped), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_of_the_format_ends_the_session() {
    for (opcode, payload, code) in [
        (Opcode::Text, &b"{"[..], CloseCode::INVALID_DATA),
        (Opcode::Text, br#"{"type":"chat","type":"lost"}"#, CloseCode::INVALID_DATA),
        (Opcode::Binary, br#"{"type":"chat"}"#, CloseCode::UNSUPPORTED),
    ] {
        let config = WebSocketConfig { mode: Mode::Messages, ..WebSocketConfig::default() };
        let mut rig = rig(config.clone());
        rig.control.give(Order::Settings(Arc::new(config), policy(KINDS)));
        rig.client.write_all(&from_client(opcode, payload)).await.unwrap();
        expect(&mut rig.client, &close(code.0, None)).await;
        drop(rig.client);
        assert_eq!(frames_to_end(&mut rig.upstream).await.len(), 1);
        assert_eq!(rig.task.await.unwrap().end, End::Policy(Side::Client, code));
    }
}

/// Whoever sends without reading is not answered without bound.
#[tokio::test(start_paused = true)]
async fn answers_to_whoever_does_not_read_are_bounded() {
    let config = WebSocketConfig { mode: Mode::Messages, ..WebSocketConfig::default() };
    let mut rig = rig_with(config.clone(), 1 << 10, Rsv::NONE);
    rig.control.give(Order::Settings(Arc::new(config), policy(KINDS)));
    let told = from_client(Opcode::Text, br#"{"type":"told"}"#).repeat(64);
    let sending = async { while rig.client.write_all(&told).await.is_ok() {} };
    let stalled = tokio::time::timeout(Duration::from_secs(600), sending).await;
    assert!(stalled.is_ok(), "it went on taking messages");
    assert_eq!(rig.task.await.unwrap().end, End::Stalled(Side::Client));
}
