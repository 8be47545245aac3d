//! One direction of a session: bytes that were read are judged in place, and what may go on is kept.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;
use wicketgate_admission::limits::rate::Meter;
use wicketgate_admission::{SharedRates, limits::SideMeters};
use wicketgate_audit::{Lost, Ticket};
use wicketgate_policy::{Direction, Message, Reply, Verdict};
use wicketgate_wire::{
    Assembly, Budget, Close, CloseCode, Control, DataKind, Event, Opcode, Piece, Role, Rsv, Scanner,
    Utf8Stream, Violation, mask,
};

use super::buffer::{Buffer, Outgoing};
use super::config::{Exceed, Limit, Mode, WebSocketConfig};
use super::end::{End, Side};
use super::inflate::{Inflation, Instead};
use super::inspector::Inspector;
use super::kept::Kept;
use super::passed::{Clear, Passed, frame_for};
use super::renew::Renew;
use crate::pictures::Marking;

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that went on whole.
    pub messages: u64,
    /// Messages that were dropped by a rule or rate.
    pub dropped: u64,
    /// Bytes read, frame headers included.
    pub bytes: u64,
}

/// Bytes of answers that what one read brought may earn.
const MAX_ANSWERS: usize = 256 * 1024;

/// The eight bytes of a ping of ours.
pub type PingToken = [u8; 8];

/// One direction: what `from` sends.
#[derive(Debug)]
pub struct Flow {
    from: Side,
    mode: Mode,
    scanner: Scanner,
    utf8: Utf8Stream,
    assembly: Assembly,
    /// In mode `messages`, where permessage-deflate was negotiated with `from`.
    inflation: Option<Box<Inflation>>,
    /// Bytes that need more bytes before they can be judged: a piece of a header or of a control frame. Where a message waits
    /// for its pictures, all that was read behind it.
    carry: Vec<u8>,
    /// Whether what is carried can be judged before more is read.
    unread: bool,
    /// The message that waits for its pictures: nothing behind it is judged.
    marking: Option<Box<(DataKind, Marking)>>,
    messages: Meter,
    bytes: Meter,
    controls: Meter,
    /// What all sessions of the identity have used together.
    shared: Option<SharedRates>,
    /// Which messages renew the client's credential.
    renew: Option<Renew>,
    /// The message under way does not go on.
    dropping: bool,
    /// What went on so far ends inside a frame.
    mid_frame: bool,
    /// When the last bytes were read.
    now: Duration,
    /// When the message under way began.
    message_since: Option<Duration>,
    /// Nothing is read before this time.
    resume_at: Option<Duration>,
    /// The ping of ours that `from` has not answered.
    awaited_pong: Option<PingToken>,
    /// Frames that answer messages of `from`, which wait to be sent to it.
    answers: Vec<u8>,
    /// Records that have to be durable before what was judged goes on.
    awaited: Vec<Ticket>,
    /// The code of the close frame that `from` sent.
    closed: Option<Option<CloseCode>>,
    counters: Counters,
}

impl Flow {
    /// What `from` will send. `rsv` are the reserved bits that were negotiated with it.
    pub fn new(
        from: Side,
        config: &WebSocketConfig,
        rsv: Rsv,
        inflation: Option<Inflation>,
        budget: Arc<Budget>,
        shared: Option<SharedRates>,
    ) -> Self {
        let role = match from {
            Side::Client => Role::Client,
            Side::Upstream => Role::Server,
        };
        Self {
            from,
            mode: config.mode,
            scanner: Scanner::new(role, rsv),
            utf8: Utf8Stream::default(),
            assembly: Assembly::new(budget),
            inflation: inflation.map(Box::new),
            carry: Vec::new(),
            unread: false,
            marking: None,
            messages: Meter::default(),
            bytes: Meter::default(),
            controls: Meter::default(),
            shared,
            renew: None,
            dropping: false,
            mid_frame: false,
            now: Duration::ZERO,
            message_since: None,
            resume_at: None,
            awaited_pong: None,
            answers: Vec::new(),
            awaited: Vec::new(),
            closed: None,
            counters: Counters::default(),
        }
    }

