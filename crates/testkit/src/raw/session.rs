//! One session of an echo server: the bytes of a client in, the bytes of the answer out. No socket.

use anyhow::{Result, bail, ensure};

use super::frame::{Frame, Header, apply_mask, opcode};

/// Longest message that is echoed whole.
const LONGEST_MESSAGE: u64 = 64 << 20;

/// What is sent back for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// Each frame as it comes, each piece of a long one as it comes: any length in little memory. A client that reads only
    /// when it has written a whole message, as Autobahn's cases do, needs the other way from about a megabyte on.
    #[default]
    Frames,
    /// The whole message in one frame, up to 64 MiB.
    Messages,
}

/// The state of one session between two reads.
pub(super) struct Session {
    echo: Echo,
    /// What was read and not understood yet. The driver appends to it.
    pub(super) input: Vec<u8>,
    /// What is to be written. The driver empties it.
    pub(super) output: Vec<u8>,
    /// The frame whose payload is being passed on, with what is left of it.
    current: Option<(Header, u64)>,
    /// The first frame of a message that still lacks frames.
    message: Option<Header>,
    /// What there is of a message that is echoed whole.
    collected: Vec<u8>,
    ended: bool,
}

impl Session {
    pub(super) fn new(echo: Echo, input: Vec<u8>) -> Self {
        Self {
            echo,
            input,
            output: Vec::new(),
            current: None,
            message: None,
            collected: Vec::new(),
            ended: false,
        }
    }

    /// Answers all of the input that can be answered. False after the last answer, a close frame.
    pub(super) fn answer(&mut self) -> bool {
        let mut input = std::mem::take(&mut self.input);
        let mut at = 0;
        while !self.ended {
            match self.step(&mut input[at..]) {
                Ok(Some(taken)) => at += taken,
                Ok(None) => break,
                Err(_) => {
                    self.output.extend_from_slice(&Frame::close(1002, "").bytes());
                    self.ended = true;
                }
            }
        }
        input.drain(..at);
        self.input = input;
        !self.ended
    }

    /// Takes a header, a control frame or a piece of a payload; how many bytes that was, `None` if more are needed.
    /// An error is a client that broke the protocol.
    fn step(&mut self, input: &mut [u8]) -> Result<Option<usize>> {
        if let Some((header, left)) = self.current {
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
            self.payload(&header, left, &mut input[..piece]);
            let left = left - piece as u64;
            self.current = (left > 0).then_some((header, left));
            if left == 0 {
                self.frame_ended(&header);
            }
            return Ok((left == 0 || piece > 0).then_some(piece));
        }
        let Some((header, length)) = Header::parse(input) else { return Ok(None) };
        self.check(&header)?;
        if header.opcode < opcode::CLOSE {
            self.frame_began(&header);
            return Ok(Some(length));
        }
        let Some((frame, length)) = Frame::parse(input) else { return Ok(None) };
        self.control(frame);
        Ok(Some(length))
    }

    fn check(&self, header: &Header) -> Result<()> {
        ensure!(header.mask.is_some(), "a client's frame without a mask");
        match header.opcode {
            opcode::CONTINUATION => ensure!(self.message.is_some(), "a continuation of nothing"),
            opcode::TEXT | opcode::BINARY => ensure!(self.message.is_none(), "a message inside a message"),
            opcode::CLOSE | opcode::PING | opcode::PONG => {
                ensure!(header.fin && header.length <= 125, "a control frame that is long or in fragments");
            }
            _ => bail!("an unknown opcode"),
        }
        if self.echo == Echo::Messages {
            let length = header.length.saturating_add(self.collected.len() as u64);
            ensure!(length <= LONGEST_MESSAGE, "too long a message");
        }
        Ok(())
    }

    fn frame_began(&mut self, header: &Header) {
        self.current = Some((*header, header.length));
        self.message.get_or_insert(*header);
        if self.echo == Echo::Frames {
            Header { mask: None, ..*header }.write(&mut self.output);
        }
    }

    fn payload(&mut self, header: &Header, left: u64, piece: &mut [u8]) {
        if let Some(key) = header.mask {
            apply_mask(piece, key, usize::try_from((header.length - left) % 4).unwrap_or(0));
        }
        match self.echo {
            Echo::Frames => self.output.extend_from_slice(piece),
            Echo::Messages => self.collected.extend_from_slice(piece),
        }
    }

    fn frame_ended(&mut self, header: &Header) {
        if !header.fin {
            return;
        }
        let Some(first) = self.message.take() else { return };
        if self.echo == Echo::Messages {
            let length = self.collected.len() as u64;
            Header { fin: true, mask: None, length, ..first }.write(&mut self.output);
            self.output.append(&mut self.collected);
        }
    }

    fn control(&mut self, frame: Frame) {
        let opcode = match frame.opcode {
            opcode::PING => opcode::PONG,
            opcode::CLOSE => opcode::CLOSE,
            _ => return,
        };
        self.ended = opcode == opcode::CLOSE;
        self.output.extend_from_slice(&Frame::new(opcode, frame.payload).bytes());
    }
}
