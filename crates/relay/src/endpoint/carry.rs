//! A session over one carrier, to the end of either.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::io::poll_read_buf;

use super::link::{Event, Shared};
use super::pieces::Pieces;
use crate::carrier::{BoxedCarrier, Dialer, Kind, Opened, Turn, spare};
use crate::session::{Break, Ended, Fault, Reason};

/// How much is put together for writing, in bytes.
const WRITE: usize = 128 << 10;
/// How long the other end may take to attach: the gateway waits for it as long as it is told to.
const ATTACH: Duration = Duration::from_secs(60);
/// How long a session whose carrier was to be left waits without a carrier for the dial that was under way.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Why a session is without a carrier.
pub(super) struct Broken {
    /// The other end had attached.
    pub(super) attached: bool,
    pub(super) why: String,
    /// It was left for this one, of a better kind.
    pub(super) better: Option<Opened>,
}

/// A carrier that a session runs over.
struct Ride<'a, F> {
    shared: &'a Shared,
    carrier: BoxedCarrier,
    kind: Kind,
    /// When something came last.
    heard: Instant,
    input: BytesMut,
    output: Pieces,
    unflushed: bool,
    attached: bool,
    deadline: Pin<Box<Sleep>>,
    until_attached: Instant,
    told: F,
}

/// Attaches the session to a carrier, and moves its records until the carrier breaks, a better one can be had, or the session
/// ends.
pub(super) async fn carry(shared: &Shared, opened: Opened, dialer: &Dialer, told: impl Fn(&Event)) -> Broken {
    let Opened { mut carrier, standing } = opened;
    let offer = {
        let mut state = shared.lock();
        state.core.set_ping_interval(dialer.interval(standing.kind));
        state.core.offer(shared.now())
    };
    let Some(offer) = offer else {
        let farewell = {
            let mut state = shared.lock();
            state.core.close(Reason::Unverified, "the carrier broke before the session had its key");
            state.core.ended().map(Ended::record).unwrap_or_default()
        };
        let _ = carrier.write_all(&farewell).await;
        let _ = carrier.shutdown().await;
        return Broken { attached: false, why: "the session cannot be resumed".into(), better: None };
    };
    let until_attached = Instant::now() + ATTACH;
    let mut ride = Ride {
        shared,
        carrier,
        kind: standing.kind,
        heard: standing.since,
        input: BytesMut::new(),
        output: Pieces::from(offer),
        unflushed: false,
        attached: false,
        deadline: Box::pin(tokio::time::sleep_until(until_attached)),
        until_attached,
        told,
    };
    let turn = Turn::of(shared.lock().core.id());
    let broken = Notify::new();
    let mut better = pin!(async {
        // Before, a carrier that breaks takes the session with it.
        shared.settled().await;
        dialer.better_than(&standing, turn, &broken).await
    });
    let (why, mut other) = tokio::select! {
        why = poll_fn(|cx| ride.poll(cx)) => (why, None),
        better = &mut better => (Over::Better, Some(better)),
        () = Opened::moved(standing.local) => (Over::Moved, None),
    };
    let attached = ride.attached;
    if let Some(silent) = why.is_the_ways() {
        dialer.ended(&standing, ride.heard, silent);
    }
    let farewell = ride.farewell(&why);
    if let Some(record) = farewell {
        ride.output.extend([record]);
    }
    // What is left to say is said if the carrier takes it now.
    let _ = timeout(Duration::from_secs(1), ride.finish()).await;
    let has_ended = shared.detach();
    // Where the other end was faster to leave its carrier, the dial that is under way, or due, serves.
    if other.is_none() && !has_ended && shared.is_settled() && dialer.is_due(&standing) {
        broken.notify_one();
        tokio::select! {
            better = &mut better => other = Some(better),
            () = shared.ended.notified() => {}
            () = sleep(ELSEWHERE) => {}
        }
    }
    Broken { attached, why: why.to_string(), better: other }
}

/// Why a ride is over.
#[derive(Debug, thiserror::Error)]
enum Over {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the other side has ended the connection")]
    Ended,
    #[error("the other end of the session did not come in time")]
    Alone,
    #[error("a better carrier can be had")]
    Better,
    #[error("this machine's address has changed")]
    Moved,
    #[error("{0}")]
    Break(Break),
}

