//! Many sessions that echo all the time, and what became of each.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Interval, interval, timeout},
};
use wicketgate_testkit::raw::{Ended, Endpoint, Frame, RawClient, opcode};

/// Between two messages of one session, unless said otherwise: 500 sessions send 5,000 a second.
const PACE: Duration = Duration::from_millis(100);
/// How long anything may take that all sessions do.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sessions that echo until they are told to stop, or end.
pub(crate) struct Load {
    sessions: JoinSet<(Fate, Instant)>,
    echoes: Vec<Arc<AtomicU64>>,
    /// One more whenever a session has got an echo.
    tick: watch::Sender<u64>,
    stop: watch::Sender<bool>,
    pace: Duration,
}

/// How a session came to its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It closed, as it was told to, with 1000 both ways.
    Finished,
    /// The gateway closed it with this code.
    Closed(u16),
    /// Anything else.
    Lost(String),
}

impl Load {
    /// Opens so many sessions at this target; each has echoed once.
    pub(crate) async fn start(endpoint: &Endpoint, target: &str, count: usize) -> Self {
        let mut load = Self::none();
        for _ in 0..count {
            load.open(endpoint, target).await;
        }
        load
    }

    /// No session yet.
    pub(crate) fn none() -> Self {
        let (tick, stop) = (watch::Sender::new(0), watch::Sender::new(false));
        Self { sessions: JoinSet::new(), echoes: Vec::new(), tick, stop, pace: PACE }
    }

    /// With so long between two messages of one session.
    pub(crate) fn pace(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// Opens one more.
    pub(crate) async fn open(&mut self, endpoint: &Endpoint, target: &str) {
        self.join(RawClient::open(endpoint, target).await.unwrap()).await;
    }

    /// Takes in one that is open; it has echoed once.
    pub(crate) async fn join(&mut self, mut client: RawClient) {
        client.echoes("first").await.unwrap();
        let echoes = Arc::new(AtomicU64::new(0));
        self.echoes.push(echoes.clone());
        let (tick, stop, pace) = (self.tick.clone(), self.stop.subscribe(), interval(self.pace));
        self.sessions.spawn(async move {
            let fate = live(client, &echoes, &tick, stop, pace).await;
            (fate, Instant::now())
        });
    }

    /// Waits until every session has sent a message from now on and got it back.
    pub(crate) async fn round(&self) {
        let count = |echoes: &Arc<AtomicU64>| echoes.load(Relaxed);
        let before: Vec<u64> = self.echoes.iter().map(count).collect();
        let mut tick = self.tick.subscribe();
        // One message may have been on its way already.
        let done = tick.wait_for(|_| {
            self.echoes.iter().zip(&before).all(|(echoes, before)| count(echoes) >= before + 2)
        });
        timeout(PATIENCE, done).await.expect("a session does not echo any more").unwrap();
    }

    /// Closes every session that is still there; how many met which fate, and when each of them ended.
    pub(crate) async fn finish(self) -> Fates {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Waits until every session has ended by itself.
    pub(crate) async fn ended(mut self) -> Fates {
        let mut fates = Fates::default();
        while let Some(ended) =
            timeout(PATIENCE, self.sessions.join_next()).await.expect("a session does not end")
        {
            let (fate, at) = ended.unwrap();
            fates.times.push(at);
            *fates.counts.entry(fate).or_default() += 1;
        }
        fates
    }
}

/// How many sessions met which fate, and when they ended.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    counts: BTreeMap<Fate, usize>,
    times: Vec<Instant>,
}

impl Fates {
    /// All of them met this one.
    #[track_caller]
    pub(crate) fn all(&self, count: usize, fate: Fate) {
        assert_eq!(self.counts, BTreeMap::from([(fate, count)]));
    }

    /// From the first end to the last.
    pub(crate) fn spread(&self) -> Duration {
        let (first, last) = (self.times.iter().min().unwrap(), self.times.iter().max().unwrap());
        *last - *first
    }
}

/// One session's life.
async fn live(
    mut client: RawClient,
    echoes: &AtomicU64,
    tick: &watch::Sender<u64>,
    mut stop: watch::Receiver<bool>,
    mut pace: Interval,
) -> Fate {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = pace.tick() => {}
        }
        match echo(&mut client).await {
            Ok(None) => {}
            Ok(Some(code)) => return Fate::Closed(code),
            Err(error) => return Fate::Lost(format!("{error:#}")),
        }
        echoes.fetch_add(1, Relaxed);
        tick.send_modify(|count| *count += 1);
    }
    match client.close(1000).await {
        Ok(Ended::Closed(Some(1000))) => Fate::Finished,
        other => Fate::Lost(format!("{other:?}")),
    }
}

/// Sends a message and waits for it, or for a close frame: then the session is closed in good order and its code given.
async fn echo(client: &mut RawClient) -> Result<Option<u16>> {
    client.send_text("still here").await?;
    let frame = client.frame().await?;
    if frame.opcode != opcode::CLOSE {
        ensure!(frame.payload == b"still here", "{frame:?} came back");
        return Ok(None);
    }
    let code = frame.close_code().context("a close frame without a code")?;
    client.send_frame(&Frame::close(code, "").masked([1, 2, 3, 4])).await?;
    let rest = client.rest().await?;
    ensure!(rest.is_empty(), "after the close frame came {}", rest.escape_ascii());
    Ok(Some(code))
}
