//! One direction of a connection: bytes are read, changed, and written later.

use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::frames::Frames;

/// What one read takes at most, in bytes.
const READ: usize = 64 << 10;
/// Reads that may be on their way at once.
const ON_THE_WAY: usize = 64;
/// Bytes that are held back at most.
const HELD: usize = 64 << 10;

/// When bytes go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) latency: Duration,
    pub(super) buffering: Option<Duration>,
}

/// Carries one direction to its end. `heard` is told when bytes come; `early` has come already.
pub(super) async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut frames: Frames,
    early: Vec<u8>,
    timing: Timing,
    heard: &watch::Sender<Instant>,
) -> Result<()> {
    let (sends, mut comes) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let read = async move {
        let (mut buffer, mut bytes) = (vec![0; READ], frames.pass(&early)?);
        loop {
            let now = Instant::now();
            heard.send_replace(now);
            if !bytes.is_empty() && sends.send((now + timing.latency, bytes)).await.is_err() {
                return anyhow::Ok(());
            }
            match from.read(&mut buffer).await? {
                0 => return Ok(()),
                length => bytes = frames.pass(&buffer[..length])?,
            }
        }
    };
    let write = async move {
        while let Some((due, mut bytes)) = comes.recv().await {
            sleep_until(due).await;
            if let Some(held) = timing.buffering {
                let until = Instant::now() + held;
                while bytes.len() < HELD
                    && let Ok(Some((_, more))) = timeout_at(until, comes.recv()).await
                {
                    bytes.extend(more);
                }
            }
            to.write_all(&bytes).await?;
            to.flush().await?;
        }
        to.shutdown().await?;
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}
