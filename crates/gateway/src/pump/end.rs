//! Why a session ended, and what each side is told: one variant a reason, one match a question.

use wicketgate_wire::{AssemblyError, CloseCode, Violation};

/// One of a session's two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that came to us.
    Client,
    /// The one that we dialled.
    Upstream,
}

impl Side {
    /// The side's name in logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
        }
    }

    /// The one across.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Upstream,
            Self::Upstream => Self::Client,
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A close handshake, begun by this side with this code.
    Closed(Side, Option<CloseCode>),
    /// This side's connection ended without a close frame.
    Vanished(Side),
    /// This side broke the protocol or a limit on its frames.
    Violation(Side, Violation),
    /// This side sent a type of message that the route does not accept.
    WrongType(Side),
    /// This side sent compressed data that cannot be inflated, or too much of it.
    BadDeflate(Side, CloseCode),
    /// The route's policy let a message of this side not pass; the side is told this code.
    Policy(Side, CloseCode),
    /// This side was over a rate.
    Rate(Side),
    /// This side took too long over one message.
    SlowMessage(Side),
    /// No first message came from this side in time.
    NoFirstMessage(Side),
    /// This side took no bytes for too long.
    Stalled(Side),
    /// This side did not answer pings.
    Dead(Side),
    /// Nobody said anything for too long.
    Idle,
    /// The session reached its greatest age.
    Aged,
    /// The client's credential has expired; it is told this code.
    Expired(CloseCode),
    /// The client's credential was revoked, or whoever issued it does not stand behind it any more.
    Revoked(CloseCode),
    /// An operator ended it.
    Kicked(CloseCode),
    /// The client would not be admitted any more under the configuration that is followed now.
    Unadmitted,
    /// All sessions together hold as much memory as they may.
    NoMemory(Side),
    /// A message of this side could not be recorded, and had to be.
    Unrecorded(Side),
    /// The gateway restarts, or the session's route is gone.
    Drained,
    /// The close handshake that this side began was not finished in time.
    CloseTimeout(Side),
}

impl End {
    /// The word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed(..) => "closed",
            Self::Vanished(_) => "vanished",
            Self::Violation(_, violation) => violation.label(),
            Self::WrongType(_) => "wrong_type",
            Self::BadDeflate(..) => "bad_deflate",
            Self::Policy(..) => "policy",
            Self::Rate(_) => "rate",
            Self::SlowMessage(_) => "slow_message",
            Self::NoFirstMessage(_) => "no_first_message",
            Self::Stalled(_) => "stalled",
            Self::Dead(_) => "dead_peer",
            Self::Idle => "idle",
            Self::Aged => "aged",
            Self::Expired(_) => "credential_expired",
            Self::Revoked(_) => "credential_revoked",
            Self::Kicked(_) => "kicked",
            Self::Unadmitted => "not_admitted_any_more",
            Self::NoMemory(_) => "no_memory",
            Self::Unrecorded(_) => "unrecorded",
            Self::Drained => "drained",
            Self::CloseTimeout(_) => "close_timeout",
        }
    }

    /// Whose doing it was; `None` for the gateway's own.
    pub const fn by(self) -> Option<Side> {
        match self {
            Self::Closed(side, _)
            | Self::Vanished(side)
            | Self::Violation(side, _)
            | Self::WrongType(side)
            | Self::BadDeflate(side, _)
            | Self::Policy(side, _)
            | Self::Rate(side)
            | Self::SlowMessage(side)
            | Self::NoFirstMessage(side)
            | Self::Stalled(side)
            | Self::Dead(side)
            | Self::NoMemory(side)
            | Self::CloseTimeout(side) => Some(side),
            Self::Idle | Self::Aged | Self::Drained | Self::Unrecorded(_) => None,
            Self::Expired(_) | Self::Revoked(_) | Self::Kicked(_) | Self::Unadmitted => None,
        }
    }

    /// The code for the side whose doing it was, or for both where it was the gateway's.
    pub const fn code(self) -> CloseCode {
        match self {
            Self::Closed(_, Some(code)) => code,
            Self::Closed(_, None) => CloseCode::NO_STATUS,
            Self::Vanished(_) | Self::CloseTimeout(_) => CloseCode::ABNORMAL,
            Self::Violation(_, violation) => violation.close_code(),
            Self::WrongType(_) => CloseCode::UNSUPPORTED,
            Self::BadDeflate(_, code) | Self::Policy(_, code) => code,
            Self::Rate(_) | Self::SlowMessage(_) | Self::NoFirstMessage(_) => CloseCode::POLICY,
            Self::Stalled(_) | Self::Dead(_) | Self::Idle => CloseCode::POLICY,
            Self::Aged => CloseCode::GOING_AWAY,
            Self::Expired(code) | Self::Revoked(code) | Self::Kicked(code) => code,
            Self::NoMemory(_) => CloseCode::TRY_AGAIN,
            Self::Unrecorded(_) => CloseCode::INTERNAL,
            Self::Drained | Self::Unadmitted => CloseCode::RESTART,
        }
    }

    /// The code that `side` is sent.
    pub fn code_for(self, side: Side) -> CloseCode {
        match self.by() {
            // What ended is between the client and us.
            None if side == Side::Upstream && self.is_about_client() => CloseCode::GOING_AWAY,
            Some(by) if by == side => self.code(),
            Some(Side::Upstream) => CloseCode::INTERNAL,
            Some(Side::Client) => CloseCode::GOING_AWAY,
            None => self.code(),
        }
    }

    /// Whether the client lost the right to its session.
    const fn is_about_client(self) -> bool {
        matches!(self, Self::Expired(_) | Self::Revoked(_) | Self::Kicked(_) | Self::Unadmitted)
    }

    /// From an error of message assembly in what `side` sent.
    pub const fn from_assembly(side: Side, error: AssemblyError) -> Self {
        match error {
            AssemblyError::Violation(violation) => Self::Violation(side, violation),
            AssemblyError::NoMemory => Self::NoMemory(side),
        }
    }
}
