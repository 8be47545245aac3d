//! Datagrams in a session: a stream for each flow, each datagram after its length, and what cannot go on now waits or is dropped.
//!
//! A flow never holds up anything else: it has a stream of its own, with credit of its own, and a bounded queue before it. Where the
//! session stands still, the oldest of what waits is dropped for what comes.

pub mod config;
mod queue;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

pub use queue::{Queue, Room};

/// The longest datagram, in bytes: what UDP over IPv4 takes.
pub const MAX_DATAGRAM: usize = 65_507;

/// Where datagrams go that have come through the session.
pub trait Outlet: Send {
    /// Sends one. What cannot be sent now is dropped, as on any network.
    ///
    /// # Errors
    /// Nothing can be sent any more.
    fn send(&mut self, datagram: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
}

/// Carries datagrams between a stream and a flow's near side: out of `waiting` into the stream, and out of the stream to `outlet`. It
/// ends when the other end ends it, when nothing has come either way for as long as `idle`, or with `over`. Once it has ended, both
/// ends know.
///
/// # Errors
/// The stream broke, or the other end sends something else than datagrams.
pub async fn carry<S>(
    stream: S,
    waiting: &Queue,
    outlet: &mut impl Outlet,
    idle: Duration,
    over: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (mut read, mut write) = tokio::io::split(stream);
    let last = waiting.activity();
    last.note();
    let ended = tokio::select! {
        ended = give(&mut write, waiting, last) => ended,
        ended = take(&mut read, outlet, last) => ended,
        () = last.quiet_for(idle) => Ok(()),
        () = over => Ok(()),
    };
    waiting.close();
    ended?;
    write.shutdown().await?;
    // A stream counts at the other end until that has seen its end, however long the session stands still.
    while read.read(&mut [0; 4096]).await? > 0 {}
    Ok(())
}

async fn give(stream: &mut (impl AsyncWrite + Unpin), waiting: &Queue, last: &Activity) -> io::Result<()> {
    loop {
        let datagram = waiting.next().await;
        let length = u16::try_from(datagram.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // One frame of the session's.
        stream.write_all(&[&length.to_be_bytes()[..], &datagram].concat()).await?;
        stream.flush().await?;
        last.note();
    }
}

async fn take(
    stream: &mut (impl AsyncRead + Unpin),
    outlet: &mut impl Outlet,
    last: &Activity,
) -> io::Result<()> {
    let mut datagram = Vec::new();
    loop {
        let mut length = [0; 2];
        // An end between two datagrams is the flow's.
        if stream.read(&mut length[..1]).await? == 0 {
            return Ok(());
        }
        stream.read_exact(&mut length[1..]).await?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_DATAGRAM {
            let what = format!("a datagram of {length} bytes is none");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        datagram.resize(length, 0);
        stream.read_exact(&mut datagram).await?;
        last.note();
        outlet.send(&datagram).await?;
    }
}

/// When something last went either way.
#[derive(Debug)]
struct Activity(Mutex<Instant>);

impl Default for Activity {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Activity {
    fn note(&self) {
        *self.lock() = Instant::now();
    }

    fn at(&self) -> Instant {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn quiet_for(&self, idle: Duration) {
        loop {
            let until = self.at() + idle;
            if Instant::now() >= until {
                return;
            }
            sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests;