    /// Has messages that renew the client's credential taken out.
    pub fn take_renewals(self, renew: Option<Renew>) -> Self {
        Self { renew, ..self }
    }

    /// What was left over by the last read: the next one goes behind it.
    pub fn carry(&self) -> &[u8] {
        &self.carry
    }

    /// Whether what was left over is to be judged again without more; then it is not asked for twice.
    pub fn take_unread(&mut self) -> bool {
        std::mem::take(&mut self.unread)
    }

    /// When the message that waits for its pictures has waited too long, where one does.
    pub fn marking_until(&self) -> Option<Instant> {
        self.marking.as_ref().map(|marking| marking.1.until())
    }

    /// Ready when no message waits for its pictures any more: what goes on of it.
    pub fn poll_marked(
        &mut self,
        cx: &mut Context<'_>,
        inspector: &Inspector,
    ) -> Poll<(Outgoing, Result<(), End>)> {
        let Some(waiting) = &mut self.marking else { return Poll::Ready((Outgoing::Empty, Ok(()))) };
        let (kind, outcome) = (waiting.0, ready!(waiting.1.poll(cx)));
        self.marking = None;
        let verdict = inspector.tell(self.direction(), kind, outcome);
        let mut kept = Kept::default();
        let result = self.settle(verdict).map(|passed| {
            if let Some(Clear::Rewritten(payload, forward)) = passed {
                kept.keep_made(self.frame(kind, Rsv::NONE, &payload), forward);
            }
        });
        Poll::Ready((kept.into_made(), result))
    }

    /// Whether a frame of ours may be written behind what went on so far.
    pub const fn between_frames(&self) -> bool {
        !self.mid_frame
    }

    /// When the message under way began, since the session's begin.
    pub const fn message_since(&self) -> Option<Duration> {
        self.message_since
    }

    /// When reading may go on, where a rate delays it.
    pub const fn resume_at(&self) -> Option<Duration> {
        self.resume_at
    }

    /// The close code that was sent, once a close frame was.
    pub const fn closed(&self) -> Option<Option<CloseCode>> {
        self.closed
    }

