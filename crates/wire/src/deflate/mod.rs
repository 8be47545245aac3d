//! permessage-deflate (RFC 7692): negotiated, and bounded in size, ratio and memory.
//!
//! - [`negotiate`]: offers, answers and what both sides then keep to
//! - [`Inflater`] and [`Deflater`]: one direction of a session, a message at a time, in pieces

mod buffer;
mod deflater;
mod inflater;
pub mod negotiate;
mod window;

pub use buffer::{Buffer, NoMemory};
pub use deflater::{DeflateError, Deflater, Level};
pub use inflater::{InflateError, InflateLimits, Inflater};
pub use negotiate::{NAME, NegotiationError, Params};
pub use window::{Window, WindowBits};

/// What a sender leaves out at the end of each message (RFC 7692 section 7.2.1): the length fields of an
/// empty stored block.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
