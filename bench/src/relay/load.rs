//! One connection through a chain: as fast as it goes, or one message at a time.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::chain::Running;
use super::service::{DOWN, ECHO, Pattern, Service, UP};

/// How long anything may stand still.
const PATIENCE: Duration = Duration::from_secs(30);
const MESSAGE: usize = 64;

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// The service sends.
    Down,
    /// The service takes.
    Up,
    /// 64 bytes to the service, and back before the next.
    Turns,
}

/// Processor time that one program of a chain took.
pub(super) struct Cost {
    pub(super) name: &'static str,
    pub(super) cpu: Duration,
}

/// What one turn has shown.
pub(super) struct Sample {
    /// Bytes, or messages.
    pub(super) count: u64,
    pub(super) time: Duration,
    pub(super) costs: Vec<Cost>,
    latency: Histogram<u64>,
}

impl Work {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
            Self::Turns => "64 B to and fro",
        }
    }
}

impl Sample {
    pub(super) fn cost(&self) -> Duration {
        self.costs.iter().map(|cost| cost.cpu).sum()
    }

    /// A second.
    pub(super) fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }

    pub(super) fn gibibytes(&self) -> f64 {
        self.count as f64 / f64::from(1 << 30)
    }

    /// In microseconds.
    pub(super) fn latency(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Works for so long, and gives what that took.
pub(super) async fn measure(
    running: &Running,
    service: &Service,
    work: Work,
    warm_up: Duration,
    time: Duration,
) -> Result<Sample> {
    let mut stream = running.dial().await?;
    let mut latency = Histogram::new(3)?;
    let mut window = Window::new(running, warm_up, time);
    match work {
        Work::Down => {
            stream.write_all(&[DOWN]).await?;
            stream.flush().await?;
            let (mut pattern, mut piece) = (Pattern::default(), vec![0; 256 << 10]);
            while window.is_open()? {
                let read = timeout(PATIENCE, stream.read(&mut piece)).await??;
                ensure!(read > 0, "the chain has closed");
                pattern.check(&piece[..read])?;
                window.count(read as u64);
            }
        }
        Work::Up => {
            stream.write_all(&[UP]).await?;
            let mut pattern = Pattern::default();
            let before = service.taken();
            let mut last = before;
            while window.is_open()? {
                let written = timeout(PATIENCE, stream.write(pattern.next())).await??;
                pattern.advance(written);
                let taken = service.taken();
                window.count(taken - last);
                last = taken;
            }
        }
        Work::Turns => {
            stream.write_all(&[ECHO]).await?;
            let (message, mut back) = ([7; MESSAGE], [0; MESSAGE]);
            while window.is_open()? {
                let start = Instant::now();
                stream.write_all(&message).await?;
                stream.flush().await?;
                timeout(PATIENCE, stream.read_exact(&mut back)).await??;
                ensure!(back == message, "another message came back");
                if window.count(1) {
                    latency.record(u64::try_from(start.elapsed().as_nanos())?)?;
                }
            }
        }
    }
    let sample = window.close(latency)?;
    drop(stream);
    // What is still on its way is no part of the next turn.
    sleep(Duration::from_millis(300)).await;
    Ok(sample)
}

/// The time in which what happens counts.
struct Window<'a> {
    running: &'a Running,
    opens: Instant,
    time: Duration,
    open: Option<(Instant, Vec<Cost>)>,
    count: u64,
}

impl<'a> Window<'a> {
    fn new(running: &'a Running, warm_up: Duration, time: Duration) -> Self {
        Self { running, opens: Instant::now() + warm_up, time, open: None, count: 0 }
    }

    /// `false` once it is over.
    fn is_open(&mut self) -> Result<bool> {
        let now = Instant::now();
        if self.open.is_none() && now >= self.opens {
            self.open = Some((now, self.running.costs()?));
        }
        Ok(self.open.as_ref().is_none_or(|(start, _)| now < *start + self.time))
    }

    /// `true` where it counts.
    fn count(&mut self, count: u64) -> bool {
        let counts = self.open.is_some();
        if counts {
            self.count += count;
        }
        counts
    }

    fn close(self, latency: Histogram<u64>) -> Result<Sample> {
        let Some((start, before)) = self.open else { anyhow::bail!("nothing was measured") };
        let time = start.elapsed();
        let mut costs = self.running.costs()?;
        for (cost, before) in costs.iter_mut().zip(before) {
            cost.cpu = cost.cpu.saturating_sub(before.cpu);
        }
        Ok(Sample { count: self.count, time, costs, latency })
    }
}
