//! One connection through a session: what was sent each way, what came, and whether it came as it was sent.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::checked::{Checked, Faults, Pattern};

/// One direction.
#[derive(Debug)]
pub(super) struct Lane {
    pattern: Pattern,
    state: Mutex<State>,
    moved: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    sent: u64,
    came: Checked,
}

impl Lane {
    fn new(number: u64, moved: &watch::Sender<()>) -> Self {
        let pattern = Pattern(number);
        let state = State { sent: 0, came: Checked::new(pattern) };
        Self { pattern, state: Mutex::new(state), moved: moved.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next bytes to send.
    pub(super) fn next(&self, length: usize) -> Vec<u8> {
        let mut state = self.lock();
        let bytes = self.pattern.bytes(state.sent, length);
        state.sent += length as u64;
        bytes
    }

    /// Looks at bytes that came.
    pub(super) fn take(&self, bytes: &[u8]) {
        self.lock().came.take(bytes);
        self.moved.send_replace(());
    }

    /// Bytes that came.
    fn came(&self) -> u64 {
        self.lock().came.at()
    }

    fn faults(&self, ended: Ended) -> Faults {
        let state = self.lock();
        match ended {
            Ended::Whole => state.came.ended(state.sent),
            Ended::Early => state.came.faults(),
        }
    }
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By both its ends: what was sent is to be there.
    Whole,
    /// By its session: what was on the way is not there, and both ends know.
    Early,
}

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) number: u64,
    /// From the client.
    pub(super) up: Lane,
    /// To the client.
    pub(super) down: Lane,
    /// Told when no more is to be sent.
    pub(super) enough: CancellationToken,
}

impl Flow {
    /// `number` is of no other connection.
    pub(super) fn new(number: u64, moved: &watch::Sender<()>, enough: &CancellationToken) -> Self {
        Self {
            number,
            up: Lane::new(2 * number, moved),
            down: Lane::new(2 * number + 1, moved),
            enough: enough.clone(),
        }
    }

    /// Bytes that came, both ways.
    pub(super) fn came(&self) -> u64 {
        self.up.came() + self.down.came()
    }

    pub(super) fn faults(&self, ended: Ended) -> Faults {
        self.up.faults(ended).plus(self.down.faults(ended))
    }
}
