//! Compressed messages of one direction: inflated to be judged, and passed on as they came where the other
//! side can inflate them too, or compressed anew for it.

use std::sync::Arc;

use wicketgate_wire::Budget;
use wicketgate_wire::deflate::{
    Buffer, DeflateError, Deflater, InflateError, InflateLimits, Inflater, Level, Params, WindowBits,
};

use super::config::WebSocketConfig;
use super::end::Side;

/// Inflated bytes below which the ratio does not count: so much repetition is honest, and harmless.
const RATIO_FROM: usize = 4 << 20;

/// What inflates one side's messages.
#[derive(Debug)]
pub struct Inflation {
    inflater: Inflater,
    out: Buffer,
    onward: Onward,
}

/// How a compressed message goes on.
#[derive(Debug)]
enum Onward {
    /// As it came.
    AsItCame,
    /// Compressed anew, within the window that the other side has.
    Anew(Box<(Deflater, Buffer)>),
    /// In clear: the other side has no compression.
    Clear,
}

/// What is to be sent in place of a message that cannot go on as it came.
#[derive(Debug)]
pub enum Instead<'a> {
    /// This, marked as compressed.
    Compressed(&'a [u8]),
    /// This, in clear.
    Clear(&'a [u8]),
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
        let onward = match other.map(window) {
            None => Onward::Clear,
            // The inflater reads with the widest window. Only a receiver that does too reads the same out of a message
            // whose sender reaches back farther than it has promised.
            Some(taken) if !sent.takeover && taken.bits == WindowBits::MAX => Onward::AsItCame,
            Some(taken) => {
                let deflater = Deflater::new(taken, Level::FAST, budget.clone());
                Onward::Anew(Box::new((deflater, Buffer::new(budget.clone()))))
            }
        };
        let limits = InflateLimits {
            max_message: usize::try_from(config.frames.message).unwrap_or(usize::MAX),
            max_ratio: config.inflate_ratio as usize,
            ratio_from: RATIO_FROM,
        };
        Self { inflater: Inflater::new(sent, limits, budget.clone()), out: Buffer::new(budget), onward }
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

    /// What goes on in place of the message; `None` where it goes on as it came.
    pub fn instead(&mut self) -> Result<Option<Instead<'_>>, DeflateError> {
        match &mut self.onward {
            Onward::AsItCame => Ok(None),
            Onward::Clear => Ok(Some(Instead::Clear(&self.out))),
            Onward::Anew(anew) => {
                let (deflater, compressed) = &mut **anew;
                deflater.deflate(&self.out, compressed)?;
                deflater.finish(compressed)?;
                Ok(Some(Instead::Compressed(compressed)))
            }
        }
    }

    /// Forgets the message, and gives its memory back.
    pub fn release(&mut self) {
        self.inflater.release();
        self.out.release();
        if let Onward::Anew(anew) = &mut self.onward {
            anew.0.release();
            anew.1.release();
        }
    }
}
