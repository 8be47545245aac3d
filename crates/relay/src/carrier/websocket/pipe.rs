//! A byte pipe in the binary messages of a WebSocket.
//!
//! What stands between may cut messages otherwise than they were sent, so a frame's border says nothing. Payload goes on in
//! pieces as it comes: no length that a peer claims costs memory.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wicketgate_tls::Transport;
use wicketgate_wire::{
    CloseCode, Control, DataKind, Event, FrameLimits, Header, Opcode, Role, Rsv, Scanner, mask,
};

use super::Frames;
use crate::carrier::spare;

/// How much may wait to be written before the writer waits, in bytes: what fits into one buffer with the heads of its frames.
const HIGH: usize = spare::ROOM - 1024;
/// Pongs that may wait behind a writer that waits; a peer that pings more is answered once for many (RFC 6455
/// section 5.5.3).
const MAX_PONGS: usize = 4;

/// Streamed, so that no frame or message costs more than the buffer.
const LIMITS: FrameLimits = FrameLimits { frame: u64::MAX, message: u64::MAX, fragments: u32::MAX };

/// Payload in the buffer that the reader has not taken yet.
#[derive(Debug)]
struct Ready {
    payload: Range<usize>,
    mask: Option<[u8; 4]>,
    phase: usize,
}

/// A WebSocket as a stream of bytes.
#[derive(Debug)]
pub struct WebSocketPipe<S> {
    io: S,
    scanner: Scanner,
    /// What we are: a client masks what it sends.
    ours: Role,
    input: BytesMut,
    /// Where in `input` the scanner stands.
    at: usize,
    ready: Option<Ready>,
    /// The peer has said that it ends.
    closed: bool,
    output: BytesMut,
    pongs: usize,
    /// We have said that we end.
    closing: bool,
    frames: Arc<Frames>,
    /// Payload of the frame that is coming in, in bytes.
    coming: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketPipe<S> {
    /// A pipe over a WebSocket that is open; `early` came with its handshake.
    pub fn new(io: S, ours: Role, early: &Bytes) -> Self {
        let theirs = match ours {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        Self {
            io,
            scanner: Scanner::new(theirs, Rsv::NONE),
            ours,
            input: BytesMut::from(&**early),
            at: 0,
            ready: None,
            closed: false,
            output: BytesMut::new(),
            pongs: 0,
            closing: false,
            frames: Arc::default(),
            coming: 0,
        }
    }

    /// Counts its frames here, and sends them as long as is said here.
    pub fn with_frames(self, frames: Arc<Frames>) -> Self {
        Self { frames, ..self }
    }

    /// Takes a client's frames unmasked too: a proxy that is trusted has taken the masks off (RFC 6455 section 10.3 asks for
    /// them against scripts that speak to proxies through a browser, and none is behind it).
    pub fn with_unmasked(mut self, allowed: bool) -> Self {
        if allowed {
            self.scanner = self.scanner.with_unmasked();
        }
        self
    }

    /// Gives what is ready to the reader.
    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let Some(ready) = &mut self.ready else { return };
        let length = out.remaining().min(ready.payload.len());
        let source = &self.input[ready.payload.start..ready.payload.start + length];
        match ready.mask {
            None => out.put_slice(source),
            Some(key) => {
                mask::copy(source, out.initialize_unfilled_to(length), key, ready.phase);
                out.advance(length);
                ready.phase = (ready.phase + length) % 4;
            }
        }
        ready.payload.start += length;
        if ready.payload.is_empty() {
            self.ready = None;
        }
    }

    /// Takes in what stands next in the buffer; `false` where more has to be read.
    fn scan(&mut self) -> io::Result<bool> {
        match self.scanner.next(&LIMITS, &self.input, &mut self.at) {
            Err(violation) => {
                self.close(violation.close_code());
                Err(io::Error::new(io::ErrorKind::InvalidData, violation.to_string()))
            }
            Ok(None) => {
                self.input.advance(self.at);
                self.at = 0;
                Ok(false)
            }
            Ok(Some(Event::Data(piece))) if piece.kind == DataKind::Text => {
                self.close(CloseCode::UNSUPPORTED);
                Err(io::Error::new(io::ErrorKind::InvalidData, "a text message"))
            }
            Ok(Some(Event::Data(piece))) => {
                self.coming += piece.payload.len() as u64;
                if piece.ends_frame {
                    self.frames.count(std::mem::take(&mut self.coming), piece.mask.is_some());
                }
                self.ready = (!piece.payload.is_empty()).then_some(Ready {
                    payload: piece.payload,
                    mask: piece.mask,
                    phase: piece.phase,
                });
                Ok(true)
            }
            Ok(Some(Event::Control(control))) => {
                self.take_control(&control);
                Ok(true)
            }
        }
    }

    fn take_control(&mut self, control: &Control) {
        match control.opcode {
            Opcode::Close => {
                self.closed = true;
                self.frames.close(self.code(control));
                self.close(CloseCode::NORMAL);
            }
            Opcode::Ping if self.pongs < MAX_PONGS => {
                let mut payload = [0; 125];
                let payload = &mut payload[..control.payload.len()];
                payload.copy_from_slice(&self.input[control.payload.clone()]);
                if let Some(key) = control.mask {
                    mask::apply(payload, key, 0);
                }
                self.pongs += 1;
                self.frame(Opcode::Pong, payload);
            }
            _ => {}
        }
    }

    /// The code of a Close frame; 1005 where it has none (RFC 6455 section 7.1.5).
    fn code(&self, control: &Control) -> u16 {
        let Some(&[mut first, mut second]) = self.input[control.payload.clone()].first_chunk::<2>() else {
            return 1005;
        };
        if let Some([one, two, ..]) = control.mask {
            (first, second) = (first ^ one, second ^ two);
        }
        u16::from_be_bytes([first, second])
    }

    fn close(&mut self, code: CloseCode) {
        if !self.closing {
            self.closing = true;
            self.frame(Opcode::Close, &code.0.to_be_bytes());
        }
    }

    fn key(&self) -> Option<[u8; 4]> {
        (self.ours == Role::Client).then(rand::random)
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.frame_of(opcode, payload.len(), &mut [payload].into_iter());
    }

    /// Makes a frame of so many bytes, from the front of these slices; gives what is left of the last that it takes from.
    fn frame_of<'a>(
        &mut self,
        opcode: Opcode,
        length: usize,
        slices: &mut impl Iterator<Item = &'a [u8]>,
    ) -> &'a [u8] {
        let key = self.key();
        let header = Header { fin: true, rsv: Rsv::NONE, opcode, mask: key, length: length as u64 };
        if self.output.is_empty() {
            spare::make_room(&mut self.output);
        }
        self.output.extend_from_slice(&header.encode());
        let start = self.output.len();
        let (mut left, mut rest): (usize, &[u8]) = (length, &[]);
        while left > 0
            && let Some(slice) = slices.next()
        {
            let (now, later) = slice.split_at(slice.len().min(left));
            self.output.extend_from_slice(now);
            left -= now.len();
            rest = later;
        }
        if let Some(key) = key {
            mask::apply(&mut self.output[start..], key, 0);
        }
        rest
    }

    /// Writes what waits.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
        }
        self.pongs = 0;
        spare::leave(&mut self.output);
        Poll::Ready(Ok(()))
    }
}

