//! One direction's frames, found in whatever bytes a read gave: which bytes are what, and whether they
//! may stand there (RFC 6455 sections 5.1 to 5.5). Nothing is copied and nothing is reserved.

use std::ops::Range;

use crate::{Header, Opcode, Rsv, Violation};

/// The side that sends the frames: a client's are masked, a server's are not (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opened the connection.
    Client,
    /// Accepted it.
    Server,
}

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

/// What a single header is checked against, before any of its payload is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Payload bytes of one frame.
    pub frame: u64,
    /// Payload bytes of one message as sent, over all of its frames.
    pub message: u64,
    /// Frames of one message.
    pub fragments: u32,
}

/// Bytes of a data frame: the frame whole, or as much of it as the buffer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Text or binary, also for continuations.
    pub kind: DataKind,
    /// Reserved bits are set: only the extension that was negotiated knows what the payload says.
    pub opaque: bool,
    /// The bytes of this piece in the buffer, the header included where it begins here.
    pub whole: Range<usize>,
    /// The payload among them.
    pub payload: Range<usize>,
    /// The key that the payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// How far into the frame's payload this piece begins, modulo 4.
    pub phase: usize,
    /// The first piece of a message.
    pub starts_message: bool,
    /// The last piece of a frame.
    pub ends_frame: bool,
    /// The last piece of a message.
    pub ends_message: bool,
}

/// A whole control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Close, ping or pong.
    pub opcode: Opcode,
    /// Its bytes in the buffer.
    pub whole: Range<usize>,
    /// The payload among them.
    pub payload: Range<usize>,
    /// The key that the payload is masked with.
    pub mask: Option<[u8; 4]>,
}

/// What the scanner found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of a data frame.
    Data(Piece),
    /// A control frame.
    Control(Control),
}

#[derive(Clone, Copy, Debug)]
struct OpenMessage {
    kind: DataKind,
    opaque: bool,
    bytes: u64,
    fragments: u32,
}

#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    left: u64,
    mask: Option<[u8; 4]>,
    phase: u8,
    fin: bool,
}

/// Finds the frames of one direction.
#[derive(Debug)]
pub struct Scanner {
    sender: Role,
    allowed: Rsv,
    /// A client's frames may come unmasked.
    unmasked: bool,
    message: Option<OpenMessage>,
    frame: Option<OpenFrame>,
}

impl Scanner {
    /// The longest frame that must be whole in the buffer to be found: a masked control frame.
    pub const MAX_CARRY: usize = 2 + 4 + 125;

    /// Frames from `sender`; `allowed` are the reserved bits that a negotiated extension uses: none,
    /// `RSV1` for permessage-deflate, or all for an extension that is passed on unknown.
    pub const fn new(sender: Role, allowed: Rsv) -> Self {
        Self { sender, allowed, unmasked: false, message: None, frame: None }
    }

    /// Takes a client's frames unmasked too: where an intermediary that is trusted has taken the masks off.
    pub const fn with_unmasked(self) -> Self {
        Self { unmasked: true, ..self }
    }

    /// Whether a control frame could be inserted where the scanner stands.
    pub const fn between_frames(&self) -> bool {
        self.frame.is_none()
    }

    /// Whether no message is open.
    pub const fn between_messages(&self) -> bool {
        self.message.is_none() && self.frame.is_none()
    }

