//! Inflating: the RFC's examples, each violation, each limit.
#![allow(clippy::unwrap_used)]

use super::*;

const WIDE: InflateLimits = InflateLimits { max_message: 1 << 20, max_ratio: 2000, ratio_from: 0 };
/// "Hello", RFC 7692 section 7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn inflater(takeover: bool, limits: InflateLimits) -> (Inflater, Arc<Budget>) {
    let budget = budget_of(1 << 22);
    (Inflater::new(Window { takeover, ..Window::default() }, limits, Arc::clone(&budget)), budget)
}

fn budget_of(limit: usize) -> Arc<Budget> {
    Arc::new(Budget::new(limit))
}

fn message(inflater: &mut Inflater, payload: &[u8], piece: usize) -> Result<Vec<u8>, InflateError> {
    let mut out = Buffer::new(Arc::clone(&inflater.budget));
    for piece in payload.chunks(piece) {
        inflater.inflate(piece, &mut out)?;
    }
    inflater.finish(&mut out)?;
    Ok(out.to_vec())
}

/// One message in all cuts; they must agree.
fn once(payload: &[u8], limits: InflateLimits) -> Result<Vec<u8>, InflateError> {
    let whole = message(&mut inflater(true, limits).0, payload, payload.len().max(1));
    for piece in 1..payload.len().min(20) {
        for takeover in [false, true] {
            assert_eq!(
                message(&mut inflater(takeover, limits).0, payload, piece),
                whole,
                "pieces of {piece}"
            );
        }
    }
    whole
}

/// Raw DEFLATE of `data` with all its tail, by zlib itself.
fn zlib(data: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut stream = flate2::Compress::new(flate2::Compression::best(), false);
    let mut out = Vec::with_capacity(data.len() + 1024);
    stream.compress_vec(data, &mut out, flush).unwrap();
    out
}

use flate2::FlushCompress;

#[test]
fn the_examples_of_the_rfc() {
    assert_eq!(once(&HELLO, WIDE).unwrap(), b"Hello");
    // Section 7.2.3.2: the second message refers to the first.
    let (mut taking_over, _) = inflater(true, WIDE);
    assert_eq!(message(&mut taking_over, &HELLO, 7).unwrap(), b"Hello");
    assert_eq!(message(&mut taking_over, &[0xf2, 0x00, 0x11, 0x00, 0x00], 5).unwrap(), b"Hello");
    let (mut forgetting, _) = inflater(false, WIDE);
    assert_eq!(message(&mut forgetting, &HELLO, 7).unwrap(), b"Hello");
    assert_eq!(message(&mut forgetting, &[0xf2, 0x00, 0x11, 0x00, 0x00], 5), Err(InflateError::Corrupt));
    // Section 7.2.3.3: a stored block.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(once(&stored, WIDE).unwrap(), b"Hello");
    // Section 7.2.3.4: a final block.
    assert_eq!(once(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], WIDE).unwrap(), b"Hello");
    // Section 7.2.3.5: two blocks.
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(once(&two, WIDE).unwrap(), b"Hello");
    // Section 7.2.3.6: an empty message.
    assert_eq!(once(&[0x00], WIDE).unwrap(), b"");
}

#[test]
fn an_empty_payload_is_an_empty_message_and_leaves_the_window_alone() {
    let (mut inflater, budget) = inflater(true, WIDE);
    assert_eq!(message(&mut inflater, b"", 1).unwrap(), b"");
    assert_eq!(budget.used(), 0, "no state for nothing");
    assert_eq!(message(&mut inflater, &HELLO, 7).unwrap(), b"Hello");
    assert_eq!(message(&mut inflater, b"", 1).unwrap(), b"");
    assert_eq!(message(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00], 5).unwrap(), b"Hello");
}

#[test]
fn a_final_block_without_the_octet_after_it_ends_its_message_only() {
    let (mut inflater, _) = inflater(true, WIDE);
    for _ in 0..3 {
        assert_eq!(message(&mut inflater, &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 7).unwrap(), b"Hello");
        assert_eq!(message(&mut inflater, &HELLO, 7).unwrap(), b"Hello");
    }
}

#[test]
fn each_violation_has_its_name() {
    let final_hello: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let after = |rest: &[u8]| once(&[final_hello, rest].concat(), WIDE);
    assert_eq!(after(&HELLO), Err(InflateError::AfterFinalBlock));
    assert_eq!(after(final_hello), Err(InflateError::AfterFinalBlock));
    assert_eq!(after(&[0x03, 0x00]), Err(InflateError::AfterFinalBlock), "even an empty final block");
    // A reserved block type.
    assert_eq!(once(&[0x06, 0x00], WIDE), Err(InflateError::Corrupt));
    // A stored block whose lengths differ.
    assert_eq!(once(&[0x00, 0x05, 0x00, 0x00, 0x00, 0x48], WIDE), Err(InflateError::Corrupt));
    // A stored block that promises more than there is: the tail would become its content.
    assert_eq!(once(&[0x00, 0x09, 0x00, 0xf6, 0xff, 0x48, 0x65], WIDE), Err(InflateError::Truncated));
    // A match that reaches back before the start.
    assert_eq!(once(&[0xf2, 0x00, 0x11, 0x00, 0x00], WIDE), Err(InflateError::Corrupt));
    for error in [InflateError::AfterFinalBlock, InflateError::Corrupt, InflateError::Truncated] {
        assert_eq!(error.close_code(), CloseCode::INVALID_DATA);
    }
}

