//! What a private session costs: beside plain TCP hops, rathole over WebSocket and websockify; and how many a gateway holds.

mod chain;
mod far;
mod held;
mod load;
mod service;
mod site;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use tokio::runtime::{Builder, Runtime};
use wicketgate_testkit::peers::Intermediary;
use wicketgate_testkit::process::raise_open_files;

use self::chain::Chain;
use self::load::{Cost, Sample, Work};
use self::service::Service;
use self::site::Site;
use crate::interrupt;

/// Before what is measured, on each connection.
const WARM_UP: Duration = Duration::from_millis(500);

#[derive(Args)]
pub(crate) struct Arguments {
    /// Who takes part [default: all]
    #[arg(long, value_delimiter = ',')]
    chains: Vec<Chain>,
    /// Turns of every contender
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Measured seconds of a turn
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Sessions that a gateway is to hold; 0 leaves that out
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(0..=3_000))]
    sessions: u32,
    /// Measured seconds of each figure over a long line; 0 leaves that out, which is for root alone
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=600))]
    far: u64,
    /// The program [default: built here with the profile for packages]
    #[arg(long)]
    pub(crate) wicketgate: Option<PathBuf>,
    /// Folder for relay.md
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

/// What a chain has shown in all its turns.
struct Shown {
    chain: Chain,
    down: Vec<Sample>,
    up: Vec<Sample>,
    turns: Vec<Sample>,
}

/// Measures all, and gives the tables.
pub(crate) fn run(arguments: &Arguments, program: PathBuf) -> Result<String> {
    interrupt::watch()?;
    raise_open_files()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (site, service) = (Site::new(program)?, Service::start()?);
    let mut text = String::new();
    for (name, version) in versions(&site)? {
        write!(text, "{}{name} {version}", if text.is_empty() { "" } else { ", " })?;
    }
    text.push_str(".\n\n");
    text.push_str(&streams(arguments, &runtime, &site, &service)?);
    if arguments.far > 0 {
        text.push_str(&runtime.block_on(far::run(&site, Duration::from_secs(arguments.far)))?);
    }
    if arguments.sessions > 0 {
        text.push_str(&runtime.block_on(held::run(&site, &service, arguments.sessions))?);
    }
    Ok(text)
}

fn versions(site: &Site) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("wicketgate", crate::gateway::version(site.program())?),
        ("haproxy", Intermediary::Haproxy.version()?),
        ("nginx", Intermediary::Nginx.version()?),
        ("rathole", chain::RATHOLE.to_owned()),
    ])
}

/// One stream through each chain, in turns.
fn streams(arguments: &Arguments, runtime: &Runtime, site: &Site, service: &Service) -> Result<String> {
    let chains = match &arguments.chains[..] {
        [] => Chain::value_variants(),
        chains => chains,
    };
    let mut running = Vec::new();
    for chain in chains {
        let started = runtime.block_on(chain.start(site, service));
        running.push(started.with_context(|| format!("cannot start {}", chain.name()))?);
    }
    let mut shown: Vec<Shown> = chains
        .iter()
        .map(|chain| Shown { chain: *chain, down: Vec::new(), up: Vec::new(), turns: Vec::new() })
        .collect();
    let seconds = Duration::from_secs(arguments.seconds);
    for round in 0..arguments.rounds as usize {
        for turn in 0..chains.len() {
            interrupt::check()?;
            let at = (turn + round) % chains.len();
            let (running, shown) = (&running[at], &mut shown[at]);
            let measured = |work| {
                let measured = runtime.block_on(load::measure(running, service, work, WARM_UP, seconds));
                measured.with_context(|| format!("{} of {}", work.name(), shown.chain.name()))
            };
            let (down, up, turns) = (measured(Work::Down)?, measured(Work::Up)?, measured(Work::Turns)?);
            shown.down.push(down);
            shown.up.push(up);
            shown.turns.push(turns);
        }
        eprintln!("round {} of {}", round + 1, arguments.rounds);
    }
    table(&shown)
}

fn table(shown: &[Shown]) -> Result<String> {
    let mut text = String::from(
        "## One stream\n\n\
         | chain | down, MB/s | CPU s/GiB | times three hops | up, MB/s | CPU s/GiB | times three hops | 64 B to and fro, us | p99 | times three hops | CPU us |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let floor = shown.iter().find(|shown| shown.chain == Chain::Hops3);
    for Shown { chain, down, up, turns } in shown {
        write!(text, "| {} ", chain.title())?;
        for (samples, floor) in [(down, floor.map(|floor| &floor.down)), (up, floor.map(|floor| &floor.up))] {
            let cost = |sample: &Sample| sample.cost().as_secs_f64() / sample.gibibytes();
            let rate = median(samples, |sample| sample.rate() / 1e6);
            write!(
                text,
                "| {rate:.0} | {:.2} | {} ",
                median(samples, cost),
                times(samples, floor.map(Vec::as_slice), cost)
            )?;
        }
        let p50 = |sample: &Sample| sample.latency(0.5);
        let each = |sample: &Sample| sample.cost().as_secs_f64() * 1e6 / sample.count as f64;
        writeln!(
            text,
            "| {:.0} | {:.0} | {} | {:.0} |",
            median(turns, p50),
            median(turns, |sample| sample.latency(0.99)),
            times(turns, floor.map(|floor| floor.turns.as_slice()), p50),
            median(turns, each),
        )?;
    }
    text.push_str("\nWhose CPU that is:\n\n| chain | down, s/GiB | up, s/GiB | 64 B to and fro, us |\n|---|---|---|---|\n");
    for Shown { chain, down, up, turns } in shown {
        let (down, up) = (whose(down, Sample::gibibytes), whose(up, Sample::gibibytes));
        let turns = whose(turns, |sample| sample.count as f64 / 1e6);
        writeln!(text, "| {} | {down} | {up} | {turns} |", chain.title())?;
    }
    text.push('\n');
    Ok(text)
}

/// How many times what the other takes, in the same rounds.
fn times(samples: &[Sample], floor: Option<&[Sample]>, figure: impl Fn(&Sample) -> f64) -> String {
    let Some(floor) = floor else { return "-".into() };
    let mut ratios: Vec<f64> =
        samples.iter().zip(floor).map(|(sample, floor)| figure(sample) / figure(floor)).collect();
    ratios.sort_by(f64::total_cmp);
    format!("{:.2}", ratios[ratios.len() / 2])
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let mut figures: Vec<f64> = samples.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Processor time of each program, in seconds for each of what is counted.
fn whose(samples: &[Sample], count: impl Fn(&Sample) -> f64) -> String {
    let parts = samples.first().map_or(0, |sample| sample.costs.len());
    let each = (0..parts).map(|part| {
        let Cost { name, .. } = &samples[0].costs[part];
        let cost = median(samples, |sample| sample.costs[part].cpu.as_secs_f64() / count(sample));
        format!("{name} {cost:.2}")
    });
    each.collect::<Vec<_>>().join(", ")
}
