//! Why a session has ended, and who said so.

use std::fmt;

use bytes::Bytes;

use super::record;

/// The reason in a CLOSE record. The session is over with each of them; they differ in what may be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The purpose is fulfilled.
    Normal,
    /// A certificate or name was revoked.
    Revoked,
    /// Whoever attaches is not, or not any more, allowed to.
    Forbidden,
    /// No such session is known here.
    UnknownSession,
    /// Bytes are asked for that are no longer held, so the stream cannot go on.
    RewindImpossible,
    /// The carrier broke before both ends had the key that proves who attaches; no application byte was delivered.
    Unverified,
    /// A limit on sessions is reached.
    Limits,
    /// The agent was started anew and has forgotten its sessions.
    AgentRestarted,
    /// An operator has ended the session.
    Operator,
    /// The versions of the two ends do not fit.
    Version,
    /// No carrier was attached for longer than [`grace`](super::Limits::grace).
    GraceElapsed,
    /// A code that this version does not know, kept as it came.
    Other(u16),
}

impl Reason {
    /// The reason of a code on the wire.
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Normal,
            2 => Self::Revoked,
            3 => Self::Forbidden,
            4 => Self::UnknownSession,
            5 => Self::RewindImpossible,
            6 => Self::Unverified,
            7 => Self::Limits,
            8 => Self::AgentRestarted,
            9 => Self::Operator,
            10 => Self::Version,
            11 => Self::GraceElapsed,
            other => Self::Other(other),
        }
    }

    /// Its code on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1,
            Self::Revoked => 2,
            Self::Forbidden => 3,
            Self::UnknownSession => 4,
            Self::RewindImpossible => 5,
            Self::Unverified => 6,
            Self::Limits => 7,
            Self::AgentRestarted => 8,
            Self::Operator => 9,
            Self::Version => 10,
            Self::GraceElapsed => 11,
            Self::Other(code) => code,
        }
    }

    /// Whether a new session may be tried without anybody changing something first. This one is over all the same:
    /// nothing is gained by attaching to it again.
    pub const fn retryable(self) -> bool {
        match self {
            Self::UnknownSession
            | Self::RewindImpossible
            | Self::Unverified
            | Self::Limits
            | Self::AgentRestarted
            | Self::GraceElapsed => true,
            Self::Normal
            | Self::Revoked
            | Self::Forbidden
            | Self::Operator
            | Self::Version
            | Self::Other(_) => false,
        }
    }

    /// A stable word for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Revoked => "revoked",
            Self::Forbidden => "forbidden",
            Self::UnknownSession => "unknown_session",
            Self::RewindImpossible => "rewind_impossible",
            Self::Unverified => "unverified",
            Self::Limits => "limits",
            Self::AgentRestarted => "agent_restarted",
            Self::Operator => "operator",
            Self::Version => "version",
            Self::GraceElapsed => "grace_elapsed",
            Self::Other(_) => "other",
        }
    }
}

/// Who has ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This end.
    Here,
    /// The peer or the gateway, by a CLOSE record. It is not authenticated: whoever carries the bytes can end a
    /// session.
    Peer,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub reason: Reason,
    /// What the reason does not say, at most [`Ended::MAX_TEXT`] bytes. From a peer it is any text: quote it where it
    /// is shown.
    pub text: Box<str>,
    /// Who said so.
    pub by: By,
}

impl Ended {
    /// The longest text, in bytes of UTF-8.
    pub const MAX_TEXT: usize = 256;

    /// An end by this side; a text over 256 bytes is cut at a character.
    pub(super) fn here(reason: Reason, text: &str) -> Self {
        Self { reason, text: cut(text).into(), by: By::Here }
    }

    /// The CLOSE record that tells it, also as the first of a carrier, in place of ATTACH.
    pub fn record(&self) -> Bytes {
        close_record(self.reason, &self.text)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Here => "this end",
            By::Peer => "the peer",
        };
        write!(f, "ended by {by}: {} ({})", self.reason.label(), self.reason.code())?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {:?}", self.text) }
    }
}

/// A CLOSE record for a carrier whose session is not known here or must not go on; a text over 256 bytes is cut at a
/// character.
pub fn close_record(reason: Reason, text: &str) -> Bytes {
    record::close(reason, cut(text))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(Ended::MAX_TEXT)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_kept() {
        for code in 0..=u16::MAX {
            assert_eq!(Reason::from_code(code).code(), code);
        }
        assert!(!Reason::from_code(999).retryable() && Reason::UnknownSession.retryable());
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let ended = Ended::here(Reason::Normal, &"x€".repeat(100));
        assert_eq!(ended.text.len(), 256);
        assert_eq!(Ended::here(Reason::Normal, &"€".repeat(100)).text.len(), 255);
        assert!(ended.to_string().starts_with("ended by this end: normal (1): \"x€"));
    }
}