#[test]
fn what_failed_stays_failed_and_holds_nothing() {
    let (mut inflater, budget) = inflater(false, WIDE);
    assert_eq!(message(&mut inflater, &[0x06, 0x00], 2), Err(InflateError::Corrupt));
    assert_eq!(budget.used(), 0);
    assert_eq!(message(&mut inflater, &HELLO, 7), Err(InflateError::Corrupt));
    assert_eq!(message(&mut inflater, b"", 7), Err(InflateError::Corrupt));
}

#[test]
fn the_size_limit_is_exact_and_holds_before_memory_grows() {
    let payload = zlib(&[b'a'; 100_000], FlushCompress::Sync);
    let payload = payload.strip_suffix(&TAIL).unwrap();
    let exact = InflateLimits { max_message: 100_000, ..WIDE };
    assert_eq!(once(payload, exact).unwrap().len(), 100_000);
    let below = InflateLimits { max_message: 99_999, ..WIDE };
    assert_eq!(once(payload, below), Err(InflateError::TooLarge(99_999)));
    assert_eq!(InflateError::TooLarge(1).close_code(), CloseCode::TOO_BIG);

    let small = InflateLimits { max_message: 2000, ..WIDE };
    let (mut inflater, budget) = inflater(true, small);
    let mut out = Buffer::new(Arc::clone(&budget));
    assert!(inflater.inflate(payload, &mut out).is_err());
    assert!(budget.used() <= 2001, "{}", budget.used());
    let empty = InflateLimits { max_message: 0, ..WIDE };
    assert_eq!(once(&[0x00], empty).unwrap(), b"");
    assert_eq!(once(&HELLO, empty), Err(InflateError::TooLarge(0)));
}

#[test]
fn the_ratio_limit_counts_what_was_received_and_spares_the_small() {
    let payload = zlib(&[b'a'; 100_000], FlushCompress::Sync);
    let payload = payload.strip_suffix(&TAIL).unwrap();
    let strict = InflateLimits { max_ratio: 100, ..WIDE };
    assert_eq!(once(payload, strict), Err(InflateError::Ratio(100)));
    assert_eq!(InflateError::Ratio(1).close_code(), CloseCode::TOO_BIG);
    let spared = InflateLimits { ratio_from: 100_000, ..strict };
    assert_eq!(once(payload, spared).unwrap().len(), 100_000);
    let text: Vec<u8> = (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let honest = zlib(&text, FlushCompress::Sync);
    assert_eq!(once(honest.strip_suffix(&TAIL).unwrap(), strict).unwrap(), text);
}

#[test]
fn the_budget_is_shared_and_comes_back() {
    let budget = budget_of(STATE_BYTES * 2);
    let new = || Inflater::new(Window::default(), WIDE, Arc::clone(&budget));
    let (mut first, mut second, mut third) = (new(), new(), new());
    let mut out = Buffer::new(budget_of(9999));
    first.inflate(&HELLO, &mut out).unwrap();
    second.inflate(&HELLO, &mut out).unwrap();
    assert_eq!(third.inflate(&HELLO, &mut out), Err(InflateError::NoMemory));
    assert_eq!(InflateError::NoMemory.close_code(), CloseCode::TRY_AGAIN);
    drop(first);
    assert_eq!(budget.used(), STATE_BYTES);
    drop(second);
    assert_eq!(budget.used(), 0);

    let tight = budget_of(STATE_BYTES);
    let mut inflater = Inflater::new(Window::default(), WIDE, Arc::clone(&tight));
    assert!(
        matches!(message(&mut inflater, &HELLO, 7), Err(InflateError::NoMemory)),
        "no room for the output"
    );
}

#[test]
fn an_idle_inflater_without_takeover_holds_nothing() {
    let (mut inflater, budget) = inflater(false, WIDE);
    let mut out = Buffer::new(Arc::clone(&budget));
    inflater.inflate(&HELLO, &mut out).unwrap();
    inflater.release();
    inflater.finish(&mut out).unwrap();
    assert_eq!(&out[..], b"Hello", "a release within a message does nothing");
    inflater.release();
    drop(out);
    assert_eq!(budget.used(), 0);
    assert_eq!(message(&mut inflater, &HELLO, 3).unwrap(), b"Hello");
}

#[test]
fn the_context_outlives_a_release() {
    let (mut inflater, _) = inflater(true, WIDE);
    assert_eq!(message(&mut inflater, &HELLO, 7).unwrap(), b"Hello");
    inflater.release();
    assert_eq!(message(&mut inflater, &[0xf2, 0x00, 0x11, 0x00, 0x00], 5).unwrap(), b"Hello");
}