    /// What was counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Frames that answer messages of `from`: to be sent to it, where one of ours may stand.
    pub fn take_answers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answers)
    }

    /// Ready when what was judged may go on: its records are durable, where they have to be.
    pub fn poll_recorded(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        while let Some(ticket) = self.awaited.last_mut() {
            ready!(ticket.poll_durable(cx))?;
            self.awaited.pop();
        }
        self.awaited = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Notes a ping of ours: the pong to it does not go on.
    pub const fn expect_pong(&mut self, token: PingToken) {
        self.awaited_pong = Some(token);
    }

    /// Judges `buffer[..end]`, of which the last `fresh` bytes are new; gives back what may go on. Where the judgement
    /// ends in an error, what stands before the cause has still been kept.
    pub fn judge(
        &mut self,
        mut buffer: Buffer,
        end: usize,
        fresh: usize,
        now: Duration,
        config: &WebSocketConfig,
        inspector: &mut Inspector,
    ) -> (Outgoing, Result<(), End>) {
        self.carry.clear();
        self.resume_at = None;
        self.now = now;
        self.counters.bytes += fresh as u64;
        let mut kept = Kept::default();
        let mut result = self.meter_bytes(fresh as u64, now, config);
        if result.is_ok() {
            result = self.judge_frames(&mut buffer[..end], &mut kept, now, config, inspector);
        }
        (kept.into_outgoing(buffer), result)
    }

    fn judge_frames(
        &mut self,
        buffer: &mut [u8],
        kept: &mut Kept,
        now: Duration,
        config: &WebSocketConfig,
        inspector: &mut Inspector,
    ) -> Result<(), End> {
        let mut at = 0;
        loop {
            let event = self.scanner.next(&config.frames, buffer, &mut at);
            match event.map_err(|violation| self.violation(violation))? {
                Some(Event::Data(piece)) => {
                    self.data(&piece, buffer, kept, now, config, inspector)?;
                    if self.marking.is_some() {
                        // Messages keep their order.
                        self.unread = at < buffer.len();
                        break;
                    }
                }
                Some(Event::Control(control)) => {
                    self.control(&control, buffer, kept, now, config.control_frames)?
                }
                None => break,
            }
            if self.closed.is_some() {
                // Whatever comes after a close frame is not looked at (RFC 6455 section 5.5.1).
                return Ok(());
            }
        }
        self.carry.extend_from_slice(&buffer[at..]);
        if self.carry.is_empty() {
            self.carry = Vec::new();
        }
        Ok(())
    }

    fn data(
        &mut self,
        piece: &Piece,
        buffer: &mut [u8],
        kept: &mut Kept,
        now: Duration,
        config: &WebSocketConfig,
        inspector: &mut Inspector,
    ) -> Result<(), End> {
        if piece.starts_message {
            self.open_message(piece.kind, now, config)?;
        }
        if piece.ends_message {
            self.message_since = None;
            match self.dropping {
                true => self.counters.dropped += 1,
                false => self.counters.messages += 1,
            }
        }
        match self.mode {
            _ if self.dropping => Ok(()),
            Mode::Headers => {
                if piece.kind == DataKind::Text && !piece.opaque {
                    self.check_text(piece, buffer)?;
                }
                kept.keep(buffer, piece.whole.start, piece.whole.end);
                self.mid_frame = !piece.ends_frame;
                Ok(())
            }
            Mode::Messages if piece.starts_message && piece.ends_message => {
                self.judge_whole(piece, buffer, kept, inspector)
            }
            Mode::Messages => self.assemble(piece, buffer, kept, inspector),
        }
    }

    fn open_message(&mut self, kind: DataKind, now: Duration, config: &WebSocketConfig) -> Result<(), End> {
        if !config.accepts(kind) {
            return Err(End::WrongType(self.from));
        }
        self.message_since = Some(now);
        self.dropping = false;
        if let Some(limit) = config.messages {
            let over = match limit.exceed {
                Exceed::Drop => self.messages.try_take(limit.rate, now, 1).err(),
                _ => self.messages.take(limit.rate, now, 1),
            };
            self.exceed(limit, over, now)?;
        }
        // What is dropped by the session's own rate uses nothing of the identity's.
        if let (Some(limit), Some(shared), false) =
            (config.per_identity.messages, &self.shared, self.dropping)
        {
            let (meter, at) = (&self.side(shared).messages, shared.at(now));
            let over = match limit.exceed {
                Exceed::Drop => meter.try_take(limit.rate, at, 1).err(),
                _ => meter.take(limit.rate, at, 1),
            };
            self.exceed(limit, over, now)?;
        }
        Ok(())
    }

    fn meter_bytes(&mut self, fresh: u64, now: Duration, config: &WebSocketConfig) -> Result<(), End> {
        if let Some(limit) = config.bytes {
            let over = self.bytes.take(limit.rate, now, fresh);
            self.exceed(limit, over, now)?;
        }
        if let (Some(limit), Some(shared)) = (config.per_identity.bytes, &self.shared) {
            let over = self.side(shared).bytes.take(limit.rate, shared.at(now), fresh);
            self.exceed(limit, over, now)?;
        }
        Ok(())
    }

    fn side<'a>(&self, shared: &'a SharedRates) -> &'a SideMeters {
        match self.from {
            Side::Client => shared.client(),
            Side::Upstream => shared.upstream(),
        }
    }

    /// What becomes of a message or of bytes that will be within their rate only after `over`.
    fn exceed(&mut self, limit: Limit, over: Option<Duration>, now: Duration) -> Result<(), End> {
        let Some(over) = over else { return Ok(()) };
        match limit.exceed {
            Exceed::Close => return Err(End::Rate(self.from)),
            Exceed::Delay => self.delay(now + over),
            Exceed::Drop => self.dropping = true,
        }
        Ok(())
    }

    fn delay(&mut self, until: Duration) {
        self.resume_at = Some(self.resume_at.map_or(until, |at| at.max(until)));
    }

    fn check_text(&mut self, piece: &Piece, buffer: &[u8]) -> Result<(), End> {
        let payload = &buffer[piece.payload.clone()];
        let checked = match piece.mask {
            None => self.utf8.push(payload),
            Some(key) => self.utf8.push_masked(payload, key, piece.phase, Buffer::take),
        };
        checked
            .and_then(|()| if piece.ends_message { self.utf8.finish() } else { Ok(()) })
            .map_err(|_| self.violation(Violation::InvalidUtf8))
    }

    /// A message that stands whole in the buffer: nothing is copied but what has to be unmasked.
    fn judge_whole(
        &mut self,
        piece: &Piece,
        buffer: &mut [u8],
        kept: &mut Kept,
        inspector: &mut Inspector,
    ) -> Result<(), End> {
        let payload = &buffer[piece.payload.clone()];
        let passed = match piece.mask {
            None => self.judge_payload(piece, payload, false, inspector)?,
            Some(key) => {
                let mut scratch = Buffer::take();
                mask::copy(payload, &mut scratch, key, piece.phase);
                self.judge_payload(piece, &scratch[..payload.len()], false, inspector)?
            }
        };
        match passed {
            Some(Passed::AsItCame(forward)) => kept.keep_message(buffer, piece, forward),
            Some(Passed::Made(frame, forward)) => kept.keep_made(frame, forward),
            None => {}
        }
        Ok(())
    }

    fn assemble(
        &mut self,
        piece: &Piece,
        buffer: &[u8],
        kept: &mut Kept,
        inspector: &mut Inspector,
    ) -> Result<(), End> {
        self.assembly.push(piece, buffer).map_err(|error| End::from_assembly(self.from, error))?;
        if piece.ends_message {
            let empty = Assembly::new(self.assembly.budget());
            let assembly = std::mem::replace(&mut self.assembly, empty);
            let passed = self.judge_payload(piece, assembly.payload(), true, inspector)?;
            match passed {
                Some(Passed::AsItCame(forward)) => kept.keep_made(assembly.into_frames(), forward),
                Some(Passed::Made(frame, forward)) => kept.keep_made(frame, forward),
                None => {}
            }
        }
        Ok(())
    }

    /// Judges what a whole message says; `None` where it does not go on. `checked`: its text was checked as UTF-8 already,
    /// unless it is compressed.
    fn judge_payload(
        &mut self,
        piece: &Piece,
        payload: &[u8],
        checked: bool,
        inspector: &mut Inspector,
    ) -> Result<Option<Passed>, End> {
        if !piece.opaque {
            let passed = self.judge_clear(piece.kind, payload, checked, inspector)?;
            return Ok(passed.map(|passed| match passed {
                Clear::AsItCame(forward) => Passed::AsItCame(forward),
                Clear::Rewritten(payload, forward) => {
                    Passed::Made(self.frame(piece.kind, Rsv::NONE, &payload), forward)
                }
            }));
        }
        // Reserved bits are allowed in this mode only where permessage-deflate was negotiated.
        let Some(mut inflation) = self.inflation.take() else {
            return Err(self.violation(Violation::ReservedBits));
        };
        let inflated = inflation.inflate(payload);
        inflated.map_err(|error| End::BadDeflate(self.from, error.close_code()))?;
        let passed = match self.judge_clear(piece.kind, inflation.text(), false, inspector)? {
            None => None,
            // Whoever negotiated compression takes clear messages too (RFC 7692 section 6).
            Some(Clear::Rewritten(payload, forward)) => {
                Some(Passed::Made(self.frame(piece.kind, Rsv::NONE, &payload), forward))
            }
            Some(Clear::AsItCame(forward)) => {
                let instead = inflation.instead();
                Some(match instead.map_err(|error| End::BadDeflate(self.from, error.close_code()))? {
                    None => Passed::AsItCame(forward),
                    Some(Instead::Compressed(payload)) => {
                        Passed::Made(self.frame(piece.kind, Rsv::RSV1, payload), forward)
                    }
                    Some(Instead::Clear(payload)) => {
                        Passed::Made(self.frame(piece.kind, Rsv::NONE, payload), forward)
                    }
                })
            }
        };
        inflation.release();
        self.inflation = Some(inflation);
        Ok(passed)
    }

    /// A message as one frame of ours.
    fn frame(&self, kind: DataKind, rsv: Rsv, payload: &[u8]) -> Vec<u8> {
        frame_for(self.from.other(), kind, rsv, payload)
    }

    fn judge_clear(
        &mut self,
        kind: DataKind,
        payload: &[u8],
        checked: bool,
        inspector: &mut Inspector,
    ) -> Result<Option<Clear>, End> {
        if !checked && kind == DataKind::Text && simdutf8::basic::from_utf8(payload).is_err() {
            return Err(self.violation(Violation::InvalidUtf8));
        }
        if let (Some(renew), DataKind::Text) = (&self.renew, kind)
            && let Some(credential) = renew.credential(payload)
        {
            (renew.judge)(credential);
            return Ok(None);
        }
        let direction = self.direction();
        let verdict = inspector.judge(direction, Message { kind, payload }, self.now, &mut self.awaited);
        let verdict = match verdict {
            Verdict::Mark(pictures) => match inspector.mark(direction, kind, pictures) {
                Ok(marking) => {
                    self.marking = Some(Box::new((kind, marking)));
                    return Ok(None);
                }
                Err(verdict) => verdict,
            },
            verdict => verdict,
        };
        self.settle(verdict)
    }

    const fn direction(&self) -> Direction {
        match self.from {
            Side::Client => Direction::ToUpstream,
            Side::Upstream => Direction::ToClient,
        }
    }

    /// Carries a verdict out.
    fn settle(&mut self, verdict: Verdict) -> Result<Option<Clear>, End> {
        if !matches!(verdict, Verdict::Forward(_) | Verdict::Rewrite(..)) {
            // It was counted as one that goes on when its last byte came.
            self.counters.messages -= 1;
            self.counters.dropped += 1;
        }
        match verdict {
            Verdict::Forward(forward) => return Ok(Some(Clear::AsItCame(forward))),
            Verdict::Rewrite(payload, forward) => return Ok(Some(Clear::Rewritten(payload, forward))),
            Verdict::Close(code) => return Err(End::Policy(self.from, code)),
            // Once marked, a message is not to be marked again.
            Verdict::Mark(_) => return Err(End::Policy(self.from, CloseCode::POLICY)),
            Verdict::Drop => {}
            Verdict::Reply(Reply { kind, payload }) => {
                self.answers.extend(frame_for(self.from, kind, Rsv::NONE, &payload));
                // One read can bring thousands of small messages, each with an answer of its own.
                if self.answers.len() > MAX_ANSWERS {
                    return Err(End::Policy(self.from, CloseCode::POLICY));
                }
            }
        }
        Ok(None)
    }

    fn control(
        &mut self,
        control: &Control,
        buffer: &mut [u8],
        kept: &mut Kept,
        now: Duration,
        limit: Limit,
    ) -> Result<(), End> {
        if control.opcode != Opcode::Close {
            match limit.exceed {
                Exceed::Drop if self.controls.try_take(limit.rate, now, 1).is_err() => return Ok(()),
                Exceed::Drop => {}
                Exceed::Close | Exceed::Delay => {
                    let over = self.controls.take(limit.rate, now, 1);
                    self.exceed(limit, over, now)?;
                }
            }
        }
        let mut body = [0; 125];
        let body = &mut body[..control.payload.len()];
        body.copy_from_slice(&buffer[control.payload.clone()]);
        if let Some(key) = control.mask {
            mask::apply(body, key, 0);
        }
        match control.opcode {
            Opcode::Close => {
                let close = Close::parse(body).map_err(|violation| self.violation(violation))?;
                self.closed = Some(close.code);
            }
            Opcode::Pong if self.awaited_pong.is_some_and(|token| token == *body) => {
                self.awaited_pong = None;
                return Ok(());
            }
            _ => {}
        }
        kept.keep(buffer, control.whole.start, control.whole.end);
        Ok(())
    }

    const fn violation(&self, violation: Violation) -> End {
        End::Violation(self.from, violation)
    }
}
