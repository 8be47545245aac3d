//! Messages over a byte stream: a length of four bytes, and JSON of that length.

use std::io;

use bytes::{Buf, BufMut, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 64 << 10;
/// What goes before each.
const LENGTH: usize = size_of::<u32>();

/// Why no message came or went.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The stream has broken.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The stream has ended.
    #[error("the other side has ended the connection")]
    Ended,
    /// Longer than any message.
    #[error("a control message of {0} bytes")]
    TooLong(usize),
    /// What has come is no message.
    #[error("what came is no control message: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// One end of a control connection.
#[derive(Debug)]
pub struct Channel<S> {
    stream: S,
    /// The longest message that is read, in bytes.
    longest: usize,
    input: BytesMut,
    output: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    /// Messages over this stream.
    pub fn new(stream: S) -> Self {
        Self::limited(stream, MAX_MESSAGE)
    }

    /// The same, for whoever may say less.
    pub fn limited(stream: S, longest: usize) -> Self {
        Self { stream, longest: longest.min(MAX_MESSAGE), input: BytesMut::new(), output: BytesMut::new() }
    }

    /// The next message. Nothing is lost where this is cancelled.
    ///
    /// # Errors
    /// The stream has ended or broken, or what came is no message.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, ChannelError> {
        loop {
            if let Some(length) = self.input.first_chunk::<LENGTH>() {
                let length = u32::from_be_bytes(*length) as usize;
                if length > self.longest {
                    return Err(ChannelError::TooLong(length));
                }
                if self.input.len() >= LENGTH + length {
                    self.input.advance(LENGTH);
                    return Ok(serde_json::from_slice(&self.input.split_to(length))?);
                }
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(ChannelError::Ended);
            }
        }
    }

    /// Sends a message. To be awaited to its end.
    ///
    /// # Errors
    /// The stream has broken, or the message is too long.
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), ChannelError> {
        self.output.clear();
        self.output.put_u32(0);
        let mut writer = std::mem::take(&mut self.output).writer();
        serde_json::to_writer(&mut writer, message)?;
        self.output = writer.into_inner();
        let length = self.output.len() - LENGTH;
        let prefix = u32::try_from(length).ok().filter(|_| length <= MAX_MESSAGE);
        let prefix = prefix.ok_or(ChannelError::TooLong(length))?;
        self.output[..LENGTH].copy_from_slice(&prefix.to_be_bytes());
        self.stream.write_all(&self.output).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Ends the connection in order.
    pub async fn end(mut self) {
        let _ = self.stream.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::control::message::FromEndpoint;

    #[tokio::test]
    async fn messages_arrive_whole_however_they_are_cut() {
        let (near, far) = tokio::io::duplex(7);
        let (mut near, mut far) = (Channel::new(near), Channel::new(far));
        let open = FromEndpoint::Open { request: 7, agent: "office".into(), services: vec!["ssh".into()] };
        let sent = tokio::spawn({
            let open = open.clone();
            async move {
                near.send(&open).await.unwrap();
                near.send(&FromEndpoint::Ping).await.unwrap();
            }
        });
        assert_eq!(far.receive::<FromEndpoint>().await.unwrap(), open);
        assert_eq!(far.receive::<FromEndpoint>().await.unwrap(), FromEndpoint::Ping);
        sent.await.unwrap();
        assert!(matches!(far.receive::<FromEndpoint>().await, Err(ChannelError::Ended)));
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused_before_it_is_held() {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(&[0, 2, 0, 0]).await.unwrap();
        let long = Channel::new(far).receive::<FromEndpoint>().await;
        assert!(matches!(long, Err(ChannelError::TooLong(131_072))));
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(b"\0\0\0\x02{}").await.unwrap();
        let malformed = Channel::new(far).receive::<FromEndpoint>().await;
        assert!(matches!(malformed, Err(ChannelError::Malformed(_))));
    }
}
