//! One side's frames, put together and inflated to messages, by the decoder that the gateway has.

use std::sync::Arc;
use std::time::Duration;

use wicketgate_policy::{DataKind, Direction};
use wicketgate_wire::deflate::{Buffer, InflateLimits, Inflater, Window};
use wicketgate_wire::{Budget, Event, FrameLimits, Piece, Role, Rsv, Scanner, mask};

use crate::line::Line;

/// Bytes of one message.
const MAX_MESSAGE: usize = 16 << 20;
const LIMITS: FrameLimits =
    FrameLimits { frame: MAX_MESSAGE as u64, message: MAX_MESSAGE as u64, fragments: 100_000 };
/// Honest text seldom passes 20; a capture is not under attack by what it shows, and bounded all the same.
const INFLATE: InflateLimits =
    InflateLimits { max_message: MAX_MESSAGE, max_ratio: 1_100, ratio_from: 1 << 20 };

/// The messages of one side.
pub(super) struct Messages {
    is_client: bool,
    subprotocol: String,
    scanner: Scanner,
    inflater: Inflater,
    budget: Arc<Budget>,
    /// The message that comes, without its mask, as it was sent otherwise.
    payload: Vec<u8>,
    fault: Option<&'static str>,
}

impl Messages {
    /// Those of a client and a server that agreed to these extensions; none where one of them is not known.
    pub(super) fn pair(extensions: &str, subprotocol: &str) -> Option<[Self; 2]> {
        let mut names = extensions.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
        let is_deflated = !extensions.is_empty();
        if is_deflated && !names.all(|name| name.eq_ignore_ascii_case("permessage-deflate")) {
            return None;
        }
        let rsv = if is_deflated { Rsv::RSV1 } else { Rsv::NONE };
        Some([(true, Role::Client), (false, Role::Server)].map(|(is_client, role)| {
            let budget = Arc::new(Budget::new(2 * MAX_MESSAGE));
            Self {
                is_client,
                subprotocol: subprotocol.to_owned(),
                scanner: Scanner::new(role, rsv),
                // Who keeps no context between messages refers to none: it is read as who keeps one.
                inflater: Inflater::new(Window::default(), INFLATE, budget.clone()),
                budget,
                payload: Vec::new(),
                fault: None,
            }
        }))
    }

    /// Why not all of them were read, where that is so.
    pub(super) const fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    /// Reads what came; whole messages go to `lines`.
    pub(super) fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        session: u64,
        time: Option<Duration>,
        lines: &mut Vec<Line>,
    ) {
        let mut at = 0;
        while self.fault.is_none() {
            match self.scanner.next(&LIMITS, bytes, &mut at) {
                Ok(Some(Event::Data(piece))) => {
                    if let Some((kind, payload)) = self.take(&piece, bytes) {
                        lines.push(self.line(kind, payload, session, time));
                    }
                }
                Ok(Some(Event::Control(_))) => {}
                Ok(None) => break,
                Err(_) => self.fault = Some("sessions that break the rules of frames"),
            }
        }
        // Behind a fault nothing is read any more.
        let read = if self.fault.is_some() { bytes.len() } else { at.min(bytes.len()) };
        bytes.drain(..read);
    }

    /// The message that a piece ends.
    fn take(&mut self, piece: &Piece, bytes: &[u8]) -> Option<(DataKind, Vec<u8>)> {
        let from = self.payload.len();
        self.payload.extend_from_slice(bytes.get(piece.payload.clone())?);
        if let (Some(key), Some(new)) = (piece.mask, self.payload.get_mut(from..)) {
            mask::apply(new, key, piece.phase);
        }
        if !piece.ends_message {
            return None;
        }
        let mut payload = std::mem::take(&mut self.payload);
        if piece.opaque {
            payload = self.inflated(&payload)?;
        }
        if piece.kind == DataKind::Text && std::str::from_utf8(&payload).is_err() {
            self.fault = Some("sessions with text that is no UTF-8");
            return None;
        }
        Some((piece.kind, payload))
    }

    fn inflated(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut out = Buffer::new(self.budget.clone());
        let inflated = self.inflater.inflate(payload, &mut out).and_then(|()| self.inflater.finish(&mut out));
        if inflated.is_err() {
            self.fault = Some("sessions with messages that cannot be inflated");
            return None;
        }
        Some(out.to_vec())
    }

    fn line(&self, kind: DataKind, payload: Vec<u8>, session: u64, time: Option<Duration>) -> Line {
        Line {
            name: None,
            session,
            time,
            subprotocol: Some(self.subprotocol.clone()),
            direction: if self.is_client { Direction::ToUpstream } else { Direction::ToClient },
            kind,
            payload,
            covered: Vec::new(),
            expect: None,
        }
    }
}
