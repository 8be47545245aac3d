//! One end of a session at work: a byte stream for TLS, and a task that keeps a carrier under it.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_lc_rs::hmac;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use wicketgate_tls::Transport;

use super::Backoff;
use super::bounds::SessionConfig;
use super::carry::{Broken, carry};
use super::control::{Control, ControlError, Granted};
use crate::broker::Preamble;
use crate::carrier::{DialError, Dialer, Kind, Opened};
use crate::control::message::Refusal;
use crate::session::{Authenticator, Counters, Ended, Reason, Role, Session, SessionId};
use crate::ticket::Sealed;

/// What the secret is exported from TLS for.
pub const LABEL: &[u8] = b"EXPORTER-wicketgate-session-attach";
/// After this long a ticket is exchanged before a carrier is opened with it.
const TICKET_AGE: Duration = Duration::from_secs(240);

/// One end of a session, as a byte stream. What is written is kept until the other end has it, whatever becomes of carriers.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
}

/// The same, for whoever looks after the session rather than use it.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    start: Instant,
    /// Told when there may be nothing left to dial for.
    pub(super) ended: Notify,
    /// Both ends have the key, so that the session may leave a carrier that stands.
    settled: watch::Sender<bool>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) core: Session,
    reader: Option<Waker>,
    writer: Option<Waker>,
    flusher: Option<Waker>,
    pub(super) carrier: Option<Waker>,
    /// Nobody reads or writes any more.
    pub(super) dropped: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time as the session counts it.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until both ends have the key.
    pub(super) async fn settled(&self) {
        // The sender is ours.
        let _ = self.settled.subscribe().wait_for(|is| *is).await;
    }

    /// Whether they have.
    pub(super) fn is_settled(&self) -> bool {
        *self.settled.borrow()
    }

    /// The carrier is gone. `true` where the session has ended.
    pub(super) fn detach(&self) -> bool {
        let mut state = self.lock();
        state.core.detach(self.now());
        state.carrier = None;
        state.wake_users();
        state.core.ended().is_some()
    }

    /// The moment that the session's time stands for.
    pub(super) fn instant(&self, at: Duration) -> Instant {
        // Farther than any session lives: as good as never.
        self.start.checked_add(at).unwrap_or_else(|| self.start + Duration::from_secs(1 << 30))
    }
}

impl State {
    /// Wakes whoever waits for bytes, room, or the end, and has it now.
    pub(super) fn wake_users(&mut self) {
        let has_ended = self.core.ended().is_some();
        let wake = |user: &mut Option<Waker>, has: bool| {
            if (has || has_ended)
                && let Some(user) = user.take()
            {
                user.wake();
            }
        };
        wake(&mut self.reader, !self.core.peek().is_empty() || self.core.is_at_end());
        wake(&mut self.writer, self.core.writable() > 0);
        wake(&mut self.flusher, self.core.is_flushed());
    }

    /// Wakes whoever writes, once the carrier has taken enough of what waited.
    pub(super) fn wake_writer(&mut self) {
        if self.writer.is_some()
            && self.core.is_roomy()
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
    }

    fn wake_carrier(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            carrier.wake();
        }
    }

    fn failure(&self) -> Option<io::Error> {
        let ended = self.core.ended()?;
        let kind = match ended.reason {
            Reason::Normal => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::ConnectionAborted,
        };
        Some(io::Error::new(kind, ended.to_string()))
    }
}

/// Proves that an attaching end is the one that TLS was made with.
struct Proof(hmac::Key);

impl Authenticator for Proof {
    fn tag(&self, data: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.0, data).as_ref());
        tag
    }
}

impl LinkHandle {
    /// Lets the session outlive its carriers, by a secret that only its two ends have.
    pub fn prove(&self, secret: &[u8; 32]) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        self.shared.lock().core.set_key(Box::new(Proof(key)));
    }

    /// Both ends have the secret by now: the session may leave a carrier that stands for a better one.
    pub fn settle(&self) {
        self.shared.settled.send_replace(true);
    }

    /// Ends the session.
    pub fn close(&self, reason: Reason, text: &str) {
        let mut state = self.shared.lock();
        state.core.close(reason, text);
        state.wake_users();
        state.wake_carrier();
        self.shared.ended.notify_one();
    }

    /// Waits until the other end has everything that was written, or the session has ended.
    pub async fn flushed(&self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.core.is_flushed() || state.core.ended().is_some() {
                return Poll::Ready(());
            }
            state.flusher = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// How the session has ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.shared.lock().core.ended().cloned()
    }

    /// What was moved so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().core.counters()
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let before = out.filled().len();
        while out.remaining() > 0 {
            let bytes = state.core.peek();
            let length = bytes.len().min(out.remaining());
            if length == 0 {
                break;
            }
            out.put_slice(&bytes[..length]);
            state.core.consume(length);
        }
        if out.filled().len() > before {
            // The peer may be waiting for room.
            if state.core.is_to_transmit() {
                state.wake_carrier();
            }
            return Poll::Ready(Ok(()));
        }
        if state.core.is_at_end() || out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        match state.failure() {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(())),
            Some(error) => Poll::Ready(Err(error)),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        if let Some(error) = state.failure() {
            return Poll::Ready(Err(error));
        }
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            let taken = state.core.write(slice);
            written += taken;
            if taken < slice.len() {
                break;
            }
        }
        if written == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.wake_carrier();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is written will get there, so that there is nothing to wait for.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        state.core.finish();
        state.wake_carrier();
        Poll::Ready(Ok(()))
    }
}

