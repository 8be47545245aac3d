//! What raw backends share: a listening socket, a task for each connection, a bounded stop.

use std::{future::Future, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::io::{Accepted, Listener, Place};

/// Time for connections to end when a server is stopped.
const STOP: Duration = Duration::from_secs(5);

/// Before another try to accept when that failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts until it is stopped or dropped, which also ends all connections.
#[derive(Debug)]
pub(super) struct Server {
    place: Place,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Listens at `place`, else on a free port of 127.0.0.1, and serves each connection in a task of its own.
    pub(super) fn start<F>(
        place: Option<Place>,
        serve: impl Fn(Accepted) -> F + Send + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let asked = place.unwrap_or_else(|| Place::Tcp(([127, 0, 0, 1], 0).into()));
        let listener = Listener::bind(&asked).with_context(|| format!("cannot listen on {asked:?}"))?;
        let place = listener.place(&asked)?;
        let server = Self { place, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        let (stop, tasks) = (server.stop.clone(), server.tasks.clone());
        server.tasks.spawn(async move {
            while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
                // A connection that was reset before it was accepted, or no file handle left for now.
                let Ok(stream) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let (stop, session) = (stop.clone(), serve(stream));
                tasks.spawn(async move { stop.run_until_cancelled(session).await });
            }
        });
        Ok(server)
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn addr(&self) -> Result<SocketAddr> {
        match &self.place {
            Place::Tcp(addr) => Ok(*addr),
            Place::Unix(path) => bail!("it listens on {}", path.display()),
        }
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.tasks.close();
        timeout(STOP, self.tasks.wait()).await.context("connections of the server do not end")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