    /// What stands at `buffer[*at..]`; moves `at` behind it. `None` where that is nothing, or the
    /// beginning of a header or control frame (fewer than `MAX_CARRY` bytes): call again with these bytes
    /// first and more behind them.
    ///
    /// # Errors
    /// The violation; the scanner must not be used again.
    #[inline]
    pub fn next(
        &mut self,
        limits: &FrameLimits,
        buffer: &[u8],
        at: &mut usize,
    ) -> Result<Option<Event>, Violation> {
        if let Some(frame) = self.frame {
            return Ok(self.payload(frame, *at, buffer.len(), at, false));
        }
        let start = *at;
        let Some((header, header_len)) = Header::parse(&buffer[start..])? else { return Ok(None) };
        self.check_sides(&header)?;
        let payload = start + header_len;
        if header.opcode.is_control() {
            let end = payload + header.length as usize;
            if end > buffer.len() {
                return Ok(None);
            }
            *at = end;
            let (whole, payload) = (start..end, payload..end);
            return Ok(Some(Event::Control(Control {
                opcode: header.opcode,
                whole,
                payload,
                mask: header.mask,
            })));
        }
        let starts_message = self.message.is_none();
        self.open_frame(&header, limits)?;
        *at = payload;
        let frame = OpenFrame { left: header.length, mask: header.mask, phase: 0, fin: header.fin };
        self.frame = Some(frame);
        Ok(self.payload(frame, start, buffer.len(), at, starts_message))
    }

    #[inline]
    fn check_sides(&self, header: &Header) -> Result<(), Violation> {
        match (self.sender, header.mask) {
            (Role::Client, None) if !self.unmasked => return Err(Violation::Unmasked),
            (Role::Server, Some(_)) => return Err(Violation::Masked),
            _ => {}
        }
        // permessage-deflate gives RSV1 a meaning on the first frame of a message only (RFC 7692 section 6).
        let first = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        let allowed = if first || self.allowed == Rsv::ALL { self.allowed } else { Rsv::NONE };
        if header.rsv.is_within(allowed) { Ok(()) } else { Err(Violation::ReservedBits) }
    }

    /// Notes a data frame's header: sequence and limits.
    #[inline]
    fn open_frame(&mut self, header: &Header, limits: &FrameLimits) -> Result<(), Violation> {
        let kind = match header.opcode {
            Opcode::Text => Some(DataKind::Text),
            Opcode::Binary => Some(DataKind::Binary),
            _ => None,
        };
        let opaque = header.rsv != Rsv::NONE;
        let message = match (kind, self.message) {
            (Some(kind), None) => OpenMessage { kind, opaque, bytes: header.length, fragments: 1 },
            (None, Some(open)) => OpenMessage {
                kind: open.kind,
                opaque: open.opaque || opaque,
                bytes: open.bytes.saturating_add(header.length),
                fragments: open.fragments.saturating_add(1),
            },
            (Some(_), Some(_)) => return Err(Violation::InterleavedMessage),
            (None, None) => return Err(Violation::UnexpectedContinuation),
        };
        if header.length > limits.frame {
            return Err(Violation::FrameTooBig);
        }
        if message.bytes > limits.message {
            return Err(Violation::MessageTooBig);
        }
        if message.fragments > limits.fragments {
            return Err(Violation::TooManyFragments);
        }
        self.message = Some(message);
        Ok(())
    }

    /// The payload from `*at` on, as far as it goes in a buffer of `end` bytes, and the header before it where that begins
    /// at `start`: alone if there is no payload yet, so that it goes on at once.
    #[inline]
    fn payload(
        &mut self,
        frame: OpenFrame,
        start: usize,
        end: usize,
        at: &mut usize,
        starts_message: bool,
    ) -> Option<Event> {
        let message = self.message?;
        let from = *at;
        let here = (end - from).min(usize::try_from(frame.left).unwrap_or(usize::MAX));
        let left = frame.left - here as u64;
        if here == 0 && left > 0 && start == from {
            return None;
        }
        let ends_frame = left == 0;
        let ends_message = ends_frame && frame.fin;
        self.frame = (!ends_frame).then_some(OpenFrame {
            left,
            phase: ((usize::from(frame.phase) + here) % 4) as u8,
            ..frame
        });
        if ends_message {
            self.message = None;
        }
        *at = from + here;
        Some(Event::Data(Piece {
            kind: message.kind,
            opaque: message.opaque,
            whole: start..from + here,
            payload: from..from + here,
            mask: frame.mask,
            phase: usize::from(frame.phase),
            starts_message,
            ends_frame,
            ends_message,
        }))
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
