//! A session over a long line: how much of it one stream gets, and how long a message takes beside that.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use wicketgate_testkit::line::{Line, Quality};
use wicketgate_testkit::ports::Port;

use super::service::{DOWN, ECHO, Pattern, Service, UP};
use super::site::{Site, Way};
use crate::interrupt;

const LINE: Quality = Quality {
    round_trip: Duration::from_millis(80),
    rate: 200_000_000,
    // A quarter of what is under way when the line is full.
    queue: Duration::from_millis(20),
};
/// Until a stream goes as fast as it will.
const WARM_UP: Duration = Duration::from_secs(5);
/// Until nothing is left on its way of a stream that was ended.
const SETTLED: Duration = Duration::from_secs(2);
/// How long anything may stand still.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between messages of somebody who types, say.
const PAUSE: Duration = Duration::from_millis(20);

/// What is beside a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Down,
    Up,
}

/// What one way over the line has shown.
struct Shown {
    name: &'static str,
    /// Bytes a second.
    down: f64,
    up: f64,
    /// To and fro, alone, beside a stream down, and beside one up.
    turns: [Histogram<u64>; 3],
}

/// Measures a plain connection and a session over the same line, for so long each time.
pub(super) async fn run(site: &Site, time: Duration) -> Result<String> {
    let line = Arc::new(Line::new(LINE)?);
    let service = Service::start_at(line.near_addr())?;
    let plain = measure("plain TCP", &line, service.addr(), &service, time).await?;
    let relay = site.relay_at(line.near_addr()).await?;
    let way = Way::Far(relay.secure.addr());
    let _agent = site.agent(&way, service.addr()).await?;
    let listen = Port::free()?;
    let _client = site.client_by(&way, &listen, |command| line.command(&command)).await?;
    let session = measure("a private session", &line, listen.addr(), &service, time).await?;
    table(&[plain, session])
}

async fn measure(
    name: &'static str,
    line: &Arc<Line>,
    addr: SocketAddr,
    service: &Service,
    time: Duration,
) -> Result<Shown> {
    let rate = async |asked| -> Result<f64> {
        let moved = stream(line, addr, asked, service).await?;
        sleep(WARM_UP).await;
        let (before, start) = (moved.count(), Instant::now());
        sleep(time).await;
        interrupt::check()?;
        ensure!(moved.count() > before, "{name} stands still");
        let rate = (moved.count() - before) as f64 / start.elapsed().as_secs_f64();
        drop(moved);
        // What is still on its way is no part of the next.
        sleep(SETTLED).await;
        Ok(rate)
    };
    let (down, up) = (rate(DOWN).await?, rate(UP).await?);
    let turns = async |beside| {
        let moved = match beside {
            Beside::Nothing => None,
            Beside::Down => Some(stream(line, addr, DOWN, service).await?),
            Beside::Up => Some(stream(line, addr, UP, service).await?),
        };
        if beside != Beside::Nothing {
            sleep(WARM_UP).await;
        }
        let turns = turns(line, addr, time).await;
        drop(moved);
        sleep(SETTLED).await;
        turns
    };
    let turns = [turns(Beside::Nothing).await?, turns(Beside::Down).await?, turns(Beside::Up).await?];
    Ok(Shown { name, down, up, turns })
}

/// A stream that goes as fast as it may, until it is dropped.
struct Moving<'a> {
    /// What has come here; where it goes up, nothing does.
    here: Arc<AtomicU64>,
    service: &'a Service,
    _moves: AbortOnDropHandle<Result<()>>,
}

impl Moving<'_> {
    fn count(&self) -> u64 {
        self.here.load(Ordering::Relaxed) + self.service.taken()
    }
}

async fn stream<'a>(
    line: &Arc<Line>,
    addr: SocketAddr,
    asked: u8,
    service: &'a Service,
) -> Result<Moving<'a>> {
    let mut stream = dial(line, addr).await?;
    stream.write_all(&[asked]).await?;
    let here = Arc::<AtomicU64>::default();
    let counts = here.clone();
    let moves = async move {
        let (mut pattern, mut piece) = (Pattern::default(), vec![0; 256 << 10]);
        loop {
            if asked == UP {
                let written = stream.write(pattern.next()).await?;
                pattern.advance(written);
            } else {
                let read = stream.read(&mut piece).await?;
                ensure!(read > 0, "the stream has ended");
                pattern.check(&piece[..read])?;
                counts.fetch_add(read as u64, Ordering::Relaxed);
            }
        }
    };
    Ok(Moving { here, service, _moves: AbortOnDropHandle::new(tokio::spawn(moves)) })
}

/// 64 bytes to and fro, with a pause before the next.
async fn turns(line: &Arc<Line>, addr: SocketAddr, time: Duration) -> Result<Histogram<u64>> {
    let mut stream = dial(line, addr).await?;
    stream.write_all(&[ECHO]).await?;
    let mut histogram = Histogram::new(3)?;
    let (message, mut back) = ([7; 64], [0; 64]);
    let until = Instant::now() + time;
    while Instant::now() < until {
        interrupt::check()?;
        let start = Instant::now();
        stream.write_all(&message).await?;
        timeout(PATIENCE, stream.read_exact(&mut back)).await??;
        histogram.record(u64::try_from(start.elapsed().as_micros())?)?;
        sleep(PAUSE).await;
    }
    Ok(histogram)
}

async fn dial(line: &Arc<Line>, addr: SocketAddr) -> Result<TcpStream> {
    let line = line.clone();
    let stream = tokio::task::spawn_blocking(move || line.connect(addr)).await?.context("over the line")?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(TcpStream::from_std(stream)?)
}

fn table(shown: &[Shown]) -> Result<String> {
    let mut text = format!(
        "## A long line\n\n\
         {} ms there and back, {} Mbit/s each way, and a queue of {} ms; the client is at its far end, the gateway and the agent at this one.\n\n\
         | over it | down, Mbit/s | of the line | up, Mbit/s | of the line | 64 B to and fro, ms: alone | p99 | beside a stream down | p99 | beside one up | p99 |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        LINE.round_trip.as_millis(),
        LINE.rate / 1_000_000,
        LINE.queue.as_millis(),
    );
    for Shown { name, down, up, turns } in shown {
        write!(text, "| {name} ")?;
        for rate in [down, up] {
            let bits = 8.0 * rate;
            write!(text, "| {:.0} | {:.0} % ", bits / 1e6, 100.0 * bits / LINE.rate as f64)?;
        }
        for turns in turns {
            let at = |quantile| turns.value_at_quantile(quantile) as f64 / 1e3;
            write!(text, "| {:.0} | {:.0} ", at(0.5), at(0.99))?;
        }
        text.push_str("|\n");
    }
    text.push('\n');
    Ok(text)
}
