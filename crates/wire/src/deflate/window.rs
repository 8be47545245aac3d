//! The sliding window of one direction of a session.

use std::fmt;

/// The size of a sliding window as the logarithm of its bytes: 9 to 15.
///
/// RFC 7692 allows 8 as well, but zlib cannot compress with it, so it is not negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 512 bytes.
    pub const MIN: Self = Self(9);
    /// 32 KiB, what DEFLATE has without negotiation.
    pub const MAX: Self = Self(15);

    /// The window of `bits`, if it is 9 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        if Self::MIN.0 <= bits && bits <= Self::MAX.0 { Some(Self(bits)) } else { None }
    }

    /// The number of bits.
    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How one direction of a session is compressed. The default is what holds without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How far back a match may reach.
    pub bits: WindowBits,
    /// Whether a message may refer to the messages before it ("context takeover"). It compresses better, and
    /// keeps the state in memory between messages: 45 KiB to inflate, up to 380 KiB to deflate.
    pub takeover: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { bits: WindowBits::MAX, takeover: true }
    }
}

impl Window {
    /// The narrower of two in each respect.
    pub(super) fn narrow(self, other: Self) -> Self {
        Self { bits: self.bits.min(other.bits), takeover: self.takeover && other.takeover }
    }
}
