//! Sessions that a gateway holds: what each takes, and how soon one is carried again when its connection is cut.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wicketgate_relay::agent;
use wicketgate_relay::agent::config::RawAgent;
use wicketgate_relay::client::config::{ClientConfig, RawClient};
use wicketgate_relay::client::{Connected, Progress, connect};
use wicketgate_relay::endpoint::config::load;

use super::service::{ECHO, Service};
use super::site::{Site, Way};
use crate::interrupt;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sessions that are begun at once.
const AT_ONCE: u32 = 20;
/// So many have come and are held before memory is first looked at.
const FIRST: u32 = 100;
const CUTS: usize = 30;

/// Holds so many sessions, and gives what that shows.
pub(super) async fn run(site: &Site, service: &Service, sessions: u32) -> Result<String> {
    let relay = site.relay().await?;
    let way = Way::Plain(relay.plain.addr());
    let agent = read(&site.agent_file(&way, service.addr())?, RawAgent::check)?;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let _agent = AbortOnDropHandle::new(tokio::spawn(agent::run(agent, stop, || {}, |_| {})));
    let client = Arc::new(read(&site.client_file(&way)?, RawClient::check)?);
    let mut held = hold(&client, FIRST).await?;
    let before = relay.gateway.usage()?.resident_bytes;
    held.extend(hold(&client, sessions).await?);
    let after = relay.gateway.usage()?.resident_bytes;
    let each = (after.saturating_sub(before)) as f64 / f64::from(sessions) / 1024.0;
    let mut text = format!(
        "## Sessions held\n\n{sessions} sessions more than {FIRST}, each of a client with a control connection of its own, and each having moved 1 KiB: \
         the gateway takes {each:.1} KiB more for each (three connections).\n\n"
    );
    drop(held);
    let mut times = cuts(site, relay.plain.addr()).await?;
    times.sort();
    let at = |quantile: usize| times[(times.len() - 1) * quantile / 100].as_secs_f64() * 1e3;
    writeln!(
        text,
        "Cut {CUTS} times, a session was carried again after {:.0} ms (median), at most {:.0} ms.",
        at(50),
        at(100)
    )?;
    Ok(text)
}

fn read<R, C>(path: &Path, check: impl FnOnce(R, &mut wicketgate_config::Problems) -> Option<C>) -> Result<C>
where
    R: serde::de::DeserializeOwned,
{
    match load(path, check) {
        Ok((config, _)) => Ok(config),
        Err(report) => bail!("{}: {report:?}", path.display()),
    }
}

/// Begins sessions that each move a little.
async fn hold(client: &Arc<ClientConfig>, count: u32) -> Result<Vec<Connected>> {
    let (mut begun, mut held, mut left) = (JoinSet::new(), Vec::new(), count);
    loop {
        interrupt::check()?;
        while left > 0 && begun.len() < AT_ONCE as usize {
            begun.spawn(session(client.clone()));
            left -= 1;
        }
        match begun.join_next().await {
            Some(session) => held.push(session??),
            None => return Ok(held),
        }
    }
}

async fn session(client: Arc<ClientConfig>) -> Result<Connected> {
    let connected = connect(&client, "office", vec!["bench".into()], Arc::new(|_: &Progress| {}));
    let connected = timeout(PATIENCE, connected).await.context("a session takes too long")??;
    echo(&connected).await?;
    Ok(connected)
}

/// Has 1 KiB come back through a session.
async fn echo(session: &Connected) -> Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut near, mut far) = tokio::io::duplex(4096);
    let exchange = async move {
        near.write_all(&[&[ECHO][..], &[7; 1024]].concat()).await?;
        let mut back = [0; 1024];
        near.read_exact(&mut back).await?;
        ensure!(back == [7; 1024], "something else came back");
        near.shutdown().await?;
        Ok(())
    };
    let (forwarded, exchanged) =
        timeout(PATIENCE, async { tokio::join!(session.forward("bench", &mut far), exchange) })
            .await
            .context("an echo takes too long")?;
    exchanged?;
    // The service ends what is ended: how is no matter.
    let _ = forwarded;
    Ok(())
}

/// Times from a cut until the session is carried again.
async fn cuts(site: &Site, gateway: SocketAddr) -> Result<Vec<Duration>> {
    let wire = Wire::to(gateway).await?;
    let client = read(&site.client_file(&Way::Plain(wire.addr))?, RawClient::check)?;
    let (resumed, mut resumes) = mpsc::unbounded_channel();
    let told = Arc::new(move |progress: &Progress| {
        if let Progress::Resumed { .. } = progress {
            let _ = resumed.send(Instant::now());
        }
    });
    let session = connect(&client, "office", vec!["bench".into()], told).await?;
    let mut times = Vec::new();
    for _ in 0..CUTS {
        echo(&session).await?;
        let start = Instant::now();
        wire.cut();
        let again = timeout(PATIENCE, resumes.recv()).await.context("it is not carried again")?;
        times.push(again.context("the session has ended")? - start);
    }
    Ok(times)
}

/// A way to the gateway that can be cut.
struct Wire {
    addr: SocketAddr,
    cut: watch::Sender<u64>,
    _serving: AbortOnDropHandle<()>,
}

impl Wire {
    async fn to(gateway: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let cut = watch::Sender::new(0);
        let cuts = cut.clone();
        let serve = async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cuts = cuts.subscribe();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(gateway).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        };
        Ok(Self { addr, cut, _serving: AbortOnDropHandle::new(tokio::spawn(serve)) })
    }

    fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}
