//! The threads that carry traffic: a runtime of its own on each, and every connection on one of them for its whole
//! life.
//!
//! A session's two sockets are then polled by the thread that runs it: no wake-up crosses threads, and no thread waits
//! for another one's look at the sockets. What a connection starts (its upstream, its session) stays on its thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

/// The runtimes of all threads, and how many connections each carries.
#[derive(Clone, Debug)]
pub struct Workers(Arc<[Worker]>);

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    connections: AtomicUsize,
}

impl Workers {
    fn new(runtimes: impl Iterator<Item = Handle>) -> Self {
        Self(runtimes.map(|runtime| Worker { runtime, connections: AtomicUsize::new(0) }).collect())
    }

    /// The runtime that this is called in, alone.
    #[cfg(test)]
    pub fn here() -> Self {
        Self::new(std::iter::once(Handle::current()))
    }

    /// All of them; at least one.
    pub fn all(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().map(|worker| &worker.runtime)
    }

    /// The one for what belongs to no connection.
    pub fn first(&self) -> &Handle {
        &self.0[0].runtime
    }

    /// A place for one more connection: on thread `own`, which accepted it, unless another thread carries clearly
    /// fewer. Moving one costs a wake-up, so that small differences stay.
    pub fn place(&self, own: usize) -> Place {
        let carried = |at: usize| self.0[at].connections.load(Ordering::Relaxed);
        let least = (0..self.0.len()).min_by_key(|at| carried(*at)).unwrap_or(own);
        let fewest = carried(least);
        let at = if carried(own) > fewest + 1 + fewest / 8 { least } else { own };
        self.0[at].connections.fetch_add(1, Ordering::Relaxed);
        Place { workers: self.clone(), at }
    }
}

/// A connection's place on a thread, for as long as it is open.
#[derive(Debug)]
pub struct Place {
    workers: Workers,
    at: usize,
}

impl Place {
    /// The runtime to spawn the connection on, where it is not that of `own`.
    pub fn elsewhere(&self, own: usize) -> Option<Handle> {
        (self.at != own).then(|| self.workers.0[self.at].runtime.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.workers.0[self.at].connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The threads themselves; they end when it is dropped, and what still runs on them is cut off.
#[derive(Debug)]
pub struct DataPlane {
    workers: Workers,
    stop: CancellationToken,
}

impl DataPlane {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// When the system gives no thread or no epoll.
    pub fn start(threads: usize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let start = |number| -> io::Result<Handle> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (handle, stop) = (runtime.handle().clone(), stop.clone());
            thread::Builder::new().name(format!("data-{number}")).spawn(move || serve(runtime, &stop))?;
            Ok(handle)
        };
        let runtimes = (0..threads.max(1)).map(start).collect::<io::Result<Vec<Handle>>>()?;
        Ok(Self { workers: Workers::new(runtimes.into_iter()), stop })
    }

    /// Where connections are served.
    pub fn workers(&self) -> Workers {
        self.workers.clone()
    }
}

impl Drop for DataPlane {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn serve(runtime: Runtime, stop: &CancellationToken) {
    runtime.block_on(stop.cancelled());
    runtime.shutdown_background();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn connections_go_where_there_are_clearly_fewer() {
        let data = DataPlane::start(2).unwrap();
        let workers = data.workers();
        let mut places: Vec<Place> = (0..100).map(|_| workers.place(0)).collect();
        let moved = places.iter().filter(|place| place.elsewhere(0).is_some()).count();
        assert!((45..=50).contains(&moved), "{moved} of 100 were moved");
        places.retain(|place| place.elsewhere(0).is_none());
        assert!(workers.place(0).elsewhere(0).is_some(), "the other thread is empty again");
        places.clear();
        assert!(workers.place(1).elsewhere(1).is_none(), "nothing is carried, and nothing moved");
    }
}
