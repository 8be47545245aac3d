//! permessage-deflate against yawc: each inflates what the other has deflated, frame by frame.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use futures_util::SinkExt;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use wicketgate_wire::deflate::{
    Buffer, Deflater, InflateLimits, Inflater, Level, Params, Window, WindowBits, negotiate,
};
use wicketgate_wire::handshake::{Extension, ListBounds, extension};
use wicketgate_wire::{Assembly, Budget, Event, FrameLimits, Header, Opcode, Role, Rsv, Scanner, mask};
use yawc::frame::Frame;
use yawc::{DeflateOptions, Options, WebSocket};

const LIMITS: InflateLimits = InflateLimits { max_message: 1 << 20, max_ratio: 2000, ratio_from: 0 };
const KEY: [u8; 4] = [0x1f, 0xc0, 0x7e, 0x55];

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(1 << 26))
}

fn params() -> impl Strategy<Value = Params> {
    let window = || {
        (9_u8..=15, any::<bool>())
            .prop_map(|(bits, takeover)| Window { bits: WindowBits::new(bits).unwrap(), takeover })
    };
    (window(), window()).prop_map(|(server, client)| Params { server, client })
}

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let words = prop::sample::select(vec!["{\"id\":", "1234", "},", "the ", "gate ", "\u{20ac}"]);
    let text = prop::collection::vec(words, 0..3000).prop_map(|words| words.concat().into_bytes());
    let noise = prop::collection::vec(any::<u8>(), 0..3000);
    let run = (any::<u8>(), 0..60_000_usize).prop_map(|(byte, length)| vec![byte; length]);
    prop::collection::vec(prop_oneof![text, noise, run], 1..5)
}

/// Our answer to their offer of `params`, which is all that they are told.
fn line(params: &Params) -> String {
    let (agreed, answer) = Params::default().accept(&params.offer()).unwrap();
    assert_eq!(agreed, *params);
    answer.to_string()
}

fn peer(io: DuplexStream, role: yawc::Role, params: &Params, fragment: usize) -> WebSocket<DuplexStream> {
    let compression = DeflateOptions { compression_threshold: 0, ..DeflateOptions::balanced() };
    let options = Options { compression: Some(compression), ..Options::default() }
        .with_limits(1 << 21, 1 << 22)
        .with_max_fragment_size(fragment);
    WebSocket::from_stream_with_extensions(io, role, Some(&line(params)), options).unwrap()
}

/// One message as frames of at most `fragment` bytes, the first with RSV1.
fn frames(payload: &[u8], sender: Role, fragment: usize, out: &mut Vec<u8>) {
    let parts: Vec<&[u8]> = payload.chunks(fragment).collect();
    for (at, part) in parts.iter().enumerate() {
        let (opcode, rsv) =
            if at == 0 { (Opcode::Binary, Rsv::RSV1) } else { (Opcode::Continuation, Rsv::NONE) };
        let mask = (sender == Role::Client).then_some(KEY);
        let header = Header { fin: at + 1 == parts.len(), rsv, opcode, mask, length: part.len() as u64 };
        out.extend_from_slice(&header.encode());
        mask::append(part, out, mask.unwrap_or_default(), 0);
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn they_inflate_what_we_deflate(
        params in params(),
        messages in messages(),
        we_are_server: bool,
        level in 1_u8..=9,
        fragment in 1_usize..3000,
    ) {
        let (sender, window, their_role) = if we_are_server {
            (Role::Server, params.server, yawc::Role::Client)
        } else {
            (Role::Client, params.client, yawc::Role::Server)
        };
        let mut deflater = Deflater::new(window, Level::new(level).unwrap(), budget());
        let mut wire = Vec::new();
        for message in &messages {
            let mut payload = Buffer::new(budget());
            for piece in message.chunks(fragment) {
                deflater.deflate(piece, &mut payload).unwrap();
            }
            deflater.finish(&mut payload).unwrap();
            frames(&payload, sender, fragment, &mut wire);
        }
        let heard = run(async {
            let (mut near, far) = tokio::io::duplex(wire.len());
            near.write_all(&wire).await.unwrap();
            let mut peer = peer(far, their_role, &params, 4096);
            let mut heard = Vec::new();
            for _ in &messages {
                heard.push(peer.next_frame().await.unwrap().into_payload().to_vec());
            }
            heard
        });
        prop_assert!(heard == messages);
    }

    #[test]
    fn we_inflate_what_they_deflate(
        params in params(),
        messages in messages(),
        we_are_server: bool,
        fragment in 1_usize..3000,
        cut in 1_usize..3000,
    ) {
        let (sender, window, their_role) = if we_are_server {
            (Role::Client, params.client, yawc::Role::Client)
        } else {
            (Role::Server, params.server, yawc::Role::Server)
        };
        let wire = run(async {
            let (mut near, far) = tokio::io::duplex(1 << 22);
            let mut peer = peer(far, their_role, &params, fragment);
            for message in &messages {
                peer.send(Frame::binary(message.clone())).await.unwrap();
            }
            drop(peer);
            let mut wire = Vec::new();
            near.read_to_end(&mut wire).await.unwrap();
            wire
        });
        let limits = FrameLimits { frame: 1 << 20, message: 1 << 20, fragments: 100_000 };
        let mut scanner = Scanner::new(sender, Rsv::RSV1);
        let mut assembly = Assembly::new(budget());
        let mut inflater = Inflater::new(window, LIMITS, budget());
        let (mut at, mut heard) = (0, Vec::new());
        while let Some(event) = scanner.next(&limits, &wire, &mut at).unwrap() {
            let Event::Data(piece) = event else { continue };
            assert!(piece.opaque, "not compressed");
            assembly.push(&piece, &wire).unwrap();
            if piece.ends_message {
                let mut out = Buffer::new(budget());
                for part in assembly.payload().chunks(cut) {
                    inflater.inflate(part, &mut out).unwrap();
                }
                inflater.finish(&mut out).unwrap();
                heard.push(out.to_vec());
                assembly = Assembly::new(budget());
            }
        }
        prop_assert_eq!(at, wire.len());
        prop_assert!(heard == messages);
    }
}

#[test]
fn our_lines_are_read_as_they_are_written() {
    let line = http::HeaderValue::from_static("permessage-deflate; client_max_window_bits=\"12\"");
    let bounds = ListBounds { max_bytes: 100, ..extension::BOUNDS };
    let offers: Vec<Extension> = extension::parse([&line], &bounds).unwrap();
    let (agreed, answer) = Params::default().choose(&offers).unwrap();
    assert_eq!(agreed.client.bits, WindowBits::new(12).unwrap());
    assert_eq!(answer.name, negotiate::NAME);
}
