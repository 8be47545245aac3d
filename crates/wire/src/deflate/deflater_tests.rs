//! Deflating, and that what is deflated is inflated, in any pieces.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::deflate::{InflateLimits, Inflater};
use flate2::{Decompress, FlushDecompress};
use proptest::prelude::*;

const WIDE: InflateLimits = InflateLimits { max_message: 1 << 24, max_ratio: 2000, ratio_from: 0 };

fn window(bits: u8, takeover: bool) -> Window {
    Window { bits: WindowBits::new(bits).unwrap(), takeover }
}

fn budget_of(limit: usize) -> Arc<Budget> {
    Arc::new(Budget::new(limit))
}

fn message(deflater: &mut Deflater, data: &[u8], piece: usize) -> Vec<u8> {
    let mut out = Buffer::new(Arc::clone(&deflater.budget));
    for piece in data.chunks(piece) {
        deflater.deflate(piece, &mut out).unwrap();
    }
    deflater.finish(&mut out).unwrap();
    out.to_vec()
}

fn deflater(window: Window, level: u8) -> Deflater {
    Deflater::new(window, Level::new(level).unwrap(), budget_of(1 << 26))
}

#[test]
fn the_examples_of_the_rfc() {
    let mut taking_over = deflater(window(15, true), 6);
    assert_eq!(message(&mut taking_over, b"Hello", 5), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    // With takeover a match takes the place of the text; which one is the compressor's choice.
    assert!(message(&mut taking_over, b"Hello", 5).len() <= 5);
    assert_eq!(message(&mut taking_over, b"", 5), [0x00]);
    assert!(message(&mut taking_over, b"Hello", 5).len() <= 5);
    let mut forgetting = deflater(window(15, false), 6);
    for _ in 0..3 {
        assert_eq!(message(&mut forgetting, b"Hello", 2), [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
        assert_eq!(message(&mut forgetting, b"", 2), [0x00]);
    }
}

#[test]
fn levels_are_one_to_nine() {
    assert_eq!((1..=9).filter(|level| Level::new(*level).is_some()).count(), 9);
    assert!(Level::new(0).is_none() && Level::new(10).is_none());
}

#[test]
fn the_budget_holds_and_comes_back() {
    let budget = budget_of(state_bytes(WindowBits::MIN) + 1024);
    let mut small = Deflater::new(window(9, false), Level::FAST, Arc::clone(&budget));
    let mut out = Buffer::new(Arc::clone(&budget));
    small.deflate(b"Hello", &mut out).unwrap();
    let mut other = Deflater::new(window(9, false), Level::FAST, Arc::clone(&budget));
    let error = other.deflate(b"Hello", &mut out).unwrap_err();
    assert_eq!((error, error.close_code()), (DeflateError::NoMemory, CloseCode::TRY_AGAIN));
    assert_eq!(other.finish(&mut out), Err(error), "what failed stays failed");
    small.release();
    small.finish(&mut out).unwrap();
    small.release();
    assert_eq!(budget.used(), 1024);
    // Noise does not shrink, so the output passes what is left.
    let noise: Vec<u8> = (0..9999_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert!(small.deflate(&noise, &mut out).and_then(|()| small.finish(&mut out)).is_err());
    drop((small, out));
    assert_eq!(budget.used(), 0);
}

#[test]
fn noise_of_every_length_ends_in_a_tail_that_can_be_left_out() {
    let noise: Vec<u8> = (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 23) as u8).collect();
    for length in (1000..1100).chain(2000..2100).chain(4000..4100) {
        let payload = message(&mut deflater(window(15, false), 1), &noise[..length], 5000);
        let mut inflater = Inflater::new(window(15, false), WIDE, budget_of(1 << 20));
        let mut out = Buffer::new(budget_of(1 << 20));
        inflater.inflate(&payload, &mut out).unwrap();
        inflater.finish(&mut out).unwrap();
        assert_eq!(&out[..], &noise[..length]);
    }
}

/// Inflates with a window of exactly `bits`: writing a byte at a time, zlib lets no match reach back farther.
fn inflate_strictly(bits: u8, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Decompress::new_with_window_bits(false, bits);
    let mut data = Vec::new();
    for payload in messages {
        for mut input in [&payload[..], &TAIL] {
            loop {
                let (read, mut byte) = (stream.total_in(), [0]);
                let written = stream.total_out();
                stream.decompress(input, &mut byte, FlushDecompress::None).unwrap();
                input = &input[(stream.total_in() - read) as usize..];
                if stream.total_out() == written {
                    assert!(input.is_empty());
                    break;
                }
                data.push(byte[0]);
            }
        }
    }
    data
}

#[test]
fn no_match_reaches_beyond_the_negotiated_window() {
    // Repeats at every distance up to the window and beyond.
    let mut text = Vec::new();
    for n in 0..3000_u32 {
        text.extend_from_slice(n.wrapping_mul(2_654_435_761).to_string().as_bytes());
        let back = (n as usize * 37) % text.len().min(40_000);
        let from = text.len() - back - 1;
        let end = (from + 30).min(text.len());
        text.extend_from_within(from..end);
    }
    for bits in 9..=15 {
        for level in 1..=9 {
            let mut deflater = deflater(window(bits, true), level);
            let messages: Vec<Vec<u8>> =
                text.chunks(7000).map(|part| message(&mut deflater, part, 900)).collect();
            assert_eq!(inflate_strictly(bits, &messages), text, "{bits} bits, level {level}");
        }
    }
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let words =
        prop::collection::vec(prop::sample::select(vec!["{\"a\":", "1}", "the ", "\u{20ac}", "x"]), 0..2000);
    prop_oneof![
        words.prop_map(|words| words.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..5000),
        (any::<u8>(), 0..100_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_deflated_is_inflated(
        bits in 9_u8..=15,
        takeover in any::<bool>(),
        level in 1_u8..=9,
        messages in prop::collection::vec((payload(), 1..5000_usize, 1..5000_usize), 1..5),
    ) {
        let window = window(bits, takeover);
        let budget = budget_of(1 << 24);
        let mut deflater = Deflater::new(window, Level::new(level).unwrap(), Arc::clone(&budget));
        let mut inflater = Inflater::new(window, WIDE, Arc::clone(&budget));
        for (data, cut, other_cut) in &messages {
            let payload = message(&mut deflater, data, *cut);
            let mut out = Buffer::new(Arc::clone(&budget));
            for piece in payload.chunks(*other_cut) {
                inflater.inflate(piece, &mut out).unwrap();
            }
            inflater.finish(&mut out).unwrap();
            prop_assert!(out[..] == data[..]);
        }
        drop((deflater, inflater));
        prop_assert_eq!(budget.used(), 0);
    }
}
