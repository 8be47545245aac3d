//! The rows of the table: what befalls all sessions while they move bytes.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use wicketgate_testkit::peers::Intermediary;
use wicketgate_testkit::process::Signal;

use super::extent::Extent;
use super::line::Fate;
use super::run::Moving;
use super::stage::{Party, RECOVERY, Stage};
use super::{clock, disk};

/// The seed of random cuts; another one makes other cuts.
const SEED: u64 = 20_261_128;
/// The most bytes between two random cuts of one line.
const BETWEEN: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    GatewayKilled,
    GatewayReloaded,
    MiddleboxKilled,
    NginxReloaded,
    HaproxyReloaded,
    Reset,
    /// Silence for so many seconds, of the clients' cable and of the agent's.
    Silence(u64),
    HalfOpen,
    ClientMoves,
    AgentMoves,
    KindChanges,
    DiskFull,
    RandomCuts,
    ClockJumps,
    AgentRestarted,
}

pub(super) const ROWS: [(Row, &str); 17] = [
    (Row::GatewayKilled, "gateway: `kill -9`, and started again"),
    (Row::GatewayReloaded, "gateway: configuration reloaded"),
    (Row::MiddleboxKilled, "nginx in front: `kill -9`, and started again"),
    (Row::NginxReloaded, "nginx in front: configuration reloaded"),
    (Row::HaproxyReloaded, "HAProxy in front: configuration reloaded"),
    (Row::Reset, "TCP reset of all connections"),
    (Row::Silence(1), "packets dropped for 1 s"),
    (Row::Silence(30), "packets dropped for 30 s"),
    (Row::Silence(300), "packets dropped for 5 min"),
    (Row::HalfOpen, "half-open: only the other side of each connection is closed"),
    (Row::ClientMoves, "address of the clients changes"),
    (Row::AgentMoves, "address of the agent changes"),
    (Row::KindChanges, "carrier kind changes: `websocket`, `tls`, `websocket`"),
    (Row::DiskFull, "disk of the gateway full, `audit.store.mode: guaranteed`"),
    (Row::RandomCuts, "cuts at random bytes"),
    (Row::ClockJumps, "clock of gateway, agent, clients: an hour on, and back"),
    (Row::AgentRestarted, "agent: `kill -9`, and started again"),
];

impl Row {
    /// Whether it needs more time than every run has.
    pub(super) fn is_long(self) -> bool {
        matches!(self, Self::HalfOpen | Self::Silence(300))
    }

