//! A client that writes what it is told and reads what comes, each step under a deadline.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{
    frame::{Frame, Header, opcode},
    head::Head,
    io::{Endpoint, Io},
    upgrade::Upgrade,
};

/// How long one step may take unless said otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes read to the end of a stream at most.
const LONGEST_REST: usize = 256 << 20;
/// The masking key of frames that are not masked yet.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// How a session came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By a close frame, with its code if it had one.
    Closed(Option<u16>),
    /// By the end of the stream or a reset, without a close frame.
    Dropped,
}

/// One connection of a client.
pub struct RawClient {
    stream: Box<dyn Io>,
    buffer: Vec<u8>,
    patience: Duration,
}

impl RawClient {
    /// Connects.
    pub async fn connect(to: &Endpoint) -> Result<Self> {
        let stream = timeout(PATIENCE, to.connect()).await.context("no connection in time")??;
        Ok(Self { stream, buffer: Vec::new(), patience: PATIENCE })
    }

    /// Connects and upgrades at this target.
    pub async fn open(to: &Endpoint, target: &str) -> Result<Self> {
        let mut client = Self::connect(to).await?;
        client.upgrade(&Upgrade::new(target)).await?;
        Ok(client)
    }

    /// Each step may take so long.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Writes exactly these bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let patience = self.patience;
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        within(patience, "writing", write).await
    }

    /// Writes these bytes and takes in meanwhile what comes: an echo of more than the sockets hold cannot wait.
    pub async fn send_and_read(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { stream, buffer, patience } = self;
        let (mut reader, mut writer) = tokio::io::split(stream);
        let exchange = async {
            let write = async {
                writer.write_all(bytes).await?;
                writer.flush().await
            };
            let mut write = std::pin::pin!(write);
            loop {
                tokio::select! {
                    written = &mut write => return written,
                    read = reader.read_buf(buffer) => if read? == 0 {
                        return write.await;
                    },
                }
            }
        };
        within(*patience, "writing and reading", exchange).await
    }

    /// Writes these bytes in pieces of so many, each with a system call of its own.
    pub async fn send_in_pieces(&mut self, bytes: &[u8], size: usize) -> Result<()> {
        for piece in bytes.chunks(size.max(1)) {
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Writes a frame as it is, masked only if it says so.
    pub async fn send_frame(&mut self, frame: &Frame) -> Result<()> {
        self.send(&frame.bytes()).await
    }

    /// Writes a text message, masked.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        self.send_frame(&Frame::text(text).masked(KEY)).await
    }

    /// Writes a binary message, masked.
    pub async fn send_binary(&mut self, bytes: &[u8]) -> Result<()> {
        self.send_frame(&Frame::binary(bytes).masked(KEY)).await
    }

    /// Reads the head of a response.
    pub async fn head(&mut self) -> Result<Head> {
        self.head_or_end().await?.context("the connection ended before a head")
    }

    /// Reads the head of a response; `None` if the connection ends, or is reset, without one.
    pub async fn head_or_end(&mut self) -> Result<Option<Head>> {
        loop {
            if let Some(head) = Head::take(&mut self.buffer) {
                return Ok(Some(head));
            }
            if !self.more().await? {
                ensure!(
                    self.buffer.is_empty(),
                    "the connection ended inside a head: {}",
                    self.buffer.escape_ascii()
                );
                return Ok(None);
            }
        }
    }

    /// Reads exactly so many bytes.
    pub async fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.buffer.len() < length {
            let came = self.more().await?;
            ensure!(came, "the connection ended after {} of {length} bytes", self.buffer.len());
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// Reads a response with its body, by `Content-Length` or chunked.
    pub async fn response(&mut self) -> Result<(Head, Vec<u8>)> {
        let head = self.head().await?;
        let mut body = Vec::new();
        if let Some(length) = head.field("content-length") {
            body = self.exactly(length.parse()?).await?;
        } else if head.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            while let piece @ [_, ..] = self.chunk().await?.as_slice() {
                body.extend_from_slice(piece);
            }
        }
        Ok((head, body))
    }

    /// Reads until the other side ends the connection; a reset is an end as well.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        while self.more().await? {
            ensure!(self.buffer.len() < LONGEST_REST, "no end after {LONGEST_REST} bytes");
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Asks for a WebSocket and checks that it is granted.
    pub async fn upgrade(&mut self, request: &Upgrade) -> Result<Head> {
        self.send(&request.bytes()).await?;
        let head = self.head().await?;
        request.check(&head)?;
        Ok(head)
    }

    /// Reads the next frame; `None` at the end of the connection.
    pub async fn next_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some((frame, length)) = Frame::parse(&self.buffer) {
                self.buffer.drain(..length);
                return Ok(Some(frame));
            }
            if !self.more().await? {
                ensure!(
                    self.buffer.is_empty(),
                    "the connection ended inside a frame: {}",
                    self.buffer.escape_ascii()
                );
                return Ok(None);
            }
        }
    }

    /// Reads a frame's header alone, for tests that look at a payload while it is still on its way.
    pub async fn header(&mut self) -> Result<Header> {
        loop {
            if let Some((header, length)) = Header::parse(&self.buffer) {
                self.buffer.drain(..length);
                return Ok(header);
            }
            let came = self.more().await?;
            ensure!(came, "the connection ended before a frame's header");
        }
    }

    /// Reads the next frame, which must be there.
    pub async fn frame(&mut self) -> Result<Frame> {
        self.next_frame().await?.context("the connection ended before a frame")
    }

    /// Reads the next message, its fragments joined; gives its opcode and payload. Pings are answered, pongs passed over.
    pub async fn message(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut kind = None;
        let mut payload = Vec::new();
        loop {
            let frame = self.frame().await?;
            ensure!(frame.mask.is_none(), "a server's frame with a mask");
            match frame.opcode {
                opcode::PING => self.send_frame(&Frame::new(opcode::PONG, frame.payload).masked(KEY)).await?,
                opcode::PONG => {}
                opcode::CLOSE => bail!("closed with {:?} where a message was awaited", frame.close_code()),
                code => {
                    let kind = *kind.get_or_insert(code);
                    payload.extend(frame.payload);
                    if frame.fin {
                        return Ok((kind, payload));
                    }
                }
            }
        }
    }

    /// Sends a text message and checks that it comes back.
    pub async fn echoes(&mut self, text: &str) -> Result<()> {
        self.send_and_read(&Frame::text(text).masked(KEY).bytes()).await?;
        let (kind, payload) = self.message().await?;
        ensure!(
            kind == opcode::TEXT && payload == text.as_bytes(),
            "{:?} came back",
            payload.escape_ascii().to_string()
        );
        Ok(())
    }

    /// Passes over all frames until the session ends, and tells how. After a close frame the stream must end as well.
    pub async fn ended(&mut self) -> Result<Ended> {
        loop {
            // A peer that drops the connection may do so in the middle of a frame.
            let Some((frame, length)) = Frame::parse(&self.buffer) else {
                if self.more().await? {
                    continue;
                }
                return Ok(Ended::Dropped);
            };
            self.buffer.drain(..length);
            if frame.opcode == opcode::CLOSE {
                let code = frame.close_code();
                ensure!(code.is_some() || frame.payload.is_empty(), "a close frame of one byte");
                self.send_frame(&Frame::new(opcode::CLOSE, frame.payload).masked(KEY)).await.ok();
                self.finish_writing().await.ok();
                let rest = self.rest().await?;
                ensure!(rest.is_empty(), "after the close frame came {}", rest.escape_ascii());
                return Ok(Ended::Closed(code));
            }
        }
    }

    /// Closes the session from this side and waits for its end; gives the code that came back.
    pub async fn close(&mut self, code: u16) -> Result<Ended> {
        self.send_frame(&Frame::close(code, "").masked(KEY)).await?;
        self.ended().await
    }

    /// Ends this side's half of the connection.
    pub async fn finish_writing(&mut self) -> Result<()> {
        within(self.patience, "ending", self.stream.shutdown()).await
    }

    /// Bytes that came and were not asked for yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer
    }

    /// Reads once; false at the end of the stream or after a reset.
    async fn more(&mut self) -> Result<bool> {
        let read = async { Ok(self.stream.read_buf(&mut self.buffer).await) };
        match within(self.patience, "reading", read).await? {
            Ok(count) => Ok(count > 0),
            // Also TLS that ends without close_notify: the same to a test that asks whether there is an end.
            Err(_) => Ok(false),
        }
    }

    /// One chunk of a chunked body; empty for the last, whose trailers are read as well.
    async fn chunk(&mut self) -> Result<Vec<u8>> {
        let line = self.line().await?;
        let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
        let chunk = self.exactly(length).await?;
        while !self.line().await?.is_empty() {
            ensure!(length == 0, "bytes after a chunk");
        }
        Ok(chunk)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.exactly(1).await?);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8(line)?)
    }
}

async fn within<T>(
    patience: Duration,
    doing: &str,
    step: impl Future<Output = std::io::Result<T>>,
) -> Result<T> {
    match timeout(patience, step).await {
        Ok(outcome) => outcome.with_context(|| format!("failed when {doing}")),
        Err(_) => bail!("nothing for {patience:?} when {doing}"),
    }
}
