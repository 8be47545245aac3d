//! Traffic in all sessions at once, and what is to be said of it in the end.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::checked::Faults;
use super::flow::{Ended, Flow};
use super::stage::{RECOVERY, Stage};
use super::traffic::{self, Traffic};

/// Connections that all move bytes, one in each session.
pub(super) struct Moving {
    flows: Vec<(Traffic, Arc<Flow>)>,
    tasks: Vec<JoinHandle<Result<()>>>,
    moved: watch::Sender<()>,
    enough: CancellationToken,
}

/// What has become of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) bytes: u64,
    pub(super) faults: Faults,
    /// Connections that were whole.
    pub(super) whole: usize,
    /// Why the others were not.
    pub(super) broken: Vec<String>,
}

impl Moving {
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        let (moved, enough) = (watch::Sender::new(()), CancellationToken::new());
        let mut expected = stage.expected.lock().unwrap();
        let (mut flows, mut tasks) = (Vec::new(), Vec::new());
        for client in &stage.clients {
            let number = expected.len() as u64 + 1;
            let flow = Arc::new(Flow::new(number, &moved, &enough));
            expected.insert(number, flow.clone());
            flows.push((client.traffic, flow.clone()));
            if client.traffic == Traffic::Ssh {
                tasks.push(tokio::spawn(traffic::ssh(stage.ssh(client.addr), flow)));
                continue;
            }
            let socket = stage.clients_host.connect(client.addr)?;
            socket.set_nonblocking(true)?;
            let socket = TcpStream::from_std(socket)?;
            tasks.push(match client.traffic {
                Traffic::Http => tokio::spawn(traffic::http(socket, flow)),
                kind => tokio::spawn(traffic::bytes(kind, socket, flow)),
            });
        }
        Ok(Self { flows, tasks, moved, enough })
    }

    /// Waits until each has moved so many more bytes.
    pub(super) async fn each(&self, bytes: u64) -> Result<()> {
        let goals: Vec<_> = self.flows.iter().map(|(_, flow)| flow.came() + bytes).collect();
        let behind = || {
            let flows = self.flows.iter().zip(&goals).filter(|((_, flow), goal)| flow.came() < **goal);
            flows.map(|((traffic, flow), _)| format!("{traffic:?} {}", flow.number)).collect::<Vec<_>>()
        };
        let mut moved = self.moved.subscribe();
        let there = async {
            while !behind().is_empty() {
                ensure!(!self.tasks.iter().any(JoinHandle::is_finished), "a connection has ended");
                moved.changed().await?;
            }
            Ok(())
        };
        timeout(RECOVERY, there).await.with_context(|| format!("still behind: {:?}", behind()))?
    }

    /// Lets all of it come to its end.
    pub(super) async fn finish(self) -> Outcome {
        self.enough.cancel();
        self.ended().await
    }

    /// Waits for the end, which may be that of the sessions.
    pub(super) async fn ended(self) -> Outcome {
        let mut outcome = Outcome::default();
        let until = tokio::time::Instant::now() + RECOVERY;
        for ((traffic, flow), mut task) in self.flows.into_iter().zip(self.tasks) {
            let done = match tokio::time::timeout_at(until, &mut task).await {
                Ok(done) => done.map_err(Into::into).flatten(),
                Err(_) => Err(anyhow::anyhow!("it does not come to its end")),
            };
            task.abort();
            let ended = match done {
                Ok(()) => Ended::Whole,
                Err(error) => {
                    outcome.broken.push(format!("{traffic:?} {}: {error:#}", flow.number));
                    Ended::Early
                }
            };
            outcome.whole += usize::from(ended == Ended::Whole);
            outcome.bytes += flow.came();
            outcome.faults = outcome.faults.plus(flow.faults(ended));
        }
        outcome
    }
}