/// Read and written by one task, as any carrier.
impl<S: AsyncRead + AsyncWrite + Unpin> Transport for WebSocketPipe<S> {}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketPipe<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        loop {
            this.give(out);
            if this.ready.is_some() || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if this.closed {
                return Poll::Ready(Ok(()));
            }
            match this.scan() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => {
                    // Whoever reads drops the pipe now: the peer is told why at once, or never.
                    let _ = this.poll_drain(cx);
                    return Poll::Ready(Err(error));
                }
            }
            // Something is given: no system call for more.
            if out.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if this.pongs > 0 {
                // Whether it is written now or later is no matter of the reader's.
                let _ = this.poll_drain(cx)?;
            }
            spare::make_room(&mut this.input);
            let read = tokio_util::io::poll_read_buf(Pin::new(&mut this.io), cx, &mut this.input);
            match read {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    spare::leave(&mut this.input);
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketPipe<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let frame = this.frames.longest_sent();
        let all: usize = data.iter().map(|slice| slice.len()).sum();
        if this.output.len() + all.min(frame) > HIGH {
            ready!(this.poll_drain(cx))?;
        }
        let taken = all.min(HIGH.saturating_sub(this.output.len()).max(frame));
        let (mut left, mut rest, mut slices): (usize, &[u8], _) =
            (taken, &[], data.iter().map(|slice| &**slice));
        while left > 0 {
            let length = left.min(frame);
            rest = this.frame_of(Opcode::Binary, length, &mut std::iter::once(rest).chain(&mut slices));
            left -= length;
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.close(CloseCode::NORMAL);
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use wicketgate_wire::write_control;

    use super::*;

    type Pipe = WebSocketPipe<DuplexStream>;

    fn pair(buffer: usize) -> (Pipe, Pipe) {
        let (near, far) = duplex(buffer);
        let pipe = |io, role| WebSocketPipe::new(io, role, &Bytes::new());
        (pipe(near, Role::Client), pipe(far, Role::Server))
    }

    #[tokio::test]
    async fn bytes_go_both_ways_however_the_carrier_is_cut() {
        for buffer in [1, 7, 4096, 1 << 20] {
            let (mut client, mut server) = pair(buffer);
            let length = if buffer == 1 { 20_000 } else { 300_000 };
            let sent: Vec<u8> = (0..=250).cycle().take(length).collect();
            let want = sent.clone();
            let echo = tokio::spawn(async move {
                let mut piece = [0; 5000];
                loop {
                    let read = server.read(&mut piece).await.unwrap();
                    if read == 0 {
                        return server.shutdown().await;
                    }
                    server.write_all(&piece[..read]).await.unwrap();
                    server.flush().await.unwrap();
                }
            });
            let (mut read, mut write) = tokio::io::split(client);
            let writer = tokio::spawn(async move {
                write.write_all(&sent).await.unwrap();
                write.flush().await.unwrap();
                write
            });
            let mut back = vec![0; length];
            read.read_exact(&mut back).await.unwrap();
            assert!(back == want, "buffer of {buffer}");
            client = read.unsplit(writer.await.unwrap());
            client.shutdown().await.unwrap();
            assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
            echo.await.unwrap().unwrap();
        }
    }

    /// What the server's side of a pipe makes of raw bytes from a client.
    async fn takes(bytes: &[u8]) -> (io::Result<Vec<u8>>, Vec<u8>) {
        takes_as(bytes, |pipe| pipe).await
    }

    async fn takes_as(bytes: &[u8], adjust: impl FnOnce(Pipe) -> Pipe) -> (io::Result<Vec<u8>>, Vec<u8>) {
        let (mut near, far) = duplex(1 << 20);
        let mut pipe = adjust(WebSocketPipe::new(far, Role::Server, &Bytes::copy_from_slice(bytes)));
        near.shutdown().await.unwrap();
        let mut payload = Vec::new();
        let read = pipe.read_to_end(&mut payload).await;
        let _ = pipe.shutdown().await;
        drop(pipe);
        let mut answered = Vec::new();
        near.read_to_end(&mut answered).await.unwrap();
        (read.map(|_| payload), answered)
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 1, 2, 3, 4];
        frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    #[tokio::test]
    async fn borders_of_messages_say_nothing_and_pings_are_answered() {
        let mut ping = Vec::new();
        write_control(Opcode::Ping, Some([9; 4]), b"still there?", &mut ping);
        let bytes =
            [frame(0x02, b"a"), ping, frame(0x00, b""), frame(0x80, b"bc"), frame(0x82, b"d")].concat();
        let (payload, answered) = takes(&bytes).await;
        assert_eq!(payload.unwrap(), b"abcd");
        assert!(answered.starts_with(b"\x8a\x0cstill there?"), "{answered:?}");
        assert!(answered.ends_with(b"\x88\x02\x03\xe8"), "{answered:?}");
    }

    #[tokio::test]
    async fn what_is_no_pipe_is_refused_with_its_code() {
        for (bytes, code) in [
            (frame(0x81, b"text"), 1003_u16),
            (frame(0x83, b"?"), 1002),
            (vec![0x82, 0x01, b'x'], 1002),
            (frame(0xc2, b"deflated"), 1002),
        ] {
            let (payload, answered) = takes(&bytes).await;
            assert_eq!(payload.unwrap_err().kind(), io::ErrorKind::InvalidData, "{code}");
            assert_eq!(answered, [&[0x88, 2][..], &code.to_be_bytes()].concat());
        }
    }

    #[tokio::test]
    async fn unmasked_frames_are_taken_where_that_is_said_and_masked_ones_too() {
        let bytes = [&[0x82, 1, b'x'][..], &frame(0x82, b"y"), &[0x88, 2, 3, 0xe8]].concat();
        let frames = Arc::<Frames>::default();
        let (payload, answered) =
            takes_as(&bytes, |pipe| pipe.with_frames(frames.clone()).with_unmasked(true)).await;
        assert_eq!((payload.unwrap(), answered), (b"xy".to_vec(), b"\x88\x02\x03\xe8".to_vec()));
        let counted = frames.take();
        assert_eq!((counted.masked, counted.unmasked, counted.smallest, counted.largest), (1, 1, 1, 1));
        assert_eq!(frames.closed(), Some(1000));
        let (payload, answered) = takes_as(&bytes, |pipe| pipe.with_unmasked(false)).await;
        assert_eq!(payload.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(answered, b"\x88\x02\x03\xea");
    }

    #[tokio::test]
    async fn frames_are_counted_whole_and_sent_as_long_as_asked() {
        let (near, far) = duplex(64 << 10);
        let sent = Arc::<Frames>::default();
        let taken = Arc::<Frames>::default();
        let mut client = WebSocketPipe::new(near, Role::Client, &Bytes::new()).with_frames(sent.clone());
        let mut server = WebSocketPipe::new(far, Role::Server, &Bytes::new()).with_frames(taken.clone());
        // Where the writer waits, a frame may be shorter.
        for (longest, frames) in [(16 << 10, 13..20), (1 << 20, 1..2)] {
            sent.send_up_to(longest);
            let mut back = vec![0; 200_000];
            let write = async {
                client.write_all(&[7; 200_000]).await.unwrap();
                client.flush().await.unwrap();
            };
            let (_, read) = tokio::join!(write, server.read_exact(&mut back));
            read.unwrap();
            let counted = taken.take();
            assert!(frames.contains(&counted.masked) && counted.unmasked == 0, "{counted:?}");
            assert_eq!(counted.largest, (longest as u64).min(200_000));
            assert_eq!(taken.take(), Default::default());
        }
    }

    #[tokio::test]
    async fn a_flood_of_pings_takes_no_memory() {
        let ping = frame(0x89, &[7; 125]);
        let (payload, answered) = takes(&ping.repeat(10_000)).await;
        assert_eq!(payload.unwrap(), b"");
        assert!(answered.len() < 64 * 127, "{} bytes of pongs", answered.len());
    }
}
