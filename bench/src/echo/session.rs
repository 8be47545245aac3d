//! One session of the echo backend: payload goes back as it comes, in pieces of any size.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mio::net::TcpStream;
use sha1::{Digest, Sha1};

use crate::frame::{self, HeadReader};

const LONGEST_REQUEST: usize = 16 * 1024;
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Both sides compress each message alone, so the client's bytes are also a valid answer.
const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Whether a session goes on.
pub(super) enum Step {
    Open,
    Over,
}

enum Phase {
    Request(Vec<u8>),
    Frames,
    /// A close frame was answered: what is still to be written goes out, then the connection ends.
    Closing,
}

pub(super) struct Session {
    stream: TcpStream,
    phase: Phase,
    heads: HeadReader,
    /// Payload bytes of the current frame that are still to come.
    left: u64,
    mask: [u8; 4],
    at: usize,
    closing_frame: bool,
    /// What the socket would not take yet; nothing is read while there is any.
    unwritten: Vec<u8>,
}

impl Session {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            phase: Phase::Request(Vec::new()),
            heads: HeadReader::default(),
            left: 0,
            mask: [0; 4],
            at: 0,
            closing_frame: false,
            unwritten: Vec::new(),
        }
    }

    /// Reads, echoes and writes until the socket would block.
    pub(super) fn advance(&mut self, input: &mut [u8], output: &mut Vec<u8>, ends: bool) -> io::Result<Step> {
        loop {
            if !self.write_rest()? {
                return Ok(Step::Open);
            }
            if matches!(self.phase, Phase::Closing) {
                self.stream.shutdown(Shutdown::Both).ok();
                return Ok(Step::Over);
            }
            let count = match self.stream.read(input) {
                Ok(0) => return Ok(Step::Over),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Step::Open),
                Err(error) => return Err(error),
            };
            output.clear();
            self.take(&input[..count], output)?;
            self.write(output)?;
            // A short read emptied the socket: epoll(7) reports the next byte as a new edge.
            if count < input.len()
                && self.unwritten.is_empty()
                && !ends
                && !matches!(self.phase, Phase::Closing)
            {
                return Ok(Step::Open);
            }
        }
    }

    fn write(&mut self, output: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < output.len() {
            match self.stream.write(&output[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unwritten.extend_from_slice(&output[written..]);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_rest(&mut self) -> io::Result<bool> {
        while !self.unwritten.is_empty() {
            match self.stream.write(&self.unwritten) {
                Ok(count) => drop(self.unwritten.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn take(&mut self, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        let Phase::Request(request) = &mut self.phase else { return self.take_frames(input, output) };
        request.extend_from_slice(input);
        let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if request.len() > LONGEST_REQUEST { Err(ErrorKind::InvalidData.into()) } else { Ok(()) };
        };
        let rest = request.split_off(end + 4);
        if !answer(request, output)? {
            *request = rest;
            return Ok(());
        }
        self.phase = Phase::Frames;
        self.take_frames(&rest, output)
    }

    fn take_frames(&mut self, mut input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
        while !matches!(self.phase, Phase::Closing) {
            if self.left > 0 {
                let count = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
                let start = output.len();
                output.extend_from_slice(&input[..count]);
                frame::apply_mask(&mut output[start..], self.mask, self.at);
                self.at += count;
                self.left -= count as u64;
                input = &input[count..];
            }
            if self.left == 0 && self.closing_frame {
                self.phase = Phase::Closing;
            } else if input.is_empty() {
                break;
            } else if self.left == 0 {
                let Some(head) = self.heads.next(&mut input) else { break };
                let Some(mask) = head.mask else { return Err(ErrorKind::InvalidData.into()) };
                let length = usize::try_from(head.length).map_err(|_| ErrorKind::InvalidData)?;
                let first = if head.opcode() == frame::PING { frame::FIN | frame::PONG } else { head.first };
                frame::put(output, first, length, None);
                (self.mask, self.at, self.left) = (mask, 0, head.length);
                self.closing_frame = head.opcode() == frame::CLOSE;
            }
        }
        Ok(())
    }
}

/// Writes the 101 and tells that frames follow; a plain request gets a 200, so that readiness can be asked for.
fn answer(request: &[u8], output: &mut Vec<u8>) -> io::Result<bool> {
    let text = std::str::from_utf8(request).map_err(|_| ErrorKind::InvalidData)?;
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let Some(key) = field("sec-websocket-key") else {
        output.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(false);
    };
    let accept = STANDARD.encode(Sha1::new().chain_update(key).chain_update(KEY_SUFFIX).finalize());
    write!(
        output,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
    )?;
    if field("sec-websocket-extensions").is_some_and(|offer| offer.contains("permessage-deflate")) {
        write!(output, "Sec-WebSocket-Extensions: {DEFLATE}\r\n")?;
    }
    output.write_all(b"\r\n")?;
    Ok(true)
}