impl Over {
    /// Where the way has broken the carrier, or the other end's way has: whether by silence.
    const fn is_the_ways(&self) -> Option<bool> {
        match self {
            Self::Io(_) | Self::Ended => Some(false),
            Self::Break(Break::Fault(Fault::Dead)) => Some(true),
            _ => None,
        }
    }
}

impl<F: Fn(&Event)> Ride<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Over> {
        match self.step(cx) {
            Ok(()) => Poll::Pending,
            Err(over) => Poll::Ready(over),
        }
    }

    /// Moves what can be moved, and what has come not further than one read at a time: whoever takes it takes it while it is
    /// in the processor's cache.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        self.write(cx)?;
        if self.read(cx)? {
            cx.waker().wake_by_ref();
        }
        self.wait(cx)
    }

    /// Writes what there is, as far as the carrier takes it.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            if self.output.len() < WRITE {
                let mut state = self.shared.lock();
                let room = WRITE - self.output.len();
                state.core.transmit_pieces(&mut self.output, room.max(512), self.shared.now());
                state.wake_writer();
            }
            if self.output.is_empty() {
                if self.unflushed && Pin::new(&mut self.carrier).poll_flush(cx)?.is_ready() {
                    self.unflushed = false;
                }
                return Ok(());
            }
            let (slices, count) = self.output.slices();
            match Pin::new(&mut self.carrier).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(Over::Ended),
                Poll::Ready(Ok(written)) => self.output.advance(written),
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => return Ok(()),
            }
            self.unflushed = true;
        }
    }

    /// `true` where something has come.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        spare::make_room(&mut self.input);
        match poll_read_buf(Pin::new(&mut self.carrier), cx, &mut self.input) {
            Poll::Pending => {
                spare::leave(&mut self.input);
                return Ok(false);
            }
            Poll::Ready(Ok(0)) => return Err(Over::Ended),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => return Err(error.into()),
        }
        self.heard = Instant::now();
        let now = self.shared.now();
        let mut state = self.shared.lock();
        if !self.attached {
            match state.core.accept(&mut self.input, now).map_err(Over::Break)? {
                None => return Ok(true),
                Some(attached) => {
                    self.attached = true;
                    (self.told)(&Event::Attached {
                        first: attached.first,
                        again: attached.again,
                        carrier: self.kind,
                    });
                }
            }
        }
        let received = state.core.receive(&mut self.input, now);
        state.wake_users();
        received.map_err(Over::Break)?;
        Ok(true)
    }

    /// Arranges to be woken, and does what is due.
    fn wait(&mut self, cx: &mut Context<'_>) -> Result<(), Over> {
        loop {
            let mut state = self.shared.lock();
            state.carrier = Some(cx.waker().clone());
            let now = self.shared.now();
            if self.attached {
                state.core.handle_timeout(now).map_err(Over::Break)?;
            }
            if state.dropped && state.core.is_flushed() {
                state.core.close(Reason::Normal, "");
            }
            let room = WRITE.saturating_sub(self.output.len());
            let due = state.core.transmit_pieces(&mut self.output, room, now);
            state.wake_writer();
            if let Some(ended) = state.core.ended().cloned()
                && self.output.is_empty()
                && due == 0
            {
                return Err(Over::Break(Break::Ended(ended)));
            }
            let at = state.core.poll_timeout().map_or(self.until_attached, |at| self.shared.instant(at));
            drop(state);
            let at = if self.attached { at } else { at.min(self.until_attached) };
            if due > 0 {
                self.write(cx)?;
                continue;
            }
            self.deadline.as_mut().reset(at);
            if self.deadline.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            if !self.attached && Instant::now() >= self.until_attached {
                return Err(Over::Alone);
            }
        }
    }

    /// What the peer is told of a carrier that it has spoilt.
    fn farewell(&self, why: &Over) -> Option<Bytes> {
        match why {
            Over::Break(Break::Ended(ended)) if !self.attached => Some(ended.record()),
            _ => None,
        }
    }

    async fn finish(&mut self) -> io::Result<()> {
        while let Some(piece) = self.output.pop() {
            self.carrier.write_all(&piece).await?;
        }
        self.carrier.shutdown().await
    }
}
