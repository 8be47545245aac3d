//! Bytes from one carrier to another, both ways, until either ends.

use std::future::poll_fn;
use std::io;
use std::ops::AddAssign;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use crate::carrier::spare;
use crate::name::Role;

/// How many bytes went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spliced {
    pub(super) up: u64,
    pub(super) down: u64,
}

impl AddAssign for Spliced {
    fn add_assign(&mut self, more: Self) {
        self.up += more.up;
        self.down += more.down;
    }
}

/// One direction: what was read and is not written yet. Idle, it holds no buffer.
struct Lane {
    held: BytesMut,
    unflushed: bool,
    /// Read, and not counted yet.
    bytes: u64,
}

/// Which end was the first to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Whose bytes go up.
    First,
    /// Whose bytes go down.
    Second,
}

impl Over {
    /// The reason in a stable word, where the first end is of this role.
    pub(super) const fn of(self, first: Role) -> &'static str {
        match (self, first) {
            (Self::First, Role::Agent) | (Self::Second, Role::Client | Role::Gateway) => "agent_gone",
            _ => "client_gone",
        }
    }
}

/// Carries bytes both ways, first those of each side that have been read already; `moved` hears how many more it were. An end of
/// either direction ends both: whoever goes on attaches anew.
pub(super) async fn splice<A, B>(
    (up, upward): (&mut A, BytesMut),
    (down, downward): (&mut B, BytesMut),
    mut moved: impl FnMut(Spliced),
) -> Over
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut upward, mut downward) = (Lane::new(upward), Lane::new(downward));
    // How it ended is no matter: a break and an end are the same to a session. What one side has said before it ended still
    // gets to the other.
    poll_fn(|cx| {
        let (first, second) = (upward.poll(cx, up, down), downward.poll(cx, down, up));
        moved(Spliced { up: upward.take_count(), down: downward.take_count() });
        match (first.is_ready(), second.is_ready()) {
            (true, _) => Poll::Ready(Over::First),
            (_, true) => Poll::Ready(Over::Second),
            _ => Poll::Pending,
        }
    })
    .await
}

impl Lane {
    fn new(held: BytesMut) -> Self {
        Self { bytes: held.len() as u64, held, unflushed: false }
    }

    fn take_count(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    fn poll<A, B>(&mut self, cx: &mut Context<'_>, from: &mut A, to: &mut B) -> Poll<io::Result<()>>
    where
        A: AsyncRead + Unpin,
        B: AsyncWrite + Unpin,
    {
        loop {
            while !self.held.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, &self.held) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(written)) => self.held.advance(written),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
                self.unflushed = true;
            }
            spare::make_room(&mut self.held);
            match poll_read_buf(Pin::new(&mut *from), cx, &mut self.held) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(read)) => self.bytes += read as u64,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    spare::leave(&mut self.held);
                    if self.unflushed {
                        match Pin::new(&mut *to).poll_flush(cx) {
                            Poll::Ready(Ok(())) => self.unflushed = false,
                            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                            Poll::Pending => {}
                        }
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_go_both_ways_until_one_side_ends() {
        let (mut client, mut near) = tokio::io::duplex(64);
        let (mut agent, mut far) = tokio::io::duplex(16);
        let whole: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let sent = whole.clone();
        let spliced = tokio::spawn(async move {
            let mut moved = Spliced::default();
            let early = BytesMut::from(&sent[..3]);
            let count = |more| moved += more;
            let over = splice((&mut near, early), (&mut far, BytesMut::new()), count).await;
            (over, moved)
        });
        let (mut from_client, mut to_agent) = (vec![0; whole.len()], vec![0; 5]);
        let (mut read, mut write) = tokio::io::split(agent);
        let echo = async {
            read.read_exact(&mut from_client).await.unwrap();
            write.write_all(b"taken").await.unwrap();
        };
        let ask = async {
            client.write_all(&whole[3..]).await.unwrap();
            client.read_exact(&mut to_agent).await.unwrap();
        };
        tokio::join!(echo, ask);
        assert_eq!((from_client, &*to_agent), (whole.clone(), &b"taken"[..]));
        agent = read.unsplit(write);
        drop(client);
        assert_eq!(spliced.await.unwrap(), (Over::First, Spliced { up: 10_000, down: 5 }));
        assert_eq!(agent.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
