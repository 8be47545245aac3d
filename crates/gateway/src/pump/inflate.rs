//! Compressed messages of one direction: inflated to be judged, and passed on as they came where the other
//! side can inflate them too.

use std::sync::Arc;

use wicketgate_wire::Budget;
use wicketgate_wire::deflate::{Buffer, InflateError, InflateLimits, Inflater, Params, WindowBits};

use super::config::WebSocketConfig;
use super::end::Side;

/// Inflated bytes below which the ratio does not count: so much repetition is honest, and harmless.
const RATIO_FROM: usize = 4 << 20;

/// What inflates one side's messages.
#[derive(Debug)]
pub struct Inflation {
    inflater: Inflater,
    out: Buffer,
    /// Whether the other side takes compressed messages as this one sends them.
    passes: bool,
}

impl Inflation {
    /// For what `from` sends, negotiated as `own` with it and as `other` with the side across.
    pub fn new(
        from: Side,
        own: Params,
        other: Option<Params>,
        config: &WebSocketConfig,
        budget: Arc<Budget>,
    ) -> Self {
        let window = |params: Params| match from {
            Side::Client => params.client,
            Side::Upstream => params.server,
        };
        let sent = window(own);
        // The inflater reads with the widest window. Only a receiver that does too reads the same out of a message whose
        // sender reaches back farther than it has promised.
        let passes = other.map(window).is_some_and(|taken| !sent.takeover && taken.bits == WindowBits::MAX);
        let limits = InflateLimits {
            max_message: usize::try_from(config.frames.message).unwrap_or(usize::MAX),
            max_ratio: config.inflate_ratio as usize,
            ratio_from: RATIO_FROM,
        };
        Self { inflater: Inflater::new(sent, limits, budget.clone()), out: Buffer::new(budget), passes }
    }

    /// Inflates a whole message; what it says is in `text` until `release`.
    pub fn inflate(&mut self, payload: &[u8]) -> Result<(), InflateError> {
        self.inflater.inflate(payload, &mut self.out)?;
        self.inflater.finish(&mut self.out)
    }

    /// What the message says.
    pub fn text(&self) -> &[u8] {
        &self.out
    }

    /// Whether the message may go on compressed.
    pub const fn passes(&self) -> bool {
        self.passes
    }

    /// Forgets the message, and gives its memory back.
    pub fn release(&mut self) {
        self.inflater.release();
        self.out.release();
    }
}
