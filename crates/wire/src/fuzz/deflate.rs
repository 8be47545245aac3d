//! Compressed messages, hostile and our own.

use std::sync::Arc;

use super::byte;
use crate::Budget;
use crate::deflate::{Buffer, Deflater, InflateError, InflateLimits, Inflater, Level, Window, WindowBits};

const BUDGET: usize = 4 << 20;

/// A few numbers that choose window, limits and cuts, and behind them the bytes that are inflated as they
/// are, and deflated and inflated again.
pub fn deflate(mut data: &[u8]) {
    let flags = byte(&mut data);
    let bits = WindowBits::new(9 + byte(&mut data) % 7).unwrap_or_default();
    let level = Level::new(1 + byte(&mut data) % 9).unwrap_or_default();
    let max_message = (usize::from(byte(&mut data)) + 1) * 256;
    let max_ratio = usize::from(byte(&mut data)) + 1;
    let cut = usize::from(byte(&mut data)) + 1;
    let window = Window { bits, takeover: flags & 1 == 0 };
    let messages: Vec<&[u8]> = data.chunks((data.len() / (1 + usize::from(flags >> 6))).max(1)).collect();

    let wide = InflateLimits { max_message, max_ratio: usize::MAX, ratio_from: 0 };
    let whole = inflate(&messages, window, wide, usize::MAX);
    assert_eq!(inflate(&messages, window, wide, cut), whole, "a cut changes what a message says");

    let strict = InflateLimits { max_message, max_ratio, ratio_from: 512 };
    if inflate(&messages, window, strict, cut).is_some() {
        assert!(whole.is_some(), "a narrower limit lets more through");
    }
    round_trip(&messages, window, level, cut);
}

/// What the messages say, if all of them can be inflated. The limits must hold at each step.
fn inflate(messages: &[&[u8]], window: Window, limits: InflateLimits, cut: usize) -> Option<Vec<Vec<u8>>> {
    let budget = Arc::new(Budget::new(BUDGET));
    let mut inflater = Inflater::new(window, limits, Arc::clone(&budget));
    let mut said = Vec::new();
    for payload in messages {
        let mut out = Buffer::new(Arc::clone(&budget));
        let mut received = 0_usize;
        let mut result = Ok(());
        for piece in payload.chunks(cut.min(payload.len().max(1))) {
            received += piece.len();
            result = inflater.inflate(piece, &mut out);
            assert!(budget.used() <= BUDGET);
            let allowed =
                limits.max_message.min(limits.ratio_from.max(received.saturating_mul(limits.max_ratio)));
            assert!(out.len() <= allowed + 1, "{} bytes where {allowed} are allowed", out.len());
            assert!(result.is_err() || out.len() <= allowed);
            if result.is_err() {
                break;
            }
        }
        if let Err(error) = result.and_then(|()| inflater.finish(&mut out)) {
            assert!(!matches!(error, InflateError::NoMemory));
            assert_eq!(inflater.finish(&mut out), Err(error), "what failed goes on");
            drop(out);
            assert_eq!(budget.used(), 0, "what failed holds memory");
            return None;
        }
        inflater.release();
        said.push(out.to_vec());
    }
    drop(inflater);
    assert_eq!(budget.used(), 0);
    Some(said)
}

fn round_trip(messages: &[&[u8]], window: Window, level: Level, cut: usize) {
    let budget = Arc::new(Budget::new(BUDGET));
    let limits = InflateLimits { max_message: usize::MAX, max_ratio: usize::MAX, ratio_from: 0 };
    let mut deflater = Deflater::new(window, level, Arc::clone(&budget));
    let mut inflater = Inflater::new(window, limits, Arc::clone(&budget));
    for data in messages {
        let mut payload = Buffer::new(Arc::clone(&budget));
        let mut out = Buffer::new(Arc::clone(&budget));
        for piece in data.chunks(cut) {
            assert_eq!(deflater.deflate(piece, &mut payload), Ok(()));
        }
        assert_eq!(deflater.finish(&mut payload), Ok(()));
        for piece in payload.chunks(cut) {
            assert_eq!(inflater.inflate(piece, &mut out), Ok(()));
        }
        assert_eq!(inflater.finish(&mut out), Ok(()));
        assert!(out[..] == **data, "what was deflated does not come back");
        deflater.release();
    }
}
