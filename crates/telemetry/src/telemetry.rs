//! The process's telemetry: started once, asked for traces, and closed at the end.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::TelemetryConfig;
use crate::counts::{Counts, Figures, Signal};
use crate::exporter::{Exporter, Source};
use crate::queue::Queue;
use crate::trace::Tracer;

/// What is sent to a collector, by a thread of its own; or nothing.
#[derive(Clone, Debug, Default)]
pub struct Telemetry(Option<Arc<Inner>>);

struct Inner {
    tracer: Tracer,
    traces: Arc<Counts>,
    metrics: Arc<Counts>,
    source: Arc<OnceLock<Source>>,
    closing: CancellationToken,
    /// Cancelled when the thread has ended.
    ended: CancellationToken,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("tracer", &self.tracer).finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Starts the thread that sends, where there is something to send.
    ///
    /// # Errors
    /// The system has no more threads, or no more files for their runtime.
    pub fn start(config: Option<&TelemetryConfig>) -> io::Result<Self> {
        let Some(config) = config else { return Ok(Self::default()) };
        let (traces, metrics) = (Arc::<Counts>::default(), Arc::<Counts>::default());
        let (source, closing, ended) = (Arc::default(), CancellationToken::new(), CancellationToken::new());
        let queue =
            config.traces.map(|wanted| Arc::new(Queue::new(wanted.queue, wanted.batch, traces.clone())));
        let tracer = match (&queue, &config.traces) {
            (Some(queue), Some(wanted)) => {
                Tracer::new(queue.clone(), wanted.sample_ratio, wanted.client_address)
            }
            _ => Tracer::default(),
        };
        let exporter = Exporter::new(config, Arc::clone(&source), closing.clone(), (&traces, &metrics));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = ended.clone().drop_guard();
        thread::Builder::new().name("telemetry".into()).spawn(move || {
            runtime.block_on(exporter.run(queue));
            drop(done);
        })?;
        Ok(Self(Some(Arc::new(Inner { tracer, traces, metrics, source, closing, ended }))))
    }

    /// What begins traces.
    pub fn tracer(&self) -> Tracer {
        self.0.as_ref().map(|inner| inner.tracer.clone()).unwrap_or_default()
    }

    /// Says where metrics come from. Only the first word counts.
    pub fn watch(&self, source: Source) {
        if let Some(inner) = &self.0 {
            let _ = inner.source.set(source);
        }
    }

    /// What became of what was to be sent, where anything is.
    pub fn figures(&self) -> Vec<Figures> {
        let Some(inner) = &self.0 else { return Vec::new() };
        vec![inner.traces.figures(Signal::Traces), inner.metrics.figures(Signal::Metrics)]
    }

    /// Sends what waits and the last metrics, for at most this long; what is left then is lost: the process is ending.
    pub fn close(&self, patience: Duration) {
        let Some(inner) = &self.0 else { return };
        inner.closing.cancel();
        let waiting = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(waiting) = waiting else { return };
        let ended = waiting.block_on(async { tokio::time::timeout(patience, inner.ended.cancelled()).await });
        if ended.is_err() {
            tracing::warn!(?patience, "the collector did not take the last traces and metrics in time");
        }
    }
}
