//! The threads that carry traffic: a runtime of its own on each, and every connection on one of them for its whole
//! life.
//!
//! A session's two sockets are then polled by the thread that runs it: no wake-up crosses threads, and no thread waits
//! for another one's look at the sockets. What a connection starts (its upstream, its session) stays on its thread.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;

/// The runtimes of all threads.
#[derive(Clone, Debug)]
pub struct Workers(Arc<[Handle]>);

impl Workers {
    /// All of them; at least one.
    pub fn all(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter()
    }

    /// The one for what belongs to no connection.
    pub fn first(&self) -> &Handle {
        &self.0[0]
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
        let handles = (0..threads.max(1)).map(start).collect::<io::Result<Arc<[Handle]>>>()?;
        Ok(Self { workers: Workers(handles), stop })
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
