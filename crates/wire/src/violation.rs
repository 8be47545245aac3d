//! Every way in which a peer can break RFC 6455, or a limit, with the close code that answers it.

use crate::CloseCode;

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Reserved bits that no negotiated extension gives a meaning (section 5.2).
    #[error("reserved bits are set that no extension was negotiated for")]
    ReservedBits,
    /// An opcode that RFC 6455 does not define (section 5.2).
    #[error("unknown opcode {0:#x}")]
    UnknownOpcode(u8),
    /// A control frame without FIN (section 5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A length not in its shortest form (section 5.2).
    #[error("a payload length is not in its shortest form")]
    LengthNotMinimal,
    /// A length of 2^63 or more (section 5.2).
    #[error("a payload length has its top bit set")]
    LengthOverflow,
    /// A client's frame without a mask (section 5.1).
    #[error("a client's frame is not masked")]
    Unmasked,
    /// A server's frame with a mask (section 5.1).
    #[error("a server's frame is masked")]
    Masked,
    /// A continuation where no message is open (section 5.4).
    #[error("a continuation frame outside of a message")]
    UnexpectedContinuation,
    /// A new message inside an open one (section 5.4).
    #[error("a new message begins before the last one has ended")]
    InterleavedMessage,
    /// A close body of one byte (section 5.5.1).
    #[error("a close frame with a body of one byte")]
    CloseTooShort,
    /// A close code that must not appear on the wire (section 7.4).
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    /// Text that is not UTF-8 (section 8.1).
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// A frame over the configured size.
    #[error("a frame is larger than the limit")]
    FrameTooBig,
    /// A message over the configured size.
    #[error("a message is larger than the limit")]
    MessageTooBig,
    /// A message of more fragments than configured.
    #[error("a message has more fragments than the limit")]
    TooManyFragments,
}

impl Violation {
    /// The close code for the peer that did it (section 7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 => CloseCode::INVALID_DATA,
            Self::FrameTooBig | Self::MessageTooBig => CloseCode::TOO_BIG,
            Self::TooManyFragments => CloseCode::POLICY,
            _ => CloseCode::PROTOCOL,
        }
    }

    /// A stable word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved_bits",
            Self::UnknownOpcode(_) => "unknown_opcode",
            Self::FragmentedControl => "fragmented_control",
            Self::ControlTooLong => "control_too_long",
            Self::LengthNotMinimal => "length_not_minimal",
            Self::LengthOverflow => "length_overflow",
            Self::Unmasked => "unmasked",
            Self::Masked => "masked",
            Self::UnexpectedContinuation => "unexpected_continuation",
            Self::InterleavedMessage => "interleaved_message",
            Self::CloseTooShort => "close_too_short",
            Self::CloseCode(_) => "close_code",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::FrameTooBig => "frame_too_big",
            Self::MessageTooBig => "message_too_big",
            Self::TooManyFragments => "too_many_fragments",
        }
    }
}
