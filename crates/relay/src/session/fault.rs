//! Everything that ends a carrier but not its session.

use std::{error, fmt};

use super::Ended;

/// Why a carrier is to be dropped, without a word: what came on it may be someone else's, and a CLOSE would end the
/// true peer's session. It goes on with the next carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The first record is neither ATTACH nor CLOSE.
    NotAttach(u8),
    /// ATTACH where the carrier is attached already.
    AttachedTwice,
    /// A record type that this version does not know.
    UnknownRecord(u8),
    /// An ATTACH of a version that is not spoken here.
    Version(u8),
    /// An ATTACH of another session.
    ForeignSession,
    /// One end has the key and the other has not, or neither has and bytes have passed: nothing proves who attaches.
    Unverified,
    /// The tag of an ATTACH is wrong.
    WrongTag,
    /// An ATTACH that is not newer than the last one of the same peer.
    StaleEpoch {
        /// The epoch in it.
        epoch: u64,
        /// The newest that was accepted.
        newest: u64,
    },
    /// An offset that was never sent is acknowledged.
    FutureOffset {
        /// The offset in the record.
        offset: u64,
        /// The end of what was sent.
        sent: u64,
    },
    /// Less is acknowledged than before.
    AckBackward,
    /// A window smaller than before, or behind what the same record acknowledges.
    WindowBackward,
    /// DATA or FIN that does not continue what came before.
    Gap {
        /// The offset that has to come next.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// DATA of no bytes.
    EmptyData,
    /// DATA longer than [`record`](super::Limits::record).
    DataTooLong(u32),
    /// DATA over the window.
    BeyondWindow,
    /// DATA behind FIN, or FIN at another offset than before.
    AfterFin,
    /// PONG to no PING.
    UnaskedPong,
    /// The text of a CLOSE is longer than 256 bytes or not UTF-8.
    CloseText,
    /// Nothing came for as long as PINGs are waited for.
    Dead,
    /// A carrier was offered beside this one, and its ATTACH was not answered in time.
    Unanswered,
    /// The call is for a carrier that was not offered or is not attached.
    Detached,
}

impl Fault {
    /// A stable word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotAttach(_) => "not_attach",
            Self::AttachedTwice => "attached_twice",
            Self::UnknownRecord(_) => "unknown_record",
            Self::Version(_) => "version",
            Self::ForeignSession => "foreign_session",
            Self::Unverified => "unverified",
            Self::WrongTag => "wrong_tag",
            Self::StaleEpoch { .. } => "stale_epoch",
            Self::FutureOffset { .. } => "future_offset",
            Self::AckBackward => "ack_backward",
            Self::WindowBackward => "window_backward",
            Self::Gap { .. } => "gap",
            Self::EmptyData => "empty_data",
            Self::DataTooLong(_) => "data_too_long",
            Self::BeyondWindow => "beyond_window",
            Self::AfterFin => "after_fin",
            Self::UnaskedPong => "unasked_pong",
            Self::CloseText => "close_text",
            Self::Dead => "dead",
            Self::Unanswered => "unanswered",
            Self::Detached => "detached",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAttach(kind) => write!(f, "the first record is of type {kind:#04x}, not ATTACH"),
            Self::AttachedTwice => f.write_str("ATTACH on a carrier that is attached"),
            Self::UnknownRecord(kind) => write!(f, "unknown record type {kind:#04x}"),
            Self::Version(version) => {
                write!(f, "version {version} of the session protocol is not spoken here")
            }
            Self::ForeignSession => f.write_str("ATTACH of another session"),
            Self::Unverified => f.write_str("nothing proves who attaches: an end has no key yet"),
            Self::WrongTag => f.write_str("the tag of an ATTACH is wrong"),
            Self::StaleEpoch { epoch, newest } => {
                write!(f, "ATTACH of epoch {epoch}, but {newest} was there already")
            }
            Self::FutureOffset { offset, sent } => {
                write!(f, "offset {offset} is acknowledged, but only {sent} bytes were sent")
            }
            Self::AckBackward => f.write_str("less is acknowledged than before"),
            Self::WindowBackward => f.write_str("the window has become smaller"),
            Self::Gap { expected, found } => write!(f, "offset {found} where {expected} has to come"),
            Self::EmptyData => f.write_str("DATA of no bytes"),
            Self::DataTooLong(length) => write!(f, "DATA of {length} bytes is longer than the limit"),
            Self::BeyondWindow => f.write_str("DATA over the window"),
            Self::AfterFin => f.write_str("the stream goes on behind its end"),
            Self::UnaskedPong => f.write_str("PONG to no PING"),
            Self::CloseText => f.write_str("the text of CLOSE is too long or not UTF-8"),
            Self::Dead => f.write_str("nothing came for as long as PINGs are waited for"),
            Self::Unanswered => f.write_str("the carrier offered beside this one was not answered in time"),
            Self::Detached => f.write_str("no such carrier was offered or is attached"),
        }
    }
}

impl error::Error for Fault {}

/// Why a call could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// Drop the carrier that the call was for, and attach another.
    Fault(Fault),
    /// The session is over. Where it was ended [here](super::By::Here) and the carrier still takes bytes, send it
    /// [`Ended::record`] or what [`transmit`](super::Session::transmit) gives.
    Ended(Ended),
}

impl From<Fault> for Break {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Ended(ended) => ended.fmt(f),
        }
    }
}

impl error::Error for Break {}
