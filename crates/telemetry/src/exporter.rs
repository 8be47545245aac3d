//! The thread that sends: spans when there is a batch of them or a second has gone, metrics at each interval.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

use crate::collector::{Collector, Failed};
use crate::config::{TelemetryConfig, TracesConfig};
use crate::counts::{Counts, Loss, Signal};
use crate::exposition;
use crate::otlp::{self, Resource};
use crate::queue::Queue;
use crate::span::Ended;

/// Where metrics come from: the text that Prometheus would get, where there is one.
pub type Source = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Everything that the thread has.
pub(crate) struct Exporter {
    collector: Collector,
    resource: Resource,
    spans: Option<TracesConfig>,
    interval: Option<Duration>,
    source: Arc<OnceLock<Source>>,
    /// Since when counters count.
    started: SystemTime,
    closing: CancellationToken,
    traces: Arc<Counts>,
    metrics: Arc<Counts>,
}

/// How long a span waits for others to be sent with.
const LINGER: Duration = Duration::from_secs(1);
/// A collector that fails is told of once in this time.
const SILENCE: Duration = Duration::from_secs(60);

impl Exporter {
    pub(crate) fn new(
        config: &TelemetryConfig,
        source: Arc<OnceLock<Source>>,
        closing: CancellationToken,
        (traces, metrics): (&Arc<Counts>, &Arc<Counts>),
    ) -> Self {
        Self {
            collector: Collector::new(config.collector.clone()),
            resource: Resource::new(&config.attributes),
            spans: config.traces,
            interval: config.metrics.map(|metrics| metrics.interval),
            source,
            started: SystemTime::now(),
            closing,
            traces: traces.clone(),
            metrics: metrics.clone(),
        }
    }

    /// Sends until it is told to end, and what is left then once more.
    pub(crate) async fn run(self, queue: Option<Arc<Queue>>) {
        let traces = async {
            if let (Some(queue), Some(config)) = (queue, &self.spans) {
                self.send_traces(&queue, config).await;
            }
        };
        let metrics = async {
            if let Some(interval) = self.interval {
                self.send_metrics(interval).await;
            }
        };
        tokio::join!(traces, metrics);
    }

    async fn send_traces(&self, queue: &Queue, config: &TracesConfig) {
        let mut trouble = Trouble::new(Signal::Traces);
        loop {
            let is_closing = self.closing.is_cancelled();
            while let Some(spans) = queue.take() {
                self.deliver(&spans, config, &mut trouble).await;
            }
            if is_closing {
                return;
            }
            tokio::select! {
                () = queue.filled() => {}
                () = sleep(LINGER) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    /// Sends spans until the collector has taken or refused them, or they were tried often enough.
    async fn deliver(&self, spans: &[Ended], config: &TracesConfig, trouble: &mut Trouble) {
        let (number, to) = (spans.len() as u64, &self.collector.config.traces);
        let message = Bytes::from(otlp::traces(&self.resource, spans));
        let mut pause = config.pause;
        for left in (0..config.tries).rev() {
            let asked = match self.collector.post(to, message.clone()).await {
                Ok(answer) => {
                    let refused = otlp::refused_spans(&answer).min(number);
                    self.traces.sent(number - refused);
                    self.traces.lost(Loss::Refused, refused);
                    return trouble.over();
                }
                Err(Failed::Refused(status)) => {
                    self.traces.failed();
                    self.traces.lost(Loss::Refused, number);
                    return trouble.tell(to, &status.to_string());
                }
                Err(Failed::Passing(why, asked)) => {
                    self.traces.failed();
                    trouble.tell(to, &why);
                    asked
                }
            };
            if left == 0 {
                break;
            }
            // Up to a fifth more, so that gateways do not come back all at once.
            let longer = pause.max(asked.unwrap_or_default()).mul_f64(rand::random_range(1.0..1.2));
            pause = pause.saturating_mul(2);
            tokio::select! {
                () = sleep(longer) => {}
                () = self.closing.cancelled() => break,
            }
        }
        self.traces.lost(Loss::Failed, number);
    }

    async fn send_metrics(&self, interval: Duration) {
        let mut trouble = Trouble::new(Signal::Metrics);
        let mut ticks = interval_at(tokio::time::Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_closing = tokio::select! {
                _ = ticks.tick() => false,
                () = self.closing.cancelled() => true,
            };
            if let Some(text) = self.source.get().and_then(|source| source()) {
                self.deliver_metrics(&text, &mut trouble).await;
            }
            if is_closing {
                return;
            }
        }
    }

    /// Sends the metrics of this moment. They are not tried again: the next ones say all that these did.
    async fn deliver_metrics(&self, text: &str, trouble: &mut Trouble) {
        let to = &self.collector.config.metrics;
        let families = exposition::read(text);
        let (message, number) = otlp::metrics(&self.resource, &families, self.started, SystemTime::now());
        match self.collector.post(to, Bytes::from(message)).await {
            Ok(answer) => {
                let refused = otlp::refused_points(&answer).min(number);
                self.metrics.sent(number - refused);
                self.metrics.lost(Loss::Refused, refused);
                trouble.over();
            }
            Err(failed) => {
                self.metrics.failed();
                let (why, text) = match failed {
                    Failed::Refused(status) => (Loss::Refused, status.to_string()),
                    Failed::Passing(text, _) => (Loss::Failed, text),
                };
                self.metrics.lost(why, number);
                trouble.tell(to, &text);
            }
        }
    }
}

/// What the log hears of a collector that fails: the first time, once a minute, and that it is over.
struct Trouble {
    signal: Signal,
    told: Option<Instant>,
    is_on: bool,
}

impl Trouble {
    const fn new(signal: Signal) -> Self {
        Self { signal, told: None, is_on: false }
    }

    fn tell(&mut self, url: &impl std::fmt::Display, why: &str) {
        self.is_on = true;
        if self.told.is_none_or(|told| told.elapsed() >= SILENCE) {
            self.told = Some(Instant::now());
            let signal = self.signal.label();
            tracing::warn!(signal, %url, reason = why, "the collector does not take what is sent");
        }
    }

    fn over(&mut self) {
        if std::mem::take(&mut self.is_on) {
            tracing::info!(signal = self.signal.label(), "the collector takes what is sent again");
        }
    }
}