/// Read and written by one task, which carries all streams: a frame's header, and then its body.
impl Transport for Link {
    const READS_EXACTLY: bool = true;
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.dropped = true;
        state.wake_carrier();
        self.shared.ended.notify_one();
    }
}

/// What happens to the carriers of a session.
#[derive(Debug)]
pub enum Event {
    /// A carrier is there; `again` bytes are sent a second time.
    Attached {
        /// The session's first.
        first: bool,
        /// Bytes that are sent again.
        again: u64,
        /// Its kind.
        carrier: Kind,
    },
    /// It is gone, and another is dialled.
    Broken(String),
    /// None could be had, and it is tried again.
    Undialled(String),
}

/// Keeps carriers under one end of a session, to be [run](Carriers::run) in a task.
#[derive(Debug)]
pub struct Carriers {
    shared: Arc<Shared>,
    dialer: Dialer,
    control: Control,
    granted: Granted,
    since: Instant,
}

/// One end of a session that has been granted.
pub fn link(
    role: Role,
    granted: Granted,
    bounds: &SessionConfig,
    dialer: Dialer,
    control: Control,
) -> (Link, LinkHandle, Carriers) {
    let limits = bounds.limits(dialer.keepalive());
    let core = Session::new(role, granted.session, limits, rand::random(), Duration::ZERO);
    let state = State { core, reader: None, writer: None, flusher: None, carrier: None, dropped: false };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        start: Instant::now(),
        ended: Notify::new(),
        settled: watch::Sender::new(false),
    });
    let carriers = Carriers { shared: shared.clone(), dialer, control, granted, since: Instant::now() };
    (Link { shared: shared.clone() }, LinkHandle { shared }, carriers)
}

impl Carriers {
    /// The session.
    pub fn session(&self) -> SessionId {
        self.granted.session
    }

    /// Dials carriers until the session has ended. `told` hears what becomes of them.
    pub async fn run(mut self, told: impl Fn(&Event)) -> Ended {
        let mut backoff = Backoff::default();
        // The last attempt has come to nothing, which may be the ticket's fault.
        let mut in_vain = false;
        // Open already, of a better kind than the last.
        let mut better = None;
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            let shared = self.shared.clone();
            let dialled = tokio::select! {
                dialled = self.attach(in_vain, better.take()) => dialled,
                () = shared.ended.notified() => continue,
            };
            match dialled {
                Ok(opened) => match carry(&self.shared, opened, &self.dialer, &told).await {
                    Broken { better: Some(opened), .. } => {
                        better = Some(opened);
                        continue;
                    }
                    Broken { attached: true, why, .. } => {
                        backoff.reset();
                        in_vain = false;
                        if self.ended().is_none() {
                            told(&Event::Broken(why));
                        }
                    }
                    Broken { attached: false, why, .. } => {
                        in_vain = true;
                        told(&Event::Undialled(why));
                    }
                },
                Err(error) => {
                    in_vain = true;
                    told(&Event::Undialled(error.to_string()));
                }
            }
            self.rest(backoff.wait()).await;
        }
    }

    /// How the session has ended; its time without a carrier counts here.
    fn ended(&self) -> Option<Ended> {
        let mut state = self.shared.lock();
        // What it says of the end stands in the session.
        let _ = state.core.handle_timeout(self.shared.now());
        if state.dropped && state.core.is_flushed() {
            state.core.close(Reason::Normal, "");
        }
        let ended = state.core.ended().cloned();
        if ended.is_some() {
            state.wake_users();
        }
        ended
    }

    /// Shows the session's ticket on a carrier: one that is open, or another.
    async fn attach(&mut self, in_vain: bool, opened: Option<Opened>) -> Result<Opened, Undialled> {
        if in_vain || self.since.elapsed() > TICKET_AGE {
            match self.control.renew(&self.granted.ticket).await {
                Ok(granted) => {
                    self.granted = granted;
                    self.since = Instant::now();
                }
                // It will not be carried again, whatever the ticket says.
                Err(ControlError::Refused { reason: Refusal::Access | Refusal::Revoked, text }) => {
                    self.shared.lock().core.close(Reason::Forbidden, &text);
                    return Err(Undialled::Forbidden(text));
                }
                // The ticket may serve without the gateway's being asked first.
                Err(_) => {}
            }
        }
        attach(&self.dialer, opened, &self.granted.ticket).await
    }

    /// Waits, unless there is nothing left to wait for.
    async fn rest(&self, time: Duration) {
        let _ = tokio::time::timeout(time, self.shared.ended.notified()).await;
    }
}

/// Makes a carrier, an open one or another, one of the session that a ticket is for.
///
/// # Errors
/// What stood in the way.
pub async fn attach(dialer: &Dialer, opened: Option<Opened>, ticket: &Sealed) -> Result<Opened, Undialled> {
    let preamble = Preamble(ticket.clone()).encode().ok_or(Undialled::Ticket)?;
    let mut opened = match opened {
        Some(opened) => opened,
        None => dialer.dial().await?,
    };
    opened.carrier.write_all(&preamble).await?;
    Ok(opened)
}

/// Why there is no carrier.
#[derive(Debug, thiserror::Error)]
pub enum Undialled {
    /// It could not be dialled.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It broke at once.
    #[error("the carrier broke: {0}")]
    Io(#[from] io::Error),
    /// No gateway makes such a ticket.
    #[error("the gateway's ticket is longer than any")]
    Ticket,
    /// The gateway carries the session no more.
    #[error("{0}")]
    Forbidden(String),
}
