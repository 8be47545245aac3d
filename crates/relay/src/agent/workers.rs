//! Threads that sessions are served on: each session on one alone, so that its tasks wake each other without the kernel.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// As many threads as the machine has cores. They end when this is dropped, and with them whatever they still serve.
#[derive(Debug)]
pub(super) struct Workers {
    runtimes: Vec<Handle>,
    next: AtomicUsize,
    _stop: DropGuard,
}

impl Workers {
    pub(super) fn start() -> io::Result<Self> {
        let stop = CancellationToken::new();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let start = |number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (handle, stopped) = (runtime.handle().clone(), stop.clone());
            let thread = thread::Builder::new().name(format!("session-{number}"));
            thread.spawn(move || runtime.block_on(stopped.cancelled()))?;
            Ok(handle)
        };
        let runtimes = (0..cores).map(start).collect::<io::Result<_>>()?;
        Ok(Self { runtimes, next: AtomicUsize::new(0), _stop: stop.drop_guard() })
    }

    /// The next in turn.
    pub(super) fn next(&self) -> Option<&Handle> {
        let next = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.runtimes.len())?;
        self.runtimes.get(next)
    }
}