    /// Lets it befall; gives how often.
    pub(super) async fn befall(self, stage: &mut Stage, moving: &Moving, extent: Extent) -> Result<u64> {
        let times = extent.of(1, 5);
        match self {
            Self::GatewayKilled => {
                for _ in 0..times {
                    let had = stage.said("resumed");
                    stage.gateway.take().context("no gateway")?.process().signal(Signal::KILL)?;
                    stage.start_gateway("").await?;
                    stage.say("resumed", &had).await?;
                    moving.each(extent.bytes()).await?;
                }
                Ok(times)
            }
            Self::GatewayReloaded => {
                for _ in 0..times {
                    let config = stage.config("");
                    let gateway = stage.gateway.as_ref().context("no gateway")?;
                    gateway.reload(&config, "configuration reloaded").await?;
                    moving.each(extent.bytes()).await?;
                }
                Ok(times)
            }
            Self::MiddleboxKilled => {
                for _ in 0..times {
                    let had = stage.said("resumed");
                    let down = stage.nginx.take().context("no nginx")?.kill().await?;
                    stage.nginx = Some(down.start().await?);
                    stage.say("resumed", &had).await?;
                    moving.each(extent.bytes()).await?;
                }
                Ok(times)
            }
            Self::NginxReloaded => {
                for _ in 0..times {
                    let had = stage.said("resumed");
                    stage.nginx.as_ref().context("no nginx")?.process().signal(Signal::HUP)?;
                    stage.say("resumed", &had).await?;
                    moving.each(extent.bytes()).await?;
                }
                Ok(times)
            }
            Self::HaproxyReloaded => haproxy(stage, moving, extent, times).await,
            Self::Reset => {
                for _ in 0..times {
                    cut(stage, moving, extent).await?;
                }
                Ok(times)
            }
            Self::Silence(seconds) => silence(stage, seconds, extent).await,
            Self::HalfOpen => {
                let had = stage.said("resumed");
                stage.near.befall(Fate::HalfOpenToGateway);
                stage.far.befall(Fate::HalfOpenToEndpoint);
                stage.say("resumed", &had).await?;
                Ok(1)
            }
            Self::ClientMoves => {
                let had = stage.said("resumed");
                stage.clients_host.move_to(12)?;
                stage.say("resumed", &had).await?;
                Ok(1)
            }
            Self::AgentMoves => {
                let had = stage.said("resumed");
                stage.agent_host.move_to(13)?;
                stage.say("resumed", &had).await?;
                Ok(1)
            }
            Self::KindChanges => {
                let had = stage.said("resumed over tls");
                stage.lead_to(stage.public.addr());
                stage.say("resumed over tls", &had).await?;
                moving.each(extent.bytes()).await?;
                let had = stage.said("resumed over websocket");
                stage.lead_to(stage.nginx.as_ref().context("no nginx")?.addr());
                stage.befall(Fate::Reset);
                stage.say("resumed over websocket", &had).await?;
                Ok(2)
            }
            Self::DiskFull => disk::full(stage, moving, extent).await,
            Self::RandomCuts => random_cuts(stage, extent.of(40, 1_000)).await,
            Self::ClockJumps => {
                for party in [Party::Gateway, Party::Agent, Party::Clients] {
                    for ahead in ["+3600", "+0"] {
                        clock::set(&stage.site, party, ahead);
                        cut(stage, moving, extent).await?;
                    }
                }
                Ok(6)
            }
            Self::AgentRestarted => {
                stage.agent.take().context("no agent")?.signal(Signal::KILL)?;
                stage.start_agent().await?;
                for client in &mut stage.clients {
                    let status = client.process.wait(RECOVERY).await?;
                    ensure!(status.code() == Some(1), "{status}");
                }
                Ok(1)
            }
        }
    }
}

/// Resets all connections, and sees all sessions go on.
pub(super) async fn cut(stage: &Stage, moving: &Moving, extent: Extent) -> Result<()> {
    let had = stage.said("resumed");
    stage.befall(Fate::Reset);
    stage.say("resumed", &had).await?;
    moving.each(extent.bytes()).await
}

async fn haproxy(stage: &Stage, moving: &Moving, extent: Extent, times: u64) -> Result<u64> {
    let hop = stage.hop().edit("global\n", "global\n  master-worker\n  hard-stop-after 1s\n");
    let haproxy = Intermediary::Haproxy.start(&hop).await?;
    stage.lead_to(haproxy.addr());
    cut(stage, moving, extent).await?;
    for _ in 0..times {
        let had = stage.said("resumed");
        haproxy.process().signal(Signal::USR2)?;
        stage.say("resumed", &had).await?;
        moving.each(extent.bytes()).await?;
    }
    let had = stage.said("resumed");
    stage.lead_to(stage.nginx.as_ref().context("no nginx")?.addr());
    stage.befall(Fate::Reset);
    stage.say("resumed", &had).await?;
    Ok(times + 2)
}

/// Both cables go dead, one after the other; nobody is told.
async fn silence(stage: &Stage, seconds: u64, extent: Extent) -> Result<u64> {
    let seconds = match extent {
        Extent::All => seconds,
        Extent::Short => seconds.min(2),
    };
    for host in [&stage.clients_host, &stage.agent_host] {
        host.reach(false)?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        host.reach(true)?;
    }
    Ok(2)
}

async fn random_cuts(stage: &Stage, cuts: u64) -> Result<u64> {
    stage.near.cut_at_random(cuts / 2, BETWEEN, SEED);
    stage.far.cut_at_random(cuts / 2, BETWEEN, SEED + 1);
    let mut left = cuts / 2;
    while left > 0 {
        left = left.saturating_sub(10);
        if !stage.near.has_left(left, RECOVERY).await || !stage.far.has_left(left, RECOVERY).await {
            bail!("cuts of seed {SEED}: more than {left} left on a line");
        }
    }
    Ok(cuts)
}
